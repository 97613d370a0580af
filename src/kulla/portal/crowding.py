"""When more people come than there is room for: who has begun goes on, who comes is told when.

Each worker serves so many requests at once as it has threads. Where nearly all of them are at work,
more requests would wait unseen in front of the server, those of people in the middle of a booking
too. So newcomers are turned away at once, with a page that says so, and the last threads are kept
for those who are signed in. Which machine a request comes from plays no part: see doors for that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from kulla.portal import errors
from kulla.portal.edge import installed

Handler = Callable[[HttpRequest], HttpResponse]

KEPT: Final = 8
"""One thread in so many is kept for those who are signed in."""

WAIT_S: Final = (5, 20)
"""When those who are turned away are asked to come back: spread, or all would come at once."""

_ALWAYS: Final = ("/healthz", "/style/", "/script/", "/icon.svg")


def shed(handle: Handler) -> Handler:
    """Turn newcomers away (503 with Retry-After) while nearly all threads are at work."""
    room = settings.KULLA.threads - max(1, settings.KULLA.threads // KEPT)
    cookie: str = settings.SESSION_COOKIE_NAME
    lock = threading.Lock()
    at_work = 0

    def answer(request: HttpRequest) -> HttpResponse:
        nonlocal at_work
        with lock:
            at_work += 1
            is_full = at_work > room
        try:
            if is_full and cookie not in request.COOKIES and not _always(request.path_info):
                return errors.crowded(request, _wait_s())
            return handle(request)
        finally:
            with lock:
                at_work -= 1

    return answer


def _always(path: str) -> bool:
    return path.startswith(_ALWAYS)


def _wait_s() -> int:
    first, last = WAIT_S
    return first + installed().entropy.random_bytes(1)[0] % (last - first + 1)

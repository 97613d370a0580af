"""What the portal notes for the watch: what happened, by marks of who and whence, never by name.

Each is one line of the portal's log with these fields; docs/watch-sources.md lists the events. The
network address is a mark that only this home can make, since logs hold no personal data: the same
address gives the same mark, and nobody can turn a mark back without the home's secret key.
"""

from __future__ import annotations

import hmac
from functools import lru_cache
from typing import Final

import structlog
from django.conf import settings
from django.http import HttpRequest

from kulla.portal.doors import address_of
from kulla.portal.via import mark_of

_log = structlog.get_logger("kulla.portal")

SOURCE: Final = "source"
_MARK_BYTES: Final = 8


def note(request: HttpRequest, event: str, **about: str | int) -> None:
    """Log that this happened, with the marks of the session ('' without one) and the address."""
    session = mark_of(request).hex()
    _log.info(event, session=session, source=source_of(request), **about)


def source_of(request: HttpRequest) -> str:
    """The mark of the network address that a request comes from; 16 hex digits."""
    return mark("source", address_of(request).encode())


def mark(kind: str, value: bytes) -> str:
    """A keyed mark of a value, 16 hex digits, for one kind of thing."""
    return _mark(str(settings.SECRET_KEY).encode(), kind, value)


@lru_cache(maxsize=4096)
def _mark(key: bytes, kind: str, value: bytes) -> str:
    said = b"kulla noted " + kind.encode() + b"\0" + value
    return hmac.digest(key, said, "sha256")[:_MARK_BYTES].hex()


def note_move(request: HttpRequest, subject: str, role: str) -> None:
    """Note where a signed-in session is used from another network address than the time before."""
    source = source_of(request)
    before = request.session.get(SOURCE)
    if before == source:
        return
    request.session[SOURCE] = source
    if before is not None:
        note(request, "session moved", subject=subject, role=role, before=before)

"""What the portal notes for the watch: what happened, by marks of who and whence, never by name.

Each is one line of the portal's log with these fields; docs/watch-sources.md lists the events. The
network address is a mark that only this home can make, since logs hold no personal data: the same
address gives the same mark, and nobody can turn a mark back without the home's secret key.
"""

from __future__ import annotations

from typing import Final

import structlog
from django.http import HttpRequest

from kulla.portal.doors import address_of
from kulla.portal.marks import mark
from kulla.portal.via import mark_of

_log = structlog.get_logger("kulla.portal")

SOURCE: Final = "source"


def note(request: HttpRequest, event: str, **about: str | int) -> None:
    """Log that this happened, with the marks of the session ('' without one) and the address."""
    session = mark_of(request).hex()
    _log.info(event, session=session, source=source_of(request), **about)


def source_of(request: HttpRequest) -> str:
    """The mark of the network address that a request comes from; 16 hex digits."""
    return mark("source", address_of(request).encode())


def note_move(request: HttpRequest, subject: str, role: str) -> None:
    """Note where a signed-in session is used from another network address than the time before."""
    source = source_of(request)
    before = request.session.get(SOURCE)
    if before == source:
        return
    request.session[SOURCE] = source
    if before is not None:
        note(request, "session moved", subject=subject, role=role, before=before)

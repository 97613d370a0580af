"""For whom one acts: one's children, as clerks recorded them, and who gave a power of attorney.

The choice lies in the session and counts only while the register says that the relation stands; the
scribe looks again when a command comes. People who act for nobody pay nothing for it: the register
is asked on the pages that need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Final

from django.db import connection
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme

from kulla.kernel.service import Actor
from kulla.portal.edge import installed
from kulla.portal.names import Names
from kulla.services.accounts.apply import RELATION, STANDS
from kulla.services.pages import ActedFor, PageRequest, open_to, signed_in

CHOSEN: Final = "acting_for"
"""The session's word for the subject whom its person acts for."""

_REASON: Final = "who acts for this person sees the name"
_WARDS: Final = (
    f'SELECT ward, kind, until_day FROM "{RELATION}"'  # noqa: S608
    f" WHERE guardian = %s AND state = '{STANDS}' AND position < %s"
    " AND (until_day = '' OR until_day >= %s) ORDER BY since_ms, ward"
)


class ActingForOthers:
    """See kulla.services.pages.ActingFor: that of one request."""

    def __init__(self, request: PageRequest) -> None:
        self._request = request
        self._people: tuple[ActedFor, ...] | None = None

    def people(self) -> Sequence[ActedFor]:
        """See ActingFor."""
        if self._people is None:
            actor = self._request.actor
            may = actor is not None and actor.role == "citizen"
            self._people = self._look(actor.subject) if may and actor else ()
        return self._people

    def chosen(self) -> ActedFor | None:
        """See ActingFor. Costs nothing where the session names nobody."""
        session = self._request.session
        wanted = session.get(CHOSEN) if session.session_key else None
        if not wanted:
            return None
        return next((one for one in self.people() if one.subject == wanted), None)

    def actor(self) -> Actor:
        """See ActingFor."""
        actor = signed_in(self._request)
        chosen = self.chosen()
        return Actor(actor.role, actor.subject, chosen.subject) if chosen else actor

    def _look(self, subject: str) -> tuple[ActedFor, ...]:
        request = self._request
        today = datetime.fromtimestamp(request.clock.now_ms() / 1000, UTC).date().isoformat()
        with connection.cursor() as cursor:
            cursor.execute(_WARDS, [subject, request.tower.witnessing().watermark, today])
            rows = cursor.fetchall()
        once: dict[str, ActedFor] = {}
        for ward, kind, until_day in rows:
            name = names().of(request.tower, ward, _REASON)
            once.setdefault(ward, ActedFor(ward, name, kind, until_day))
        return tuple(once.values())


@open_to("citizen")
def choose(request: PageRequest) -> HttpResponse:
    """POST `whom`: act for this person from now on; '' is oneself. Another's is not found."""
    if request.method == "POST":
        whom = request.POST.get("whom", "")
        if whom and whom not in {one.subject for one in request.acting_for.people()}:
            raise Http404
        if whom:
            request.session[CHOSEN] = whom
        else:
            request.session.pop(CHOSEN, None)
    return redirect(_where(request))


def _where(request: PageRequest) -> str:
    where = request.POST.get("next", "/")
    safe = url_has_allowed_host_and_scheme(where, allowed_hosts=None)
    return where if safe and where.startswith("/") else "/"


@cache
def names() -> Names:
    """The names that this worker opened lately."""
    return Names(installed().clock)

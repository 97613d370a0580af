"""The first page: to a citizen what comes next and what was done, to others what can be done here.

Everybody who signs in passes here, so it reads little: six short questions to the registers, and
a few for each person one acts for, all by index, in plain SQL.
"""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpResponse
from django.shortcuts import render

from kulla.kernel.errors import KullaError
from kulla.kernel.tower import Witnessing
from kulla.portal.catalogue import OFFERS
from kulla.portal.my_acts import newest
from kulla.portal.my_messages import newest_messages
from kulla.services.appointments.citizen import coming
from kulla.services.enrolment.citizen import filed_in, open_rounds, results_of
from kulla.services.pages import PageRequest, open_to_all, signed_in

_COMING: Final = 3
_ACTS: Final = 5
_MESSAGES: Final = 3


@open_to_all()
def front(request: PageRequest) -> HttpResponse:
    """`/`: the citizen's home where a citizen is signed in, else the front page."""
    actor, witnessing = request.actor, _witnessing(request)
    if actor is not None and actor.role == "citizen" and witnessing is not None:
        return render(request, "portal/citizen_home.html", _home(request, witnessing))
    context = {"witnessing": witnessing, "offers": OFFERS}
    return render(request, "portal/home.html", context)


def _home(request: PageRequest, witnessing: Witnessing) -> dict[str, Any]:
    subject = signed_in(request).subject
    watermark, now_s = witnessing.watermark, request.clock.now_ms() // 1000
    people = request.acting_for.people()
    children = [one for one in people if one.kind == "child"]
    rounds = open_rounds(now_s, watermark)
    appointments = coming(subject, now_s, _COMING + 1)
    return {
        "witnessing": witnessing,
        "watermark": watermark,
        "coming": appointments[:_COMING],
        "more_coming": len(appointments) > _COMING,
        "acts": newest(subject, watermark, limit=_ACTS),
        "messages": newest_messages(subject, watermark, limit=_MESSAGES),
        "people": [(one, coming(one.subject, now_s, 1)) for one in people],
        "rounds": rounds,
        "applied": [(one, filed) for one in children for filed in filed_in(rounds, one.subject)],
        "results": [
            (one, result)
            for one in children
            for result in results_of(one.subject, now_s, watermark)
        ],
    }


def _witnessing(request: PageRequest) -> Witnessing | None:
    try:
        return request.tower.witnessing()
    except KullaError:
        return None

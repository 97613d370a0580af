"""My messages: which letters were sent to me, about what and when. Not what they said.

The register of messages holds no word of a letter and no address; what it was about can be opened
from its line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.db import connection
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from kulla.services.messages.apply import MESSAGE, SENT
from kulla.services.pages import PageRequest, Text, open_to, signed_in

PAGE: Final = 50
_NEWEST: Final = (
    f'SELECT kind, about, channel, state, sent_ms, position FROM "{MESSAGE}"'  # noqa: S608
    " WHERE subject = %s ORDER BY sent_ms DESC LIMIT %s"
)
_APPOINTMENTS: Final[Mapping[str, Text]] = {
    "booked": _("Your appointment is booked"),
    "reminder": _("A reminder of your appointment"),
    "moved": _("Your appointment was moved"),
    "cancelled": _("Your appointment was cancelled"),
    "to-call": _("The clinic is closed at the time of your appointment"),
}
_APPLICATIONS: Final[Mapping[str, Text]] = {
    "school-applied": _("The application for school is received"),
    "school-withdrawn": _("The application for school was withdrawn"),
    "school-moved": _("Days of school enrolment were moved"),
}
_RESULTS: Final[Mapping[str, Text]] = {
    "school-result": _("The result of school enrolment is there"),
    "school-place": _("A place at a school became free"),
    "school-answer": _("Reminder: a school offer waits for your answer"),
    "school-answered": _("An offer of a place at a school was answered"),
    "school-lapsed": _("An offer of a place at a school has lapsed"),
    "school-appeal": _("Your appeal about school enrolment is decided"),
}
_KINDS: Final[Mapping[str, Text]] = {**_APPOINTMENTS, **_APPLICATIONS, **_RESULTS}


@dataclass(frozen=True, slots=True)
class MyMessage:
    """One letter as its line shows it. `channel` is 'mail' or 'phone'."""

    title: Text
    address: str
    channel: str
    sent: bool
    at: datetime
    settled: bool


@open_to("citizen")
def messages(request: PageRequest) -> HttpResponse:
    """The newest letters to me."""
    watermark = request.tower.witnessing().watermark
    found = newest_messages(signed_in(request).subject, watermark, limit=PAGE)
    context = {"messages": found, "most": PAGE if len(found) == PAGE else 0}
    return render(request, "portal/my_messages.html", context)


def newest_messages(subject: str, watermark: int, *, limit: int = PAGE) -> list[MyMessage]:
    """The newest letters to a person, the newest first."""
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, [subject, limit])
        rows = cursor.fetchall()
    return [
        MyMessage(
            _KINDS.get(kind, kind),
            _address(kind, about),
            channel,
            state == SENT,
            datetime.fromtimestamp(sent_ms / 1000, UTC),
            position < watermark,
        )
        for kind, about, channel, state, sent_ms, position in rows
    ]


def _address(kind: str, about: str) -> str:
    """Where to see what a letter was about; '' for a kind that this release does not know."""
    if kind in _APPOINTMENTS:
        return f"/appointments/{about}"
    round_id, _dash, child = about.rpartition("-")
    if kind in _APPLICATIONS:
        return f"/enrolment/rounds/{round_id}/children/{child}"
    if kind in _RESULTS:
        return f"/enrolment/rounds/{round_id}/children/{child}/result"
    return ""

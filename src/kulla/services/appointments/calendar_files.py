"""Appointments as iCalendar files (RFC 5545), to be put into one's own calendar.

METHOD:PUBLISH: the file tells of an appointment, and nothing that a calendar answers would change
it. The UID is the appointment's own number, so a file that is fetched again after a move or a
cancellation replaces what the calendar had. Instants are in UTC, as the acts have them: what a
calendar knows of time zones can't move an appointment. Neither reason nor name stands in a file,
which calendars copy to who knows where.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.http import HttpResponse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from kulla.kernel import dates
from kulla.services.appointments.booking import ROOT
from kulla.services.appointments.pages import own_appointment, own_appointments
from kulla.services.appointments.reading import Standing
from kulla.services.pages import PageRequest, open_to

if TYPE_CHECKING:
    from icalendar import Alarm, Event

_PRODUCT: Final = "-//Kulla//Appointments//EN"
_TYPE: Final = "text/calendar; charset=utf-8; method=PUBLISH"
_SEQUENCE_MAX: Final = 2**31 - 1
_REMIND_BEFORE: Final = (timedelta(days=1), timedelta(hours=2))


@open_to("citizen")
def one(request: PageRequest, appointment: str) -> HttpResponse:
    """One appointment as a file. Raises Http404 for another's."""
    standing = own_appointment(request, appointment)
    return _file(request, [standing], f"kulla-{standing.id[:8]}.ics")


@open_to("citizen")
def all_of_mine(request: PageRequest) -> HttpResponse:
    """All appointments that are still to come, and those of them that were cancelled, as a file."""
    coming = [standing for standing in own_appointments(request) if not standing.past]
    return _file(request, coming[::-1], "kulla.ics")


def _file(request: PageRequest, standings: Sequence[Standing], name: str) -> HttpResponse:
    from icalendar import Calendar  # ten megabytes that a worker needs once somebody asks

    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("calscale", "GREGORIAN")
    written_at = datetime.fromtimestamp(request.clock.now_ms() // 1000, UTC)
    for standing in standings:
        link = request.build_absolute_uri(f"{ROOT}/{standing.id}")
        calendar.add_component(_event(standing, written_at, link))
    return HttpResponse(
        calendar.to_ical(),
        content_type=_TYPE,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _event(standing: Standing, written_at: datetime, link: str) -> Event:
    from icalendar import Event, vUri

    starts_at = datetime.fromtimestamp(standing.starts_s, UTC)
    event = Event()
    event.add("uid", f"{standing.id}@appointments.kulla")
    event.add("dtstamp", written_at)
    event.add("created", standing.booked_at)
    event.add("sequence", sequence_of(standing))
    event.add("dtstart", starts_at)
    event.add("dtend", starts_at + timedelta(minutes=standing.minutes))
    event.add("status", _status(standing))
    event.add("summary", _("Doctor's appointment"))
    event.add("class", "PRIVATE")
    event.add("transp", "TRANSPARENT" if standing.state == "cancelled" else "OPAQUE")
    event.add("description", _description(standing, link))
    event.add("url", vUri(link))
    if standing.doctor is not None:
        doctor = standing.doctor
        event.add("location", f"{doctor.clinic}, {doctor.address}, {doctor.town}")
    if standing.state != "cancelled":
        for before in _REMIND_BEFORE:
            event.add_component(_alarm(before))
    return event


def sequence_of(standing: Standing) -> int:
    """The revision of the event: 0 as booked, and more with each act that followed.

    Positions only grow, so their distance serves and no count has to be kept.
    """
    return min(standing.position - standing.booked_position, _SEQUENCE_MAX)


def _status(standing: Standing) -> str:
    """What is not witnessed yet is neither confirmed nor cancelled; nor is a closed time."""
    unsure = dict.fromkeys(("pending", "closed"), "TENTATIVE")
    return {**unsure, "cancelled": "CANCELLED"}.get(standing.state, "CONFIRMED")


def _description(standing: Standing, link: str) -> str:
    at = dates.moment(standing.starts_local, get_language() or "")
    lines = [at]
    if standing.doctor is not None:
        lines.append(f"{standing.doctor.name}, {standing.doctor.kind}")
    lines.append(_("To move or cancel it: %(link)s") % {"link": link})
    return "\n".join(lines)


def _alarm(before: timedelta) -> Alarm:
    from icalendar import Alarm

    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("trigger", -before)
    alarm.add("description", _("Doctor's appointment"))
    return alarm

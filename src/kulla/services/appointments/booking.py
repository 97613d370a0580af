"""The short form for a time: book it, or move an appointment to it, while the time is kept.

A booking reads no register on its way in: it looks whether somebody else's form keeps the time, and
then the scribe decides, whose answer is enough to say where the appointment stands. What was typed
is never lost: where a time is refused it waits for the form of the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kulla.kernel.canonical import Value
from kulla.kernel.tower import Answer
from kulla.services.appointments.acts import SERVICE_NAME
from kulla.services.appointments.apply import FREE
from kulla.services.appointments.calendars import settled_now
from kulla.services.appointments.forms import REASON_CHARS_MAX, Visit, read_visit
from kulla.services.appointments.reading import booked_in, read_time
from kulla.services.appointments.refusals import sentence
from kulla.services.pages import (
    UNAVAILABLE,
    UNAVAILABLE_OTHERWISE,
    ActedFor,
    PageRequest,
    Text,
    ask,
    first_new_id,
    fresh_command_id,
    open_to,
    read_command_id,
    signed_in,
)

ROOT: Final = "/appointments"
FORM: Final = "book"
"""The name under which what was typed is kept (KeptForms)."""

HELD_FIELD: Final = "held_until"
BEING_TAKEN_STATUS: Final = 423
"""Nothing was refused by the rules: the time is locked for the moment (RFC 4918)."""

_NOT_ACTING: Final = gettext_lazy("Choose for whom the appointment is.")

SlotStanding = Literal["free", "pending", "held", "gone"]


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long a time is kept for the person at its form.

    `ends_s` is None where it is not kept for them. `lapsed_s` is when an earlier keeping ended,
    where the form was sent after that.
    """

    ends_s: int | None = None
    lapsed_s: int | None = None

    @property
    def ends_at(self) -> datetime | None:
        """Until when the time is kept."""
        return _instant(self.ends_s)

    @property
    def lapsed_at(self) -> datetime | None:
        """When the keeping ended that the form began with."""
        return _instant(self.lapsed_s)


@open_to("citizen", limit="acts")
def book(request: PageRequest, slot: str) -> HttpResponse:
    """GET: the short form for a time. POST: book it."""
    me = signed_in(request).subject
    if request.method != "POST":
        kept = request.kept.typed(FORM)
        if not kept:
            return _show_form(request, slot, Visit(for_whom=_chosen(request)))
        # They come back without being judged: they were not sent for this time.
        visit = read_visit(kept, whole=True).unjudged()
        return _show_form(request, slot, visit, came_back=True)
    command_id = read_command_id(request.POST)
    visit = _for_somebody(request, read_visit(request.POST, whole=command_id is not None))
    if visit.problems or command_id is None:
        return _show_form(request, slot, visit, status=422)
    if request.holds.held_by_others([slot], me):
        return _kept(request, visit, _show_form(request, slot, visit, being_taken=True))
    whom = visit.for_whom or me
    data: dict[str, Value] = {"slot": slot}
    data.update(request.tower.seal(whom, visit.personal_fields(), command_id))
    command, answer = ask(request, SERVICE_NAME, "book", command_id, data, whom=whom)
    if answer.status == "accepted":
        return _done(request, first_new_id(command))
    if answer.status != "unavailable":
        # What was typed may have changed since it was posted first, which makes another command:
        # what that is refused for may be the person's own booking, and what is waited for may stand
        # in the register already.
        mine = booked_in(slot, whom)
        if mine:
            return _done(request, mine)
    response = _show_form(request, slot, visit, answer=answer)
    # What waits was sent: it must not come back in another form as if it had not been.
    return response if answer.status == "waiting" else _kept(request, visit, response)


def _done(request: PageRequest, appointment: str) -> HttpResponse:
    response = HttpResponseRedirect(f"{ROOT}/{appointment}", status=303)
    request.kept.forget(response)
    return response


def _kept(request: PageRequest, visit: Visit, response: HttpResponse) -> HttpResponse:
    """Keep what was typed for the form of another time."""
    request.kept.keep(response, FORM, visit.typed())
    return response


def _for_somebody(request: PageRequest, visit: Visit) -> Visit:
    """See that the person may act for whom they chose. Oneself needs no look at a register."""
    whom = visit.for_whom
    if not whom or whom == signed_in(request).subject:
        return visit
    if any(one.subject == whom for one in request.acting_for.people()):
        return visit
    return visit.with_problem("for_whom", _NOT_ACTING)


def _chosen(request: PageRequest) -> str:
    chosen = request.acting_for.chosen()
    return chosen.subject if chosen else ""


def _show_form(
    request: PageRequest,
    slot: str,
    visit: Visit,
    *,
    answer: Answer | None = None,
    being_taken: bool = False,
    came_back: bool = False,
    status: int = 200,
) -> HttpResponse:
    people: tuple[ActedFor, ...] = tuple(request.acting_for.people())
    context = {
        **about_slot(request, slot, keep=answer is None or answer.status != "refused"),
        "visit": visit,
        "came_back": came_back,
        "people": people,
        "me": signed_in(request).subject,
        "kept_mark": request.kept.mark(FORM),
        "reason_chars_max": REASON_CHARS_MAX,
        "being_taken": being_taken,
    }
    if being_taken:
        status = BEING_TAKEN_STATUS
    return show_question(request, "appointments/book.html", context, answer, status=status)


def show_question(
    request: PageRequest,
    template: str,
    context: Mapping[str, Any],
    answer: Answer | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    """A form with its hidden command id: a fresh one, or the one that was posted, kept as it is."""
    posted = read_command_id(request.POST)
    shown = {
        **context,
        "command": posted.hex() if posted else fresh_command_id(request),
        "answer": answer,
        "answer_text": _in_words(answer) if answer else "",
    }
    if answer is not None:
        status = {"refused": 409, "waiting": 202, "unavailable": 503}[answer.status]
    response = render(request, template, shown, status=status)
    if status == 503:
        response["Retry-After"] = "30"
    return response


def about_slot(request: PageRequest, slot: str, *, keep: bool = True) -> dict[str, Any]:
    """A time with its doctor, and how it stands; a free one is kept for whoever asks from now on.

    Not with `keep` False: whoever was just refused a time must not keep it from those who can have
    it. Raises Http404.
    """
    now = settled_now(request)
    found = read_time(slot, now.watermark)
    if found is None:
        raise Http404
    time, doctor = found
    posted_s = _held_until(request)
    keeping = Keeping(lapsed_s=posted_s if posted_s and posted_s <= now.at_s else None)
    standing: SlotStanding = "gone"
    if not time.settled:
        standing = "pending"
    elif time.state == FREE and time.starts_s > now.at_s:
        me = signed_in(request).subject
        hold = request.holds.take(slot, me) if keep else None
        held = hold is None if keep else bool(request.holds.held_by_others([slot], me))
        standing = "held" if held else "free"
        keeping = Keeping(hold.ends_s if hold else None, keeping.lapsed_s)
    return {"slot": time, "doctor": doctor, "slot_standing": standing, "keeping": keeping}


def _held_until(request: PageRequest) -> int | None:
    """Until when the form that was sent said that its time was kept. Shown, and trusted no further.

    Without it the page would have to remember holds that have ended.
    """
    typed = request.POST.get(HELD_FIELD, "")
    return int(typed) if typed.isascii() and typed.isdecimal() and len(typed) <= 10 else None


def _instant(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _in_words(answer: Answer) -> str | Text:
    if answer.status == "refused":
        return sentence(answer.code, answer.detail)
    if answer.status == "unavailable":
        return str(UNAVAILABLE.get(answer.code, UNAVAILABLE_OTHERWISE))
    return _(
        "The embassies have not confirmed it yet. Send the form again: it is the same request, so "
        "nothing is done twice."
    )

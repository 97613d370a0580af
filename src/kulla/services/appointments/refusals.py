"""The policy's no, in sentences: a code of policy.py to what a person reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.translation import gettext_lazy as _

from kulla.kernel.canonical import Value
from kulla.services.pages import Text

_SENTENCES: Final[Mapping[str, Text]] = {
    "slot-unknown": _("This time is not offered. Please choose another one."),
    "slot-past": _("This time has begun already. Please choose a later one."),
    "slot-closed": _("The practitioner is away at this time. Please choose another one."),
    "slot-taken": _("Somebody was quicker: this time is taken. Please choose another one."),
    "same-slot": _("The appointment is at this time already."),
    "too-many-upcoming": _(
        "%(max)s appointments are to come already, which is the most one person can book. Cancel "
        "one that is not needed, or call the clinic."
    ),
    "same-time": _("There is another appointment at this time. Please choose another time."),
    "appointment-unknown": _("There is no such appointment."),
    "not-yours": _("There is no such appointment."),
    "already-cancelled": _("This appointment was cancelled already."),
    "too-late-to-cancel": _(
        "An appointment can be changed or cancelled until %(minutes)s minutes before it begins. "
        "Please call the clinic."
    ),
    "visit-noted": _("The desk has noted already that the person came, or did not."),
    "too-early": _("It is not the day of this appointment yet."),
    "not-begun": _("Nobody is missed before their time has begun."),
    "not-arrived": _("Nobody has arrived yet, so no visit can end."),
    "noted-already": _("That is noted already."),
    "nothing-noted": _("Nothing is noted that could be taken back."),
    "too-many-moves": _("At most %(max)s people can be moved at once."),
    "clinic-unknown": _("There is no such clinic."),
    "practitioner-unknown": _("There is no such practitioner."),
    "other-zone": _("The hours are in another time zone: %(schedule_zone)s."),
    "too-many-days": _("At most %(max)s days can be published at once."),
    "too-many-slots": _("That is more than %(max)s times. Publish fewer days at once."),
    "nothing-to-publish": _(
        "There are no new times in these days: set hours for them, or choose days that are not "
        "published yet."
    ),
    "already-registered": _("This person is in the register already."),
    "already-identified": _("This person has a personal number already."),
    "number-taken": _("This number belongs to another person."),
    "own-matter": _("Nobody does this for themself. Ask a colleague."),
    "no-role": _("You don't have this role any more. Ask an operator."),
    "not-allowed": _("Your role may not do this."),
    "not-acting-for": _(
        "You can't act for this person, or not any more. Ask them, or ask at a counter."
    ),
    "annulled": _(
        "This was undone by the custodians, because of what somebody else had done before it. If "
        "you still want it, please start again, or call the clinic."
    ),
    "malformed": _("Something in this form was not as this site sends it. Please start again."),
}
_BEGUN: Final[Text] = _("This appointment has begun: it is not moved or cancelled any more.")
_OTHERWISE: Final[Text] = _("The rules of this service do not allow it.")


def sentence(code: str, detail: Mapping[str, Value]) -> str:
    """The refusal in the language of the page; a code that is new here gets a general sentence."""
    text = str(_SENTENCES.get(code, _OTHERWISE))
    if code == "too-late-to-cancel" and not detail.get("minutes"):  # for clerks it is no earlier
        text = str(_BEGUN)
    try:
        return text % detail
    except (KeyError, TypeError):  # a detail that this release does not know of
        return str(_OTHERWISE)

"""What letters say, in the language that is on: short, and nothing about anybody's health.

A mail may be read by others on its way and on a shared telephone. So no letter names a reason, a
speciality, a practitioner or the person: 'an appointment', when, and at which clinic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _

SMS_MAX: Final = 300


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a letter is about: when in words, the clinic's name and address, and links.

    `page` shows the appointment to whom it belongs; `receipt` its receipt, '' where there is none.
    `ward` says that it is the appointment of somebody whom the reader acts for.
    """

    when: str
    clinic: str
    address: str
    page: str
    receipt: str = ""
    ward: bool = False


def compose(kind: str, occasion: Occasion, site: str) -> tuple[str, str]:
    """Subject and body (plain text) of a letter of this kind; `site` is the portal's address."""
    subject, body = _KINDS[kind](occasion)
    lines = [*body]
    if occasion.ward:
        lines.insert(0, _("This is about somebody for whom you act."))
    lines += ["", _("You see it, move it or cancel it here (sign in first):"), occasion.page]
    if occasion.receipt:
        lines += ["", _("Your receipt, a proof that you can keep:"), occasion.receipt]
    return subject, "\n".join([*lines, *footer(site)]) + "\n"


def footer(site: str) -> list[str]:
    """The lines that every letter ends with."""
    return [
        "",
        "-- ",
        site,
        _("This letter was sent by a machine; nobody reads answers to it."),
        _("We never ask for codes or passwords by mail or telephone."),
    ]


def compose_short(kind: str, occasion: Occasion) -> str:
    """The same for a telephone: one text of at most 300 characters."""
    _subject, body = _KINDS[kind](occasion)
    return " ".join(line for line in body if line)[:SMS_MAX]


def _place(occasion: Occasion) -> str:
    return ", ".join(part for part in (occasion.clinic, occasion.address) if part)


def _booked(occasion: Occasion) -> tuple[str, list[str]]:
    return _("Your appointment is confirmed"), [
        _("You have an appointment on %(when)s.") % {"when": occasion.when},
        _place(occasion),
    ]


def _reminder(occasion: Occasion) -> tuple[str, list[str]]:
    return _("Reminder: your appointment is near"), [
        _("We remind you of your appointment on %(when)s.") % {"when": occasion.when},
        _place(occasion),
        "",
        _("If you can't come, please cancel: somebody else is waiting for a time."),
    ]


def _moved(occasion: Occasion) -> tuple[str, list[str]]:
    return _("The clinic moved your appointment"), [
        _("The clinic moved your appointment. It is now on %(when)s.") % {"when": occasion.when},
        _place(occasion),
    ]


def _cancelled(occasion: Occasion) -> tuple[str, list[str]]:
    return _("The clinic cancelled your appointment"), [
        _("The clinic cancelled your appointment on %(when)s.") % {"when": occasion.when},
        _place(occasion),
        "",
        _("Please book another time. We are sorry for the trouble."),
    ]


def _to_call(occasion: Occasion) -> tuple[str, list[str]]:
    return _("The clinic is closed at the time of your appointment"), [
        _("The clinic is closed at the time of your appointment on %(when)s.")
        % {"when": occasion.when},
        _place(occasion),
        "",
        _("It will call you with another time. You can also choose one yourself."),
    ]


_KINDS: Final[dict[str, Callable[[Occasion], tuple[str, list[str]]]]] = {
    "booked": _booked,
    "reminder": _reminder,
    "moved": _moved,
    "cancelled": _cancelled,
    "to-call": _to_call,
}

"""What a citizen types when booking: the reason for the visit, and a telephone number.

Read by hand rather than by django.forms: two fields need no machinery, and this is the one form
that a whole country may send in the same minute.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from django.utils.translation import gettext_lazy as _

from kulla.services.pages import Text

REASON_CHARS_MAX: Final = 500
_PHONE: Final = re.compile(r"\+?[0-9 ()/.-]{6,25}")
_DIGITS_MIN: Final = 6
_SUBJECT_CHARS_MAX: Final = 64

_NO_PHONE: Final = _("Enter a telephone number, so that the clinic can reach you.")
BAD_PHONE: Final = _("Enter the number with digits only, for example 069 123 4567.")
LONG_REASON: Final = _("Shorten the reason to 500 characters.")
_FORM_DAMAGED: Final = _("This form was incomplete. It is whole again now: please send it again.")


@dataclass(frozen=True, slots=True)
class Visit:
    """What was typed, and what is wrong with it: a sentence by the name of the field.

    `for_whom` is the subject of the person who is to see the doctor; '' is whoever is signed in.
    """

    reason: str = ""
    phone: str = ""
    for_whom: str = ""
    problems: Mapping[str, Text] | None = None

    def personal_fields(self) -> dict[str, str]:
        """What has to be sealed, by the name of the command's field; what is empty is left out."""
        fields = {"reason": self.reason, "contact": self.phone}
        return {name: typed for name, typed in fields.items() if typed}

    def typed(self) -> dict[str, str]:
        """All that was typed, by the name of the form's field."""
        fields = {"reason": self.reason, "phone": self.phone, "for_whom": self.for_whom}
        return {name: typed for name, typed in fields.items() if typed}

    def unjudged(self) -> Visit:
        """The same, with nothing said of what is wrong with it."""
        return replace(self, problems=None)

    def with_problem(self, field: str, said: Text) -> Visit:
        """The same, with one thing more that is wrong."""
        return replace(self, problems={**(self.problems or {}), field: said})


def read_visit(posted: Mapping[str, object], *, whole: bool) -> Visit:
    """The form as it came; `whole` says whether its hidden command id was there."""
    reason = _typed(posted, "reason").replace("\r\n", "\n")
    phone = _typed(posted, "phone")
    problems: dict[str, Text] = {}
    if len(reason) > REASON_CHARS_MAX:
        problems["reason"] = LONG_REASON
    if not phone:
        problems["phone"] = _NO_PHONE
    elif not is_phone(phone):
        problems["phone"] = BAD_PHONE
    if not whole:
        problems["form"] = _FORM_DAMAGED
    return Visit(reason, phone, _subject(posted), problems or None)


def is_phone(typed: str) -> bool:
    """Whether this can be a telephone number: enough digits, and signs that people put between."""
    return bool(_PHONE.fullmatch(typed)) and sum(map(str.isdigit, typed)) >= _DIGITS_MIN


def _subject(posted: Mapping[str, object]) -> str:
    """Whom the form was sent for; what is no subject stays, and is nobody whom one acts for."""
    return _typed(posted, "for_whom")[:_SUBJECT_CHARS_MAX]


def _typed(posted: Mapping[str, object], name: str) -> str:
    value = posted.get(name, "")
    return value.strip() if isinstance(value, str) else ""

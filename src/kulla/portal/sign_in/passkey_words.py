"""Why a passkey was not added or not removed, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.translation import gettext_lazy as _

from kulla.kernel.tower import Answer
from kulla.services.pages import UNAVAILABLE, UNAVAILABLE_OTHERWISE, Text

_REFUSALS: Final[Mapping[str, Text]] = {
    "taken": _("This passkey is in use already."),
    "too-many": _(
        "You have as many passkeys as an account can hold. Remove one that you no longer use."
    ),
    "last-way-in": _(
        "This is the last way into your account. Add another passkey or an address first."
    ),
    "staff-signs": _(
        "You have a role in an office, so a change of your passkeys has to be signed with one of "
        "them. Sign in with a passkey, choose that role, and come back here."
    ),
    "no-account": _(
        "You have no account here yet. Sign in with your mail address first to open one."
    ),
}
_REFUSED: Final[Text] = _("It was not done. Please start again.")


def refusal(answer: Answer) -> Text:
    """Why a change was not done; '' where it was, or is being confirmed."""
    if answer.status == "unavailable":
        return UNAVAILABLE.get(answer.code, UNAVAILABLE_OTHERWISE)
    return _REFUSALS.get(answer.code, _REFUSED) if answer.status == "refused" else ""

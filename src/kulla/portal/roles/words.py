"""What roles are called, and why something about them was not done, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.translation import gettext_lazy as _

from kulla.kernel.tower import Answer
from kulla.services.pages import UNAVAILABLE, UNAVAILABLE_OTHERWISE, Text

ROLES: Final[Mapping[str, Text]] = {
    "clerk": _("Clerk: serves people at the counter and on the telephone"),
    "operator": _("Operator: runs this site and gives roles"),
    "analyst": _("Analyst: looks at attacks and at how things go"),
}
SHORT: Final[Mapping[str, Text]] = {
    "clerk": _("clerk"),
    "operator": _("operator"),
    "analyst": _("analyst"),
}
_REFUSED: Final[Mapping[str, Text]] = {
    "no-role": _("You have no role for this any more. Nothing was done."),
    "no-passkey": _(
        "This person has no passkey yet, so they could sign nothing. Let them add one."
    ),
    "has-role": _("This person has the role already."),
    "has-no-role": _("This person does not have the role any more."),
    "already-proposed": _("This is proposed already: another operator can approve it."),
    "last-operator": _("The last operator stays: somebody must be able to go on."),
    "proposal-closed": _("This proposal was approved or withdrawn meanwhile."),
    "proposal-stale": _(
        "This proposal is too old, or who made it is no operator any more. Make a new one."
    ),
    "same-operator": _("You proposed this yourself, so another operator must approve it."),
    "passkeys-changed": _(
        "This person got another passkey after the proposal. See who holds it, withdraw the "
        "proposal and make a new one."
    ),
}
_REFUSED_OTHERWISE: Final[Text] = _("It was not done. Please start again.")


def said(answer: Answer | None) -> Text:
    """Why it was not done, or ''."""
    if answer is None or answer.status == "accepted":
        return ""
    if answer.status == "unavailable":
        return UNAVAILABLE.get(answer.code, UNAVAILABLE_OTHERWISE)
    return _REFUSED.get(answer.code, _REFUSED_OTHERWISE)

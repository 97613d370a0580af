"""Other ways to sign in that the sign-in page offers beside the code and the passkey."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from kulla.services.pages import Text


@dataclass(frozen=True, slots=True)
class Way:
    """One button: what it says, and the address of this site to which its form is posted.

    The form carries the mark against forgery and `next`, where to go in the end.
    """

    label: Text
    address: str


def other_ways() -> tuple[Way, ...]:
    """The ways that this home offers, in the order in which they are shown."""
    oidc = settings.KULLA.oidc
    if oidc is None:
        return ()
    label = _("Sign in with %(name)s") % {"name": oidc.name}
    return (Way(label, "/sign-in/e-id"),)

"""What the registers hold on one person's account, and what of it the keeper opens for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kulla.kernel.errors import KullaError
from kulla.kernel.tower import TowerEdge
from kulla.services.accounts.models import Account, Address, ApiToken, Identity, Passkey

READS_OWN: Final = "a person reads what they gave"
READS_CHILDS: Final = "who acts for a child reads what is stored about it"


def account_of(subject: str) -> Account | None:
    """The person's account, or None."""
    return Account.objects.filter(pk=subject).first()


def addresses_of(subject: str) -> Sequence[Address]:
    """The person's addresses, the oldest first."""
    return list(Address.objects.filter(subject=subject).order_by("added_ms", "token"))


def passkeys_of(subject: str) -> Sequence[Passkey]:
    """The person's passkeys, the oldest first."""
    return list(Passkey.objects.filter(subject=subject).order_by("added_ms", "credential"))


def identities_of(subject: str) -> Sequence[Identity]:
    """The person's links to providers of identities, the oldest first."""
    return list(Identity.objects.filter(subject=subject).order_by("linked_ms", "token"))


def tokens_of(subject: str) -> Sequence[ApiToken]:
    """The tokens that the person made for programs, also those taken back, the newest first."""
    return list(ApiToken.objects.filter(holder=subject).order_by("-issued_ms", "token_hash"))


def opened(
    tower: TowerEdge, subject: str, field: str, sealed: bytes | None, why: str = READS_OWN
) -> str:
    """One sealed field in clear; '' where there is none or it does not open (it was erased)."""
    if sealed is None:
        return ""
    try:
        return tower.open(subject, {field: bytes(sealed)}, why)[field]
    except KullaError as error:
        if type(error).__name__ == "TowerUnavailable":
            raise
        return ""

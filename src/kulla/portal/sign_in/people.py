"""What the registers say of a person who signs in: whose address it is, passkeys and roles.

An account or a role that stands above the watermark counts as not there yet: nobody is let in by an
act that could still be lost. A role that was taken away is gone at once, confirmed or not.
"""

from __future__ import annotations

from typing import Final

from kulla.kernel.errors import KullaError
from kulla.kernel.service import Role
from kulla.kernel.tower import TowerEdge
from kulla.services.accounts import apply
from kulla.services.accounts.models import Account, Address, Founding, Passkey, StaffRole
from kulla.services.citizens.models import Citizen

STAFF_ROLES: Final[tuple[Role, ...]] = ("clerk", "operator", "analyst", "custodian")


def owner_of(token: bytes, tower: TowerEdge) -> str:
    """The subject whose address has this index token, '' where nobody's (confirmed) has."""
    watermark = tower.witnessing().watermark
    found = Address.objects.filter(pk=token, position__lt=watermark).first()
    return found.subject if found else ""


def is_taken(token: bytes) -> bool:
    """Whether the address is somebody's, confirmed or about to be."""
    return Address.objects.filter(pk=token).exists()


def has_account(subject: str, tower: TowerEdge) -> bool:
    """Whether the subject has a (confirmed) account of their own."""
    watermark = tower.witnessing().watermark
    return Account.objects.filter(pk=subject, position__lt=watermark).exists()


def passkey(credential: str, tower: TowerEdge) -> Passkey | None:
    """The (confirmed) passkey with this credential id in base64url, or None."""
    watermark = tower.witnessing().watermark
    return Passkey.objects.filter(pk=credential, position__lt=watermark).first()


def passkeys_of(subject: str) -> list[Passkey]:
    """A person's passkeys, oldest first."""
    return list(Passkey.objects.filter(subject=subject).order_by("added_ms", "credential"))


def roles_of(subject: str, tower: TowerEdge) -> tuple[Role, ...]:
    """The (confirmed) staff roles of a person, in a fixed order."""
    watermark = tower.witnessing().watermark
    held = set(
        StaffRole.objects.filter(subject=subject, position__lt=watermark).values_list(
            "role", flat=True
        )
    )
    return tuple(role for role in STAFF_ROLES if role in held)


def still_holds(subject: str, role: Role) -> bool:
    """Whether a session may go on in a staff role: it stands, or no staff was ever founded.

    Before the founding the scribe believes whoever asks, and so does this: there is nobody yet who
    could grant a role.
    """
    if StaffRole.objects.filter(pk=apply.role_key(subject, role)).exists():
        return True
    return not Founding.objects.exists()


def name_of(subject: str, tower: TowerEdge, reason: str) -> str:
    """A person's name, opened by the keeper for `reason`; '' where there is none to open."""
    citizen = Citizen.objects.filter(pk=subject).first()
    if citizen is None:
        return ""
    try:
        return tower.open(subject, {"name": bytes(citizen.name_sealed)}, reason)["name"]
    except KullaError:
        return ""

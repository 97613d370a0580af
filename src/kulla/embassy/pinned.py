"""The policy file that an embassy is pinned to, and how custodians move it on."""

from __future__ import annotations

from kulla.embassy.errors import Refused, SettingsInvalid
from kulla.journal.errors import JournalError, TileMissing
from kulla.journal.notes import VerifierKey
from kulla.journal.policy_file import (
    PolicyFile,
    parse_policy,
    verify_policy_signatures,
    verify_successor,
)
from kulla.journal.store import TileStore

POLICY: str = "policy"


def read_pinned(desk: TileStore) -> tuple[PolicyFile, bytes]:
    """The pinned policy and its bytes. Raises SettingsInvalid where there is none yet."""
    try:
        data = desk.get(POLICY)
        return parse_policy(data, place=POLICY), data
    except TileMissing as error:
        raise SettingsInvalid(
            "this embassy has no policy file yet.",
            place=error.place,
            remedy="Pin the policy that the custodians signed before serving.",
        ) from error
    except JournalError as error:
        raise SettingsInvalid(f"the pinned policy can't be read: {error}", place=POLICY) from error


def pin_first(desk: TileStore, data: bytes, mirror_key: VerifierKey) -> PolicyFile:
    """Pin an embassy's first policy: an operator's act, on this machine. Durable on return.

    Custodians must have signed it and it must name this embassy's mirror key. The same policy again
    changes nothing. Raises SettingsInvalid where that is not so, or another one is pinned.
    """
    try:
        policy = parse_policy(data, place=POLICY)
        verify_policy_signatures(policy)
    except JournalError as error:
        raise SettingsInvalid(f"this policy can't be pinned: {error}", place=POLICY) from error
    if mirror_key not in [embassy.key for embassy in policy.embassies]:
        raise SettingsInvalid(
            f"this policy does not name the mirror key of '{mirror_key.name}'.",
            place=POLICY,
            remedy=f"Give the custodians this key: {mirror_key.text()}",
        )
    try:
        if desk.get(POLICY) != data:
            raise SettingsInvalid(
                "another policy is pinned already.",
                place=POLICY,
                remedy="A next version goes to the serving embassy, signed by the old custodians.",
            )
    except TileMissing:
        desk.swap(POLICY, None, data)
    return policy


def move_on(desk: TileStore, old: PolicyFile, old_data: bytes, data: bytes) -> PolicyFile:
    """Replace the pinned policy by its next version; durable on return. Raises Refused."""
    try:
        new = parse_policy(data, place="policy")
    except JournalError as error:
        raise Refused(400, str(error)) from error
    try:
        verify_successor(old, new)
    except JournalError as error:
        status = 409 if new.version != old.version + 1 else 403
        raise Refused(status, str(error)) from error
    desk.swap(POLICY, old_data, data)
    return new

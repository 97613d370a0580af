"""The policy file that an embassy is pinned to, and how custodians move it on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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
VERSIONS: str = "policies/"


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


def move_on(
    desk: TileStore, old: PolicyFile, old_data: bytes, data: bytes, *, sealed: bool = False
) -> PolicyFile:
    """Replace the pinned policy by its next version; durable on return. Raises Refused.

    `sealed`: the newest log is sealed, so the next version must name the log that follows it. All
    versions are kept, for those who missed some.
    """
    try:
        new = parse_policy(data, place="policy")
    except JournalError as error:
        raise Refused(400, str(error)) from error
    try:
        verify_successor(old, new)
    except JournalError as error:
        status = 409 if new.version != old.version + 1 else 403
        raise Refused(status, str(error)) from error
    if sealed and len(new.logs) == len(old.logs):
        raise Refused(409, "a takeover is under way: a change of the policy comes after it.")
    desk.put({f"{VERSIONS}{old.version}": old_data})
    desk.swap(POLICY, old_data, data)
    return new


def version_of(desk: TileStore, version: int) -> bytes | None:
    """An earlier version that was pinned here, or None."""
    try:
        return desk.get(f"{VERSIONS}{version}")
    except TileMissing:
        return None


def keep_versions(desk: TileStore, policies: Iterable[PolicyFile]) -> None:
    """Keep versions that were never pinned here, and are trusted; what is kept already stays."""
    for policy in policies:
        if version_of(desk, policy.version) is None:
            desk.put({f"{VERSIONS}{policy.version}": policy.render()})


def kept_versions(desk: TileStore, below: int) -> Iterator[PolicyFile]:
    """The kept versions below this number, the newest first."""
    for version in range(below - 1, 0, -1):
        data = version_of(desk, version)
        if data is not None:
            yield parse_policy(data)


def pin_instead(desk: TileStore, data: bytes) -> PolicyFile:
    """Pin `data` in the place of a policy of the same version that lost: an operator's act.

    Both follow the version that was pinned before, so custodians signed two under one number, and
    the others hold this one. Durable on return. Raises SettingsInvalid where it is not so.
    """
    pinned, pinned_data = read_pinned(desk)
    before = version_of(desk, pinned.version - 1)
    try:
        policy = parse_policy(data, place=POLICY)
        if before is None or policy.version != pinned.version:
            raise SettingsInvalid(
                f"version {policy.version} can't take the place of version {pinned.version} here.",
                place=POLICY,
                remedy="Only another policy of the very version that is pinned can.",
            )
        verify_successor(parse_policy(before), policy)
    except JournalError as error:
        raise SettingsInvalid(f"this policy can't be pinned: {error}", place=POLICY) from error
    desk.swap(POLICY, pinned_data, data)
    return policy

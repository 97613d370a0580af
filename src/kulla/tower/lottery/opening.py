"""What a custodian does on a machine of their own, off line: look at a plan, and open shares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kulla.journal.lottery_openings import (
    CheckedPlan,
    Opening,
    checked_plan,
    open_for,
    parse_plan,
)
from kulla.journal.notes import SigningKey
from kulla.journal.policy_file import parse_policy, verify_policy_signatures
from kulla.kernel.durable import sync_folder
from kulla.tower.asking import read_key
from kulla.tower.custodians.signing import NotAsked


@dataclass(frozen=True, slots=True)
class Asked:
    """A plan that was checked against the policies that a custodian trusts, and who opens."""

    plan: CheckedPlan
    words: str
    custodian: str
    key: SigningKey


def look_at(path: Path, key_file: Path, policy_files: list[Path]) -> Asked:
    """Read all files and check that this may be opened. Raises KullaError, naming the file.

    `policy_files` are versions that the custodian trusts, in any order; one that embassies took
    part under, and the newest, are enough.
    """
    policies = []
    for file in policy_files:
        policy = parse_policy(_read(file), place=str(file))
        verify_policy_signatures(policy)
        policies.append(policy)
    policies.sort(key=lambda policy: -policy.version)
    data = _read(path)
    plan = checked_plan(parse_plan(data, policies, place=str(path)), policies)
    key = read_key(key_file)
    names = {who.key: who.name for policy in policies for who in policy.custodians}
    if key.verifier not in names:
        raise NotAsked(
            f"'{key.name}' is the key of no custodian of this policy.",
            place=str(key_file),
            remedy="Name your own key with --key.",
        )
    words = data.decode().partition("\n== ")[0].rstrip()
    return Asked(plan, words, names[key.verifier], key)


def opened(asked: Asked) -> Opening:
    """The custodian's answer. Raises EscrowInvalid where nothing was dealt to their key."""
    return open_for(asked.plan, asked.custodian, asked.key)


def write_opening(path: Path, opening: Opening) -> None:
    """Write the answer, in the place of an older one. Raises OSError."""
    path.write_bytes(opening.render())
    sync_folder(path.parent)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotAsked(f"this file can't be read ({error.strerror}).", place=str(path)) from error

"""Earlier versions of the policy file, each vouched for by the one that followed it.

A replay judges an undo of years ago by the custodians of then, where today's did not sign it too.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from kulla.journal.errors import JournalError
from kulla.journal.notes import Note
from kulla.journal.policy_file import (
    PolicyFile,
    parse_policy,
    require_custodians,
    verify_successor,
)

FOLDER: Final = "policies"
"""In a home and in a kit: the earlier versions, one file each."""


def older_policies(newest: PolicyFile, offered: Iterable[bytes]) -> list[PolicyFile]:
    """The versions before `newest` among `offered`, newest first, as far as the chain goes.

    A version counts where enough custodians of the one after it signed it, and its own signed that
    one: so it does not matter who offers it. Where all custodians change in one version, the chain
    ends there.
    """
    by_version: dict[int, list[PolicyFile]] = {}
    for data in offered:
        try:
            policy = parse_policy(data)
        except JournalError:
            continue
        by_version.setdefault(policy.version, []).append(policy)
    found: list[PolicyFile] = []
    following = newest
    while (before := _before(following, by_version.get(following.version - 1, ()))) is not None:
        found.append(before)
        following = before
    return found


def policies_in(folder: Path) -> list[bytes]:
    """The files of a folder of policies; [] where there is none."""
    return [path.read_bytes() for path in sorted(folder.glob("*"))] if folder.is_dir() else []


def _before(following: PolicyFile, candidates: Iterable[PolicyFile]) -> PolicyFile | None:
    for candidate in candidates:
        try:
            verify_successor(candidate, following)
            note = Note(candidate.unsigned_text(), candidate.signatures)
            require_custodians(following, note, what=f"version {candidate.version} of the policy")
        except JournalError:
            continue
        return candidate
    return None

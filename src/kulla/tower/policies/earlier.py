"""Earlier versions of the policy file: those that are kept here, and those that embassies show.

A replay judges an undo of years ago by the custodians of then, where today's did not sign it too;
old receipts are checked by the embassies of then; who was away is brought what he missed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import structlog

from kulla.embassy.client import EmbassyClient
from kulla.embassy.errors import EmbassyError
from kulla.journal.errors import JournalError
from kulla.journal.notes import Note
from kulla.journal.policy_file import (
    PolicyFile,
    parse_policy,
    require_custodians,
    verify_policy_signatures,
)

FOLDER: Final = "policies"
"""In a home and in a kit: the earlier versions, one file each."""

log = structlog.get_logger()


def kept_policies(folder: Path, newest: PolicyFile) -> list[PolicyFile]:
    """The versions before `newest` in a folder that is trusted as the kit or home it lies in.

    [] without a folder. Raises PolicyInvalid, or SignatureInvalid, for a file that is no policy or
    that its own custodians did not sign.
    """
    found = []
    for path in sorted(folder.glob("*")) if folder.is_dir() else ():
        policy = parse_policy(path.read_bytes(), place=str(path))
        verify_policy_signatures(policy)
        if policy.tower == newest.tower and policy.version < newest.version:
            found.append(policy)
    return found


def older_policies(newest: PolicyFile, show: Callable[[int], Iterable[bytes]]) -> list[PolicyFile]:
    """The versions before `newest`, newest first, as far back as each is vouched for by the next.

    `show` gives what anybody says a version is; it counts where enough custodians of the version
    after it signed it, so it does not matter who shows it.
    """
    found: list[PolicyFile] = []
    after = newest
    while after.version > 1:
        candidates = (_before(after, data) for data in show(after.version - 1))
        before = next((one for one in candidates if one is not None), None)
        if before is None:
            break
        found.append(before)
        after = before
    return found


def shown_by_embassies(clients: Mapping[str, EmbassyClient]) -> Callable[[int], Iterator[bytes]]:
    """What embassies that answer say a version is; for `older_policies`."""

    def show(version: int) -> Iterator[bytes]:
        for client in clients.values():
            try:
                yield client.policy(version)
            except EmbassyError:
                continue

    return show


def _before(after: PolicyFile, data: bytes) -> PolicyFile | None:
    try:
        earlier = parse_policy(data)
        if (earlier.tower, earlier.version) != (after.tower, after.version - 1):
            return None
        note = Note(earlier.unsigned_text(), earlier.signatures)
        require_custodians(after, note, what=f"version {earlier.version}")
    except JournalError as error:
        log.warning("an earlier policy is not trusted", error=str(error))
        return None
    return earlier

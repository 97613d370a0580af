"""What is there after a takeover, read where it lies: an embassy's journal, the new registers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kulla.embassy.folder import log_folder
from kulla.journal.checkpoints import Checkpoint, parse_checkpoint
from kulla.journal.entries import JournalKey, Opener, parse_act
from kulla.journal.epochs import EPOCH_OPENED, SERVICE, parse_epoch_opened
from kulla.journal.filestore import FileTileStore
from kulla.journal.notes import parse_note
from kulla.journal.policy_file import Log, PolicyFile
from kulla.journal.tree import verified_bundles
from kulla.kernel.errors import KullaError
from kulla.kernel.rows import Row
from kulla.kernel.service import Act
from kulla.services.appointments.apply import APPOINTMENT


class EvidenceMissing(KullaError):
    """A journal or register that a drill must look at is not there or not whole."""


@dataclass(frozen=True, slots=True)
class Journal:
    """All acts of all epochs by position, and the position of each epoch's first act by origin."""

    acts: Sequence[Act]
    bases: Mapping[str, int]


def read_journal(embassies: Sequence[Path], policy: PolicyFile, key: JournalKey) -> Journal:
    """The journal as embassies hold it, every tile and entry verified; nobody's word is taken.

    For each epoch the embassy that holds most of its log is read. How much of an old epoch counts
    is what the first act of the next one says. Raises EvidenceMissing, or JournalError.
    """
    acts: list[Act] = []
    bases: dict[str, int] = {}
    logs = list(policy.logs)
    adopted = [_adopted_size(embassies, policy, log, key) for log in logs[1:]]
    for number, log in enumerate(logs):
        base = len(acts)
        bases[log.key.name] = base
        size = adopted[number] if number < len(adopted) else None
        acts.extend(_acts_of(embassies, policy, log, key, base=base, size=size))
    return Journal(acts, bases)


def read_appointments(registers: Path) -> dict[str, Row]:
    """The register of appointments of a home that has stopped, by id."""
    connection = sqlite3.connect(f"file:{registers}?mode=ro", uri=True)
    try:
        connection.row_factory = sqlite3.Row
        found = connection.execute(f"SELECT * FROM {APPOINTMENT}")  # noqa: S608 (our own constant)
        return {str(row["id"]): {name: row[name] for name in row.keys()} for row in found}  # noqa: SIM118 (sqlite3.Row is no mapping)
    except sqlite3.Error as error:
        raise EvidenceMissing(f"it can't be read ({error}).", place=str(registers)) from error
    finally:
        connection.close()


def _adopted_size(embassies: Sequence[Path], policy: PolicyFile, log: Log, key: JournalKey) -> int:
    """How much of the epoch before `log` its first act says was adopted."""
    opening = next(_acts_of(embassies, policy, log, key, base=0, size=None), None)
    if opening is None or (opening.service, opening.name) != (SERVICE, EPOCH_OPENED):
        raise EvidenceMissing("the epoch does not begin with its opening.", place=log.key.name)
    return parse_epoch_opened(opening.data).adopted_size


def _acts_of(
    embassies: Sequence[Path],
    policy: PolicyFile,
    log: Log,
    key: JournalKey,
    *,
    base: int,
    size: int | None,
) -> Iterator[Act]:
    """The acts of one epoch's log up to `size`, or all that the fullest embassy has."""
    held = [(_checkpoint(folder, policy, log), folder) for folder in embassies]
    checkpoint, folder = max(held, key=lambda one: one[0].size)
    end = checkpoint.size if size is None else size
    if checkpoint.size < end:
        raise EvidenceMissing(
            f"no embassy that is left holds {end} entries of it.", place=log.key.name
        )
    opener = Opener(log.key.name, {key.key_id: key})
    with FileTileStore(log_folder(folder, log.key.name), read_only=True) as store:
        for first, entries in verified_bundles(store, checkpoint.size, checkpoint.root):
            for index, entry in enumerate(entries[: max(0, end - first)], first):
                place = f"{log.key.name}, entry {index}"
                opened = opener.open(entry, place=place)
                yield parse_act(opened.plaintext, base + index, place=place)


def _checkpoint(folder: Path, policy: PolicyFile, log: Log) -> Checkpoint:
    """An embassy's checkpoint of a log, signed by the log; of size 0 where it has none."""
    path = log_folder(folder, log.key.name)
    if not (path / "checkpoint").exists():
        return Checkpoint(log.key.name, 0, bytes(32))
    with FileTileStore(path, read_only=True) as store:
        note = parse_note(store.get("checkpoint"), place=str(path))
    policy.check_log_signature(note, place=str(path))
    return parse_checkpoint(note.text, place=str(path))

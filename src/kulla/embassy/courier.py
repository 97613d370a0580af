"""Bringing one embassy level with a checkpoint, from wherever it stands: new, behind, or level."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from kulla.embassy.client import BLOBS_AT_ONCE, EmbassyClient, Progress, cosignature_of
from kulla.embassy.errors import AnswerInvalid, Conflict, MissingBlobs, SizeConflict
from kulla.embassy.packages import ProvableLog, build_body
from kulla.journal.checkpoints import parse_checkpoint
from kulla.journal.notes import NoteSignature, VerifierKey, parse_note

ROUNDS_WITHOUT_PROGRESS_MAX: Final = 5


class CourierLog(ProvableLog, Protocol):
    """The log that a courier uploads; `kulla.journal.tree.Tree` fits, one a thread."""

    def consistency_proof(self, old_size: int, new_size: int) -> list[bytes]:
        """The proof from `old_size` to `new_size`, empty from 0 and between equal sizes."""
        ...


class BlobSource(Protocol):
    """Where the blobs are that entries name."""

    def read(self, names: Iterable[bytes]) -> Sequence[bytes]:
        """The blobs of the first of these names, in order: as many as memory allows, at least one.

        Raises a KullaError where one is gone.
        """
        ...


@dataclass(slots=True)
class Standing:
    """What a courier believes of his embassy; it is corrected by the embassy's answers."""

    pending_size: int = 0
    next_entry: int = 0
    ticket: bytes = b""


def bring_level(
    client: EmbassyClient,
    log: CourierLog,
    note: bytes,
    mirror_key: VerifierKey,
    standing: Standing,
    blobs: BlobSource | None = None,
) -> NoteSignature:
    """Upload what the embassy lacks of the checkpoint in `note`; its cosignature, verified.

    `standing` is kept between calls. Blobs are sent once the embassy says that it misses them.
    Raises what EmbassyClient raises; Conflict or SizeConflict where the embassy is past the
    checkpoint already, or gets no further.
    """
    text = parse_note(note).text
    checkpoint = parse_checkpoint(text)
    offer_checkpoint(client, log, note, checkpoint.size, standing)
    stuck = 0
    missed: tuple[bytes, ...] = ()
    while True:
        before = standing.next_entry
        start = min(standing.next_entry, checkpoint.size)
        body = build_body(log, checkpoint.origin, start, checkpoint.size, ticket=standing.ticket)
        try:
            answer = client.add_entries(body)
        except MissingBlobs as missing:
            if blobs is None or stuck >= ROUNDS_WITHOUT_PROGRESS_MAX:
                raise
            # A long journal names more than one answer lists: others than before are progress.
            stuck = stuck + 1 if missing.names == missed else 0
            missed = missing.names
            at = 0
            while at < len(missed):
                some = blobs.read(missed[at : at + BLOBS_AT_ONCE])
                client.add_blobs(some)
                at += len(some)
            continue
        except Conflict as conflict:
            if conflict.size != checkpoint.size or stuck >= ROUNDS_WITHOUT_PROGRESS_MAX:
                raise
            stuck += 1
            standing.next_entry, standing.ticket = conflict.next_entry, conflict.ticket
            continue
        if not isinstance(answer, Progress):
            standing.next_entry, standing.ticket = checkpoint.size, b""
            return cosignature_of(answer, text, mirror_key)
        standing.next_entry, standing.ticket = answer.next_entry, answer.ticket
        stuck = 0 if answer.next_entry > before else stuck + 1
        if stuck > ROUNDS_WITHOUT_PROGRESS_MAX:
            raise AnswerInvalid("the embassy takes entries and gets no further.", place=client.name)


def offer_checkpoint(
    client: EmbassyClient, log: CourierLog, note: bytes, size: int, standing: Standing
) -> None:
    """Make `note`, of this `size`, the embassy's pending checkpoint.

    Raises SizeConflict where the embassy has a later one pending: its entries can then still be
    uploaded up to any size that was pending once.
    """
    for _ in range(ROUNDS_WITHOUT_PROGRESS_MAX):
        old_size = min(standing.pending_size, size)
        proof = log.consistency_proof(old_size, size) if old_size < size else []
        try:
            client.add_checkpoint(old_size, proof, note)
        except SizeConflict as conflict:
            standing.pending_size = conflict.size
            if conflict.size > size:
                raise
        else:
            standing.pending_size = size
            return
    raise AnswerInvalid("the embassy's pending size changes all the time.", place=client.name)

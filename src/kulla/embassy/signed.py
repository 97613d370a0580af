"""Checkpoints as an embassy keeps them: the note with the log's own signature, nothing unknown."""

from __future__ import annotations

from dataclasses import dataclass

from kulla.journal.checkpoints import Checkpoint, cosignature_time_s, verify_signed
from kulla.journal.errors import SignatureInvalid
from kulla.journal.notes import Note, NoteSignature, VerifierKey, open_note, parse_note


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint whose log signature was verified, and its note with that signature alone."""

    checkpoint: Checkpoint
    note: bytes


@dataclass(frozen=True, slots=True)
class MirrorCheckpoint:
    """A checkpoint that this embassy cosigned: all entries below its size are here for good.

    `note` has the log's signature and ours; `at_s` is when we signed, in seconds since 1970.
    """

    checkpoint: Checkpoint
    note: bytes
    cosignature: NoteSignature
    at_s: int


def only_log_signature(note: Note, log_key: VerifierKey) -> bytes:
    """The note with the lines of `log_key` alone, each once, so that no stranger's line is kept."""
    mine = {
        signature: None
        for signature in note.signatures
        if (signature.name, signature.key_id) == (log_key.name, log_key.key_id)
    }
    return Note(note.text, tuple(mine)).render()


def read_signed(note: bytes, log_key: VerifierKey, *, place: str) -> SignedCheckpoint:
    """A stored pending checkpoint. Raises a JournalError where it does not verify."""
    return SignedCheckpoint(verify_signed(note, log_key, place=place), note)


def read_mirror_checkpoint(
    note: bytes, log_key: VerifierKey, mirror_key: VerifierKey, *, place: str
) -> MirrorCheckpoint:
    """A mirror checkpoint, with both signatures verified. Raises a JournalError where not."""
    parsed = parse_note(note, place=place)
    checkpoint = verify_signed(parsed, log_key, place=place)
    open_note(parsed, [mirror_key], place=place)
    ours = [
        signature
        for signature in parsed.signatures
        if (signature.name, signature.key_id) == (mirror_key.name, mirror_key.key_id)
    ]
    if not ours:
        raise SignatureInvalid("the mirror's own signature is missing.", place=place)
    return MirrorCheckpoint(checkpoint, note, ours[-1], cosignature_time_s(ours[-1]))

"""Checkpoints (C2SP tlog-checkpoint) and their cosignatures (C2SP tlog-cosignature v1, Ed25519)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from kulla.journal.errors import CheckpointInvalid, NoteInvalid, SignatureInvalid
from kulla.journal.notes import (
    KIND_COSIGNATURE,
    KIND_ED25519,
    Note,
    NoteSignature,
    SigningKey,
    VerifierKey,
    decode_base64,
    encode_base64,
    open_note,
    parse_note,
    verified_keys,
)

SIZE_END: Final = 2**63


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's origin, its size in entries and its root hash (32 bytes).

    `extensions` are the opaque lines after the root, kept because the signed text holds them; Kulla
    writes none.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """The note text that is signed, with its final newline."""
        lines = (self.origin, str(self.size), encode_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def parse_decimal(text: str, end: int = SIZE_END, *, place: str = "") -> int:
    """The integer below `end` of ASCII digits without leading zeros. Raises CheckpointInvalid."""
    digits = text.isascii() and text.isdigit()
    if not digits or (text[0] == "0" and text != "0") or len(text) > len(str(end)):
        raise CheckpointInvalid(f"{text[:40]!r} is not a decimal number.", place=place)
    number = int(text)
    if number >= end:
        raise CheckpointInvalid(f"the number {number} is too large.", place=place)
    return number


def parse_checkpoint(text: str, *, place: str = "") -> Checkpoint:
    """Read the text of a checkpoint (no signatures). Raises CheckpointInvalid, naming the line.

    `parse_checkpoint(text).text() == text` for every text that is accepted.
    """
    if not text.endswith("\n"):
        raise CheckpointInvalid("a checkpoint must end with a newline.", place=place)
    lines = text[:-1].split("\n")
    if len(lines) < 3:
        raise CheckpointInvalid("a checkpoint has an origin, a size and a root.", place=place)
    for number, line in enumerate(lines, 1):
        if not line:
            raise CheckpointInvalid("a checkpoint has no empty lines.", place=_at(place, number))
    size = parse_decimal(lines[1], place=_at(place, 2))
    try:
        root = decode_base64(lines[2], place=_at(place, 3))
    except NoteInvalid as error:
        raise CheckpointInvalid(error.message, place=error.place) from error
    if len(root) != 32:
        raise CheckpointInvalid("a root hash has 32 bytes.", place=_at(place, 3))
    return Checkpoint(lines[0], size, root, tuple(lines[3:]))


def sign_checkpoint(checkpoint: Checkpoint, key: SigningKey) -> bytes:
    """The checkpoint as a note signed by the log's key (kind 1), whose name is the origin.

    Raises CheckpointInvalid where `checkpoint` is not that of the key's log, or is malformed.
    """
    if key.kind != KIND_ED25519 or key.name != checkpoint.origin:
        raise CheckpointInvalid(
            f"the key '{key.name}' can't sign a checkpoint of '{checkpoint.origin}'."
        )
    text = checkpoint.text()
    if parse_checkpoint(text) != checkpoint:
        raise CheckpointInvalid(f"the checkpoint of '{checkpoint.origin}' does not read back.")
    return Note(text, (key.sign_note(text),)).render()


def cosign(checkpoint: Checkpoint, key: SigningKey, at_s: int) -> NoteSignature:
    """The cosignature of a kind 4 key, `at_s` seconds since 1970. Raises NoteInvalid."""
    return key.sign_cosignature(checkpoint.text(), at_s)


def cosignature_time_s(signature: NoteSignature) -> int:
    """When a cosignature says it was made, in seconds since 1970; only true once it verified.

    Raises NoteInvalid where the signature is not a cosignature (8 bytes of time, 64 of Ed25519).
    """
    if len(signature.payload) != 72:
        raise NoteInvalid(f"the signature of '{signature.name}' carries no time.")
    return int.from_bytes(signature.payload[:8], "big")


def verify_signed(note: bytes | Note, log_key: VerifierKey, *, place: str = "") -> Checkpoint:
    """The checkpoint in a note that `log_key` signed, of the log that the key is named after.

    Raises NoteInvalid, SignatureInvalid, or CheckpointInvalid (malformed, or of another log).
    """
    parsed = note if isinstance(note, Note) else parse_note(note, place=place)
    checkpoint = parse_checkpoint(parsed.text, place=place)
    if checkpoint.origin != log_key.name:
        raise CheckpointInvalid(
            f"this checkpoint is of the log '{checkpoint.origin}', not '{log_key.name}'.",
            place=place,
        )
    if log_key.kind != KIND_ED25519:
        raise SignatureInvalid(f"the key '{log_key.name}' is not a log's key.", place=place)
    open_note(parsed, [log_key], place=place)
    return checkpoint


def verified_cosigners(
    note: bytes | Note, keys: Iterable[VerifierKey], *, place: str = ""
) -> list[VerifierKey]:
    """Which of `keys` (kind 4; others never count) cosigned this checkpoint, each once.

    Raises SignatureInvalid where one of them is there with a signature that does not verify, and
    NoteInvalid or CheckpointInvalid where the note is not a checkpoint.
    """
    parsed = note if isinstance(note, Note) else parse_note(note, place=place)
    parse_checkpoint(parsed.text, place=place)
    cosigners = [key for key in keys if key.kind == KIND_COSIGNATURE]
    return verified_keys(parsed, cosigners, place=place)


def add_signatures(note: bytes, signatures: Iterable[NoteSignature]) -> bytes:
    """The note with more signature lines; a newer one replaces the same key's older one.

    The text stays as it is, and so do other signatures. Raises NoteInvalid.
    """
    parsed = parse_note(note)
    lines = {(old.name, old.key_id): old for old in parsed.signatures}
    for new in signatures:
        lines[new.name, new.key_id] = new
    return Note(parsed.text, tuple(lines.values())).render()


def _at(place: str, line: int) -> str:
    return f"{place}, line {line}" if place else f"line {line}"

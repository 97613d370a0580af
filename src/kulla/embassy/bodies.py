"""The bodies of requests to an embassy, read: checkpoints with their proofs, lists of blobs."""

from __future__ import annotations

from typing import Final

from kulla.embassy.errors import BlobMissing, BodyInvalid, Refused
from kulla.embassy.signed import SignedCheckpoint, only_log_signature
from kulla.journal.checkpoints import parse_checkpoint, parse_decimal
from kulla.journal.errors import JournalError
from kulla.journal.notes import Note, VerifierKey, decode_base64, open_note, parse_note
from kulla.kernel.canonical import NotCanonical, decode

PROOF_LINES_MAX: Final = 63


def read_checkpoint_body(body: bytes) -> tuple[int, list[bytes], Note, str]:
    """The old size, proof, note and origin of an add-checkpoint request. Raises BodyInvalid."""
    head, blank, rest = body.partition(b"\n\n")
    try:
        first, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise BodyInvalid("the lines above the checkpoint are not ASCII.") from error
    if not blank or not first.startswith("old "):
        raise BodyInvalid("the body must read: old <size>, proof lines, an empty line, a note.")
    if len(lines) > PROOF_LINES_MAX:
        raise BodyInvalid(f"a proof has at most {PROOF_LINES_MAX} lines.")
    try:
        old_size = parse_decimal(first[4:], place="line 1")
        proof = [decode_base64(line, place=f"line {at}") for at, line in enumerate(lines, 2)]
        note = parse_note(rest, place="checkpoint")
        origin = parse_checkpoint(note.text, place="checkpoint").origin
    except JournalError as error:
        raise BodyInvalid(error.message, place=error.place) from error
    if any(len(value) != 32 for value in proof):
        raise BodyInvalid("a hash of the proof has not 32 bytes.")
    return old_size, proof, note, origin


def verified_checkpoint(note: Note, log_key: VerifierKey) -> SignedCheckpoint:
    """The checkpoint with the log's signature alone. Raises Refused (403)."""
    try:
        open_note(note, [log_key])
    except JournalError as error:
        raise Refused(403, str(error)) from error
    return SignedCheckpoint(parse_checkpoint(note.text), only_log_signature(note, log_key))


def byte_strings(body: bytes) -> list[bytes]:
    """The byte strings of a canonical list. Raises BodyInvalid."""
    try:
        values = decode(body, place="body")
    except NotCanonical as error:
        raise BodyInvalid(error.message, place=error.place) from error
    if not isinstance(values, list) or not all(isinstance(value, bytes) for value in values):
        raise BodyInvalid("the body must be a list of byte strings.", place="body")
    return values


def blob_name_of(text: str) -> bytes:
    """The name of a blob in hex. Raises BlobMissing where it is none."""
    try:
        name = bytes.fromhex(text)
    except ValueError:
        name = b""
    if len(name) != 32 or name.hex() != text:
        raise BlobMissing("this is not the name of a blob.", remedy="Ask for 64 hex digits.")
    return name

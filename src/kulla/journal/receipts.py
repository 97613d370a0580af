"""Receipts: a file that proves an act to anyone, off line and without a key.

A receipt is a C2SP tlog-proof (v1), so strangers' tools check the inclusion and the signatures. Its
`extra` is base64 of the canonical CBOR map {"act": plaintext, "salt": salt, "entry": entry}. The
leaf is the entry, and the entry holds SHA-256(salt || plaintext), which ties the act to the leaf.

A receipt proves that the act was in the journal when the embassies cosigned, and that it says what
it says. It does not prove that the act still holds: a later act may have cancelled it.

The last acts of an epoch may have been cosigned by fewer than a quorum at one same size when home
was lost. After the takeover their receipts carry the *adoption* too: the receipt of the next
epoch's first act, by which custodians and a quorum vouch for the old log's size and root. It stands
in `extra` as "adopted", and strangers' tools check the two proofs one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kulla.journal import merkle
from kulla.journal.checkpoints import Checkpoint, parse_checkpoint, parse_decimal
from kulla.journal.entries import (
    ENTRY_BYTES_MAX,
    EntryHead,
    act_fields,
    commitment_of,
    parse_entry,
)
from kulla.journal.epochs import EPOCH_OPENED, SERVICE, parse_epoch_opened
from kulla.journal.errors import (
    CheckpointInvalid,
    EntryInvalid,
    NoteInvalid,
    ProofInvalid,
    QuorumMissing,
    ReceiptCommitmentWrong,
    ReceiptCosignatureWrong,
    ReceiptInclusionWrong,
    ReceiptLogUnsigned,
    ReceiptMalformed,
    ReceiptUnwitnessed,
    SignatureInvalid,
    SuccessionInvalid,
)
from kulla.journal.notes import NOTE_BYTES_MAX, Note, decode_base64, encode_base64, parse_note
from kulla.journal.policy_file import PolicyFile
from kulla.kernel.canonical import NotCanonical, Value, decode, encode

FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"
PROOF_HASHES_MAX: Final = 63
RECEIPT_BYTES_MAX: Final = NOTE_BYTES_MAX + (1 << 18)

_FETCH_AGAIN: Final = "Fetch the receipt again from where it came; an embassy's page has it too."


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receipt file holds; nothing is verified yet.

    index: the entry's place in its epoch's log, from 0. proof: sibling hashes from the leaf up.
    checkpoint_note: the log's checkpoint with all its signatures, as it came. adoption: the receipt
    of the next epoch's first act, or b''.
    """

    plaintext: bytes
    salt: bytes
    entry: bytes
    index: int
    proof: tuple[bytes, ...]
    checkpoint_note: bytes
    adoption: bytes = b""


@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """An act that is proven to have been in the journal.

    act:            the eight fields of `entries.act_plaintext`.
    index:          its place in the log of `checkpoint.origin`, from 0.
    cosigners:      the embassies that cosigned, by their names in the policy, sorted.
    witnessed_at_s: the earliest and the latest time that they give, in seconds since 1970; (0, 0)
                    under a policy without embassies.
    """

    act: Mapping[str, Any]
    index: int
    checkpoint: Checkpoint
    cosigners: tuple[str, ...]
    witnessed_at_s: tuple[int, int]


def build_receipt(
    entry: bytes,
    salt: bytes,
    plaintext: bytes,
    index: int,
    proof: Sequence[bytes],
    checkpoint_note: bytes,
    adoption: bytes = b"",
) -> bytes:
    """The receipt file of an entry that was opened to (`salt`, `plaintext`).

    `adoption` is the receipt of the next epoch's first act, for an old log whose checkpoint has no
    quorum.

    Checks what can be checked without a policy: the commitment and the inclusion. Raises
    ReceiptInvalid (a child that says which), so that nobody is handed a receipt that fails.
    """
    parts: dict[str, Value] = {"act": plaintext, "entry": entry, "salt": salt}
    extra = encode({**parts, "adopted": adoption} if adoption else parts)
    lines = [FIRST_LINE, f"extra {encode_base64(extra)}", f"index {index}"]
    lines += [encode_base64(sibling) for sibling in proof]
    data = "".join(f"{line}\n" for line in lines).encode() + b"\n" + checkpoint_note
    receipt = parse_receipt(data)
    _check_commitment(receipt, "")
    note, checkpoint = _read_checkpoint(receipt.checkpoint_note, "")
    _check_inclusion(receipt, checkpoint, "")
    if note.render() != checkpoint_note:
        raise ReceiptMalformed("the checkpoint does not read back as it is.")
    return data


def parse_receipt(data: bytes, *, place: str = "") -> Receipt:
    """Read a receipt file of at most 768 KiB; verifies nothing.

    Raises ReceiptMalformed, whose place is `place` and the line that is wrong.
    """
    if len(data) > RECEIPT_BYTES_MAX:
        raise ReceiptMalformed(f"this file is over {RECEIPT_BYTES_MAX} bytes.", place=place)
    head, empty_line, note = data.partition(b"\n\n")
    if not head.startswith(FIRST_LINE.encode() + b"\n"):
        raise ReceiptMalformed(
            f"this is not a receipt: its first line is not {FIRST_LINE}.",
            place=_at(place, 1),
            remedy="Choose the file that the service gave you, ending in .tlog-proof.",
        )
    if not empty_line or not note:
        raise ReceiptMalformed("this receipt is cut short.", place=place, remedy=_FETCH_AGAIN)
    if not head.isascii():
        raise ReceiptMalformed("this receipt is damaged.", place=place, remedy=_FETCH_AGAIN)
    lines = head.decode("ascii").split("\n")
    extra = _word_after("extra", lines, 2, place)
    index = _word_after("index", lines, 3, place)
    if len(lines) - 3 > PROOF_HASHES_MAX:
        raise ReceiptMalformed(f"the proof has over {PROOF_HASHES_MAX} hashes.", place=place)
    plaintext, salt, entry, adoption = _read_extra(_base64(extra, 2, place), place)
    try:
        number = parse_decimal(index, place=_at(place, 3))
    except CheckpointInvalid as error:
        raise ReceiptMalformed(error.message, place=error.place, remedy=_FETCH_AGAIN) from error
    proof = tuple(_base64(line, at, place) for at, line in enumerate(lines[3:], 4))
    for at, sibling in enumerate(proof, 4):
        if len(sibling) != merkle.HASH_BYTES:
            raise ReceiptMalformed("a hash of the proof has not 32 bytes.", place=_at(place, at))
    return Receipt(plaintext, salt, entry, number, proof, note, adoption)


def verify_receipt(
    data: bytes | Receipt, policy: PolicyFile, *, place: str = ""
) -> VerifiedReceipt:
    """Prove the act of a receipt with nothing but the tower's policy file.

    The steps, in the order of tlog-proof, and what is raised where one fails (all ReceiptInvalid):
    the file reads as a receipt (ReceiptMalformed); its act fits its entry (ReceiptCommitmentWrong);
    a log of the policy signed its checkpoint (ReceiptLogUnsigned); every cosignature by an embassy
    of the policy verifies (ReceiptCosignatureWrong); they are a quorum, or the next epoch adopted
    this very checkpoint (ReceiptUnwitnessed); the entry is in that checkpoint's tree at that index
    (ReceiptInclusionWrong).
    """
    receipt = data if isinstance(data, Receipt) else parse_receipt(data, place=place)
    _check_commitment(receipt, place)
    note, checkpoint = _read_checkpoint(receipt.checkpoint_note, place)
    cosigners, witnessed_at_s = _check_witnessed(receipt, note, checkpoint, policy, place)
    _check_inclusion(receipt, checkpoint, place)
    try:
        act = act_fields(receipt.plaintext, place=place)
        decode(receipt.plaintext, place=place)  # what a stranger hands in has one spelling only
    except (EntryInvalid, NotCanonical) as error:
        raise ReceiptMalformed(
            f"the receipt is sound, but its act can't be read: {error.message}",
            place=place,
            remedy="A newer release of Kulla may read it.",
        ) from error
    return VerifiedReceipt(act, receipt.index, checkpoint, cosigners, witnessed_at_s)


def verify_receipt_of_any_time(
    data: bytes | Receipt, policies: Iterable[PolicyFile], *, place: str = ""
) -> VerifiedReceipt:
    """Like `verify_receipt`, under the first of these policies by which enough embassies cosigned.

    Embassies come and go: who cosigned years ago may stand in an earlier version alone. `policies`
    are versions that are all trusted, the newest first. Raises what the newest one says.
    """
    first: ReceiptUnwitnessed | None = None
    for policy in policies:
        try:
            return verify_receipt(data, policy, place=place)
        except ReceiptUnwitnessed as error:
            first = first or error
    assert first is not None, "there is always the policy that holds"
    raise first


def _check_witnessed(
    receipt: Receipt, note: Note, checkpoint: Checkpoint, policy: PolicyFile, place: str
) -> tuple[tuple[str, ...], tuple[int, int]]:
    """Who vouches for the checkpoint, and from when to when, in seconds since 1970."""
    try:
        cosigned_at_s = _check_signatures(note, policy, place)
    except ReceiptUnwitnessed:
        if not receipt.adoption:
            raise
        adopted = verify_receipt(receipt.adoption, policy, place=f"{place} (adoption)".strip())
        _check_adopts(adopted, checkpoint, policy, place)
        return adopted.cosigners, adopted.witnessed_at_s
    times = cosigned_at_s.values()
    return tuple(sorted(cosigned_at_s)), (min(times, default=0), max(times, default=0))


def _check_adopts(
    adopted: VerifiedReceipt, checkpoint: Checkpoint, policy: PolicyFile, place: str
) -> None:
    """The proven act must be the first of a later epoch, and adopt this very checkpoint.

    It is of the next one, or of one behind it where those between were left empty.
    """
    wrong = ReceiptUnwitnessed(
        "what this receipt shows as its adoption does not adopt its checkpoint.",
        place=place,
        remedy="Don't rely on it; ask an embassy.",
    )
    number = policy.epoch_number(checkpoint.origin)
    follows = 0 < number < policy.epoch_number(adopted.checkpoint.origin)
    is_opening = (adopted.act["service"], adopted.act["act"]) == (SERVICE, EPOCH_OPENED)
    if not (follows and is_opening and adopted.index == 0):
        raise wrong
    try:
        opened = parse_epoch_opened(adopted.act["data"])
    except SuccessionInvalid as error:
        raise wrong from error
    if opened.adopted.get(checkpoint.origin) != (checkpoint.size, checkpoint.root):
        raise wrong


def _check_commitment(receipt: Receipt, place: str) -> None:
    head = _entry_head(receipt.entry, place)
    if commitment_of(receipt.salt, receipt.plaintext) != head.commitment:
        raise ReceiptCommitmentWrong(
            "the act that this receipt shows is not the one its entry was made for.",
            place=place,
            remedy="Somebody changed the act, or the file is damaged: don't rely on it.",
        )


def _entry_head(entry: bytes, place: str) -> EntryHead:
    try:
        return parse_entry(entry)
    except EntryInvalid as error:
        raise ReceiptMalformed(error.message, place=place, remedy=_FETCH_AGAIN) from error


def _read_checkpoint(data: bytes, place: str) -> tuple[Note, Checkpoint]:
    try:
        note = parse_note(data, place="its checkpoint")
        return note, parse_checkpoint(note.text, place="its checkpoint")
    except (NoteInvalid, CheckpointInvalid) as error:
        raise ReceiptMalformed(
            f"{error.place}: {error.message}", place=place, remedy=_FETCH_AGAIN
        ) from error


def _check_signatures(note: Note, policy: PolicyFile, place: str) -> dict[str, int]:
    """When each embassy cosigned, in seconds since 1970, by its name in the policy."""
    try:
        policy.check_log_signature(note)
    except SignatureInvalid as error:
        raise ReceiptLogUnsigned(
            error.message,
            place=place,
            remedy=error.remedy or "The checkpoint was changed: don't rely on this receipt.",
        ) from error
    try:
        return policy.check_witnessed(note).cosigned_at_s
    except QuorumMissing as error:
        raise ReceiptUnwitnessed(
            error.message,
            place=place,
            remedy="Ask for the receipt again in a moment; if this stays so, ask an embassy.",
        ) from error
    except SignatureInvalid as error:
        raise ReceiptCosignatureWrong(
            error.message,
            place=place,
            remedy="The checkpoint was changed: don't rely on this receipt.",
        ) from error


def _check_inclusion(receipt: Receipt, checkpoint: Checkpoint, place: str) -> None:
    leaf = merkle.leaf_hash(receipt.entry)
    try:
        merkle.verify_inclusion(
            receipt.index, checkpoint.size, leaf, receipt.proof, checkpoint.root
        )
    except ProofInvalid as error:
        raise ReceiptInclusionWrong(
            f"{error.place}: {error.message}",
            place=place,
            remedy="The act is not where this receipt says: don't rely on it.",
        ) from error


def _read_extra(extra: bytes, place: str) -> tuple[bytes, bytes, bytes, bytes]:
    at = _at(place, 2)
    try:
        fields = decode(extra, place=at)
    except NotCanonical as error:
        raise ReceiptMalformed(error.message, place=at, remedy=_FETCH_AGAIN) from error
    adoption = b""
    if isinstance(fields, dict) and isinstance(fields.get("adopted"), bytes):
        adoption = fields.pop("adopted")
    match fields:
        case {"act": bytes(plaintext), "entry": bytes(entry), "salt": bytes(salt), **others}:
            pass
        case _:
            raise ReceiptMalformed("this receipt does not carry an act of Kulla.", place=at)
    fits = max(len(plaintext), len(entry)) <= ENTRY_BYTES_MAX
    if others or len(salt) != 32 or not fits:
        raise ReceiptMalformed("what this receipt carries is of a wrong form.", place=at)
    return plaintext, salt, entry, adoption


def _word_after(keyword: str, lines: Sequence[str], number: int, place: str) -> str:
    line = lines[number - 1] if len(lines) >= number else ""
    if not line.startswith(f"{keyword} "):
        raise ReceiptMalformed(
            f"this line must begin with '{keyword} '.",
            place=_at(place, number),
            remedy=_FETCH_AGAIN,
        )
    return line.removeprefix(f"{keyword} ")


def _base64(text: str, number: int, place: str) -> bytes:
    try:
        return decode_base64(text)
    except NoteInvalid as error:
        at = _at(place, number)
        raise ReceiptMalformed(error.message, place=at, remedy=_FETCH_AGAIN) from error


def _at(place: str, line: int) -> str:
    return f"{place}, line {line}" if place else f"line {line}"

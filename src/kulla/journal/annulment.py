"""Selective undo: what custodians sign so that an intruder's acts count no more.

    a plan is made                       from the journal, by replaying it without those acts
    custodians sign an Annulment         which names the plan by the hash of its parts
    `tower.annulled`                     the first of the acts that carry it: the signed statement
    `tower.annulled_part`                the others: what is undone, which rows change, which cases

The acts that are undone stay in the journal: they are evidence, and receipts for them verify. The
statement is a signed note whose first line is like no other statement's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, cast

from kulla.journal.checkpoints import parse_decimal
from kulla.journal.errors import (
    AnnulmentInvalid,
    CheckpointInvalid,
    NoteInvalid,
    PolicyMissing,
    SignatureInvalid,
)
from kulla.journal.notes import (
    Note,
    SigningKey,
    decode_base64,
    encode_base64,
    parse_note,
)
from kulla.journal.policy_file import PolicyFile, require_custodians
from kulla.kernel.canonical import NotCanonical, Value, decode, encode
from kulla.kernel.rows import Cell, Row

ANNULLED: Final = "annulled"
ANNULLED_PART: Final = "annulled_part"

PART_BYTES_MAX: Final = 48 * 1024
PARTS_MAX: Final = 1_200
"""So many that all of them reach the scribe in one message, and their hashes fit into one act."""

_LINE: Final = "kulla annulment v1"
_FIELDS: Final = (
    *("tower", "policy", "log", "size", "root", "position"),
    *("undone", "cases", "resting", "rows", "parts", "digest"),
    *("selected", "reason"),
)
_REASON_CHARACTERS_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Annulment:
    """What custodians state: these acts of the tower are undone, and what follows from it.

    policy: the version whose custodians sign. log, size, root: the epoch's log that it was planned
    on, up to where; `position` is that of the first act that was not looked at. undone, cases,
    resting, rows: how many of each the parts hold. digest: 32 bytes over `parts` parts
    (`digest_of`). selected: by which marks the acts were chosen. reason: one line for people.
    """

    tower: str
    policy: int
    log: str
    size: int
    root: bytes
    position: int
    undone: int
    cases: int
    resting: int
    rows: int
    parts: int
    digest: bytes
    selected: str
    reason: str

    def text(self) -> str:
        """The text that custodians sign. Raises AnnulmentInvalid where it would not read back."""
        values = (
            *(self.tower, str(self.policy), self.log, str(self.size)),
            *(encode_base64(self.root), str(self.position), str(self.undone), str(self.cases)),
            *(str(self.resting), str(self.rows), str(self.parts), self.digest.hex()),
            *(self.selected, self.reason),
        )
        lines = [f"{name} {value}" for name, value in zip(_FIELDS, values, strict=True)]
        text = "".join(f"{line}\n" for line in (_LINE, *lines))
        if Annulment.parse(text) != self:
            raise AnnulmentInvalid(
                "these fields do not make a statement that reads back.",
                remedy=f"Write the reason in one line of at most {_REASON_CHARACTERS_MAX} letters.",
            )
        return text

    @classmethod
    def parse(cls, text: str, *, place: str = "") -> Annulment:
        """Read the text of a statement. Raises AnnulmentInvalid."""
        return _annulment_of(text, place)


class RowChange(NamedTuple):
    """A row as it is expected to stand, and as it shall: by column, None where there is none.

    about: the position of the act that the row is put right for; the case if it can't be.
    """

    table: str
    key: Cell
    before: Row | None
    after: Row | None
    about: int

    def item(self) -> list[Value]:
        """How it stands in a part."""
        return ["row", self.table, self.key, self.before, self.after, self.about]


class UndoneAct(NamedTuple):
    """An act that counts no more: its position and the key of its command."""

    position: int
    command: bytes

    def item(self) -> list[Value]:
        """How it stands in a part."""
        return ["undone", self.position, self.command]


class CaseAct(NamedTuple):
    """An act of somebody else that can't be applied without undone ones: a clerk looks at it.

    rests_on: positions of undone acts whose rows it read, the newest ones.
    """

    position: int
    command: bytes
    service: str
    act: str
    at_ms: int
    subject: str
    reason: str
    rests_on: tuple[int, ...]

    def item(self) -> list[Value]:
        """How it stands in a part."""
        return ["case", *self[:-1], list(self.rests_on)]


class RestingAct(NamedTuple):
    """An act of somebody else that still counts, though it read rows that undone acts had changed.

    Nothing is done about it; custodians see it before they sign.
    """

    position: int
    service: str
    act: str
    rests_on: tuple[int, ...]

    def item(self) -> list[Value]:
        """How it stands in a part."""
        return ["resting", *self[:-1], list(self.rests_on)]


Item = RowChange | UndoneAct | CaseAct | RestingAct


def parts_of(items: Iterable[Item]) -> list[bytes]:
    """The items in their order, in as many parts as their sizes ask for.

    Raises AnnulmentInvalid where one item is larger than a part, or where there are too many.
    """
    parts: list[bytes] = []
    waiting: list[Value] = []
    size = 0
    for item in items:
        value = item.item()
        length = len(encode(value))
        if length > PART_BYTES_MAX:
            raise AnnulmentInvalid(f"a row of {length} bytes does not fit into an act.")
        if size + length > PART_BYTES_MAX:
            parts.append(encode(waiting))
            waiting, size = [], 0
        waiting.append(value)
        size += length
    if waiting:
        parts.append(encode(waiting))
    if len(parts) > PARTS_MAX:
        raise AnnulmentInvalid(
            f"this undo has {len(parts)} parts; {PARTS_MAX} may be.",
            remedy="Undo fewer acts at once: give --since and --until.",
        )
    return parts


def items_of(part: bytes, *, place: str = "") -> list[Item]:
    """The items of one part. Raises AnnulmentInvalid."""
    try:
        values = decode(part, place=place)
    except NotCanonical as error:
        raise AnnulmentInvalid(error.message, place=place) from error
    if not isinstance(values, list):
        raise AnnulmentInvalid("this is not a part of an undo.", place=place)
    return [_item_of(value, place) for value in values]


def _item_of(value: object, place: str) -> Item:
    match value:
        case ["row", str(table), key, before, after, int(about)] if _is_row(before, after):
            rows = cast("tuple[Row | None, Row | None]", (before, after))
            return RowChange(table, cast(Cell, key), *rows, about)
        case ["undone", int(position), bytes(command)]:
            return UndoneAct(position, command)
        case [
            "case", int(position), bytes(command), str(service), str(act), int(at_ms),
            str(subject), str(reason), list(rests_on),
        ]:  # fmt: skip
            rests = tuple(_positions(rests_on, place))
            return CaseAct(position, command, service, act, at_ms, subject, reason, rests)
        case ["resting", int(position), str(service), str(act), list(rests_on)]:
            return RestingAct(position, service, act, tuple(_positions(rests_on, place)))
    raise AnnulmentInvalid("an item of this part is malformed.", place=place)


def _is_row(*rows: object) -> bool:
    """Whether these are rows or None, and not all None."""
    kinds = (int, str, bytes, type(None))
    return any(row is not None for row in rows) and all(
        row is None or (isinstance(row, dict) and all(type(cell) in kinds for cell in row.values()))
        for row in rows
    )


def _positions(values: list[Any], place: str) -> list[int]:
    if not all(type(value) is int for value in values):
        raise AnnulmentInvalid("a position is no number.", place=place)
    return values


def digest_of(hashes: Sequence[bytes]) -> bytes:
    """32 bytes over the SHA-256 hashes of all parts, in order: what the statement names."""
    return hashlib.sha256(b"kulla annulment parts" + b"".join(hashes)).digest()


def hash_of(part: bytes) -> bytes:
    """32 bytes that name a part."""
    return hashlib.sha256(part).digest()


def annulled_data(note: bytes, hashes: Sequence[bytes]) -> dict[str, Value]:
    """The data of the act `tower.annulled`."""
    return {"note": note, "parts": list(hashes)}


def part_data(digest: bytes, number: int, part: bytes) -> dict[str, Value]:
    """The data of the act `tower.annulled_part`, the `number`-th from 0."""
    return {"annulment": digest, "number": number, "items": part}


def sign_annulment(annulment: Annulment | bytes, keys: Iterable[SigningKey]) -> bytes:
    """The note of an annulment with the signatures of `keys` (custodians', kind 1).

    Given a note that others signed, adds to it. Raises AnnulmentInvalid or NoteInvalid.
    """
    if isinstance(annulment, bytes):
        note = _parsed(annulment, "")
        text, lines = note.text, {(old.name, old.key_id): old for old in note.signatures}
    else:
        text, lines = annulment.text(), {}
    for key in keys:
        lines[key.name, key.verifier.key_id] = key.sign_note(text)
    return Note(text, tuple(lines.values())).render()


def merged(notes: Iterable[bytes]) -> bytes:
    """One note with the signatures of all `notes`, which must be of one statement.

    Raises AnnulmentInvalid where they are of several, or there is none.
    """
    found = [_parsed(note, "") for note in notes]
    if not found or any(note.text != found[0].text for note in found):
        raise AnnulmentInvalid(
            "these signatures are not all of one plan.",
            remedy="Let all custodians sign the same plan file.",
        )
    lines = {(line.name, line.key_id): line for note in found for line in note.signatures}
    return Note(found[0].text, tuple(lines.values())).render()


def parse_annulment(note: bytes, *, place: str = "") -> Annulment:
    """Read the note of an annulment; verifies no signature. Raises AnnulmentInvalid."""
    return _annulment_of(_parsed(note, place).text, place)


def verify_annulment(
    note: bytes, hashes: Sequence[bytes], policies: Sequence[PolicyFile], *, place: str = ""
) -> Annulment:
    """The annulment in `note`, signed by enough custodians, and of the parts with these hashes.

    `policies` are versions that are trusted. The custodians of any of them may judge: those of
    today's where they signed; those of back then where that version is at hand. Raises
    AnnulmentInvalid, or PolicyMissing where it names a version that is not at hand.
    """
    parsed = _parsed(note, place)
    annulment = _annulment_of(parsed.text, place)
    if (annulment.parts, annulment.digest) != (len(hashes), digest_of(hashes)):
        raise AnnulmentInvalid("these are not the parts that custodians signed.", place=place)
    faults: list[str] = []
    for policy in policies:
        if policy.tower != annulment.tower:
            raise AnnulmentInvalid(f"this undo is of '{annulment.tower}'.", place=place)
        try:
            require_custodians(policy, parsed, what=f"policy version {policy.version}")
            return annulment
        except SignatureInvalid as error:
            faults.append(str(error))
    if annulment.policy not in {policy.version for policy in policies}:
        raise PolicyMissing(
            f"custodians of version {annulment.policy} of the policy signed an undo, and that "
            "version is not at hand.",
            place=place,
            remedy="Put that policy file into the folder policies of the kit; where custodians "
            "say that it is no undo of theirs, --go-on lists it as a case.",
        )
    raise AnnulmentInvalid(
        f"not enough custodians signed this undo: {'; '.join(faults)}", place=place
    )


def _parsed(note: bytes, place: str) -> Note:
    try:
        parsed = parse_note(note, place=place)
    except NoteInvalid as error:
        raise AnnulmentInvalid(error.message, place=error.place, remedy=error.remedy) from error
    _annulment_of(parsed.text, place)
    return parsed


def _annulment_of(text: str, place: str) -> Annulment:
    lines = text.removesuffix("\n").split("\n")
    if lines[0] != _LINE or len(lines) != len(_FIELDS) + 1:
        raise AnnulmentInvalid(f"this is not a statement of the form '{_LINE}'.", place=place)
    values: dict[str, str] = {}
    for number, (line, name) in enumerate(zip(lines[1:], _FIELDS, strict=True), 2):
        start, _, value = line.partition(" ")
        if start != name or not value:
            at = f"{place}, line {number}" if place else f"line {number}"
            raise AnnulmentInvalid(f"this line must read '{name} ...'.", place=at)
        values[name] = value
    try:
        numbers = {
            name: parse_decimal(values[name], place=place)
            for name in (
                "policy",
                "size",
                "position",
                "undone",
                "cases",
                "resting",
                "rows",
                "parts",
            )
        }
        root, digest = decode_base64(values["root"], place=place), bytes.fromhex(values["digest"])
    except (NoteInvalid, CheckpointInvalid, ValueError) as error:
        raise AnnulmentInvalid(f"a value is malformed ({error}).", place=place) from error
    if len(digest) != 32 or len(values["reason"]) > _REASON_CHARACTERS_MAX:
        raise AnnulmentInvalid("the digest or the reason is malformed.", place=place)
    return Annulment(
        tower=values["tower"], log=values["log"], root=root, digest=digest,
        selected=values["selected"], reason=values["reason"], **numbers,
    )  # fmt: skip

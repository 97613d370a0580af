"""Takeovers: how one epoch of a tower's journal ends and the next begins.

    custodians sign a Succession         'the log of epoch n + 1 follows the log of epoch n'
    embassies seal the old log           and answer with a SealReceipt: how much of it they hold
    the new log's first act              `tower.epoch_opened`: what was adopted, and why it may be

A succession and a seal are signed notes. Their first lines differ from those of checkpoints and
policies, and embassies sign seals with their *statement keys*, never with mirror keys, so that no
signature made for one can stand for another. Which of two successions of the same log counts is
decided by the policy file: its next version lists one new log, and versions never fork.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kulla.journal.checkpoints import (
    Checkpoint,
    parse_checkpoint,
    parse_decimal,
    verified_cosigners,
    verify_signed,
)
from kulla.journal.errors import (
    CheckpointInvalid,
    NoteInvalid,
    SealInvalid,
    SignatureInvalid,
    SuccessionInvalid,
)
from kulla.journal.merkle import EMPTY_ROOT
from kulla.journal.notes import (
    KIND_ED25519,
    Note,
    SigningKey,
    VerifierKey,
    decode_base64,
    encode_base64,
    open_note,
    parse_note,
)
from kulla.journal.policy_file import Embassy, PolicyFile, require_custodians
from kulla.kernel.canonical import NotCanonical, Value, decode, encode

SERVICE: Final = "tower"
EPOCH_OPENED: Final = "epoch_opened"

_SUCCESSION_LINE: Final = "kulla succession v1"
_SEALED_LINE: Final = "kulla sealed v1"
_SUCCESSION_FIELDS: Final = ("tower", "number", "old", "log", "url", "at", "reason")
_SEALED_FIELDS: Final = ("embassy", "old", "succession", "size", "root")
_INSTEAD: Final = "instead"
_INSTEAD_MAX: Final = 16
_REASON_CHARACTERS_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Succession:
    """What custodians state: `new_log` follows the log `old_origin` as epoch `number` of the tower.

    number:  of the new epoch, so 2 at the first takeover.
    new_log: the key of the new log (kind 1), whose name is its origin.
    new_url: where the new home will be, or ''.
    reason:  one line for people. at_ms: when it was written, in milliseconds since 1970.
    instead: digests of successions of the same log that this one takes the place of, because the
             sites that they were for are lost. An embassy that sealed for one of them seals again.
    """

    tower: str
    number: int
    old_origin: str
    new_log: VerifierKey
    new_url: str
    reason: str
    at_ms: int
    instead: tuple[bytes, ...] = ()

    def text(self) -> str:
        """The text that custodians sign. Raises SuccessionInvalid where it would not read back."""
        values = (
            self.tower,
            str(self.number),
            self.old_origin,
            self.new_log.text(),
            self.new_url or "-",
            str(self.at_ms),
            self.reason,
        )
        text = _spell(_SUCCESSION_LINE, _SUCCESSION_FIELDS, values)
        if self.instead:
            text += f"{_INSTEAD} {' '.join(digest.hex() for digest in self.instead)}\n"
        if _succession_of(text, "") != self:
            raise SuccessionInvalid("these fields do not make a statement that reads back.")
        return text

    def digest(self) -> bytes:
        """32 bytes that name this statement, whoever signed it: SHA-256 of its text."""
        return hashlib.sha256(self.text().encode()).digest()


@dataclass(frozen=True, slots=True)
class SealReceipt:
    """What an embassy answers to a seal.

    statement:  a note by its statement key: the old log is closed here, with this size and root.
    checkpoint: its mirror checkpoint of that size, with the log's signature and its own
                cosignature; empty where it holds nothing of the log.
    """

    statement: bytes
    checkpoint: bytes

    def render(self) -> bytes:
        """The bytes for the wire and for the folder of evidence."""
        return encode({"checkpoint": self.checkpoint, "statement": self.statement})

    @classmethod
    def parse(cls, data: bytes, *, place: str = "") -> SealReceipt:
        """Read `render`'s bytes; verifies nothing. Raises SealInvalid."""
        try:
            match decode(data, place=place):
                case {"checkpoint": bytes(checkpoint), "statement": bytes(statement), **others}:
                    if not others:
                        return cls(statement, checkpoint)
        except NotCanonical as error:
            raise SealInvalid(error.message, place=place) from error
        raise SealInvalid("this is not an embassy's answer to a seal.", place=place)


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal that was verified.

    `embassy` holds the old log durably up to `size`, with this root, and takes no more of it from
    the old home.
    """

    embassy: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class EpochOpened:
    """The data of the first act of an epoch.

    adopted_size, adopted_root: how much of the log `old_origin` (not of the whole chain before it)
    the new epoch stands on. succession: the signed note that allowed it. before: where the old log
    is empty, because its home was lost before its first act was held, nothing in it says what came
    before; so this act does: (origin, size, root) of the log before it, and of that before that
    one while they are empty too, the newest first.
    """

    old_origin: str
    adopted_size: int
    adopted_root: bytes
    succession: bytes
    before: tuple[tuple[str, int, bytes], ...] = ()

    @property
    def adopted(self) -> dict[str, tuple[int, bytes]]:
        """All logs that this act speaks of: size and root by origin."""
        named = ((self.old_origin, self.adopted_size, self.adopted_root), *self.before)
        return {origin: (size, root) for origin, size, root in named}


def sign_succession(succession: Succession | bytes, keys: Iterable[SigningKey]) -> bytes:
    """The note of a succession, signed by `keys` (custodians', kind 1).

    Given a note that others signed, adds to it. Raises SuccessionInvalid or NoteInvalid.
    """
    if isinstance(succession, bytes):
        note = _parse_succession_note(succession, "")
        lines = {(old.name, old.key_id): old for old in note.signatures}
        text = note.text
    else:
        lines, text = {}, succession.text()
    for key in keys:
        lines[key.name, key.verifier.key_id] = key.sign_note(text)
    return Note(text, tuple(lines.values())).render()


def parse_succession(note: bytes, *, place: str = "") -> Succession:
    """Read the note of a succession; verifies no signature. Raises SuccessionInvalid."""
    return _succession_of(_parse_succession_note(note, place).text, place)


def parse_succession_text(text: str, *, place: str = "") -> Succession:
    """Read a statement that nobody signed yet. Raises SuccessionInvalid."""
    return _succession_of(text, place)


def check_follows(succession: Succession, policy: PolicyFile, *, place: str = "") -> None:
    """Raise SuccessionInvalid unless the statement, signed or not, fits the logs of `policy`."""
    _check_fits(succession, policy, place)


def verify_succession(note: bytes, policy: PolicyFile, *, place: str = "") -> Succession:
    """The succession in `note`, signed by enough custodians of `policy`, and fitting its logs.

    The old log must be in the policy and the number the one after its. Where the policy lists a
    next log already, it must be the one of this succession; where it doesn't, the new log's key
    and origin must be fresh. Raises SuccessionInvalid, SignatureInvalid, or CustodiansMissing.
    """
    parsed = _parse_succession_note(note, place)
    succession = _succession_of(parsed.text, place)
    require_custodians(policy, parsed, what=place or "the succession")
    _check_fits(succession, policy, place)
    return succession


def verify_listed_succession(note: bytes, policy: PolicyFile, *, place: str = "") -> Succession:
    """The succession in `note`, of two logs that `policy` lists one after the other.

    For a rebuild of epochs long past, whose custodians may have left: here the policy, which is
    itself signed and keeps all logs, vouches for who followed whom, and signatures are not looked
    at. Raises SuccessionInvalid.
    """
    succession = parse_succession(note, place=place)
    _check_fits(succession, policy, place)
    if succession.number > len(policy.logs):
        raise SuccessionInvalid("the policy lists no log after this one yet.", place=place)
    return succession


def make_seal(
    succession: Succession, embassy_name: str, checkpoint: bytes, statement_key: SigningKey
) -> SealReceipt:
    """What the embassy of this name answers once the old log is durably closed.

    `checkpoint` is its mirror checkpoint of the old log, cosigned, or b'' where it has none.
    Raises SealInvalid where that is of another log.
    """
    size, root = 0, EMPTY_ROOT
    if checkpoint:
        mirrored = parse_checkpoint(parse_note(checkpoint).text)
        size, root = mirrored.size, mirrored.root
        if mirrored.origin != succession.old_origin:
            raise SealInvalid(f"this checkpoint is of '{mirrored.origin}', not of the old log.")
    values = (
        embassy_name,
        succession.old_origin,
        succession.digest().hex(),
        str(size),
        encode_base64(root),
    )
    text = _spell(_SEALED_LINE, _SEALED_FIELDS, values)
    statement = Note(text, (statement_key.sign_note(text),)).render()
    return SealReceipt(statement, checkpoint)


def verify_seal(
    seal: SealReceipt | bytes, succession: Succession, policy: PolicyFile, *, place: str = ""
) -> Seal:
    """Check an embassy's seal of the old log, for this very succession.

    Its statement must be signed by the statement key that the policy lists for the embassy it
    names, and its checkpoint by the old log and by that embassy's mirror key, with the size and
    root of the statement. Raises SealInvalid, or SignatureInvalid.
    """
    receipt = SealReceipt.parse(seal, place=place) if isinstance(seal, bytes) else seal
    try:
        note = parse_note(receipt.statement, place=place)
        name, old, digest, size_text, root_text = _values(
            note.text, _SEALED_LINE, _SEALED_FIELDS, place
        )
        size, root = parse_decimal(size_text, place=place), decode_base64(root_text, place=place)
    except (NoteInvalid, CheckpointInvalid, SuccessionInvalid) as error:
        raise SealInvalid(error.message, place=error.place) from error
    embassy = policy.embassy(name)
    if embassy is None or embassy.statement_key is None:
        raise SealInvalid(f"the policy lists no statement key of '{name}'.", place=place)
    open_note(note, [embassy.statement_key], place=place)
    if old != succession.old_origin or digest != succession.digest().hex():
        raise SealInvalid(f"'{name}' sealed for another takeover.", place=place)
    _check_sealed_checkpoint(receipt.checkpoint, embassy, policy, (old, size, root), place)
    return Seal(name, size, root)


def epoch_opened_data(opened: EpochOpened) -> dict[str, Value]:
    """The data of the act `tower.epoch_opened`; `before` stands in it where it is not empty."""
    data: dict[str, Value] = {
        "adopted_root": opened.adopted_root,
        "adopted_size": opened.adopted_size,
        "old_origin": opened.old_origin,
        "succession": opened.succession,
    }
    if opened.before:
        data["before"] = [list(log) for log in opened.before]
    return data


def parse_epoch_opened(data: Mapping[str, Any], *, place: str = "") -> EpochOpened:
    """Read the data of `tower.epoch_opened`. Raises SuccessionInvalid.

    The succession inside is parsed and must be of the same old log; verify it with
    `verify_succession` against the policy.
    """
    match data:
        case {
            "adopted_root": bytes(root),
            "adopted_size": int(size),
            "old_origin": str(origin),
            "succession": bytes(note),
            **more,
        } if _is_standing(origin, size, root) and more.keys() <= {"before"}:
            if parse_succession(note, place=place).old_origin != origin:
                raise SuccessionInvalid("the succession is of another log.", place=place)
            return EpochOpened(origin, size, root, note, _before(more, place))
    raise SuccessionInvalid("this is not the data of an epoch's first act.", place=place)


def _is_standing(origin: object, size: object, root: object) -> bool:
    """Whether these are a log's origin, size and root."""
    return (
        type(origin) is str
        and type(size) is int
        and size >= 0
        and type(root) is bytes
        and len(root) == 32
    )


def _before(more: Mapping[str, Any], place: str) -> tuple[tuple[str, int, bytes], ...]:
    if "before" not in more:
        return ()
    listed = more["before"]
    if isinstance(listed, list | tuple) and listed:
        logs = [tuple(log) if isinstance(log, list | tuple) else () for log in listed]
        if all(len(log) == 3 and _is_standing(*log) for log in logs):
            return tuple((log[0], log[1], log[2]) for log in logs)
    raise SuccessionInvalid("the logs before the old one are malformed.", place=place)


def _check_fits(succession: Succession, policy: PolicyFile, place: str) -> None:
    if succession.tower != policy.tower:
        raise SuccessionInvalid(f"this is a takeover of '{succession.tower}'.", place=place)
    old_number = policy.epoch_number(succession.old_origin)
    if not old_number:
        raise SuccessionInvalid(
            f"the policy lists no log '{succession.old_origin}'.",
            place=place,
            remedy="Get the tower's newest policy file.",
        )
    if succession.number != old_number + 1:
        raise SuccessionInvalid(
            f"'{succession.old_origin}' is epoch {old_number}; epoch {succession.number} can't "
            "follow it.",
            place=place,
        )
    if old_number < len(policy.logs):
        if policy.logs[old_number].key != succession.new_log:
            raise SuccessionInvalid("another log followed this one already.", place=place)
        return
    new = succession.new_log
    if policy.epoch_number(new.name) or new.public in policy.public_keys():
        raise SuccessionInvalid(
            "the new log's key or origin is in use already.",
            place=place,
            remedy="Make a fresh key, under an origin that no earlier epoch had.",
        )


def _check_sealed_checkpoint(
    checkpoint: bytes,
    embassy: Embassy,
    policy: PolicyFile,
    stated: tuple[str, int, bytes],
    place: str,
) -> None:
    origin, size, root = stated
    if not checkpoint:
        if (size, root) != (0, EMPTY_ROOT):
            raise SealInvalid(f"'{embassy.name}' shows no checkpoint of size {size}.", place=place)
        return
    log = next((log for log in policy.logs if log.key.name == origin), None)
    if log is None:
        raise SealInvalid(f"the policy lists no log '{origin}'.", place=place)
    try:
        held = verify_signed(checkpoint, log.key, place=place)
        cosigned = verified_cosigners(checkpoint, [embassy.key], place=place)
    except (NoteInvalid, CheckpointInvalid) as error:
        raise SealInvalid(error.message, place=place) from error
    if not cosigned:
        raise SignatureInvalid(f"'{embassy.name}' did not cosign what it sealed.", place=place)
    if held != Checkpoint(origin, size, root, held.extensions):
        raise SealInvalid(f"'{embassy.name}' states another size or root.", place=place)


def _spell(first: str, names: Iterable[str], values: Iterable[str]) -> str:
    lines = [f"{name} {value}" for name, value in zip(names, values, strict=True)]
    return "".join(f"{line}\n" for line in (first, *lines))


def _values(text: str, first: str, names: tuple[str, ...], place: str) -> list[str]:
    """The values of a statement's lines; they come in this order, one each, and none is empty."""
    lines = text.removesuffix("\n").split("\n")
    if lines[0] != first or len(lines) != len(names) + 1:
        raise SuccessionInvalid(f"this is not a statement of the form '{first}'.", place=place)
    values = []
    for number, (line, name) in enumerate(zip(lines[1:], names, strict=True), 2):
        start, _, value = line.partition(" ")
        if start != name or not value:
            at = f"{place}, line {number}" if place else f"line {number}"
            raise SuccessionInvalid(f"this line must read '{name} ...'.", place=at)
        values.append(value)
    return values


def _parse_succession_note(note: bytes, place: str) -> Note:
    try:
        parsed = parse_note(note, place=place)
    except NoteInvalid as error:
        raise SuccessionInvalid(error.message, place=error.place, remedy=error.remedy) from error
    _succession_of(parsed.text, place)
    return parsed


def _succession_of(text: str, place: str) -> Succession:
    text, instead = _without_instead(text, place)
    tower, number, old, vkey, url, at, reason = _values(
        text, _SUCCESSION_LINE, _SUCCESSION_FIELDS, place
    )
    try:
        new_log = VerifierKey.parse(vkey, place=place)
        epoch, at_ms = parse_decimal(number, place=place), parse_decimal(at, place=place)
    except (NoteInvalid, CheckpointInvalid) as error:
        raise SuccessionInvalid(error.message, place=error.place) from error
    if new_log.kind != KIND_ED25519 or new_log.name == old or epoch < 2:
        raise SuccessionInvalid("a new epoch needs a log of its own, and a number.", place=place)
    if " " in tower or " " in url or len(reason) > _REASON_CHARACTERS_MAX:
        raise SuccessionInvalid("a name, a URL or the reason is malformed.", place=place)
    url = "" if url == "-" else url
    return Succession(tower, epoch, old, new_log, url, reason, at_ms, instead)


def _without_instead(text: str, place: str) -> tuple[str, tuple[bytes, ...]]:
    """The text without its last line where that says what it takes the place of; and that."""
    start = text.removesuffix("\n").rfind("\n") + 1
    name, _, value = text[start:].removesuffix("\n").partition(" ")
    if name != _INSTEAD:
        return text, ()
    words = value.split(" ")
    digests = [bytes.fromhex(word) for word in words if re.fullmatch("[0-9a-f]{64}", word)]
    if len(digests) != len(words) or not len(digests) == len(set(digests)) <= _INSTEAD_MAX:
        raise SuccessionInvalid("what it takes the place of is malformed.", place=place)
    return text[:start], tuple(digests)

"""What embassies sign for a lottery: that they hold a secret, and later what it is.

Both are signed notes by an embassy's statement key, which the policy file names. A commitment says
which deal (kernel.escrow) fixes the secret, how long the log was that the embassy had cosigned, and
when it was by its own clock; a reveal says for which closed list the secret is told. Each text has
one spelling.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kulla.journal.checkpoints import parse_decimal
from kulla.journal.errors import JournalError, LotteryInvalid
from kulla.journal.notes import Note, SigningKey, VerifierKey, open_note, parse_note
from kulla.journal.policy_file import PolicyFile
from kulla.journal.receipts import VerifiedReceipt
from kulla.kernel.escrow import Deal, check_deal, check_secret, parse_deal
from kulla.kernel.lottery import ROUND, secret_context

COMMITMENT: Final = "kulla lottery commitment v1"
REVEAL: Final = "kulla lottery reveal v1"
CLOSED_ACT: Final = ("enrolment", "round_closed")
"""The act by which a round's list is closed: service and name."""

_COMMITMENT_WORDS: Final = ("tower", "round", "embassy", "policy", "closes", "at", "log", "deal")
_REVEAL_WORDS: Final = (
    "tower", "round", "embassy", "list", "closed", "checkpoint", "at", "secret", "proof",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Commitment:
    """An embassy's word that it holds a secret for a round.

    policy: the version that it was pinned to. closes_s: when home said that the list closes; at_s:
    when it signed, by its own clock; both in seconds since 1970. origin, size: the newest log, and
    how many of its entries the embassy had cosigned. deal: the SHA-256 of the deal.
    """

    tower: str
    round: str
    embassy: str
    policy: int
    closes_s: int
    at_s: int
    origin: str
    size: int
    deal: bytes

    def text(self) -> str:
        """The text that is signed."""
        values = (
            self.tower,
            self.round,
            self.embassy,
            str(self.policy),
            str(self.closes_s),
            str(self.at_s),
            f"{self.size} {self.origin}",
            self.deal.hex(),
        )
        return _text(COMMITMENT, _COMMITMENT_WORDS, values)


@dataclass(frozen=True, slots=True)
class Closing:
    """The act that closed a round's list, as a receipt proves it.

    count, root: how many applications, and the root of their list (32 bytes). origin, index: where
    the act stands. size, checkpoint_root: the cosigned checkpoint that covers it.
    """

    round: str
    count: int
    root: bytes
    origin: str
    index: int
    size: int
    checkpoint_root: bytes


@dataclass(frozen=True, slots=True)
class Reveal:
    """An embassy's secret (32 bytes), told for one closed list; `proof` fits its commitment."""

    tower: str
    embassy: str
    closing: Closing
    at_s: int
    secret: bytes
    proof: bytes

    def text(self) -> str:
        """The text that is signed."""
        closing = self.closing
        values = (
            self.tower,
            closing.round,
            self.embassy,
            f"{closing.count} {closing.root.hex()}",
            f"{closing.index} {closing.origin}",
            f"{closing.size} {closing.checkpoint_root.hex()}",
            str(self.at_s),
            self.secret.hex(),
            self.proof.hex(),
        )
        return _text(REVEAL, _REVEAL_WORDS, values)


def signed(statement: Commitment | Reveal, key: SigningKey) -> bytes:
    """The note of a statement, signed by an embassy's statement key. Raises NoteInvalid."""
    text = statement.text()
    return Note(text, (key.sign_note(text),)).render()


def verify_commitment(note: bytes, key: VerifierKey) -> Commitment:
    """The commitment that this statement key signed. Raises LotteryInvalid."""
    return parse_commitment(_signed_text(note, key))


def verify_reveal(note: bytes, key: VerifierKey) -> Reveal:
    """The reveal that this statement key signed. Raises LotteryInvalid."""
    return parse_reveal(_signed_text(note, key))


def verify_dealt(note: bytes, deal: bytes, key: VerifierKey) -> tuple[Commitment, Deal]:
    """A commitment with its deal, which any threshold of its openers can open.

    Raises LotteryInvalid, or EscrowInvalid where the deal does not hold the secret.
    """
    commitment = verify_commitment(note, key)
    if hashlib.sha256(deal).digest() != commitment.deal:
        raise LotteryInvalid("this is not the deal that the embassy signed.", place=key.name)
    found = parse_deal(deal)
    check_deal(found, secret_context(commitment.tower, commitment.round, key.text()))
    return commitment, found


def closing_of(receipt: VerifiedReceipt) -> Closing:
    """The closing of a list that a verified receipt proves. Raises LotteryInvalid."""
    act, checkpoint = receipt.act, receipt.checkpoint
    match (act["service"], act["act"]), act["data"]:
        case named, {"round": str(round_id), "count": int(count), "root": bytes(root)} if (
            named == CLOSED_ACT and len(root) == 32 and ROUND.fullmatch(round_id) and count >= 0
        ):
            at = checkpoint.origin, receipt.index, checkpoint.size, checkpoint.root
            return Closing(round_id, count, root, *at)
        case _:
            raise LotteryInvalid(
                "this receipt is not of the act that closed a round's list.",
                place=f"{act['service']}.{act['act']}",
                remedy="Ask for the receipt of enrolment.round_closed.",
            )


def check_openers(deal: Deal, policy: PolicyFile) -> None:
    """Raise LotteryInvalid unless the custodians of this policy, and as many, open the deal."""
    keys = custodian_keys(policy)
    if list(deal.keys) != keys or deal.threshold != policy.custodian_threshold:
        raise LotteryInvalid(
            "this secret is not escrowed with the custodians of the policy.",
            place=f"version {policy.version} of the policy",
            remedy="See which version the embassy is pinned to: kulla doctor.",
        )


def custodian_keys(policy: PolicyFile) -> list[bytes]:
    """The public keys of the policy's custodians, in its order."""
    return [who.key.public for who in policy.custodians]


def check_told(reveal: Reveal, deal: Deal, key: VerifierKey) -> None:
    """Raise EscrowInvalid unless the secret of a reveal is the one that the deal fixed."""
    context = secret_context(reveal.tower, reveal.closing.round, key.text())
    check_secret(deal.commitment, reveal.secret, reveal.proof, context)


def statement_keys(policies: Sequence[PolicyFile]) -> dict[str, VerifierKey]:
    """The embassies' statement keys of these policies by their text."""
    found = [each.statement_key for policy in policies for each in policy.embassies]
    return {key.text(): key for key in found if key}


def check_name(said: Commitment, key: VerifierKey, policies: Sequence[PolicyFile]) -> None:
    """Raise LotteryInvalid where a commitment calls its embassy by another's name."""
    names = [
        each.name for policy in policies for each in policy.embassies if each.statement_key == key
    ]
    if said.embassy not in names:
        raise LotteryInvalid(
            f"this commitment calls itself '{said.embassy}'.",
            place=names[0] if names else key.name,
            remedy="See the name in its embassy.toml: it must be that of the policy file.",
        )


def parse_commitment(text: str) -> Commitment:
    """Read a commitment's text; verifies nothing. Raises LotteryInvalid."""
    tower, round_id, embassy, policy, closes, at, log, deal = _values(
        text, COMMITMENT, _COMMITMENT_WORDS
    )
    size, origin = _pair(log)
    found = Commitment(
        tower,
        round_id,
        embassy,
        _number(policy),
        _number(closes),
        _number(at),
        origin,
        size,
        _hex(deal, 32),
    )
    _check_spelling(found, text)
    return found


def parse_reveal(text: str) -> Reveal:
    """Read a reveal's text; verifies nothing. Raises LotteryInvalid."""
    tower, round_id, embassy, listed, closed, checkpoint, at, secret, proof = _values(
        text, REVEAL, _REVEAL_WORDS
    )
    count, root = _pair(listed)
    index, origin = _pair(closed)
    size, checkpoint_root = _pair(checkpoint)
    closing = Closing(
        round_id, count, _hex(root, 32), origin, index, size, _hex(checkpoint_root, 32)
    )
    told = Reveal(tower, embassy, closing, _number(at), _hex(secret, 32), _hex(proof, 64))
    _check_spelling(told, text)
    return told


def _signed_text(note: bytes, key: VerifierKey) -> str:
    try:
        parsed = parse_note(note, place=key.name)
        open_note(parsed, [key], place=key.name)
    except JournalError as error:
        raise LotteryInvalid(error.message, place=error.place, remedy=error.remedy) from error
    return parsed.text


def _text(first: str, words: Sequence[str], values: Sequence[str]) -> str:
    lines = [first, *(f"{word} {value}" for word, value in zip(words, values, strict=True))]
    return "".join(f"{line}\n" for line in lines)


def _values(text: str, first: str, words: Sequence[str]) -> list[str]:
    begin, *lines = text.split("\n")
    pairs = [line.partition(" ") for line in lines[:-1]]
    if begin != first or lines[-1:] != [""] or [word for word, _, _ in pairs] != list(words):
        raise LotteryInvalid(f"this does not read as a '{first}'.")
    return [value for _, _, value in pairs]


def _check_spelling(found: Commitment | Reveal, text: str) -> None:
    round_id = found.round if isinstance(found, Commitment) else found.closing.round
    if found.text() != text or not ROUND.fullmatch(round_id):
        raise LotteryInvalid("this statement is not in its one spelling.")


def _pair(text: str) -> tuple[int, str]:
    number, _, rest = text.partition(" ")
    return _number(number), rest


def _number(text: str) -> int:
    try:
        return parse_decimal(text)
    except JournalError as error:
        raise LotteryInvalid(error.message) from error


def _hex(text: str, count: int) -> bytes:
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if len(data) != count:
        raise LotteryInvalid(f"{text[:20]!r} is not {count} bytes in hex.")
    return data

"""An embassy's secrets for lotteries: made once, kept, and told when the list is closed for good.

A secret is durable before anybody hears of its commitment, and a reveal before anybody hears of it;
so a repeat, a restart and a home that took over get the very same bytes. One secret a round, told
for one closed list, ever. What must hold before it is told:

- a receipt proves, by the policy that this embassy is pinned to, that an act closed the round, in a
  checkpoint that a quorum cosigned;
- this embassy holds that very entry at that very place in the log that it mirrors, so home can't
  close another list towards others;
- the act came after the commitment, and by this embassy's own clock it is past the hour at which
  the list was to close.
"""

from __future__ import annotations

import hashlib
import json
import threading
from typing import TYPE_CHECKING, Final

import structlog

from kulla.embassy.errors import BodyInvalid, EmbassyError, QuotaFull, Refused
from kulla.embassy.replies import BYTES, JSON, TEXT, Reply, refusal
from kulla.journal.errors import JournalError, TileMissing
from kulla.journal.lottery import (
    Closing,
    Commitment,
    Reveal,
    closing_of,
    custodian_keys,
    parse_commitment,
    parse_reveal,
    signed,
)
from kulla.journal.merkle import leaf_hash
from kulla.journal.notes import parse_note
from kulla.journal.policy_file import PolicyFile
from kulla.journal.receipts import parse_receipt, verify_receipt_of_any_time
from kulla.journal.store import TileStore
from kulla.kernel.canonical import NotCanonical, decode, encode
from kulla.kernel.edges import Clock, Entropy
from kulla.kernel.escrow import EscrowInvalid, make_deal, prove_secret
from kulla.kernel.lottery import ROUND, secret_context
from kulla.kernel.ristretto import scalar_bytes, scalar_of

if TYPE_CHECKING:
    from kulla.embassy.mirror import Identity, Mirror

SECRETS_MAX: Final = 5_000
_FOLDER: Final = "lottery/"
_FRESH: Final = {"Cache-Control": "no-store"}
_log = structlog.get_logger("kulla.embassy")


class Urn:
    """The secrets of one embassy, on its desk. Methods may be called from any thread.

    What the store raises (StoreFailed, StoreConflict) ends the process, as it does for the mirror.
    """

    def __init__(
        self,
        identity: Identity,
        desk: TileStore,
        lock: threading.Lock,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._identity = identity
        self._desk = desk
        self._lock = lock
        self._clock = clock
        self._entropy = entropy

    def commit(self, mirror: Mirror, body: bytes) -> Reply:
        """POST /lottery/commit: a canonical [round, closes_s]; the answer is [statement, deal].

        Makes the secret where there is none, escrowed with the custodians of the pinned policy.
        """
        try:
            round_id, closes_s = _asked(body)
            with self._lock:
                kept = self._read(round_id)
                if kept is None:
                    kept = self._make(mirror, round_id, closes_s)
            return Reply(200, encode([kept.statement, kept.deal]), BYTES, _FRESH)
        except EmbassyError as error:
            return refusal(error)

    def reveal(self, mirror: Mirror, body: bytes) -> Reply:
        """POST /lottery/reveal: the receipt of the act that closed the list; the answer is a note.

        Anybody may ask: what is asked for is public from that act on.
        """
        try:
            closing, leaf = self._closed(mirror, body)
            with self._lock:
                kept = self._read(closing.round)
                if kept is None:
                    raise Refused(404, "this embassy made no secret for this round.")
                if not kept.reveal:
                    self._check_time(mirror.policy, kept, closing)
            _check_mirrored(mirror, closing, leaf)
            with self._lock:
                return Reply(200, self._told(closing), TEXT, _FRESH)
        except EmbassyError as error:
            return refusal(error)

    def shown(self, round_id: str) -> Reply:
        """GET /lottery/<round>: what this embassy signed for a round, for everybody, as JSON."""
        kept = self._read(round_id) if ROUND.fullmatch(round_id) else None
        if kept is None:
            return refusal(Refused(404, "this embassy made no secret for this round."))
        said = {
            "round": round_id,
            "statement_key": self._identity.statement_key.verifier.text(),
            "commitment": kept.statement.decode(),
            "deal": kept.deal.hex(),
            "reveal": kept.reveal.decode(),
        }
        return Reply(200, json.dumps(said, ensure_ascii=False).encode(), JSON, _FRESH)

    def _make(self, mirror: Mirror, round_id: str, closes_s: int) -> _Kept:
        if len(self._desk.names(_FOLDER)) >= SECRETS_MAX:
            raise QuotaFull("this embassy keeps no more secrets.", today=False)
        policy, key = mirror.policy, self._identity.statement_key
        if not policy.custodians:
            raise Refused(409, "the policy names no custodians to escrow a secret with.")
        context = secret_context(policy.tower, round_id, key.verifier.text())
        keys, threshold = custodian_keys(policy), policy.custodian_threshold
        try:
            number, deal = make_deal(context, keys, threshold, self._entropy)
        except EscrowInvalid as error:
            raise Refused(409, f"a custodian's key can't open anything: {error}") from error
        rendered = deal.render()
        origin = policy.current_log.key.name
        log = mirror.log(origin)
        commitment = Commitment(
            policy.tower,
            round_id,
            self._identity.name,
            policy.version,
            closes_s,
            self._clock.now_ms() // 1000,
            origin,
            log.mirrored_size if log else 0,
            hashlib.sha256(rendered).digest(),
        )
        kept = _Kept(number, rendered, signed(commitment, key), b"")
        self._desk.swap(_path(round_id), None, kept.render())
        _log.info("secret made", round=round_id, size=commitment.size)
        return kept

    def _closed(self, mirror: Mirror, body: bytes) -> tuple[Closing, bytes]:
        """What a receipt proves, and the leaf hash of its entry."""
        try:
            receipt = parse_receipt(body, place="receipt")
            proven = verify_receipt_of_any_time(receipt, mirror.policies(), place="receipt")
            return closing_of(proven), leaf_hash(receipt.entry)
        except JournalError as error:
            raise Refused(403, str(error)) from error

    def _check_time(self, policy: PolicyFile, kept: _Kept, closing: Closing) -> None:
        made = kept.commitment
        was, now = policy.epoch_number(made.origin), policy.epoch_number(closing.origin)
        if now < was or (made.origin == closing.origin and closing.index < made.size):
            raise Refused(403, "the list was closed before this secret was made.")
        now_s = self._clock.now_ms() // 1000
        if now_s < made.closes_s:
            raise Refused(
                403, f"the list is to close at {made.closes_s}; here it is {now_s}: not before."
            )

    def _told(self, closing: Closing) -> bytes:
        """The reveal as it was told, or as it is told now for the first time."""
        kept = self._read(closing.round)
        assert kept is not None
        if kept.reveal:
            told = parse_reveal(parse_note(kept.reveal).text).closing
            same = (told.origin, told.index, told.root) == (
                closing.origin,
                closing.index,
                closing.root,
            )
            if not same:
                _log.warning("asked to reveal for another list", round=closing.round)
                raise Refused(
                    409, f"this secret was told for the list {told.root.hex()}, and for no other."
                )
            return kept.reveal
        key, made = self._identity.statement_key, kept.commitment
        context = secret_context(made.tower, made.round, key.verifier.text())
        secret, proof = prove_secret(kept.number, context)
        at_s = self._clock.now_ms() // 1000
        reveal = Reveal(made.tower, self._identity.name, closing, at_s, secret, proof)
        told_now = _Kept(kept.number, kept.deal, kept.statement, signed(reveal, key))
        self._desk.swap(_path(closing.round), kept.render(), told_now.render())
        _log.info("secret told", round=closing.round, index=closing.index)
        return told_now.reveal

    def _read(self, round_id: str) -> _Kept | None:
        try:
            return _Kept.parse(self._desk.get(_path(round_id)))
        except TileMissing:
            return None


class _Kept:
    """A secret as it lies on the desk. Its repr shows nothing."""

    __slots__ = ("deal", "number", "reveal", "statement")

    def __init__(self, number: int, deal: bytes, statement: bytes, reveal: bytes) -> None:
        self.number = number
        self.deal = deal
        self.statement = statement
        self.reveal = reveal

    def render(self) -> bytes:
        return encode([1, scalar_bytes(self.number), self.deal, self.statement, self.reveal])

    @classmethod
    def parse(cls, data: bytes) -> _Kept:
        match decode(data, place=_FOLDER):
            case [1, bytes(number), bytes(deal), bytes(statement), bytes(reveal)]:
                return cls(scalar_of(number), deal, statement, reveal)
        raise NotCanonical("this is no secret of a lottery.", place=_FOLDER)

    @property
    def commitment(self) -> Commitment:
        return parse_commitment(parse_note(self.statement).text)


def _check_mirrored(mirror: Mirror, closing: Closing, leaf: bytes) -> None:
    """The entry must be at its place in the log that this embassy itself holds."""
    log = mirror.log(closing.origin)
    if log is None:
        raise Refused(404, "this embassy mirrors no such log.")
    with log.lock:
        held = max(log.mirrored_size, log.filled_size)
        if closing.index >= held:
            raise Refused(
                409, f"the act is at {closing.index}; {held} entries are here. Ask again."
            )
        if log.tree.leaf_hash(closing.index) != leaf:
            raise Refused(403, "another entry is at this place in the log that is held here.")


def _asked(body: bytes) -> tuple[str, int]:
    try:
        asked = decode(body, place="body")
    except NotCanonical as error:
        raise BodyInvalid(error.message, place=error.place) from error
    match asked:
        case [str(round_id), int(closes_s)] if ROUND.fullmatch(round_id) and 0 <= closes_s < 2**40:
            return round_id, closes_s
    raise BodyInvalid("the body must be a round's id and when its list closes.", place="body")


def _path(round_id: str) -> str:
    return f"{_FOLDER}{hashlib.sha256(round_id.encode()).hexdigest()}"

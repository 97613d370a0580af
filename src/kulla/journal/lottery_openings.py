"""What custodians are asked to open where an embassy does not tell its secret, and their answers.

A plan is one text: words for people above, below them the receipt of the act that closed the list,
and the commitments of the embassies that are missed. It proves itself: whoever has the policy file
sees that the list was closed before a quorum, so that opening harms nothing. Its words are made
from what is below, and a file with other words is refused.

An answer proves itself too: each share that it opens is checked against the deal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kulla.journal.errors import JournalError, LotteryInvalid
from kulla.journal.lottery import (
    Closing,
    Commitment,
    check_name,
    closing_of,
    statement_keys,
    verify_dealt,
)
from kulla.journal.notes import SigningKey, VerifierKey, decode_base64, encode_base64
from kulla.journal.policy_file import PolicyFile
from kulla.journal.proposal_words import instant
from kulla.journal.receipts import RECEIPT_BYTES_MAX, verify_receipt_of_any_time
from kulla.kernel.canonical import NotCanonical, Value, decode, encode
from kulla.kernel.errors import KullaError
from kulla.kernel.escrow import Deal, EscrowInvalid, check_share, joined, open_share
from kulla.kernel.lottery import opening_context

PLAN: Final = "kulla lottery opening plan v1"
ANSWER: Final = "kulla lottery opening v1"
PLAN_BYTES_MAX: Final = 2 * RECEIPT_BYTES_MAX
_LINE: Final = 76
_EMBASSIES_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Missed:
    """An embassy whose secret is to be opened: its statement key's text, statement, deal."""

    embassy: str
    statement: bytes
    deal: bytes


@dataclass(frozen=True, slots=True)
class OpeningPlan:
    """What custodians are asked: a receipt of the closing act, and who is missed, in order."""

    receipt: bytes
    missed: tuple[Missed, ...]

    def render(self, policies: Sequence[PolicyFile]) -> bytes:
        """The bytes of the file. Raises LotteryInvalid where the plan does not hold."""
        checked = checked_plan(self, policies)
        rows: list[Value] = [[each.embassy, each.statement, each.deal] for each in self.missed]
        body = encode([self.receipt, rows])
        text = encode_base64(body)
        lines = [PLAN, "", *_words(checked), "", "== to open =="]
        lines += [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
        return "".join(f"{line}\n" for line in [*lines, "== end =="]).encode()


@dataclass(frozen=True, slots=True)
class Dealt:
    """An embassy's commitment, verified: its key, what it said, and the deal."""

    key: VerifierKey
    said: Commitment
    deal: Deal


@dataclass(frozen=True, slots=True)
class CheckedPlan:
    """A plan that was verified against policies: the tower, what was closed, and what to open."""

    tower: str
    closing: Closing
    dealt: tuple[Dealt, ...]


@dataclass(frozen=True, slots=True)
class Opening:
    """A custodian's answer: for each embassy's key text, (share, what it opens to, proof)."""

    custodian: str
    round: str
    root: bytes
    shares: Mapping[str, tuple[int, bytes, bytes]]

    def render(self) -> bytes:
        """The bytes of the file; it is no secret once the list is closed."""
        lines = [ANSWER, f"custodian {self.custodian}", f"list {self.round} {self.root.hex()}"]
        for embassy, (share, opened, proof) in self.shares.items():
            lines.append(f"share {share} {opened.hex()} {proof.hex()} {embassy}")
        return "".join(f"{line}\n" for line in lines).encode()


def parse_plan(data: bytes, policies: Sequence[PolicyFile], *, place: str = "") -> OpeningPlan:
    """Read a plan and check it, words included, by policies that are trusted, the newest first.

    Raises LotteryInvalid.
    """
    if len(data) > PLAN_BYTES_MAX:
        raise LotteryInvalid("this file is far too long.", place=place)
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    body = text.partition("== to open ==\n")[2].partition("== end ==")[0]
    try:
        found = decode(decode_base64("".join(body.split())), place=place)
    except (JournalError, NotCanonical) as error:
        raise LotteryInvalid(
            "this is no plan for opening secrets, or not a whole one.",
            place=place,
            remedy="Get the whole file again from who made it.",
        ) from error
    match found:
        case [bytes(receipt), list(rows)] if 0 < len(rows) <= _EMBASSIES_MAX:
            plan = OpeningPlan(receipt, tuple(_missed(row, place) for row in rows))
        case _:
            raise LotteryInvalid("this plan lacks a part.", place=place)
    if plan.render(policies).decode() != text:
        raise LotteryInvalid(
            "the words of this file are not those of what it asks to open.",
            place=place,
            remedy="Open nothing. Get the file again from who made it, and call the others.",
        )
    return plan


def checked_plan(plan: OpeningPlan, policies: Sequence[PolicyFile]) -> CheckedPlan:
    """What a plan asks for, proven. Raises LotteryInvalid, saying what does not hold."""
    try:
        receipt = verify_receipt_of_any_time(plan.receipt, policies, place="receipt")
        closing = closing_of(receipt)
        known = statement_keys(policies)
        dealt = []
        for each in plan.missed:
            if each.embassy not in known:
                raise LotteryInvalid("the policy names no such embassy.", place=each.embassy)
            key = known[each.embassy]
            said, deal = verify_dealt(each.statement, each.deal, key)
            check_name(said, key, policies)
            if (said.tower, said.round) != (policies[0].tower, closing.round):
                raise LotteryInvalid("this secret is of another round.", place=key.name)
            dealt.append(Dealt(key, said, deal))
    except LotteryInvalid:
        raise
    except KullaError as error:
        raise LotteryInvalid(error.message, place=error.place, remedy=error.remedy) from error
    return CheckedPlan(policies[0].tower, closing, tuple(dealt))


def open_for(plan: CheckedPlan, name: str, key: SigningKey) -> Opening:
    """A custodian's answer to a checked plan. Raises EscrowInvalid where nothing is theirs."""
    shares: dict[str, tuple[int, bytes, bytes]] = {}
    for each in plan.dealt:
        embassy, root = each.key.text(), plan.closing.root
        context = opening_context(plan.tower, plan.closing.round, embassy, root)
        if key.verifier.public in each.deal.keys:
            shares[embassy] = open_share(each.deal, key.number, context)
    if not shares:
        raise EscrowInvalid(
            "none of these secrets was dealt to this key.",
            place=key.name,
            remedy="Use the key that the policy named when the embassies committed.",
        )
    return Opening(name, plan.closing.round, plan.closing.root, shares)


def parse_opening(data: bytes, *, place: str = "") -> Opening:
    """Read a custodian's answer; verifies nothing. Raises LotteryInvalid."""
    wrong = LotteryInvalid(
        "this is no custodian's opening, or not a whole one.",
        place=place,
        remedy="Ask the custodian to send the file again.",
    )
    try:
        first, custodian, listed, *rest = data.decode().splitlines()
        word, name = custodian.split(" ", 1)
        of, round_id, root = listed.split(" ")
        shares: dict[str, tuple[int, bytes, bytes]] = {}
        for line in rest:
            share, number, opened, proof, embassy = line.split(" ", 4)
            if share != "share":
                raise wrong
            shares[embassy] = int(number), bytes.fromhex(opened), bytes.fromhex(proof)
        found = Opening(name, round_id, bytes.fromhex(root), shares)
    except ValueError as error:
        raise wrong from error
    if (first, word, of) != (ANSWER, "custodian", "list"):
        raise wrong
    return found


@dataclass(frozen=True, slots=True)
class Gathered:
    """What custodians sent for one embassy: good shares by number, and whose they are."""

    shares: Mapping[int, tuple[bytes, bytes]]
    names: tuple[str, ...]

    def evidence(self, deal: Deal) -> bytes:
        """What proves the secret, as acts.seed_drawn has it: just as many shares as are needed."""
        chosen = sorted(self.shares)[: deal.threshold]
        rows: list[Value] = [[number, *self.shares[number]] for number in chosen]
        return encode(rows)

    def secret(self, deal: Deal) -> bytes:
        """The secret, 32 bytes. Raises EscrowInvalid where more custodians are needed."""
        return joined(deal, {number: opened for number, (opened, _) in self.shares.items()})


def gather_openings(
    plan: CheckedPlan, files: Iterable[tuple[str, bytes]]
) -> tuple[dict[str, Gathered], list[str]]:
    """The good shares for each embassy of a plan, and what was bad, in any order, also twice.

    A file that is damaged, of another list, or false is named among the faults and hinders nobody
    else's. `files` are (place, bytes).
    """
    found: dict[str, dict[int, tuple[bytes, bytes]]] = {each.key.text(): {} for each in plan.dealt}
    names: dict[str, dict[str, None]] = {each.key.text(): {} for each in plan.dealt}
    faults: list[str] = []
    for place, data in files:
        try:
            opening = parse_opening(data, place=place)
            for embassy, (number, opened, proof) in _checked(plan, opening, place):
                found[embassy][number] = opened, proof
                names[embassy][opening.custodian] = None
        except (JournalError, EscrowInvalid) as error:
            faults.append(f"{place}: {error}" if place not in str(error) else str(error))
    return {key: Gathered(shares, tuple(names[key])) for key, shares in found.items()}, faults


def _checked(
    plan: CheckedPlan, opening: Opening, place: str
) -> list[tuple[str, tuple[int, bytes, bytes]]]:
    if (opening.round, opening.root) != (plan.closing.round, plan.closing.root):
        raise LotteryInvalid(f"{opening.custodian} opened another round or list.", place=place)
    deals = {each.key.text(): each.deal for each in plan.dealt}
    good = []
    for embassy, (number, opened, proof) in opening.shares.items():
        if embassy not in deals:
            continue  # that embassy told its secret meanwhile
        context = opening_context(plan.tower, opening.round, embassy, opening.root)
        check_share(deals[embassy], number, opened, proof, context)
        good.append((embassy, (number, opened, proof)))
    return good


def _words(plan: CheckedPlan) -> list[str]:
    closing = plan.closing
    lines = [
        f"OPEN SECRETS of a lottery of {plan.tower}.",
        "",
        f"Round: {closing.round}",
        f"Its list is closed: {closing.count} applications, root {closing.root.hex()}",
        f"by the act at {closing.index} of the log {closing.origin},",
        "which a quorum of the embassies cosigned; this file proves it.",
        "",
        "These embassies committed to a secret and have not told it:",
        "",
    ]
    for each in plan.dealt:
        made = instant(each.said.at_s * 1000)
        digest = hashlib.sha256(each.deal.render()).hexdigest()[:16]
        need = f"{each.deal.threshold} of {len(each.deal.keys)} custodians"
        lines += [f"  {each.said.embassy}, on {made}", f"    deal {digest}, {need} open it"]
    return [
        *lines,
        "",
        "Call the operators of these embassies first: one that is only out of home's sight",
        "can tell its secret itself. What you open can change nothing: each secret was",
        "fixed before the list was closed.",
    ]


def _missed(row: object, place: str) -> Missed:
    match row:
        case [str(embassy), bytes(statement), bytes(deal)]:
            return Missed(embassy, statement, deal)
    raise LotteryInvalid("this plan names an embassy in a form that is not known.", place=place)

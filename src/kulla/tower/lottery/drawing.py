"""`kulla enrolment draw`: after a list is closed, the embassies tell, and the seed follows.

Typed again it goes on: an embassy tells the same every time. Where one does not answer, a plan for
the custodians is written; what they send opens its secret, and the seed is the same as if it had.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kulla.embassy.client import EmbassyClient
from kulla.journal.errors import LotteryInvalid
from kulla.journal.lottery import (
    Closing,
    check_told,
    closing_of,
    verify_reveal,
)
from kulla.journal.lottery_openings import (
    CheckedPlan,
    Dealt,
    Missed,
    OpeningPlan,
    checked_plan,
    gather_openings,
)
from kulla.journal.notes import SigningKey
from kulla.journal.policy_file import PolicyFile
from kulla.journal.receipts import verify_receipt_of_any_time
from kulla.kernel.canonical import Value
from kulla.kernel.errors import KullaError
from kulla.services.enrolment import tables
from kulla.services.enrolment.policy.draw import CUSTODIANS, EMBASSY, seed_of
from kulla.tower.asking import EMBASSY_TIMEOUT_S
from kulla.tower.home import Home
from kulla.tower.lottery.reading import Desk, KnownRound, RoundUnfit, policies_of, said_no
from kulla.tower.takeover.custody import files_in

DRAWN_STATES: Final = (tables.DRAWN, tables.ALLOCATED, tables.OFFERED, tables.ENDED)
SUFFIX: Final = ".opening"


@dataclass(frozen=True, slots=True)
class Told:
    """One embassy's secret: who told it and what proves it; or why it is missing."""

    embassy: str
    secret: bytes = b""
    by: str = ""
    evidence: bytes = b""
    why: str = ""


def draw(folder: Path, round_id: str, given: Sequence[Path] = ()) -> dict[str, Any]:
    """Draw a closed round's lottery, or say what is missing; for printing.

    `given` are custodians' openings, files or folders of them. Where secrets are missing, the plan
    for the custodians lies in the home's folder `lottery`. Raises RoundUnfit, LotteryRefused.
    """
    home = Home(folder)
    desk = Desk(home)
    known = desk.round(round_id)
    if known.state in DRAWN_STATES:
        return _drawn(known)
    _check_closed(known)
    policies = policies_of(home)
    receipt = desk.receipt(known.number("closed_position"))
    closing = closing_of(verify_receipt_of_any_time(receipt, policies, place="receipt"))
    if (closing.round, closing.root) != (round_id, known.row["list_root"]):
        raise LotteryInvalid("the act at this position closed another list.", place=round_id)
    plan = checked_plan(OpeningPlan(receipt, _all(known)), policies)
    told = {
        each.key.text(): _ask(each, closing, receipt, policies, home.reader_key())
        for each in plan.dealt
    }
    missed = [each for each in plan.dealt if not told[each.key.text()].secret]
    faults: list[str] = []
    if missed:
        faults = _add_openings(told, CheckedPlan(plan.tower, closing, tuple(missed)), given)
    still = [key for key, each in told.items() if not each.secret]
    if still:
        path = _write_plan(home, known, receipt, still, policies)
        return _waiting(round_id, told, path, faults)
    return _submit(desk, known, closing, list(told.values()), faults)


def _check_closed(known: KnownRound) -> None:
    round_id = str(known.row["id"])
    if known.state != tables.CLOSED:
        raise RoundUnfit(
            "its list is not closed yet.",
            place=round_id,
            remedy="Close it first, at the ministry's desk: then nothing in it can be chosen.",
        )
    if not known.secrets:
        raise RoundUnfit(
            "no embassy committed to a secret before its list was closed.",
            place=round_id,
            remedy="It can't be drawn so that nobody could choose. Begin another round, and let "
            "the embassies commit before it closes: kulla enrolment commit.",
        )


def _all(known: KnownRound) -> tuple[Missed, ...]:
    return tuple(
        Missed(embassy, _bytes(row["statement"]), _bytes(row["escrow"]))
        for embassy, row in sorted(known.secrets.items())
    )


def _ask(
    dealt: Dealt,
    closing: Closing,
    receipt: bytes,
    policies: Iterable[PolicyFile],
    reader: SigningKey,
) -> Told:
    """What one embassy tells, verified; or why not."""
    text = dealt.key.text()
    where = next(
        each for policy in policies for each in policy.embassies if each.statement_key == dealt.key
    )
    client = EmbassyClient(where.url, name=where.name, reader=reader, timeout_s=EMBASSY_TIMEOUT_S)
    try:
        note = client.reveal_secret(receipt)
        reveal = verify_reveal(note, dealt.key)
        if (reveal.closing.round, reveal.closing.root) != (closing.round, closing.root):
            raise LotteryInvalid("it told its secret for another list.", place=where.name)
        check_told(reveal, dealt.deal, dealt.key)
    except KullaError as error:
        return Told(text, why=str(error))
    finally:
        client.close()
    return Told(text, reveal.secret, EMBASSY, note)


def _add_openings(told: dict[str, Told], plan: CheckedPlan, given: Sequence[Path]) -> list[str]:
    """Put in what custodians opened; what was bad of it."""
    files = []
    faults = []
    for path in files_in(given, SUFFIX):
        try:
            files.append((str(path), path.read_bytes()))
        except OSError as error:
            faults.append(f"{path}: {error.strerror}")
    found, bad = gather_openings(plan, files)
    for each in plan.dealt:
        key = each.key.text()
        gathered = found[key]
        if len(gathered.shares) >= each.deal.threshold:
            secret = gathered.secret(each.deal)
            told[key] = Told(key, secret, CUSTODIANS, gathered.evidence(each.deal))
        elif gathered.names:
            more = each.deal.threshold - len(gathered.shares)
            why = f"{told[key].why} {', '.join(gathered.names)} opened; {more} more must."
            told[key] = Told(key, why=why)
    return [*faults, *bad]


def _write_plan(
    home: Home,
    known: KnownRound,
    receipt: bytes,
    missing: Sequence[str],
    policies: Sequence[PolicyFile],
) -> Path:
    """The plan for the custodians: always the newest one, since who is missing changes."""
    missed = tuple(each for each in _all(known) if each.embassy in missing)
    path = home.folder / "lottery" / f"{known.row['id']!s}.plan"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(OpeningPlan(receipt, missed).render(policies))
    return path


def _submit(
    desk: Desk, known: KnownRound, closing: Closing, told: Sequence[Told], faults: Sequence[str]
) -> dict[str, Any]:
    round_id = str(known.row["id"])
    seed = seed_of(
        round_id, closing.count, closing.root, [(each.embassy, each.secret) for each in told]
    )
    rows: list[Value] = [[each.embassy, each.secret, each.by, each.evidence] for each in told]
    data: Mapping[str, Value] = {
        "round": round_id,
        "closed": known.number("closed_position"),
        "size": closing.size,
        "root": closing.checkpoint_root,
        "secrets": rows,
        "beacon": b"",
        "seed": seed,
    }
    answer = desk.submit("draw_seed", round_id, data)
    if answer.status != "accepted" and answer.code != "drawn-already":
        raise said_no(answer, round_id)
    return {**_drawn(desk.round(round_id)), "not_counted": list(faults)}


def _drawn(known: KnownRound) -> dict[str, Any]:
    seed = _bytes(known.row["seed"])
    return {
        "round": known.row["id"],
        "drawn": True,
        "seed": seed.hex(),
        "told_by": {embassy: row["told_by"] for embassy, row in known.secrets.items()},
        "missing": {},
        "not_counted": [],
    }


def _waiting(
    round_id: str, told: Mapping[str, Told], plan: Path, faults: Sequence[str]
) -> dict[str, Any]:
    return {
        "round": round_id,
        "drawn": False,
        "told_by": {key: each.by for key, each in told.items() if each.secret},
        "missing": {key: each.why for key, each in told.items() if not each.secret},
        "plan": str(plan),
        "not_counted": list(faults),
    }


def names_of(policies: Sequence[PolicyFile]) -> dict[str, str]:
    """The names of embassies by the text of their statement keys, for printing."""
    return {
        each.statement_key.text(): each.name
        for policy in reversed(policies)
        for each in policy.embassies
        if each.statement_key
    }


def _bytes(cell: object) -> bytes:
    assert isinstance(cell, bytes)
    return cell

"""A round from files to files: what `kulla enrolment allocate` does, without any disk.

In the folder that it writes, `public.json` is for everybody, and the rest is not: `salts.csv` opens
each result of the public transcript, `audit.json` has all inputs.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kulla.kernel.edges import Entropy
from kulla.services.enrolment.policy.allocate import Allocation, allocate
from kulla.services.enrolment.policy.csv_in import (
    Columns,
    Reject,
    read_applications,
    read_siblings,
    read_vacancies,
)
from kulla.services.enrolment.policy.families import families
from kulla.services.enrolment.policy.market import Market, market, told_pool
from kulla.services.enrolment.policy.prose import prose
from kulla.services.enrolment.policy.reasons import Reason, reasons
from kulla.services.enrolment.policy.rules import Rules
from kulla.services.enrolment.policy.rules_text import rules_from_toml
from kulla.services.enrolment.policy.transcript import audit_transcript, public_transcript

_SALT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Round:
    """What was read: a market, and the rows that were put aside."""

    market: Market
    rejects: tuple[Reject, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Files by name, and a summary as JSON takes it."""

    allocation: Allocation
    files: dict[str, bytes]
    summary: dict[str, Any]


def read_round(
    *, rules: str, vacancies: str, applications: str, siblings: str | None, columns: Columns
) -> Round:
    """A round from the text of its files.

    Raises RulesInvalid, or FileUnreadable where a file has not the columns that it must have.
    """
    stated = rules_from_toml(rules)
    programmes, rejects = read_vacancies(_lines(vacancies), stated)
    applicants, more = read_applications(_lines(applications), stated, programmes, columns)
    rejects += more
    if siblings is not None:
        applicants, more = read_siblings(_lines(siblings), applicants)
        rejects += more
    return Round(market(stated, programmes, applicants), tuple(rejects))


def _lines(text: str) -> Iterable[str]:
    return io.StringIO(text, newline="")


def outcome(read: Round, seed: bytes, round_id: str, entropy: Entropy) -> Outcome:
    """Allocate it, and all that is written about it."""
    allocation = allocate(read.market, seed)
    applicants = [one.applicant for one in read.market.applicants]
    salts = {name: entropy.random_bytes(_SALT_BYTES) for name in applicants}
    refused = reasons(allocation)
    ordered = sorted(applicants)
    files = {
        "results.csv": _csv(
            ("applicant_id", "program_id", "pool", "choice"),
            (
                (name, placed.programme, _told(read.market.rules, placed.pool), placed.choice)
                for name in ordered
                for placed in (allocation.placements[name],)
            ),
        ),
        "reasons.csv": _csv(
            ("applicant_id", *_REASON),
            ((name, *_reason(one)) for name in ordered for one in refused[name]),
        ),
        "waiting.csv": _csv(
            ("program_id", "order", "applicant_id"),
            (
                (programme, order, name)
                for programme, names in allocation.waiting.items()
                for order, name in enumerate(names, 1)
            ),
        ),
        "rejects.csv": _csv(
            ("file", "row", "reason"), ((one.file, one.row, one.reason) for one in read.rejects)
        ),
        "salts.csv": _csv(
            ("applicant_id", "salt"), ((name, salts[name].hex()) for name in ordered)
        ),
        "rules.txt": "\n".join(prose(read.market.rules, "en")).encode() + b"\n",
        "public.json": public_transcript(allocation, round_id=round_id, salts=salts),
        "audit.json": audit_transcript(allocation, round_id=round_id),
    }
    return Outcome(allocation, files, _summary(read, allocation, round_id))


def _told(rules: Rules, pool: str) -> str:
    return told_pool(rules, pool) if pool else ""


_REASON = ("choice", "program_id", "code", "own", "last", "number", "under")


def _reason(one: Reason) -> tuple[Any, ...]:
    return one.choice, one.programme, one.code, one.own, one.last, one.number, one.under


def _summary(read: Round, allocation: Allocation, round_id: str) -> dict[str, Any]:
    kin = families(allocation)
    placements = allocation.placements.values()
    return {
        "round": round_id,
        "seed": allocation.seed.hex(),
        "applicants": len(allocation.market.applicants),
        "programmes": len(allocation.market.programmes),
        "seats": sum(one.seats for one in allocation.market.programmes),
        "placed": allocation.placed,
        "placed_first_choice": sum(1 for one in placements if one.choice == 1),
        "rejected_rows": len(read.rejects),
        "sibling_pairs": kin.pairs,
        "siblings_at_one_school": kin.at_one_school,
        "unsettled": len(kin.unsettled),
    }


def _csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue().encode()

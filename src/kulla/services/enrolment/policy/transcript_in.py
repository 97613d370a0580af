"""Transcripts read back: every field by its shape, with an error that names the place. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kulla.kernel.errors import KullaError
from kulla.services.enrolment.policy.allocate import Placement
from kulla.services.enrolment.policy.cutoffs import Reached
from kulla.services.enrolment.policy.market import (
    Applicant,
    Market,
    MarketInvalid,
    Programme,
    Standing,
    market,
)
from kulla.services.enrolment.policy.rules import Claim, Rules
from kulla.services.enrolment.policy.rules_text import rules_of
from kulla.services.enrolment.policy.transcript import AUDIT, PUBLIC, VERSION


class TranscriptInvalid(KullaError):
    """A transcript that can't be read; `place` is the key."""


@dataclass(frozen=True, slots=True)
class PublicTranscript:
    """What everybody may read. `market` has rules and programmes, and no applicants."""

    round_id: str
    market: Market
    seed: bytes
    parts: Mapping[str, Any]
    root: bytes
    count: int
    commitments: tuple[bytes, ...]
    results: frozenset[bytes]
    result_count: int
    reached: Mapping[str, Reached]
    placed: int


@dataclass(frozen=True, slots=True)
class AuditTranscript:
    """All inputs and the stated results; applicants' ids are their commitments in hex."""

    round_id: str
    market: Market
    seed: bytes
    parts: Mapping[str, Any]
    placements: Mapping[str, Placement]
    waiting: Mapping[str, tuple[str, ...]]
    unsettled: tuple[tuple[str, ...], ...]


def read_transcript(data: bytes) -> PublicTranscript | AuditTranscript:
    """Either transcript. Raises TranscriptInvalid, RulesInvalid or MarketInvalid with the place."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise TranscriptInvalid(f"this is not JSON ({error}).", place="transcript") from error
    if not isinstance(found, dict) or found.get("kind") not in {PUBLIC, AUDIT}:
        raise TranscriptInvalid(f"this is neither {PUBLIC} nor {AUDIT}.", place="kind")
    if found.get("version") != VERSION:
        raise TranscriptInvalid(f"this reads version {VERSION}.", place="version")
    try:
        return _public(found) if found["kind"] == PUBLIC else _audit(found)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise TranscriptInvalid(
            f"a field is missing or has another shape ({type(error).__name__}: {error}).",
            place="transcript",
        ) from error


def _public(found: dict[str, Any]) -> PublicTranscript:
    rules = rules_of(found["rules"])
    commitments = tuple(bytes.fromhex(one) for one in found["commitments"])
    return PublicTranscript(
        round_id=found["round"],
        market=market(rules, _programmes(found), ()),
        seed=_seed(found),
        parts=found["lottery"]["parts"],
        root=bytes.fromhex(found["list"]["root"]),
        count=int(found["list"]["count"]),
        commitments=commitments,
        results=frozenset(bytes.fromhex(one) for one in found["results"]),
        result_count=len(found["results"]),
        reached={row["programme"]: _reached(rules, row) for row in found["programmes"]},
        placed=int(found["placed"]),
    )


def _reached(rules: Rules, row: Mapping[str, Any]) -> Reached:
    ranks = {one.kind: at for at, one in enumerate(rules.priorities)}
    ranks[""] = len(rules.priorities)
    under = {
        Standing(ranks[one["priority"]], frozenset(one["pools"]), one.get("open", True)): _decimal(
            one["under"]
        )
        for one in row["cutoffs"]
    }
    return Reached(int(row["filled"]), under)


def _decimal(text: str) -> str:
    if text not in {"0", "1"} and not (text.startswith("0.") and text[2:].isdecimal()):
        raise ValueError(f"{text!r} is no decimal from 0 to 1")
    return text


def _audit(found: dict[str, Any]) -> AuditTranscript:
    rules = rules_of(found["rules"])
    rows = found["applicants"]
    applicants = [
        Applicant(
            applicant=row["commitment"],
            grade=row["grade"],
            choices=tuple(row["choices"]),
            commitment=bytes.fromhex(row["commitment"]),
            claims=tuple(Claim(kind, at) for kind, at in row["claims"]),
            siblings=tuple(row["siblings"]),
            together=row["together"],
            reserved_only=tuple(row.get("reserved_only", ())),
        )
        for row in rows
    ]
    whole = market(rules, _programmes(found), applicants)
    return AuditTranscript(
        round_id=found["round"],
        market=whole,
        seed=_seed(found),
        parts=found["lottery"]["parts"],
        placements={row["commitment"]: _placement(whole, row) for row in rows},
        waiting={name: tuple(children) for name, children in found["waiting"].items()},
        unsettled=tuple(tuple(row) for row in found["unsettled"]),
    )


def _placement(whole: Market, row: Mapping[str, Any]) -> Placement:
    """A stated result, which must be a seat that there is and a choice that was made."""
    programme, pool, choice = row["result"]
    placement = Placement(programme, pool, choice)
    if placement == Placement():
        return placement
    place = f"applicant {row['commitment']}"
    if not 1 <= choice <= len(row["choices"]) or row["choices"][choice - 1] != programme:
        raise MarketInvalid("its result is none of its choices.", place=place)
    if pool not in {name for name, _ in whole.by_programme[programme].pools}:
        raise MarketInvalid(f"{programme} has no pool {pool!r}.", place=place)
    return placement


def _programmes(found: Mapping[str, Any]) -> list[Programme]:
    return [
        Programme(
            row["programme"],
            row["school"],
            row["grade"],
            tuple((pool, int(seats)) for pool, seats in row["pools"]),
            row["area"],
        )
        for row in found["programmes"]
    ]


def _seed(found: Mapping[str, Any]) -> bytes:
    seed = bytes.fromhex(found["lottery"]["seed"])
    if len(seed) != 32:
        raise ValueError("a seed is 32 bytes")
    return seed

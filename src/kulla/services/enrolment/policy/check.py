"""What a transcript proves: computed anew, and stated check by check. Pure.

The auditor's transcript is allocated again and compared, and besides looked at seat by seat by
`stability.py`, which shares no code with the allocation: a mistake in one shows in the other. The
public one proves less, and each check says what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kulla.services.enrolment.policy import lottery
from kulla.services.enrolment.policy.allocate import (
    Allocation,
    Placement,
    allocate,
    eligible,
    lists,
    older_schools,
    preferred,
    wishes_of,
)
from kulla.services.enrolment.policy.cutoffs import EVERYBODY, NOBODY
from kulla.services.enrolment.policy.families import families
from kulla.services.enrolment.policy.market import Applicant, drawn_at, may_try, pool_of
from kulla.services.enrolment.policy.stability import Envy, Seats, envies
from kulla.services.enrolment.policy.transcript import list_root, result_hash
from kulla.services.enrolment.policy.transcript_in import (
    AuditTranscript,
    PublicTranscript,
    TranscriptInvalid,
    read_transcript,
)

Derive = Callable[[str, int, bytes, list[tuple[str, bytes]]], bytes]
"""The seed of (round, count, root of the list, [(embassy, secret)...])."""

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its name, whether it holds, and what was seen. `ok` None: it could not be made."""

    check: str
    ok: bool | None
    detail: str


def check_transcript(data: bytes, derive: Derive | None = None) -> tuple[Finding, ...]:
    """Everything that a transcript can show. `derive` computes the seed from the secrets.

    Raises TranscriptInvalid, RulesInvalid or MarketInvalid where it can't be read at all.
    """
    found = read_transcript(data)
    seed = _seed_check(found, derive)
    if isinstance(found, AuditTranscript):
        return (seed, *_audit_checks(found))
    return (seed, *_public_checks(found))


def _seed_check(found: AuditTranscript | PublicTranscript, derive: Derive | None) -> Finding:
    secrets = _secrets(found.parts)
    if not secrets or derive is None:
        return Finding("seed", None, "the transcript names no secrets to compute it from")
    commitments = (
        [one.commitment for one in found.market.applicants]
        if isinstance(found, AuditTranscript)
        else list(found.commitments)
    )
    made = derive(found.round_id, len(commitments), list_root(commitments), secrets)
    if made != found.seed:
        return Finding("seed", False, "the secrets and the list give another seed")
    return Finding("seed", True, f"it follows from {len(secrets)} secrets and the closed list")


def _secrets(parts: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    """The secrets that embassies told, from rows [embassy, commitment, secret, told by]."""
    rows = parts.get("secrets", ())
    try:
        return [(str(row[0]), bytes.fromhex(row[2])) for row in rows if row[2]]
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise TranscriptInvalid("the secrets have another shape.", place="lottery.parts") from error


def _audit_checks(found: AuditTranscript) -> tuple[Finding, ...]:
    market, seed = found.market, found.seed
    schools = older_schools(market, found.placements)
    wishes = {
        one.applicant: wishes_of(market, one, schools.get(one.applicant, frozenset()))
        for one in market.applicants
    }
    stated = Allocation(
        market, seed, found.placements, wishes, lists(market, seed, found.placements, wishes)
    )
    seats = Seats(market, seed, found.placements, wishes)
    return (
        _recomputed(found),
        _capacity(found, seats),
        _quotas(stated),
        _stable(list(envies(market, seats, found.placements, wishes))),
        _waiting(found, stated),
        _siblings(found, stated),
    )


def _recomputed(found: AuditTranscript) -> Finding:
    anew = allocate(found.market, found.seed).placements
    wrong = [child for child, one in anew.items() if found.placements[child] != one]
    count = len(anew)
    if wrong:
        return Finding("recomputed", False, f"{len(wrong)} of {count} differ: {_some(wrong)}")
    return Finding("recomputed", True, f"all {count} results are the same")


def _capacity(found: AuditTranscript, seats: Seats) -> Finding:
    over = [
        f"{one.programme}/{pool} holds {seats.holders(one.programme, pool)} of {most}"
        for one in found.market.programmes
        for pool, most in one.pools
        if seats.holders(one.programme, pool) > most
    ]
    placed = sum(1 for one in found.placements.values() if one.choice)
    total = sum(one.seats for one in found.market.programmes)
    if over:
        return Finding("capacity", False, _some(over))
    return Finding("capacity", True, f"{placed} placed in {total} seats, none over")


def _quotas(stated: Allocation) -> Finding:
    """Whoever has a reserved seat may have it, and everybody is where they asked to be."""
    rules = stated.market.rules
    wrong = []
    reserved = 0
    for child, placement in stated.placements.items():
        if not placement.choice:
            continue
        pool = pool_of(rules, placement.pool)
        own = next(
            one.standing for one in stated.wishes[child] if one.programme == placement.programme
        )
        reserved += bool(pool.priority) and pool.pool in own.pools
        if not may_try(own, pool):
            wrong.append(child)
    if wrong:
        return Finding("quotas", False, f"no claim to their reserved seat: {_some(wrong)}")
    return Finding("quotas", True, f"{reserved} in seats reserved for them, none without a claim")


def _stable(found: list[Envy]) -> Finding:
    if found:
        worst = [f"{one.applicant[:12]} at {one.programme}" for one in found]
        return Finding("stability", False, f"{len(found)} would have a better seat: {_some(worst)}")
    return Finding(
        "stability", True, "nobody would have a seat that they wish more, grade by grade"
    )


def _waiting(found: AuditTranscript, stated: Allocation) -> Finding:
    anew = dict(stated.waiting)
    wrong = sorted(
        name
        for name in anew.keys() | found.waiting.keys()
        if anew.get(name) != found.waiting.get(name)
    )
    if wrong:
        return Finding("waiting-lists", False, f"other order: {_some(wrong)}")
    return Finding("waiting-lists", True, f"{len(anew)} lists in order of class and number")


def _siblings(found: AuditTranscript, stated: Allocation) -> Finding:
    kin = families(stated)
    anew = {(one.applicant, one.programme, one.sibling, one.why) for one in kin.unsettled}
    if anew != set(found.unsettled):
        return Finding("siblings", False, "the list of unsettled families is another one")
    return Finding(
        "siblings",
        True,
        f"{kin.at_one_school} of {kin.pairs} pairs at one school; {len(anew)} places where no "
        "stable assignment need exist, each listed with why",
    )


def _public_checks(found: PublicTranscript) -> tuple[Finding, ...]:
    count = len(found.commitments)
    ordered = list(found.commitments) == sorted(set(found.commitments))
    listed = ordered and count == found.count and list_root(list(found.commitments)) == found.root
    complete = count == found.result_count == len(found.results)
    over = [
        one.programme
        for one in found.market.programmes
        if not 0 <= found.reached[one.programme].filled <= one.seats
    ]
    filled = sum(one.filled for one in found.reached.values())
    return (
        Finding(
            "list",
            listed,
            f"{count} commitments have the Merkle root {found.root.hex()[:16]}..."
            if listed
            else "the commitments do not have the stated root and count",
        ),
        Finding(
            "results",
            complete,
            "one result for each application" if complete else "not one result an application",
        ),
        Finding(
            "capacity",
            not over and filled == found.placed,
            f"{found.placed} placed, no programme over" if not over else f"over: {_some(over)}",
        ),
        _cutoff_order(found),
        Finding("stability", None, "needs the auditor's transcript, or each family's own check"),
    )


def _cutoff_order(found: PublicTranscript) -> Finding:
    """Where a class was refused somebody, no weaker one with the same claims has a seat."""
    wrong = []
    for programme, reached in found.reached.items():
        for own, under in reached.under.items():
            for other, above in reached.under.items():
                same = (own.pools, own.open) == (other.pools, other.open) and other.rank < own.rank
                if same and above != EVERYBODY and under != NOBODY:
                    wrong.append(programme)
    if wrong:
        return Finding("cut-offs", False, f"a weaker class came before a stronger: {_some(wrong)}")
    return Finding("cut-offs", True, "in no programme did a weaker class come before a stronger")


def check_child(
    found: PublicTranscript,
    applicant: Applicant,
    salt: bytes,
    placement: Placement,
    schools: frozenset[str] = frozenset(),
) -> tuple[Finding, ...]:
    """A family's own check against the public transcript.

    `applicant` is the own application, with its commitment; `salt` opened it; `placement` is the
    result that the family was told; `schools`: where older siblings were placed.
    """
    own_hash = result_hash(salt, applicant.commitment, placement.programme, placement.choice)
    listed = applicant.commitment in found.commitments
    stated = own_hash in found.results
    return (
        Finding(
            "listed", listed, "the application is in the closed list" if listed else "it is not"
        ),
        Finding("result", stated, "the result is the one told" if stated else "it is another"),
        _fair(found, applicant, placement, schools),
    )


def _fair(
    found: PublicTranscript, applicant: Applicant, placement: Placement, schools: frozenset[str]
) -> Finding:
    """Each refusal, and the place itself, against the cut-offs that were told."""
    market = found.market
    wishes = wishes_of(market, applicant, schools)
    before = preferred(wishes, placement)
    unknown = 0
    for wish in wishes[: len(before) + 1]:
        if not eligible(market, wish.standing, wish.programme):
            continue
        under = found.reached[wish.programme].under.get(wish.standing)
        drawn = drawn_at(market.rules, found.seed, applicant, wish.programme)
        if under is None:
            unknown += wish in before
            continue
        if lottery.is_under(drawn, under) == (wish in before):
            return Finding("fair", False, f"the cut-off of {wish.programme} says otherwise")
    if unknown:
        return Finding("fair", None, f"{unknown} of {len(before)} cut-offs are not told in public")
    return Finding("fair", True, f"{len(before)} refusals as the cut-offs say")


def _some(names: list[str]) -> str:
    shown = ", ".join(name[:40] for name in names[:_SHOWN])
    return shown + (", ..." if len(names) > _SHOWN else "")

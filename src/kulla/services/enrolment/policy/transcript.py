"""The two transcripts of a round: what everybody may read, and all that an auditor needs. Pure.

The public one never tells a child's class. It has the list of commitments, from which everybody
computes every lottery number, and the results, but not which belongs to which: whoever could join
a number with a place would see who got in on a worse number than others, and so had a class. A
result is there as the SHA-256 of a salt, the child's commitment, the programme and the choice; only
the family, who has the salt, finds its own. Cut-offs are as `cutoffs.told` gives them.

The auditor's has every input. A child is known there by its commitment alone.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

from kulla.journal.merkle import leaf_hashes, root_of
from kulla.kernel.canonical import encode
from kulla.services.enrolment.policy.allocate import Allocation, Placement
from kulla.services.enrolment.policy.cutoffs import NOBODY, Reached, told
from kulla.services.enrolment.policy.families import families
from kulla.services.enrolment.policy.market import Applicant, Programme, Standing
from kulla.services.enrolment.policy.reasons import kind_of
from kulla.services.enrolment.policy.rules import Rules
from kulla.services.enrolment.policy.rules_text import to_plain

PUBLIC: Final = "kulla-enrolment-public"
AUDIT: Final = "kulla-enrolment-audit"
VERSION: Final = 1
_RESULT: Final = "kulla enrolment result v1"


def result_hash(salt: bytes, commitment: bytes, programme: str, choice: int) -> bytes:
    """What stands for a child's result in the public transcript (32 bytes).

    `salt` is the application's own, which the family has; '' and 0 where there is no place.
    """
    own_salt = hmac.digest(salt, _RESULT.encode(), "sha256")
    return hashlib.sha256(encode([_RESULT, own_salt, commitment, programme, choice])).digest()


def list_root(commitments: list[bytes]) -> bytes:
    """The Merkle tree hash (RFC 9162, section 2.1.1) of the commitments in order of their bytes."""
    return root_of(leaf_hashes(sorted(commitments)))


def public_transcript(
    allocation: Allocation,
    *,
    round_id: str,
    salts: Mapping[str, bytes],
    parts: Mapping[str, Any] | None = None,
) -> bytes:
    """What everybody may read, as canonical JSON.

    `salts`: each applicant's; `parts`: what the seed was made of, as JSON takes it.
    """
    market = allocation.market
    commitments = [one.commitment for one in market.applicants]
    reached = told(allocation)
    results = sorted(
        result_hash(
            salts[one.applicant],
            one.commitment,
            allocation.placements[one.applicant].programme,
            allocation.placements[one.applicant].choice,
        ).hex()
        for one in market.applicants
    )
    kin = families(allocation)
    return to_bytes(
        {
            "kind": PUBLIC,
            "version": VERSION,
            "round": round_id,
            "rules": to_plain(market.rules),
            "list": {"count": len(commitments), "root": list_root(commitments).hex()},
            "lottery": {"seed": allocation.seed.hex(), "parts": dict(parts or {})},
            "programmes": [
                {**programme_row(one), **_reached_row(market.rules, reached[one.programme])}
                for one in market.programmes
            ],
            "placed": allocation.placed,
            "siblings": {
                "pairs": kin.pairs,
                "at_one_school": kin.at_one_school,
                "unsettled": len(kin.unsettled),
            },
            "commitments": [one.hex() for one in commitments],
            "results": results,
        }
    )


def audit_transcript(
    allocation: Allocation, *, round_id: str, parts: Mapping[str, Any] | None = None
) -> bytes:
    """All inputs and results under pseudonyms, as canonical JSON. For auditors' eyes alone."""
    market = allocation.market
    alias = {one.applicant: one.commitment.hex() for one in market.applicants}
    kin = families(allocation)
    return to_bytes(
        {
            "kind": AUDIT,
            "version": VERSION,
            "round": round_id,
            "rules": to_plain(market.rules),
            "lottery": {"seed": allocation.seed.hex(), "parts": dict(parts or {})},
            "programmes": [programme_row(one) for one in market.programmes],
            "applicants": [
                _applicant_row(one, alias, allocation.placements[one.applicant])
                for one in market.applicants
            ],
            "waiting": {
                programme: [alias[child] for child in children]
                for programme, children in allocation.waiting.items()
            },
            "unsettled": sorted(
                [alias[one.applicant], one.programme, alias[one.sibling], one.why]
                for one in kin.unsettled
            ),
        }
    )


def programme_row(one: Programme) -> dict[str, Any]:
    """A programme as both transcripts have it."""
    return {
        "programme": one.programme,
        "school": one.school,
        "grade": one.grade,
        "area": one.area,
        "pools": [list(pool) for pool in one.pools],
    }


def _reached_row(rules: Rules, reached: Reached) -> dict[str, Any]:
    ordered = sorted(reached.under.items(), key=_in_order)
    return {
        "filled": reached.filled,
        "last": _weakest(rules, ordered),
        "cutoffs": [
            {
                "priority": kind_of(rules, own.rank),
                "pools": sorted(own.pools),
                **({} if own.open else {"open": False}),
                "under": under,
            }
            for own, under in ordered
        ],
    }


def _weakest(rules: Rules, ordered: list[tuple[Standing, str]]) -> str | None:
    """The weakest class with a seat as the cut-offs beside it tell anyhow; None: they do not."""
    with_seats = [own.rank for own, under in ordered if under != NOBODY]
    return kind_of(rules, max(with_seats)) if with_seats else None


def _in_order(row: tuple[Standing, str]) -> tuple[int, list[str], bool]:
    own = row[0]
    return own.rank, sorted(own.pools), own.open


def _applicant_row(
    one: Applicant, alias: Mapping[str, str], placement: Placement
) -> dict[str, Any]:
    return {
        "commitment": one.commitment.hex(),
        "grade": one.grade,
        "choices": list(one.choices),
        "claims": sorted([claim.kind, claim.at] for claim in one.claims),
        "siblings": sorted(alias[other] for other in one.siblings if other in alias),
        "together": one.together,
        **({"reserved_only": sorted(one.reserved_only)} if one.reserved_only else {}),
        "result": [placement.programme, placement.pool, placement.choice],
    }


def to_bytes(found: Any) -> bytes:
    """Canonical JSON: keys in order, no spaces, a line end; the same bytes everywhere."""
    text = json.dumps(found, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return (text + "\n").encode()

"""Whatever families wish and claim: the allocation is the one of the prose, stable, and fair."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.enrolment_markets import (
    NONE,
    RULES,
    by_hand,
    child,
    complaints,
    number_of,
    random_market,
    seed_of,
)
from kulla.services.enrolment.policy.allocate import Allocation, allocate, older_schools
from kulla.services.enrolment.policy.check import check_child, check_transcript
from kulla.services.enrolment.policy.market import Programme, market
from kulla.services.enrolment.policy.rules import OPEN_POOL, Claim, Pool, Priority, Rules
from kulla.services.enrolment.policy.transcript import audit_transcript, public_transcript
from kulla.services.enrolment.policy.transcript_in import PublicTranscript, read_transcript

seeds = st.integers(0, 2**32)
MULTIPLE = replace(RULES, tie_break="multiple")
NO_SIBLING_CLASS = replace(RULES, priorities=RULES.priorities[::2])
SIBLING_POOL = replace(
    RULES, pools=(Pool("kin", "For siblings", "sibling", "stay"), *RULES.pools[1:])
)


def places(allocation: Allocation) -> dict[str, tuple[str, str]]:
    return {child: (one.programme, one.pool) for child, one in allocation.placements.items()}


@given(
    seed=seeds,
    children=st.integers(0, 80),
    siblings=st.booleans(),
    rules=st.sampled_from([RULES, MULTIPLE, NO_SIBLING_CLASS, SIBLING_POOL]),
)
def test_the_arrays_do_what_the_prose_says(seed, children, siblings, rules):
    made = random_market(seed, children, siblings=siblings, rules=rules)
    placed = places(allocate(made, seed_of(seed)))
    assert placed == by_hand(made, seed_of(seed))
    assert complaints(made, seed_of(seed), placed) == []


@given(seed=seeds, siblings=st.booleans())
def test_an_auditor_finds_nothing_and_the_public_neither(seed, siblings):
    made = random_market(seed, siblings=siblings)
    done = allocate(made, seed_of(seed))
    salts = {one.applicant: one.commitment for one in made.applicants}
    for data in (
        audit_transcript(done, round_id="r"),
        public_transcript(done, round_id="r", salts=salts),
    ):
        findings = {one.check: one.ok for one in check_transcript(data)}
        assert False not in findings.values()
        assert findings["capacity"]
    assert findings["cut-offs"]


@given(seed=seeds, order=st.randoms(use_true_random=False))
def test_the_order_of_rows_never_matters(seed, order):
    made = random_market(seed)
    rows, programmes = list(made.applicants), list(made.programmes)
    order.shuffle(rows)
    order.shuffle(programmes)
    again = market(made.rules, programmes, rows)
    one, other = (allocate(each, seed_of(seed)) for each in (made, again))
    assert audit_transcript(one, round_id="r") == audit_transcript(other, round_id="r")


@given(seed=seeds)
def test_reserved_seats_go_to_whoever_they_are_kept_for(seed):
    """No child with a claim is without a seat that somebody without one holds."""
    made = random_market(seed, siblings=False)
    placed = places(allocate(made, seed_of(seed)))
    special = {
        one.applicant: any(claim.kind == "special-need" for claim in one.claims)
        for one in made.applicants
    }
    for one in made.applicants:
        mine = one.choices.index(placed[one.applicant][0]) if placed[one.applicant][0] else 99
        for wish in one.choices[:mine] if special[one.applicant] else ():
            holders = [other for other, seat in placed.items() if seat == (wish, "special")]
            seats = dict(made.by_programme[wish].pools)["special"]
            assert len(holders) == seats
            assert all(special[other] for other in holders)


TINY = Rules(
    priorities=(Priority("sibling", "Sibling"),),
    pools=(Pool("kin", "For siblings", "sibling"), Pool(OPEN_POOL, "Open")),
    siblings_together=False,
)
LISTS = [
    choice for length in range(4) for choice in itertools.permutations(("pa", "pb", "pc"), length)
]


@pytest.mark.parametrize("seed", range(12))
def test_no_list_but_the_true_one_gets_a_child_more(seed):
    """Strategy-proofness by exhaustion: every child, every true list, every other list."""
    random = Random(seed)
    programmes = [
        Programme(name, f"s{name}", "g", (("kin", random.randrange(2)), (OPEN_POOL, 1)))
        for name in ("pa", "pb", "pc")
    ]
    others = [
        child(
            f"o{at}",
            "g",
            " ".join(random.choice(LISTS[4:])),
            *((Claim("sibling", random.choice(["spa", "spb", "spc"])),) if at % 2 else ()),
        )
        for at in range(5)
    ]
    mine = Claim("sibling", random.choice(["spa", "spb", "spc"]))
    got = {}
    for listed in LISTS:
        me = child("me", "g", " ".join(listed), mine)
        done = allocate(market(TINY, programmes, [*others, me]), seed_of(seed))
        got[listed] = done.placements["me"].programme
    for truth in LISTS:
        worth = {name: place for place, name in enumerate(truth)}
        best = worth.get(got[truth], 9)
        assert all(worth.get(place, 9) >= best for place in got.values()), (truth, got)


def test_a_stronger_claim_never_gets_a_child_less():
    for seed in range(30):
        made = random_market(seed, siblings=False)
        before = allocate(made, seed_of(seed)).placements
        for at in range(0, len(made.applicants), 7):
            one = made.applicants[at]
            stronger = replace(one, claims=(*one.claims, Claim("special-need")))
            rows = (*made.applicants[:at], stronger, *made.applicants[at + 1 :])
            after = allocate(market(made.rules, made.programmes, rows), seed_of(seed)).placements
            worse = after[one.applicant].choice or 99
            assert worse <= (before[one.applicant].choice or 99)


@given(seed=seeds)
def test_waiting_lists_follow_class_and_number(seed):
    made = random_market(seed, siblings=False)
    done = allocate(made, seed_of(seed))
    by_name = {one.applicant: one for one in made.applicants}
    for programme, names in done.waiting.items():
        keys = []
        for name in names:
            wish = next(one for one in done.wishes[name] if one.programme == programme)
            number = number_of(made, seed_of(seed), by_name[name], programme)
            keys.append((wish.standing.rank, number))
            assert done.placements[name].programme != programme
        assert keys == sorted(keys)


def test_nobody_applies_and_nobody_offers():
    empty = allocate(market(RULES, (), ()), seed_of(1))
    assert empty.placed == 0
    alone = market(RULES, (), (child("a", "g1", ""),))
    assert places(allocate(alone, seed_of(1))) == {"a": NONE}
    assert all(
        one.ok is not False for one in check_transcript(audit_transcript(empty, round_id="r"))
    )
    public = json.loads(public_transcript(empty, round_id="r", salts={}))
    assert public["results"] == []


@given(seed=seeds)
def test_with_a_number_for_each_programme_families_find_no_contradiction_either(seed):
    made = random_market(seed, 150, rules=MULTIPLE)
    done = allocate(made, seed_of(seed))
    salts = {one.applicant: one.commitment for one in made.applicants}
    found = read_transcript(public_transcript(done, round_id="r", salts=salts))
    assert isinstance(found, PublicTranscript)
    kin = older_schools(made, done.placements)
    for one in made.applicants:
        schools = kin.get(one.applicant, frozenset())
        place = done.placements[one.applicant]
        checks = check_child(found, one, salts[one.applicant], place, schools)
        assert False not in {each.ok for each in checks}

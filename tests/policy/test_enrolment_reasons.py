"""A family learns exactly why not each higher choice, and of nobody else's private class."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fakes.enrolment_markets import (
    RULES,
    SIBLING,
    SPECIAL,
    child,
    number_of,
    random_market,
    seed_of,
)
from kulla.services.enrolment.policy import lottery
from kulla.services.enrolment.policy.allocate import allocate, preferred
from kulla.services.enrolment.policy.market import Programme, market, told_pool
from kulla.services.enrolment.policy.reasons import Reason, reasons, reasons_of
from kulla.services.enrolment.policy.rules import OPEN_POOL, Claim, Pool, Rules
from kulla.services.enrolment.policy.transcript import public_transcript
from kulla.services.enrolment.policy.transcript_in import PublicTranscript, read_transcript

PLAIN = Rules(priorities=(SPECIAL, SIBLING), siblings_together=False)


def one_school(*children, seats: int = 1, rules: Rules = PLAIN, pools=None, more=()):
    offered = Programme("p", "s", "g", pools or ((OPEN_POOL, seats),))
    return allocate(market(rules, [offered, *more], children), seed_of(1))


def test_the_lottery_decided_and_both_numbers_are_told():
    done = one_school(child("a", "g", "p"), child("b", "g", "p"))
    loser = next(name for name, one in done.placements.items() if not one.choice)
    reason = reasons(done)[loser][0]
    assert reason.code == "lottery"
    assert float(reason.number) >= float(reason.under) > 0
    winner = "ab".replace(loser, "")
    number = lottery.number(
        done.seed, next(x.commitment for x in done.market.applicants if x.applicant == winner)
    )
    assert lottery.is_under(number, reason.under)
    assert reasons(done)[winner] == ()


def test_a_stronger_class_is_named_and_the_own_one():
    done = one_school(child("a", "g", "p", Claim("sibling", "s")), child("b", "g", "p"))
    assert reasons(done)["b"] == (Reason(1, "p", "priority", own="", last="sibling"),)


def test_a_private_class_is_not_named_to_others():
    done = one_school(child("a", "g", "p", Claim("special-need")), child("b", "g", "p"))
    assert reasons(done)["b"] == (Reason(1, "p", "priority", own="", last=""),)
    assert "special" not in str(reasons(done)["b"])


def test_a_family_learns_the_cut_off_of_its_own_private_class():
    done = one_school(
        child("a", "g", "p", Claim("special-need")), child("b", "g", "p", Claim("special-need"))
    )
    loser = next(name for name, one in done.placements.items() if not one.choice)
    reason = reasons(done)[loser][0]
    assert (reason.code, reason.own) == ("lottery", "special-need")


def test_seats_that_are_kept_for_others():
    rules = replace(PLAIN, pools=(Pool("kin", "Siblings", "sibling", "stay"), *PLAIN.pools))
    done = one_school(child("a", "g", "p"), rules=rules, pools=(("kin", 3),))
    assert [one.code for one in reasons(done)["a"]] == ["not-eligible"]


def test_a_programme_without_seats():
    done = one_school(child("a", "g", "p"), seats=0)
    assert [one.code for one in reasons(done)["a"]] == ["no-seats"]


@pytest.mark.parametrize("seed", range(25))
def test_every_refusal_has_one_true_reason(seed: int):
    made = random_market(seed, 120)
    done = allocate(made, seed_of(seed))
    told = reasons(done)
    kinds = [one.kind for one in RULES.priorities] + [""]
    for applicant in made.applicants:
        name = applicant.applicant
        before = preferred(done.wishes[name], done.placements[name])
        assert [one.programme for one in told[name]] == [wish.programme for wish in before]
        for wish, reason in zip(before, told[name], strict=True):
            assert reason.own == kinds[wish.standing.rank]
            assert reason.last != "special-need"
            if reason.code == "lottery":
                number = number_of(made, seed_of(seed), applicant, wish.programme)
                assert not lottery.is_under(number, reason.under)
                assert float(reason.number) >= float(reason.under)
            if reason.last:
                assert kinds.index(reason.last) < wish.standing.rank


def test_a_page_can_say_what_the_public_transcript_tells():
    kin, others = Claim("sibling", "s"), Claim("special-need")
    done = one_school(
        *(child(f"k{at}", "g", "p q", kin) for at in range(60)),
        *(child(f"o{at}", "g", "q p") for at in range(60)),
        *(child(f"n{at}", "g", "p q", others) for at in range(9)),
        seats=30,
        more=(Programme("q", "t", "g", ((OPEN_POOL, 8),)),),
    )
    made = done.market
    salts = {one.applicant: one.commitment for one in made.applicants}
    found = read_transcript(public_transcript(done, round_id="r", salts=salts))
    assert isinstance(found, PublicTranscript)
    told = reasons(done)
    codes = set()
    for one in made.applicants:
        name = one.applicant
        said = reasons_of(
            found.market, found.reached, found.seed, one, done.wishes[name], done.placements[name]
        )
        for public, own in zip(said, told[name], strict=True):
            codes.add(public.code)
            assert public.code in {own.code, "not-told"}
            assert public.under in {own.under, ""}
    assert codes == {"not-told", "priority"}


def test_a_private_pool_is_open_wherever_it_is_told():
    assert told_pool(RULES, "special") == "open"
    assert told_pool(RULES, "staff") == "staff"
    assert told_pool(RULES, "open") == "open"

"""Drafts, commitments and facts: each pure, and none of them believes what was posted."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.enrolment import RULES
from kulla.kernel.canonical import encode
from kulla.services.enrolment.applications.child import ChildFacts, child_of, child_text, grades_for
from kulla.services.enrolment.applications.commitment import (
    FactsInvalid,
    commitment_of,
    facts_of,
    facts_text,
)
from kulla.services.enrolment.applications.draft import (
    Draft,
    draft_of,
    draft_text,
    fitted,
    problems_of,
    undecided,
)
from kulla.services.enrolment.policy.rules import Claim, Facts

SCHOOLS = {"naim-1": "naim", "sami-1": "sami", "kamez-1": "kamez"}
STAFF, SIBLING, AREA = Claim("staff", "naim"), Claim("sibling", "sami"), Claim("area", "tiranë")
claims = st.lists(st.sampled_from([STAFF, SIBLING, AREA, Claim("looked-after")]), unique=True)


@pytest.mark.parametrize(
    ("edit", "programme", "after"),
    [
        ("add", "d", ("a", "b", "c", "d")),
        ("add", "b", ("a", "b", "c")),
        ("up", "c", ("a", "c", "b")),
        ("up", "a", ("a", "b", "c")),
        ("down", "a", ("b", "a", "c")),
        ("down", "c", ("a", "b", "c")),
        ("remove", "b", ("a", "c")),
        ("remove", "x", ("a", "b", "c")),
        ("fly", "b", ("a", "b", "c")),
    ],
)
def test_a_button_moves_one_programme(edit: str, programme: str, after: tuple[str, ...]) -> None:
    assert Draft(choices=("a", "b", "c")).edited(edit, programme).choices == after


def test_what_the_round_does_not_have_falls_out() -> None:
    posted = Draft(
        "1",
        ("naim-1", "nowhere", "sami-1"),
        together=True,
        claims=(STAFF, Claim("staff", "vlore"), Claim("king", ""), AREA, AREA, Claim("area", "x")),
    )
    found = fitted(posted, RULES, SCHOOLS, "tiranë")
    assert found.choices == ("naim-1", "sami-1")
    assert found.claims == (STAFF, AREA)
    assert not found.together, "together with nobody is no wish"
    assert problems_of(found, RULES, ["1"]) == {}
    assert problems_of(Draft(), RULES, ["1"]) == {"grade": "no-grade", "choices": "no-choices"}


@given(before=claims, after=claims)
def test_a_claim_keeps_its_number_and_only_other_claims_lose_their_decision(
    before: list[Claim], after: list[Claim]
) -> None:
    old = Facts(tuple(before))
    new = Draft(claims=tuple(after)).facts("", old)
    assert set(new.claims) == set(after)
    fallen = undecided(old, new)
    for number, claim in enumerate(before):
        stands = number < len(new.claims) and new.claims[number] == claim
        assert (number in fallen) != stands
    if set(before) <= set(after):
        assert fallen == [], "more claims cost no decision"


@given(st.text(max_size=200))
def test_a_draft_of_another_release_is_none(text: str) -> None:
    assert draft_of(text) is None or isinstance(draft_of(text), Draft)


def test_a_draft_comes_back_as_it_was() -> None:
    draft = Draft("1", ("naim-1",), True, ("f" * 32,), (STAFF, AREA), 3)
    assert draft_of(draft_text(draft)) == draft
    assert draft_text(draft).isascii()


def test_the_commitment_is_what_the_page_says_it_is() -> None:
    facts = Facts((STAFF,), ("f" * 32,), "tiranë")
    plain = {"claims": [["staff", "naim"]], "siblings": ["f" * 32], "area": "tiranë"}
    salt = bytes(range(32))
    meant = hashlib.sha256(salt + encode(["1", ["naim-1"], True, plain])).digest()
    assert commitment_of(salt, "1", ("naim-1",), True, facts) == meant
    others = {
        commitment_of(bytes(32), "1", ("naim-1",), True, facts),
        commitment_of(salt, "10", ("naim-1",), True, facts),
        commitment_of(salt, "1", ("sami-1",), True, facts),
        commitment_of(salt, "1", ("naim-1",), False, facts),
        commitment_of(salt, "1", ("naim-1",), True, Facts()),
        meant,
    }
    assert len(others) == 6


@given(claims=claims, siblings=st.lists(st.sampled_from(["1" * 32, "2" * 32]), unique=True))
def test_no_length_tells_who_has_a_claim(claims: list[Claim], siblings: list[str]) -> None:
    facts = Facts(tuple(claims), tuple(siblings), "tiranë")
    assert facts_of(facts_text(facts)) == facts
    assert len(facts_text(facts).encode()) == len(facts_text(Facts()).encode())


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"claims":[1],"siblings":[],"area":""}'])
def test_facts_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(FactsInvalid):
        facts_of(text)


def test_a_child_has_the_grades_of_its_age() -> None:
    grades = ["1", "10"]
    assert grades_for(RULES, grades, "2019-09-01") == ["1"]
    assert grades_for(RULES, grades, "2020-08-31") == ["1"]
    assert grades_for(RULES, grades, "2020-09-01") == []
    assert grades_for(RULES, grades, "2011-01-01") == ["10"]
    known = ChildFacts("2020-01-02", "Rruga 1", "tiranë")
    assert child_of(child_text(known)) == known

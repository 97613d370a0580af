"""Transcripts prove what they say, show what was changed, and tell nobody's class."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fakes.enrolment_markets import (
    SIBLING,
    SPECIAL,
    child,
    commitment,
    random_market,
    seed_of,
)
from kulla.kernel.errors import KullaError
from kulla.services.enrolment.policy import draw, lottery
from kulla.services.enrolment.policy.allocate import Placement, allocate, older_schools
from kulla.services.enrolment.policy.check import check_child, check_transcript
from kulla.services.enrolment.policy.cutoffs import LEAST_TOLD, Reached, cutoffs, told
from kulla.services.enrolment.policy.market import Applicant, Programme, market
from kulla.services.enrolment.policy.rules import OPEN_POOL, Claim, Pool, Rules
from kulla.services.enrolment.policy.transcript import (
    audit_transcript,
    list_root,
    public_transcript,
)
from kulla.services.enrolment.policy.transcript_in import PublicTranscript, read_transcript

MADE = random_market(5, 200)
DONE = allocate(MADE, seed_of(5))
SALTS = {one.applicant: commitment(f"salt {one.applicant}") for one in MADE.applicants}
SECRETS = {"secrets": [["vienna", "00", "aa" * 32, "embassy"], ["rome", "00", "bb" * 32, ""]]}


def public(parts: Any = None) -> dict[str, Any]:
    data = public_transcript(DONE, round_id="r1", salts=SALTS, parts=parts)
    return json.loads(data)


def audit() -> dict[str, Any]:
    return json.loads(audit_transcript(DONE, round_id="r1"))


def findings(found: dict[str, Any], **more: Any) -> dict[str, bool | None]:
    data = json.dumps(found).encode()
    return {one.check: one.ok for one in check_transcript(data, **more)}


def test_both_hold_and_say_what_they_can_not():
    assert findings(audit()) == {
        "seed": None,
        "recomputed": True,
        "capacity": True,
        "quotas": True,
        "stability": True,
        "waiting-lists": True,
        "siblings": True,
    }
    assert findings(public()) == {
        "seed": None,
        "list": True,
        "results": True,
        "capacity": True,
        "cut-offs": True,
        "stability": None,
    }


def test_the_seed_is_computed_from_the_secrets_and_the_list():
    def derive(round_id: str, count: int, root: bytes, secrets: list[tuple[str, bytes]]) -> bytes:
        assert (round_id, count) == ("r1", 200)
        assert root.hex() == public()["list"]["root"]
        assert secrets == [("vienna", b"\xaa" * 32), ("rome", b"\xbb" * 32)]
        return seed_of(5)

    assert findings(public(SECRETS), derive=derive)["seed"] is True
    assert findings(public(SECRETS), derive=lambda *_: bytes(32))["seed"] is False


def _first(found: dict[str, Any], placed: bool) -> dict[str, Any]:
    return next(
        one for one in found["applicants"] if bool(one["result"][2]) == placed and one["choices"]
    )


def _take_a_seat_away(found: dict[str, Any]) -> None:
    _first(found, True)["result"] = ["", "", 0]


def _give_a_seat_beyond_capacity(found: dict[str, Any]) -> None:
    one = _first(found, False)
    pools = {row["programme"]: row["pools"] for row in found["programmes"]}
    one["result"] = [one["choices"][0], pools[one["choices"][0]][0][0], 1]


def _claim_afterwards(found: dict[str, Any]) -> None:
    for one in found["applicants"]:
        if not one["result"][2]:
            one["claims"] = [["special-need", ""]]


def _turn_a_waiting_list(found: dict[str, Any]) -> None:
    name = next(name for name, rows in found["waiting"].items() if len(rows) > 1)
    found["waiting"][name].reverse()


def _invent_a_family(found: dict[str, Any]) -> None:
    one, other = found["applicants"][:2]
    row = [one["commitment"], "p0", other["commitment"], "followed"]
    found["unsettled"].append(row)


def _another_seed(found: dict[str, Any]) -> None:
    found["lottery"]["seed"] = "ab" * 32


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (_take_a_seat_away, "recomputed"),
        (_take_a_seat_away, "stability"),
        (_give_a_seat_beyond_capacity, "capacity"),
        (_claim_afterwards, "stability"),
        (_turn_a_waiting_list, "waiting-lists"),
        (_invent_a_family, "siblings"),
        (_another_seed, "recomputed"),
    ],
)
def test_an_auditor_sees_what_was_changed(change: Callable[[dict[str, Any]], None], check: str):
    found = audit()
    change(found)
    assert findings(found)[check] is False


def test_the_public_sees_what_was_changed():
    found = public()
    assert findings({**found, "commitments": found["commitments"][1:]})["list"] is False
    assert findings({**found, "results": found["results"][1:]})["results"] is False
    assert findings({**found, "placed": found["placed"] + 1})["capacity"] is False
    over = found["programmes"]
    over[0]["filled"] = 10_000
    assert findings(found)["capacity"] is False


def test_a_weaker_class_before_a_stronger_is_seen():
    found = public()
    row = found["programmes"][0]
    row["cutoffs"] = [
        {"priority": "sibling", "pools": [], "under": "0.5"},
        {"priority": "", "pools": [], "under": "0.2"},
    ]
    assert findings(found)["cut-offs"] is False


BAD = {
    "no JSON": b"{",
    "another kind": b'{"kind": "x"}',
    "another version": b'{"kind": "kulla-enrolment-public", "version": 9}',
    "a field is missing": b'{"kind": "kulla-enrolment-audit", "version": 1}',
    "not even a table": b"[]",
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
def test_what_is_no_transcript_is_refused(data: bytes):
    with pytest.raises(KullaError):
        check_transcript(data)


@pytest.mark.parametrize("key", ["rules", "programmes", "applicants", "lottery", "waiting"])
@pytest.mark.parametrize("value", [None, 7, "x", [1], {"a": 1}])
def test_a_misshapen_field_is_an_error_that_is_said(key: str, value: Any):
    with pytest.raises(KullaError):
        check_transcript(json.dumps({**audit(), key: value}).encode())


@pytest.mark.parametrize("key", ["commitments", "results", "list", "placed", "programmes"])
@pytest.mark.parametrize("value", [None, "x", [1], {"a": 1}])
def test_a_misshapen_public_field_too(key: str, value: Any):
    with pytest.raises(KullaError):
        check_transcript(json.dumps({**public(), key: value}).encode())


# A family's own check.


def read() -> PublicTranscript:
    found = read_transcript(public_transcript(DONE, round_id="r1", salts=SALTS))
    assert isinstance(found, PublicTranscript)
    return found


def test_every_family_finds_its_own_result_and_no_contradiction():
    found, kin = read(), older_schools(MADE, DONE.placements)
    for one in MADE.applicants:
        name = one.applicant
        checks = check_child(
            found, one, SALTS[name], DONE.placements[name], kin.get(name, frozenset())
        )
        assert [each.ok for each in checks[:2]] == [True, True]
        assert checks[2].ok is not False


def test_a_family_that_was_told_another_result_sees_it():
    found = read()
    one = next(one for one in MADE.applicants if DONE.placements[one.applicant].choice == 1)
    salt = SALTS[one.applicant]
    checks = {each.check: each.ok for each in check_child(found, one, salt, Placement())}
    assert checks["result"] is False
    other = replace(one, commitment=commitment("somebody else"))
    checks = {each.check: each.ok for each in check_child(found, other, salt, Placement())}
    assert checks["listed"] is False


# Nobody's class is told.


def test_no_word_of_a_private_class_is_in_the_public_transcript():
    found = public()
    for row in found["programmes"]:
        for cutoff in row["cutoffs"]:
            assert cutoff["priority"] != "special-need"
            assert "special" not in cutoff["pools"]
    text = json.dumps({**found, "rules": None})
    for one in MADE.applicants:
        assert f'"{one.applicant}"' not in text


def test_results_can_not_be_joined_with_commitments():
    """Only who has the salt finds a result: no order, no shared text leads from one to another."""
    found = public()
    assert found["results"] == sorted(found["results"])
    assert not set(found["results"]) & set(found["commitments"])
    others = {name: commitment(f"other {name}") for name in SALTS}
    again = json.loads(public_transcript(DONE, round_id="r1", salts=others))
    assert not set(found["results"]) & set(again["results"])
    assert {**found, "results": 0} == {**again, "results": 0}


View = tuple[tuple[str, int, tuple[tuple[int, str], ...]], ...]


def view_of(reached: dict[str, Reached]) -> View:
    return tuple(
        (name, one.filled, tuple(sorted((own.rank, under) for own, under in one.under.items())))
        for name, one in reached.items()
    )


def crowd(below: int, above: int) -> list[str]:
    """Names of children of whom so many have numbers from 0.4 to 0.5, and so many from 0.5 on."""
    names: dict[bool, list[str]] = {True: [], False: []}
    for at in range(1000):
        number = lottery.number(seed_of(1), commitment(f"x{at}"))
        if not lottery.is_under(number, "0.4"):
            names[lottery.is_under(number, "0.5")].append(f"x{at}")
    return names[True][:below] + names[False][:above]


BOTH = Rules(priorities=(SPECIAL, SIBLING), siblings_together=False)
TURNED = Rules(priorities=(SIBLING, SPECIAL), siblings_together=False)
ONLY_PRIVATE = Rules(priorities=(SPECIAL,), siblings_together=False)
POOL = replace(ONLY_PRIVATE, pools=(Pool("sp", "x", "special-need"), Pool(OPEN_POOL, "o")))
NONE, NEED, KIN = (), (Claim("special-need"),), (Claim("sibling", "sp"),)


@pytest.mark.parametrize(
    ("names", "seats", "rules", "claims", "least"),
    [
        (["a", "b", "c"], {"p": 1, "q": 1}, BOTH, (NONE, NEED, KIN), LEAST_TOLD),
        (["a", "b", "c"], {"p": 1, "q": 1}, POOL, (NONE, NEED), LEAST_TOLD),
        (crowd(4, 4), {"p": 2}, ONLY_PRIVATE, (NONE, NEED), 2),
        (crowd(4, 4), {"p": 3}, ONLY_PRIVATE, (NONE, NEED), 2),
        (crowd(4, 4), {"p": 4}, ONLY_PRIVATE, (NONE, NEED), 2),
        (crowd(4, 4), {"p": 3}, POOL, (NONE, NEED), 2),
        (crowd(4, 4), {"p": 3}, BOTH, (NONE, KIN), 2),
        pytest.param(crowd(4, 4), {"p": 3}, BOTH, (NONE, NEED, KIN), 2, marks=pytest.mark.long),
        pytest.param(crowd(4, 4), {"p": 3}, TURNED, (NONE, NEED, KIN), 2, marks=pytest.mark.long),
    ],
    ids=range(9),
)
def test_who_knows_every_number_still_can_not_conclude_a_class(names, seats, rules, claims, least):
    """Every world there could be: who wants what, and who has which class.

    The one who infers knows each child by name with its number, and the public transcript, and
    thinks through all worlds that give this transcript; what families wish is not known. For no
    child may all of these worlds agree that it has a class.
    """
    pools = [pool.pool for pool in rules.pools]
    programmes = [
        Programme(name, f"s{name}", "g", tuple((pool, count) for pool in pools))
        for name, count in seats.items()
    ]
    lists = ("p", "q", "p q", "q p") if len(seats) > 1 else ("p",)
    options = [*itertools.product(lists, claims), *([] if len(seats) > 1 else [("", NONE)])]
    worlds: dict[View, list[tuple[tuple[Claim, ...], ...]]] = defaultdict(list)
    for world in itertools.product(options, repeat=len(names)):
        rows: list[Applicant] = [
            child(name, "g", wish, *held) for name, (wish, held) in zip(names, world, strict=True)
        ]
        done = allocate(market(rules, programmes, rows), seed_of(1))
        worlds[view_of(told(done, least))].append(tuple(held for _, held in world))
    for view, possible in worlds.items():
        for at, name in enumerate(names):
            for claim in claims[1:]:
                assert any(world[at] != claim for world in possible), (name, claim, view)
    if len(names) > 3:
        assert len(worlds) > 1, "something is told, or this test could not fail"


def test_without_these_rules_somebody_is_told_of():
    """The same thought does conclude a class from cut-offs that are told of everybody."""
    programmes = [Programme("p", "sp", "g", ((OPEN_POOL, 1),))]
    worlds = defaultdict(list)
    for world in itertools.product((NONE, NEED), repeat=3):
        rows = [child(name, "g", "p", *held) for name, held in zip("abc", world, strict=True)]
        done = allocate(market(ONLY_PRIVATE, programmes, rows), seed_of(1))
        worlds[view_of(cutoffs(done))].append(world)
    assert any(all(one[at] == NEED for one in some) for some in worlds.values() for at in range(3))


def test_the_lotterys_own_seed_is_found_again_in_both_transcripts():
    root = list_root([one.commitment for one in MADE.applicants])
    secrets = [("vienna", b"\x01" * 32), ("rome", b"\x02" * 32)]
    seed = draw.seed_of("r1", len(MADE.applicants), root, secrets)
    done = allocate(MADE, seed)
    told_secrets = {"secrets": [[name, "00", one.hex(), "embassy"] for name, one in secrets]}
    whole = public_transcript(done, round_id="r1", salts=SALTS, parts=told_secrets)
    inputs = audit_transcript(done, round_id="r1", parts=told_secrets)
    for data in (whole, inputs):
        assert findings(json.loads(data), derive=draw.seed_of)["seed"] is True
        other = {**json.loads(data), "round": "r2"}
        assert findings(other, derive=draw.seed_of)["seed"] is False

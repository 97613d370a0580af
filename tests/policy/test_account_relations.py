"""Who is who, and who acts for whom: a clerk saw it, or a citizen gave a secret to somebody."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.desk import Desk
from kulla.kernel.errors import UnfitAct
from kulla.kernel.rows import Row
from kulla.kernel.service import Act, Actor, Refusal
from kulla.services.accounts import acts, apply, relations
from kulla.services.accounts.authority import may_act_for
from kulla.services.accounts.service import SERVICE

ANA, BEN, CEN, CLERK = "a" * 32, "b" * 32, "c" * 32, "f" * 32
NOW_MS = 1_772_000_000_123  # 25 February 2026, 06:13 UTC
TODAY, TOMORROW, YESTERDAY = "2026-02-25", "2026-02-26", "2026-02-24"
DAY_MS = 24 * 3600 * 1000
SECRET = b"a secret on paper"
HASH = relations.hash_of(SECRET)


@pytest.fixture
def desk() -> Desk:
    return Desk(SERVICE, NOW_MS)


def may(desk: Desk, guardian: str, ward: str) -> bool:
    return may_act_for(desk.rows, Actor("citizen", guardian, ward), desk.now_ms)


def relate(desk: Desk, until_day: str = "", **other: Any) -> str:
    data = {"guardian": ANA, "ward": BEN, "kind": "child", "until_day": until_day} | other
    act = desk.done("clerk", CLERK, "relate", **data)
    return str(act.data["relation"])


def relation_of(desk: Desk, key: str) -> Row:
    row = desk.rows.get(apply.RELATION, key)
    assert row is not None
    return row


def test_a_clerk_notes_who_a_person_is(desk: Desk) -> None:
    desk.done("clerk", CLERK, "identify", subject=ANA, number=b"n" * 32, document="id-card")
    assert desk.rows.get(apply.NUMBER, b"n" * 32) == {
        "token": b"n" * 32,
        "subject": ANA,
        "document": "id-card",
        "identified_ms": NOW_MS,
        "position": 0,
    }


def test_a_number_and_a_person_are_one(desk: Desk) -> None:
    desk.done("clerk", CLERK, "identify", subject=ANA, number=b"n" * 32, document="passport")
    refusal = desk.refused(
        "clerk", CLERK, "identify", subject=BEN, number=b"n" * 32, document="id-card"
    )
    assert refusal == Refusal("number-taken", {"subject": ANA})
    for number in (b"n" * 32, b"m" * 32):
        refusal = desk.refused(
            "clerk", CLERK, "identify", subject=ANA, number=number, document="id-card"
        )
        assert refusal == Refusal("already-identified")


def test_a_clerk_decides_nothing_about_themself(desk: Desk) -> None:
    own = {"subject": CLERK, "number": b"n" * 32, "document": "other"}
    assert desk.refused("clerk", CLERK, "identify", **own) == Refusal("own-matter")
    for guardian, ward in ((CLERK, BEN), (ANA, CLERK)):
        data = {"guardian": guardian, "ward": ward, "kind": "child", "until_day": ""}
        assert desk.refused("clerk", CLERK, "relate", **data) == Refusal("own-matter")


def test_a_parent_acts_for_a_child_until_it_ends(desk: Desk) -> None:
    assert not may(desk, ANA, BEN)
    key = relate(desk)
    assert may(desk, ANA, BEN)
    assert not may(desk, BEN, ANA)
    assert not may(desk, CEN, BEN)
    assert relation_of(desk, key) == {
        "id": key,
        "guardian": ANA,
        "ward": BEN,
        "kind": "child",
        "until_day": "",
        "state": "stands",
        "since_ms": NOW_MS,
        "position": 0,
    }
    desk.done("citizen", BEN, "end_relation", relation=key)
    assert not may(desk, ANA, BEN)
    assert relation_of(desk, key)["state"] == "ended"
    refusal = desk.refused("citizen", ANA, "end_relation", relation=key)
    assert refusal == Refusal("already-ended", {"relation": key})
    assert desk.replayed().tables == desk.rows.tables


def test_a_relation_holds_through_its_last_day(desk: Desk) -> None:
    relate(desk, TOMORROW)
    desk.now_ms += DAY_MS
    assert may(desk, ANA, BEN)
    desk.now_ms += DAY_MS
    assert not may(desk, ANA, BEN)
    relate(desk)  # what is over stands in nobody's way
    assert may(desk, ANA, BEN)
    assert desk.replayed().tables == desk.rows.tables


def test_nobody_is_related_twice_or_to_themself_or_too_late(desk: Desk) -> None:
    key = relate(desk)
    data = {"guardian": ANA, "ward": BEN, "kind": "child", "until_day": ""}
    refusal = desk.refused("clerk", CLERK, "relate", **data)
    assert refusal == Refusal("already-related", {"relation": key})
    assert desk.refused("clerk", CLERK, "relate", **data | {"ward": ANA}).code == "same-person"
    late = data | {"ward": CEN, "until_day": YESTERDAY}
    refusal = desk.refused("clerk", CLERK, "relate", **late)
    assert refusal == Refusal("until-past", {"until_day": YESTERDAY})
    relate(desk, TODAY, ward=CEN)


def test_only_the_two_and_a_clerk_end_a_relation(desk: Desk) -> None:
    key = relate(desk)
    assert desk.refused("citizen", CEN, "end_relation", relation=key).code == "relation-unknown"
    missing = desk.refused("citizen", ANA, "end_relation", relation="9" * 32)
    assert missing == Refusal("relation-unknown")
    desk.done("clerk", CLERK, "end_relation", relation=key)
    for who in (ANA, BEN):
        key = relate(desk)
        desk.done("citizen", who, "end_relation", relation=key)
    assert desk.replayed().tables == desk.rows.tables


def test_a_power_of_attorney_is_taken_up_with_the_secret(desk: Desk) -> None:
    desk.done("citizen", ANA, "grant_attorney", secret_hash=HASH, until_day=TOMORROW)
    assert desk.rows.get(apply.OFFER, HASH) is not None
    wrong = desk.refused("citizen", BEN, "accept_attorney", secret=SECRET + b"!")
    assert wrong == Refusal("offer-unknown")
    act = desk.done("citizen", BEN, "accept_attorney", secret=SECRET)
    assert SECRET not in act.data.values()
    assert act.data["secret_hash"] == HASH
    row = relation_of(desk, act.data["relation"])
    assert (row["guardian"], row["ward"], row["kind"]) == (BEN, ANA, "attorney")
    assert row["until_day"] == TOMORROW
    assert may(desk, BEN, ANA)
    again = desk.refused("citizen", CEN, "accept_attorney", secret=SECRET)
    assert again == Refusal("offer-unknown")
    assert desk.replayed().tables == desk.rows.tables


def test_a_child_and_a_power_of_attorney_stand_side_by_side(desk: Desk) -> None:
    child = relate(desk, guardian=BEN, ward=ANA)
    desk.done("citizen", ANA, "grant_attorney", secret_hash=HASH, until_day="")
    attorney = desk.done("citizen", BEN, "accept_attorney", secret=SECRET).data["relation"]
    desk.done("citizen", ANA, "end_relation", relation=child)
    assert may(desk, BEN, ANA)
    desk.done("citizen", ANA, "end_relation", relation=attorney)
    assert not may(desk, BEN, ANA)


def test_nobody_takes_up_their_own_offer_or_a_second_one(desk: Desk) -> None:
    desk.done("citizen", ANA, "grant_attorney", secret_hash=HASH, until_day="")
    assert desk.refused("citizen", ANA, "accept_attorney", secret=SECRET).code == "same-person"
    key = desk.done("citizen", BEN, "accept_attorney", secret=SECRET).data["relation"]
    second = b"another secret on paper"
    desk.done("citizen", ANA, "grant_attorney", secret_hash=relations.hash_of(second), until_day="")
    refusal = desk.refused("citizen", BEN, "accept_attorney", secret=second)
    assert refusal == Refusal("already-related", {"relation": key})


def test_an_offer_grows_old_and_can_be_taken_back(desk: Desk) -> None:
    desk.done("citizen", ANA, "grant_attorney", secret_hash=HASH, until_day="")
    desk.now_ms += relations.OFFER_DAYS * DAY_MS - 1
    other = desk.refused("citizen", BEN, "withdraw_attorney", secret_hash=HASH)
    assert other == Refusal("offer-unknown")
    desk.now_ms += 1
    assert desk.refused("citizen", BEN, "accept_attorney", secret=SECRET).code == "offer-unknown"
    desk.done("citizen", ANA, "withdraw_attorney", secret_hash=HASH)
    assert desk.rows.tables[apply.OFFER] == {}
    gone = desk.refused("citizen", ANA, "withdraw_attorney", secret_hash=HASH)
    assert gone == Refusal("offer-unknown")
    assert desk.replayed().tables == desk.rows.tables


def test_an_offer_whose_last_day_is_over_is_not_taken_up(desk: Desk) -> None:
    past = desk.refused("citizen", ANA, "grant_attorney", secret_hash=HASH, until_day=YESTERDAY)
    assert past == Refusal("until-past", {"until_day": YESTERDAY})
    desk.done("citizen", ANA, "grant_attorney", secret_hash=HASH, until_day=TODAY)
    desk.now_ms += DAY_MS
    refusal = desk.refused("citizen", BEN, "accept_attorney", secret=SECRET)
    assert refusal == Refusal("until-past", {"until_day": TODAY})


def test_offers_are_bounded_and_their_secrets_different(desk: Desk) -> None:
    def offer(number: int) -> Any:
        return desk.ask(
            "citizen", ANA, "grant_attorney", secret_hash=bytes([number]) * 32, until_day=""
        )

    for number in range(relations.OFFERS_MAX):
        assert isinstance(offer(number), list)
    assert offer(0) == Refusal("taken", {"kind": "offer"})
    assert offer(99) == Refusal("too-many", {"max": relations.OFFERS_MAX})
    desk.now_ms += relations.OFFER_DAYS * DAY_MS
    assert isinstance(offer(99), list)


WISHES: dict[str, dict[str, Any]] = {
    "identify": {"subject": ANA, "number": b"n" * 32, "document": "id-card"},
    "relate": {"guardian": ANA, "ward": BEN, "kind": "child", "until_day": ""},
    "grant_attorney": {"secret_hash": HASH, "until_day": ""},
    "withdraw_attorney": {"secret_hash": HASH},
    "accept_attorney": {"secret": SECRET},
    "end_relation": {"relation": "9" * 32},
}
MAY = {
    "identify": {"clerk"},
    "relate": {"clerk"},
    "grant_attorney": {"citizen"},
    "withdraw_attorney": {"citizen"},
    "accept_attorney": {"citizen"},
    "end_relation": {"citizen", "clerk"},
}


@pytest.mark.parametrize("name", WISHES)
@pytest.mark.parametrize("role", ["citizen", "clerk", "operator", "analyst", "custodian"])
def test_each_role_may_what_is_its_own(desk: Desk, name: str, role: Any) -> None:
    answer = desk.ask(role, CLERK, name, **WISHES[name])
    refused = answer == Refusal("not-allowed", {"role": role, "command": name})
    assert refused == (role not in MAY[name])


@pytest.mark.parametrize("name", WISHES)
def test_nobody_does_these_in_anothers_place(desk: Desk, name: str) -> None:
    desk.behalf = BEN
    role: Any = "citizen" if "citizen" in MAY[name] else "clerk"
    assert desk.refused(role, CEN, name, **WISHES[name]) == Refusal("not-for-another")


@pytest.mark.parametrize(
    ("name", "wrong", "field"),
    [
        ("identify", {"subject": "x"}, "subject"),
        ("identify", {"number": "n" * 32}, "number"),
        ("identify", {"document": "library-card"}, "document"),
        ("identify", {"surplus": 1}, "surplus"),
        ("relate", {"guardian": None}, "guardian"),
        ("relate", {"ward": b"b" * 32}, "ward"),
        ("relate", {"kind": "attorney"}, "kind"),
        ("relate", {"until_day": None}, "until_day"),
        ("relate", {"until_day": "2026-02-30"}, "until_day"),
        ("relate", {"until_day": "20260228"}, "until_day"),
        ("relate", {"until_day": "1960-01-01"}, "until_day"),
        ("relate", {"surplus": 1}, "surplus"),
        ("grant_attorney", {"secret_hash": b""}, "secret_hash"),
        ("grant_attorney", {"until_day": 7}, "until_day"),
        ("grant_attorney", {"surplus": 1}, "surplus"),
        ("withdraw_attorney", {"secret_hash": None}, "secret_hash"),
        ("withdraw_attorney", {"surplus": 1}, "surplus"),
        ("accept_attorney", {"secret": "text on paper with letters"}, "secret"),
        ("accept_attorney", {"secret": b"too short"}, "secret"),
        ("accept_attorney", {"secret": b"x" * 129}, "secret"),
        ("accept_attorney", {"surplus": 1}, "surplus"),
        ("end_relation", {"relation": 9}, "relation"),
        ("end_relation", {"surplus": 1}, "surplus"),
    ],
)
def test_a_misshapen_field_is_named(
    desk: Desk, name: str, wrong: dict[str, Any], field: str
) -> None:
    role: Any = "citizen" if "citizen" in MAY[name] else "clerk"
    refusal = desk.refused(role, CLERK, name, **WISHES[name] | wrong)
    assert refusal == Refusal("malformed", {"field": field})


def test_acts_that_do_not_fit_change_nothing(desk: Desk) -> None:
    key = relate(desk)
    desk.done("clerk", CLERK, "identify", **WISHES["identify"])
    ended = relate(desk, guardian=CEN)
    desk.done("clerk", CLERK, "end_relation", relation=ended)
    desk.done("citizen", ANA, "grant_attorney", secret_hash=HASH, until_day="")
    before = desk.replayed().tables
    two = {"guardian": ANA, "ward": BEN}
    accepted = {"relation": "9" * 32, "guardian": CEN, "until_day": ""}
    stray = [
        (acts.IDENTIFIED, {**WISHES["identify"], "subject": CEN}),
        (acts.RELATED, {"relation": key, "kind": "child", "until_day": "", **two}),
        (acts.ATTORNEY_OFFERED, {"subject": BEN, "secret_hash": HASH, "until_day": ""}),
        (acts.ATTORNEY_WITHDRAWN, {"subject": BEN, "secret_hash": HASH}),
        (acts.ATTORNEY_WITHDRAWN, {"subject": ANA, "secret_hash": b"x" * 32}),
        (acts.ATTORNEY_ACCEPTED, {**accepted, "ward": BEN, "secret_hash": HASH}),
        (acts.ATTORNEY_ACCEPTED, {**accepted, "ward": ANA, "secret_hash": b"x" * 32}),
        (acts.ATTORNEY_ACCEPTED, accepted | {"ward": ANA, "secret_hash": HASH, "relation": key}),
        (acts.RELATION_ENDED, {"relation": ended, **two}),
        (acts.RELATION_ENDED, {"relation": "9" * 32, **two}),
    ]
    for name, data in stray:
        actor = Actor("clerk", CLERK)
        act = Act(99, "accounts", name, 1, NOW_MS, actor, b"x" * 32, data)
        with pytest.raises(UnfitAct, match="act 99"):
            SERVICE.acts[name].apply(desk.rows, act)
    assert desk.rows.tables == before

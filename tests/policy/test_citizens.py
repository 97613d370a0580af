"""Who may add whom to the citizens register."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.desk import Desk
from kulla.kernel.errors import UnfitAct
from kulla.kernel.service import Refusal
from kulla.services.citizens import policy
from kulla.services.citizens.apply import CITIZEN
from kulla.services.citizens.service import SERVICE

ANA, BEN, CLERK = "a" * 32, "b" * 32, "c" * 32
NOW_MS = 1_772_000_000_123


@pytest.fixture
def desk() -> Desk:
    return Desk(SERVICE, NOW_MS)


def many(count: int) -> list[dict[str, Any]]:
    return [
        {"subject": f"{number:032x}", "name": b"sealed", "key": number.to_bytes(32, "big")}
        for number in range(count)
    ]


def test_a_citizen_signs_up_alone(desk: Desk) -> None:
    act = desk.done("citizen", ANA, "register", subject=ANA, name=b"sealed")
    assert act.data == {"subject": ANA, "name": b"sealed"}
    assert desk.rows.get(CITIZEN, ANA) == {
        "subject": ANA,
        "name_sealed": b"sealed",
        "registered_ms": NOW_MS,
        "position": 0,
    }


def test_a_citizen_registers_nobody_else(desk: Desk) -> None:
    assert desk.refused("citizen", ANA, "register", subject=BEN, name=b"x").code == "not-yours"


@pytest.mark.parametrize("role", ["clerk", "operator"])
def test_staff_register_a_citizen_with_the_name_of_their_key(desk: Desk, role: Any) -> None:
    act = desk.done(role, CLERK, "register", subject=ANA, name=b"sealed", key=b"k" * 32)
    assert act.data["key"] == b"k" * 32


def test_nobody_is_registered_twice(desk: Desk) -> None:
    desk.done("citizen", ANA, "register", subject=ANA, name=b"first")
    refusal = desk.refused("clerk", CLERK, "register", subject=ANA, name=b"second")
    assert refusal == Refusal("already-registered", {"subject": ANA})
    rows = [{"subject": subject, "name": b"x", "key": b"k" * 32} for subject in (BEN, ANA)]
    assert desk.refused("clerk", CLERK, "register_many", citizens=rows) == refusal
    twice = [rows[0], rows[0]]
    assert desk.refused("clerk", CLERK, "register_many", citizens=twice).detail == {"subject": BEN}
    assert len(desk.rows.tables[CITIZEN]) == 1


def test_an_import_gives_one_act_each(desk: Desk) -> None:
    acts = desk.ask("operator", "op", "register_many", citizens=many(policy.MANY_MAX))
    assert isinstance(acts, list)
    assert len(acts) == policy.MANY_MAX == len(desk.rows.tables[CITIZEN])
    assert acts[7].data == many(8)[7]
    assert desk.replayed().tables == desk.rows.tables


def test_an_import_is_bounded(desk: Desk) -> None:
    rows = many(policy.MANY_MAX + 1)
    refusal = desk.refused("operator", "op", "register_many", citizens=rows)
    assert refusal == Refusal("too-many", {"max": policy.MANY_MAX})


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("analyst", "register"),
        ("custodian", "register"),
        ("citizen", "register_many"),
        ("analyst", "register_many"),
        ("custodian", "register_many"),
    ],
)
def test_others_may_not(desk: Desk, role: Any, name: str) -> None:
    refusal = desk.refused(role, ANA, name, subject=ANA, name=b"x")
    assert refusal == Refusal("not-allowed", {"role": role, "command": name})


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"subject": "A" * 32}, "subject"),
        ({"subject": "a" * 31}, "subject"),
        ({"subject": 7}, "subject"),
        ({"subject": None}, "subject"),
        ({"name": "in clear"}, "name"),
        ({"name": b""}, "name"),
        ({"name": b"x" * 8193}, "name"),
        ({"key": b"short"}, "key"),
        ({"key": None}, "key"),
        ({"surplus": 1}, "surplus"),
    ],
)
def test_a_misshapen_field_is_named(desk: Desk, wrong: dict[str, Any], field: str) -> None:
    good = {"subject": ANA, "name": b"sealed", "key": b"k" * 32}
    assert desk.refused("clerk", CLERK, "register", **good | wrong).detail == {"field": field}
    rows = [*many(1), good | wrong]
    refusal = desk.refused("clerk", CLERK, "register_many", citizens=rows)
    assert refusal == Refusal("malformed", {"field": f"citizens[1].{field}"})


@pytest.mark.parametrize("citizens", [None, [], {}, "x", 1, [1], [{}], [{"subject": ANA}]])
def test_a_misshapen_import_is_malformed(desk: Desk, citizens: Any) -> None:
    assert desk.refused("clerk", CLERK, "register_many", citizens=citizens).code == "malformed"


def test_an_act_that_repeats_a_subject_changes_nothing(desk: Desk) -> None:
    act = desk.done("citizen", ANA, "register", subject=ANA, name=b"sealed")
    with pytest.raises(UnfitAct, match="act 0"):
        SERVICE.acts["registered"].apply(desk.rows, act)
    assert desk.replayed().tables == desk.rows.tables

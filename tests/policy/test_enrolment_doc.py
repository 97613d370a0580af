"""docs/services/enrolment-allocation.md says what the allocation does: its tables are run."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from kulla.services.enrolment.policy import lottery
from kulla.services.enrolment.policy.allocate import Allocation, allocate
from kulla.services.enrolment.policy.families import Unsettled, families
from kulla.services.enrolment.policy.market import Applicant, Programme, market
from kulla.services.enrolment.policy.reasons import Reason, reasons
from kulla.services.enrolment.policy.rules import OPEN_POOL, Claim, Pool, Priority, Rules
from kulla.services.enrolment.policy.waiting import Waiter, moves

PAGE = Path(__file__).resolve().parents[2] / "docs" / "services" / "enrolment-allocation.md"
RULES = Rules(
    priorities=(
        Priority("special-need", "Special need", "anywhere", private=True),
        Priority("sibling", "A sibling at the school"),
        Priority("area", "Lives in the catchment", "area"),
    ),
    pools=(Pool("special", "Special need", "special-need"), Pool(OPEN_POOL, "Open")),
)
SEED = hashlib.sha256(b"Tirana").digest()


def tables() -> dict[str, list[list[str]]]:
    """The page's tables by the first word of their head, without head and rule."""
    found: dict[str, list[list[str]]] = {}
    for block in re.findall(r"(?:^\|.*\n)+", PAGE.read_text(), re.MULTILINE):
        rows = [
            [cell.strip() for cell in line.strip("|\n").split("|")] for line in block.split("\n")
        ]
        found[rows[0][0]] = [row for row in rows[2:] if row != [""]]
    return found


def listed(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


def programme(row: list[str]) -> Programme:
    name, school, grade, area, seats = row
    pools = [one.split() for one in listed(seats)]
    return Programme(name, school, grade, tuple((pool, int(n)) for pool, n in pools), area)


def applicant(row: list[str]) -> Applicant:
    name, grade, wishes, claims = row[:4]
    siblings = tuple(re.findall(r"together with (\w+)", claims))
    held = [] if siblings else [one.split() for one in listed(claims)]
    return Applicant(
        name,
        grade,
        tuple(listed(wishes)),
        hashlib.sha256(name.encode()).digest(),
        tuple(Claim(*one) for one in held),
        siblings,
        bool(siblings),
    )


def worked() -> Allocation:
    found = tables()
    rows = [applicant(row) for row in found["child"]]
    return allocate(market(RULES, [programme(row) for row in found["programme"]], rows), SEED)


def said(one: Reason) -> str:
    if one.code == "lottery":
        return f"{one.programme}: numbers under {one.under}"
    assert one.code == "priority"
    return f"{one.programme}: {one.last}"


@pytest.mark.parametrize("row", tables()["child"], ids=lambda row: row[0])
def test_each_child_is_placed_as_the_table_says(row: list[str]):
    done = worked()
    name, *_, number, place, why = row
    drawn = lottery.number(SEED, hashlib.sha256(name.encode()).digest())
    assert lottery.shown(drawn) == number
    assert (done.placements[name].programme or "none") == place
    assert "; ".join(said(one) for one in reasons(done)[name]) == why


def test_the_waiting_lists_are_those_of_the_table():
    assert {row[0]: tuple(listed(row[1])) for row in tables()["waiting list"]} == worked().waiting


def test_hana_followed_her_brother():
    assert families(worked()).unsettled == (Unsettled("Hana", "agimi-1", "Gent", "followed"),)


@pytest.mark.parametrize("row", tables()["free"], ids=lambda row: row[0])
def test_seats_become_free(row: list[str]):
    done = worked()
    free = {tuple(one.split()): 1 for one in listed(row[0])}
    gone = {"Ben", "Hana"}
    found = moves(
        RULES,
        {one.programme: [pool for pool, _ in one.pools] for one in done.market.programmes},
        free,  # type: ignore[arg-type]
        {
            name: [Waiter(child, at) for at, child in enumerate(children) if child not in gone]
            for name, children in done.waiting.items()
        },
        {
            child: (one.programme, one.pool)
            for child, one in done.placements.items()
            if one.choice and child not in gone
        },
        {child: [one.programme for one in wishes] for child, wishes in done.wishes.items()},
    )
    expected = {tuple(one.strip().split(" to ")) for one in row[1].split(";")}
    assert {(one.child, one.programme) for one in found} == expected

"""All that one allocation starts from: read in one snapshot, its facts opened by the keeper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from kulla.keeper.errors import SealBroken, UnknownSubject
from kulla.kernel.errors import KullaError
from kulla.kernel.rows import Row
from kulla.kernel.tower import TowerEdge
from kulla.services.enrolment.applications.child import ChildFactsInvalid, child_of
from kulla.services.enrolment.applications.commitment import FactsInvalid, facts_of
from kulla.services.enrolment.policy.market import Programme
from kulla.services.enrolment.policy.rules import Rules
from kulla.services.enrolment.policy.rules_text import rules_from_json
from kulla.services.enrolment.results.inputs import (
    CHILD_FACTS,
    FACTS,
    SALT,
    Opened,
    Taken,
    programmes_of,
    taken,
)
from kulla.tower.enrolment.registers import RoundRows

AT_ONCE: Final = 4
"""Children whose facts are opened at once: the keeper has one thread, its disk and line another."""

REASON: Final = "allocating a round of enrolment"


class RoundMissing(KullaError):
    """There is no such round, or it can't be allocated yet."""


@dataclass(frozen=True, slots=True)
class Stated:
    """What the registers say of a round, at one instant."""

    round: Row
    rules: Rules
    programmes: tuple[Programme, ...]
    applications: list[Row]
    children: Mapping[str, Row]
    decided: Mapping[str, Mapping[int, str]]
    lottery: Mapping[str, Any]


def read_round(rows: RoundRows, key: str) -> Stated:
    """Everything of the round, in one snapshot. Raises RoundMissing, RulesInvalid."""
    rows.begin()
    try:
        found = rows.round(key)
        if found is None:
            raise RoundMissing(
                "there is no such round.", place=key, remedy="See /enrolment/ministry for its id."
            )
        if found["seed"] is None:
            raise RoundMissing(
                f"this round is {found['state']!s}: its lottery was not drawn yet.",
                place=key,
                remedy="Close the round, then `kulla enrolment draw`.",
            )
        version = found["rules_version"]
        assert isinstance(version, int)
        rules = rows.rules(key, version)
        assert rules is not None, "a round is published with its rules"
        applications = list(rows.applications(key))
        children = {str(row["child"]): rows.child(str(row["child"])) for row in applications}
        return Stated(
            found,
            rules_from_json(str(rules["text"])),
            programmes_of(rows.programmes(key), rows.schools()),
            applications,
            {child: row for child, row in children.items() if row is not None},
            rows.decided(key),
            {"secrets": rows.secrets(key)},
        )
    finally:
        rows.end()


def open_all(
    stated: Stated, tower: TowerEdge, say: Callable[[int], None]
) -> list[tuple[Taken, bytes]]:
    """Each application as the allocation takes it, with its salt (b'' where it does not open).

    `say` hears how many are open. Raises KullaError where the keeper does not answer at all.
    """
    found: list[tuple[Taken, bytes]] = []
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="open") as pool:
        opening = pool.map(lambda row: _open(row, stated, tower), stated.applications)
        for row, opened in zip(stated.applications, opening, strict=True):
            decided = stated.decided.get(str(row["id"]), {})
            salt = opened.salt if opened is not None else b""
            found.append((taken(row, opened, decided, stated.rules), salt))
            say(len(found))
    return found


def _open(row: Row, stated: Stated, tower: TowerEdge) -> Opened | None:
    """What is sealed in an application and of its child; None where it does not open."""
    child = str(row["child"])
    entered = stated.children.get(child)
    facts, salt = row["facts_sealed"], row["salt_sealed"]
    if entered is None or not isinstance(facts, bytes) or not isinstance(salt, bytes):
        return None
    about = entered["facts_sealed"]
    assert isinstance(about, bytes)
    try:
        opened = tower.open(child, {FACTS: facts, SALT: salt}, REASON)
        known = child_of(tower.open(child, {CHILD_FACTS: about}, REASON)[CHILD_FACTS])
        return Opened(facts_of(opened[FACTS]), bytes.fromhex(opened[SALT]), known.born)
    except (ChildFactsInvalid, FactsInvalid, SealBroken, UnknownSubject, ValueError):
        return None

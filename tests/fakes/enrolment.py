"""A small round of enrolment as rows of the registers, and what a family seals, unsealed.

The room `rounds` makes such rows from the ministry's commands; here they stand at once, so that a
test of what families do is about that alone.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from fakes.accounts import register
from fakes.clinic_desk import furnish
from kulla.kernel.canonical import Value
from kulla.kernel.rows import Row, RowsByKey
from kulla.kernel.service import Actor
from kulla.portal.civil_register import DemoCivilRegister
from kulla.services.enrolment import tables
from kulla.services.enrolment.applications.child import ChildFacts, child_text
from kulla.services.enrolment.applications.commitment import commitment_of, facts_text
from kulla.services.enrolment.policy.rules import Claim, Facts, Pool, Priority, Rules
from kulla.tower.services import register_tables

ROUND: Final = "2026"
OPENS_S: Final = int(datetime(2026, 2, 1, 8, tzinfo=UTC).timestamp())
CLOSES_S: Final = int(datetime(2026, 2, 20, 16, tzinfo=UTC).timestamp())
ZONE: Final = "Europe/Tirane"

RULES: Final = Rules(
    priorities=(
        Priority("looked-after", "Looked-after child", "anywhere", private=True, document=True),
        Priority("sibling", "A sibling at the school", "school"),
        Priority("staff", "A parent works at the school", "school", document=True),
        Priority("area", "Lives in the school's area", "area"),
    ),
    pools=(Pool("open", "Open seats"),),
    choices_max=5,
    ages=(("1", "2019-09-01", "2020-08-31"), ("10", "2010-09-01", "2011-08-31")),
    titles=(("1", "First grade"), ("10", "Tenth grade")),
)

SCHOOLS: Final = (
    ("naim", "Shkolla Naim Frashëri", "Tiranë", "Tiranë", "Rruga Myslym Shyri 5"),
    ("sami", "Shkolla Sami Frashëri", "Tiranë", "Tiranë", "Rruga Bardhyl 11"),
    ("kamez", "Shkolla Halit Çoka", "Kamëz", "Tiranë", "Bulevardi Blu 3"),
    ("vlore", "Shkolla 1 Maji", "Vlorë", "Vlorë", "Rruga Kosova 8"),
)
PROGRAMMES: Final = tuple(
    (f"{school}-{grade}", school, grade, f"{name}, {title}")
    for school, name, *_ in SCHOOLS
    for grade, title in RULES.titles
)


_EMPTY: Final = {"int": 0, "text": "", "bytes": b""}


def open_round(rows: RowsByKey, key: str = ROUND, **more: Any) -> None:
    """Put a published round with its rules, schools and programmes into the registers."""
    rows.put(tables.ROUND, round_row(key) | more)
    text = rules_text()
    rows.put(
        tables.RULES,
        {"id": f"{key}-1", "round": key, "version": 1, "text": text, "set_ms": 0, "position": 0},
    )
    for school, name, town, county, address in SCHOOLS:
        about = {"name": name, "town": town, "county": county, "address": address}
        rows.put(tables.SCHOOL, {"id": school, **about, "position": 0})
    for programme, school, grade, name in PROGRAMMES:
        rows.put(
            tables.PROGRAMME,
            {
                "id": f"{key}-{programme}",
                "round": key,
                "programme": programme,
                "school": school,
                "grade": grade,
                "name": name,
                "pools": '[["open",20]]',
                "position": 0,
            },
        )


def round_row(key: str = ROUND) -> Row:
    """The row of a published round that is open in February 2026."""
    said: Row = {
        "id": key,
        "title": "Enrolment 2026",
        "school_year": "2026-2027",
        "zone": ZONE,
        "opens_s": OPENS_S,
        "closes_s": CLOSES_S,
        "results_s": CLOSES_S + 30 * 86_400,
        "answer_by_s": CLOSES_S + 40 * 86_400,
        "state": tables.PUBLISHED,
        "rules_version": 1,
    }
    [table] = [table for table in register_tables() if table.name == tables.ROUND]
    empty: Row = {
        column.name: None if column.nullable else _EMPTY[column.kind] for column in table.columns
    }
    return {name: said.get(name, cell) for name, cell in empty.items()}


def rules_text() -> str:
    """RULES as JSON with every key but `grades`, which is empty."""
    plain = {key: value for key, value in asdict(RULES).items() if key != "grades"}
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def wish(*choices: str, change: int = 1, **more: Any) -> dict[str, Any]:
    """The data of an application to the first grade."""
    return {
        "round": ROUND,
        "grade": "1",
        "choices": list(choices or ("naim-1", "sami-1")),
        "together": False,
        "facts": b"facts",
        "salt": b"salt",
        "commitment": bytes(32),
        "change": change,
        **more,
    }


CHILD_NAMES: Final = ("Era Prifti", "Tea Prifti", "Driton Duka")


def settle_families(country: Any, folder: Any = None) -> tuple[str, str, str]:
    """A round that is open, and three children: two of Ana and Besim, one of Çlirim.

    With `folder` the staff is founded too, whose clerk signs. Gives the children's subjects; the
    demo's civil register is asked until it has a first grader for each.
    """
    database, rows = country.tower._database, country.tower._rows
    database.execute("BEGIN IMMEDIATE")
    open_round(rows)
    database.execute("COMMIT")
    ana, besim, clirim = country.citizens
    era, tea, driton = (_first_grader(country, name) for name in CHILD_NAMES)
    clerk = Actor("clerk", country.clerk)
    for guardian, ward in ((ana, era), (besim, era), (ana, tea), (clirim, driton)):
        data: dict[str, Value] = {
            "guardian": guardian,
            "ward": ward,
            "kind": "child",
            "until_day": "",
        }
        answer = country.ask(clerk, "accounts", "relate", data)
        assert answer.status == "accepted", answer
    for number, child in enumerate((era, tea, driton), 1):
        data = {
            "subject": child,
            "number": country.tower.token("number", f"C{number:08d}K"),
            "document": "id-card",
        }
        assert country.ask(clerk, "accounts", "identify", data).status == "accepted"
    if folder is not None:
        furnish(country, folder)
    return era, tea, driton


def _first_grader(country: Any, name: str) -> str:
    """A registered person whom the demo's civil register lets begin school this autumn."""
    register_ = DemoCivilRegister(country.tower.clock)
    for _ in range(100):
        [(subject, _key)] = country.tower.enrol(1)
        entry = register_.entry(subject)
        if entry is not None and "2019-09-01" <= entry.born <= "2020-08-31":
            register(country, subject, name)
            return subject
    raise AssertionError("the civil register knows no first grader")


def apply_past_pages(country: Any, guardian: str, child: str, *choices: str) -> None:
    """Apply by the same policy, past the pages."""
    actor, tower = Actor("citizen", guardian, child), country.tower
    about = child_text(ChildFacts("2020-01-02", "Rruga 1", "tiranë"))
    entered = {"facts": tower.seal(child, {"facts": about})["facts"], "source": "register"}
    assert country.ask(actor, "enrolment", "enter_child", entered).status == "accepted"
    facts, salt = Facts((Claim("staff", "naim"),), (), "tiranë"), bytes(32)
    sealed = tower.seal(child, {"facts": facts_text(facts), "salt": salt.hex()})
    listed = list(choices or ("naim-1", "sami-1"))
    data = wish(*listed, facts=sealed["facts"], salt=sealed["salt"])
    data["commitment"] = commitment_of(salt, "1", listed, False, facts)
    answer = country.ask(actor, "enrolment", "apply", data)
    assert answer.status == "accepted", answer

"""A small round of enrolment as rows of the registers, and what a family seals, unsealed.

The room `rounds` makes such rows from the ministry's commands; here they stand at once, so that a
test of what families do is about that alone.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from kulla.kernel.rows import Row, RowsByKey
from kulla.services.enrolment import tables
from kulla.services.enrolment.policy.rules import Pool, Priority, Rules

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
    return {
        "id": key,
        "title": "Enrolment 2026",
        "school_year": "2026-2027",
        "zone": ZONE,
        "opens_s": OPENS_S,
        "closes_s": CLOSES_S,
        "results_s": CLOSES_S + 30 * 86_400,
        "answer_by_s": CLOSES_S + 40 * 86_400,
        "parent": "",
        "state": tables.PUBLISHED,
        "rules_version": 1,
        "list_root": None,
        "list_count": 0,
        "seed": None,
        "public_transcript": None,
        "audit_transcript": None,
        "parts_posted": 0,
        "position": 0,
    }


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

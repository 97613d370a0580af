"""docs/services/enrolment-rounds.md says what the ministry's policy does: its tables are run."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fakes import ministry
from fakes.desk import Desk
from fakes.ministry import DAYS, MINISTRY, PROGRAMMES, RULES, SCHOOLS, ask
from kulla.kernel.service import Refusal
from kulla.services.enrolment import tables
from kulla.services.enrolment.rounds import csv_in, policy, rules_text, wishes

PAGE = Path(__file__).resolve().parents[2] / "docs" / "services" / "enrolment-rounds.md"
TIRANA = ZoneInfo("Europe/Tirane")
FIELDS = dict(zip(("opens", "closes", "results", "answer"), wishes.DAYS, strict=True))


def page_tables() -> dict[str, list[list[str]]]:
    """The page's tables by the first word of their head, without head and rule."""
    found: dict[str, list[list[str]]] = {}
    for block in re.findall(r"(?:^\|.*\n)+", PAGE.read_text(), re.MULTILINE):
        rows = [
            [cell.strip() for cell in line.strip("|\n").split("|")] for line in block.split("\n")
        ]
        found[rows[0][0]] = [row for row in rows[2:] if row != [""]]
    return found


def at_s(text: str) -> int:
    at = datetime.strptime(f"2026 {text}", "%Y %d %b %H:%M").replace(tzinfo=TIRANA)
    return int(at.timestamp())


MAIN_DAYS = {
    "opens_s": at_s("10 Mar 12:00"),
    "closes_s": at_s("20 Mar 12:00"),
    "results_s": at_s("30 Mar 12:00"),
    "answer_by_s": at_s("10 Apr 12:00"),
}


def command(desk: Desk, wish: str) -> tuple[str, dict[str, Any]]:
    """The command that a cell of the table means."""
    if match := re.fullmatch(r"prepare (\w+)(?: after (\w+))?", wish):
        parent = match[2] or ""
        return "prepare_round", ministry.prepared(match[1], parent=parent, **MAIN_DAYS)
    if match := re.fullmatch(r"(publish|close|end) (\w+)", wish):
        return f"{match[1]}_round", {"round": match[2]}
    if wish == "set rules of main":
        return "set_rules", {"round": "main", "rules": rules_text.text_of(RULES)}
    if wish == "enter schools":
        return "enter_schools", {"schools": SCHOOLS}
    if match := re.fullmatch(r"offer (\w+)-(\d) at (\w+), (\d+) (\w+)", wish):
        named = {"programme": f"{match[1]}-{match[2]}", "grade": f"grade-{match[2]}"}
        pools = [[match[5], int(match[4])]]
        about = {"school": match[3], "name": "X", "pools": pools}
        return "set_programme", {"round": "main", **named, **about}
    if match := re.fullmatch(r"remove ([\w-]+)", wish):
        return "remove_programme", {"round": "main", "programme": match[1]}
    match = re.fullmatch(r"move (\w+) to (.+)", wish)
    assert match is not None, wish
    row = desk.rows.get(tables.ROUND, "main")
    assert row is not None
    days = {name: row[name] for name in wishes.DAYS} | {FIELDS[match[1]]: at_s(match[2])}
    return "move_round", {"round": "main", "why": "Floods.", **days}


def test_the_worked_round_goes_as_the_page_says() -> None:
    desk = ministry.ministry()
    rows = page_tables()["at"]
    assert len(rows) > 25
    for when, who, wish, expected in rows:
        desk.now_ms = at_s(when) * 1000
        name, data = command(desk, wish)
        role: Any = who
        answer = desk.ask(role, MINISTRY, name, **data)
        got = answer.code if isinstance(answer, Refusal) else answer[0].name
        assert got == expected, (when, who, wish, answer)
    assert desk.replayed().tables == desk.rows.tables


def test_every_refusal_is_on_the_page_and_in_the_docstring() -> None:
    documented = {code: set(values.split(", ")) for code, values, _ in page_tables()["code"]}
    listed = re.findall(
        r"^([a-z]+(?:-[a-z]+)*) {2,}(\w+(?:, \w+)*)", policy.__doc__ or "", re.MULTILINE
    )
    assert documented == {code: set(values.split(", ")) for code, values in listed}
    seen = _seen()
    assert documented == seen, set(documented) ^ set(seen)


def _seen() -> dict[str, set[str]]:
    """Each refusal with the names of its values, as it comes."""
    desk = ministry.ministry()
    seen: dict[str, set[str]] = {}

    def refused(name: str, role: Any = "clerk", **data: Any) -> None:
        answer = desk.ask(role, MINISTRY, name, **data)
        assert isinstance(answer, Refusal), name
        seen[answer.code] = set(answer.detail)

    here = {"round": ministry.ROUND}
    refused("end_round", "analyst", **here)
    for name in ("publish_round", "enter_school"):
        refused(name, **(here if name == "publish_round" else {}))
    refused("prepare_round", **ministry.prepared(parent="x"))
    refused("prepare_round", **ministry.prepared(closes_s=DAYS["opens_s"]))
    ministry.prepare(desk)
    refused("prepare_round", **ministry.prepared())
    refused("set_rules", **here, rules="[]")
    refused("remove_programme", **here, programme="x")
    refused("set_programmes", **here, programmes=[["x", "x", "x", "x", [["open", 1]]]])
    refused("set_programmes", **here, programmes=[["x", "naim", "x", "x", [["open", 0]]]])
    refused("move_round", **here, **DAYS, why="x")
    ask(desk, "set_programmes", **here, programmes=[["x", "naim", "x", "x", [["open", 1]]]])
    refused("publish_round", **here)
    ask(desk, "remove_programme", **here, programme="x")
    ask(desk, "publish_round", **here)
    refused("set_programmes", **here, programmes=PROGRAMMES)
    refused("move_round", **here, **DAYS, why="x")
    refused("move_round", **here, **DAYS | {"closes_s": DAYS["closes_s"] - 1}, why="x")
    refused("close_round", **here)
    refused("end_round", **here)
    desk.now_ms = DAYS["opens_s"] * 1000
    refused("move_round", **here, **DAYS | {"opens_s": DAYS["opens_s"] + 1}, why="x")
    row = desk.rows.get(tables.ROUND, ministry.ROUND)
    assert row is not None
    desk.rows.put(tables.ROUND, row | {"state": tables.OFFERED})
    refused("end_round", **here)
    return seen


def test_the_page_states_the_bounds_and_the_columns() -> None:
    page = " ".join(PAGE.read_text().split())
    assert f"at most {csv_in.PART_BYTES_MAX:,} bytes" in page
    columns = {row[0]: row[1] for row in page_tables()["columns of"]}
    assert columns["schools"] == ", ".join(csv_in.SCHOOL_COLUMNS)
    assert columns["programmes"].startswith(", ".join(csv_in.PROGRAMME_COLUMNS))

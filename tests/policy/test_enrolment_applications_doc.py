"""docs/services/enrolment-applications.md says what the policy does: its tables are run."""

from __future__ import annotations

import ast
import inspect
import re
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fakes.desk import Desk
from fakes.enrolment import ROUND, open_round, wish
from kulla.kernel.service import Refusal
from kulla.services.enrolment.applications import policy
from kulla.services.enrolment.service import SERVICE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "services" / "enrolment-applications.md"
TIRANA = ZoneInfo("Europe/Tirane")
PEOPLE = {"Ana": "a" * 32, "Ben": "b" * 32, "Cen": "d" * 32}
CHILDREN = {"Era": "e" * 32, "Driton": "f" * 32}
PROGRAMMES = {"N": "naim-1", "S": "sami-1", "K": "kamez-1", "V": "vlore-1", "X": "naim-10"}
FILE: dict[str, Any] = {
    "kind": "claim",
    "name": b"n",
    "media_type": "application/pdf",
    "size": 1000,
    "blob": b"1" * 32,
}


def tables() -> dict[str, list[list[str]]]:
    """The page's tables by the first word of their head, without head and rule."""
    found: dict[str, list[list[str]]] = {}
    for block in re.findall(r"(?:^\|.*\n)+", PAGE.read_text(), re.MULTILINE):
        rows = [
            [cell.strip() for cell in line.strip("|\n").split("|")] for line in block.split("\n")
        ]
        found[rows[0][0]] = [row for row in rows[2:] if row != [""]]
    return found


def at_s(text: str) -> int:
    moment = datetime.strptime(f"2026 {text}", "%Y %d %b %H:%M")
    return int(moment.replace(tzinfo=TIRANA).timestamp())


def command(said: str) -> tuple[str, str, dict[str, Any]]:
    """The command that a cell of the table means, and the child that it is about."""
    change = 1
    if match := re.search(r" \(change (\d)\)$", said):
        change, said = int(match[1]), said[: match.start()]
    if match := re.fullmatch(r"apply for (\w+): (.+)", said):
        choices = [PROGRAMMES[one] for one in match[2].split(", ")]
        return "apply", match[1], wish(*choices, change=change)
    if match := re.fullmatch(r"enter (\w+) from (?:the register|a (document))", said):
        more = {"source": "counter", "document": "passport"} if match[2] else {}
        return "enter_child", match[1], {"facts": b"f", "source": "register", **more}
    if match := re.fullmatch(r"withdraw (\w+)", said):
        return "withdraw", match[1], {"round": ROUND}
    if match := re.fullmatch(r"add a file for (\w+)", said):
        return "add_document", match[1], {"round": ROUND, **FILE}
    match = re.fullmatch(r"confirm claim (\d) of (\w+)", said)
    assert match is not None, said
    decision = {"claim": int(match[1]), "change": change, "verdict": "confirmed", "reason": b"r"}
    return "decide_claim", match[2], {"round": ROUND, **decision}


def test_the_worked_round_goes_as_the_page_says() -> None:
    desk = Desk(SERVICE, 0)
    days = {"opens_s": at_s("2 Feb 09:00"), "closes_s": at_s("20 Feb 17:00")}
    open_round(desk.rows, **days)
    rows = tables()["at"]
    assert len(rows) > 20
    for when, who, said, expected in rows:
        desk.now_ms = at_s(when) * 1000
        name, child, data = command(said)
        if who == "clerk":
            desk.behalf = ""
            answer = desk.ask("clerk", "c" * 32, name, child=CHILDREN[child], **data)
        else:
            desk.behalf = CHILDREN[child]
            answer = desk.ask("citizen", PEOPLE[who], name, **data)
        got = answer.code if isinstance(answer, Refusal) else answer[0].name
        assert got == expected, (when, who, said, answer)


def _refusals() -> dict[str, set[str]]:
    """The codes that the policy's source refuses with, and the values of each."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(ast.parse(inspect.getsource(policy))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Refusal":
            code = ast.literal_eval(node.args[0])
            given = node.args[1] if len(node.args) > 1 else None
            names = set()
            if isinstance(given, ast.Dict):
                for key in given.keys:
                    names |= {ast.literal_eval(key)} if key is not None else {"round", "zone"}
            found[code] = names
    return found


def test_every_refusal_is_on_the_page_with_its_values() -> None:
    rows = tables()["code"]
    documented = {code: set(values.split(", ")) - {""} for code, values, _ in rows}
    assert documented == _refusals()


def test_every_refusal_is_in_the_docstring() -> None:
    listed = re.findall(r"^([a-z-]+)  +", inspect.getdoc(policy) or "", re.MULTILINE)
    assert set(listed) == set(_refusals())

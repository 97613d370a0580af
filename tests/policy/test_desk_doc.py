"""docs/services/appointments-desk.md says what the desk's policy does: its tables are run."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fakes.desk import Desk
from kulla.kernel.service import Refusal
from kulla.services.appointments import apply, zones
from kulla.services.appointments.desk import policy
from kulla.services.appointments.service import SERVICE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "services" / "appointments-desk.md"
TIRANA = ZoneInfo("Europe/Tirane")
PEOPLE = {"Ana": "a" * 32, "Ben": "b" * 32, "Cen": "d" * 32, "Dan": "e" * 32}
CLERK = "c" * 32
NOTES = {
    "arrived": "note_arrival",
    "missed": "note_missed",
    "ended": "end_visit",
    "taken back": "take_back_visit",
}
SLOT = r"(Hoxha|Leka) (\d+ \w+ \d\d:\d\d)"


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
    at = datetime.strptime(f"2026 {text}", "%Y %d %b %H:%M").replace(tzinfo=TIRANA)
    return int(at.timestamp())


def slot_id(name: str, when: str) -> str:
    return f"{name.lower()}-{at_s(when)}"


def clinic() -> Desk:
    """The two practitioners of the worked day."""
    desk = Desk(SERVICE, at_s("1 Mar 11:00") * 1000)
    place = {"name": "X", "town": "X", "county": "X", "address": "X"}
    desk.done("operator", "op", "open_clinic", clinic="x", **place)
    first, last = date(2026, 3, 2), date(2026, 3, 3)
    for doctor in ("hoxha", "leka"):
        who = {"practitioner": doctor}
        about = {"clinic": "x", "name": "X", "speciality": "X"}
        desk.done("clerk", CLERK, "add_practitioner", **who, **about)
        weekly = [[1, 480, 600, 20], [2, 480, 600, 20]]
        hours = {"zone": TIRANA.key, "valid_from": "2026-03-01", "valid_to": "", "weekly": weekly}
        desk.done("clerk", CLERK, "set_schedule", **who, **hours)
        span = {"first_day": first.isoformat(), "last_day": last.isoformat(), "zone": TIRANA.key}
        offsets = zones.offsets(TIRANA.key, first, last)
        desk.done("clerk", CLERK, "publish_slots", **who, **span, offsets=offsets)
    return desk


def appointment(desk: Desk, person: str, slot: str) -> str:
    """The appointment that a person has, or had, at this time."""
    rows = desk.rows.find(apply.APPOINTMENT, citizen=PEOPLE[person], slot=slot)
    return str(rows[0]["id"])


def command(desk: Desk, who: str, wish: str) -> tuple[str, dict[str, Any]]:
    """The command that a cell of the table means."""
    if match := re.fullmatch(f"book {SLOT}(?: for (\\w+))?", wish):
        data = {"slot": slot_id(match[1], match[2])}
        return "book", data | ({"citizen": PEOPLE[match[3]]} if match[3] else {})
    if match := re.fullmatch(f"cancel {SLOT}", wish):
        return "cancel", {"appointment": appointment(desk, who, slot_id(match[1], match[2]))}
    if match := re.fullmatch(f"note (\\w+) of {SLOT} as (.+)", wish):
        key = appointment(desk, match[1], slot_id(match[2], match[3]))
        return NOTES[match[4]], {"appointment": key}
    if match := re.fullmatch(r"let (\w+) walk in to (\w+)", wish):
        data = {"practitioner": match[2].lower(), "citizen": PEOPLE[match[1]], "minutes": 20}
        return "walk_in", {**data, "zone": TIRANA.key}
    match = re.fullmatch(
        f"close (\\w+) on (\\d+) Mar(?:, moving (\\w+) from (\\S+) to {SLOT})?", wish
    )
    assert match is not None, wish
    moves = []
    if match[3]:
        old = slot_id(match[1], f"{match[2]} Mar {match[4]}")
        moves = [[appointment(desk, match[3], old), slot_id(match[5], match[6])]]
    day = date(2026, 3, int(match[2])).isoformat()
    return "close_day", {"practitioner": match[1].lower(), "day": day, "moves": moves}


def test_the_worked_day_goes_as_the_page_says() -> None:
    desk = clinic()
    rows = tables()["at"]
    assert len(rows) > 20
    for when, who, wish, expected in rows:
        desk.now_ms = at_s(when) * 1000
        name, data = command(desk, who, wish)
        role: Any = "citizen" if who in PEOPLE else who
        answer = desk.ask(role, PEOPLE.get(who, CLERK), name, **data)
        got = answer.code if isinstance(answer, Refusal) else answer[0].name
        assert got == expected, (when, who, wish, answer)
    assert desk.replayed().tables == desk.rows.tables


def test_every_refusal_of_the_desk_is_on_the_page_and_in_the_docstring() -> None:
    documented = {code: set(values.split(", ")) for code, values, _ in tables()["code"]}
    listed = re.findall(
        r"^([a-z]+(?:-[a-z]+)*) {2,}(\w+(?:, \w+)*)", policy.__doc__ or "", re.MULTILINE
    )
    assert documented == {code: set(values.split(", ")) for code, values in listed}
    assert documented == _seen()


def _seen() -> dict[str, set[str]]:
    """Each refusal of the desk alone, with the names of its values, as it comes."""
    desk = clinic()
    slot = slot_id("Hoxha", "2 Mar 08:00")
    key = desk.done("citizen", PEOPLE["Ana"], "book", slot=slot).data["appointment"]
    seen: dict[str, set[str]] = {}

    def ask(name: str, **data: Any) -> None:
        answer = desk.ask("clerk", CLERK, name, **data)
        if isinstance(answer, Refusal):
            seen[answer.code] = set(answer.detail)

    for name in ("note_arrival", "note_missed", "end_visit", "take_back_visit"):
        ask(name, appointment=key)
    day = {"practitioner": "hoxha", "day": "2026-03-02"}
    ask("close_day", **day, moves=[[key, "hoxha-1"]])
    many = [[f"{number:032x}", "hoxha-1"] for number in range(policy.MOVES_MAX + 1)]
    ask("close_day", **day, moves=many)
    desk.now_ms = at_s("2 Mar 08:00") * 1000
    ask("note_arrival", appointment=key)
    ask("note_arrival", appointment=key)
    return seen


def test_the_page_states_the_bounds_of_the_policy() -> None:
    page = " ".join(PAGE.read_text().split())
    assert f"from {policy.ARRIVES_BEFORE_MINUTES} minutes before" in page
    assert f"at most {policy.MOVES_MAX}" in page

"""docs/services/appointments.md says what the policy does: its tables are run."""

from __future__ import annotations

import ast
import inspect
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fakes.desk import Desk
from kulla.kernel.service import Refusal
from kulla.services.appointments import apply, policy, zones
from kulla.services.appointments.service import SERVICE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "services" / "appointments.md"
TIRANA = ZoneInfo("Europe/Tirane")
PEOPLE = {"Ana": "a" * 32, "Ben": "b" * 32, "Cen": "d" * 32}
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
    return int(
        datetime.strptime(f"2026 {text}", "%Y %d %b %H:%M").replace(tzinfo=TIRANA).timestamp()
    )


def clinic() -> Desk:
    """The two practitioners of the worked week."""
    desk = Desk(SERVICE, at_s("1 Mar 11:00") * 1000)
    place = {"name": "X", "town": "X", "county": "X", "address": "X"}
    desk.done("operator", "op", "open_clinic", clinic="x", **place)
    first, last = date(2026, 3, 2), date(2026, 3, 10)
    for name, weekly in (
        ("hoxha", [[1, 480, 600, 20], [2, 480, 600, 20]]),
        ("leka", [[1, 470, 590, 30]]),
    ):
        data = {"practitioner": name, "clinic": "x", "name": "X", "speciality": "X"}
        desk.done("operator", "op", "add_practitioner", **data)
        hours = {"zone": TIRANA.key, "valid_from": "2026-03-01", "valid_to": "", "weekly": weekly}
        desk.done("clerk", "c" * 32, "set_schedule", practitioner=name, **hours)
        span = {"first_day": first.isoformat(), "last_day": last.isoformat(), "zone": TIRANA.key}
        offsets = zones.offsets(TIRANA.key, first, last)
        desk.done("operator", "op", "publish_slots", practitioner=name, offsets=offsets, **span)
    return desk


def command(desk: Desk, wish: str, citizen: str) -> tuple[str, dict[str, Any]]:
    """The command that a cell of the table means; `citizen` is whose appointment it is about."""

    def slot(name: str, when: str) -> str:
        return f"{name.lower()}-{at_s(when)}"

    def appointment(name: str, when: str) -> str:
        rows = desk.rows.find(apply.APPOINTMENT, slot=slot(name, when))
        newest = max(rows, key=lambda row: (row["citizen"] == citizen, int(str(row["position"]))))
        return str(newest["id"])

    if match := re.fullmatch(f"book {SLOT}", wish):
        return "book", {"slot": slot(*match.groups())}
    if match := re.fullmatch(f"cancel {SLOT}", wish):
        return "cancel", {"appointment": appointment(*match.groups())}
    if match := re.fullmatch(f"move {SLOT} to {SLOT}", wish):
        from_name, from_when, to_name, to_when = match.groups()
        data = {"appointment": appointment(from_name, from_when), "slot": slot(to_name, to_when)}
        return "reschedule", data
    match = re.fullmatch(
        r"set (\w+) on (\d+) Mar to (?:closed|(\d\d):(\d\d)-(\d\d):(\d\d)/(\d+))", wish
    )
    assert match is not None, wish
    day = date(2026, 3, int(match[2]))
    data = {"practitioner": match[1].lower(), "day": day.isoformat(), "kind": "closed"}
    if match[3]:
        hour, minute, to_hour, to_minute, minutes = map(int, match.groups()[2:])
        data |= {
            "kind": "hours",
            "zone": TIRANA.key,
            "offsets": zones.offsets(TIRANA.key, day, day),
        }
        data |= {"hours": [[hour * 60 + minute, to_hour * 60 + to_minute, minutes]]}
    return "set_exception", data


def test_the_worked_week_goes_as_the_page_says() -> None:
    desk = clinic()
    rows = tables()["at"]
    assert len(rows) > 20
    for when, who, wish, expected in rows:
        desk.now_ms = at_s(when) * 1000
        asked, _, beneficiary = wish.partition(" for ")
        citizen = PEOPLE.get(beneficiary or who, "")
        name, data = command(desk, asked, citizen)
        if beneficiary:
            data["citizen"] = citizen
        role: Any = "citizen" if who in PEOPLE else who
        answer = desk.ask(role, PEOPLE.get(who, "c" * 32), name, **data)
        got = answer.code if isinstance(answer, Refusal) else answer[0].name
        assert got == expected, (when, who, wish, answer)


def test_every_refusal_is_on_the_page_with_its_values() -> None:
    documented = {code: set(values.split(", ")) for code, values, _ in tables()["code"]}
    assert documented == _refusals()


def test_every_refusal_is_in_the_docstring_with_its_values() -> None:
    listed = re.findall(
        r"^([a-z]+(?:-[a-z]+)*) {2,}(\w+(?:, \w+)*)", policy.__doc__ or "", re.MULTILINE
    )
    assert {code: set(values.split(", ")) for code, values in listed} == _refusals()


def test_the_page_states_the_bounds_of_the_policy() -> None:
    page = " ".join(PAGE.read_text().split())
    assert f"at most {policy.UPCOMING_MAX} appointments to come" in page
    assert f"up to {policy.CANCEL_BEFORE_MINUTES} minutes before" in page
    assert f"at most {policy.DAYS_MAX} days and {policy.SLOTS_MAX:,} slots at once" in page


def _refusals() -> dict[str, set[str]]:
    """Each code that the policy's source gives, with the values that the test run sees for it."""
    tree = ast.parse(inspect.getsource(policy))
    codes = {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Refusal"
        and isinstance(node.args[0], ast.Constant)
    }
    seen = _provoked()
    assert codes == set(seen), "a refusal that no test provokes, or the other way round"
    return seen


def _provoked() -> dict[str, set[str]]:
    """Refusals as they come, each with the names of its values."""
    desk = clinic()
    ana, clerk = PEOPLE["Ana"], "c" * 32
    seen: dict[str, set[str]] = {}

    def ask(role: Any, subject: str, name: str, /, **data: Any) -> Any:
        answer = desk.ask(role, subject, name, **data)
        if isinstance(answer, Refusal):
            assert seen.setdefault(answer.code, set(answer.detail)) == set(answer.detail)
            return None
        return answer[0].data

    def publish(days: int, zone: str = TIRANA.key, practitioner: str = "hoxha") -> None:
        first = date(2026, 3, 2)
        last = first + timedelta(days=days)
        span = {"first_day": first.isoformat(), "last_day": last.isoformat()}
        offsets = zones.offsets(zone, first, last)
        ask(
            "clerk",
            clerk,
            "publish_slots",
            practitioner=practitioner,
            zone=zone,
            offsets=offsets,
            **span,
        )

    texts = {"name": "X", "town": "X", "county": "X", "address": "X"}
    doctor = {"name": "X", "speciality": "X"}
    ask("citizen", ana, "open_clinic")
    ask("clerk", clerk, "open_clinic")
    ask("clerk", clerk, "open_clinic", clinic="x", **texts)
    ask("clerk", clerk, "add_practitioner", practitioner="hoxha", clinic="x", **doctor)
    ask("clerk", clerk, "add_practitioner", practitioner="new", clinic="y", **doctor)
    for days, zone, practitioner in (
        (0, TIRANA.key, "nobody"),
        (0, TIRANA.key, "hoxha"),
        (99, TIRANA.key, "hoxha"),
        (9, "UTC", "hoxha"),
    ):
        publish(days, zone, practitioner)
    slots = [f"hoxha-{at_s(f'{day} Mar 08:00') + n * 1200}" for day in (2, 3) for n in range(6)]
    first, *others = [ask("citizen", ana, "book", slot=slot) for slot in slots[:10]]
    ask("citizen", ana, "book", slot=slots[10])
    ask("citizen", PEOPLE["Ben"], "book", slot=slots[0])
    ask("citizen", PEOPLE["Ben"], "book", slot="hoxha-1")
    ask("citizen", PEOPLE["Ben"], "cancel", appointment=first["appointment"])
    ask("citizen", ana, "cancel", appointment="0" * 32)
    ask("citizen", ana, "reschedule", appointment=first["appointment"], slot=first["slot"])
    ask("citizen", ana, "cancel", appointment=others[0]["appointment"])
    ask("citizen", ana, "cancel", appointment=others[0]["appointment"])
    ask("citizen", ana, "book", slot=f"leka-{at_s('2 Mar 07:50')}")
    ask("clerk", clerk, "set_exception", practitioner="hoxha", day="2026-03-03", kind="closed")
    ask("citizen", PEOPLE["Ben"], "book", slot=slots[11])
    desk.now_ms = at_s("2 Mar 08:30") * 1000
    ask("citizen", ana, "book", slot=slots[1])
    ask("citizen", ana, "cancel", appointment=others[1]["appointment"])
    desk.done("clerk", clerk, "note_arrival", appointment=others[2]["appointment"])
    ask("citizen", ana, "cancel", appointment=others[2]["appointment"])
    weekly = [[day, 0, 1440, 5] for day in range(1, 8)]
    hours = {"zone": TIRANA.key, "valid_from": "2026-03-02", "valid_to": "", "weekly": weekly}
    ask("clerk", clerk, "set_schedule", practitioner="hoxha", **hours)
    publish(90)
    return seen

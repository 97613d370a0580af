"""Who may send which command, and what becomes of commands of another shape."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from fakes.desk import Desk
from kulla.kernel.service import Actor, Asked
from kulla.services.appointments import zones
from kulla.services.appointments.service import SERVICE

ANA = "a" * 32
TIRANA = "Europe/Tirane"
MONDAY = date(2026, 3, 2)
NOW_MS = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()) * 1000


@pytest.fixture
def desk() -> Desk:
    """A country without a single clinic."""
    return Desk(SERVICE, NOW_MS)


CITIZENS_COMMANDS = {"book", "cancel", "reschedule"}
DESK_COMMANDS = {"note_arrival", "note_missed", "end_visit", "take_back_visit"}
DESK_COMMANDS |= {"walk_in", "close_day"}


@pytest.mark.parametrize("name", sorted(SERVICE.commands))
@pytest.mark.parametrize("role", ["citizen", "clerk", "operator", "analyst", "custodian"])
def test_who_may_do_what(desk: Desk, name: str, role: Any) -> None:
    allowed = {"citizen", "clerk"} if name in CITIZENS_COMMANDS else {"clerk", "operator"}
    if name in DESK_COMMANDS:
        allowed = {"clerk"}
    refusal = desk.refused(role, ANA, name)
    if role in allowed:
        assert refusal.code == "malformed"
    else:
        assert refusal.code == "not-allowed"
        assert refusal.detail == {"role": role, "command": name}


GOOD: dict[str, dict[str, Any]] = {
    "open_clinic": {"clinic": "x", "name": "n", "town": "t", "county": "c", "address": "a"},
    "add_practitioner": {"practitioner": "x", "clinic": "x", "name": "n", "speciality": "s"},
    "set_schedule": {
        "practitioner": "x",
        "weekly": [[1, 480, 600, 20]],
        "zone": TIRANA,
        "valid_from": "2026-01-01",
        "valid_to": "",
    },
    "set_exception": {
        "practitioner": "x",
        "day": "2026-03-02",
        "kind": "hours",
        "hours": [[480, 600, 20]],
        "zone": TIRANA,
        "offsets": [[0, 3600]],
    },
    "publish_slots": {
        "practitioner": "x",
        "first_day": "2026-03-02",
        "last_day": "2026-03-02",
        "zone": TIRANA,
        "offsets": zones.offsets(TIRANA, MONDAY, MONDAY),
    },
    "book": {"slot": "x-1", "reason": b"r", "contact": b"c"},
    "cancel": {"appointment": "0" * 32},
    "reschedule": {"appointment": "0" * 32, "slot": "x-1"},
    "note_arrival": {"appointment": "0" * 32},
    "note_missed": {"appointment": "0" * 32},
    "end_visit": {"appointment": "0" * 32},
    "take_back_visit": {"appointment": "0" * 32},
    "walk_in": {
        "practitioner": "x",
        "citizen": "0" * 32,
        "minutes": 20,
        "zone": TIRANA,
        "reason": b"r",
        "contact": b"c",
        "identity": "call",
    },
    "close_day": {"practitioner": "x", "day": "2026-03-02", "moves": [["0" * 32, "x-1"]]},
}
ODD: list[Any] = [None, True, -1, 2**63, 1.0, "", " ", "x\n", "x" * 300, b"", b"x" * 9000, {"a": 1}]
ODD += [[], [1], [[1]], [[1, 2]], [[1, 2, 3]], [[1, 2, 3, 4]], [["a", 1, 2, 3]], [[True, 0]]]
ODD += ["2026-02-30", "20260302", "2026-W10-1", "0000-00-00", "../../etc/passwd", "A" * 32]
ODD += [[[480, 600, 0]], [[480, 600, 20], [500, 620, 20]], [[0, 1441, 20]], [[8, 480, 600, 20]]]
ODD += [[[0, 3600], [0, 7200]], [[0, 99999]], [[480, 600, 20]] * 101]
ODD += [["x-1"], [["x-1", "0" * 32]], [["0" * 32]], [["0" * 32, "x-1"]] * 2, [[b"", {}]], 4, 241]


@pytest.mark.parametrize("name", sorted(GOOD))
def test_a_misshapen_field_is_named_and_never_an_exception(desk: Desk, name: str) -> None:
    role: Any = "citizen" if name in CITIZENS_COMMANDS else "clerk"
    good = desk.ask(role, ANA, name, **GOOD[name])
    assert isinstance(good, list) or good.code != "malformed"
    kind = SERVICE.commands[name]
    for field in GOOD[name]:
        for odd in ODD:
            asked = _asked(desk, name, role, GOOD[name] | {field: odd})
            answer = kind.decide(asked, kind.gather(desk.rows, asked))
            if isinstance(answer, tuple) or answer.code != "malformed":
                assert _may_be_right(field, odd), (field, odd)
            else:
                assert answer.detail == {"field": field}
    refusal = desk.refused(role, ANA, name, **GOOD[name], surplus=1)
    assert refusal.detail == {"field": "surplus"}


def _asked(desk: Desk, name: str, role: Any, data: dict[str, Any]) -> Asked:
    return Asked(name, Actor(role, ANA), data, desk.now_ms, b"\0" * 32)


def _may_be_right(field: str, odd: Any) -> bool:
    """Those odd values that have the shape of this field after all."""
    right: dict[str, list[Any]] = {
        "reason": [None],
        "contact": [None],
        "identity": [None],
        "moves": [[]],
        "valid_to": [""],
        "weekly": [[]],
        "offsets": [[[1, 2]]],
        "slot": ["2026-02-30", "0000-00-00"],
        "name": ODD_TEXTS,
        "town": ODD_TEXTS,
        "county": ODD_TEXTS,
        "address": ODD_TEXTS,
        "speciality": ODD_TEXTS,
        "practitioner": ODD_IDS,
        "clinic": ODD_IDS,
        "zone": ["2026-02-30", "20260302", "2026-W10-1", "0000-00-00", "A" * 32],
    }
    return odd in right.get(field, [])


ODD_IDS = ["2026-02-30", "20260302", "0000-00-00"]
ODD_TEXTS = [*ODD_IDS, "2026-W10-1", "../../etc/passwd", "A" * 32]

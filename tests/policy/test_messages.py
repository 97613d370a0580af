"""What the post may record: each letter once, by the post alone, and no word of it."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.desk import Desk
from kulla.kernel.errors import UnfitAct
from kulla.kernel.service import Refusal
from kulla.services.messages.apply import LOOKED, MESSAGE
from kulla.services.messages.service import SERVICE

NOW_MS = 1_772_000_000_123
LETTER = {
    "message": "a" * 32,
    "subject": "b" * 32,
    "kind": "reminder",
    "about": "c" * 32,
    "channel": "mail",
}


@pytest.fixture
def desk() -> Desk:
    return Desk(SERVICE, NOW_MS)


def _refused(desk: Desk, name: str, **data: Any) -> Refusal:
    return desk.refused("operator", "post", name, **data)


def test_the_post_records_a_letter_that_went(desk: Desk) -> None:
    act = desk.done("operator", "post", "record_sent", **LETTER)
    assert (act.name, act.data) == ("sent", LETTER)
    assert desk.rows.get(MESSAGE, "a" * 32) == {
        "id": "a" * 32,
        "subject": "b" * 32,
        "kind": "reminder",
        "about": "c" * 32,
        "channel": "mail",
        "state": "sent",
        "why": "",
        "sent_ms": NOW_MS,
        "position": 0,
    }


def test_a_letter_that_failed_says_why_in_a_code(desk: Desk) -> None:
    desk.done("operator", "post", "record_failed", **LETTER, why="refused-550")
    row = desk.rows.get(MESSAGE, "a" * 32)
    assert row is not None
    assert (row["state"], row["why"]) == ("failed", "refused-550")
    for why in ("550 no such user ana@example.al", "", "x" * 41, 5):
        refused = _refused(desk, "record_failed", **LETTER | {"message": "d" * 32}, why=why)
        assert refused == Refusal("malformed", {"field": "why"})


@pytest.mark.parametrize("first", ["record_sent", "record_failed"])
@pytest.mark.parametrize("second", ["record_sent", "record_failed"])
def test_one_letter_is_recorded_once(desk: Desk, first: str, second: str) -> None:
    def data(name: str) -> dict[str, Any]:
        return LETTER | ({"why": "given-up"} if name == "record_failed" else {})

    act = desk.done("operator", "post", first, **data(first))
    assert _refused(desk, second, **data(second)).code == "already-recorded"
    with pytest.raises(UnfitAct):
        SERVICE.acts[act.name].apply(desk.rows, act)


@pytest.mark.parametrize(
    ("role", "subject"),
    [("operator", "demo"), ("operator", "b" * 32), ("clerk", "post"), ("citizen", "post")],
)
@pytest.mark.parametrize("name", ["record_sent", "record_failed", "note_looked"])
def test_nobody_but_the_post_records(desk: Desk, role: Any, subject: str, name: str) -> None:
    assert desk.refused(role, subject, name, **LETTER).code == "not-allowed"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("message", "A" * 32),
        ("message", b"a"),
        ("subject", "ana@example.al"),
        ("kind", "advert"),
        ("about", "knee pain"),
        ("channel", "pigeon"),
    ],
)
def test_a_misshapen_field_is_named(desk: Desk, field: str, value: Any) -> None:
    refused = _refused(desk, "record_sent", **LETTER | {field: value})
    assert refused == Refusal("malformed", {"field": field})
    missing = {name: LETTER[name] for name in LETTER if name != field}
    assert _refused(desk, "record_sent", **missing) == Refusal("malformed", {"field": field})


def test_no_word_of_a_letter_fits_into_an_act(desk: Desk) -> None:
    refused = _refused(desk, "record_sent", **LETTER, body="your knee")
    assert refused == Refusal("malformed", {"field": "body"})


def test_the_post_never_looks_back(desk: Desk) -> None:
    desk.done("operator", "post", "note_looked", up_to=40)
    assert desk.rows.get(LOOKED, "post") == {"post": "post", "up_to": 40, "position": 0}
    for up_to in (40, 39):
        refused = _refused(desk, "note_looked", up_to=up_to)
        assert refused == Refusal("backwards", {"up_to": 40})
    for wrong in (-1, True, "41"):
        assert _refused(desk, "note_looked", up_to=wrong).code == "malformed"
    desk.done("operator", "post", "note_looked", up_to=41)

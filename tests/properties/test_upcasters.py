"""Acts of old versions: each is brought to today's version by its upcasters, then applied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.rows import MemoryRows
from kulla.kernel.rows import Column, RowsByKey, Table
from kulla.kernel.service import Act, Actor, ActType, Service
from kulla.registers.apply import UnknownAct, apply_act, upcast
from kulla.registers.own import OWN_TABLES

PARCEL = Table(
    "parcel",
    (
        Column("id", "text"),
        Column("grams", "int"),
        Column("street", "text"),
        Column("town", "text"),
    ),
)


def _sent(rows: RowsByKey, act: Act) -> None:
    data = act.data
    rows.put(
        PARCEL.name,
        {
            "id": data["id"],
            "grams": data["grams"],
            "street": data["street"],
            "town": data["town"],
        },
    )


def _grams(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Version 1 weighed in kilograms."""
    return {"id": data["id"], "grams": data["kilograms"] * 1000, "to": data["to"]}


def _two_lines(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Version 2 had the address in one line."""
    street, _, town = data["to"].partition(", ")
    return {"id": data["id"], "grams": data["grams"], "street": street, "town": town}


def _service(version: int) -> dict[str, Service]:
    """The service as the release of this version knew it."""
    steps = {number: step for number, step in ((1, _grams), (2, _two_lines)) if number < version}
    return {"post": Service("post", {}, {"sent": ActType(_sent, version, steps)})}


def _act(version: int, data: Mapping[str, Any], position: int = 5) -> Act:
    return Act(
        position,
        "post",
        "sent",
        version,
        1_760_000_000_000,
        Actor("clerk", "a" * 32),
        b"k" * 32,
        data,
        b"signed",
        b"wish",
        3,
        b"v" * 8,
    )


OF_THREE = (
    (1, {"id": "x", "kilograms": 2, "to": "Rruga 1, Tiranë"}),
    (2, {"id": "x", "grams": 2000, "to": "Rruga 1, Tiranë"}),
    (3, {"id": "x", "grams": 2000, "street": "Rruga 1", "town": "Tiranë"}),
)


@pytest.mark.parametrize(("version", "data"), OF_THREE)
def test_an_act_of_each_version_gives_the_same_row(version: int, data: Mapping[str, Any]) -> None:
    rows = MemoryRows((PARCEL, *OWN_TABLES))
    apply_act(_service(3), rows, _act(version, data))
    assert rows.get(PARCEL.name, "x") == {
        "id": "x",
        "grams": 2000,
        "street": "Rruga 1",
        "town": "Tiranë",
    }


@given(kilograms=st.integers(0, 10**6), town=st.text(max_size=9), at=st.integers(0, 2**40))
def test_only_the_data_and_the_version_change_on_the_way(
    kilograms: int, town: str, at: int
) -> None:
    old = _act(1, {"id": "x", "kilograms": kilograms, "to": f"Rruga 1, {town}"}, at)
    kept = dict(old.data)
    kind, act = upcast(_service(3), old)
    assert kind.version == act.version == 3
    assert act.data == {"id": "x", "grams": 1000 * kilograms, "street": "Rruga 1", "town": town}
    for field in Act.__slots__:
        if field not in ("data", "version"):
            assert getattr(act, field) == getattr(old, field), field
    assert old.data == kept, "an upcaster makes a new map"


@pytest.mark.parametrize("known", [1, 2])
def test_an_act_of_a_later_release_is_not_guessed_at(known: int) -> None:
    with pytest.raises(UnknownAct, match=f"knows up to {known}"):
        upcast(_service(known), _act(3, OF_THREE[2][1]))


def test_an_act_of_this_version_passes_as_it_is() -> None:
    act = _act(3, OF_THREE[2][1])
    assert upcast(_service(3), act)[1] is act

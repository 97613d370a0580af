"""What every Rows promises. A new implementation joins `IMPLEMENTATIONS` and runs all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from fakes.rows import MemoryRows
from kulla.kernel.rows import Column, Row, Rows, Table
from kulla.registers.sqlite import LiveRows, create_tables, open_registers

PEOPLE = Table(
    "people",
    (
        Column("name", "text"),
        Column("town", "text"),
        Column("born", "int"),
        Column("photo", "bytes", nullable=True),
    ),
    indexes=(("town", "born"),),
)
COUNTS = Table("counts", (Column("number", "int"), Column("label", "text")))
SCHEMA = (PEOPLE, COUNTS)

Open = Callable[[Path], AbstractContextManager[Rows]]


@contextmanager
def memory(_folder: Path) -> Iterator[Rows]:
    yield MemoryRows(SCHEMA)


@contextmanager
def sqlite(folder: Path) -> Iterator[Rows]:
    connection = open_registers(folder / "registers.sqlite", create=True)
    create_tables(connection, SCHEMA)
    connection.execute("BEGIN IMMEDIATE")
    yield LiveRows(connection, SCHEMA)
    connection.close()


IMPLEMENTATIONS: dict[str, Open] = {"memory": memory, "sqlite": sqlite}


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def rows(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rows]:
    with IMPLEMENTATIONS[request.param](tmp_path) as opened:
        yield opened


def person(name: str, town: str = "Berat", born: int = 1980, photo: bytes | None = None) -> Row:
    return {"name": name, "town": town, "born": born, "photo": photo}


def test_a_row_that_was_put_is_got_whole(rows: Rows) -> None:
    row = person("Ana", photo=b"\x00\xff")
    rows.put("people", row)
    assert rows.get("people", "Ana") == row
    assert rows.get("people", "Ben") is None


def test_cells_keep_their_kind_and_extremes(rows: Rows) -> None:
    for number, row in enumerate(
        [
            person("", "", 2**63 - 1, b""),
            person("ë ç \N{SLICE OF PIZZA}", "12", -(2**63), None),
            person("null\x00inside", "it's; --", 0, bytes(range(256))),
        ]
    ):
        rows.put("people", row)
        got = rows.get("people", row["name"])
        assert got == row, number
        assert [type(cell) for cell in got.values()] == [type(cell) for cell in row.values()]


def test_columns_come_in_the_table_s_order(rows: Rows) -> None:
    rows.put("people", person("Ana"))
    names = [column.name for column in PEOPLE.columns]
    got = rows.get("people", "Ana")
    assert got is not None
    assert list(got) == names
    assert [list(row) for row in rows.find("people")] == [names]


def test_put_replaces_the_row_with_its_key(rows: Rows) -> None:
    rows.put("people", person("Ana", town="Berat", photo=b"old"))
    rows.put("people", person("Ana", town="Vlora"))
    assert rows.get("people", "Ana") == person("Ana", town="Vlora")
    assert rows.find("people", town="Berat") == []
    assert len(rows.find("people")) == 1


def test_what_get_and_find_gave_is_a_copy(rows: Rows) -> None:
    rows.put("people", person("Ana"))
    got = rows.get("people", "Ana")
    assert got is not None
    got["town"] = "Vlora"
    rows.find("people")[0]["town"] = "Korça"
    assert rows.get("people", "Ana") == person("Ana")


def test_what_was_put_is_a_copy(rows: Rows) -> None:
    row = person("Ana")
    rows.put("people", row)
    row["town"] = "Vlora"
    assert rows.get("people", "Ana") == person("Ana")


def test_a_dropped_row_is_gone_and_dropping_none_is_fine(rows: Rows) -> None:
    rows.put("people", person("Ana"))
    rows.put("people", person("Ben"))
    rows.drop("people", "Ana")
    rows.drop("people", "Ana")
    assert rows.get("people", "Ana") is None
    assert rows.find("people") == [person("Ben")]
    rows.put("people", person("Ana", born=1990))
    assert rows.get("people", "Ana") == person("Ana", born=1990)


def test_find_gives_rows_whose_columns_are_all_equal(rows: Rows) -> None:
    for name, town, born in [("Ana", "Berat", 1980), ("Ben", "Berat", 1990), ("Cen", "Fier", 1980)]:
        rows.put("people", person(name, town, born))
    assert rows.find("people", town="Berat", born=1980) == [person("Ana", "Berat", 1980)]
    assert [row["name"] for row in rows.find("people", born=1980)] == ["Ana", "Cen"]
    assert rows.find("people", town="Tirana") == []


def test_find_sees_what_the_transaction_just_did(rows: Rows) -> None:
    rows.put("people", person("Ana", town="Berat"))
    assert len(rows.find("people", town="Berat")) == 1
    rows.put("people", person("Ana", town="Fier"))
    rows.put("people", person("Ben", town="Berat"))
    assert [row["name"] for row in rows.find("people", town="Berat")] == ["Ben"]
    rows.drop("people", "Ben")
    assert rows.find("people", town="Berat") == []


def test_find_orders_by_key_whatever_index_it_used(rows: Rows) -> None:
    names = ["b", "a", "Z", "ë", "zz", "a-1", "a-10", "a-2", "\N{SLICE OF PIZZA}", "\uffee"]
    for number, name in enumerate(names):
        rows.put("people", person(name, town="Berat", born=2000 - number))
    expected = sorted(names, key=str.encode)
    assert [row["name"] for row in rows.find("people")] == expected
    assert [row["name"] for row in rows.find("people", town="Berat")] == expected
    for number in (10, 9, -1, 2):
        rows.put("counts", {"number": number, "label": ""})
    assert [row["number"] for row in rows.find("counts")] == [-1, 2, 9, 10]


def test_cells_gives_one_column_of_all_rows_that_fit_in_order_of_their_keys(rows: Rows) -> None:
    for who in (person("Cen", "Berat"), person("Ana", "Berat"), person("Ben", "Tirana")):
        rows.put("people", who)
    assert rows.cells("people", "name", town="Berat") == ["Ana", "Cen"]
    assert rows.cells("people", "town") == ["Berat", "Tirana", "Berat"]
    assert rows.cells("people", "name", town="Vlora") == []


def test_find_gives_the_first_rows_up_to_its_limit(rows: Rows) -> None:
    for number in range(12):
        rows.put("counts", {"number": number, "label": "even" if number % 2 == 0 else "odd"})
    assert [row["number"] for row in rows.find("counts", limit=2, label="odd")] == [1, 3]
    assert len(rows.find("counts", limit=5)) == 5
    assert len(rows.find("counts", limit=100)) == 12


def test_find_for_none_gives_the_rows_with_an_empty_cell(rows: Rows) -> None:
    rows.put("people", person("Ana"))
    rows.put("people", person("Ben", photo=b""))
    assert [row["name"] for row in rows.find("people", photo=None)] == ["Ana"]

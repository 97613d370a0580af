"""Rows for a replay: the same as rows that are written at once, whatever is done in between."""

from __future__ import annotations

import sqlite3

from hypothesis import given
from hypothesis import strategies as st

from kulla.kernel.rows import Cell, Column, Table
from kulla.registers.bulk import BulkRows, WrittenKeys
from kulla.registers.sqlite import LiveRows, create_indexes, create_tables, dump

PEOPLE = Table(
    "people",
    (Column("name", "text"), Column("born", "int"), Column("photo", "bytes", nullable=True)),
    indexes=(("born",),),
)
COUNTS = Table("counts", (Column("number", "int"), Column("label", "text")))
TABLES = (PEOPLE, COUNTS)

CELLS: st.SearchStrategy[Cell] = (
    st.text(max_size=8) | st.binary(max_size=8) | st.integers(-(2**63), 2**63 - 1)
)


@given(st.lists(CELLS, max_size=200), st.lists(CELLS, max_size=200))
def test_a_key_that_was_written_is_never_denied(written: list[Cell], others: list[Cell]):
    keys = WrittenKeys(marks=2**12)
    keys.add(written[:50])
    keys.add(written[50:])
    assert all(map(keys.may_have, written))
    if not written:
        assert not any(map(keys.may_have, others))


def test_most_keys_that_were_not_written_are_denied():
    keys = WrittenKeys(marks=2**17)
    keys.add(range(10_000))
    keys.add(f"c01-p2-{number * 900}" for number in range(10_000))
    others = [*range(10_000, 20_000), *(f"c02-p2-{number * 900}" for number in range(10_000))]
    assert sum(map(keys.may_have, others)) < len(others) // 5


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "drop", "get", "flush", "reopen", "keep", "take back"]),
        st.sampled_from("abcdef"),
        st.integers(0, 3),
    ),
    max_size=60,
)


@given(STEPS)
def test_it_leaves_the_file_as_rows_written_at_once_would(steps: list[tuple[str, str, int]]):
    bulk_file, live_file = sqlite3.connect(":memory:"), sqlite3.connect(":memory:")
    for connection in (bulk_file, live_file):
        connection.isolation_level = None
        create_tables(connection, TABLES, indexes=connection is live_file)
    bulk, live = BulkRows(bulk_file, TABLES), LiveRows(live_file, TABLES)
    live_file.execute("SAVEPOINT act")
    for step, name, number in steps:
        row = {"name": name, "born": number, "photo": name.encode() if number else None}
        if step == "put":
            bulk.put("people", row)
            live.put("people", row)
        elif step == "drop":
            bulk.drop("people", name)
            live.drop("people", name)
        elif step == "get":
            assert bulk.get("people", name) == live.get("people", name)
        elif step == "take back":
            bulk.take_back()
            live_file.execute("ROLLBACK TO act")
        else:
            # Acts are whole when rows are written: whatever came before can't be taken back.
            bulk.keep()
            live_file.execute("RELEASE act")
            live_file.execute("SAVEPOINT act")
            if step != "keep":
                bulk.flush()
            if step == "reopen":
                bulk = BulkRows(bulk_file, TABLES)
    bulk.keep()
    bulk.flush()
    create_indexes(bulk_file, TABLES)
    assert [dump(bulk_file, table) for table in TABLES] == [
        dump(live_file, table) for table in TABLES
    ]
    bulk_file.close()
    live_file.close()

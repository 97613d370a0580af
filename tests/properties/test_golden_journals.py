"""Each release's golden journal is replayed by the normal rebuild, and gives the rows it gave then.

tests/golden/<version>/ is made once by tools/golden.py, when a release is made, and never changed
(docs/decisions/023-years.md). Where this release has more tables or columns than a golden journal
knows, those that it knows must still be as they were.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kulla.journal.entries import JournalKey, Opener, act_fields
from kulla.journal.policy_file import parse_policy, verify_policy_signatures
from kulla.kernel.service import Act
from kulla.rebuild.chain import EpochPlan, rebuild_registers
from kulla.rebuild.history import plan_history, settle_log
from kulla.rebuild.reading import SourcesExhausted, read_verified
from kulla.rebuild.replay import Replayed
from kulla.rebuild.sources import FolderSource
from kulla.registers.fingerprint import FingerprintKey
from kulla.registers.sqlite import LiveRows, create_tables, dump, open_registers
from kulla.registers.tower import TOWER_NAME, tower_service
from kulla.services.accounts.authority import Authority
from kulla.tower.policies.earlier import FOLDER, kept_policies
from kulla.tower.services import SERVICES, register_tables

TOP = Path(__file__).parents[2]
GOLDEN = TOP / "tests" / "golden"
VERSIONS = sorted(path.name for path in GOLDEN.iterdir())
BYTES_MAX = 500_000
OPTIONAL = frozenset(("for", "of", "signed", "via", "wish"))


class Golden:
    """One golden journal, read from its files alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.policy = parse_policy((folder / "policy").read_bytes())
        verify_policy_signatures(self.policy)
        key = JournalKey((folder / "TEST-ONLY-journal.key").read_bytes())
        self.keys = {key.key_id: key}
        self.fingerprint_key = FingerprintKey(key.secret)
        sources = [FolderSource(path.name, path) for path in (folder / "embassies").iterdir()]
        settled = settle_log(sources, self.policy, self.policy.current_log.key.name)
        self.plans: list[EpochPlan] = plan_history(sources, self.policy, self.keys, settled)

    def acts(self) -> Iterator[dict[str, Any]]:
        """The fields of every act, as they stand in the journal."""
        for plan in self.plans:
            opener = Opener(plan.origin, self.keys)
            for _, entries in read_verified(plan, 0):
                for entry in entries:
                    yield act_fields(opener.open(entry).plaintext)

    def rebuilt(self, path: Path) -> tuple[dict[str, list[dict[str, Any]]], Replayed]:
        """What this release makes of it: rows by table, and the rebuild's report."""
        tables = register_tables()
        with closing(open_registers(path, create=True)) as connection:
            create_tables(connection, tables)
            first = self.policy.logs[0].key.name
            LiveRows(connection, tables).put(
                "kulla_epoch", {"number": 1, "origin": first, "base": 0, "root_before": None}
            )
            report = rebuild_registers(
                self.plans,
                self.keys,
                connection,
                tables,
                SERVICES,
                authority=Authority(self.policy.relying_party, ()),
                fingerprint_key=self.fingerprint_key,
                policies=[
                    self.policy,
                    *kept_policies(self.folder / FOLDER, self.policy),
                ],
            )
            rows = {
                table.name: [
                    dict(zip([column.name for column in table.columns], row, strict=True))
                    for row in dump(connection, table)
                ]
                for table in tables
            }
        return rows, report

    def expected(self) -> dict[str, list[dict[str, Any]]]:
        """The rows that the release of then came to."""
        found: dict[str, list[dict[str, Any]]] = {}
        for line in (self.folder / "registers.jsonl").read_text(encoding="utf-8").splitlines():
            table, cells = json.loads(line)
            row = {
                name: bytes.fromhex(cell["hex"]) if isinstance(cell, dict) else cell
                for name, cell in cells.items()
            }
            found.setdefault(table, []).append(row)
        return found


@pytest.mark.parametrize("version", VERSIONS)
def test_a_golden_journal_gives_the_rows_that_it_gave_then(version: str, tmp_path: Path) -> None:
    golden = Golden(GOLDEN / version)
    rows, report = golden.rebuilt(tmp_path / "registers")
    expected = golden.expected()
    assert report.cases == []
    for table, then in expected.items():
        assert len(rows[table]) == len(then), table
        for now, before in zip(rows[table], then, strict=True):
            assert {name: now[name] for name in before} == before, table
    more = [table for table, found in rows.items() if found and table not in expected]
    assert more == [], "tables that were empty then"
    assert report.misfits == []


def test_a_golden_journal_is_small_and_its_keys_say_what_they_are() -> None:
    for version in VERSIONS:
        files = [path for path in (GOLDEN / version).rglob("*") if path.is_file()]
        assert sum(path.stat().st_size for path in files) < BYTES_MAX
        assert [path.name for path in files if "key" in path.name] == ["TEST-ONLY-journal.key"]


def test_each_act_of_this_release_is_in_a_golden_journal() -> None:
    """An act, or a new version of one, needs a golden journal before it may be released."""
    found = {
        (act["service"], act["act"], act["v"])
        for version in VERSIONS
        for act in Golden(GOLDEN / version).acts()
    }
    known = {
        (service.name, name, kind.version)
        for service in (*SERVICES.values(), tower_service())
        for name, kind in service.acts.items()
    }
    assert known - found == set(), "make the golden journal of the release to come: tools/golden.py"


def test_each_field_that_may_be_absent_is_in_one_and_missing_from_one() -> None:
    acts = [act for version in VERSIONS for act in Golden(GOLDEN / version).acts()]
    for field in OPTIONAL:
        assert {field in act for act in acts} == {True, False}, field
    assert len(Golden(GOLDEN / VERSIONS[-1]).plans) >= 2, "two epochs: a takeover"
    own = {act["act"] for act in acts if act["service"] == TOWER_NAME}
    assert own == set(tower_service().acts)


def test_a_change_in_how_an_act_is_applied_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build that is broken on purpose: rows differ, and the journal's own fingerprints say so."""
    from dataclasses import replace

    acts = SERVICES["appointments"].acts

    def cancelled(rows: Any, act: Act) -> None:
        honest.apply(rows, act)
        row = rows.get("appointments_appointment", act.data["appointment"])
        rows.put("appointments_appointment", row | {"to_call_ms": 7})

    honest = acts["cancelled"]
    monkeypatch.setitem(acts, "cancelled", replace(honest, apply=cancelled))  # type: ignore[arg-type]
    golden = Golden(GOLDEN / VERSIONS[0])
    rows, report = golden.rebuilt(tmp_path / "registers")
    assert report.misfits
    assert rows["appointments_appointment"] != golden.expected()["appointments_appointment"]


def test_damage_to_a_golden_journal_is_found(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / VERSIONS[0], tmp_path / "copy")
    for path in (tmp_path / "copy" / "embassies").rglob("tile/entries/*/*"):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    with pytest.raises(SourcesExhausted, match="no source gives the entries"):
        Golden(tmp_path / "copy").rebuilt(tmp_path / "registers")


def test_the_tool_makes_one_that_this_release_replays(tmp_path: Path) -> None:
    folder = tmp_path / "golden"
    argv = [sys.executable, str(TOP / "tools" / "golden.py"), str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    golden = Golden(folder)
    rows, report = golden.rebuilt(tmp_path / "registers")
    assert report.cases == []
    assert {table: found for table, found in rows.items() if found} == golden.expected()
    again = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert again.returncode != 0
    assert "never changed" in again.stderr

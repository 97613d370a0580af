"""How fast registers come back from what embassies hold, every signature, tile and entry verified.

The journal is made in one process and rebuilt in another, so that the peak memory is the rebuild's
alone. What is timed is what a takeover does once the old epoch is sealed: settle which history
counts, copy its tiles into the new home's own journal, open and apply every act.
"""

from __future__ import annotations

import json
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kulla.bench.errors import BenchFailed
from kulla.bench.long_journal import ORIGIN, LongJournal, digest_of, embassy_folders, read_made
from kulla.journal.entries import JournalKey
from kulla.journal.filestore import FileTileStore
from kulla.journal.policy_file import parse_policy, verify_policy_signatures
from kulla.kernel.edges import SystemClock
from kulla.rebuild.chain import rebuild_registers
from kulla.rebuild.history import plan_history, settle_log
from kulla.rebuild.replay import Replayed
from kulla.rebuild.sources import FolderSource
from kulla.registers.fingerprint import FingerprintKey
from kulla.registers.sqlite import LiveRows, create_indexes, create_tables, open_registers
from kulla.tower.services import SERVICES, register_tables

SEED: Final = 1
_RESULT: Final = "rebuilt.json"


@dataclass(frozen=True, slots=True)
class RebuildPlan:
    """What to measure: `acts` in the journal, the seed of its story, and the folder for it all."""

    acts: int
    folder: Path
    seed: int = SEED


def measure_rebuild(plan: RebuildPlan, say: Callable[[str], None]) -> dict[str, Any]:
    """Make a journal (or take up the same one from an earlier run), rebuild, compare.

    Raises BenchFailed where the rebuilt registers are not those that the live path wrote, or where
    an act became a case.
    """
    journal = plan.folder / f"journal-{plan.acts}-{plan.seed}"
    if not (journal / "made.json").exists():
        shutil.rmtree(journal, ignore_errors=True)
        say(f"making a journal of {plan.acts:,} acts")
        _in_process("make-journal", str(journal), str(plan.acts), str(plan.seed))
    made = read_made(journal)
    home = plan.folder / "rebuilt"
    shutil.rmtree(home, ignore_errors=True)
    say("rebuilding")
    _in_process("rebuild-once", str(journal), str(home))
    found: dict[str, Any] = json.loads((home / _RESULT).read_text())
    _compare(home, made, found)
    return {
        "acts": made.acts,
        "acts_per_s": round(made.acts / found["seconds"]),
        **found,
        "entry_bytes": made.entry_bytes,
        "registers_equal_live_path": True,
        "settings": {
            "seed": plan.seed,
            "embassies_read": len(embassy_folders(journal)),
            "page_cache": "warm: the journal was written just before",
            "left_out": "wrapped keys of citizens, which a takeover brings over beside the acts",
        },
    }


def _in_process(*words: str) -> None:
    """A bench command in a process of its own, so that neither's memory counts as the other's."""
    argv = [sys.executable, "-m", "kulla", "bench", *words]
    done = subprocess.run(argv, check=False)  # noqa: S603 - our own module
    if done.returncode:
        raise BenchFailed(
            f"a process of this measurement ended with {done.returncode}.",
            place=f"kulla bench {words[0]}",
            remedy="What it wrote above says why.",
        )


def rebuild_once(journal: Path, home: Path) -> None:
    """The timed part, in its own process: writes its figures to rebuilt.json in `home`."""
    home.mkdir(parents=True)
    key = JournalKey((journal / "journal.key").read_bytes())
    tables = register_tables()
    clock = SystemClock()
    start_s = clock.monotonic_s()
    policy = parse_policy((journal / "policy").read_bytes(), place=str(journal / "policy"))
    verify_policy_signatures(policy)
    folders = embassy_folders(journal)
    sources = [FolderSource(name, folder) for name, folder in folders.items()]
    settlement = settle_log(sources, policy, ORIGIN)
    plans = plan_history(sources, policy, {key.key_id: key}, settlement)
    connection = open_registers(home / "registers.sqlite", create=True)
    with (
        closing(connection),
        FileTileStore(home / "journal", create=True) as own,
    ):
        create_tables(connection, tables, indexes=False)
        LiveRows(connection, tables).put(
            "kulla_epoch", {"number": 1, "origin": ORIGIN, "base": 0, "root_before": None}
        )
        report = rebuild_registers(
            plans,
            {key.key_id: key},
            connection,
            tables,
            SERVICES,
            own_store=lambda _: own,
            fingerprint_key=FingerprintKey(key.secret),
        )
        create_indexes(connection, tables)
    seconds = clock.monotonic_s() - start_s
    (home / _RESULT).write_text(json.dumps(_figures(report, seconds)))


def _figures(report: Replayed, seconds: float) -> dict[str, Any]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    beside = resource.getrusage(resource.RUSAGE_CHILDREN)  # the process that reads
    both = (used, beside)
    return {
        "replayed": report.acts,
        "seconds": round(seconds, 3),
        "cpu_s": round(sum(one.ru_utime + one.ru_stime for one in both), 3),
        "peak_memory_mib": round(sum(one.ru_maxrss for one in both) / 1024, 1),
        "fingerprints": report.fingerprints,
        "cases": report.case_count,
        "first_cases": report.cases[:3],
    }


def _compare(home: Path, made: LongJournal, found: dict[str, Any]) -> None:
    path = home / "registers.sqlite"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        digest, rows = digest_of(connection, register_tables())
    found["rows"] = rows
    if found["cases"]:
        raise BenchFailed(f"{found['cases']} acts became cases: {found['first_cases']}.")
    if found["replayed"] != made.acts or digest != made.digest:
        raise BenchFailed(
            f"the rebuilt registers ({rows} rows after {found['replayed']} acts) are not those of "
            f"the live path ({made.rows} rows after {made.acts}).",
            place=str(path),
            remedy="Keep both files (--keep) and compare them table by table.",
        )
    del found["first_cases"]

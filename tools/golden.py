"""Make the golden journal of this release: what every later release must replay.

    .venv/bin/python tools/golden.py tests/golden/0.2.0

It lives through a small made-up country in this one process, by the release's own scribe and
embassies, from one seed: every act of every service, every optional field, two epochs and an undo.
What two embassies then hold is written as files, with the policy, the key to open it, and the
registers that came of it. Every key in it is made up from its name: for tests only. Run it once,
when a release is made, and never again for that release (docs/decisions/023-years.md).
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from golden_story import GoldenStory

from kulla.drill.undo.country import CountryHere
from kulla.drill.undo.story import StoryClock
from kulla.journal.checkpoints import parse_checkpoint
from kulla.journal.notes import parse_note
from kulla.journal.tiles import WIDTH, parse_tile_path
from kulla.kernel.rows import Cell, Table
from kulla.registers.sqlite import dump

EMBASSIES = ("north", "east")
SEED = 1


def main(folder: Path) -> None:
    """Write the golden journal to `folder`, which must not exist yet."""
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        clock = StoryClock()
        country = CountryHere(Path(scratch), clock, SEED, fingerprint_every=40)
        GoldenStory(country, clock).tell()
        _write(country, folder)
        country.connection.close()
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    sys.stdout.write(f"{country.writer.end} acts, {size} bytes in {folder}\n")


def _write(country: CountryHere, folder: Path) -> None:
    (folder / "policy").write_bytes(country.policy.render())
    for older in country.policies[:-1]:
        (folder / "policies").mkdir(exist_ok=True)
        (folder / "policies" / f"version-{older.version}").write_bytes(older.render())
    [key] = country.keys.values()
    (folder / "TEST-ONLY-journal.key").write_bytes(key.secret)
    for name in EMBASSIES:
        for log, store in country.embassies[name].stores.items():
            if log == "desk":
                continue
            note = store.get("checkpoint")
            size = parse_checkpoint(parse_note(note).text).size
            tiles = [path for path in store.names("tile/") if _lasts(path, size)]
            for path in (*tiles, "checkpoint"):
                target = folder / "embassies" / name / "logs" / log / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(store.get(path))
    lines = registers_of(country.connection, country.tables)
    (folder / "registers.jsonl").write_text("".join(lines), encoding="utf-8")


def _lasts(path: str, size: int) -> bool:
    """Whether a tile is of this size of the log, and not of an earlier one."""
    level, index, width = parse_tile_path(path)
    return width == min(WIDTH, (size >> (8 * max(level, 0))) - index * WIDTH)


def registers_of(connection: object, tables: Iterable[Table]) -> Iterator[str]:
    """Each row of the registers as one line of JSON: its table, and its cells by column."""
    for table in sorted(tables, key=lambda one: one.name):
        names = [column.name for column in table.columns]
        for row in dump(connection, table):  # type: ignore[arg-type]
            cells = {name: _spelled(cell) for name, cell in zip(names, row, strict=True)}
            yield json.dumps([table.name, cells], ensure_ascii=False) + "\n"


def _spelled(cell: Cell) -> object:
    return {"hex": cell.hex()} if isinstance(cell, bytes) else cell


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    target = Path(sys.argv[1])
    if target.exists():
        sys.exit(f"{target} exists: a golden journal is made once and never changed")
    try:
        main(target)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise

"""fsync is real: before an answer goes out, registers and journal were synced. Seen by strace.

The same check, run on a build whose syncing was taken out, must find that nothing was synced: that
keeps the check honest.
"""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

SCRIPT = """
    import os, sys
    from pathlib import Path
    folder = Path(sys.argv[1])
    if sys.argv[2] == "without":
        os.fsync = os.fdatasync = lambda descriptor: None
    sys.path[:0] = [sys.argv[3]]
    from fakes.home import HomeInProcess
    from kulla.journal.filestore import FileTileStore
    home = HomeInProcess(folder)
    home.deliver()
    home.store = FileTileStore(folder / "journal", create=True)
    home.restart()
    if sys.argv[2] == "without":
        home.connection.execute("PRAGMA synchronous=OFF")
    for number in range(3):
        os.write(1, b"ASKED\\n")
        home.take(home.command(), tokens=chr(97 + number))
        home.deliver()
        assert home.answers[chr(97 + number)].status == "accepted"
        os.write(1, b"ANSWERED\\n")
"""


def _synced_between_question_and_answer(folder: Path, strace: str, how: str) -> list[set[str]]:
    """For each question: the names of the files and folders that were synced before its answer."""
    script = folder / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    trace = folder / "trace"
    calls = "trace=openat,close,fsync,fdatasync,write"
    tests = str(Path(__file__).resolve().parents[1])
    command = [strace, "-f", "-y", "-e", calls, "-o", str(trace), sys.executable, str(script)]
    subprocess.run([*command, str(folder), how, tests], check=True, timeout=100)
    rounds: list[set[str]] = []
    for line in trace.read_text().splitlines():
        if "ASKED" in line or "ANSWERED" in line:
            rounds.append(set())
        elif rounds and (found := re.search(r"f(?:data)?sync\(\d+<([^>]+)>", line)):
            rounds[-1].add(found[1].removeprefix(str(folder)))
    return rounds[::2]


def test_registers_tiles_and_their_folders_are_synced_before_each_answer(
    tmp_path: Path, strace: str
) -> None:
    rounds = _synced_between_question_and_answer(tmp_path, strace, "with")
    assert len(rounds) == 3
    for synced in rounds:
        assert any(path.startswith("/registers") for path in synced), synced
        assert any(path.startswith("/journal/tile/entries") for path in synced), synced
        assert any(path.startswith("/journal/tile/0") for path in synced), synced
        folders = {
            path
            for path in synced
            if path in ("/journal/tile/0/000.p", "/journal/tile/entries/000.p")
        }
        assert len(folders) == 2, synced


def test_the_check_finds_a_build_that_does_not_sync(tmp_path: Path, strace: str) -> None:
    rounds = _synced_between_question_and_answer(tmp_path, strace, "without")
    assert rounds == [set(), set(), set()]

"""The scribe's process dies at every step of a history, and nothing acknowledged is lost.

A step is a statement of SQL, a write to the tile store or a request to an embassy; death comes
before it, or after it was done and before anyone heard of it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.home import TABLES, HomeInProcess
from kulla.drill.simulation.mortal import Died, Life
from kulla.kernel.service import Command
from kulla.registers.sqlite import dump


def _history(home: HomeInProcess) -> list[list[Command]]:
    return [
        [home.command(counter="a"), home.command(counter="b", times=3)],
        [home.command(counter="a", most=1), home.command(counter="c")],
        [home.command(counter="b")],
    ]


def _live(home: HomeInProcess, batches: list[list[Command]]) -> None:
    for number, batch in enumerate(batches):
        home.take(*batch, tokens="".join(chr(97 + number * 4 + at) for at in range(len(batch))))
        home.deliver()


def _steps_of_a_whole_life(folder: Path) -> int:
    home = HomeInProcess(folder)
    home.deliver()
    home.life.steps = 0
    _live(home, _history(home))
    return home.life.steps


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_nothing_acknowledged_is_lost_wherever_the_process_dies(tmp_path: Path, done: bool) -> None:
    count_folder = tmp_path / "count"
    count_folder.mkdir()
    steps = _steps_of_a_whole_life(count_folder)
    assert steps > 60
    for last in range(1, steps + 1):
        folder = tmp_path / str(last)
        folder.mkdir()
        _die_and_go_on(folder, last, done=done)


def _die_and_go_on(folder: Path, last: int, *, done: bool) -> None:
    home = HomeInProcess(folder)
    home.deliver()
    home.life.steps, home.life.last, home.life.done = 0, last, done
    batches = _history(home)
    with pytest.raises(Died):
        _live(home, batches)
    told = dict(home.answers)
    home.answers.clear()
    home.connection.close()
    home.store.crash()
    home.life = Life()
    home.restart()
    home.deliver()
    _live(home, batches)
    for token, answer in told.items():
        assert home.answers[token] == answer, (last, token)
    # Every command, repeated, came to exactly one set of acts, and all embassies hold all of them.
    assert home.journal.size == 6
    assert {name: row["value"] for name, row in home.rows().items()} == {"a": 1, "b": 4, "c": 1}
    sizes = {each.mirror.health()["logs"][0]["size"] for each in home.embassies.values()}  # type: ignore[index]
    assert sizes == {6}
    assert len(dump(home.connection, TABLES[0])) == 4
    home.connection.close()

"""The minder and processes that end just when it looks."""

from __future__ import annotations

from pathlib import Path

import pytest

from kulla.kernel.edges import SystemClock
from kulla.tower.minder import Child, ChildFailed, ChildSpec

pytestmark = pytest.mark.live


class EndsBetweenTwoLooks(Child):
    """A process that runs when it is looked at once, and is gone when it is looked at again."""

    looks = 0

    @property
    def pid(self) -> int | None:
        self.looks += 1
        return 2**30 if self.looks == 1 else None  # no process has this number


def _child(kind: type[Child], folder: Path) -> Child:
    return kind(ChildSpec("wordless", ("--version",)), folder / "wordless.log", SystemClock())


def test_a_process_that_ends_without_its_word_is_said_so_and_tried_again(tmp_path: Path) -> None:
    child = _child(Child, tmp_path)
    with pytest.raises(ChildFailed, match="wordless ended before it was ready"):
        child.start()
    assert child.mind() is False, "after a pause"
    assert child.starts == 1


def test_a_process_that_ends_while_it_is_signalled_is_no_fault_of_the_minder(
    tmp_path: Path,
) -> None:
    child = _child(EndsBetweenTwoLooks, tmp_path)
    child.ask_to_stop()
    with pytest.raises(ChildFailed, match="ended before it was ready"):
        child.start()

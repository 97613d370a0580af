"""Small files are there whole, or not at all, and take no other's place."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from kulla.embassy.settle import Settlement, Tail
from kulla.journal.checkpoints import Checkpoint
from kulla.kernel.durable import write_whole
from kulla.tower.home import Home, write_missing
from kulla.tower.takeover.settled import settled_once


def test_a_file_is_its_owners_alone_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_whole(tmp_path / "key", b"secret")
    assert (tmp_path / "key").read_bytes() == b"secret"
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    write_whole(tmp_path / "key", b"first")
    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "key", b"second")
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
    write_missing(tmp_path / "key", b"third")
    assert (tmp_path / "key").read_bytes() == b"first"


def test_what_a_power_loss_left_half_done_is_not_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "key.half").write_bytes(b"sec")
    write_missing(tmp_path / "key", b"secret")
    assert (tmp_path / "key").read_bytes() == b"secret"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_takeover_settles_once(tmp_path: Path) -> None:
    first = Settlement(
        Checkpoint("kulla.example/epoch-1", 7, b"r" * 32),
        ("rome", "vienna"),
        behind=(Tail("ottawa", 5),),
        tails=(Tail("rome", 9),),
        forked=(),
        certain=True,
    )
    asked: list[str] = []

    def settle(found: Settlement) -> Settlement:
        asked.append("settled")
        return found

    less = Settlement(Checkpoint("kulla.example/epoch-1", 3, b"x" * 32), (), (), (), (), False)
    home = Home(tmp_path / "home")
    assert settled_once(home, lambda: settle(first)) == first
    assert settled_once(home, lambda: settle(less)) == first
    assert asked == ["settled"]

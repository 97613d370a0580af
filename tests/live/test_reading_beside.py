"""A rebuild reads, verifies and opens in a second process: what comes of it is just the same."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from kulla.bench.long_journal import ORIGIN, embassy_folders, make_journal
from kulla.embassy.write_log import LoggedTileStore
from kulla.journal.entries import JournalKey
from kulla.journal.errors import EntryInvalid
from kulla.journal.filestore import FileTileStore
from kulla.journal.policy_file import parse_policy
from kulla.journal.store import TileStore
from kulla.journal.tiles import ENTRIES, parse_tile_path
from kulla.journal.tree import Tree
from kulla.rebuild import beside
from kulla.rebuild.beside import ReaderEnded, opened_entries
from kulla.rebuild.history import plan_history, settle_log
from kulla.rebuild.reading import EpochPlan, SourcesExhausted
from kulla.rebuild.sources import FolderSource

pytestmark = pytest.mark.live

ACTS = 3000


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("beside") / "journal"
    make_journal(folder, ACTS, 5)
    return folder


@pytest.fixture
def key(journal: Path) -> JournalKey:
    return JournalKey((journal / "journal.key").read_bytes())


@pytest.fixture
def plan(journal: Path, key: JournalKey) -> EpochPlan:
    policy = parse_policy((journal / "policy").read_bytes(), place="policy")
    sources = [FolderSource(name, folder) for name, folder in embassy_folders(journal).items()]
    settlement = settle_log(sources, policy, ORIGIN)
    [found] = plan_history(sources, policy, {key.key_id: key}, settlement)
    return found


@pytest.fixture
def always_beside(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """Ask the other process however short the journal is; holds each process that was started."""
    started: list[object] = []
    popen = beside.subprocess.Popen

    def start(*argv: object, **ways: object) -> object:
        started.append(popen(*argv, **ways))  # type: ignore[call-overload]
        return started[-1]

    monkeypatch.setattr(beside, "ENTRIES_MIN", 0)
    monkeypatch.setattr(beside.subprocess, "Popen", start)
    yield started
    assert started, "nothing was read beside"
    assert all(process.poll() is not None for process in started)  # type: ignore[attr-defined]


def all_of(
    plan: EpochPlan, key: JournalKey, start: int = 0, own: TileStore | None = None
) -> list[tuple[int, bytes | str, tuple[bytes, ...]]]:
    """(index, plaintext or what is wrong, names) of each entry."""
    found: list[tuple[int, bytes | str, tuple[bytes, ...]]] = []
    with opened_entries(plan, {key.key_id: key}, start, own) as (bundles, opener):
        for first, entries in bundles:
            for index, entry in enumerate(entries, first):
                try:
                    opened = opener.open(entry)
                    found.append((index, opened.plaintext, opened.names))
                except EntryInvalid as error:
                    found.append((index, type(error).__name__, getattr(entry, "names", ())))
    return found


def test_the_other_process_gives_what_this_one_would(
    plan: EpochPlan, key: JournalKey, always_beside: list[object]
) -> None:
    there = all_of(plan, key)
    assert [index for index, _, _ in there] == list(range(plan.size))
    assert any(names for _, _, names in there)
    here = plan.sources[0][1]
    short = EpochPlan(plan.origin, plan.base, plan.size, plan.root, [("here", _Plain(here))])
    before = len(always_beside)
    assert all_of(short, key) == there
    assert len(always_beside) == before, "a store that only this process knows was read elsewhere"


def test_it_begins_where_it_is_asked_to(
    plan: EpochPlan, key: JournalKey, always_beside: list[object]
) -> None:
    assert [index for index, _, _ in all_of(plan, key, 777)] == list(range(777, plan.size))


def test_what_it_yields_is_durable_in_the_homes_own_store(
    plan: EpochPlan, key: JournalKey, always_beside: list[object], tmp_path: Path
) -> None:
    with FileTileStore(tmp_path / "own", create=True) as own:
        found = all_of(plan, key, 0, own)
    assert len(found) == plan.size
    with FileTileStore(tmp_path / "own") as own:
        assert Tree.load(own, plan.size).root() == plan.root


def test_entries_under_another_key_are_misfits_with_their_names(
    plan: EpochPlan, key: JournalKey, always_beside: list[object]
) -> None:
    named = {index: names for index, _, names in all_of(plan, key) if names}
    found = all_of(plan, JournalKey(random.Random(9).randbytes(32)))
    assert {what for _, what, _ in found} == {"EntryInvalid"}
    assert {index: names for index, _, names in found if names} == named


def test_where_a_tile_is_false_the_next_folder_goes_on(
    plan: EpochPlan, key: JournalKey, always_beside: list[object], tmp_path: Path
) -> None:
    flipped = _copied_with_a_flipped_tile(plan.sources[0][1], tmp_path / "flipped")
    broken = EpochPlan(
        plan.origin, plan.base, plan.size, plan.root, [("flipped", flipped), *plan.sources[1:]]
    )
    assert len(all_of(broken, key)) == plan.size
    alone = EpochPlan(plan.origin, plan.base, plan.size, plan.root, [("flipped", flipped)])
    with pytest.raises(SourcesExhausted, match=r"from \d+ on"):
        all_of(alone, key)


def test_a_reader_that_dies_is_an_error_and_not_an_end(
    plan: EpochPlan, key: JournalKey, always_beside: list[object]
) -> None:
    with opened_entries(plan, {key.key_id: key}, 0, None) as (bundles, _):
        always_beside[-1].kill()  # type: ignore[attr-defined]
        with pytest.raises(ReaderEnded, match="before its work was done"):
            list(bundles)


def test_a_rebuild_that_breaks_off_leaves_no_reader_behind(
    plan: EpochPlan, key: JournalKey, always_beside: list[object]
) -> None:
    with opened_entries(plan, {key.key_id: key}, 0, None) as (bundles, _):
        next(bundles)
    # `always_beside` looks whether the process is gone.


class _Plain:
    """The same tiles behind a store that can't be described to another process."""

    def __init__(self, store: TileStore) -> None:
        self.get = store.get
        self.put = store.put
        self.names = store.names


def _copied_with_a_flipped_tile(store: TileStore, folder: Path) -> LoggedTileStore:
    objects = {path: store.get(path) for path in store.names("tile/")}
    path = next(path for path in objects if parse_tile_path(path)[:2] == (ENTRIES, 2))
    flipped = bytearray(objects[path])
    flipped[100] ^= 1
    objects[path] = bytes(flipped)
    with LoggedTileStore(folder, create=True) as copy:
        copy.put(objects)
    return LoggedTileStore(folder, read_only=True)

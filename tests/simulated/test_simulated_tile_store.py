"""The simulated store breaks as it says it does, and never breaks what was promised."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kulla.journal.errors import JournalError, StoreFailed, TileMissing
from kulla.journal.simulated import Damage, SimulatedTileStore, WriteFault
from kulla.journal.tree import Tree, verified_bundles

ITEMS = {f"tile/0/00{number}": b"%d" % number for number in range(5)}
SEEDS = range(300)


def kept_after_crash(seed: int, fault: WriteFault) -> list[str]:
    store = SimulatedTileStore(seed)
    store.put({"tile/1/000": b"promised"})
    store.fail_next(fault)
    with pytest.raises(StoreFailed):
        store.put(ITEMS)
    store.crash()
    assert store.get("tile/1/000") == b"promised"
    assert all(store.get(path) == ITEMS[path] for path in store.names("tile/0/"))
    return store.names("tile/0/")


def test_a_lost_write_leaves_nothing():
    assert all(kept_after_crash(seed, WriteFault.LOST) == [] for seed in SEEDS)


def test_a_persisted_write_leaves_everything_though_it_failed():
    assert all(kept_after_crash(seed, WriteFault.PERSISTED) == list(ITEMS) for seed in SEEDS)


@pytest.mark.parametrize("fault", [WriteFault.TORN, WriteFault.REORDERED])
def test_a_torn_write_leaves_any_part_of_it(fault: WriteFault):
    kept = [kept_after_crash(seed, fault) for seed in SEEDS]
    assert [] in kept
    assert list(ITEMS) in kept
    out_of_order = [paths for paths in kept if paths != list(ITEMS)[: len(paths)]]
    assert len(out_of_order) > len(SEEDS) // 10


def test_before_a_crash_a_torn_write_is_seen_in_order_and_a_reordered_one_is_not():
    for fault, in_order in ((WriteFault.TORN, True), (WriteFault.REORDERED, False)):
        seen = []
        for seed in SEEDS:
            store = SimulatedTileStore(seed)
            store.fail_next(fault)
            with pytest.raises(StoreFailed):
                store.put(ITEMS)
            seen.append(store.names(""))
        assert all(paths == list(ITEMS)[: len(paths)] for paths in seen) is in_order


def test_what_a_process_saw_stays_when_only_the_process_dies():
    for seed in SEEDS:
        store = SimulatedTileStore(seed)
        store.fail_next(WriteFault.REORDERED)
        with pytest.raises(StoreFailed):
            store.put(ITEMS)
        seen = store.names("")
        store.restart()
        store.crash()
        assert store.names("") == seen


def test_a_swap_that_failed_leaves_the_old_bytes_or_the_new_ones():
    found = set()
    for seed in SEEDS:
        store = SimulatedTileStore(seed)
        store.swap("checkpoint", None, b"old")
        store.fail_next(WriteFault.TORN)
        with pytest.raises(StoreFailed):
            store.swap("checkpoint", b"old", b"new")
        store.crash()
        found.add(store.get("checkpoint"))
    assert found == {b"old", b"new"}


def test_after_a_failed_write_there_is_no_other_until_it_is_opened_again():
    store = SimulatedTileStore(1)
    store.fail_next(WriteFault.PERSISTED, after=1)
    store.put({"tile/0/000": b"a"})
    with pytest.raises(StoreFailed, match="persisted"):
        store.put({"tile/0/001": b"b"})
    for write in (
        lambda: store.put({"tile/0/002": b"c"}),
        lambda: store.swap("checkpoint", None, b"c"),
        lambda: store.drop(["tile/0/000"]),
    ):
        with pytest.raises(StoreFailed, match="no more writes"):
            write()
    assert store.get("tile/0/001") == b"b"
    store.crash()
    store.put({"tile/0/002": b"c"})


def test_what_was_dropped_may_come_back():
    back = 0
    for seed in SEEDS:
        store = SimulatedTileStore(seed)
        store.put(ITEMS)
        store.drop(["tile/0/000"])
        assert "tile/0/000" not in store.names("")
        store.crash()
        back += "tile/0/000" in store.names("")
        assert store.names("")[-4:] == list(ITEMS)[-4:]
    assert 0 < back < len(SEEDS)


def test_damage_changes_what_it_says():
    for seed in SEEDS:
        store = SimulatedTileStore(seed)
        store.put({"a": bytes(64), "b": bytes(64), "c": bytes(64), "d": b""})
        store.damage("a", Damage.FLIPPED)
        store.damage("b", Damage.CUT)
        store.damage("c", Damage.GONE)
        store.damage("d", Damage.FLIPPED)
        store.crash()
        assert sum(bin(byte).count("1") for byte in store.get("a")) == 1
        assert len(store.get("b")) < 64
        assert store.names("") == ["a", "b", "d"]
        with pytest.raises(TileMissing):
            store.damage("c", Damage.FLIPPED)


def _history(seed: int) -> Iterator[object]:
    store = SimulatedTileStore(seed, fault_rate=0.3)
    for number in range(40):
        try:
            store.put({f"tile/0/{number:03d}.p/{part}": b"%d" % part for part in (1, 2, 3)})
        except StoreFailed as error:
            yield error.message
            store.crash()
        yield store.names("")


def test_the_same_seed_gives_the_same_faults():
    assert list(_history(5)) == list(_history(5))
    assert list(_history(5)) != list(_history(6))


@given(st.integers(0, 2**32), st.lists(st.integers(1, 200), min_size=1, max_size=25))
def test_a_log_that_was_promised_survives_every_failure(seed: int, steps: list[int]):
    """The way of scribe and embassy: tiles first, then the checkpoint; after a failure the writer
    starts again from the checkpoint and repeats what it had in hand."""
    store = SimulatedTileStore(seed, fault_rate=0.3)
    promised, root, wanted = 0, Tree(store).root(), 0
    for step in steps:
        wanted += step
        for _ in range(50):
            try:
                size = int(store.get("checkpoint")) if store.names("checkpoint") else 0
                tree = Tree.load(store, size)
                assert size >= promised
                store.put(tree.grow([b"entry %d" % index for index in range(size, wanted)]))
                if size < wanted:
                    old = b"%d" % size if size else None
                    store.swap("checkpoint", old, b"%d" % wanted)
                promised, root = wanted, tree.root()
                break
            except StoreFailed:
                store.crash()
        else:
            raise JournalError("fifty writes in a row failed")
        found = [e for _, entries in verified_bundles(store, promised, root) for e in entries]
        assert found == [b"entry %d" % index for index in range(wanted)]

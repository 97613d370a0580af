"""What a rebuild copies of a journal is whole, also where it has more than 65,536 entries."""

from __future__ import annotations

import pytest

from kulla.journal.simulated import SimulatedTileStore
from kulla.journal.tiles import WIDTH
from kulla.journal.tree import Tree
from kulla.rebuild.reading import BUNDLES_PER_PUT, EpochPlan, read_verified

SECOND_LEVEL = WIDTH * WIDTH


@pytest.mark.parametrize(
    "size",
    [
        5,
        WIDTH,
        SECOND_LEVEL,
        SECOND_LEVEL + 3,
        SECOND_LEVEL + WIDTH * BUNDLES_PER_PUT,
        SECOND_LEVEL + WIDTH * (BUNDLES_PER_PUT + 1) + 7,
    ],
)
def test_a_copied_journal_can_be_opened_at_its_size(size):
    source, own = SimulatedTileStore(1), SimulatedTileStore(2)
    tree = Tree(source)
    entries = [number.to_bytes(4, "big") for number in range(size)]
    source.put(tree.grow(entries))
    plan = EpochPlan("origin", 0, size, tree.root(), [("rome", source)])
    read = [entry for _, some in read_verified(plan, 0, own) for entry in some]
    assert read == entries
    copied = Tree.load(own, size)
    assert copied.root() == tree.root()
    assert copied.entries(size - 1, size) == entries[-1:]

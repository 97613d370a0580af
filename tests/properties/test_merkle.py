"""Trees against the recursive definition of RFC 6962; proofs prove what they say and no more."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kulla.journal import merkle
from kulla.journal.errors import EntryInvalid, ProofInvalid
from kulla.journal.simulated import SimulatedTileStore
from kulla.journal.tree import Tree

ENTRIES_MAX = 1500


def entry(index: int) -> bytes:
    return b"entry %d" % index


def naive_root(start: int, end: int) -> bytes:
    """MTH(D[start:end]) word for word as RFC 6962, section 2.1 has it."""
    count = end - start
    if count == 0:
        return merkle.EMPTY_ROOT
    if count == 1:
        return merkle.leaf_hash(entry(start))
    k = 1
    while k * 2 < count:
        k *= 2
    return merkle.node_hash(naive_root(start, start + k), naive_root(start + k, end))


@cache
def grown(size: int = ENTRIES_MAX) -> Tree:
    store = SimulatedTileStore(1)
    tree = Tree(store)
    store.put(tree.grow([entry(index) for index in range(size)]))
    return tree


@st.composite
def subtrees(draw: st.DrawFn) -> tuple[int, int, int]:
    """(start, end, size): a valid subtree [start, end) of a log of `size`."""
    size = draw(st.integers(1, ENTRIES_MAX))
    height = draw(st.integers(0, 11))
    start = draw(st.integers(0, (size - 1) >> height)) << height
    end = draw(st.integers(start + 1, min(size, start + (1 << height))))
    return start, end, size


@given(st.lists(st.integers(0, 300), max_size=8))
def test_a_tree_that_grew_in_any_steps_has_the_root_of_the_definition(steps: list[int]):
    store = SimulatedTileStore(1)
    tree = Tree(store)
    for step in steps:
        before = tree.size
        store.put(tree.grow([entry(index) for index in range(before, before + step)]))
        assert tree.size == before + step
        assert tree.root() == naive_root(0, tree.size)
        assert Tree.load(store, tree.size).root() == tree.root()


@given(st.integers(0, 700))
def test_a_row_of_hashes_has_the_root_of_the_definition(size: int):
    hashes = merkle.leaf_hashes(entry(index) for index in range(size))
    assert merkle.root_of(hashes) == naive_root(0, size)
    assert merkle.root_of_joined(b"".join(hashes)) == naive_root(0, size)


@given(subtrees())
def test_a_tree_knows_the_root_of_every_subtree_and_older_size(case: tuple[int, int, int]):
    start, end, size = case
    assert grown().mth(start, end) == naive_root(start, end)
    assert grown().root_at(size) == naive_root(0, size)


@given(st.data(), st.integers(1, ENTRIES_MAX))
def test_an_inclusion_proof_proves_this_leaf_at_this_index_of_this_tree(
    data: st.DataObject, size: int
):
    tree = grown()
    index = data.draw(st.integers(0, size - 1), label="index")
    leaf, root = merkle.leaf_hash(entry(index)), tree.root_at(size)
    proof = tree.inclusion_proof(index, size)
    assert tree.leaf_hash(index) == leaf
    merkle.verify_inclusion(index, size, leaf, proof, root)

    other_index = data.draw(st.integers(-1, size + 1), label="other index")
    if other_index != index:
        with pytest.raises(ProofInvalid):
            merkle.verify_inclusion(other_index, size, leaf, proof, root)
    other_size = data.draw(st.integers(0, ENTRIES_MAX), label="other size")
    if other_size != size:
        with pytest.raises(ProofInvalid):
            merkle.verify_inclusion(index, other_size, leaf, proof, tree.root_at(other_size))
    with pytest.raises(ProofInvalid):
        merkle.verify_inclusion(index, size, merkle.leaf_hash(b"another"), proof, root)


@given(st.data(), subtrees())
def test_no_changed_proof_verifies(data: st.DataObject, case: tuple[int, int, int]):
    start, end, size = case
    tree = grown()
    root, below = tree.root_at(size), tree.mth(start, end)
    proof = tree.subtree_proof(start, end, size)
    changed = list(proof)
    kind = data.draw(st.sampled_from(["flip", "drop", "add", "swap", "cut"]))
    if kind == "add":
        changed.insert(data.draw(st.integers(0, len(proof))), root)
    else:
        assume(proof)
        at = data.draw(st.integers(0, len(proof) - 1))
        if kind == "flip":
            changed[at] = bytes([changed[at][0] ^ 1]) + changed[at][1:]
        elif kind == "drop":
            del changed[at]
        elif kind == "cut":
            changed[at] = changed[at][:31]
        else:
            changed[at], changed[0] = changed[0], changed[at]
            assume(changed != proof)
    with pytest.raises(ProofInvalid):
        merkle.verify_subtree_consistency(start, end, size, below, root, changed)


@given(st.data(), subtrees())
def test_a_subtree_proof_proves_this_subtree_of_this_tree(
    data: st.DataObject, case: tuple[int, int, int]
):
    start, end, size = case
    tree = grown()
    root, below = tree.root_at(size), tree.mth(start, end)
    proof = tree.subtree_proof(start, end, size)
    merkle.verify_subtree_consistency(start, end, size, below, root, proof)
    forged = merkle.leaf_hash(b"forged")
    with pytest.raises(ProofInvalid):
        merkle.verify_subtree_consistency(start, end, size, forged, root, proof)
    with pytest.raises(ProofInvalid):
        merkle.verify_subtree_consistency(start, end, size, below, forged, proof)
    other_start, other_end, other_size = data.draw(subtrees(), label="another")
    other = other_start, other_end, size
    if (other_start, other_end) != (start, end):
        with pytest.raises(ProofInvalid):
            merkle.verify_subtree_consistency(*other, below, root, proof)
    if other_size != size:
        with pytest.raises(ProofInvalid):
            merkle.verify_subtree_consistency(
                start, end, other_size, below, tree.root_at(other_size), proof
            )


@given(st.data(), st.integers(1, ENTRIES_MAX))
def test_a_consistency_proof_shows_that_the_log_only_grew(data: st.DataObject, size: int):
    tree = grown()
    old = data.draw(st.integers(1, size), label="old size")
    proof = tree.consistency_proof(old, size)
    merkle.verify_consistency(old, tree.root_at(old), size, tree.root_at(size), proof)
    other = data.draw(st.integers(1, ENTRIES_MAX), label="another old size")
    if other != old:
        with pytest.raises(ProofInvalid):
            merkle.verify_consistency(other, tree.root_at(other), size, tree.root_at(size), proof)


@given(st.data(), subtrees())
def test_a_proof_of_an_entry_in_a_subtree(data: st.DataObject, case: tuple[int, int, int]):
    start, end, _ = case
    tree = grown()
    index = data.draw(st.integers(start, end - 1), label="index")
    proof = tree.subtree_inclusion_proof(index, start, end)
    below = tree.mth(start, end)
    merkle.verify_subtree_inclusion(index, start, end, tree.leaf_hash(index), proof, below)
    other = data.draw(st.integers(start - 1, end), label="other index")
    if other != index:
        with pytest.raises(ProofInvalid):
            merkle.verify_subtree_inclusion(other, start, end, tree.leaf_hash(index), proof, below)


def test_a_proof_from_an_empty_tree_is_refused_with_a_remedy():
    tree = grown()
    assert tree.consistency_proof(0, 7) == []
    with pytest.raises(ProofInvalid, match="from size 1 on"):
        merkle.verify_consistency(0, merkle.EMPTY_ROOT, 7, tree.root_at(7), [])


def test_huge_sizes_are_refused_without_delay():
    root, many = merkle.EMPTY_ROOT, [merkle.EMPTY_ROOT] * 70
    for size in (2**63 - 1, 2**63, 2**64):
        with pytest.raises(ProofInvalid):
            merkle.verify_subtree_consistency(0, size - 1, size, root, root, many)
        with pytest.raises(ProofInvalid):
            merkle.verify_inclusion(size - 1, size, root, many, root)


def test_proofs_beyond_the_log_are_refused():
    tree = grown()
    with pytest.raises(ProofInvalid):
        tree.inclusion_proof(ENTRIES_MAX, ENTRIES_MAX)
    with pytest.raises(ProofInvalid):
        tree.inclusion_proof(0, ENTRIES_MAX + 1)
    with pytest.raises(ProofInvalid):
        tree.subtree_proof(3, 5, ENTRIES_MAX)
    with pytest.raises(ProofInvalid):
        tree.consistency_proof(9, 8)
    with pytest.raises(ProofInvalid):
        tree.leaf_hash(-1)


def test_an_entry_too_long_leaves_the_tree_as_it_was():
    store = SimulatedTileStore(1)
    tree = Tree(store)
    store.put(tree.grow([b"a", b"b"]))
    before = tree.root()
    with pytest.raises(EntryInvalid, match="new entry 1"):
        tree.grow([b"fits", bytes(65_536)])
    assert (tree.size, tree.root()) == (2, before)
    store.put(tree.grow([bytes(65_535)]))
    assert Tree.load(store, 3).entries(2, 3) == [bytes(65_535)]

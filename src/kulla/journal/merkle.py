"""Merkle trees as RFC 6962 (section 2.1) defines them, and the proofs about them.

Inclusion and consistency proofs follow RFC 9162, section 2.1; subtrees and their proofs follow
draft-ietf-plants-merkle-tree-certs-02, section 4. Hashes are SHA-256, 32 bytes; sizes and indexes
count entries from 0. Every `verify_...` returns None or raises ProofInvalid.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from kulla.journal.errors import ProofInvalid

HASH_BYTES = 32
SIZE_END = 2**63
EMPTY_ROOT = hashlib.sha256(b"").digest()

_sha256 = hashlib.sha256


def leaf_hash(entry: bytes) -> bytes:
    """The hash of an entry as a leaf of the tree."""
    return _sha256(b"\x00" + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """The leaf hash of each entry, in order."""
    return [_sha256(b"\x00" + entry).digest() for entry in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of the node above two nodes."""
    return _sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root above these leaf (or node) hashes; EMPTY_ROOT where there are none.

    A lone hash at the end of a row moves up as it is, which gives the tree of RFC 6962: its left
    part is always the largest complete tree.
    """
    if not hashes:
        return EMPTY_ROOT
    row = list(hashes)
    while len(row) > 1:
        above = [
            _sha256(b"\x01" + left + right).digest()
            for left, right in zip(row[::2], row[1::2], strict=False)
        ]
        if len(row) % 2:
            above.append(row[-1])
        row = above
    return row[0]


def root_of_joined(joined: bytes) -> bytes:
    """Like `root_of` for hashes laid end to end, as a tile holds them; fast for whole tiles.

    Two neighbours are already the 64 bytes that the node above them hashes, so nothing is cut
    apart and put together again.
    """
    if not joined:
        return EMPTY_ROOT
    if len(joined) % HASH_BYTES:
        raise ProofInvalid(f"{len(joined)} bytes are not a row of {HASH_BYTES}-byte hashes.")
    while len(joined) > HASH_BYTES:
        pairs_end = len(joined) - len(joined) % 64
        above = [_sha256(b"\x01" + joined[i : i + 64]).digest() for i in range(0, pairs_end, 64)]
        above.append(joined[pairs_end:])
        joined = b"".join(above)
    return joined


def left_size(size: int) -> int:
    """How many leaves the left part of a tree of `size` >= 2 leaves has: a power of two."""
    return 1 << ((size - 1).bit_length() - 1)


def is_subtree(start: int, end: int) -> bool:
    """Whether the entries [start, end) are a subtree, and not an empty one."""
    return 0 <= start < end and start & ((1 << (end - start - 1).bit_length()) - 1) == 0


def verify_inclusion(
    index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that `leaf` (a leaf hash) stands at `index` in the tree of `size` with this root."""
    place = f"entry {index} in a tree of {size}"
    if not 0 <= index < size < SIZE_END:
        raise ProofInvalid("there is no such entry in a tree of this size.", place=place)
    _check_hashes([leaf, *proof], place)
    number, last, node = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofInvalid("the inclusion proof is too long.", place=place)
        if number & 1 or number == last:
            node = node_hash(sibling, node)
            # Levels where the node is the lone last one have no sibling: it moved up as it was.
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        number, last = number >> 1, last >> 1
    if last != 0:
        raise ProofInvalid("the inclusion proof is too short.", place=place)
    if node != root:
        raise ProofInvalid("the inclusion proof leads to another root.", place=place)


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the tree of `old_size` is the beginning of the tree of `new_size`.

    An `old_size` of 0 is refused: every tree begins with the empty one, so there is nothing to
    prove, and a caller who asks has mistaken something.
    """
    if old_size < 1:
        raise ProofInvalid(
            "consistency with an empty tree says nothing.",
            place=f"tree of {old_size} in a tree of {new_size}",
            remedy="Ask for a consistency proof only from size 1 on.",
        )
    verify_subtree_consistency(0, old_size, new_size, old_root, new_root, proof)


def verify_subtree_consistency(
    start: int, end: int, size: int, subtree_root: bytes, root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the tree of `size` holds, as its entries [start, end), the subtree of this root.

    An empty subtree (start == end <= size) is consistent with every tree: its root must be
    EMPTY_ROOT and its proof empty.
    """
    place = f"entries {start} to {end} in a tree of {size}"
    # Without a proof nothing is hashed: roots are only compared, whatever they are.
    _check_hashes([subtree_root, *proof] if proof else [], place)
    if 0 <= start == end <= size < SIZE_END and subtree_root == EMPTY_ROOT and not proof:
        return
    if not (is_subtree(start, end) and end <= size < SIZE_END):
        raise ProofInvalid("these entries are not a subtree of a tree of this size.", place=place)
    hashes = iter(proof)
    try:
        below, whole = _both_roots(start, end, size, subtree_root, hashes)
    except StopIteration:
        raise ProofInvalid("the consistency proof is too short.", place=place) from None
    if next(hashes, None) is not None:
        raise ProofInvalid("the consistency proof is too long.", place=place)
    if below != subtree_root:
        raise ProofInvalid("the consistency proof leads to another subtree root.", place=place)
    if whole != root:
        raise ProofInvalid("the consistency proof leads to another root.", place=place)


def _both_roots(
    start: int, end: int, size: int, subtree_root: bytes | None, hashes: Iterable[bytes]
) -> tuple[bytes, bytes]:
    """The roots of [start, end) and of [0, size) as the proof's hashes give them.

    It mirrors SUBTREE_SUBPROOF of the draft step by step, so it is at most 64 calls deep.
    `subtree_root` is None once the subtree was split: then the proof must give its part.
    """
    proof = iter(hashes)
    if start == 0 and end == size:
        node = next(proof) if subtree_root is None else subtree_root
        return node, node
    left = left_size(size)
    if end <= left:
        below, whole = _both_roots(start, end, left, subtree_root, proof)
        return below, node_hash(whole, next(proof))
    if start >= left:
        below, whole = _both_roots(start - left, end - left, size - left, subtree_root, proof)
        return below, node_hash(next(proof), whole)
    # A subtree across the middle starts at 0, so its left part is the whole left part.
    below, whole = _both_roots(0, end - left, size - left, None, proof)
    sibling = next(proof)
    return node_hash(sibling, below), node_hash(sibling, whole)


def verify_subtree_inclusion(
    index: int, start: int, end: int, leaf: bytes, proof: Sequence[bytes], subtree_root: bytes
) -> None:
    """Check that `leaf` (a leaf hash) stands at `index` of the log, in the subtree [start, end)."""
    if not (is_subtree(start, end) and end < SIZE_END and start <= index < end):
        raise ProofInvalid(
            "this is not an entry of a subtree.", place=f"entry {index} in [{start}, {end})"
        )
    verify_inclusion(index - start, end - start, leaf, proof, subtree_root)


def _check_hashes(hashes: Sequence[bytes], place: str) -> None:
    for value in hashes:
        if len(value) != HASH_BYTES:
            raise ProofInvalid(f"a hash has {len(value)} bytes, not {HASH_BYTES}.", place=place)

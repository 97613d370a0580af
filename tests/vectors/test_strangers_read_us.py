"""A reader of transparency logs that we did not write (tlog-scales) accepts what Kulla wrote.

Its own readers take the journal's folder and the checkpoint in a receipt as they lie on disk; only
the receipt's first lines, a format it does not know, are taken apart here, by the words of C2SP
tlog-proof and without our parser.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest
from tlog_scales import tlog
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey, VkeySet

from fakes.signers import MadeUpTower, booked
from kulla.journal.filestore import FileTileStore
from kulla.journal.receipts import build_receipt
from kulla.journal.tree import Tree

TOWER = MadeUpTower()
QUORUM = ("embassy-1", "embassy-3", "embassy-4")
# Sizes at which rounds end: inside the first tile, at its end, and inside a tile of the next level.
ROUNDS = (1, 5, 255, 256, 257, 700, 70_000)


@dataclass(frozen=True)
class Journal:
    """A journal that Kulla wrote into a folder, and its roots after each round."""

    folder: Path
    roots: dict[int, bytes]
    entries: dict[int, bytes]
    receipts: dict[int, bytes]


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Journal:
    folder = tmp_path_factory.mktemp("journal") / "log"
    store = FileTileStore(folder, create=True)
    tree = Tree(store)
    roots, entries = {}, {}
    for size in ROUNDS:
        fresh = [_entry(number) for number in range(tree.size, size)]
        entries |= dict(zip(range(tree.size, size), fresh, strict=True))
        store.put(tree.grow(fresh))
        roots[size] = tree.root()
    note = TOWER.checkpoint_note(tree.size, tree.root(), QUORUM)
    store.swap("checkpoint", None, note)
    receipts = {}
    for index in (0, 255, 256, 699):
        opened = TOWER.opener.open(entries[index])
        proof = tree.inclusion_proof(index, tree.size)
        receipts[index] = build_receipt(
            entries[index], opened.salt, opened.plaintext, index, proof, note
        )
    return Journal(folder, roots, entries, receipts)


def _entry(number: int) -> bytes:
    # The first 700 are sealed acts; the many after them only make the tree tall.
    return TOWER.sealer.seal(booked(number)) if number < 700 else b"entry %d" % number


@pytest.fixture
def reader(journal: Journal) -> TilesReader:
    reader = TilesReader(LocalBackend(journal.folder))
    reader.get_checkpoint()
    return reader


def _leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def _known_keys() -> VkeySet:
    texts = [TOWER.log_key.verifier.text()]
    texts += [key.verifier.text() for key in TOWER.mirror_keys.values()]
    return VkeySet(*[Vkey.from_string(text) for text in texts])


def test_the_root_of_our_tiles_is_the_checkpoint_s(journal: Journal, reader: TilesReader):
    checkpoint = reader.get_checkpoint()
    assert (checkpoint.origin, checkpoint.size) == (TOWER.origin, ROUNDS[-1])
    assert reader.calculate_root_hash() == checkpoint.root_hash == journal.roots[ROUNDS[-1]]


@pytest.mark.parametrize("index", [0, 4, 254, 255, 256, 257, 699, 65_535, 65_536, 69_999])
def test_entries_and_their_inclusion_proofs_read(journal: Journal, reader: TilesReader, index: int):
    entry = reader.get_entry(index)
    assert entry == journal.entries[index]
    for size in (size for size in ROUNDS if size > index):
        proof = reader.get_inclusion_proof(index, size)
        proof.check(_leaf(entry), journal.roots[size])


def test_every_round_is_consistent_with_every_later_one(journal: Journal, reader: TilesReader):
    for at, old in enumerate(ROUNDS):
        for new in ROUNDS[at:]:
            proof = reader.get_consistency_proof(old, new)
            proof.check(journal.roots[old], journal.roots[new])


def test_our_signatures_and_cosignatures_verify(reader: TilesReader):
    checkpoint = reader.get_checkpoint()
    verified = _known_keys().verify(checkpoint.signatures, checkpoint)
    assert {key.name for key, _ in verified} == {
        TOWER.origin,
        *(TOWER.mirror_keys[name].name for name in QUORUM),
    }


@pytest.mark.parametrize("index", [0, 255, 256, 699])
def test_a_receipt_proves_its_entry(journal: Journal, index: int):
    head, note = journal.receipts[index].decode().split("\n\n", 1)
    first, extra, index_line, *hashes = head.split("\n")
    assert first == "c2sp.org/tlog-proof@v1"
    assert extra.startswith("extra ")
    assert index_line == f"index {index}"
    checkpoint = tlog.Checkpoint.from_text(note)
    proof = tlog.InclusionProof(index, checkpoint.size, [base64.b64decode(h) for h in hashes])
    proof.check(_leaf(journal.entries[index]), checkpoint.root_hash)
    assert len(_known_keys().verify(checkpoint.signatures, checkpoint)) == 1 + len(QUORUM)


def test_the_stranger_refuses_what_we_refuse(journal: Journal, reader: TilesReader):
    """Without this, an accepting stranger would prove nothing."""
    wrong = _leaf(b"another entry")
    with pytest.raises(tlog.InclusionProofInvalid):
        reader.get_inclusion_proof(4, 700).check(wrong, journal.roots[700])
    with pytest.raises(tlog.ConsistencyProofInvalid):
        reader.get_consistency_proof(5, 700).check(wrong, journal.roots[700])
    checkpoint = tlog.Checkpoint.from_text(
        TOWER.checkpoint_note(700, journal.roots[700], QUORUM).decode()
    )
    moved = tlog.Checkpoint(checkpoint.origin, 701, checkpoint.root_hash, checkpoint.signatures)
    assert _known_keys().verify(moved.signatures, moved) == set()

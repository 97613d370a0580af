"""The body of add-entries: what is built is read back, however the line cuts it into pieces."""

from __future__ import annotations

import gzip
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.embassy import GrowingLog
from fakes.signers import MadeUpTower
from kulla.embassy.errors import BodyInvalid
from kulla.embassy.packages import (
    BodyReader,
    Header,
    Inflater,
    canonical_spans,
    encode_header,
    encode_package,
)

LOG = GrowingLog(MadeUpTower().log_key, [b"e" * (number % 70) for number in range(800)])
BODY = LOG.entries_body(300, 790, ticket=b"a ticket")


@given(start=st.integers(0, 5000), length=st.integers(0, 3000))
def test_the_canonical_sequence_covers_everything_once_and_is_aligned(start: int, length: int):
    """C2SP tlog-mirror's own formulas for package i."""
    end = start + length
    spans = list(canonical_spans(start, end))
    rounded_start, rounded_end = start // 256 * 256, -(-end // 256) * 256
    assert len(spans) == ((rounded_end - rounded_start) // 256 if length else 0)
    for number, span in enumerate(spans):
        assert span.tile_start == rounded_start + 256 * number
        assert span.start == max(start, span.tile_start)
        assert span.end == min(end, span.tile_start + 256)


@given(cuts=st.lists(st.integers(0, len(BODY)), max_size=30))
def test_a_body_in_any_pieces_is_read_the_same(cuts: list[int]):
    edges = [0, *sorted(cuts), len(BODY)]
    reader = BodyReader()
    header, entries, proofs = None, [], []
    for first, last in pairwise(edges):
        reader.feed(BODY[first:last])
        header = header or reader.read_header()
        while header and (package := reader.read_package()):
            entries += package.entries
            proofs.append(package.proof)
    assert header == Header(LOG.origin, 300, 790, b"a ticket")
    assert entries == LOG.tree.entries(300, 790)
    assert proofs == [
        LOG.tree.subtree_proof(first, last, 790)
        for first, last in ((256, 512), (512, 768), (768, 790))
    ]
    assert reader.complete


@given(data=st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes):
    reader = BodyReader()
    reader.feed(data)
    try:
        header = reader.read_header()
        while header and (package := reader.read_package()):
            assert package.span.end <= header.end
    except BodyInvalid:
        assert not reader.complete


def test_the_bytes_are_those_of_the_specification():
    header = encode_header("log", 1, 2, b"tt")
    assert header == b"\x00\x03log" + bytes(7) + b"\x01" + bytes(7) + b"\x02" + b"\x00\x02tt"
    package = encode_package([b"", b"ab"], [b"h" * 32])
    assert package == b"\x00\x00" + b"\x00\x02ab" + b"\x01" + b"h" * 32


@given(
    pieces=st.lists(st.binary(max_size=2000), max_size=5),
    step=st.integers(1, 100),
    level=st.sampled_from([0, 1, 9]),
)
def test_gzip_in_any_pieces_inflates_to_what_it_was(pieces: list[bytes], step: int, level: int):
    packed = b"".join(gzip.compress(piece, level) for piece in pieces)
    inflater = Inflater()
    found = b"".join(
        out
        for first in range(0, len(packed), step)
        for out in inflater.pieces(packed[first : first + step])
    )
    assert found == b"".join(pieces)


def test_a_bomb_comes_in_bounded_pieces():
    bomb = gzip.compress(bytes(50_000_000))
    pieces = Inflater().pieces(bomb)
    assert max(len(piece) for piece in pieces) <= 256 * 1024
    with pytest.raises(BodyInvalid, match="not gzip"):
        list(Inflater().pieces(b"plain text"))

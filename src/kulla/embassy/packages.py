"""The body of add-entries (C2SP tlog-mirror): a header, then packages of at most 256 entries.

Packages are cut at multiples of 256, so that each is one entry bundle or the end of one, and each
carries a subtree consistency proof by which it can be checked and saved before the next is read.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from kulla.embassy.errors import BodyInvalid
from kulla.journal.tiles import WIDTH

PACKAGES_MAX: Final = 32
"""Packages that a client puts in one request, and that the mirror reads of one (8,192 entries)."""

PROOF_HASHES_MAX: Final = 63
ENTRY_BYTES_MAX: Final = 65_535
SIZE_END: Final = 2**63

_HASH_BYTES: Final = 32
_GZIP: Final = 16 + zlib.MAX_WBITS
_PIECE_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Span:
    """Entries [start, end) of one package; its proof is of the subtree [tile_start, end)."""

    tile_start: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    """What an upload says first: entries [start, end) of the log `origin`, and a ticket."""

    origin: str
    start: int
    end: int
    ticket: bytes


@dataclass(frozen=True, slots=True)
class Package:
    """One package as it was sent; nothing in it is verified."""

    span: Span
    entries: list[bytes]
    proof: list[bytes]


class ProvableLog(Protocol):
    """What a client needs of its log to upload it; `kulla.journal.tree.Tree` fits."""

    def entries(self, start: int, end: int) -> list[bytes]:
        """The entries [start, end)."""
        ...

    def subtree_proof(self, start: int, end: int, size: int) -> list[bytes]:
        """The subtree consistency proof of [start, end) in the log at `size`."""
        ...


def canonical_spans(start: int, end: int) -> Iterator[Span]:
    """The one sequence of packages in which [start, end) is uploaded; empty where start == end."""
    at = start
    while at < end:
        tile_start = at - at % WIDTH
        stop = min(end, tile_start + WIDTH)
        yield Span(tile_start, at, stop)
        at = stop


def encode_header(origin: str, start: int, end: int, ticket: bytes = b"") -> bytes:
    """The header of an upload of [start, end)."""
    name = origin.encode()
    return b"".join(
        (
            len(name).to_bytes(2, "big"),
            name,
            start.to_bytes(8, "big"),
            end.to_bytes(8, "big"),
            len(ticket).to_bytes(2, "big"),
            ticket,
        )
    )


def encode_package(entries: Sequence[bytes], proof: Sequence[bytes]) -> bytes:
    """One package: each entry behind its length, the number of proof hashes, and the hashes."""
    parts: list[bytes] = []
    for entry in entries:
        parts.append(len(entry).to_bytes(2, "big"))
        parts.append(entry)
    parts.append(len(proof).to_bytes(1, "big"))
    parts.extend(proof)
    return b"".join(parts)


def build_body(
    log: ProvableLog,
    origin: str,
    start: int,
    end: int,
    *,
    ticket: bytes = b"",
    packages_max: int = PACKAGES_MAX,
) -> bytes:
    """The body that uploads [start, end), or its first `packages_max` packages where it is longer.

    `end` is the size of a checkpoint that the mirror has as pending.
    """
    parts = [encode_header(origin, start, end, ticket)]
    for number, span in enumerate(canonical_spans(start, end)):
        if number == packages_max:
            break
        proof = log.subtree_proof(span.tile_start, span.end, end)
        parts.append(encode_package(log.entries(span.start, span.end), proof))
    return b"".join(parts)


class BodyReader:
    """Reads an upload piece by piece; holds back at most one cut entry or proof between pieces."""

    def __init__(self) -> None:
        self._data = b""
        self._at = 0
        self._entries: list[bytes] = []
        self._span: Span | None = None
        self._spans: Iterator[Span] = iter(())
        self.header: Header | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        self._data = self._data[self._at :] + data if self._at < len(self._data) else data
        self._at = 0

    def read_header(self) -> Header | None:
        """The header once it is there, else None. Raises BodyInvalid."""
        data = self._data
        if len(data) < 2:
            return None
        name_end = 2 + int.from_bytes(data[:2], "big")
        ticket_start = name_end + 18
        if len(data) < ticket_start:
            return None
        ticket_end = ticket_start + int.from_bytes(data[ticket_start - 2 : ticket_start], "big")
        if len(data) < ticket_end:
            return None
        try:
            origin = data[2:name_end].decode()
        except UnicodeDecodeError as error:
            raise BodyInvalid("the log's origin is not UTF-8.", place="header") from error
        start = int.from_bytes(data[name_end : name_end + 8], "big")
        end = int.from_bytes(data[name_end + 8 : name_end + 16], "big")
        if start > end or end >= SIZE_END:
            raise BodyInvalid(f"an upload of [{start}, {end}) can't be.", place="header")
        self._at = ticket_end
        self.header = Header(origin, start, end, data[ticket_start:ticket_end])
        self._spans = canonical_spans(start, end)
        self._span = next(self._spans, None)
        return self.header

    @property
    def complete(self) -> bool:
        """Whether every package of the upload was read."""
        return self.header is not None and self._span is None

    def read_package(self) -> Package | None:
        """The next package once it is there whole, else None. Raises BodyInvalid."""
        span = self._span
        if span is None or not self._read_entries(span.end - span.start):
            return None
        data, at = self._data, self._at
        if at >= len(data):
            return None
        hashes = data[at]
        if hashes > PROOF_HASHES_MAX:
            raise BodyInvalid(
                f"a proof has {hashes} hashes; at most {PROOF_HASHES_MAX} can be right.",
                place=f"package at entry {span.start}",
            )
        stop = at + 1 + _HASH_BYTES * hashes
        if stop > len(data):
            return None
        proof = [data[i : i + _HASH_BYTES] for i in range(at + 1, stop, _HASH_BYTES)]
        package = Package(span, self._entries, proof)
        self._entries, self._at, self._span = [], stop, next(self._spans, None)
        return package

    def _read_entries(self, count: int) -> bool:
        data, at, entries = self._data, self._at, self._entries
        last = len(data) - 2
        while len(entries) < count and at <= last:
            stop = at + 2 + (data[at] << 8 | data[at + 1])
            if stop > len(data):
                break
            entries.append(data[at + 2 : stop])
            at = stop
        self._at = at
        return len(entries) == count


class Inflater:
    """Undoes gzip (RFC 1952) in pieces of at most 256 KiB, however much a byte blows up to."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """What `data`, the next bytes of the compressed body, inflates to. Raises BodyInvalid."""
        while data:
            if self._stream.eof:
                self._stream = zlib.decompressobj(_GZIP)
            try:
                piece = self._stream.decompress(data, _PIECE_BYTES)
            except zlib.error as error:
                raise BodyInvalid(f"the body is not gzip ({error}).") from error
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            if piece:
                yield piece
            elif not self._stream.eof and not data:
                return

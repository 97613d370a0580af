"""Tiles and entry bundles in the layout of C2SP tlog-tiles: their paths and their bytes.

A hash tile of level L holds up to 256 hashes side by side, each the root of 256**L entries; an
entry bundle holds up to 256 entries, each after its length in two bytes, big-endian. A partial
tile stands under its own name, so no object ever changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kulla.journal.errors import BundleInvalid, EntryInvalid, PathInvalid, ProofInvalid, TileMissing
from kulla.journal.merkle import HASH_BYTES
from kulla.journal.store import TileStore

WIDTH = 256
ENTRIES = -1
ENTRY_MAX_BYTES = 65_535

_LEVEL_END = 64
_TILE_PATH = re.compile(
    r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*)([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?"
)


def tile_path(level: int, index: int, width: int = WIDTH) -> str:
    """The path of a hash tile (level 0 to 63) or, at level ENTRIES, of an entry bundle.

    `index` counts tiles of this level from 0; `width` is 1 to 256, and below 256 names a partial
    tile. Raises PathInvalid for values outside.
    """
    if not (ENTRIES <= level < _LEVEL_END and index >= 0 and 1 <= width <= WIDTH):
        raise PathInvalid(f"there is no tile of level {level}, index {index}, width {width}.")
    digits = f"{index:03d}"
    while len(digits) % 3:
        digits = "0" + digits
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    number = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    kind = "entries" if level == ENTRIES else str(level)
    partial = f".p/{width}" if width < WIDTH else ""
    return f"tile/{kind}/{number}{partial}"


def parse_tile_path(path: str) -> tuple[int, int, int]:
    """The (level, index, width) that `path` names; PathInvalid where it names no tile."""
    match = _TILE_PATH.fullmatch(path)
    if match:
        kind, folders, last, partial = match.groups()
        level = ENTRIES if kind == "entries" else int(kind)
        index = int(folders.replace("x", "").replace("/", "") + last)
        width = int(partial) if partial else WIDTH
        # The one check that catches x000/ in front, level 64 and more, and .p/256 and more.
        well_placed = level < _LEVEL_END and (not partial or width < WIDTH)
        if well_placed and tile_path(level, index, width) == path:
            return level, index, width
    raise PathInvalid(f"{path!r} is not the path of a tile.")


def check_entries(entries: Sequence[bytes]) -> None:
    """Raise EntryInvalid for an entry above 65,535 bytes, the most that a bundle's format takes."""
    for number, entry in enumerate(entries):
        if len(entry) > ENTRY_MAX_BYTES:
            raise EntryInvalid(
                f"an entry has {len(entry)} bytes.",
                place=f"new entry {number}",
                remedy=f"At most {ENTRY_MAX_BYTES} fit.",
            )


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """The bytes of an entry bundle. Raises EntryInvalid for an entry above 65,535 bytes."""
    check_entries(entries)
    return b"".join([part for entry in entries for part in (len(entry).to_bytes(2, "big"), entry)])


def decode_bundle(data: bytes, *, place: str = "") -> list[bytes]:
    """The entries of a bundle; `place` names the source in messages.

    Raises BundleInvalid where it is cut short, has bytes left over or more than 256 entries.
    """
    entries: list[bytes] = []
    at, total = 0, len(data)
    while at < total:
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        if start > total or at > total:
            raise BundleInvalid(f"the bundle is cut short in entry {len(entries)}.", place=place)
        entries.append(data[start:at])
        if len(entries) > WIDTH:
            raise BundleInvalid(f"the bundle has more than {WIDTH} entries.", place=place)
    return entries


def right_edge(size: int) -> Iterator[tuple[int, int, int]]:
    """The partial hash tiles of a tree of `size`: (level, index, width), level 0 first."""
    level = 0
    while size:
        size, width = divmod(size, WIDTH)
        if width:
            yield level, size, width
        level += 1


def split_hashes(tile: bytes) -> list[bytes]:
    """The hashes that a hash tile holds."""
    return [tile[i : i + HASH_BYTES] for i in range(0, len(tile), HASH_BYTES)]


def read_hashes(store: TileStore, level: int, index: int, width: int = WIDTH) -> bytes:
    """The first `width` hashes of a hash tile, joined.

    They come from the full tile where the partial one is gone. Raises TileMissing, and
    ProofInvalid where the object has the wrong length.
    """
    path, data = _read(store, level, index, width)
    expected = HASH_BYTES * width
    if path != tile_path(level, index, width) and len(data) == HASH_BYTES * WIDTH:
        data = data[:expected]
    if len(data) != expected:
        raise ProofInvalid(
            f"the tile has {len(data)} bytes instead of {expected}.",
            place=f"{path} (entries from {first_entry(level, index)})",
        )
    return data


def read_bundle(store: TileStore, index: int, width: int = WIDTH) -> list[bytes]:
    """The first `width` entries of a bundle; from the full bundle where the partial one is gone.

    Raises TileMissing, and BundleInvalid where the object holds another number of entries.
    """
    path, data = _read(store, ENTRIES, index, width)
    place = f"{path} (entries from {index * WIDTH})"
    entries = decode_bundle(data, place=place)
    if path != tile_path(ENTRIES, index, width) and len(entries) == WIDTH:
        entries = entries[:width]
    if len(entries) != width:
        raise BundleInvalid(
            f"the bundle has {len(entries)} entries instead of {width}.", place=place
        )
    return entries


def first_entry(level: int, index: int) -> int:
    """The index of the first entry below a tile or in a bundle."""
    return int(index * WIDTH ** (max(level, 0) + 1))


def _read(store: TileStore, level: int, index: int, width: int) -> tuple[str, bytes]:
    path = tile_path(level, index, width)
    try:
        return path, store.get(path)
    except TileMissing as error:
        if width == WIDTH:
            raise _missing(level, index, path) from error
    full = tile_path(level, index)
    try:
        return full, store.get(full)
    except TileMissing as error:
        raise _missing(level, index, path) from error


def _missing(level: int, index: int, path: str) -> TileMissing:
    return TileMissing(
        "the store does not hold this tile.",
        place=f"{path} (entries from {first_entry(level, index)})",
        remedy="Fetch it from another copy of the journal.",
    )

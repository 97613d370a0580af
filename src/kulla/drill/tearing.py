"""Damage as a power cut or a bad disk leaves it. For files of processes that are dead.

A power cut may lose or garble what was written and not yet synced, and nothing else. So each of
these first finds where the promised part of a file ends, and writes only behind it. Formats are
read here by their descriptions, and not by the code that is put to the test.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Final

from kulla.drill.chance import Chance

_BLOCK: Final = 4096
_LOG_RECORD: Final = struct.Struct(">4sQIII")
_LOG_MARK: Final = b"KWLr"
_LOG_HEADER: Final = struct.Struct(">8sQI")
_WAL_HEADER_BYTES, _FRAME_HEADER_BYTES = 32, 24
_TORN_BYTES_MAX: Final = 3 * _BLOCK
_LITTER_MAX: Final = 4
_FLIPS: Final = 3


def tear_write_log(path: Path, chance: Chance) -> int:
    """Write half a record behind the last whole one of an embassy's write log; 1 where it fitted.

    See embassy.write_log for the format.
    """
    data = path.read_bytes()
    _, filling, _ = _LOG_HEADER.unpack_from(data)
    at, number = _BLOCK, 0
    while (length := _record_length(data, at, filling, number)) is not None:
        at += -(-(_LOG_RECORD.size + length) // _BLOCK) * _BLOCK
        number += 1
    noise = chance.randbytes(chance.randrange(1, _TORN_BYTES_MAX))
    head = _LOG_RECORD.pack(_LOG_MARK, filling, number, 2 * len(noise), chance.getrandbits(32))
    torn = chance.choice((head + noise, head[: chance.randrange(1, len(head))], noise))
    return _overwrite(path, at, torn[: max(0, len(data) - at)])


def _record_length(data: bytes, at: int, filling: int, number: int) -> int | None:
    """The length of the body of the record that stands whole at `at`, or None."""
    start = at + _LOG_RECORD.size
    if start > len(data):
        return None
    mark, found, place, length, check = _LOG_RECORD.unpack_from(data, at)
    body = data[start : start + length]
    head = struct.pack(">QII", found, place, length)
    whole = len(body) == length and check == zlib.crc32(body, zlib.crc32(head))
    return length if whole and (mark, found, place) == (_LOG_MARK, filling, number) else None


def tear_sqlite(path: Path, chance: Chance) -> int:
    """Write a commit frame with a false sum behind the last commit of a WAL; 1 where there is one.

    See https://www.sqlite.org/fileformat2.html, 4. The Write-Ahead Log. What stands there of an
    earlier generation, or of a transaction that was not committed, was never promised.
    """
    data = path.read_bytes()
    if len(data) < _WAL_HEADER_BYTES:
        return 0
    page_bytes = int.from_bytes(data[8:12], "big")
    salts = data[16:24]
    frame_bytes = _FRAME_HEADER_BYTES + page_bytes
    end = at = _WAL_HEADER_BYTES
    while at + frame_bytes <= len(data) and data[at + 8 : at + 16] == salts:
        at += frame_bytes
        if data[at - frame_bytes + 4 : at - frame_bytes + 8] != bytes(4):
            end = at
    frame = struct.pack(">II", 1, 1) + salts + chance.randbytes(8) + chance.randbytes(page_bytes)
    return _overwrite(path, end, frame[: chance.randrange(1, len(frame) + 1)])


def tear_lines(path: Path, chance: Chance) -> int:
    """Append half a line to a file of lines; 1 where there is such a file."""
    if not path.exists():
        return 0
    with path.open("ab") as file:
        file.write(b'{"at": ' + chance.randbytes(chance.randrange(1, 40)).hex().encode())
    return 1


def litter(folder: Path, chance: Chance) -> int:
    """Leave temporary files full of noise, as a writer does that dies; how many."""
    folders = sorted({path.parent for path in folder.rglob("*") if path.is_file()})
    for number, place in enumerate(folders[-_LITTER_MAX:]):
        (place / f".{number:03d}.tmp").write_bytes(chance.randbytes(chance.randrange(1, _BLOCK)))
    return min(len(folders), _LITTER_MAX)


def flip_bits(path: Path, chance: Chance) -> int:
    """Flip some bits in the middle of what a file holds; how many. It is no power cut."""
    data = bytearray(path.read_bytes())
    held = [at for at in range(len(data) // 8, len(data)) if data[at]] or [0]
    for _ in range(_FLIPS):
        data[chance.choice(held)] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    return _FLIPS


def _overwrite(path: Path, at: int, data: bytes) -> int:
    """Write `data` at an offset of a file that stands; 1 where there was any."""
    if not data:
        return 0
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)
    return 1

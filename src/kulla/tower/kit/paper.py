"""Files as text that people can type back from paper, or a phone can read from a QR code.

    KULLA KIT: journal.key, bytes, 2 lines
    1: YQW2 Z0PX ... 8K4C =T6M3Q9
    end of journal.key: 4F7K-QP2Z

Bytes stand in base 32 (bech32's letters: none is 1, B, I or O), 20 a line, with six letters behind
the '=' that are the checksum of BIP 350 (bech32m) over the file's name, the line's number and its
letters: any four wrong letters in a line are found, and so are lines that changed places. Text
stands as it is, each line with five letters of its SHA-256; a long line goes on behind a '+'. The
last line is of the SHA-256 of the whole file. Whatever else stands on a page is passed over.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kulla.kernel.errors import KullaError

BYTES_A_LINE: Final = 20
TEXT_A_LINE: Final = 72
LINES_MAX: Final = 10_000
_LETTERS: Final = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"
_ALIKE: Final = str.maketrans("OI1", "0LL")
_CHECK_LETTERS: Final = 6
_BECH32M: Final = 0x2BC830A3
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_HEAD: Final = re.compile(r"\s*KULLA KIT: (\S+), (bytes|text), (\d{1,5}) lines?\s*$", re.IGNORECASE)
_LINE: Final = re.compile(r"\s*(\d{1,5}): ?(.*)$")
_MORE: Final = re.compile(r"\s*\+ ?(.*)$")
_END: Final = re.compile(r"\s*end of (\S+): (\S+)\s*$", re.IGNORECASE)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}")
_SECRETS: Final = frozenset({".key", ".share", ".password", ".secret"})
"""Short and without a meaning to read: base 32, which knows no large and small letters."""
_DASH: Final = re.compile(r"^# -{1,2} ")


class PaperInvalid(KullaError):
    """Text that should be a file's, typed or scanned from a printed page, has mistakes."""


def on_paper(name: str, data: bytes) -> list[str]:
    """The lines of a file. Raises PaperInvalid for a name that no file of a kit has."""
    if not _NAME.fullmatch(name):
        raise PaperInvalid(f"{name!r} is not the name of a file of a kit.")
    text = None if Path(name).suffix in _SECRETS else _as_text(data)
    if text is None:
        rows = [data[at : at + BYTES_A_LINE] for at in range(0, len(data), BYTES_A_LINE)] or [b""]
        lines = [
            f"{number}: {_bytes_line(name, number, row)}" for number, row in enumerate(rows, 1)
        ]
    else:
        rows_of_text = text.split("\n")[:-1]
        lines = []
        for number, row in enumerate(rows_of_text, 1):
            lines += _text_lines(name, number, row)
    count = len(rows if text is None else rows_of_text)
    kind = "bytes" if text is None else "text"
    head = f"KULLA KIT: {name}, {kind}, {count} line{'' if count == 1 else 's'}"
    return [head, *lines, f"end of {name}: {_whole_check(name, data)}"]


def _as_text(data: bytes) -> str | None:
    """The file as text where it can be typed back without a doubt; None where it is for bytes."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    if not text.endswith("\n"):
        return None
    rows = text.split("\n")[:-1]
    plain = all(row == row.strip() and row.isprintable() and "  " not in row for row in rows)
    return text if plain else None


def _bytes_line(name: str, number: int, row: bytes) -> str:
    values = _base32(row)
    letters = "".join(_LETTERS[value] for value in values)
    check = "".join(_LETTERS[value] for value in _checksum(name, number, values))
    groups = [letters[at : at + 4] for at in range(0, len(letters), 4)]
    return " ".join([*groups, f"={check}"])


def _text_lines(name: str, number: int, row: str) -> Iterator[str]:
    check = f" ={_text_check(name, number, row)}"
    first, *others = list(_cut(row)) or [""]
    lines = [f"{number}: {first}", *(f"  + {piece}" for piece in others)]
    lines[-1] += check
    yield from lines


def _cut(row: str) -> Iterator[str]:
    """Pieces of a long line, cut where no space stands, so that none is lost."""
    while len(row) > TEXT_A_LINE:
        at = TEXT_A_LINE
        while at > 1 and " " in (row[at - 1], row[at]):
            at -= 1
        yield row[:at]
        row = row[at:]
    if row:
        yield row


def _base32(data: bytes) -> list[int]:
    bits = int.from_bytes(data, "big") << (-len(data) * 8 % 5)
    count = -(-len(data) * 8 // 5)
    return [bits >> (5 * (count - 1 - at)) & 31 for at in range(count)]


def _unbase32(values: Sequence[int]) -> bytes | None:
    """The bytes again; None where bits are left over that are not zero."""
    bits = 0
    for value in values:
        bits = bits << 5 | value
    spare = len(values) * 5 % 8
    if spare >= 5 or bits & ((1 << spare) - 1):
        return None
    return (bits >> spare).to_bytes(len(values) * 5 // 8, "big")


def _checksum(name: str, number: int, values: Sequence[int]) -> list[int]:
    state = _polymod([*_prefix(name, number), *values, *[0] * _CHECK_LETTERS]) ^ _BECH32M
    return [state >> 5 * (_CHECK_LETTERS - 1 - at) & 31 for at in range(_CHECK_LETTERS)]


def _prefix(name: str, number: int) -> list[int]:
    text = f"{name.lower()} {number}".encode()
    return [octet >> 5 for octet in text] + [0] + [octet & 31 for octet in text]


def _polymod(values: Iterable[int]) -> int:
    """The remainder of BIP 173 over these values of five bits."""
    state = 1
    for value in values:
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            if top >> bit & 1:
                state ^= generator
    return state


def _text_check(name: str, number: int, row: str) -> str:
    return _hash_letters(f"{name} {number} {row}".encode(), 5)


def _whole_check(name: str, data: bytes) -> str:
    letters = _hash_letters(name.encode() + b"\x00" + data, 8)
    return f"{letters[:4]}-{letters[4:]}"


def _hash_letters(data: bytes, count: int) -> str:
    return "".join(_LETTERS[value] for value in _base32(hashlib.sha256(data).digest())[:count])


@dataclass
class _File:
    """A file as far as it was read: its rows by number, and what went wrong."""

    name: str
    kind: str
    count: int
    rows: dict[int, bytes] = field(default_factory=dict)
    bad: dict[int, str] = field(default_factory=dict)
    check: str = ""


@dataclass
class _Row:
    """A numbered line and the lines that it goes on with, and where it began."""

    file: _File
    number: int
    text: str
    place: str


def read_paper(pages: Iterable[tuple[str, str]]) -> dict[str, bytes]:
    """The files that stand on pages, (place, text) each, typed or scanned, in any order.

    A line that stands twice counts where it is right once. Raises PaperInvalid, which names every
    line that is wrong or missing, and nothing is returned then.
    """
    files: dict[str, _File] = {}
    for place, text in pages:
        for row in _rows(files, place, text):
            _take(row)
    if not files:
        raise PaperInvalid(
            "no file of a kit stands in this text.",
            remedy="Each begins with a line 'KULLA KIT: NAME, ...': type that too.",
        )
    problems: list[str] = []
    found = {file.name: _whole(file, problems) for file in files.values()}
    if problems:
        shown = "; ".join(problems[:20])
        more = f"; and {len(problems) - 20} more" if len(problems) > 20 else ""
        raise PaperInvalid(f"{shown}{more}.", remedy="Compare these lines with the page.")
    return found


def _rows(files: dict[str, _File], place: str, text: str) -> Iterator[_Row]:
    file: _File | None = None
    row: _Row | None = None
    for at, line in enumerate(text.splitlines(), 1):
        if head := _HEAD.match(line):
            name, kind, count = head[1], head[2].lower(), int(head[3])
            if not _NAME.fullmatch(name) or count > LINES_MAX:
                raise PaperInvalid("this is not a file of a kit.", place=f"{place}, line {at}")
            new = _File(name, kind, count)
            file = files.setdefault(name, new)
            if (file.kind, file.count) != (kind, count):
                raise PaperInvalid(
                    f"{name} is said to have another form elsewhere.", place=f"{place}, line {at}"
                )
        more = _MORE.match(line)
        if row and more:
            row.text += more[1].rstrip()
            continue
        if row:
            yield row
            row = None
        if file and (end := _END.match(line)):
            if end[1].lower() == file.name.lower():
                file.check = end[2]
            file = None
        elif file and not head and (numbered := _LINE.match(line)):
            row = _Row(file, int(numbered[1]), numbered[2].rstrip(), f"{place}, line {at}")
    if row:
        yield row


def _take(row: _Row) -> None:
    file = row.file
    if not 1 <= row.number <= file.count:
        file.bad[row.number] = f"{row.place}: {file.name} has no line {row.number}"
        return
    read = _read_bytes if file.kind == "bytes" else _read_text
    found = read(file.name, row.number, row.text)
    if found is not None:
        file.rows[row.number] = found
        file.bad.pop(row.number, None)
    elif row.number not in file.rows:
        file.bad[row.number] = f"{row.place}: a typing mistake in line {row.number} of {file.name}"


def _read_bytes(name: str, number: int, text: str) -> bytes | None:
    letters = re.sub(r"[\s=\-]", "", text).upper().translate(_ALIKE)
    if len(letters) < _CHECK_LETTERS or not set(letters) <= set(_LETTERS):
        return None
    values = [_LETTERS.index(letter) for letter in letters]
    if _polymod([*_prefix(name, number), *values]) != _BECH32M:
        return None
    return _unbase32(values[:-_CHECK_LETTERS])


def _read_text(name: str, number: int, text: str) -> bytes | None:
    row, equals, check = text.rpartition("=")
    check = check.strip().upper().translate(_ALIKE)
    row = row[:-1] if row.endswith(" ") else row
    # A dash that is on no keyboard stands in signature lines.
    for tried in (row, _DASH.sub("# \N{EM DASH} ", row)):
        if equals and check == _text_check(name, number, tried):
            return tried.encode()
    return None


def _whole(file: _File, problems: list[str]) -> bytes:
    problems += file.bad.values()
    missing = [n for n in range(1, file.count + 1) if n not in file.rows and n not in file.bad]
    if missing:
        problems.append(f"{file.name} lacks line {', '.join(map(str, missing))}")
    rows = [file.rows.get(number, b"") for number in range(1, file.count + 1)]
    data = b"".join(rows) if file.kind == "bytes" else b"".join(row + b"\n" for row in rows)
    good = _whole_check(file.name, data)
    said = file.check.upper().translate(_ALIKE)
    if not (missing or file.bad) and said != good:
        problems.append(
            f"{file.name} lacks its last line, 'end of {file.name}: ...'"
            if not said
            else f"{file.name} is not as it was printed, or its last line is wrong"
        )
    return data

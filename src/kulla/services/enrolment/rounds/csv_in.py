"""Schools and programmes from a CSV file: rows that make no sense are named, the rest goes in.

Comma, semicolon or tab; UTF-8 or what Windows calls 1252. The first row names the columns, in any
order. Rows are counted as a spreadsheet counts them: the head is row 1.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from kulla.kernel.canonical import encode
from kulla.services.enrolment.policy.rules import Pool
from kulla.services.enrolment.rounds import forms, wishes
from kulla.services.pages import Text

PART_BYTES_MAX: Final = 40_000
"""Of the rows of one command: what is signed has to fit one entry of the journal."""

SCHOOL_COLUMNS: Final = wishes.SCHOOL_FIELDS
PROGRAMME_COLUMNS: Final = ("programme", "school", "grade", "name")

_NO_HEAD: Final = _("The first row has to name the columns; this is missing: %(columns)s.")
_NOT_READ: Final = _("This is not a CSV file that can be read.")
_TWICE: Final = _("The same id stands in row %(row)s.")
_BAD_CELL: Final = _("%(column)s: %(why)s")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that does not go in: its number in the file, and why."""

    row: int
    why: str


@dataclass(frozen=True, slots=True)
class Read:
    """What a file came to: rows for commands, in parts that fit one each; rejects; the unchanged.

    `fault` says why nothing could be read at all.
    """

    parts: tuple[tuple[tuple[Any, ...], ...], ...] = ()
    rejected: tuple[Rejected, ...] = ()
    unchanged: int = 0
    fault: str = ""

    @property
    def count(self) -> int:
        """The rows that go in."""
        return sum(len(part) for part in self.parts)


class _Wrong(ValueError):
    """A row's fault, in words."""


def read_schools(text: str, there: Mapping[str, tuple[str, ...]]) -> Read:
    """Schools of a CSV text; `there` are those of the register, which need no entering again."""

    def row_of(cells: Mapping[str, str]) -> tuple[Any, ...]:
        typed = forms.read_school(cells, fresh=True)
        _raise_first(typed)
        return tuple(typed.of(name) for name in SCHOOL_COLUMNS)

    return _read(text, SCHOOL_COLUMNS, row_of, there)


def read_programmes(
    text: str,
    there: Mapping[str, tuple[Any, ...]],
    schools: frozenset[str],
    grades: frozenset[str],
    pools: Sequence[Pool],
) -> Read:
    """Programmes of a CSV text: a column for each pool of the rules holds its seats.

    A programme without an id gets '<school>-<grade>'. `schools` and `grades` are those that there
    are; rows that name another are rejected.
    """

    def row_of(cells: Mapping[str, str]) -> tuple[Any, ...]:
        made = {f"seats-{pool.pool}": cells.get(pool.pool, "") for pool in pools}
        named = {**cells, **made}
        if not named["programme"]:
            named["programme"] = f"{named['school']}-{named['grade']}"
        typed, seats = forms.read_programme(named, pools, fresh=True)
        _raise_first(typed)
        if typed.of("school") not in schools:
            raise _Wrong(_cell("school", forms.NO_SCHOOL))
        if typed.of("grade") not in grades:
            raise _Wrong(_cell("grade", _("The rules have no ages for this grade.")))
        row = tuple(typed.of(name) for name in PROGRAMME_COLUMNS)
        return (*row, tuple(seats))

    return _read(text, ("school", "grade", "name"), row_of, there)


def text_of(content: bytes) -> str:
    """The text of a file: UTF-8, with or without a mark at its beginning, or Windows 1252."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _read(
    text: str,
    needed: Sequence[str],
    row_of: Callable[[Mapping[str, str]], tuple[Any, ...]],
    there: Mapping[str, tuple[Any, ...]],
) -> Read:
    """Read a CSV text row by row; `there` has by key what the register holds already."""
    try:
        rows = list(_rows(text))
    except csv.Error:
        return Read(fault=str(_NOT_READ))
    head = rows[0][1] if rows else []
    lacking = [name for name in needed if name not in head]
    if lacking:
        return Read(fault=str(_NO_HEAD) % {"columns": ", ".join(lacking)})
    found: dict[str, tuple[int, tuple[Any, ...]]] = {}
    rejected: list[Rejected] = []
    unchanged = 0
    for number, cells in rows[1:]:
        try:
            row = row_of(dict.fromkeys(("programme",), "") | dict(zip(head, cells, strict=False)))
            if row[0] in found:
                raise _Wrong(str(_TWICE) % {"row": found[row[0]][0]})
        except _Wrong as error:
            rejected.append(Rejected(number, str(error)))
            continue
        if there.get(row[0]) == row:
            unchanged += 1
        else:
            found[row[0]] = (number, row)
    parts = _parts([row for _number, row in found.values()])
    return Read(parts, tuple(rejected), unchanged)


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that have something in them, with their numbers; cells without blanks around."""
    first = text.partition("\n")[0]
    delimiter = max((",", ";", "\t"), key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=False)
    for number, row in enumerate(reader, 1):
        cells = [" ".join(cell.split()) for cell in row]
        if number == 1:
            yield number, [cell.casefold() for cell in cells]
        elif any(cells):
            yield number, cells


def _parts(rows: Sequence[tuple[Any, ...]]) -> tuple[tuple[tuple[Any, ...], ...], ...]:
    """The rows in parts, each of which fits one command."""
    parts: list[list[tuple[Any, ...]]] = []
    size = PART_BYTES_MAX
    for row in rows:
        bytes_ = len(encode(row))
        if size + bytes_ > PART_BYTES_MAX or len(parts[-1]) == wishes.ROWS_MAX:
            parts.append([])
            size = 0
        parts[-1].append(row)
        size += bytes_
    return tuple(tuple(part) for part in parts)


def _raise_first(typed: forms.Typed) -> None:
    for name, why in typed.problems.items():
        raise _Wrong(_cell(name.removeprefix("seats-"), why))


def _cell(column: str, why: Text) -> str:
    return str(_BAD_CELL) % {"column": column, "why": why}


def written(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A CSV text that a spreadsheet opens, and that can come in again as it went out."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(head)
    writer.writerows(rows)
    return out.getvalue()

"""What commands of the ministry may carry: each field is read once, by its shape.

Pure: it raises Malformed (caught in `policy`) and nothing else, whatever a client sends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

TEXT_MAX: Final = 200
RULES_CHARS_MAX: Final = 20_000
SEATS_MAX: Final = 10_000
POOLS_MAX: Final = 20
ROWS_MAX: Final = 1_000
"""The most schools, or programmes, of one command. An entry of the journal bounds them, too."""
INSTANT_MAX_S: Final = 2**36

ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
GRADE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,15}")
YEAR: Final = re.compile(r"[0-9]{4}(?:[-/][0-9]{2,4})?")
_ZONE: Final = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}")
_ZONE_MAX: Final = 64

DAYS: Final = ("opens_s", "closes_s", "results_s", "answer_by_s")
"""A round's instants, in their order: each is later than the one before."""


class Malformed(ValueError):
    """A field of a command that is missing, not known, or not of its shape."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class Fields:
    """The data of one command, read field by field; `end` refuses what nobody asked for."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data
        self._read: set[str] = set()

    def _take(self, field: str) -> Any:
        self._read.add(field)
        return self._data.get(field)

    def end(self) -> None:
        """Raise Malformed where the data has a field that was not read."""
        for field in self._data:
            if field not in self._read:
                raise Malformed(str(field)[:TEXT_MAX])

    def text(self, field: str) -> str:
        """One line of text, not empty, at most TEXT_MAX characters."""
        value = self._take(field)
        if not is_line(value):
            raise Malformed(field)
        return str(value)

    def long_text(self, field: str, chars_max: int) -> str:
        """Text of some lines, not empty."""
        value = self._take(field)
        if not isinstance(value, str) or not 0 < len(value) <= chars_max:
            raise Malformed(field)
        return value

    def id(self, field: str) -> str:
        """An id that the ministry chose: small letters, digits and hyphens, at most 32."""
        return self._matching(field, ID)

    def id_or_empty(self, field: str) -> str:
        """An id, or '' for none."""
        return "" if self._take(field) == "" else self.id(field)

    def grade(self, field: str) -> str:
        """The id of a grade: like others, at most 16."""
        return self._matching(field, GRADE)

    def year(self, field: str) -> str:
        """A school year such as '2026-27'."""
        return self._matching(field, YEAR)

    def zone(self, field: str) -> str:
        """A name in the shape of an IANA time zone."""
        value = self._matching(field, _ZONE)
        if len(value) > _ZONE_MAX:
            raise Malformed(field)
        return value

    def _matching(self, field: str, shape: re.Pattern[str]) -> str:
        value = self._take(field)
        if not isinstance(value, str) or shape.fullmatch(value) is None:
            raise Malformed(field)
        return value

    def instant(self, field: str) -> int:
        """UTC epoch seconds."""
        value = self._take(field)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < INSTANT_MAX_S:
            raise Malformed(field)
        return value

    def days(self) -> dict[str, int]:
        """A round's instants by name."""
        return {field: self.instant(field) for field in DAYS}

    def pools(self, field: str) -> list[tuple[str, int]]:
        """[[pool, seats]...] in the order in which they are tried, each pool once."""
        found = read_pools(self._take(field))
        if found is None:
            raise Malformed(field)
        return found

    def rows(self, field: str) -> list[Sequence[Any]]:
        """1 to ROWS_MAX rows of a table; their cells are for the caller to read."""
        value = self._take(field)
        if not isinstance(value, list | tuple) or not 0 < len(value) <= ROWS_MAX:
            raise Malformed(field)
        if not all(isinstance(row, list | tuple) for row in value):
            raise Malformed(field)
        return list(value)


@dataclass(frozen=True, slots=True)
class SchoolWish:
    """A school as the ministry enters it."""

    school: str
    name: str
    town: str
    county: str
    address: str

    def data(self) -> dict[str, str]:
        """The data of school_entered."""
        return {field: getattr(self, field) for field in SCHOOL_FIELDS}


@dataclass(frozen=True, slots=True)
class ProgrammeWish:
    """What a school offers to one grade: pools are (pool, seats) in the order they are tried."""

    programme: str
    school: str
    grade: str
    name: str
    pools: tuple[tuple[str, int], ...]

    @property
    def seats(self) -> int:
        """The seats of all pools together."""
        return sum(seats for _pool, seats in self.pools)


SCHOOL_FIELDS: Final = ("school", "name", "town", "county", "address")
PROGRAMME_FIELDS: Final = ("programme", "school", "grade", "name", "pools")


def school_wish(fields: Fields) -> SchoolWish:
    """Read the fields of a school; raises Malformed."""
    texts = {field: fields.text(field) for field in SCHOOL_FIELDS[1:]}
    return SchoolWish(fields.id("school"), **texts)


def programme_wish(fields: Fields) -> ProgrammeWish:
    """Read the fields of a programme; raises Malformed."""
    return ProgrammeWish(
        fields.id("programme"),
        fields.id("school"),
        fields.grade("grade"),
        fields.text("name"),
        tuple(fields.pools("pools")),
    )


def school_rows(fields: Fields) -> list[SchoolWish]:
    """The schools of enter_schools: rows of SCHOOL_FIELDS, each school once; raises Malformed."""
    found = [
        school_wish(Fields(_named(row, SCHOOL_FIELDS, "schools"))) for row in fields.rows("schools")
    ]
    if len({wish.school for wish in found}) != len(found):
        raise Malformed("schools")
    return found


def programme_rows(fields: Fields) -> list[ProgrammeWish]:
    """The programmes of set_programmes: rows of PROGRAMME_FIELDS, each once; raises Malformed."""
    found = [
        programme_wish(Fields(_named(row, PROGRAMME_FIELDS, "programmes")))
        for row in fields.rows("programmes")
    ]
    if len({wish.programme for wish in found}) != len(found):
        raise Malformed("programmes")
    return found


def _named(row: Sequence[Any], names: Sequence[str], field: str) -> dict[str, Any]:
    if len(row) != len(names):
        raise Malformed(field)
    return dict(zip(names, row, strict=True))


def read_pools(value: Any) -> list[tuple[str, int]] | None:
    """(pool, seats) for each row of [[pool, seats]...], or None where it is not of this shape."""
    if not isinstance(value, list | tuple) or not 0 < len(value) <= POOLS_MAX:
        return None
    found: list[tuple[str, int]] = []
    for row in value:
        if not isinstance(row, list | tuple) or len(row) != 2:
            return None
        pool, seats = row
        if not isinstance(pool, str) or ID.fullmatch(pool) is None:
            return None
        if isinstance(seats, bool) or not isinstance(seats, int) or not 0 <= seats <= SEATS_MAX:
            return None
        found.append((pool, seats))
    return found if len({pool for pool, _seats in found}) == len(found) else None


def is_line(value: Any) -> bool:
    """Whether it is one line of text, not empty, without blanks at its ends."""
    if not isinstance(value, str) or not 0 < len(value) <= TEXT_MAX:
        return False
    return value == value.strip() and value.isprintable()


def key_of(data: Mapping[str, Any], field: str) -> str:
    """A field's text if it could be a key of some row, else '': for looking up before reading."""
    value = data.get(field)
    return value if isinstance(value, str) and len(value) <= TEXT_MAX else ""


def keys_in(data: Mapping[str, Any], field: str, place: int) -> list[str]:
    """The cells in column `place` of a field's rows that could be keys: before reading them."""
    rows = data.get(field)
    found = [
        row[place]
        for row in (rows[:ROWS_MAX] if isinstance(rows, list | tuple) else ())
        if isinstance(row, list | tuple) and len(row) > place
    ]
    return [key for key in found if isinstance(key, str) and len(key) <= TEXT_MAX]

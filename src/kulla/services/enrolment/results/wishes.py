"""What commands of results may carry: each field is read once, by its shape. Pure.

Raises Malformed (caught in `policy`) and nothing else, whatever a client sends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

TEXT_MAX: Final = 200
SEALED_MAX_BYTES: Final = 16_384
CHOICES_MAX: Final = 400
PART_ROWS_MAX: Final = 5000
PARTS_MAX: Final = 1_000_000
LAPSE_MAX: Final = 200
FILES_MAX: Final = 1000
COUNT_MAX: Final = 100_000_000
SECONDS_MAX: Final = 1 << 40

ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
HEX_ID: Final = re.compile(r"[0-9a-f]{32}")
_HASH_BYTES: Final = 32


class Malformed(ValueError):
    """A field of a command that is missing, not known, or not of its shape."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


@dataclass(frozen=True, slots=True)
class ResultWish:
    """What a round came to for one child; `programme` '' and `choice` 0 where there is no seat."""

    child: str
    programme: str
    pool: str
    choice: int


@dataclass(frozen=True, slots=True)
class PlaceWish:
    """A child's place in the list of its `choice`-th programme; smaller `order` comes first."""

    programme: str
    child: str
    order: int
    choice: int


class Fields:
    """The data of one command, read field by field; `end` refuses what nobody asked for."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data
        self._read: set[str] = set()

    def _take(self, field: str) -> Any:
        self._read.add(field)
        return self._data.get(field)

    def has(self, field: str) -> bool:
        """Whether the command says anything in this field."""
        return field in self._data

    def end(self) -> None:
        """Raise Malformed where the data has a field that was not read."""
        for field in self._data:
            if field not in self._read:
                raise Malformed(str(field)[:TEXT_MAX])

    def id(self, field: str) -> str:
        """An id that the ministry chose: small letters, digits and hyphens, at most 32."""
        return _matching(self._take(field), ID, field)

    def id_or_none(self, field: str) -> str:
        """Such an id, or ''."""
        return "" if self._take(field) == "" else self.id(field)

    def hex_id(self, field: str) -> str:
        """An id of 32 hex digits: a child or an appeal."""
        return _matching(self._take(field), HEX_ID, field)

    def text(self, field: str) -> str:
        """One line of text, not empty, at most TEXT_MAX characters."""
        value = self._take(field)
        if not isinstance(value, str) or not 0 < len(value) <= TEXT_MAX:
            raise Malformed(field)
        if value != value.strip() or not value.isprintable():
            raise Malformed(field)
        return value

    def one_of(self, field: str, choices: tuple[str, ...]) -> str:
        """One of these words."""
        value = self._take(field)
        if not isinstance(value, str) or value not in choices:
            raise Malformed(field)
        return value

    def number(self, field: str, least: int, most: int) -> int:
        """A whole number between these, both included."""
        return _number(self._take(field), least, most, field)

    def sealed(self, field: str) -> bytes:
        """A sealed value."""
        value = self._take(field)
        if not isinstance(value, bytes) or not 0 < len(value) <= SEALED_MAX_BYTES:
            raise Malformed(field)
        return value

    def hash(self, field: str) -> bytes:
        """32 bytes."""
        value = self._take(field)
        if not isinstance(value, bytes) or len(value) != _HASH_BYTES:
            raise Malformed(field)
        return value

    def hash_or_none(self, field: str) -> bytes:
        """32 bytes, or b''."""
        return b"" if self._take(field) == b"" else self.hash(field)

    def ids(self, field: str, most: int) -> tuple[str, ...]:
        """At least one id, at most `most`, each once."""
        return self._each_once(field, ID, most)

    def children(self, field: str) -> tuple[str, ...]:
        """At least one child, at most LAPSE_MAX, each once."""
        return self._each_once(field, HEX_ID, LAPSE_MAX)

    def _each_once(self, field: str, shape: re.Pattern[str], most: int) -> tuple[str, ...]:
        value = self._take(field)
        if not isinstance(value, list | tuple) or not 0 < len(value) <= most:
            raise Malformed(field)
        found = tuple(_matching(one, shape, field) for one in value)
        if len(set(found)) != len(found):
            raise Malformed(field)
        return found

    def results(self, field: str) -> tuple[ResultWish, ...]:
        """[[child, programme, pool, choice]...], each child once."""
        found = []
        for child, programme, pool, choice in self._rows(field, 4):
            placed = programme != ""
            found.append(
                ResultWish(
                    _matching(child, HEX_ID, field),
                    _matching(programme, ID, field) if placed else "",
                    _matching(pool, ID, field) if placed else _empty(pool, field),
                    _number(choice, int(placed), CHOICES_MAX if placed else 0, field),
                )
            )
        if len({one.child for one in found}) != len(found):
            raise Malformed(field)
        return tuple(found)

    def places(self, field: str) -> tuple[PlaceWish, ...]:
        """[[programme, child, order, choice]...], each pair once."""
        found = [
            PlaceWish(
                _matching(programme, ID, field),
                _matching(child, HEX_ID, field),
                _number(order, 1, COUNT_MAX, field),
                _number(choice, 1, CHOICES_MAX, field),
            )
            for programme, child, order, choice in self._rows(field, 4)
        ]
        if len({(one.programme, one.child) for one in found}) != len(found):
            raise Malformed(field)
        return tuple(found)

    def seats(self, field: str) -> tuple[tuple[str, int], ...]:
        """[[programme, seats]...], each programme once."""
        found = [
            (_matching(programme, ID, field), _number(seats, 1, COUNT_MAX, field))
            for programme, seats in self._rows(field, 2)
        ]
        if len(dict(found)) != len(found):
            raise Malformed(field)
        return tuple(found)

    def _rows(self, field: str, width: int) -> list[Any]:
        value = self._take(field)
        if not isinstance(value, list | tuple) or len(value) > PART_ROWS_MAX:
            raise Malformed(field)
        if any(not isinstance(row, list | tuple) or len(row) != width for row in value):
            raise Malformed(field)
        return list(value)


def key_of(data: Mapping[str, Any], field: str) -> str:
    """A field's text if it could be a key of some row, else '': for looking up before reading."""
    value = data.get(field)
    return value if isinstance(value, str) and len(value) <= TEXT_MAX else ""


def keys_of(data: Mapping[str, Any], field: str, most: int) -> list[str]:
    """The texts of a list that could be keys, at most `most`: for looking up before reading."""
    value = data.get(field)
    rows = value[:most] if isinstance(value, list | tuple) else []
    return [one for one in rows if isinstance(one, str) and len(one) <= TEXT_MAX]


def first_cells(data: Mapping[str, Any], field: str, at: int) -> list[str]:
    """The `at`-th cell of each row of a list of rows, where it could be a key."""
    value = data.get(field)
    rows = value[:PART_ROWS_MAX] if isinstance(value, list | tuple) else []
    cells = (row[at] for row in rows if isinstance(row, list | tuple) and len(row) > at)
    return [cell for cell in cells if isinstance(cell, str) and len(cell) <= TEXT_MAX]


def _matching(value: Any, shape: re.Pattern[str], field: str) -> str:
    if not isinstance(value, str) or shape.fullmatch(value) is None:
        raise Malformed(field)
    return value


def _empty(value: Any, field: str) -> str:
    if value != "":
        raise Malformed(field)
    return ""


def _number(value: Any, least: int, most: int, field: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Malformed(field)
    return value

"""What commands of this room may carry: each field is read once, by its shape. Pure.

It raises Malformed (caught in `policy`) and nothing else, whatever a client sends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

SEALED_MAX_BYTES: Final = 8192
CHOICES_MAX: Final = 100
CLAIMS_MAX: Final = 20
CHANGES_MAX: Final = 10_000
FILE_BYTES_MAX: Final = 4 * 2**20
"""Of a file as it was handed in. An embassy takes blobs of at most 8 MiB (embassy.quota)."""

MEDIA_TYPES: Final = ("application/pdf", "image/jpeg", "image/png")
DOCUMENT_KINDS: Final = ("claim", "paper", "other")
"""What a file is: it supports a claim, is the signed paper form, or another. For which claim is
sealed with its name: it could tell that a child is looked-after."""

SOURCES: Final = ("register", "counter")
PAPERS: Final = ("id-card", "passport", "birth-certificate", "other")
"""What a counter may have seen of a child whom the civil register does not know."""

ID_CHARS_MAX: Final = 32
HASH_BYTES: Final = 32
_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_GRADE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,15}")
_HEX_ID: Final = re.compile(r"[0-9a-f]{32}")


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
                raise Malformed(str(field)[:200])

    def id(self, field: str) -> str:
        """An id that the ministry chose: small letters, digits and hyphens, at most 32."""
        return self._matching(field, _ID)

    def grade(self, field: str) -> str:
        """A grade's id: as others, at most 16."""
        return self._matching(field, _GRADE)

    def hex_id(self, field: str) -> str:
        """An id of 32 hex digits: a child or a document."""
        return self._matching(field, _HEX_ID)

    def one_of(self, field: str, choices: tuple[str, ...]) -> str:
        """One of these words."""
        value = self._take(field)
        if not isinstance(value, str) or value not in choices:
            raise Malformed(field)
        return value

    def one_of_or_none(self, field: str, choices: tuple[str, ...]) -> str:
        """One of these words, or '' (also where the field is absent)."""
        value = self._take(field)
        return "" if value in (None, "") else self.one_of(field, choices)

    def flag(self, field: str) -> bool:
        """True or False."""
        value = self._take(field)
        if not isinstance(value, bool):
            raise Malformed(field)
        return value

    def number(self, field: str, least: int, most: int) -> int:
        """A whole number between these, both included."""
        value = self._take(field)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise Malformed(field)
        return value

    def numbers(self, field: str, most: int) -> tuple[int, ...]:
        """Different whole numbers from 0 to below `most`; none where the field is absent."""
        value = self._take(field)
        if value is None:
            return ()
        if not isinstance(value, list | tuple) or len(value) > most:
            raise Malformed(field)
        for each in value:
            if isinstance(each, bool) or not isinstance(each, int) or not 0 <= each < most:
                raise Malformed(field)
        if len(set(value)) != len(value):
            raise Malformed(field)
        return tuple(value)

    def choices(self, field: str) -> tuple[str, ...]:
        """Programmes, best first, each once: at least one, at most CHOICES_MAX."""
        value = self._take(field)
        if not isinstance(value, list | tuple) or not 0 < len(value) <= CHOICES_MAX:
            raise Malformed(field)
        if not all(isinstance(each, str) and _ID.fullmatch(each) for each in value):
            raise Malformed(field)
        if len(set(value)) != len(value):
            raise Malformed(field)
        return tuple(value)

    def sealed(self, field: str) -> bytes:
        """A sealed value."""
        value = self._take(field)
        if not isinstance(value, bytes) or not 0 < len(value) <= SEALED_MAX_BYTES:
            raise Malformed(field)
        return value

    def hash(self, field: str) -> bytes:
        """32 bytes: a commitment, or the name of a blob."""
        value = self._take(field)
        if not isinstance(value, bytes) or len(value) != HASH_BYTES:
            raise Malformed(field)
        return value

    def _matching(self, field: str, shape: re.Pattern[str]) -> str:
        value = self._take(field)
        if not isinstance(value, str) or shape.fullmatch(value) is None:
            raise Malformed(field)
        return value


@dataclass(frozen=True, slots=True)
class ApplyWish:
    """Data of apply. `change` is the number that this change gets: 1 for a first application."""

    round: str
    grade: str
    choices: tuple[str, ...]
    together: bool
    facts: bytes
    salt: bytes
    commitment: bytes
    change: int
    undecided: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DocumentWish:
    """Data of add_document."""

    kind: str
    name: bytes
    media_type: str
    size: int
    blob: bytes


def apply_wish(fields: Fields) -> ApplyWish:
    """Read the data of apply but for the child; raises Malformed."""
    wish = ApplyWish(
        round=fields.id("round"),
        grade=fields.grade("grade"),
        choices=fields.choices("choices"),
        together=fields.flag("together"),
        facts=fields.sealed("facts"),
        salt=fields.sealed("salt"),
        commitment=fields.hash("commitment"),
        change=fields.number("change", 1, CHANGES_MAX),
        undecided=fields.numbers("undecided", CLAIMS_MAX),
    )
    fields.end()
    return wish


def document_wish(fields: Fields) -> DocumentWish:
    """Read the data of add_document but for round and child; raises Malformed."""
    wish = DocumentWish(
        kind=fields.one_of("kind", DOCUMENT_KINDS),
        name=fields.sealed("name"),
        media_type=fields.one_of("media_type", MEDIA_TYPES),
        size=fields.number("size", 1, FILE_BYTES_MAX),
        blob=fields.hash("blob"),
    )
    fields.end()
    return wish


def key_of(data: Mapping[str, Any], field: str) -> str:
    """A field's text if it could be a key of some row, else '': for looking up before reading."""
    value = data.get(field)
    return value if isinstance(value, str) and len(value) <= ID_CHARS_MAX else ""


def choices_meant(data: Mapping[str, Any]) -> list[str]:
    """The programmes that the data speaks of, read or not: what to look up."""
    value = data.get("choices")
    rows = value[:CHOICES_MAX] if isinstance(value, list | tuple) else []
    return [each for each in rows if isinstance(each, str) and len(each) <= ID_CHARS_MAX]

"""Any JSON, by a mapping in a TOML file: CloudTrail, Microsoft 365, Suricata's EVE, your own.

One object a line, one array, or one object that holds the array (CloudTrail's Records); any size.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from kulla.watch.sources.batch import Batch, Gathering, Reject, encoded, reject
from kulla.watch.sources.mapping import NO_MAPPING, Mapped
from kulla.watch.sources.times import NOTHING_SAID, Assumed

OBJECT_MAX: Final = 16 << 20
_PIECE: Final = 256 << 10
_HEAD: Final = 4_096
_WORD: Final = 8
"""A word of JSON (false, \\u00e9) that is cut off begins at most so far before the end."""
_BLANK: Final = " \t\r\n"


def read(
    stream: BinaryIO, file: str, mapping: Mapped = NO_MAPPING, assumed: Assumed = NOTHING_SAID
) -> Iterator[Batch | Reject]:
    """The records of a stream of JSON, mapped; numbers count records from 1.

    What is no JSON is a Reject, and reading goes on at the next line that begins an object.
    """
    gathering = Gathering(file)
    for number, item in enumerate(objects(stream, mapping.records), start=1):
        if isinstance(item, Broken):
            yield reject(file, number, "no object of JSON", item.encode("utf-8", "replace"))
            continue
        source, event = mapping.event(item, assumed)
        yield from gathering.add(source, number, encoded(event))
    yield from gathering.rest()


class Broken(str):
    """A piece of text where an object of JSON should be."""


def objects(stream: BinaryIO, inside: str = "") -> Iterator[dict[str, Any] | Broken]:
    """Each object of a stream, however it is laid out; a Broken where something is none.

    inside: the name of the array that holds the records, where one object holds all ('' for none).
    Memory holds one record and a piece of the stream, not the file.
    """
    text = _Text(stream)
    while (start := text.skip(_BLANK + ",[")) != "":
        if start == "]":
            text.drop()
            continue
        if inside and start == "{" and text.enter(inside):
            continue
        value = text.next_value()
        if isinstance(value, Broken) and not value.strip("]} \r\n\t,"):
            continue  # the end of the object around the array
        if not isinstance(value, dict):
            yield value if isinstance(value, Broken) else Broken(json.dumps(value))
        elif inside and isinstance(value.get(inside), list):
            yield from (item for item in value[inside] if isinstance(item, dict))
        else:
            yield value


class _Text:
    """A window on the text of a stream, from which values of JSON are taken one by one."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._held = ""
        self._at = 0
        self._letters: codecs.IncrementalDecoder | None = None
        self._ended = False
        self._json = json.JSONDecoder()

    def _more(self, least: int = 1) -> bool:
        """Read on until `least` letters more are held; False where the stream ended before."""
        found: list[str] = []
        while least > 0 and not self._ended:
            piece = self._stream.read(_PIECE)
            self._ended = not piece
            if self._letters is None:
                # Windows tools export UTF-16 with a byte order mark; all else is UTF-8.
                utf16 = piece.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
                name = "utf-16" if utf16 else "utf-8-sig"
                self._letters = codecs.getincrementaldecoder(name)("replace")
            text = self._letters.decode(piece, final=self._ended)
            found.append(text)
            least -= len(text)
        self._held = "".join((self._held[self._at :], *found))
        self._at = 0
        return least <= 0

    def skip(self, letters: str) -> str:
        """Pass over these letters; gives the letter that follows, '' at the end."""
        while True:
            while self._at < len(self._held):
                if self._held[self._at] not in letters:
                    return self._held[self._at]
                self._at += 1
            if not self._more():
                return ""

    def drop(self) -> None:
        """Pass over one letter."""
        self._at += 1

    def enter(self, inside: str) -> bool:
        """Step into {"Records": [ at this place, where it stands here."""
        if len(self._held) - self._at < _HEAD:
            self._more(_HEAD)
        found = re.compile(r'\{\s*"' + re.escape(inside) + r'"\s*:\s*\[').match(
            self._held, self._at
        )
        if found is not None:
            self._at = found.end()
        return found is not None

    def next_value(self) -> Any:
        """The value that begins here; a Broken line where none does."""
        while True:
            try:
                value, self._at = self._json.raw_decode(self._held, self._at)
            except json.JSONDecodeError as error:
                held = len(self._held) - self._at
                cut = error.msg.startswith("Unterminated") or error.pos >= len(self._held) - _WORD
                if not cut or held > OBJECT_MAX or self._ended:
                    return self._line()
                self._more(
                    max(held, _PIECE)
                )  # twice as much each time, or a long one costs squares
            except (ValueError, RecursionError):
                return self._line()
            else:
                return value

    def _line(self) -> Broken:
        end = self._held.find("\n", self._at)
        end = len(self._held) if end < 0 else end
        line, self._at = self._held[self._at : end], end + 1
        return Broken(line)

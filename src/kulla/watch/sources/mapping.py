"""Field mappings of JSON sources, one TOML file each: whom it fits, log source, time, names."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from kulla.kernel.errors import KullaError
from kulla.watch.sources.batch import Source
from kulla.watch.sources.flat import flattened
from kulla.watch.sources.times import Assumed, of_any_kind, put_time


class MappingInvalid(KullaError):
    """A mapping file that can't be used; the place is the file and the entry."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """One mapping. `docs/watch-sources.md` describes the file.

    has: names that all must be in a record to be recognised (dotted names reach inside). is_: of
    these names, what the value must be. records: the array that holds the records, '' where each
    line or the whole is a record. times: where the time stands, the first that is there counts.
    rename: theirs to Sigma's name; the old one stays too. by: a field whose value chooses the log
    source from `sources`, else `source`.
    """

    name: str
    source: Source = ("", "", "")
    has: tuple[str, ...] = ()
    equals: Mapping[str, str] = field(default_factory=dict)
    records: str = ""
    times: tuple[str, ...] = ("@timestamp", "timestamp", "time", "ts", "eventTime", "date")
    rename: Mapping[str, str] = field(default_factory=dict)
    by: str = ""
    sources: Mapping[str, Source] = field(default_factory=dict)

    def fits(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is one of these."""
        if not self.has and not self.equals:
            return False
        flat = flattened(record)
        return all(name in flat for name in self.has) and all(
            str(flat.get(name)) == value for name, value in self.equals.items()
        )

    def event(self, record: Mapping[str, Any], assumed: Assumed) -> tuple[Source, dict[str, Any]]:
        """The record's log source and its flat event with Sigma's field names."""
        flat = flattened(record)
        event: dict[str, Any] = {}
        for name in self.times:
            if (at := of_any_kind(flat.get(name), assumed)) is not None:
                put_time(event, at)
                break
        event |= flat
        for theirs, ours in self.rename.items():
            if theirs in flat:
                event[ours] = flat[theirs]
        return self.sources.get(str(flat.get(self.by)), self.source), event


NO_MAPPING: Final = Mapped("json")

_KNOWN: Final = {"recognise", "source", "time", "records", "rename", "by"}


def mapping_of(text: str, place: str) -> Mapped:
    """A mapping from the text of a TOML file. Raises MappingInvalid."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MappingInvalid(f"this is no TOML: {error}.", place=place) from error
    for name in document:
        if name not in _KNOWN:
            raise MappingInvalid(
                f"a mapping has no '{name}'.",
                place=place,
                remedy=f"It may hold {', '.join(sorted(_KNOWN))}.",
            )
    recognise = _table(document, "recognise", place)
    by = _table(document, "by", place)
    times = document.get("time", list(NO_MAPPING.times))
    if isinstance(times, str):
        times = [times]
    has = recognise.get("has", [])
    _strings(times, f"{place}: time")
    _strings(has, f"{place}: recognise.has")
    rename = _table(document, "rename", place)
    _strings(list(rename.values()), f"{place}: rename")
    return Mapped(
        Path(place).stem,
        _source(_table(document, "source", place), f"{place}: source"),
        tuple(has),
        {name: str(value) for name, value in recognise.get("equals", {}).items()},
        str(document.get("records", "")),
        tuple(times),
        rename,
        str(by.get("field", "")),
        {
            value: _source(words, f"{place}: by.{value}")
            for value, words in by.items()
            if value != "field"
        },
    )


def mappings_in(folder: Path) -> list[Mapped]:
    """Every mapping of a folder, in the order of their names. Raises MappingInvalid."""
    return [mapping_of(_text_of(path), str(path)) for path in sorted(folder.glob("*.toml"))]


def own_mappings() -> list[Mapped]:
    """The mappings that come with Kulla."""
    return list(_own())


def _own() -> Iterator[Mapped]:
    folder = files("kulla.watch.sources") / "mappings"
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".toml"):
            yield mapping_of(entry.read_text("utf-8"), entry.name)


def _text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MappingInvalid(f"the file can't be read: {error}.", place=str(path)) from error


def _table(document: Mapping[str, Any], name: str, place: str) -> dict[str, Any]:
    found = document.get(name, {})
    if not isinstance(found, dict):
        raise MappingInvalid(f"'{name}' must be a table: [{name}].", place=place)
    return found


def _strings(values: Any, place: str) -> None:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise MappingInvalid("these must be names in quotes.", place=place)


def _source(words: Any, place: str) -> Source:
    if not isinstance(words, dict) or not words.keys() <= {"product", "category", "service"}:
        raise MappingInvalid("a log source has product, category and service.", place=place)
    found = [str(words.get(name, "")) for name in ("product", "category", "service")]
    return found[0], found[1], found[2]

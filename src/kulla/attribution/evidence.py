"""What was found: an incident and its items of evidence, each with its source and its worth.

The file is TOML or JSON; docs/attribution.md describes it. What is typed is checked here, and each
complaint names the item and the field.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from kulla.attribution.errors import EvidenceInvalid
from kulla.attribution.files import EVIDENCE_BYTES_MAX, parse_json, parse_toml, read_bytes
from kulla.attribution.scales import (
    CREDIBILITY,
    FORGING,
    OVERLAP_KINDS,
    RATINGS,
    RELIABILITY,
    VERTEX_OF,
    Vertex,
    weight_of,
)

FORMAT: Final = "kulla-incident/1"
ITEMS_MAX: Final = 500
_TEXT_MAX: Final = 2000
_ABOUT: Final = re.compile(
    r"(state:[A-Z]{2}|group:G\d{4}|cluster:[\w .-]{1,60}"
    r"|unlisted|several|made_to_look_like|others)$"
)
_TECHNIQUE: Final = re.compile(r"T\d{4}(\.\d{3})?$")


@dataclass(frozen=True)
class Report:
    """Where items come from. `copy_of` names the report that this one only repeats."""

    id: str
    title: str
    url: str = ""
    published: dt.date | None = None
    copy_of: str = ""


@dataclass(frozen=True)
class Item:
    """One item of evidence; `ratings` maps a hypothesis (`state:IR`) to CC, C, N, I or II.

    `known` is the day from which the item may be used: its own, or its report's. `origin` is the
    report that it rests on in the end.
    """

    id: str
    kind: str
    value: str
    said: str
    origin: str
    admiralty: str
    forging: str
    forged_by: str
    known: dt.date | None
    ratings: Mapping[str, str] = field(default_factory=dict)

    @property
    def vertex(self) -> Vertex:
        """The vertex of the Diamond model that the item lies on."""
        return VERTEX_OF[self.kind]

    @property
    def weight(self) -> float:
        """How much the item counts, in (0, 1]."""
        return weight_of(self.admiralty, self.forging)

    @property
    def overlaps(self) -> bool:
        """Whether the item is one that ATT&CK's reports are searched for."""
        return self.kind in OVERLAP_KINDS and not self.ratings


@dataclass(frozen=True)
class Dissent:
    """What a second analyst holds against the judgement.

    `ratings`: item id -> hypothesis -> rating, in the place of those in the file.
    """

    analyst: str
    text: str
    on: str = ""
    ratings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Elsewhere:
    """What somebody else concluded: shown, and moves nothing, as it may rest on the same facts."""

    who: str
    words: str
    on: str = ""
    url: str = ""


@dataclass(frozen=True)
class Incident:
    """All that was handed in; `known_at` is the day whose knowledge is judged."""

    name: str
    question: str
    analyst: str
    known_at: dt.date | None
    release: str
    reports: Mapping[str, Report]
    items: tuple[Item, ...]
    clusters: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    dissents: tuple[Dissent, ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()
    notes: tuple[str, ...] = ()

    def as_known(self, day: dt.date | None) -> Incident:
        """The incident as it was known on a day.

        Later items, dissents and words are left out, and clusters that no item of then speaks of.

        Raises EvidenceInvalid where an item has no day, so that nobody can tell.
        """
        if day is None:
            return self
        undated = [item.id for item in self.items if item.known is None]
        if undated:
            raise EvidenceInvalid(
                f"no day is given from which {', '.join(undated)} was known.",
                place=self.name,
                remedy="Give each item a `known`, or its report a `published`.",
            )
        late = [item for item in self.items if item.known is not None and item.known > day]
        notes = list(self.notes)
        if late:
            notes.append(
                f"{len(late)} items were not known on {day.isoformat()} and are left out: "
                f"{', '.join(item.id for item in late)}."
            )
        items = tuple(item for item in self.items if item not in late)
        rated = {about.partition(":")[2] for item in items for about in item.ratings}
        return replace(
            self,
            known_at=day,
            items=items,
            clusters=tuple(name for name in self.clusters if name in rated),
            dissents=tuple(one for one in self.dissents if not one.on or one.on <= str(day)),
            elsewhere=tuple(one for one in self.elsewhere if not one.on or one.on <= str(day)),
            notes=tuple(notes),
        )

    def counted(self) -> tuple[Item, ...]:
        """The items in order of their ids, each fact of one origin once.

        Two items are one where kind, value and origin agree; the first by id stays. What differs
        in value or comes from an independent report is another item.
        """
        kept: dict[tuple[str, str, str], Item] = {}
        for item in sorted(self.items, key=lambda one: one.id):
            what = (item.value or item.said).casefold()
            kept.setdefault((item.kind, what, item.origin), item)
        return tuple(kept.values())


def load_incident(path: Path) -> Incident:
    """The incident of a TOML or JSON file. Raises EvidenceInvalid with item and field."""
    data = read_bytes(path, EVIDENCE_BYTES_MAX, EvidenceInvalid)
    parse = parse_toml if path.suffix.lower() == ".toml" else parse_json
    return incident_from(parse(data, str(path), EvidenceInvalid), str(path))


def incident_from(raw: Any, place: str) -> Incident:
    """The incident of a parsed file of FORMAT."""
    if not isinstance(raw, dict):
        raise _invalid(place, "the file", "an object with `name` and `evidence`")
    if raw.get("format") != FORMAT:
        raise _invalid(place, "format", f'"{FORMAT}"')
    reports = _reports(raw, place)
    found = _rows(raw, "evidence", place, ITEMS_MAX)
    items = [_item(one, reports, f"{place}, evidence[{n}]") for n, one in enumerate(found)]
    twice = sorted({one.id for one in items if sum(other.id == one.id for other in items) > 1})
    if twice:
        raise _invalid(place, "id of evidence", f"given once, not twice: {', '.join(twice)}")
    incident = Incident(
        name=_text(raw, "name", place),
        question=_text(raw, "question", place, "Who was behind it?"),
        analyst=_text(raw, "analyst", place, ""),
        known_at=_day(raw, "known_at", place),
        release=_text(raw, "release", place, ""),
        reports=reports,
        items=tuple(items),
        clusters=tuple(_texts(raw, "clusters", place)),
        assumptions=tuple(_texts(raw, "assumptions", place)),
        dissents=tuple(_dissents(raw, place, {one.id for one in items})),
        elsewhere=tuple(_elsewhere(raw, place)),
    )
    _check_clusters(incident, place)
    return incident


def _reports(raw: Mapping[str, Any], place: str) -> dict[str, Report]:
    found: dict[str, Report] = {}
    for number, one in enumerate(_rows(raw, "report", place, ITEMS_MAX)):
        where = f"{place}, report[{number}]"
        report = Report(
            id=_text(one, "id", where),
            title=_text(one, "title", where),
            url=_text(one, "url", where, ""),
            published=_day(one, "published", where),
            copy_of=_text(one, "copy_of", where, ""),
        )
        if report.id in found:
            raise _invalid(where, "id", "another one than that of a report above")
        found[report.id] = report
    for report in found.values():
        if report.copy_of and report.copy_of not in found:
            raise _invalid(f"{place}, report {report.id}", "copy_of", "the id of a report")
    return found


def origin_of(report: str, reports: Mapping[str, Report]) -> str:
    """The report that a chain of copies leads to; a chain that closes in itself is one report."""
    seen = [report]
    while (found := reports.get(seen[-1])) and found.copy_of and found.copy_of not in seen:
        seen.append(found.copy_of)
    if found and found.copy_of:
        return min(seen[seen.index(found.copy_of) :])
    return seen[-1]


def _item(raw: Mapping[str, Any], reports: Mapping[str, Report], place: str) -> Item:
    identifier = _text(raw, "id", place)
    where = f"{place} ({identifier})"
    kind = _choice(raw, "kind", where, VERTEX_OF)
    report = _text(raw, "report", where)
    if report not in reports:
        raise _invalid(where, "report", "the id of a report of this file")
    admiralty = _text(raw, "admiralty", where)
    if len(admiralty) != 2 or admiralty[0] not in RELIABILITY or admiralty[1] not in CREDIBILITY:
        raise _invalid(where, "admiralty", "an Admiralty code: a letter A to F and a digit 1 to 6")
    ratings = _ratings(raw.get("ratings", {}), where)
    value = _text(raw, "value", where, "")
    if not value and not _text(raw, "said", where, ""):
        raise _invalid(where, "value or said", "given: what was found?")
    if kind == "technique":
        value = value.upper()
        if not _TECHNIQUE.match(value):
            raise _invalid(where, "value", "a technique's id, such as T1486 or T1059.001")
        if ratings:
            raise _invalid(where, "ratings", "left out: techniques are compared with ATT&CK")
    return Item(
        id=identifier,
        kind=kind,
        value=value,
        said=_text(raw, "said", where, ""),
        origin=origin_of(report, reports),
        admiralty=admiralty,
        forging=_choice(raw, "forging", where, FORGING),
        forged_by=_text(raw, "forged_by", where, ""),
        known=_day(raw, "known", where) or reports[report].published,
        ratings=ratings,
    )


def _ratings(raw: Any, place: str) -> dict[str, str]:
    if not isinstance(raw, dict):
        raise _invalid(place, "ratings", 'a table such as { "state:IR" = "C" }')
    for about, rating in raw.items():
        if not isinstance(about, str) or not _ABOUT.match(about):
            raise _invalid(
                place,
                f"ratings, {str(about)[:80]!r}",
                "state:XX, group:G0000, cluster:NAME, unlisted, several, made_to_look_like "
                "or others",
            )
        if rating not in RATINGS:
            raise _invalid(place, f"ratings, {about}", "CC, C, N, I or II")
    return dict(raw)


def _dissents(raw: Mapping[str, Any], place: str, items: Iterable[str]) -> Iterable[Dissent]:
    known = set(items)
    for number, one in enumerate(_rows(raw, "dissent", place, 50)):
        where = f"{place}, dissent[{number}]"
        ratings = one.get("ratings", {})
        if not isinstance(ratings, dict) or not ratings.keys() <= known:
            raise _invalid(where, "ratings", "a table by the ids of items of evidence")
        day = _day(one, "on", where)
        yield Dissent(
            analyst=_text(one, "analyst", where),
            text=_text(one, "text", where),
            on=day.isoformat() if day else "",
            ratings={key: _ratings(each, f"{where}, {key}") for key, each in ratings.items()},
        )


def _elsewhere(raw: Mapping[str, Any], place: str) -> Iterable[Elsewhere]:
    for number, one in enumerate(_rows(raw, "said_elsewhere", place, 50)):
        where = f"{place}, said_elsewhere[{number}]"
        day = _day(one, "on", where)
        yield Elsewhere(
            who=_text(one, "who", where),
            words=_text(one, "words", where),
            on=day.isoformat() if day else "",
            url=_text(one, "url", where, ""),
        )


def _check_clusters(incident: Incident, place: str) -> None:
    for item in incident.items:
        for about in item.ratings:
            name = about.partition(":")[2]
            if about.startswith("cluster:") and name not in incident.clusters:
                raise _invalid(f"{place}, {item.id}", f"ratings, {about}", "one of `clusters`")


def _rows(raw: Mapping[str, Any], key: str, place: str, most: int) -> list[Mapping[str, Any]]:
    found = raw.get(key, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise _invalid(place, key, "a list of tables")
    if len(found) > most:
        raise _invalid(place, key, f"no more than {most} entries")
    return found


def _text(raw: Mapping[str, Any], key: str, place: str, default: str | None = None) -> str:
    found = raw.get(key, default)
    if not isinstance(found, str) or (default is None and not found.strip()):
        raise _invalid(place, key, "a text")
    if len(found) > _TEXT_MAX:
        raise _invalid(place, key, f"shorter than {_TEXT_MAX} characters")
    return found.strip()


def _texts(raw: Mapping[str, Any], key: str, place: str) -> list[str]:
    found = raw.get(key, [])
    if not isinstance(found, list) or len(found) > 50:
        raise _invalid(place, key, "a list of texts")
    return [_text({key: one}, key, place) for one in found]


def _choice(raw: Mapping[str, Any], key: str, place: str, among: Mapping[str, Any]) -> str:
    found = raw.get(key)
    if not isinstance(found, str) or found not in among:
        raise _invalid(place, key, f"one of {', '.join(among)}")
    return found


def _day(raw: Mapping[str, Any], key: str, place: str) -> dt.date | None:
    found = raw.get(key)
    if found is None or found == "":
        return None
    if isinstance(found, dt.datetime):
        return found.date()
    if isinstance(found, dt.date):
        return found
    try:
        return dt.date.fromisoformat(str(found)[:10])
    except ValueError as error:
        raise _invalid(place, key, "a day such as 2022-07-22") from error


def _invalid(place: str, what: str, must: str) -> EvidenceInvalid:
    return EvidenceInvalid(f"{what} must be {must}.", place=place, remedy="Mend the file.")


def plain(incident: Incident) -> dict[str, Any]:
    """The incident as a JSON object of FORMAT, from which `incident_from` makes the same again."""
    found: dict[str, Any] = {
        "format": FORMAT,
        "name": incident.name,
        "question": incident.question,
        "analyst": incident.analyst,
        "known_at": _iso(incident.known_at),
        "release": incident.release,
        "clusters": list(incident.clusters),
        "assumptions": list(incident.assumptions),
        "report": [
            {**vars(one), "published": _iso(one.published)} for one in incident.reports.values()
        ],
        "evidence": [
            {
                **{k: v for k, v in vars(one).items() if k not in ("origin", "known", "ratings")},
                "report": one.origin,
                "known": _iso(one.known),
                "ratings": dict(sorted(one.ratings.items())),
            }
            for one in incident.items
        ],
        "dissent": [
            {**vars(one), "ratings": {k: dict(v) for k, v in sorted(one.ratings.items())}}
            for one in incident.dissents
        ],
        "said_elsewhere": [vars(one) for one in incident.elsewhere],
    }
    return found


def _iso(day: dt.date | None) -> str | None:
    return day.isoformat() if day else None

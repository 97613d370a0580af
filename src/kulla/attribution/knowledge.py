"""What is known of actors: one stated release of ATT&CK, with the report behind each statement.

Reports, not summed-up profiles, are what the desk computes with: who used what, by which cited
report, of which year. A report that repeats another one of the same actor counts once with it.

Read here: a folder with one JSON file a release (`v11.3.json`), each with groups, campaigns,
software, techniques, uses and citations, and `actor_states.json` beside them. Full STIX bundles are
read by `bundle.py` into the same shape.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from kulla.attribution.errors import KnowledgeInvalid
from kulla.attribution.files import KNOWLEDGE_BYTES_MAX, parse_json, read_bytes, sha256_of

STATES_FILE: Final = "actor_states.json"
COPY_OVERLAP: Final = 0.8
COPY_ITEMS_MIN: Final = 5
NOTICE: Final = (
    "ATT&CK: © The MITRE Corporation. This work is reproduced and distributed with the "
    "permission of The MITRE Corporation."
)
_RELEASE: Final = re.compile(r"(?:ATT&CK-)?v?(\d+(?:\.\d+)*)$")
_ID: Final = re.compile(r"[TSGC]\d{4}(?:\.\d{3})?$")

Reports = Mapping[tuple[str, str], frozenset[str]]


@dataclass(frozen=True)
class Actor:
    """A group or a campaign as the release describes it.

    `state` is the two-letter code of the suspected state, or None; `attributed_to` are groups.
    """

    id: str
    name: str
    aliases: tuple[str, ...]
    state: str | None = None
    attributed_to: tuple[str, ...] = ()


@dataclass(frozen=True)
class Knowledge:
    """One release. `reports`: (actor id, citation) -> ids of techniques and software it names.

    `retired` maps ids that the release revoked or deprecated to their successor, or to "".
    `elsewhere` maps ids that only other releases at hand know to those releases' names.
    """

    release: str
    date: str
    source: str
    sha256: str
    groups: Mapping[str, Actor]
    campaigns: Mapping[str, Actor]
    names: Mapping[str, str]
    reports: Reports
    years: Mapping[str, int | None]
    copy_of: Mapping[str, str]
    retired: Mapping[str, str]
    elsewhere: Mapping[str, str]
    states_source: str = ""

    def group_reports(self) -> dict[tuple[str, str], frozenset[str]]:
        """The reports on groups, without those on campaigns."""
        return {key: items for key, items in self.reports.items() if key[0] in self.groups}

    def campaign_reports(self) -> dict[tuple[str, str], frozenset[str]]:
        """The reports on campaigns."""
        return {key: items for key, items in self.reports.items() if key[0] in self.campaigns}

    def name(self, identifier: str) -> str:
        """The name of a group, campaign, technique or software; the id itself where unknown."""
        actor = self.groups.get(identifier) or self.campaigns.get(identifier)
        return actor.name if actor else self.names.get(identifier, identifier)

    def citations_for(self, actor: str, items: Iterable[str]) -> tuple[str, ...]:
        """The reports by which this actor used any of these items, in order of their names."""
        wanted = set(items)
        return tuple(
            sorted(
                citation
                for (by, citation), named in self.reports.items()
                if by == actor and named & wanted
            )
        )


def release_name(text: str) -> str:
    """'v11.3' of 'ATT&CK-v11.3', '11.3' or 'v11.3'; other texts as they are."""
    match = _RELEASE.match(text.strip())
    return f"v{match[1]}" if match else text.strip()


def releases_in(folder: Path) -> list[str]:
    """The names of the releases that a folder holds, oldest first."""
    found = [path.stem for path in folder.glob("v*.json") if _RELEASE.match(path.stem)]
    return sorted(found, key=release_order)


def release_order(release: str) -> tuple[int, ...]:
    """A key by which releases sort from old to new."""
    match = _RELEASE.match(release)
    return tuple(int(part) for part in match[1].split(".")) if match else ()


def load_release(folder: Path, release: str | None = None) -> Knowledge:
    """A release from a folder; the newest where none is named.

    Raises KnowledgeInvalid where the folder lacks it, or the file is not in its form.
    """
    names = releases_in(folder)
    wanted = release_name(release) if release else (names[-1] if names else "")
    if wanted not in names:
        raise KnowledgeInvalid(
            f"holds no release {wanted or 'of ATT&CK'}; it holds: {', '.join(names) or 'none'}.",
            place=str(folder),
            remedy="Name one of them with --release, or another folder with --data.",
        )
    path = folder / f"{wanted}.json"
    data = read_bytes(path, KNOWLEDGE_BYTES_MAX, KnowledgeInvalid)
    found = reduced(parse_json(data, str(path), KnowledgeInvalid), str(path), sha256_of(data))
    others = {
        identifier: other
        for other in names
        if other != wanted
        for identifier in _ids_of(folder / f"{other}.json")
    }
    known = found.names.keys() | found.groups.keys()
    elsewhere = {item: other for item, other in others.items() if item not in known}
    found = replace(found, elsewhere=elsewhere)
    states = folder / STATES_FILE
    return with_states(found, states) if states.is_file() else found


def reduced(raw: Any, place: str, digest: str) -> Knowledge:
    """Knowledge from the parsed JSON of one release. Raises KnowledgeInvalid, with the field."""
    if not isinstance(raw, dict):
        raise _wrong(place, "the file", "an object")
    groups = {item["id"]: _actor(item) for item in _objects(raw, "groups", place)}
    campaigns = {item["id"]: _actor(item) for item in _objects(raw, "campaigns", place)}
    named = [*_objects(raw, "techniques", place), *_objects(raw, "software", place)]
    names = {item["id"]: str(item.get("name", item["id"])) for item in named}
    years = _years(raw.get("citations"), place)
    uses: dict[tuple[str, str], set[str]] = defaultdict(set)
    for number, use in enumerate(_list(raw, "uses", place)):
        for citation in _use(use, f"{place}, uses[{number}]"):
            if use["what"] in names:
                uses[use["by"], citation].add(use["what"])
    if not groups or not uses:
        raise _wrong(place, "groups and uses", "lists that are not empty")
    reports, copy_of = merge_copies(uses, years)
    return Knowledge(
        release=release_name(str(raw.get("release", ""))),
        date=str(raw.get("date", "")),
        source=Path(place).name,
        sha256=digest,
        groups=groups,
        campaigns=campaigns,
        names=names,
        reports=reports,
        years=years,
        copy_of=copy_of,
        retired={str(old): str(new) for old, new in dict(raw.get("retired", {})).items()},
        elsewhere={},
    )


def merge_copies(
    uses: Mapping[tuple[str, str], Iterable[str]], years: Mapping[str, int | None]
) -> tuple[Reports, Mapping[str, str]]:
    """Reports of one actor that name nearly the same items become one, under the latest name.

    Two reports are copies where each names COPY_ITEMS_MIN items or more and their intersection is
    COPY_OVERLAP of their union or more. Returns the reports, and of which report each copy is one.
    """
    by_actor: dict[str, list[tuple[str, frozenset[str]]]] = defaultdict(list)
    order = sorted(uses.items(), key=lambda one: (-(years.get(one[0][1]) or 0), one[0]))
    for (actor, citation), items in order:
        by_actor[actor].append((citation, frozenset(items)))
    merged: dict[tuple[str, str], frozenset[str]] = {}
    copy_of: dict[str, str] = {}
    for actor, reports in sorted(by_actor.items()):
        kept: list[tuple[str, frozenset[str]]] = []
        for citation, items in reports:
            at = next((n for n, (_, other) in enumerate(kept) if _copies(items, other)), None)
            if at is None:
                kept.append((citation, items))
            else:
                copy_of[citation] = kept[at][0]
                kept[at] = (kept[at][0], kept[at][1] | items)
        merged |= {(actor, citation): items for citation, items in sorted(kept)}
    return merged, copy_of


def with_states(knowledge: Knowledge, path: Path) -> Knowledge:
    """The same knowledge with suspected states, joined by G-id, then name, then aliases.

    Takes a list of {name, synonyms, country} or MISP's threat-actor galaxy. The list's statements
    are those of its own date, not of the release: who reads a judgement is told so.
    Raises KnowledgeInvalid.
    """
    data = read_bytes(path, KNOWLEDGE_BYTES_MAX, KnowledgeInvalid)
    raw = parse_json(data, str(path), KnowledgeInvalid)
    states: dict[str, str] = {}
    for entry in raw.get("values", []) if isinstance(raw, dict) else raw:
        if not isinstance(entry, dict):
            raise _wrong(str(path), "an entry", "an object")
        about = entry.get("meta")
        meta = about if isinstance(about, dict) else entry
        country = meta.get("country")
        if not isinstance(country, str) or not re.fullmatch(r"[A-Za-z]{2}", country):
            continue
        for name in (entry.get("name", entry.get("value")), *(meta.get("synonyms") or ())):
            states.setdefault(str(name).casefold(), country.upper())
    groups = {key: replace(one, state=_state(one, states)) for key, one in knowledge.groups.items()}
    source = f"{path.name}, SHA-256 {sha256_of(data)[:12]}"
    return replace(knowledge, groups=groups, states_source=source)


def _state(actor: Actor, states: Mapping[str, str]) -> str | None:
    names = (actor.id, actor.name, *actor.aliases)
    return next((states[key] for name in names if (key := name.casefold()) in states), None)


def _copies(one: frozenset[str], other: frozenset[str]) -> bool:
    if min(len(one), len(other)) < COPY_ITEMS_MIN:
        return False
    return len(one & other) >= COPY_OVERLAP * len(one | other)


def _ids_of(path: Path) -> set[str]:
    data = read_bytes(path, KNOWLEDGE_BYTES_MAX, KnowledgeInvalid)
    found = reduced(parse_json(data, str(path), KnowledgeInvalid), str(path), "")
    return {*found.names, *found.groups}


def _actor(item: Mapping[str, Any]) -> Actor:
    aliases = item.get("aliases")
    to = item.get("attributed_to")
    return Actor(
        id=item["id"],
        name=str(item.get("name", item["id"])),
        aliases=tuple(str(name) for name in aliases) if isinstance(aliases, list) else (),
        attributed_to=tuple(str(name) for name in to) if isinstance(to, list) else (),
    )


def _objects(raw: Mapping[str, Any], key: str, place: str) -> list[dict[str, Any]]:
    found = _list(raw, key, place) if key in raw else []
    for number, item in enumerate(found):
        identifier = item.get("id") if isinstance(item, dict) else None
        if not isinstance(identifier, str) or not _ID.match(identifier):
            raise _wrong(place, f"{key}[{number}].id", "an ATT&CK id")
    return found


def _list(raw: Mapping[str, Any], key: str, place: str) -> list[Any]:
    found = raw.get(key)
    if not isinstance(found, list):
        raise _wrong(place, key, "a list")
    return found


def _use(use: Any, place: str) -> list[str]:
    named = [use.get("by"), use.get("what")] if isinstance(use, dict) else [None]
    if not all(isinstance(one, str) for one in named):
        raise _wrong(place, "by and what", "ids")
    citations = use.get("citations")
    if not isinstance(citations, list) or not all(isinstance(item, str) for item in citations):
        raise _wrong(place, "citations", "a list of names")
    return citations


def _years(raw: Any, place: str) -> dict[str, int | None]:
    if not isinstance(raw, dict):
        raise _wrong(place, "citations", "an object")
    return {
        str(name): about.get("year") if isinstance(about, dict) else None
        for name, about in raw.items()
    }


def _wrong(place: str, what: str, must: str) -> KnowledgeInvalid:
    return KnowledgeInvalid(
        f"{what} must be {must}.", place=place, remedy="Take the file as it was released."
    )

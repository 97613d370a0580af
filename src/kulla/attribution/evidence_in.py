"""An incident from what other programs write: a STIX 2.1 bundle, or OCSF findings.

Such files say what was seen, and rarely how good it is. So every item begins as F6, 'can't be
judged', unless the object states a confidence; the analyst's file is where better codes go. Nothing
is followed from object to object, so a file whose references go in circles is read like any other.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from kulla.attribution.bundle import OBJECTS_MAX, attack_id
from kulla.attribution.errors import EvidenceInvalid
from kulla.attribution.evidence import (
    FORMAT,
    ITEMS_MAX,
    Incident,
    Item,
    Report,
    incident_from,
)
from kulla.attribution.files import EVIDENCE_BYTES_MAX, parse_json, parse_toml, read_bytes

_HASH: Final = re.compile(r"hashes\.'?\"?[\w-]+'?\"?\s*=\s*'([0-9a-fA-F]{32,128})'")
_ADDRESS: Final = re.compile(r"(?:ipv[46]-addr|domain-name|url):value\s*=\s*'([^']{1,300})'")
RECORD_FORMAT: Final = "kulla-judgement/1"
_NAMED: Final = ("incident", "grouping", "report", "campaign")


def load_any_incident(path: Path) -> Incident:
    """The incident of a file: ours in TOML or JSON, a STIX bundle, or OCSF findings.

    Raises EvidenceInvalid with the place in the file.
    """
    data = read_bytes(path, EVIDENCE_BYTES_MAX, EvidenceInvalid)
    if path.suffix.lower() == ".toml":
        return incident_from(parse_toml(data, str(path), EvidenceInvalid), str(path))
    raw = _json_or_lines(data, str(path))
    if isinstance(raw, dict) and raw.get("format") == FORMAT:
        return incident_from(raw, str(path))
    if isinstance(raw, dict) and raw.get("type") == "bundle":
        return from_stix(raw, str(path), path.stem)
    findings = raw if isinstance(raw, list) else [raw]
    if findings and all(isinstance(one, dict) and "class_uid" in one for one in findings):
        return from_ocsf(findings, str(path), path.stem)
    if isinstance(raw, dict) and raw.get("format") == RECORD_FORMAT:
        raise EvidenceInvalid(
            "is the record of a judgement.",
            place=str(path),
            remedy="Type kulla attribute recompute and its name.",
        )
    raise EvidenceInvalid(
        f'is none of: an incident file (its format is "{FORMAT}"), a STIX bundle, OCSF findings.',
        place=str(path),
        remedy="docs/attribution.md shows what an incident file looks like.",
    )


def _json_or_lines(data: bytes, place: str) -> Any:
    """One JSON value, or a list of those that stand one on a line."""
    try:
        return parse_json(data, place, EvidenceInvalid)
    except EvidenceInvalid:
        lines = [line for line in data.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        return [
            parse_json(line, f"{place}, line {n}", EvidenceInvalid)
            for n, line in enumerate(lines, start=1)
        ]


def from_stix(raw: Mapping[str, Any], place: str, name: str) -> Incident:
    """The incident of a STIX 2.1 bundle: its attack patterns, malware, tools and indicators.

    Objects that are revoked, and groups and relationships, are no evidence and are left out.
    """
    objects = raw.get("objects")
    if not isinstance(objects, list) or len(objects) > OBJECTS_MAX:
        raise EvidenceInvalid(
            f"objects must be a list of at most {OBJECTS_MAX:,}.",
            place=place,
            remedy="Take the bundle of one incident.",
        )
    kept = [one for one in objects if isinstance(one, dict) and one.get("revoked") is not True]
    titles = [str(one["name"]) for one in kept if one.get("type") in _NAMED and one.get("name")]
    found: dict[tuple[str, str], tuple[str, str, Mapping[str, Any]]] = {}
    for one in kept:
        for kind, value, said in _stix_items(one):
            found.setdefault((kind, value), (value, said, one))
    report = Report(id="bundle", title=f"STIX bundle {raw.get('id', name)}")
    items = [
        _item(f"X{n}", kind, value, said, "bundle", _code(one), _day(one))
        for n, ((kind, _), (value, said, one)) in enumerate(sorted(found.items(), key=_key), 1)
    ]
    return _incident(titles[0] if titles else name, report, items, place)


def _stix_items(one: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    kind, name = one.get("type"), str(one.get("name", ""))
    if kind == "attack-pattern":
        identifier = attack_id(one)
        if identifier.startswith("T"):
            yield "technique", identifier, name
    elif kind in ("malware", "tool") and name:
        identifier = attack_id(one)
        yield "software", identifier if identifier.startswith("S") else name, name
    elif kind == "infrastructure" and name:
        yield "infrastructure", name, str(one.get("description", name))[:500]
    elif kind == "indicator":
        pattern = str(one.get("pattern", ""))[:20_000]
        for value in _HASH.findall(pattern):
            yield "hash", value.lower(), name or "a file of this hash"
        for value in _ADDRESS.findall(pattern):
            yield "infrastructure", value, name or "an address"


def from_ocsf(findings: Iterable[Mapping[str, Any]], place: str, name: str) -> Incident:
    """The incident of OCSF findings: the ATT&CK techniques that they name, each once."""
    found: dict[str, tuple[str, dt.date | None]] = {}
    for one in findings:
        day = _epoch_day(one.get("time"))
        for technique, said in _ocsf_techniques(one):
            if technique not in found or (day and (found[technique][1] or dt.date.max) > day):
                found[technique] = (said, day)
    items = [
        _item(f"O{n}", "technique", technique, said, "findings", "F6", day)
        for n, (technique, (said, day)) in enumerate(sorted(found.items()), start=1)
    ]
    report = Report(id="findings", title=f"Findings of {Path(place).name}")
    return _incident(name, report, items, place)


def _ocsf_techniques(one: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    about = one.get("finding_info")
    about = about if isinstance(about, dict) else {}
    attacks = one.get("attacks") or about.get("attacks")
    for attack in attacks if isinstance(attacks, list) else []:
        if not isinstance(attack, dict):
            continue
        for key in ("sub_technique", "technique"):
            part = attack.get(key)
            if not isinstance(part, dict):
                continue
            uid = part.get("uid")
            if isinstance(uid, str) and re.fullmatch(r"T\d{4}(\.\d{3})?", uid):
                yield uid, str(about.get("title") or part.get("name") or uid)[:500]
                break


def _item(
    identifier: str,
    kind: str,
    value: str,
    said: str,
    report: str,
    code: str,
    day: dt.date | None,
) -> Item:
    return Item(identifier, kind, value, said, report, code, "cheap", "", day)


def _incident(name: str, report: Report, items: list[Item], place: str) -> Incident:
    if not items:
        raise EvidenceInvalid(
            "names no technique, software, hash or address.",
            place=place,
            remedy="Type what was found into an incident file; docs/attribution.md shows one.",
        )
    notes = [
        f"All {len(items)} items are from {report.title}; Admiralty codes and costs of forging are "
        "the lowest that fit, until an analyst sets them in an incident file."
    ]
    if len(items) > ITEMS_MAX:
        notes.append(f"Of {len(items)} items the first {ITEMS_MAX} are taken.")
    return Incident(
        name=name,
        question="Who was behind it?",
        analyst="",
        known_at=None,
        release="",
        reports={report.id: report},
        items=tuple(items[:ITEMS_MAX]),
        notes=tuple(notes),
    )


def _code(one: Mapping[str, Any]) -> str:
    """An Admiralty code from STIX's confidence (STIX 2.1, appendix A); F6 without one."""
    confidence = one.get("confidence")
    if not isinstance(confidence, int) or isinstance(confidence, bool):
        return "F6"
    steps = ((80, "F1"), (60, "F2"), (40, "F3"), (20, "F4"), (0, "F5"))
    return next((code for least, code in steps if confidence >= least), "F6")


def _day(one: Mapping[str, Any]) -> dt.date | None:
    try:
        return dt.date.fromisoformat(str(one.get("created", ""))[:10])
    except ValueError:
        return None


def _epoch_day(value: Any) -> dt.date | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e14:
        return None
    return dt.datetime.fromtimestamp(value / 1000, dt.UTC).date()


def _key(one: tuple[tuple[str, str], Any]) -> tuple[str, str]:
    return one[0]

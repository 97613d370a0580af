"""The one file of a judgement: incident, knowledge, weights and result, enough to do it all again.

`recompute` learns and judges anew from what the file holds, and compares.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kulla.attribution.choice import UNLISTED_FEATURES
from kulla.attribution.desk import Desk, open_desk
from kulla.attribution.errors import RecordInvalid
from kulla.attribution.evidence import Incident, incident_from, plain
from kulla.attribution.evidence_in import RECORD_FORMAT
from kulla.attribution.files import RECORD_BYTES_MAX, parse_json, read_bytes
from kulla.attribution.judgement import judge
from kulla.attribution.knowledge import NOTICE, Actor, Knowledge
from kulla.attribution.profiles import FEATURES

FORMAT: Final = RECORD_FORMAT
_PLACES: Final = 6


def record_of(desk: Desk, incident: Incident) -> dict[str, Any]:
    """The record of judging an incident: a JSON object of FORMAT. Raises as `judge` does."""
    return {
        "format": FORMAT,
        "notice": NOTICE,
        "incident": plain(incident),
        "notes": list(incident.notes),
        "judgement": judge(desk, incident),
        "learned": learned_plain(desk),
        "knowledge": knowledge_plain(desk.knowledge),
    }


def to_bytes(value: Any) -> bytes:
    """A JSON text with one order of keys and one layout, ending in a newline."""
    text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
    return text.encode() + b"\n"


def load_record(path: Path) -> dict[str, Any]:
    """A record as it was written. Raises RecordInvalid."""
    data = read_bytes(path, RECORD_BYTES_MAX, RecordInvalid)
    raw = parse_json(data, str(path), RecordInvalid)
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise RecordInvalid(
            f'is no record of a judgement: its format must be "{FORMAT}".',
            place=str(path),
            remedy="Name a file that `kulla attribute INCIDENT --json` wrote.",
        )
    parts = {"incident": dict, "judgement": dict, "learned": dict, "knowledge": dict, "notes": list}
    wrong = [name for name, kind in parts.items() if not isinstance(raw.get(name), kind)]
    if wrong:
        raise RecordInvalid(
            f"lacks {', '.join(wrong)}.", place=str(path), remedy="Take the file as it was written."
        )
    return raw


def recompute(raw: Mapping[str, Any], place: str) -> tuple[dict[str, Any], list[str]]:
    """The record made anew from its own incident and knowledge, and the paths where they differ.

    Raises RecordInvalid or EvidenceInvalid where its parts can't be read.
    """
    knowledge = knowledge_from(raw["knowledge"], place)
    incident = incident_from(raw["incident"], f"{place}, incident")
    notes = tuple(str(one) for one in raw["notes"])
    incident = Incident(**{**vars(incident), "notes": notes})
    again = json.loads(to_bytes(record_of(open_desk(knowledge), incident)))
    return again, differences(raw, again)


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """The paths at which two JSON values differ; numbers differ above one in the fifth place."""
    if isinstance(one, dict) and isinstance(other, dict):
        found = []
        for key in sorted(one.keys() | other.keys()):
            where = f"{path}.{key}" if path else key
            if key in one and key in other:
                found += differences(one[key], other[key], where)
            else:
                found.append(where)
        return found
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [where for n, (a, b) in pairs for where in differences(a, b, f"{path}[{n}]")]
    both = (one, other)
    if all(isinstance(value, float | int) and not isinstance(value, bool) for value in both):
        return [] if abs(one - other) <= 1e-5 else [path]
    return [] if one == other else [path]


def learned_plain(desk: Desk) -> dict[str, Any]:
    """The fitted weights by the names of their features, and the base rates, rounded."""
    weights = desk.learned.weights
    return {
        "features": {
            name: {
                "weight": round(float(weights.listed[n]), _PLACES),
                "centre": round(float(weights.centre[n]), _PLACES),
                "spread": round(float(weights.spread[n]), _PLACES),
            }
            for n, name in enumerate(FEATURES)
        },
        "not_listed": {
            name: round(float(weights.unlisted[n]), _PLACES)
            for n, name in enumerate(UNLISTED_FEATURES)
        },
        "unlisted_share": round(desk.learned.unlisted_share, _PLACES),
        "newcomer_states": {
            state: round(share, _PLACES) for state, share in desk.learned.newcomer_states.items()
        },
    }


def knowledge_plain(knowledge: Knowledge) -> dict[str, Any]:
    """All of the knowledge that a judgement rests on, as JSON; `knowledge_from` reads it back."""
    reports: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for (actor, citation), items in sorted(knowledge.reports.items()):
        reports[actor][citation] = sorted(items)
    used = {item for items in knowledge.reports.values() for item in items}
    return {
        "release": knowledge.release,
        "date": knowledge.date,
        "source": knowledge.source,
        "sha256": knowledge.sha256,
        "states_source": knowledge.states_source,
        "groups": {key: _actor_plain(one) for key, one in knowledge.groups.items()},
        "campaigns": {key: _actor_plain(one) for key, one in knowledge.campaigns.items()},
        "names": dict(knowledge.names),
        "reports": reports,
        "years": {citation: knowledge.years.get(citation) for _, citation in knowledge.reports},
        "copy_of": dict(knowledge.copy_of),
        "retired": dict(knowledge.retired),
        "elsewhere": {k: v for k, v in knowledge.elsewhere.items() if k not in used},
    }


def knowledge_from(raw: Any, place: str) -> Knowledge:
    """The knowledge of a record, as `knowledge_plain` wrote it. Raises RecordInvalid."""
    try:
        return Knowledge(
            release=str(raw["release"]),
            date=str(raw["date"]),
            source=str(raw["source"]),
            sha256=str(raw["sha256"]),
            states_source=str(raw["states_source"]),
            groups={str(k): _actor_from(k, one) for k, one in raw["groups"].items()},
            campaigns={str(k): _actor_from(k, one) for k, one in raw["campaigns"].items()},
            names={str(k): str(v) for k, v in raw["names"].items()},
            reports={
                (str(actor), str(citation)): frozenset(str(item) for item in items)
                for actor, by_citation in raw["reports"].items()
                for citation, items in by_citation.items()
            },
            years={str(k): int(v) if v is not None else None for k, v in raw["years"].items()},
            copy_of={str(k): str(v) for k, v in raw["copy_of"].items()},
            retired={str(k): str(v) for k, v in raw["retired"].items()},
            elsewhere={str(k): str(v) for k, v in raw["elsewhere"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordInvalid(
            f"its knowledge can't be read: {error!r}.",
            place=place,
            remedy="Take the file as it was written.",
        ) from error


def _actor_plain(one: Actor) -> dict[str, Any]:
    return {
        "name": one.name,
        "aliases": list(one.aliases),
        "state": one.state,
        "attributed_to": list(one.attributed_to),
    }


def _actor_from(identifier: str, raw: Mapping[str, Any]) -> Actor:
    return Actor(
        id=str(identifier),
        name=str(raw["name"]),
        aliases=tuple(str(name) for name in raw["aliases"]),
        state=str(raw["state"]) if raw["state"] is not None else None,
        attributed_to=tuple(str(name) for name in raw["attributed_to"]),
    )

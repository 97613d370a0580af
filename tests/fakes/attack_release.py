"""A made-up release of ATT&CK: small, whole, and the same every time.

Groups have habits (techniques that their reports name more often) and some have software of their
own; reports have years, so that the desk can learn as time went. Fault model: none; the files are
well formed, and tests spoil copies of them.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from kulla.attribution.desk import Desk, open_desk
from kulla.attribution.knowledge import Knowledge, load_release

STATES = ("IR", "RU", "CN", None)
TECHNIQUES = [f"T{1000 + n}" for n in range(60)] + [f"T1100.{n:03d}" for n in range(1, 21)]
TECHNIQUES.append("T1100")


def raw_release(release: str, groups: int, until: int, seed: int = 7) -> dict[str, Any]:
    """A release with so many groups and the reports up to a year."""
    chance = random.Random(seed)
    uses: list[dict[str, Any]] = []
    citations: dict[str, Any] = {}
    for number in range(groups):
        group, first = f"G{1000 + number:04d}", 2012 + number % 8
        habits = chance.sample(TECHNIQUES, 12)
        for report in range(5):
            year = first + report
            items = [one for one in habits if chance.random() < 0.6]
            items += chance.sample(TECHNIQUES, 3)
            items += [f"S{1000 + number:04d}"] if number % 3 == 0 else ["S0999"]
            if year > until:
                continue
            citation = f"Report {number} {report}"
            citations[citation] = {"year": year}
            uses += [{"by": group, "what": one, "citations": [citation]} for one in set(items)]
    named = [one for one in range(groups) if 2012 + one % 8 <= until]
    uses.sort(key=lambda one: (one["by"], one["what"], one["citations"]))
    return {
        "release": f"ATT&CK-{release}",
        "date": f"{until + 1}-01-31",
        "groups": [
            {"id": f"G{1000 + n:04d}", "name": f"Group {n}", "aliases": [f"Alias {n}"]}
            for n in named
        ],
        "campaigns": [],
        "software": [{"id": "S0999", "name": "Everybody's Tool"}]
        + [{"id": f"S{1000 + n:04d}", "name": f"Tool {n}"} for n in named],
        "techniques": [{"id": one, "name": f"Technique {one}"} for one in TECHNIQUES],
        "uses": uses,
        "citations": citations,
    }


def write_releases(folder: Path) -> Path:
    """Two releases and a list of states in a folder, as `--data` takes them."""
    folder.mkdir(parents=True, exist_ok=True)
    for release, until in (("v1.0", 2018), ("v2.0", 2023)):
        raw = raw_release(release, 32, until)
        if release == "v2.0":
            raw["campaigns"] = [
                {"id": "C0001", "name": "A Campaign", "aliases": [], "attributed_to": ["G1000"]}
            ]
            raw["techniques"].append({"id": "T2000", "name": "Newer Technique"})
            raw["citations"]["Campaign report"] = {"year": 2023}
            of_group = [use["what"] for use in raw["uses"] if use["by"] == "G1000"]
            raw["uses"] += [
                {"by": "C0001", "what": one, "citations": ["Campaign report"]}
                for one in sorted(set(of_group))[:10]
            ]
        (folder / f"{release}.json").write_text(json.dumps(raw))
    states = [{"name": f"Group {n}", "synonyms": [], "country": STATES[n % 4]} for n in range(32)]
    (folder / "actor_states.json").write_text(json.dumps(states))
    return folder


def knowledge_in(folder: Path, release: str = "v2.0") -> Knowledge:
    """The knowledge of a made-up release."""
    return load_release(write_releases(folder), release)


def desk_in(folder: Path) -> Desk:
    """A desk on the newer made-up release."""
    return open_desk(knowledge_in(folder))


def incident(**changes: Any) -> dict[str, Any]:
    """A well formed incident file as JSON, with changes."""
    found: dict[str, Any] = {
        "format": "kulla-incident/1",
        "name": "A made-up incident",
        "known_at": "2023-06-01",
        "clusters": ["ONE"],
        "report": [
            {"id": "ours", "title": "Our own investigation", "published": "2023-05-01"},
            {"id": "theirs", "title": "A vendor's report", "published": "2023-05-10"},
            {"id": "news", "title": "The news", "published": "2023-05-11", "copy_of": "theirs"},
        ],
        "evidence": [
            technique("E1", "T1001"),
            technique("E2", "T1002"),
            technique("E3", "T1100.003"),
            technique("E4", "T1020"),
            technique("E5", "T1030"),
            {**technique("E6", "S1000"), "kind": "software"},
            rated("R1", "infrastructure", {"state:RU": "CC", "others": "I"}),
            rated("R2", "target", {"state:RU": "C"}, report="theirs"),
        ],
    }
    return {**found, **changes}


def technique(identifier: str, value: str, **changes: Any) -> dict[str, Any]:
    """An item that is compared with the release."""
    found = {"id": identifier, "kind": "technique", "value": value, "report": "ours"}
    return {**found, "admiralty": "B2", "forging": "cheap", **changes}


def rated(identifier: str, kind: str, ratings: dict[str, str], **changes: Any) -> dict[str, Any]:
    """An item with an analyst's ratings."""
    found = {"id": identifier, "kind": kind, "value": identifier, "report": "ours"}
    return {**found, "admiralty": "A1", "forging": "hard", "ratings": ratings, **changes}

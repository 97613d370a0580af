"""STIX and OCSF in, STIX 2.1 out: validated by the stix2 library, bounded, the same every time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import stix2

from fakes.attack_release import desk_in, incident
from kulla.attribution.desk import Desk
from kulla.attribution.errors import EvidenceInvalid
from kulla.attribution.evidence import incident_from
from kulla.attribution.evidence_in import load_any_incident
from kulla.attribution.record import record_of, to_bytes
from kulla.attribution.scales import WORDS
from kulla.attribution.stix_out import CONFIDENCE, EXTENSION, bundle, opinion_for


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return desk_in(tmp_path_factory.mktemp("attack"))


@pytest.fixture(scope="module")
def record(desk: Desk) -> dict[str, Any]:
    dissent = [{"analyst": "B", "text": "It is a disguise.", "ratings": {"R1": {"others": "C"}}}]
    return record_of(desk, incident_from(incident(dissent=dissent), "x"))


def test_the_bundle_is_stix_2_1(record: dict[str, Any]) -> None:
    found = stix2.parse(to_bytes(bundle(record)).decode(), allow_custom=False, version="2.1")
    kinds = {one["type"] for one in found["objects"]}
    assert {"grouping", "intrusion-set", "threat-actor", "relationship", "opinion"} <= kinds
    ids = [one["id"] for one in found["objects"]]
    assert len(ids) == len(set(ids))
    grouping = next(one for one in found["objects"] if one["type"] == "grouping")
    assert set(grouping["object_refs"]) == set(ids) - {grouping["id"]}


def test_what_it_refers_to_is_in_it(record: dict[str, Any]) -> None:
    objects = bundle(record)["objects"]
    ids = {one["id"] for one in objects}
    for one in objects:
        refs = [v for k, v in one.items() if k.endswith("_ref")]
        refs += [v for k, values in one.items() if k.endswith("_refs") for v in values]
        assert set(refs) <= ids, one["id"]


def test_likelihood_and_confidence_are_apart_and_nobody_is_accused_for_being_considered(
    record: dict[str, Any],
) -> None:
    relationships = [one for one in bundle(record)["objects"] if one["type"] == "relationship"]
    kinds = {one["relationship_type"] for one in relationships}
    assert kinds == {"attributed-to", "related-to"}
    for one in relationships:
        assert one["confidence"] in CONFIDENCE.values()
        likelihood = one["extensions"][EXTENSION]
        enough = WORDS.index(likelihood["likelihood"]) >= WORDS.index("realistic possibility")
        assert one["relationship_type"] == ("attributed-to" if enough else "related-to")
        assert likelihood["likelihood"] in WORDS
        assert likelihood["knowledge_release"] == "v2.0"


def test_a_dissent_is_an_opinion_of_its_own(record: dict[str, Any]) -> None:
    opinions = [one for one in bundle(record)["objects"] if one["type"] == "opinion"]
    assert any(one["authors"] == ["B"] and one["opinion"] == "disagree" for one in opinions)


def test_the_same_judgement_makes_the_same_bytes(desk: Desk, record: dict[str, Any]) -> None:
    again = bundle(json.loads(to_bytes(record)))
    assert to_bytes(again) == to_bytes(bundle(record))


def test_opinions_follow_the_yardstick() -> None:
    found = [opinion_for(word) for word in WORDS]
    assert found[0] == "strongly-disagree"
    assert found[-1] == "strongly-agree"
    assert found[WORDS.index("realistic possibility")] == "neutral"


CYCLIC: dict[str, Any] = {
    "type": "bundle",
    "id": "bundle--1",
    "objects": [
        {"type": "report", "id": "report--1", "name": "Seen", "object_refs": ["report--1"]},
        {"type": "grouping", "id": "grouping--1", "object_refs": ["report--1", "grouping--1"]},
        {
            "type": "relationship",
            "id": "relationship--1",
            "relationship_type": "related-to",
            "source_ref": "relationship--1",
            "target_ref": "relationship--1",
        },
        {
            "type": "attack-pattern",
            "id": "attack-pattern--1",
            "name": "Technique",
            "confidence": 85,
            "external_references": [{"source_name": "mitre-attack", "external_id": "T1001"}],
        },
        {
            "type": "attack-pattern",
            "id": "attack-pattern--2",
            "revoked": True,
            "external_references": [{"source_name": "mitre-attack", "external_id": "T1002"}],
        },
        {"type": "malware", "id": "malware--1", "name": "Wiper"},
        {
            "type": "indicator",
            "id": "indicator--1",
            "pattern": "[file:hashes.'SHA-256' = '" + "a" * 64 + "'] OR "
            "[ipv4-addr:value = '203.0.113.7']",
        },
        {"type": "attack-pattern"},
        None,
        7,
    ],
}


def _load(folder: Path, raw: Any, name: str = "in.json") -> Any:
    (folder / name).write_text(raw if isinstance(raw, str) else json.dumps(raw))
    return load_any_incident(folder / name)


def test_a_bundle_whose_references_go_in_circles_is_read(tmp_path: Path) -> None:
    found = _load(tmp_path, CYCLIC)
    assert found.name == "Seen"
    assert [(one.kind, one.value) for one in found.items] == [
        ("hash", "a" * 64),
        ("infrastructure", "203.0.113.7"),
        ("software", "Wiper"),
        ("technique", "T1001"),
    ]
    assert [one.admiralty for one in found.items] == ["F6", "F6", "F6", "F1"]
    assert "Admiralty" in found.notes[0]


def test_our_own_bundle_can_be_judged_again(tmp_path: Path, record: dict[str, Any]) -> None:
    found = _load(tmp_path, bundle(record))
    assert {"T1001", "T1002", "S1000"} <= {one.value for one in found.items}


def test_ocsf_findings_are_read_one_or_a_line_each(tmp_path: Path) -> None:
    finding = {
        "class_uid": 2004,
        "time": 1_657_843_200_000,
        "finding_info": {"title": "Wiper"},
        "attacks": [
            {"technique": {"uid": "T1561"}, "sub_technique": {"uid": "T1561.002"}},
            {"technique": {"uid": "T1486"}},
            {"technique": {"uid": "nonsense"}},
            "nonsense",
        ],
    }
    for raw in (finding, [finding], "\n".join([json.dumps(finding)] * 3)):
        found = _load(tmp_path, raw)
        assert [one.value for one in found.items] == ["T1486", "T1561.002"]
        assert found.items[0].known is not None
        assert found.items[0].known.isoformat() == "2022-07-15"


@pytest.mark.parametrize(
    "raw",
    [
        {"type": "bundle", "objects": []},
        {"type": "bundle", "objects": {}},
        {"class_uid": 1},
        [1, 2],
        [],
        {"type": "something"},
        "not json\nat all",
    ],
)
def test_what_holds_no_evidence_is_refused_with_its_place(tmp_path: Path, raw: Any) -> None:
    with pytest.raises(EvidenceInvalid) as caught:
        _load(tmp_path, raw)
    assert "in.json" in str(caught.value)

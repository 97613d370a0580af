"""Releases of ATT&CK in: what is read, what is merged, what is retired, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes.attack_release import incident, knowledge_in, rated, technique, write_releases
from kulla.attribution import bundle
from kulla.attribution.bundle import load_bundle
from kulla.attribution.errors import EvidenceInvalid, KnowledgeInvalid
from kulla.attribution.evidence import incident_from
from kulla.attribution.files import KNOWLEDGE_BYTES_MAX
from kulla.attribution.knowledge import Knowledge, load_release, merge_copies, with_states
from kulla.attribution.numbering import Resolved, resolve


def _resolved(knowledge: Knowledge, *rows: dict[str, Any]) -> Resolved:
    return resolve(incident_from(incident(evidence=list(rows)), "x").items, knowledge)


def test_the_newest_release_is_taken_and_states_are_joined(tmp_path: Path) -> None:
    folder = write_releases(tmp_path)
    found = load_release(folder)
    assert found.release == "v2.0"
    assert [found.groups[f"G100{n}"].state for n in range(4)] == ["IR", "RU", "CN", None]
    assert found.years["Report 3 0"] == 2015
    assert load_release(folder, "1.0").release == "v1.0"
    assert found.states_source.startswith("actor_states.json")


def test_a_release_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeInvalid, match=r"v1\.0, v2\.0"):
        load_release(write_releases(tmp_path), "v9.9")
    with pytest.raises(KnowledgeInvalid, match="none"):
        load_release(tmp_path / "empty")


def test_misps_list_of_actors_is_read_too(tmp_path: Path) -> None:
    knowledge = knowledge_in(tmp_path)
    (tmp_path / "misp.json").write_text(
        json.dumps(
            {
                "values": [
                    {"value": "Alias 3", "meta": {"country": "KP"}},
                    {"value": "G1004", "meta": {"synonyms": ["x"], "country": "??"}},
                ]
            }
        )
    )
    found = with_states(knowledge, tmp_path / "misp.json")
    assert found.groups["G1003"].state == "KP"
    assert found.groups["G1004"].state is None


def test_reports_that_repeat_one_another_are_one() -> None:
    items = [f"T{1000 + n}" for n in range(10)]
    uses = {
        ("G1", "first"): items,
        ("G1", "again"): items[:9],
        ("G1", "other"): items[:4],
        ("G2", "first"): items,
    }
    reports, copy_of = merge_copies(uses, {"first": 2020, "again": 2021})
    assert copy_of == {"first": "again"}
    assert reports["G1", "again"] == frozenset(items)
    assert set(reports) == {("G1", "again"), ("G1", "other"), ("G2", "first")}


SPOILED: dict[str, dict[str, Any]] = {
    "no groups": {"groups": []},
    "groups that are no list": {"groups": {"G1": 1}},
    "a group without an id": {"groups": [{"name": "x"}]},
    "an id that is none": {"techniques": [{"id": "../../etc"}]},
    "uses that are no objects": {"uses": [1]},
    "uses without citations": {"uses": [{"by": "G1000", "what": "T1001"}]},
    "citations that are no object": {"citations": []},
}


@pytest.mark.parametrize("changes", SPOILED.values(), ids=SPOILED.keys())
def test_a_spoiled_release_is_refused_with_the_field(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    folder = write_releases(tmp_path)
    raw = json.loads((folder / "v2.0.json").read_text())
    (folder / "v2.0.json").write_text(json.dumps({**raw, **changes}))
    with pytest.raises(KnowledgeInvalid) as caught:
        load_release(folder, "v2.0")
    assert "v2.0.json" in str(caught.value)
    assert next(iter(changes)) in str(caught.value)


def test_known_ids_are_taken_and_unknown_ones_named(tmp_path: Path) -> None:
    knowledge = knowledge_in(tmp_path)
    found = _resolved(
        knowledge,
        technique("E1", "T1001"),
        technique("E2", "T9999"),
        technique("E3", "T1001.007"),
        {**technique("E4", "everybody's tool"), "kind": "software"},
        {**technique("E5", "NEWWIPER"), "kind": "software"},
    )
    assert found.ids["E1"] == "T1001"
    assert found.ids["E3"] == "T1001"
    assert found.ids["E4"] == "S0999"
    assert found.unknown == {"E2": "T9999", "E5": "NEWWIPER"}
    assert "E2" not in found.ids
    assert found.ids["E5"].startswith("NEWWIPER")
    said = " ".join(found.notes)
    assert "T9999" in said
    assert "T1001.007" in said
    assert "NEWWIPER" in said


@pytest.mark.parametrize("code", ["E1", "A4", "A5", "E6"])
def test_what_poor_sources_claim_is_not_compared(tmp_path: Path, code: str) -> None:
    rows = [technique("E1", "T1001", admiralty=code), technique("E2", "T1002", admiralty="F6")]
    found = _resolved(knowledge_in(tmp_path), *rows)
    assert dict(found.ids) == {"E2": "T1002"}
    assert any("E1" in note and code in note for note in found.notes)


def test_numbers_of_two_releases_in_one_file_are_named(tmp_path: Path) -> None:
    knowledge = knowledge_in(tmp_path, "v1.0")
    found = _resolved(knowledge, technique("E1", "T1001"), technique("E2", "T2000"))
    assert "T2000" not in found.compared
    assert any("v1.0 and of v2.0 are mixed" in note for note in found.notes)


def test_revoked_techniques_lead_to_their_successors_and_circles_end(tmp_path: Path) -> None:
    retired = {
        "T1001": "T1002",
        "T1002": "T1003",
        "T1004": "",
        "T1005": "T1006",
        "T1006": "T1005",
        "T1007": "T1007",
    }
    knowledge = replace(knowledge_in(tmp_path), retired=retired)
    rows = [technique(f"E{n}", f"T100{n}") for n in (1, 4, 5, 7)]
    found = _resolved(knowledge, *rows)
    assert dict(found.ids) == {"E1": "T1003"}
    notes = " ".join(found.notes)
    assert "T1001 is revoked" in notes
    assert "T1004 is revoked" in notes
    assert notes.count("a circle") == 2


def test_software_that_is_compared_may_not_be_rated_as_well(tmp_path: Path) -> None:
    knowledge = knowledge_in(tmp_path)
    with pytest.raises(EvidenceInvalid, match="twice"):
        _resolved(knowledge, rated("R1", "software", {"state:IR": "C"}, value="Tool 0"))
    free = rated("R1", "software", {"state:IR": "C"}, value="Unheard of")
    assert not _resolved(knowledge, free).ids


def _stix(**changes: Any) -> dict[str, Any]:
    def thing(kind: str, number: int, identifier: str, **more: Any) -> dict[str, Any]:
        return {
            "type": kind,
            "id": f"{kind}--{number}",
            "name": identifier,
            "external_references": [
                {"source_name": "mitre-attack", "external_id": identifier},
                {"source_name": "Vendor May", "description": "Vendor. (2021, May 3). A report."},
            ],
            **more,
        }

    def relation(kind: str, source: str, target: str, text: str = "") -> dict[str, Any]:
        return {
            "type": "relationship",
            "id": f"relationship--{kind}{source}{target}",
            "relationship_type": kind,
            "source_ref": source,
            "target_ref": target,
            "description": text,
        }

    group, campaign = "intrusion-set--1", "campaign--1"
    objects = [
        {"type": "x-mitre-collection", "x_mitre_version": "11.3", "modified": "2022-07-07T1:1Z"},
        thing("intrusion-set", 1, "G0001", aliases=["One"]),
        thing("campaign", 1, "C0001"),
        thing("attack-pattern", 1, "T1001"),
        thing("attack-pattern", 2, "T1002", revoked=True),
        thing("attack-pattern", 3, "T1003", x_mitre_deprecated=True),
        thing("malware", 1, "S0001"),
        relation("uses", group, "attack-pattern--1", "It does.(Citation: Vendor May)"),
        relation("uses", group, "attack-pattern--2", "It did.(Citation: Vendor May)"),
        relation("uses", group, "malware--1", "(Citation: Other (2019) One)(Citation: Vendor May)"),
        relation("uses", group, "nothing--1", "(Citation: Vendor May)"),
        relation("uses", group, group, "(Citation: Vendor May)"),
        relation("uses", campaign, "attack-pattern--1", "(Citation: Vendor May)"),
        relation("attributed-to", campaign, group),
        relation("revoked-by", "attack-pattern--2", "attack-pattern--1"),
        relation("revoked-by", "attack-pattern--1", "attack-pattern--2"),
    ]
    return {"type": "bundle", "id": "bundle--1", "objects": objects, **changes}


def test_a_stix_bundle_of_attack_is_read_with_its_citations(tmp_path: Path) -> None:
    path = tmp_path / "enterprise-attack.json"
    path.write_text(json.dumps(_stix()))
    found = load_bundle(path)
    assert (found.release, found.date) == ("v11.3", "2022-07-07")
    assert found.reports["G0001", "Vendor May"] == {"T1001", "S0001"}
    assert found.reports["G0001", "Other (2019) One"] == {"S0001"}
    assert found.reports["C0001", "Vendor May"] == {"T1001"}
    assert found.years == {"Vendor May": 2021, "Other (2019) One": 2019}
    assert found.campaigns["C0001"].attributed_to == ("G0001",)
    assert found.retired == {"T1002": "T1001", "T1003": ""}


@pytest.mark.parametrize(
    "raw",
    [
        [],
        {"type": "bundle"},
        {"objects": "x"},
        {"objects": [1, None, {"type": "intrusion-set"}, {"external_references": 3}]},
        {"objects": [{"type": "relationship", "relationship_type": "uses"}] * 50},
    ],
)
def test_a_bundle_that_teaches_nothing_is_refused(tmp_path: Path, raw: Any) -> None:
    path = tmp_path / "b.json"
    path.write_text(json.dumps(raw))
    with pytest.raises(KnowledgeInvalid) as caught:
        load_bundle(path)
    assert str(path) in str(caught.value)


def test_a_bundle_of_100_mb_is_refused_by_its_size_alone(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(100 * 1_000_000)
    assert path.stat().st_size > KNOWLEDGE_BYTES_MAX
    with pytest.raises(KnowledgeInvalid, match="MiB"):
        load_bundle(path)


def test_a_bundle_of_too_many_objects_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "OBJECTS_MAX", 10)
    path = tmp_path / "b.json"
    path.write_text(json.dumps(_stix()))
    with pytest.raises(KnowledgeInvalid, match="more than 10"):
        load_bundle(path)


def test_the_lookup_package_is_read_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "made_up_lookup" / "data"
    data.mkdir(parents=True)
    (data.parent / "__init__.py").touch()
    rows = {
        "attack-patterns": [{"stix_id": "a--1", "external_id": "T1001", "is_subtechnique": False}],
        "software": [{"stix_id": "m--1", "stix_type": "malware", "external_id": "S0001"}],
        "groups-campaigns": [
            {"stix_id": "g--1", "stix_type": "intrusion-set", "external_id": "G0001", "name": "One"}
        ],
        "relationships": [
            {
                "relationship_type": "uses",
                "source_ref": "g--1",
                "target_ref": target,
                "description": "(Citation: Vendor May 2020)",
            }
            for target in ("a--1", "m--1")
        ],
    }
    for kind, found in rows.items():
        key = kind.replace("-", "_")
        (data / f"{kind}-lookup-v18.1.json").write_text(json.dumps({key: found}))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(bundle, "LOOKUP_PACKAGE", "made_up_lookup")
    found = bundle.load_lookup_package()
    assert found is not None
    assert found.release == "v18.1"
    assert found.reports == {("G0001", "Vendor May 2020"): {"T1001", "S0001"}}
    monkeypatch.setattr(bundle, "LOOKUP_PACKAGE", "kulla_has_no_such_package")
    assert bundle.load_lookup_package() is None

"""Incident files: what is typed is checked, and each complaint names the item and the field."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from fakes.attack_release import incident, rated, technique
from kulla.attribution.errors import EvidenceInvalid
from kulla.attribution.evidence import incident_from, load_incident, plain
from kulla.attribution.files import EVIDENCE_BYTES_MAX


def test_a_file_is_read_whole_and_written_back_the_same() -> None:
    found = incident_from(incident(), "x")
    assert [one.id for one in found.items] == ["E1", "E2", "E3", "E4", "E5", "E6", "R1", "R2"]
    assert found.items[0].known == dt.date(2023, 5, 1)
    assert incident_from(json.loads(json.dumps(plain(found))), "x") == found


def test_toml_and_json_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        """
        format = "kulla-incident/1"
        name = "One"
        [[report]]
        id = "ours"
        title = "Ours"
        published = 2023-05-01
        [[evidence]]
        id = "E1"
        kind = "technique"
        value = "T1486"
        report = "ours"
        admiralty = "B2"
        forging = "cheap"
        """
    )
    toml = load_incident(tmp_path / "a.toml")
    (tmp_path / "a.json").write_text(json.dumps(plain(toml)))
    assert load_incident(tmp_path / "a.json") == toml


SPOILED: dict[str, tuple[dict[str, Any], str]] = {
    "no format": ({"format": "other"}, "format"),
    "no name": ({"name": " "}, "name"),
    "an unknown kind": ({"evidence": [{**technique("E1", "T1001"), "kind": "hunch"}]}, "kind"),
    "no technique": ({"evidence": [technique("E1", "ransomware")]}, "value"),
    "no such report": ({"evidence": [technique("E1", "T1001", report="?")]}, "report"),
    "no Admiralty code": ({"evidence": [technique("E1", "T1001", admiralty="G7")]}, "admiralty"),
    "no cost of forging": ({"evidence": [technique("E1", "T1001", forging="?")]}, "forging"),
    "a rated technique": (
        {"evidence": [technique("E1", "T1001", ratings={"state:IR": "C"})]},
        "ratings",
    ),
    "a rating of nothing": ({"evidence": [rated("E1", "claim", {"Iran": "C"})]}, "Iran"),
    "no rating": ({"evidence": [rated("E1", "claim", {"state:IR": "X"})]}, "state:IR"),
    "a cluster that nobody named": (
        {"evidence": [rated("E1", "claim", {"cluster:TWO": "C"})]},
        "cluster:TWO",
    ),
    "an id twice": ({"evidence": [technique("E1", "T1001"), technique("E1", "T1002")]}, "E1"),
    "a day that is none": ({"known_at": "yesterday"}, "known_at"),
    "nothing found": ({"evidence": [{**rated("E1", "claim", {}), "value": ""}]}, "value or said"),
    "a copy of nothing": ({"report": [{"id": "a", "title": "A", "copy_of": "b"}]}, "copy_of"),
    "a dissent on nothing": (
        {"dissent": [{"analyst": "A", "text": "No.", "ratings": {"E99": {"state:IR": "N"}}}]},
        "dissent[0]",
    ),
    "far too many items": (
        {"evidence": [technique(f"E{n}", "T1001") for n in range(501)]},
        "evidence",
    ),
    "evidence that is no list": ({"evidence": {"E1": 1}}, "evidence"),
    "a text without end": ({"name": "x" * 5000}, "name"),
}


@pytest.mark.parametrize(("changes", "named"), SPOILED.values(), ids=SPOILED.keys())
def test_what_is_wrong_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(EvidenceInvalid) as caught:
        incident_from(incident(**changes), "file.json")
    assert named in str(caught.value)
    assert caught.value.place.startswith("file.json")
    assert caught.value.remedy


@pytest.mark.parametrize("raw", [None, [], "text", 3, {}, {"format": 1}])
def test_what_is_no_incident_is_refused(raw: Any) -> None:
    with pytest.raises(EvidenceInvalid):
        incident_from(raw, "x")


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff\xfe", b'{"name": NaN}', b"[" * 100_000, b"a = [[[" * 5000]
)
def test_bytes_that_are_no_file_are_refused(tmp_path: Path, data: bytes) -> None:
    for name in ("a.json", "a.toml"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(EvidenceInvalid) as caught:
            load_incident(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)


def test_a_file_without_end_is_refused_before_it_is_read(tmp_path: Path) -> None:
    huge = tmp_path / "huge.json"
    with huge.open("wb") as file:
        file.truncate(EVIDENCE_BYTES_MAX * 1000)
    with pytest.raises(EvidenceInvalid, match="MiB"):
        load_incident(huge)


def test_only_what_was_known_on_a_day_counts_then() -> None:
    raw = incident(
        dissent=[{"analyst": "B", "on": "2023-05-20", "text": "No."}],
        said_elsewhere=[{"who": "C", "on": "2023-05-05", "words": "likely"}],
    )
    raw["evidence"].append(rated("R3", "claim", {"cluster:ONE": "C"}, report="theirs"))
    found = incident_from(raw, "x")
    then = found.as_known(dt.date(2023, 5, 6))
    assert {one.origin for one in then.items} == {"ours"}
    assert not then.dissents
    assert [one.who for one in then.elsewhere] == ["C"]
    assert then.clusters == ()
    assert "R2" in then.notes[0]
    assert found.as_known(dt.date(2023, 6, 1)).items == found.items


def test_an_item_without_a_day_can_not_be_judged_by_days() -> None:
    raw = incident(report=[{"id": "ours", "title": "Ours"}], evidence=[technique("E1", "T1001")])
    with pytest.raises(EvidenceInvalid, match="E1"):
        incident_from(raw, "x").as_known(dt.date(2023, 1, 1))


def test_copies_of_one_report_count_once_and_independent_reports_do_not() -> None:
    same = {"value": "203.0.113.7"}
    rows = [
        rated("R1", "infrastructure", {"state:RU": "C"}, report="theirs", **same),
        rated("R2", "infrastructure", {"state:RU": "C"}, report="news", **same),
        rated("R3", "infrastructure", {"state:RU": "C"}, report="ours", **same),
    ]
    found = incident_from(incident(evidence=rows), "x")
    assert [one.id for one in found.counted()] == ["R1", "R3"]


def test_reports_that_copy_each_other_in_a_circle_are_one() -> None:
    reports = [
        {"id": "a", "title": "A", "copy_of": "b"},
        {"id": "b", "title": "B", "copy_of": "a"},
        {"id": "c", "title": "C", "copy_of": "b"},
        {"id": "d", "title": "D", "copy_of": "d"},
    ]
    rows = [technique(f"E{name}", "T1001", report=name) for name in "abcd"]
    found = incident_from(incident(report=reports, evidence=rows), "x")
    assert [one.origin for one in found.items] == ["a", "a", "a", "d"]

"""`kulla attribute` as an analyst types it: judging, making anew, evaluating, and every mistake."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fakes.attack_release import incident, technique, write_releases
from kulla.cli.main import main

LIKELIHOOD = "remote chance|highly unlikely|unlikely|realistic possibility|likely|almost certain"


def _kulla(*words: object) -> Result:
    return CliRunner().invoke(main, ["attribute", *(str(word) for word in words)])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_releases(tmp_path_factory.mktemp("data") / "attack")


@pytest.fixture
def incident_file(tmp_path: Path) -> Path:
    path = tmp_path / "incident.json"
    path.write_text(json.dumps(incident()))
    return path


def test_a_file_is_judged_without_naming_a_command(data: Path, incident_file: Path) -> None:
    short = _kulla(incident_file, "--data", data)
    long = _kulla("judge", incident_file, "--data", data)
    assert short.exit_code == 0, short.output
    assert short.output == long.output
    for question in ("Which cluster", "Which group", "Which state"):
        assert question in short.output


def test_the_folder_above_attack_is_understood_too(data: Path, incident_file: Path) -> None:
    assert _kulla(incident_file, "--data", data.parent).exit_code == 0


def test_likelihood_and_confidence_never_share_a_sentence(data: Path, incident_file: Path) -> None:
    said = _kulla(incident_file, "--data", data).output
    for sentence in re.split(r"(?<=\.)\s", said):
        if "onfidence" in sentence:
            assert not re.search(LIKELIHOOD, sentence), sentence


def test_a_judgement_is_made_anew_from_one_file(
    data: Path, incident_file: Path, tmp_path: Path
) -> None:
    record, page, bundle = (tmp_path / name for name in ("r.json", "p.html", "s.json"))
    options = ("--json", record, "--html", page, "--stix-out", bundle)
    assert _kulla(incident_file, "--data", data, *options).exit_code == 0
    again = [tmp_path / f"again-{path.name}" for path in (record, page, bundle)]
    options = ("--json", again[0], "--html", again[1], "--stix-out", again[2])
    result = _kulla("recompute", record, *options)
    assert result.exit_code == 0, result.output
    for before, after in zip((record, page, bundle), again, strict=True):
        assert before.read_bytes() == after.read_bytes()


def test_the_same_input_gives_the_same_bytes(
    data: Path, incident_file: Path, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        assert _kulla(incident_file, "--data", data, "--json", tmp_path / name).exit_code == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("spoil", ["word", "score", "evidence"])
def test_a_record_that_was_changed_is_found_out(
    data: Path, incident_file: Path, tmp_path: Path, spoil: str
) -> None:
    record = tmp_path / "r.json"
    assert _kulla(incident_file, "--data", data, "--json", record).exit_code == 0
    raw = json.loads(record.read_text())
    if spoil == "word":
        raw["judgement"]["steps"]["state"]["word"] = "almost certain"
    elif spoil == "score":
        raw["judgement"]["steps"]["group"]["hypotheses"][0]["score"] += 0.01
    else:
        raw["incident"]["evidence"][-2]["ratings"] = {"state:IR": "CC"}
    record.write_text(json.dumps(raw))
    result = _kulla("recompute", record)
    assert result.exit_code == 1
    assert "differs" in result.output
    assert "judgement" in result.output


def test_what_was_known_on_a_day_is_judged(data: Path, incident_file: Path) -> None:
    result = _kulla(incident_file, "--data", data, "--known-at", "2023-05-05")
    assert result.exit_code == 0
    assert "R2" in result.output
    assert "left out" in result.output


def test_a_day_before_anything_was_known_is_judged_without_evidence(
    data: Path, incident_file: Path
) -> None:
    result = _kulla(incident_file, "--data", data, "--known-at", "2020-01-01")
    assert result.exit_code == 0, result.output
    assert "confidence is low" in result.output


def test_a_stix_bundle_without_states_names_no_state(tmp_path: Path, incident_file: Path) -> None:
    objects = [
        {
            "type": kind,
            "id": f"{kind}--{identifier}",
            "name": identifier,
            "external_references": [{"source_name": "mitre-attack", "external_id": identifier}],
        }
        for kind, letter, count in (("intrusion-set", "G", 30), ("attack-pattern", "T", 40))
        for identifier in (f"{letter}{1000 + n}" for n in range(count))
    ]
    objects += [
        {
            "type": "relationship",
            "id": f"relationship--{group}-{n}-{year}",
            "relationship_type": "uses",
            "source_ref": f"intrusion-set--G{1000 + group}",
            "target_ref": f"attack-pattern--T{1000 + (group + n * (3 if n < 4 else year)) % 40}",
            "description": f"(Citation: Vendor {group} {year})",
        }
        for group in range(30)
        for year in (2015, 2016, 2018)
        for n in range(6)
    ]
    bundle = tmp_path / "enterprise-attack-9.9.json"
    bundle.write_text(json.dumps({"type": "bundle", "id": "bundle--1", "objects": objects}))
    result = _kulla(incident_file, "--stix", bundle, "--release", "v9.9")
    assert result.exit_code == 0, result.output
    assert "v9.9" in result.output
    assert "an actor of" not in result.output


def test_figures_go_to_a_file_a_page_and_a_document(data: Path, tmp_path: Path) -> None:
    into = tmp_path / "doc.md"
    into.write_text(
        "<!-- generated by kulla attribute evaluate: begin -->\n"
        "<!-- generated by kulla attribute evaluate: end -->\n"
    )
    releases = ("--train", "v1.0", "--test", "v2.0")
    outputs = ("--json", tmp_path / "e.json", "--html", tmp_path / "e.html", "--into", into)
    result = _kulla("evaluate", "--data", data, *releases, *outputs)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "e.json").read_text())
    assert {"forward", "leave_one_report_out", "before_first_report"} <= found.keys()
    assert "<svg" in (tmp_path / "e.html").read_text()
    assert "| right group first |" in into.read_text()


def test_every_mistake_is_a_sentence(data: Path, incident_file: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text(json.dumps(incident(evidence=[technique("E1", "T1")])))
    (tmp_path / "no.json").write_text("{}")
    record = tmp_path / "record.json"
    record.write_text('{"format": "kulla-judgement/1"}')
    for words, named in (
        ((tmp_path / "bad.json", "--data", data), "E1"),
        ((tmp_path / "no.json", "--data", data), "docs/attribution.md"),
        ((incident_file, "--data", data, "--release", "v7"), "v1.0, v2.0"),
        ((incident_file, "--data", tmp_path), "none"),
        ((incident_file, "--stix", incident_file), "no STIX bundle"),
        (("recompute", incident_file), "no record of a judgement"),
        ((record, "--data", data), "recompute"),
        ((incident_file, "--data", data, "--json", tmp_path / "no" / "r.json"), "can't be written"),
        (("evaluate", "--data", data, "--train", "v2.0", "--test", "v2.0"), "nothing to test"),
    ):
        result = _kulla(*words)
        assert result.exit_code == 1, (words, result.output)
        assert named in result.output
        assert "Traceback" not in result.output


def test_what_is_neither_a_command_nor_a_file_is_said_so() -> None:
    result = _kulla("evalaute")
    assert result.exit_code == 2
    assert "evalaute" in result.output


def test_a_source_is_asked_for_where_none_is_installed(
    incident_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kulla.attribution.bundle.LOOKUP_PACKAGE", "kulla_has_no_such_package")
    result = _kulla(incident_file)
    assert result.exit_code == 1
    assert "--data" in result.output


def test_two_sources_are_one_too_many(data: Path, incident_file: Path) -> None:
    assert _kulla(incident_file, "--data", data, "--stix", incident_file).exit_code == 2

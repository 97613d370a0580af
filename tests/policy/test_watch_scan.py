"""`kulla watch scan` as a responder uses it: shapes of Windows events, broken records, outputs."""

from __future__ import annotations

import csv
import json

import pytest
from click.testing import CliRunner

from kulla.cli.watch import watch

RULE = """
title: A tool of theirs <b>
id: 11111111-2222-4333-8444-555555555555
level: high
tags: [attack.t1003.001, attack.credential-access]
logsource: {product: windows, category: process_creation}
detection:
  selection: {Image|endswith: '\\evil.exe', CommandLine|contains: '<script>'}
  condition: selection
"""
IMAGE, TYPED = "C:\\x\\EVIL.exe", "evil <script>alert(1)</script>"
SYSMON = "Microsoft-Windows-Sysmon/Operational"
AT = "2026-01-02T03:04:05.678Z"
SHAPES = {
    "evtx_dump": {
        "Event": {
            "System": {
                "EventID": {"#attributes": {"Qualifiers": 0}, "#text": 1},
                "Channel": SYSMON,
                "TimeCreated": {"#attributes": {"SystemTime": AT}},
            },
            "EventData": {"Image": IMAGE, "CommandLine": TYPED},
        }
    },
    "winlogbeat": {
        "@timestamp": AT,
        "winlog": {
            "channel": SYSMON,
            "event_id": "1",
            "event_data": {"Image": IMAGE, "CommandLine": TYPED},
        },
    },
    "nxlog": {
        "EventTime": AT,
        "EventID": 1,
        "SourceName": "Microsoft-Windows-Sysmon",
        "Image": IMAGE,
        "CommandLine": TYPED,
    },
    "security": {
        "EventID": 4688,
        "Channel": "Security",
        "NewProcessName": IMAGE,
        "CommandLine": TYPED,
        "TimeCreated": AT,
    },
}


@pytest.fixture
def scan(tmp_path, monkeypatch):
    """Run a scan of a log of these bytes with the one rule; gives the result and the folder."""
    monkeypatch.setenv("KULLA_WATCH_RULES", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rule = tmp_path / "rule.yml"
    rule.write_text(RULE)

    def run(log, *options):
        path = tmp_path / "log.json"
        path.write_bytes(log)
        words = ["scan", str(path), "--rules", str(rule), "--only", "--json"]
        words += [str(tmp_path / "found.json"), *options]
        result = CliRunner().invoke(watch, words, catch_exceptions=False)
        return result, json.loads((tmp_path / "found.json").read_text())

    return run


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("indent", [None, 2])
def test_the_same_event_is_seen_in_every_shape(scan, shape, indent):
    bad = json.dumps(SHAPES[shape], indent=indent)
    log = "\n".join((bad.replace("EVIL", "good"), bad)).encode()
    _, found = scan(log)
    (one,) = found["detections"]
    assert (one["number"], one["time"], one["techniques"]) == (2, AT, ["T1003.001"])
    assert found["summary"]["events"] == 2


def test_broken_records_are_listed_and_the_rest_goes_on(scan):
    good = json.dumps(SHAPES["winlogbeat"])
    normal = json.dumps(SHAPES["evtx_dump"]).replace(
        '{"#attributes": {"Qualifiers": 0}, "#text": 1}', "1"
    )
    log = "\n".join((good, good[:-9], "nonsense", normal[:-30] + "}", normal, "{}")).encode()
    _, found = scan(log)
    assert [one["number"] for one in found["detections"]] == [1, 5]
    assert [one["number"] for one in found["rejects"]] == [2, 3, 4, 6]
    assert found["summary"]["rejected"] == 4


def test_outputs_hold_what_was_found_and_take_no_orders_from_it(scan, tmp_path):
    event = {**SHAPES["security"], "Channel": "Security"}
    outputs = {name: tmp_path / f"found.{name}" for name in ("csv", "html", "ocsf")}
    options = [word for name, path in outputs.items() for word in (f"--{name}", str(path))]
    result, _ = scan(json.dumps(event).encode(), *options, "--fail-on", "high")
    assert result.exit_code == 3
    page = outputs["html"].read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "A tool of theirs &lt;b&gt;" in page
    (row,) = list(csv.DictReader(outputs["csv"].open()))
    assert (row["level"], row["techniques"]) == ("high", "T1003.001")
    (finding,) = [json.loads(line) for line in outputs["ocsf"].read_text().splitlines()]
    assert (finding["class_uid"], finding["type_uid"], finding["severity_id"]) == (2004, 200401, 4)
    assert finding["finding_info"]["attacks"] == [
        {"technique": {"uid": "T1003"}, "sub_technique": {"uid": "T1003.001"}}
    ]


def test_fields_of_defender_are_found_by_the_names_that_rules_use(scan, tmp_path):
    """Defender writes 'New Value', SigmaHQ's rules ask for NewValue."""
    rule = tmp_path / "defender.yml"
    rule.write_text(
        "title: excluded\nlogsource: {product: windows, service: windefend}\n"
        "detection: {s: {EventID: 5007, NewValue|contains: Exclusions}, condition: s}\n"
    )
    channel = "Microsoft-Windows-Windows Defender/Operational"
    data = {"Product Name": "Defender", "New Value": "HKLM\\Exclusions\\C:"}
    event = {"Event": {"System": {"EventID": 5007, "Channel": channel}, "EventData": data}}
    line = json.dumps(event, separators=(",", ":")).encode()
    _, found = scan(line, "--rules", str(rule))
    assert [one["rule"] for one in found["detections"]] == ["excluded"]


def test_nothing_found_is_exit_code_0(scan):
    result, found = scan(
        json.dumps(SHAPES["security"]).replace("EVIL", "x").encode(), "--fail-on", "low"
    )
    assert (result.exit_code, found["detections"]) == (0, [])

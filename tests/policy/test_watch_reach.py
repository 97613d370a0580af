"""A rule that no event can reach is named; one that is not named, events of its source reach."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from click.testing import CliRunner

from fakes import log_lines
from fakes.log_lines import stream
from fakes.real_data import DATA
from fakes.watch_run import loaded_from, run, store
from kulla.cli.watch import watch
from kulla.watch.collection import gathered, load
from kulla.watch.engine import Engine
from kulla.watch.plan import Family, Source
from kulla.watch.reach import unreached
from kulla.watch.sources.batch import Batch
from kulla.watch.sources.gives import ANY, given, holds
from kulla.watch.sources.mapping import mapping_of, own_mappings
from kulla.watch.sources.recognise import Readers, recognise

RULE = """
title: {title}
name: {name}
logsource: {source}
detection: {{selection: {{message|contains: evil}}, condition: selection}}
"""


def rule(source, name="one"):
    return RULE.format(title=name, name=name, source=source)


def named(text, mappings=()):
    return [one.title for one in unreached(loaded_from(text), mappings)]


@pytest.mark.parametrize(
    "source",
    [
        "{product: windows, category: file_access}",
        "{product: windows, service: nothing-like-it}",
        "{product: macos, category: process_creation}",
        "{product: linux, category: network_connection}",
        "{service: apache}",
    ],
)
def test_a_rule_that_no_source_serves_is_named(source):
    assert named(rule(source)) == ["one"]


@pytest.mark.parametrize(
    "source",
    [
        "{product: windows, category: process_creation}",
        "{product: windows, service: iis-configuration}",
        "{product: windows, service: smbclient-connectivity}",
        "{product: linux, service: auth}",
        "{product: linux}",
        "{category: webserver}",
        "{product: zeek, service: any-log-of-a-plugin}",
    ],
)
def test_a_rule_that_a_source_serves_is_not(source):
    assert named(rule(source)) == []


def test_a_mapping_brings_its_rules_events():
    text = rule("{product: ferry, service: gates}")
    mapped = mapping_of('[recognise]\nhas = ["x"]\n[source]\nproduct="ferry"\nservice="gates"', "x")
    assert named(text) == ["one"]
    assert named(text, [mapped]) == []


JSON_LOGS = {
    "opencanary": {
        "logtype": 5005, "node_id": "gate", "src_host": "203.0.113.9", "logdata": {"USERNAME": "x"},
        "utc_time": "2026-01-02 03:04:05.000006",
    },
    "kubernetes": {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "a", "verb": "delete",
        "requestURI": "/api/v1/namespaces/default/events", "objectRef": {"resource": "events"},
        "requestReceivedTimestamp": "2026-01-02T03:04:05.000006Z",
    },
    "github": {
        "_document_id": "d", "action": "secret_scanning.disable", "actor": "besa", "org": "kulla",
        "@timestamp": 1767323045000,
    },
    "bitbucket": {
        "auditType": {
            "category": "Data pipeline", "action": "Unauthorized full data export triggered",
        },
        "timestamp": {"epochSecond": 1767323045, "nano": 6000},
    },
    "okta": {
        "eventType": "user.lifecycle.create", "displayMessage": "Create user", "uuid": "u",
        "published": "2026-01-02T03:04:05.000Z", "outcome": {"result": "SUCCESS"},
    },
}  # fmt: skip
AT_US = 1_767_323_045_000_000


@pytest.mark.skipif(not (DATA / "sigma").is_dir(), reason="KULLA_DATA has no folder sigma")
@pytest.mark.parametrize("product", JSON_LOGS)
def test_logs_of_other_programs_reach_sigmahqs_rules(product):
    readers = Readers(mappings=own_mappings())
    raw = json.dumps(JSON_LOGS[product]).encode() + b"\n"
    read = readers.read(recognise(raw, readers.mappings))
    assert read is not None
    (batch,) = read(stream(raw), "log")
    assert isinstance(batch, Batch)
    assert abs(json.loads(batch.lines[0])["_at_us"] - AT_US) < 1_000_000
    loaded = load(gathered([DATA / "sigma" / "rules"], None, own=False), None, None)
    rules = [one for one in loaded.rules if one.product == product]
    source = Source(batch.product, batch.category, batch.service)
    assert len(Engine(store(), rules).hits(source, batch.lines).rules) >= 1


def test_a_correlation_that_waits_for_such_a_rule_is_named_too():
    heard = rule("{product: linux}", "heard")
    deaf = rule("{product: macos}", "deaf")
    together = """
title: both
correlation: {type: temporal, rules: [heard, deaf], timespan: 1m}
"""
    either = """
title: either
correlation: {type: event_count, rules: [heard, deaf], timespan: 1m, condition: {gte: 2}}
"""
    assert named("---".join((heard, deaf, together))) == ["deaf", "both"]
    assert named("---".join((heard, deaf, either))) == ["deaf"]


def test_a_rule_for_a_log_hears_each_program_that_writes_to_it():
    event = {"message": "evil"}
    for asked, came, hears in (
        ("auth", "sshd", True),
        ("syslog", "sudo", True),
        ("syslog", "cron", True),
        ("sshd", "auth", False),
        ("auth", "cron", False),
    ):
        source = Source("linux", "", came)
        ran = run(rule(f"{{product: linux, service: {asked}}}"), [event], source)
        assert ran.only() == ({0} if hears else set()), (asked, came)
    zeek = run(rule("{service: auth}"), [event], Source("zeek", "", "sshd"))
    assert zeek.only() == set()


def test_what_readers_give_is_what_is_said_of_them():
    said = given(own_mappings())
    readers = Readers(mappings=own_mappings())
    seen = 0
    for raw in vars(log_lines).values():
        if isinstance(raw, bytes) and (read := readers.read(recognise(raw, readers.mappings))):
            for batch in read(stream(raw), "log"):
                if isinstance(batch, Batch):
                    came = (batch.product, batch.category, batch.service)
                    same = (came, (*came[:2], ANY))
                    assert any(one in said for one in same), came
                    seen += 1
    assert seen >= 8


@pytest.mark.skipif(not (DATA / "sigma").is_dir(), reason="KULLA_DATA has no folder sigma")
def test_each_rule_of_sigmahq_is_asked_of_some_source_or_named():
    loaded = load(gathered([DATA / "sigma"], None, own=True), None, None)
    lost = Counter(one.id for one in unreached(loaded, own_mappings()))
    asked: set[int] = set()
    for product, category, service in given(own_mappings()):
        own = {one.service for one in loaded.rules if one.product == product}
        words = own if service == ANY else {service}
        for word in words:
            family = Family(Source(product, category, word), loaded.rules)
            asked |= {question.rule for question in family.questions}
    for place, one in enumerate(loaded.rules):
        assert (place in asked) != (one.id in lost), (one.title, one.file)
    assert any(holds(("", "webserver", ""), came) for came in given(()))


def test_rules_list_and_a_scan_say_how_many(tmp_path, monkeypatch):
    monkeypatch.setenv("KULLA_WATCH_RULES", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "rule.yml").write_text(rule("{product: macos}"))
    words = ["--rules", str(tmp_path / "rule.yml"), "--only"]
    listed = CliRunner().invoke(watch, ["rules", "list", *words], catch_exceptions=False)
    assert "1 run, but for events that nothing read here gives" in listed.output
    (tmp_path / "log").write_bytes(log_lines.AUTH)
    found = tmp_path / "found.json"
    words += ["--json", str(found), "--html", str(tmp_path / "page.html"), "--quiet"]
    scanned = CliRunner().invoke(watch, ["scan", str(tmp_path / "log"), *words])
    assert "1 rules are for events that nothing read here gives" in scanned.output
    assert [one["rule"] for one in json.loads(found.read_text())["unreached"]] == ["one"]
    assert "nothing that is read here is macos" in (tmp_path / "page.html").read_text()

"""SigmaHQ's rules: all load or are named, regression data is found, anchors change nothing."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from fakes.real_data import DATA
from fakes.watch_run import store
from kulla.cli.watch import watch
from kulla.watch.collection import gathered, load
from kulla.watch.engine import Engine
from kulla.watch.plan import Source
from kulla.watch.sources.batch import Reject
from kulla.watch.sources.reading import read_all
from kulla.watch.sources.recognise import EVTX, Readers
from kulla.watch.sources.windows import read_evtx

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not (DATA / "sigma").is_dir(), reason="KULLA_DATA has no folder sigma"),
]


def test_every_rule_loads_or_is_named_and_every_regression_case_is_found(tmp_path):
    path = tmp_path / "tested.json"
    words = ["rules", "test", str(DATA / "sigma"), "--no-cache", "--json", str(path)]
    result = CliRunner().invoke(watch, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    tested = json.loads(path.read_text())
    assert tested["rules"] + len(tested["unfit"]) == 3777
    assert all("placeholder" in one["reason"] for one in tested["unfit"])
    assert len({one["rule_id"] for one in tested["cases"]}) == 100
    named = {one["id"] for one in tested["unreached"]}
    cases = {one["rule_id"] for one in tested["cases"]}
    assert not named & cases, "a rule that finds its regression data is reached"
    assert all("nothing that is read here" in one["reason"] for one in tested["unreached"])


def test_the_search_and_plain_sql_find_the_same_in_recorded_attacks():
    rules = load(gathered([DATA / "sigma"], None, own=True), None, None).rules
    source = Source("windows", "", "", nested=True)
    found = read_all([DATA / "evtx"], Readers({EVTX: read_evtx}))
    lines = [line for batch in found if not isinstance(batch, Reject) for line in batch.lines]
    fast = Engine(store(), rules).hits(source, lines)
    plain = Engine(store(), rules, plain=True).hits(source, lines)
    assert len(fast.rules) > 50
    assert (fast.rules.tolist(), fast.rows.tolist()) == (plain.rules.tolist(), plain.rows.tolist())

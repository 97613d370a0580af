"""The oracle reads every rule of SigmaHQ and finds each event of its regression data."""

from __future__ import annotations

import json
from functools import cache

import pytest
import yaml

from fakes.real_data import DATA
from fakes.sigma_oracle import Unfit, matches, rule_says
from kulla.watch.sources.json_lines import objects

SIGMA = DATA / "sigma"
pytestmark = pytest.mark.skipif(not SIGMA.is_dir(), reason=f"{SIGMA} is absent")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
CASES = sorted(SIGMA.glob("regression_data/**/info.yml"))


@cache
def all_rules():
    """Every rule by its id."""
    found = {}
    for path in sorted(SIGMA.glob("rules*/**/*.yml")):
        for document in yaml.load_all(path.read_text("utf-8"), LOADER):
            if document and "detection" in document:
                found[document["id"]] = document
    return found


def flat(record):
    """A Windows event as evtx tools write it, with Sigma's field names."""
    event = record.get("Event", record)
    system = event["System"]
    found = {name: value for name, value in system.items() if not isinstance(value, dict)}
    found["Provider_Name"] = system["Provider"]["#attributes"].get("Name")
    for part in ("EventData", "UserData"):
        for name, value in (event.get(part) or {}).items():
            found |= value if isinstance(value, dict) else {name: value}
    return found


def test_every_rule_is_read_or_wants_a_list():
    refused = []
    for document in all_rules().values():
        try:
            rule_says(document, [])({})
        except Unfit as error:
            refused.append(str(error))
    assert len(all_rules()) > 3_000
    assert set(refused) == {"a placeholder was not filled beforehand"}
    assert len(refused) <= 30


@pytest.mark.parametrize("info", CASES, ids=lambda path: path.parent.name)
def test_regression_data_is_found(info):
    case = yaml.load(info.read_text("utf-8"), LOADER)
    rule = all_rules()[case["rule_metadata"][0]["id"]]
    events = []
    for path in sorted(info.parent.glob("*.json")):
        with path.open("rb") as stream:
            events += [flat(record) for record in objects(stream)]
    assert events
    assert matches(yaml.safe_dump(json.loads(json.dumps(rule, default=str))), events)

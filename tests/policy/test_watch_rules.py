"""Each rule of ours finds what it must and leaves what it must; ids and tags are in order."""

from __future__ import annotations

import json
import re
import uuid

import pytest
import yaml

from fakes.real_data import DATA
from fakes.sigma_oracle import correlates, matches
from fakes.watch_rule_examples import EXAMPLES
from kulla.watch.rules import own_rules

TEXTS = own_rules()
DOCUMENTS = {
    document["name"]: (file, document)
    for file, text in TEXTS.items()
    for document in yaml.safe_load_all(text)
}
LEVELS = {"informational", "low", "medium", "high", "critical"}
ICS = re.compile(r"t08\d\d$")
# Where ATT&CK v19 took v18's techniques and tactics apart: its name, and v18's.
RENUMBERED = {
    "attack.t1685": "attack.t1562.001",
    "attack.t1685.005": "attack.t1070.001",
    "attack.stealth": "attack.defense-evasion",
    "attack.defense-impairment": "attack.defense-evasion",
}


def found(name, events):
    """Whether the rule, with its file alone, finds something in the events."""
    file, document = DOCUMENTS[name]
    text = TEXTS[file].replace("%CanarySubjects%", "canary-1")
    if "correlation" in document:
        # A correlation that another one refers to is asked by itself.
        alone = [one for one in yaml.safe_load_all(text) if _is_needed(one, name, text)]
        fired = correlates(yaml.safe_dump_all(alone), events)
        return any(one.rule == name for one in fired)
    (mine,) = (one for one in yaml.safe_load_all(text) if one["name"] == name)
    return bool(matches(yaml.safe_dump(mine), events))


def _is_needed(document, name, text):
    needed, documents = {name}, {one["name"]: one for one in yaml.safe_load_all(text)}
    for _ in documents:
        for one in list(needed):
            needed |= set(documents[one].get("correlation", {}).get("rules", []))
    return document["name"] in needed


def test_every_rule_has_an_example():
    assert EXAMPLES.keys() == DOCUMENTS.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_rule_finds_what_it_must_and_leaves_the_rest(name):
    example = EXAMPLES[name]
    assert example.finds
    assert example.leaves
    for events in example.finds:
        assert found(name, events), events
    for events in example.leaves:
        assert not found(name, events), events


def test_ids_are_fixed_and_nobody_elses():
    ids = [document["id"] for _, document in DOCUMENTS.values()]
    assert len(set(ids)) == len(ids)
    assert all(uuid.UUID(one).version == 4 for one in ids)
    if (DATA / "sigma").is_dir():
        theirs = {
            path.read_text().partition("\nid: ")[2][:36]
            for path in (DATA / "sigma").glob("rules*/**/*.yml")
        }
        assert not theirs & set(ids)


def test_every_rule_says_what_a_reader_needs():
    for name, (file, document) in DOCUMENTS.items():
        assert document["level"] in LEVELS, name
        assert document["description"].strip(), name
        assert document["falsepositives"], name
        assert len(document["title"]) <= 110, name
        assert re.fullmatch(r"[a-z0-9_]{10,70}\.yml", file), file
        if "logsource" in document:
            assert document["logsource"], name


def test_a_file_stands_alone():
    for file, text in TEXTS.items():
        documents = list(yaml.safe_load_all(text))
        names = {document["name"] for document in documents}
        for document in documents:
            for rule in document.get("correlation", {}).get("rules", []):
                assert rule in names, f"{file}: {rule}"


def test_tags_are_known_in_both_numberings():
    tags = {tag for _, document in DOCUMENTS.values() for tag in document.get("tags", [])}
    for name, (_, document) in DOCUMENTS.items():
        mine = set(document.get("tags", []))
        for new, old in RENUMBERED.items():
            assert new not in mine or old in mine, f"{name}: {new} without v18's {old}"
        assert "attack.defense-evasion" not in mine or mine & {
            "attack.stealth",
            "attack.defense-impairment",
        }, f"{name}: v19 has no defense-evasion"
    if not (DATA / "attack").is_dir():
        pytest.skip(f"{DATA / 'attack'} is absent")
    known = json.dumps(json.loads((DATA / "attack" / "v18.1.json").read_text()))
    for tag in tags:
        technique = tag.removeprefix("attack.")
        if re.match(r"t\d", technique) and not ICS.match(technique) and tag not in RENUMBERED:
            assert f'"{technique.upper()}"' in known, f"{tag} is not in v18.1"


def test_pysigma_reads_every_file():
    collection = pytest.importorskip("sigma.collection")
    for file, text in TEXTS.items():
        assert not collection.SigmaCollection.from_yaml(text).errors, file

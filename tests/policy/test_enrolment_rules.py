"""Rules in and out of JSON and TOML, with errors that name the place; and said in sentences."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.enrolment_markets import RULES
from kulla.services.enrolment.policy.market import grade_order
from kulla.services.enrolment.policy.prose import prose
from kulla.services.enrolment.policy.rules import Rules
from kulla.services.enrolment.policy.rules_text import (
    RulesInvalid,
    rules_from_json,
    rules_from_toml,
    rules_to_json,
    rules_to_toml,
)

DOCS = Path(__file__).resolve().parents[2] / "docs" / "services" / "enrolment"
FULL = replace(
    RULES,
    tie_break="multiple",
    choices_max=7,
    siblings_together=False,
    ages=(("g1", "2019-01-01", "2019-12-31"),),
    titles=(("g1", 'First "grade" \\ klasa e parë'),),
)


@pytest.mark.parametrize("rules", [Rules(), RULES, FULL])
def test_rules_come_back_from_both_texts(rules):
    assert rules_from_json(rules_to_json(rules)) == rules
    assert rules_from_toml(rules_to_toml(rules)) == rules


def test_one_value_is_one_text():
    loose = json.dumps(json.loads(rules_to_json(FULL)), indent=3)
    assert rules_to_json(rules_from_json(loose)) == rules_to_json(FULL)
    stated = {**json.loads(rules_to_json(Rules())), "tie_break": "single", "choices_max": 0}
    assert rules_to_json(rules_from_json(json.dumps(stated))) == rules_to_json(Rules())


WRONG = {
    "rules": "[]",
    "tie_break": '{"tie_break": "coin"}',
    "choices_max": '{"choices_max": true}',
    "siblings_together": '{"siblings_together": 1}',
    "priorities": '{"priorities": {}}',
    "priorities[0].kind": '{"priorities": [{"title": "x"}]}',
    "priorities[1].kind": '{"priorities": [{"kind":"a","title":"x"},{"kind":"a","title":"x"}]}',
    "priorities[0].where": '{"priorities": [{"kind": "a", "title": "x", "where": "moon"}]}',
    "priorities[0].private": '{"priorities": [{"kind": "a", "title": "x", "private": "yes"}]}',
    "priorities[0].colour": '{"priorities": [{"kind": "a", "title": "x", "colour": "red"}]}',
    "pools[0].pool": '{"pools": [{"pool": "Open seats", "title": "x"}]}',
    "pools[0].priority": '{"pools": [{"pool": "kin", "title": "x"}]}',
    "pools[0].unfilled": '{"pools": [{"pool": "open", "title": "x", "unfilled": "burn"}]}',
    "pools[0].title": '{"pools": [{"pool": "open", "title": "two\\nlines"}]}',
    "ages[0]": '{"ages": [["g1", "2020-01-01"]]}',
    "grades": '{"grades": ["G 1"]}',
    "colour": '{"colour": "red"}',
}


@pytest.mark.parametrize(("place", "text"), WRONG.items())
def test_an_error_names_its_place(place, text):
    with pytest.raises(RulesInvalid) as error:
        rules_from_json(text)
    assert error.value.place == place


@pytest.mark.parametrize("text", ["", "{", '{"ages": [["g", "2020-13-01", "2020-01-01"]]}'])
def test_what_is_no_rules_is_refused(text):
    with pytest.raises(RulesInvalid):
        rules_from_json(text)
    with pytest.raises(RulesInvalid):
        rules_from_toml("= 1")


def test_grades_go_from_the_lowest_to_the_highest():
    names = {"grade-10", "grade-2", "-1", "0", "9", "11"}
    assert grade_order(Rules(), names) == ("-1", "0", "9", "11", "grade-2", "grade-10")
    stated = Rules(grades=("pre-k", "kinder", "1"))
    assert grade_order(stated, {"1", "kinder", "2"}) == ("kinder", "1", "2")


def test_prose_says_each_rule_in_both_languages():
    for language, none in (("en", "Then all other children."), ("sq", "Pastaj të gjithë")):
        told = prose(FULL, language)  # type: ignore[arg-type]
        whole = "\n".join(told)
        assert none in whole
        assert "7" in told[0]
        for title in [one.title for one in (*FULL.priorities, *FULL.pools[:2])]:
            assert title in whole
    assert len(prose(FULL, "en")) == len(prose(FULL, "sq"))
    assert "not" not in prose(Rules(), "en")[0]


def test_the_shipped_example_can_be_read():
    rules = rules_from_toml((DOCS / "new-haven-2024.toml").read_text())
    assert [one.kind for one in rules.priorities] == [f"profile-{n}" for n in range(7, 1, -1)]
    assert len(rules.pools) == 11

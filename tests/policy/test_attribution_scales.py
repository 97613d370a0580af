"""The written scales: PHIA's words and gaps, and how strong a word may be."""

from __future__ import annotations

import pytest

from fakes.attack_release import incident, rated
from kulla.attribution.ceilings import ceiling
from kulla.attribution.evidence import incident_from
from kulla.attribution.scales import WORDS, range_of, weaker, weight_of, word_for


@pytest.mark.parametrize(
    ("probability", "word"),
    [
        (0.0, "remote chance"),
        (0.05, "remote chance"),
        (0.10, "highly unlikely"),
        (0.20, "highly unlikely"),
        (0.25, "unlikely"),
        (0.35, "unlikely"),
        (0.40, "realistic possibility"),
        (0.50, "realistic possibility"),
        (0.55, "likely"),
        (0.75, "likely"),
        (0.80, "highly likely"),
        (0.90, "highly likely"),
        (0.95, "almost certain"),
        (1.0, "almost certain"),
    ],
)
def test_each_word_covers_its_range(probability: float, word: str) -> None:
    assert word_for(probability) == word
    low, high = range_of(word)
    assert low <= probability <= high


@pytest.mark.parametrize(
    ("in_gap", "word"),
    [
        (0.07, "highly unlikely"),
        (0.22, "unlikely"),
        (0.37, "realistic possibility"),
        (0.52, "realistic possibility"),
        (0.549, "realistic possibility"),
        (0.77, "likely"),
        (0.93, "highly likely"),
    ],
)
def test_a_value_in_a_gap_takes_the_word_nearer_to_an_even_chance(in_gap: float, word: str) -> None:
    assert word_for(in_gap) == word


def test_words_never_go_down_as_the_probability_goes_up() -> None:
    order = [WORDS.index(word_for(n / 1000)) for n in range(1001)]
    assert order == sorted(order)
    assert set(order) == set(range(len(WORDS)))


def test_the_weaker_word_is_the_one_that_says_less_of_it() -> None:
    assert weaker("likely", "realistic possibility") == "realistic possibility"
    assert weaker("remote chance", "almost certain") == "remote chance"


def test_a_better_source_and_a_dearer_forgery_weigh_more() -> None:
    assert weight_of("A1", "hard") == 1
    assert weight_of("A1", "hard") > weight_of("B2", "hard") > weight_of("B2", "cheap") > 0
    assert weight_of("E5", "free") > 0


STATES = {"G1001": "RU", "G1000": "IR"}
FOR_RU = {"state:RU": "CC", "others": "I"}


def _ceiling(*evidence: dict) -> object:
    found = incident_from(incident(evidence=list(evidence)), "x")
    return ceiling("state:RU", found.items, STATES)


def test_overlap_alone_stops_at_realistic_possibility_and_says_what_is_missing() -> None:
    top = _ceiling(rated("A", "code", FOR_RU), rated("B", "hash", FOR_RU, report="theirs"))
    assert top.word == "realistic possibility"
    assert top.missing == ("adversary", "infrastructure", "victim")
    assert "infrastructure" in top.sentence()


def test_each_independent_vertex_carries_one_word_more() -> None:
    one = [rated("A", "infrastructure", FOR_RU)]
    two = [*one, rated("B", "target", FOR_RU, report="theirs")]
    assert _ceiling(*one).word == "likely"
    assert _ceiling(*two).word == "highly likely"
    assert _ceiling(*two, rated("C", "operator", FOR_RU)).word == "highly likely"


def test_almost_certain_needs_three_vertices_and_three_reports() -> None:
    reports = [{"id": name, "title": name} for name in ("a", "b", "c")]
    kinds = {"a": "infrastructure", "b": "target", "c": "operator"}
    rows = [rated(name, kind, FOR_RU, report=name) for name, kind in kinds.items()]
    found = incident_from(incident(report=reports, evidence=rows), "x")
    top = ceiling("state:RU", found.items, STATES)
    assert (top.word, top.missing) == ("almost certain", ())


@pytest.mark.parametrize(
    "poor",
    [
        {"admiralty": "D1"},
        {"admiralty": "A4"},
        {"forging": "cheap"},
        {"forging": "free"},
        {"ratings": {"state:RU": "C", "others": "C"}},
        {"ratings": {"state:IR": "CC"}},
        {"ratings": {"state:RU": "II"}},
    ],
)
def test_an_item_that_is_poor_or_tells_nothing_apart_carries_nothing(poor: dict) -> None:
    top = _ceiling({**rated("A", "infrastructure", FOR_RU), **poor})
    assert top.word == "realistic possibility"


def test_a_groups_rating_speaks_for_its_state_and_not_the_other_way_round() -> None:
    of_group = incident_from(incident(evidence=[rated("A", "target", {"group:G1001": "CC"})]), "x")
    of_state = incident_from(incident(evidence=[rated("A", "target", FOR_RU)]), "x")
    assert ceiling("state:RU", of_group.items, STATES).word == "likely"
    assert ceiling("group:G1001", of_state.items, STATES).word == "realistic possibility"

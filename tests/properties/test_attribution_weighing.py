"""What must hold of every judgement: probabilities, order, copies, items that fit all alike."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.attack_release import TECHNIQUES, desk_in, incident, rated, technique
from kulla.attribution.ceilings import ceiling
from kulla.attribution.desk import Desk, matter_of
from kulla.attribution.evidence import Incident, incident_from
from kulla.attribution.judgement import judge
from kulla.attribution.matrix import build
from kulla.attribution.record import to_bytes
from kulla.attribution.scales import (
    CREDIBILITY,
    FORGING,
    RATINGS,
    RELIABILITY,
    VERTEX_OF,
    WORDS,
    weaker,
)
from kulla.attribution.steps import STEPS, Standing

REPORTS = [
    {"id": "ours", "title": "Ours", "published": "2023-05-01"},
    {"id": "theirs", "title": "Theirs", "published": "2023-05-02"},
    {"id": "news", "title": "News", "published": "2023-05-03", "copy_of": "theirs"},
]
ABOUT = ["state:IR", "state:RU", "state:CN", "state:XX", "group:G1000", "group:G1001"]
ABOUT += ["group:G9999", "cluster:ONE", "unlisted", "several", "made_to_look_like", "others"]
KINDS = sorted(set(VERTEX_OF) - {"technique", "software"})
CODES = [a + b for a in RELIABILITY for b in CREDIBILITY]

ratings = st.dictionaries(st.sampled_from(ABOUT), st.sampled_from(sorted(RATINGS)), max_size=5)
rated_rows = st.builds(
    lambda kind, about, report, code, forging: rated(
        "", kind, about, report=report, admiralty=code, forging=forging
    ),
    st.sampled_from(KINDS),
    ratings,
    st.sampled_from(["ours", "theirs", "news"]),
    st.sampled_from(CODES),
    st.sampled_from(sorted(FORGING)),
)
technique_rows = st.builds(
    lambda value: technique("", value), st.sampled_from([*TECHNIQUES, "T9999", "T1001.099"])
)
software_rows = st.builds(
    lambda value: {**technique("", value), "kind": "software"},
    st.sampled_from(["S0999", "S1000", "S1003", "Tool 6", "Unheard of"]),
)
evidence = st.lists(st.one_of(technique_rows, software_rows, rated_rows), max_size=12)


@cache
def _desk() -> Desk:
    return desk_in(Path(mkdtemp(prefix="kulla-attack-")))


def _incident(rows: list[dict[str, Any]], **changes: Any) -> Incident:
    named = [
        {**row, "id": f"E{n:02d}", "value": row["value"] or f"v{n}"} for n, row in enumerate(rows)
    ]
    return incident_from(incident(**{"report": REPORTS, "evidence": named, **changes}), "x")


def _standing(found: Incident) -> Standing:
    desk = _desk()
    return matter_of(found, desk.knowledge).standing(desk)


def _close(one: Standing, other: Standing, within: float = 1e-9) -> None:
    for step in STEPS:
        after = {row.key: row.weighed for row in other.step(step)}
        for row in one.step(step):
            assert abs(row.weighed - after.get(row.key, 0.0)) <= within, (step, row.key)


@given(evidence)
def test_probabilities_stay_in_range_and_sum_to_one(rows: list[dict[str, Any]]) -> None:
    standing = _standing(_incident(rows))
    for step in STEPS:
        answers = standing.step(step)
        assert {"unlisted", "made_to_look_like"} <= {one.key for one in answers}
        for value in ("score", "weighed"):
            numbers = [getattr(one, value) for one in answers]
            assert all(0.0 <= number <= 1.0 for number in numbers)
            assert math.isclose(math.fsum(numbers), 1.0, abs_tol=1e-9)


@settings(max_examples=20)
@given(evidence, st.randoms(use_true_random=False))
def test_order_never_matters(rows: list[dict[str, Any]], chance: random.Random) -> None:
    found = _incident(rows)
    items = list(found.items)
    chance.shuffle(items)
    other = replace(found, items=tuple(items))
    desk = _desk()
    assert to_bytes(judge(desk, found)) == to_bytes(judge(desk, other))


@given(evidence, st.sampled_from(KINDS), st.sampled_from(sorted(RATINGS)), st.sampled_from(CODES))
def test_an_item_that_fits_every_hypothesis_alike_moves_nothing(
    rows: list[dict[str, Any]], kind: str, rating: str, code: str
) -> None:
    alike = rated("", kind, dict.fromkeys(ABOUT, rating), admiralty=code)
    # A report is bounded as a whole, so the item comes with a report of its own.
    reports = [*REPORTS, {"id": "new", "title": "New", "published": "2023-05-04"}]
    with_it = _incident([*rows, {**alike, "report": "new"}], report=reports)
    without = replace(with_it, items=with_it.items[:-1])
    _close(_standing(without), _standing(with_it))
    for about in ("state:RU", "group:G1001"):
        states = _desk().states
        before, after = (ceiling(about, one.items, states) for one in (without, with_it))
        assert before.word == after.word


@given(evidence, st.integers(1, 4))
def test_copies_of_one_report_count_once(rows: list[dict[str, Any]], copies: int) -> None:
    found = _incident(rows)
    again = [replace(item, id=f"{item.id}-copy{n}") for n in range(copies) for item in found.items]
    _close(_standing(found), _standing(replace(found, items=(*found.items, *again))))


@settings(max_examples=20)
@given(evidence)
def test_published_words_never_pass_the_ceiling(rows: list[dict[str, Any]]) -> None:
    found = judge(_desk(), _incident(rows))
    good = {
        item["id"]
        for item in found["evidence"]
        if item["vertex"] != "capability" and item["ratings"]
    }
    for step in found["steps"].values():
        for one in step["hypotheses"]:
            assert weaker(one["word"], one["word_without_ceiling"]) == one["word"]
            if not good:
                assert WORDS.index(one["word"]) <= WORDS.index("realistic possibility")
        for word in WORDS:
            assert word not in step["confidence"]


@given(evidence)
def test_the_matrix_is_sorted_and_diagnosticity_is_bounded(rows: list[dict[str, Any]]) -> None:
    desk = _desk()
    matter = matter_of(_incident(rows), desk.knowledge)
    standing = matter.standing(desk)
    for step in STEPS:
        found = build(
            standing.step(step),
            matter.items,
            matter.resolved.ids,
            desk.ledger,
            desk.states,
            step,
        )
        assert list(found.inconsistency) == sorted(found.inconsistency)
        for row in found.rows:
            assert 0.0 <= row.diagnosticity <= 1.0
            assert len(row.ratings) == len(found.columns)
            if len(set(row.ratings)) == 1:
                assert row.diagnosticity == 0.0


def test_without_anything_to_compare_base_rates_speak() -> None:
    desk = _desk()
    standing = _standing(_incident([]))
    scores = {one.key: one.score for one in standing.group}
    listed = 1 - desk.learned.unlisted_share
    for group, rate in desk.rates.items():
        assert math.isclose(scores[f"group:{group}"], 0.98 * listed * rate, rel_tol=1e-9)
    assert math.isclose(scores["unlisted"], 0.98 * desk.learned.unlisted_share, rel_tol=1e-9)

"""The conditional logit: closed form, gradient, symmetry; and held-out reports stay held out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.attack_release import knowledge_in
from kulla.attribution.choice import (
    UNLISTED_FEATURES,
    Example,
    Weights,
    _Problem,
    fit,
    newton,
    unlisted_row,
    withheld,
)
from kulla.attribution.errors import EvaluationImpossible
from kulla.attribution.knowledge import Knowledge
from kulla.attribution.profiles import FEATURES, Profiles
from kulla.attribution.training import as_time_went, leave_one_out, unlisted_share

WIDTH = len(FEATURES)


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    return knowledge_in(tmp_path_factory.mktemp("attack"))


def _examples(seed: int, count: int = 20) -> list[Example]:
    chance = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        features = chance.normal(size=(chance.integers(2, 7), WIDTH))
        truth = int(chance.integers(0, len(features) + 1))
        listed = None if truth == len(features) else truth
        found.append(Example(features, int(chance.integers(1, 30)), listed, float(chance.random())))
    return found


@given(st.integers(0, 10_000))
def test_the_gradient_and_the_hessian_are_the_objectives(seed: int) -> None:
    examples = _examples(seed)
    problem = _Problem(examples, np.zeros(WIDTH), np.ones(WIDTH), 0.5)
    at = np.random.default_rng(seed + 1).normal(size=WIDTH + len(UNLISTED_FEATURES)) * 0.3
    _, gradient, hessian = problem.derivatives(at)
    step = 1e-5
    for n in range(len(at)):
        move = np.zeros(len(at))
        move[n] = step
        slope = (problem.value(at + move) - problem.value(at - move)) / (2 * step)
        assert abs(slope - gradient[n]) < 1e-5 * max(1.0, abs(gradient[n]))
        bend = (problem.derivatives(at + move)[1] - problem.derivatives(at - move)[1]) / (2 * step)
        assert np.allclose(bend, hessian[:, n], atol=1e-4)


def test_newton_finds_the_minimum_of_a_quadratic_in_closed_form() -> None:
    matrix = np.array([[3.0, 1.0], [1.0, 2.0]])
    aim = np.array([1.0, -2.0])

    class Quadratic:
        def value(self, at):
            return float(0.5 * (at - aim) @ matrix @ (at - aim))

        def derivatives(self, at):
            return self.value(at), matrix @ (at - aim), matrix

    assert np.allclose(newton(Quadratic(), np.zeros(2)), aim)


def test_where_features_say_nothing_the_share_of_truths_is_learnt() -> None:
    """Two groups alike and 'not listed': with features all equal only the constant speaks."""
    features = np.zeros((2, WIDTH))
    listed = [Example(features, 1, 0, 1.0)] * 30 + [Example(features, 1, 1, 1.0)] * 30
    none = [Example(features, 1, None, 1.0)] * 40
    weights = fit([*listed, *none], ridge=1e-9)
    found = weights.probabilities(features, 1)
    assert np.allclose(found, [0.3, 0.3, 0.4], atol=1e-4)


@given(st.integers(0, 10_000))
def test_a_fit_is_a_minimum_and_the_same_whatever_the_order(seed: int) -> None:
    examples = _examples(seed)
    one, other = fit(examples), fit(examples[::-1])
    assert np.allclose(one.listed, other.listed, atol=1e-6)
    assert np.allclose(one.unlisted, other.unlisted, atol=1e-6)
    centre, spread = one.centre, one.spread
    problem = _Problem(examples, centre, spread, 1.0)
    assert np.abs(problem.derivatives(np.concatenate([one.listed, one.unlisted]))[1]).max() < 1e-6


@given(st.integers(0, 10_000), st.integers(0, 12), st.floats(-1e6, 1e6, allow_nan=False))
def test_probabilities_sum_to_one_whatever_the_features(seed: int, rows: int, scale: float) -> None:
    chance = np.random.default_rng(seed)
    weights = Weights(
        np.zeros(WIDTH),
        np.ones(WIDTH),
        chance.normal(size=WIDTH),
        chance.normal(size=len(UNLISTED_FEATURES)),
    )
    found = weights.probabilities(chance.normal(size=(rows, WIDTH)) * scale, 3)
    assert len(found) == rows + 1
    assert np.all((found >= 0) & (found <= 1))
    assert abs(found.sum() - 1) < 1e-9


def test_one_group_alone_has_no_lead() -> None:
    assert unlisted_row(np.ones((1, WIDTH)), 4)[3:5].tolist() == [0.0, 0.0]


def test_reports_that_teach_nothing_are_said_to() -> None:
    with pytest.raises(EvaluationImpossible):
        fit([Example(np.zeros((3, WIDTH)), 2, None, 1.0)])


def test_a_held_out_report_is_as_if_it_had_never_been(knowledge: Knowledge) -> None:
    """Its features are those of the same release without it, for every group that it describes."""
    reports = dict(knowledge.group_reports())
    shared = ("G1001", "Report 0 1")
    reports[shared] = reports["G1000", "Report 0 1"]
    without = {key: items for key, items in reports.items() if key[1] != "Report 0 1"}
    items = reports[shared]
    held = Profiles(reports, knowledge.years).compare(items, "Report 0 1", 2014)
    never = Profiles(without, knowledge.years).compare(items, None, 2014)
    assert held.groups == never.groups
    assert np.allclose(held.features, never.features)
    assert np.allclose(held.idf_overlap, never.idf_overlap)


def test_as_time_went_knows_no_later_report(knowledge: Knowledge) -> None:
    """Reports of the year itself and later change nothing of a case of that year."""
    reports, years = knowledge.group_reports(), knowledge.years
    cases = as_time_went(reports, years)
    assert cases
    year = max(case.year for case in cases if case.year) - 1
    early = {key: items for key, items in reports.items() if (years[key[1]] or 0) <= year}
    of_then = [case for case in cases if case.year == year]
    again = [case for case in as_time_went(early, years) if case.year == year]
    assert [case.citation for case in of_then] == [case.citation for case in again]
    for one, other in zip(of_then, again, strict=True):
        assert np.array_equal(one.compared.features, other.compared.features)
    assert 0 < unlisted_share(cases) < 1


def test_a_withheld_twin_lacks_the_group_and_is_not_listed(knowledge: Knowledge) -> None:
    case = leave_one_out(knowledge.group_reports(), knowledge.years)[0]
    at = case.compared.groups.index(case.group)
    twin = withheld(Example(case.compared.features, case.compared.items, at, 1.0), 0.3)
    assert twin.truth is None
    assert len(twin.features) == len(case.compared.features) - 1
    assert not np.any(np.all(twin.features == case.compared.features[at], axis=1))


def test_items_that_nobody_used_match_nobody_and_make_all_less_sure(knowledge: Knowledge) -> None:
    profiles = Profiles(knowledge.group_reports(), knowledge.years)
    items = sorted(knowledge.reports["G1000", "Report 0 0"])
    plain = profiles.compare(items).features
    more = profiles.compare([*items, "NEW ONE", "NEW TWO"]).features
    assert np.all(more[:, 2] < plain[:, 2] + 1e-12)
    assert np.array_equal(more[:, :2], plain[:, :2])

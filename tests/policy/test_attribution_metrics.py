"""Ranks, Brier scores, skill, intervals, reliability; and the tests on a made-up release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fakes.attack_release import write_releases
from kulla.attribution.errors import EvaluationImpossible
from kulla.attribution.evaluation import allows, evaluate
from kulla.attribution.evaluation_page import BEGIN, END, evaluation_page, write_figures
from kulla.attribution.knowledge import load_release
from kulla.attribution.metrics import (
    Outcome,
    brier,
    mid_rank,
    reliability,
    resamples,
    summary,
    wilson,
)
from kulla.attribution.record import to_bytes


def test_ties_share_the_middle_of_their_ranks() -> None:
    scores = np.array([5.0, 3.0, 3.0, 3.0, 1.0])
    assert [mid_rank(scores, n) for n in range(5)] == [1.0, 3.0, 3.0, 3.0, 5.0]
    assert mid_rank(np.zeros(10), 3) == 5.5


def test_brier_is_zero_for_the_truth_and_two_for_its_opposite() -> None:
    assert brier(np.array([0.0, 1.0]), 1) == 0
    assert brier(np.array([0.0, 1.0]), 0) == 2
    assert brier(np.array([0.5, 0.5]), 0) == 0.5


def _outcomes(brier_score: float, base: float, count: int = 30) -> list[Outcome]:
    return [
        Outcome(f"G{n % 10}", 1.0 + n % 4, brier_score, base, None, None, None, 0.5, float(n % 2))
        for n in range(count)
    ]


def test_skill_compares_with_base_rates() -> None:
    better, worse = summary(_outcomes(0.3, 0.6), 1), summary(_outcomes(0.9, 0.6), 1)
    assert better["brier_skill_group"] == 0.5
    assert better["intervals"]["brier_skill_group"] == [0.5, 0.5]
    assert worse["brier_skill_group"] == -0.5
    assert better["brier_skill_state"] is None
    assert better["top1"] == pytest.approx(8 / 30, abs=1e-4)


def test_the_bootstrap_draws_whole_groups_and_repeats() -> None:
    clusters = ["a", "a", "b", "c"]
    draws = resamples(clusters, 1)
    assert np.array_equal(draws[:, 0], draws[:, 1])
    assert np.array_equal(draws, resamples(clusters, 1))
    assert not np.array_equal(draws, resamples(clusters, 2))
    assert np.all(draws[:, 0] + draws[:, 2] + draws[:, 3] == 3)


def test_one_group_makes_no_narrower_interval_by_more_reports() -> None:
    rows = [Outcome("A", 1.0, 0, 1, None, None, None, 1, 1)] * 50
    rows += [Outcome("B", 9.0, 2, 1, None, None, None, 1, 0)] * 50
    assert summary(rows, 1)["intervals"]["top1"] == [0.0, 1.0]


def test_reliability_puts_each_answer_in_one_bin() -> None:
    pairs = [(n / 100, float(n % 3 == 0)) for n in range(101)]
    bins = reliability(pairs)
    assert sum(one["n"] for one in bins) == len(pairs)
    for one in bins:
        assert one["from"] <= one["said"] <= one["to"]
        assert one["interval"][0] <= one["came_true"] <= one["interval"][1]


def test_wilsons_interval_is_wilsons() -> None:
    """The example of the NIST handbook, 7.2.4.1: 4 of 20."""
    assert wilson(0.2, 20) == pytest.approx([0.0807, 0.4160], abs=1e-3)


def test_what_the_data_do_not_allow_is_said() -> None:
    good = {"intervals": {"brier_skill_group": [0.1, 0.3], "brier_skill_state": None}}
    bad = {"intervals": {"brier_skill_group": [-0.1, 0.3], "brier_skill_state": [0.2, 0.3]}}
    values = {"brier_skill_group": 0.2, "brier_skill_state": 0.25}
    said = allows({**good, **values}, {**bad, **values})
    assert "better than base rates" in said[0]
    assert "nothing to measure" in said[1]
    assert "don't show" in said[2]
    assert "Don't rest" in said[2]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = write_releases(tmp_path_factory.mktemp("attack"))
    return evaluate(load_release(folder, "v1.0"), load_release(folder, "v2.0"))


def test_an_evaluation_holds_every_test_with_intervals_and_baselines(found: dict[str, Any]) -> None:
    for name in ("forward", "leave_one_report_out", "before_first_report"):
        one = found[name]
        for each in (one, one["open_set"], *one["baselines"].values()):
            assert each["n"] > 0
            for figure in ("top1", "top3", "top10", "brier_skill_group"):
                low, high = each["intervals"][figure]
                assert low <= each[figure] <= high
        assert 0 <= one["withheld"]["share_reaching_0_8"] <= 1
        assert one["reliability"]
        assert set(one["baselines"]) == {"idf_overlap", "largest_profiles_first"}


def test_made_up_groups_with_habits_are_told_apart(found: dict[str, Any]) -> None:
    one = found["leave_one_report_out"]
    assert one["top1"] > 0.8
    assert one["intervals"]["brier_skill_group"][0] > 0
    assert one["top1"] > one["baselines"]["largest_profiles_first"]["top1"]


def test_an_evaluation_repeats_byte_for_byte(found: dict[str, Any], tmp_path: Path) -> None:
    folder = write_releases(tmp_path)
    again = evaluate(load_release(folder, "v1.0"), load_release(folder, "v2.0"))
    assert to_bytes(again) == to_bytes(found)


def test_releases_with_nothing_between_them_can_not_be_tested(tmp_path: Path) -> None:
    release = load_release(write_releases(tmp_path), "v2.0")
    with pytest.raises(EvaluationImpossible, match="nothing to test"):
        evaluate(release, release)


def test_the_figures_are_written_between_the_marks_alone(
    found: dict[str, Any], tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nSTALE\n{END}\nafter\n")
    write_figures(page, found)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "STALE" not in text
    assert "right group first" in text
    (tmp_path / "bare.md").write_text("no marks")
    with pytest.raises(EvaluationImpossible, match="no marks"):
        write_figures(tmp_path / "bare.md", found)


def test_the_page_needs_no_script_and_nothing_from_elsewhere(found: dict[str, Any]) -> None:
    text = evaluation_page(found)
    assert "<script" not in text
    assert "src=" not in text
    assert "default-src 'none'" in text
    assert text.count("<svg") == 8

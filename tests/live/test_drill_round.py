"""A round of enrolment survives a home that dies while it posts the results."""

from __future__ import annotations

from pathlib import Path

import pytest

from kulla.drill.school_round.run import RoundDrill, RoundPlan
from kulla.kernel.edges import SystemClock, SystemEntropy

pytestmark = [pytest.mark.live, pytest.mark.long]


def test_the_new_home_comes_to_the_same_results(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = Path(tmp_path_factory.mktemp("r"))
    report = RoundDrill(
        RoundPlan(seed=3, folder=folder, children=1200),
        SystemClock(),
        SystemEntropy(),
        lambda _: None,
    ).run()
    assert report.passed, report.as_map()
    assert 0 < report.parts_before < report.parts
    assert not list(folder.iterdir()), "nothing is left lying about"

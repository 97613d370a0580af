"""How good probabilities were: ranks, Brier scores, skill over base rates, reliability, intervals.

Brier (1950): the squared distance of a distribution from what was true, over all answers. Skill:
one less the ratio of its mean to that of base rates; above zero is better than knowing only how
often each answer comes. Intervals: 95 %, by a bootstrap that draws whole groups, since reports on
one group are not independent (Davison and Hinkley 1997, section 3.8).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kulla.attribution.profiles import Floats

BINS: Final = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 1.0)
RESAMPLES: Final = 2000
_PLACES: Final = 4


@dataclass(frozen=True)
class Outcome:
    """One tested answer: rank of the truth (mid-rank among ties), Brier scores, and the top answer.

    `state_right` and the state's Brier scores are None where no state is suspected.
    """

    cluster: str
    rank: float
    brier: float
    base_brier: float
    state_right: float | None
    state_brier: float | None
    state_base_brier: float | None
    top: float
    top_right: float


def mid_rank(scores: Floats, truth: int) -> float:
    """The rank of `truth`, 1 for the highest score; ties share the middle of their ranks."""
    above = float((scores > scores[truth]).sum())
    ties = float((scores == scores[truth]).sum())
    return above + (ties - 1) / 2 + 1


def brier(probabilities: Floats, truth: int) -> float:
    """The Brier score of a distribution over answers, in [0, 2]."""
    one = np.zeros(len(probabilities))
    one[truth] = 1.0
    return float(((probabilities - one) ** 2).sum())


def summary(outcomes: Sequence[Outcome], seed: int) -> dict[str, Any]:
    """The figures of a test with their intervals; `seed` repeats the bootstrap."""
    draws = resamples([one.cluster for one in outcomes], seed)
    figures: dict[str, Any] = {
        "n": len(outcomes),
        "groups": len({one.cluster for one in outcomes}),
        "n_state": sum(one.state_right is not None for one in outcomes),
    }
    intervals: dict[str, Any] = {}
    for name, measure in _MEASURES.items():
        figures[name], intervals[name] = measured(measure(outcomes), draws)
    return {**figures, "intervals": intervals}


Pair = tuple[Floats, Floats]


def measured(pair: Pair, draws: NDArray[np.float64]) -> tuple[float | None, list[float] | None]:
    """sum(numerator x weight) / sum(denominator x weight), and its interval over the draws."""
    above, below = pair
    if not below.sum():
        return None, None
    over = draws @ below
    values = (draws @ above)[over > 0] / over[over > 0]
    low, high = np.quantile(values, [0.025, 0.975])
    value = float(above.sum() / below.sum())
    return round(value, _PLACES), [round(float(low), _PLACES), round(float(high), _PLACES)]


def resamples(clusters: Sequence[str], seed: int) -> NDArray[np.float64]:
    """How often each outcome is drawn in each resample of whole clusters: RESAMPLES x outcomes."""
    names = sorted(set(clusters))
    at = {name: n for n, name in enumerate(names)}
    generator = np.random.Generator(np.random.PCG64(seed))
    drawn = generator.integers(0, len(names), size=(RESAMPLES, len(names)))
    places = (drawn + np.arange(RESAMPLES)[:, None] * len(names)).ravel()
    counts = np.bincount(places, minlength=RESAMPLES * len(names)).reshape(RESAMPLES, -1)
    found: NDArray[np.float64] = counts[:, [at[name] for name in clusters]].astype(np.float64)
    return found


def reliability(pairs: Sequence[tuple[float, float]]) -> list[dict[str, Any]]:
    """Bins of (probability, 1 if it came true): how many, what was said, what came true.

    The interval is Wilson's, of the share that came true.
    """
    found = []
    for low, high in pairwise(BINS):
        last = high == BINS[-1]
        inside = [(p, y) for p, y in pairs if low <= p < high or (last and p == high)]
        if not inside:
            continue
        said = float(np.mean([p for p, _ in inside]))
        true = float(np.mean([y for _, y in inside]))
        found.append(
            {
                "from": low,
                "to": high,
                "n": len(inside),
                "said": round(said, _PLACES),
                "came_true": round(true, _PLACES),
                "interval": wilson(true, len(inside)),
            }
        )
    return found


def wilson(share: float, n: int) -> list[float]:
    """Wilson's 95 % interval of a share of n."""
    z = 1.959964
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return [round(max(0.0, middle - half), _PLACES), round(min(1.0, middle + half), _PLACES)]


def _within(most: int) -> Callable[[Sequence[Outcome]], Pair]:
    def measure(outcomes: Sequence[Outcome]) -> Pair:
        return np.array([float(one.rank <= most) for one in outcomes]), np.ones(len(outcomes))

    return measure


def _state_top(outcomes: Sequence[Outcome]) -> Pair:
    known = np.array([float(one.state_right is not None) for one in outcomes])
    return np.array([one.state_right or 0.0 for one in outcomes]), known


def _skill(outcomes: Sequence[Outcome]) -> Pair:
    base = np.array([one.base_brier for one in outcomes])
    return base - np.array([one.brier for one in outcomes]), base


def _state_skill(outcomes: Sequence[Outcome]) -> Pair:
    base = np.array([one.state_base_brier or 0.0 for one in outcomes])
    return base - np.array([one.state_brier or 0.0 for one in outcomes]), base


_MEASURES: Final[Mapping[str, Callable[[Sequence[Outcome]], Pair]]] = {
    "top1": _within(1),
    "top3": _within(3),
    "top10": _within(10),
    "state_top1": _state_top,
    "brier_skill_group": _skill,
    "brier_skill_state": _state_skill,
}

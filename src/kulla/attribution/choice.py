"""A conditional logit: how likely each group, or none of them, given what the features say.

The model of McFadden (1974): the probability of an alternative is proportional to the exponential
of a weighted sum of its features. One more alternative, 'an actor not listed', has features of its
own: how good the best groups are, and by how much. Fitted by Newton's method with a ridge, which is
convex, so the same examples always give the same weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kulla.attribution.errors import EvaluationImpossible
from kulla.attribution.profiles import COVERAGE, FEATURES, NEAREST, Compared, Floats

UNLISTED_FEATURES: Final = (
    "an actor not listed",
    "best share covered",
    "best closeness to one report",
    "lead in share covered",
    "lead in closeness",
    "number of items (logarithm)",
)
RIDGE: Final = 1.0
_STEPS_MAX: Final = 60
_GRADIENT_MAX: Final = 1e-8


@dataclass(frozen=True)
class Example:
    """One incident whose actor is known: `truth` is a row of `features`, or None for 'not listed'.

    `features` is groups x FEATURES; `weight` says how much the example counts.
    """

    features: Floats
    items: int
    truth: int | None
    weight: float


@dataclass(frozen=True)
class Weights:
    """What a fit found: centre and spread of each feature, and the weights of the alternatives."""

    centre: Floats
    spread: Floats
    listed: Floats
    unlisted: Floats

    def probabilities(self, features: Floats, items: int) -> Floats:
        """The probability of each row of `features`, and last of 'an actor not listed'; sums to 1.

        Where there is no group at all the answer is certain, and last.
        """
        if not len(features):
            return np.ones(1)
        standard = (features - self.centre) / self.spread
        scores = np.append(standard @ self.listed, unlisted_row(standard, items) @ self.unlisted)
        scores = np.exp(scores - scores.max())
        found: Floats = scores / scores.sum()
        return found


def unlisted_row(standard: Floats, items: int) -> Floats:
    """The features of 'an actor not listed', from the standardised features of the groups."""
    best = np.sort(standard[:, [COVERAGE, NEAREST]], axis=0)[::-1]
    lead = best[0] - best[1] if len(best) > 1 else np.zeros(2)
    return np.array([1.0, *best[0], *lead, np.log(max(items, 1))])


def example_of(compared: Compared, group: str | None, weight: float) -> Example:
    """An example from a comparison; a group that is not among the compared is 'not listed'."""
    truth = compared.groups.index(group) if group in compared.groups else None
    return Example(compared.features, compared.items, truth, weight)


def withheld(example: Example, weight: float) -> Example:
    """The same incident as if its actor had never been described: 'not listed' is right."""
    assert example.truth is not None
    features = np.delete(example.features, example.truth, axis=0)
    return Example(features, example.items, None, weight)


def fit(examples: Sequence[Example], ridge: float = RIDGE) -> Weights:
    """The weights that make the examples' truths most probable, less `ridge` x their squares.

    Raises EvaluationImpossible where no example names a listed actor.
    """
    usable = [one for one in examples if len(one.features) and one.weight > 0]
    if not any(one.truth is not None for one in usable):
        raise EvaluationImpossible(
            "no report can be learnt from: each names too little or has a group of its own.",
            remedy="Take a release of ATT&CK with more groups and reports.",
        )
    everything = np.concatenate([one.features for one in usable])
    centre, spread = everything.mean(axis=0), everything.std(axis=0) + 1e-9
    problem = _Problem(usable, centre, spread, ridge)
    found = newton(problem, np.zeros(problem.rows.shape[1]))
    return Weights(centre, spread, found[: len(FEATURES)], found[len(FEATURES) :])


class _Problem:
    """The penalised negative log likelihood of all examples, laid end to end."""

    def __init__(
        self, examples: Sequence[Example], centre: Floats, spread: Floats, ridge: float
    ) -> None:
        blocks, truths, start, width = [], [], 0, len(FEATURES) + len(UNLISTED_FEATURES)
        starts = []
        for one in examples:
            standard = (one.features - centre) / spread
            block = np.zeros((len(standard) + 1, width))
            block[:-1, : len(FEATURES)] = standard
            block[-1, len(FEATURES) :] = unlisted_row(standard, one.items)
            blocks.append(block)
            starts.append(start)
            truths.append(start + (len(standard) if one.truth is None else one.truth))
            start += len(block)
        self.rows: Floats = np.concatenate(blocks)
        self._starts = np.array(starts)
        self._sizes = np.diff([*starts, start])
        self._truths = np.array(truths)
        self._weights = np.array([one.weight for one in examples])
        self._ridge = ridge

    def value(self, at: Floats) -> float:
        """The objective alone."""
        scores = self.rows @ at
        return self._objective(scores, at)

    def _objective(self, scores: Floats, at: Floats) -> float:
        top = np.maximum.reduceat(scores, self._starts)
        sums = np.add.reduceat(np.exp(scores - np.repeat(top, self._sizes)), self._starts)
        losses = top + np.log(sums) - scores[self._truths]
        return float(self._weights @ losses + self._ridge * at @ at)

    def derivatives(self, at: Floats) -> tuple[float, Floats, Floats]:
        """The objective, its gradient and its Hessian."""
        scores = self.rows @ at
        top = np.maximum.reduceat(scores, self._starts)
        odds = np.exp(scores - np.repeat(top, self._sizes))
        odds /= np.repeat(np.add.reduceat(odds, self._starts), self._sizes)
        pulled = self.rows * odds[:, None]
        means = np.add.reduceat(pulled, self._starts)
        gradient = self._weights @ (means - self.rows[self._truths]) + 2 * self._ridge * at
        weighted = pulled * np.repeat(self._weights, self._sizes)[:, None]
        hessian = weighted.T @ self.rows - (means * self._weights[:, None]).T @ means
        hessian += 2 * self._ridge * np.eye(len(at))
        return self._objective(scores, at), gradient, hessian


def newton(problem: Any, at: Floats) -> Floats:
    """The minimum of a convex problem with `value(x)` and `derivatives(x)`, from `at`.

    Each step is Newton's, halved until the objective falls enough (Armijo's rule).
    """
    for _ in range(_STEPS_MAX):
        value, gradient, hessian = problem.derivatives(at)
        if float(np.abs(gradient).max()) < _GRADIENT_MAX:
            break
        step: NDArray[Any] = np.linalg.solve(hessian, -gradient)
        slope, length = float(gradient @ step), 1.0
        while problem.value(at + length * step) > value + 1e-4 * length * slope:
            length /= 2
            if length < 1e-10:
                return at
        at = at + length * step
    return at

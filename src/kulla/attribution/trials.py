"""One tested report: the distributions of the desk and of the baselines beside what was true."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kulla.attribution.choice import Weights
from kulla.attribution.knowledge import Actor, Reports
from kulla.attribution.metrics import Outcome, brier, mid_rank
from kulla.attribution.profiles import Compared, Floats
from kulla.attribution.weighing import MADE_TO_LOOK_LIKE, NO_STATE


@dataclass(frozen=True)
class Trial:
    """An incident with its true groups (several where a campaign has several), and how all stand.

    `probabilities` are the desk's: each compared group, then 'not listed'. `base` are base rates of
    the same answers; both sum to 1. `withheld` is the largest probability of any group when the
    true ones are taken away; None where none is listed.
    """

    groups: tuple[str, ...]
    compared: Compared
    probabilities: Floats
    base: Floats
    withheld: float | None
    states: Mapping[str, str | None]
    newcomers: Mapping[str, float]

    @property
    def truths(self) -> list[int]:
        """The rows of the true groups; empty where none is listed."""
        return [self.compared.groups.index(one) for one in self.groups if one in self._listed]

    @property
    def listed(self) -> bool:
        """Whether a true group is among the compared."""
        return bool(self.truths)

    @property
    def cluster(self) -> str:
        """What the bootstrap draws as one."""
        return self.groups[0]

    @property
    def _listed(self) -> set[str]:
        return set(self.compared.groups)

    @property
    def state(self) -> str | None:
        """The true group's suspected state."""
        return self.states.get(self.groups[0])


def trial(
    groups: Sequence[str],
    compared: Compared,
    weights: Weights,
    base: Floats,
    share: float,
    states: Mapping[str, str | None],
    newcomers: Mapping[str, float],
) -> Trial:
    """A trial of these weights. `base` are base rates of the compared groups, `share` of none."""
    found = weights.probabilities(compared.features, compared.items)
    out = [n for n, one in enumerate(compared.groups) if one in groups]
    withheld = None
    if out and len(compared.groups) > len(out):
        rest = np.delete(compared.features, out, axis=0)
        most = weights.probabilities(rest, compared.items)[:-1].max()
        withheld = float(most) * (1 - MADE_TO_LOOK_LIKE)
    return Trial(
        tuple(groups),
        compared,
        found,
        np.append(base * (1 - share), share),
        withheld,
        states,
        newcomers,
    )


def given_listed(trials: Sequence[Trial]) -> list[Outcome]:
    """The desk on trials whose group is listed, its probabilities taken given that it is."""
    return [
        _outcome(one, one.probabilities[:-1], one.probabilities[:-1])
        for one in trials
        if one.listed
    ]


def by_scores(trials: Sequence[Trial], of: Callable[[Compared], Floats]) -> list[Outcome]:
    """A baseline on the same trials: its scores rank, and are probabilities as shares of their sum.

    Its state is that of the group that it ranks first, which does better than adding up shares.
    """
    found = []
    for one in trials:
        if not one.listed:
            continue
        scores = of(one.compared)
        outcome = _outcome(one, scores, scores)
        if one.state is not None:
            first = np.flatnonzero(scores == scores.max())
            states = [one.states.get(one.compared.groups[row]) for row in first]
            right = sum(state == one.state for state in states) / len(states)
            outcome = replace(outcome, state_right=right)
        found.append(outcome)
    return found


def as_they_are(trials: Sequence[Trial]) -> list[Outcome]:
    """The desk on all trials, with 'not listed' among the answers: the scores as they are."""
    found = []
    for one in trials:
        p = np.append(one.probabilities * (1 - MADE_TO_LOOK_LIKE), MADE_TO_LOOK_LIKE)
        base = np.append(one.base * (1 - MADE_TO_LOOK_LIKE), MADE_TO_LOOK_LIKE)
        truth = _best(p, one.truths) if one.listed else len(p) - 2
        state_p, state_base, state_truth = _states_open(one)
        top = int(p[:-1].argmax())
        found.append(
            Outcome(
                cluster=one.cluster,
                rank=mid_rank(p[:-1], truth),
                brier=brier(p, truth),
                base_brier=brier(base, truth),
                state_right=float(state_p[:-1].argmax() == state_truth),
                state_brier=brier(state_p, state_truth),
                state_base_brier=brier(state_base, state_truth),
                top=float(p[top]),
                top_right=float(top == truth or (one.listed and top in one.truths)),
            )
        )
    return found


def _outcome(one: Trial, scores: Floats, shares: Floats) -> Outcome:
    p = _normal(np.maximum(shares, 0.0))
    base = _normal(one.base[:-1])
    truth = _best(p, one.truths)
    top = int(p.argmax())
    right, own, old = _states_listed(one, p, base)
    return Outcome(
        cluster=one.cluster,
        rank=mid_rank(scores, truth),
        brier=brier(p, truth),
        base_brier=brier(base, truth),
        state_right=right,
        state_brier=own,
        state_base_brier=old,
        top=float(p[top]),
        top_right=float(top in one.truths),
    )


def _states_listed(
    one: Trial, p: Floats, base: Floats
) -> tuple[float | None, float | None, float | None]:
    if one.state is None:
        return None, None, None
    of_rows = [one.states.get(group) or NO_STATE for group in one.compared.groups]
    names = sorted({*of_rows, one.state})
    mine, old = _by_state(names, of_rows, p), _by_state(names, of_rows, base)
    truth = names.index(one.state)
    named = np.array([-1.0 if name == NO_STATE else 0.0 for name in names]) + mine
    ties = np.flatnonzero(named == named.max())
    return float((ties == truth).sum() / len(ties)), brier(mine, truth), brier(old, truth)


def _states_open(one: Trial) -> tuple[Floats, Floats, int]:
    """States with 'none' among them, and a disguise last; an actor not listed has newcomers'."""
    of_rows = [one.states.get(group) or NO_STATE for group in one.compared.groups]
    state = one.state or NO_STATE
    names = sorted({*of_rows, *one.newcomers, state, NO_STATE})
    late = np.array([one.newcomers.get(name, 0.0) for name in names])
    spread = []
    for p in (one.probabilities, one.base):
        masses = _by_state(names, of_rows, p[:-1]) + p[-1] * late
        spread.append(np.append(masses * (1 - MADE_TO_LOOK_LIKE), MADE_TO_LOOK_LIKE))
    return spread[0], spread[1], names.index(state)


def _by_state(names: Sequence[str], of_rows: Sequence[str], p: Floats) -> Floats:
    found = np.zeros(len(names))
    np.add.at(found, [names.index(name) for name in of_rows], p)
    return found


def _best(p: Floats, truths: Sequence[int]) -> int:
    return max(truths, key=lambda row: p[row])


def _normal(p: Floats) -> Floats:
    total = p.sum()
    found: Floats = p / total if total > 0 else np.full(len(p), 1 / len(p))
    return found


def report_counts(reports: Reports, without: str | None = None) -> dict[str, int]:
    """How many reports each group has, one of them held out."""
    counts: dict[str, int] = {}
    for group, citation in reports:
        if citation != without:
            counts[group] = counts.get(group, 0) + 1
    return counts


def base_of(groups: Sequence[str], counts: Mapping[str, int]) -> Floats:
    """Base rates of these groups: their share of reports, half a report added to each."""
    return _normal(np.array([counts.get(group, 0) + 0.5 for group in groups]))


def states_of(groups: Mapping[str, Actor]) -> dict[str, str | None]:
    """Group id -> suspected state."""
    return {key: one.state for key, one in groups.items()}

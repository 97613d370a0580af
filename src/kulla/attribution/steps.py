"""The three questions, apart: which cluster of activity, which group, which state.

Each is a list of hypotheses with a score (by overlap alone) and a weighed probability (by all
evidence). 'An actor not listed' and 'made to look like' stand in each of them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kulla.attribution.evidence import Item
from kulla.attribution.knowledge import Knowledge
from kulla.attribution.profiles import Compared
from kulla.attribution.states import state_name
from kulla.attribution.weighing import (
    DISGUISE,
    NO_STATE,
    Fine,
    normalised,
    weigh,
    weigh_clusters,
)

STEPS: Final = ("cluster", "group", "state")
UNLISTED: Final = "unlisted"
MADE: Final = DISGUISE.kind
# Of the mass at the step of clusters, what 'several clusters together' begins with, and how much a
# nearer report of the same group is preferred. Rules of ours, not measurements.
SEVERAL: Final = "several"
_SEVERAL_SHARE: Final = 0.1
_SHARPNESS: Final = 8.0
_CLUSTERS_MAX: Final = 5
# What is left of the listed groups' activity at the step of clusters: a rest, never the answer.
OTHER: Final = "other"


@dataclass(frozen=True)
class Hypothesis:
    """One answer to one of the questions: `score` by overlap alone, `weighed` by all evidence."""

    key: str
    label: str
    score: float
    weighed: float


@dataclass(frozen=True)
class Standing:
    """The answers to the three questions, each likeliest first, ties in order of their keys."""

    cluster: tuple[Hypothesis, ...]
    group: tuple[Hypothesis, ...]
    state: tuple[Hypothesis, ...]

    def step(self, name: str) -> tuple[Hypothesis, ...]:
        """The answers of a step by its name."""
        found: tuple[Hypothesis, ...] = getattr(self, name)
        return found


def stand(
    scores: Mapping[Fine, float],
    items: Sequence[Item],
    clusters: Sequence[str],
    near: Sequence[tuple[str, str, float]],
    knowledge: Knowledge,
) -> Standing:
    """All three steps. `near` is every report as (group, citation, closeness), nearest first."""
    after = weigh(scores, items)
    by_group = _pair(_groups(scores), _groups(after))
    by_state = _pair(_states(scores), _states(after))
    before = _clusters(scores, clusters, near)
    masses = _clusters(after, clusters, near, before.keys())
    by_cluster = _pair(before, weigh_clusters(masses, items))
    return Standing(
        cluster=_sorted(by_cluster, "cluster", knowledge),
        group=_sorted(by_group, "group", knowledge),
        state=_sorted(by_state, "state", knowledge),
    )


def state_key(one: Fine) -> str:
    """The state step's hypothesis that a fine one belongs to."""
    if one == DISGUISE:
        return MADE
    return UNLISTED if one.state == NO_STATE else f"state:{one.state}"


def group_key(one: Fine) -> str:
    """The group step's hypothesis that a fine one belongs to."""
    return f"group:{one.group}" if one.kind == "group" else one.kind


def label_of(key: str, step: str, knowledge: Knowledge) -> str:
    """What a hypothesis is called in a sentence."""
    if key == UNLISTED:
        return _LABELS[f"{key} {step}"]
    kind, _, name = key.partition(":")
    if kind == "group":
        return f"{knowledge.name(name)} ({name})"
    if kind == "state":
        return f"an actor of {state_name(name)}"
    if kind == "report":
        group, _, citation = name.partition(":")
        return f"the activity of {knowledge.name(group)} ({group}) that ‘{citation}’ describes"
    if kind == "cluster":
        return f"the cluster {name}"
    return _LABELS[key]


_LABELS: Final = {
    "unlisted cluster": "a cluster that the release does not describe",
    "unlisted group": "an actor not listed",
    "unlisted state": "no state, or one that no listed group is suspected to act for",
    MADE: "somebody else, made to look like another",
    SEVERAL: "several clusters working together",
    OTHER: "activity of a listed group in a report that is not shown",
}


def _groups(masses: Mapping[Fine, float]) -> dict[str, float]:
    return _summed((group_key(one), mass) for one, mass in masses.items())


def _states(masses: Mapping[Fine, float]) -> dict[str, float]:
    found = _summed((state_key(one), mass) for one, mass in masses.items())
    return {UNLISTED: 0.0, **found}


def _summed(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    lists: dict[str, list[float]] = defaultdict(list)
    for key, mass in pairs:
        lists[key].append(mass)
    return {key: math.fsum(masses) for key, masses in lists.items()}


def _clusters(
    masses: Mapping[Fine, float],
    named: Sequence[str],
    near: Sequence[tuple[str, str, float]],
    keys: Iterable[str] | None = None,
) -> dict[str, float]:
    """Mass by cluster: a group's goes to its reports by closeness, the unlisted's to new ones."""
    groups = _groups(masses)
    parts = _report_parts(groups, near)
    kept = (
        [key for key in keys if key.startswith("report:")]
        if keys is not None
        else sorted(parts, key=lambda key: (-parts[key], key))[:_CLUSTERS_MAX]
    )
    found = {key: parts.get(key, 0.0) for key in kept}
    described = math.fsum(mass for key, mass in groups.items() if key.startswith("group:"))
    found[OTHER] = max(0.0, described - math.fsum(found.values()))
    new = [f"cluster:{name}" for name in sorted(named)] + [UNLISTED]
    found |= {key: groups.get(UNLISTED, 0.0) / len(new) for key in new}
    found = {key: mass * (1 - _SEVERAL_SHARE) for key, mass in found.items()}
    found[SEVERAL] = _SEVERAL_SHARE * (1 - groups.get(MADE, 0.0))
    found[MADE] = groups.get(MADE, 0.0)
    return normalised(found)


def _report_parts(
    groups: Mapping[str, float], near: Sequence[tuple[str, str, float]]
) -> dict[str, float]:
    pull: dict[str, dict[str, float]] = defaultdict(dict)
    for group, citation, closeness in near:
        pull[group][citation] = math.exp(_SHARPNESS * closeness)
    return {
        f"report:{group}:{citation}": groups.get(f"group:{group}", 0.0) * share
        for group, pulls in pull.items()
        for citation, share in normalised(pulls).items()
    }


def _pair(
    scores: Mapping[str, float], weighed: Mapping[str, float]
) -> dict[str, tuple[float, float]]:
    return {key: (scores[key], weighed[key]) for key in scores}


def _sorted(
    found: Mapping[str, tuple[float, float]], step: str, knowledge: Knowledge
) -> tuple[Hypothesis, ...]:
    order = sorted(found, key=lambda key: (key == OTHER, -round(found[key][1], 9), key))
    return tuple(Hypothesis(key, label_of(key, step, knowledge), *found[key]) for key in order)


def nearest_reports(
    compared: Compared, near: Sequence[tuple[str, str, float]]
) -> list[tuple[str, str, float]]:
    """The reports of compared groups with any closeness at all, nearest first."""
    groups = set(compared.groups)
    return [one for one in near if one[0] in groups and one[2] > 0]

"""How likely each hypothesis is: first by overlap with ATT&CK alone, then with all evidence.

*Scores* come from techniques and software by the fitted weights; these are what `evaluate` tests.
*Weighed* probabilities take the analyst's ratings of all other items too. Each rating is a bounded
likelihood, less for poor sources and for what is cheaply forged; each report moves the odds by no
more than REPORT_ODDS_MAX. Nothing here depends on the order of items, and an item that fits every
hypothesis alike moves nothing.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from kulla.attribution.choice import Weights, fit
from kulla.attribution.evidence import Item
from kulla.attribution.knowledge import Knowledge
from kulla.attribution.profiles import Compared
from kulla.attribution.scales import COPIED, RATINGS, REPORT_ODDS_MAX
from kulla.attribution.training import as_time_went, examples, leave_one_out, unlisted_share

K = TypeVar("K", bound=Hashable)

# What we begin with for 'made to look like': a rule of ours. Known false flags are rarer than one
# in fifty; those that worked are not known.
MADE_TO_LOOK_LIKE: Final = 0.02
NO_STATE: Final = "none"


@dataclass(frozen=True)
class Fine:
    """One way things may be: a group or 'unlisted', of a state or none; or somebody's disguise.

    `kind` is 'group', 'unlisted' or 'made_to_look_like'.
    """

    kind: str
    group: str = ""
    state: str = NO_STATE


DISGUISE: Final = Fine("made_to_look_like")
CLUSTER_KEYS: Final = ("cluster:", "several")


@dataclass(frozen=True)
class Learned:
    """What a release taught: weights; of actors not listed, the share and the suspected states."""

    weights: Weights
    unlisted_share: float
    newcomer_states: Mapping[str, float]


def learn(knowledge: Knowledge) -> Learned:
    """What the reports of this release teach: weights, and how often an actor is not listed."""
    reports = knowledge.group_reports()
    in_time = as_time_went(reports, knowledge.years)
    share = unlisted_share(in_time)
    alone = leave_one_out(reports, knowledge.years)
    newcomers = [case.group for case in in_time if not case.listed]
    return Learned(
        fit(examples(alone, in_time, share)), share, newcomer_states(knowledge, newcomers)
    )


def score(
    learned: Learned,
    compared: Compared,
    knowledge: Knowledge,
    rates: Mapping[str, float] | None = None,
) -> dict[Fine, float]:
    """The probability of each fine hypothesis by techniques and software alone; sums to 1.

    With `rates`, base rates by group, those and the share of actors not listed are all it says.
    """
    if rates is None:
        found = learned.weights.probabilities(compared.features, compared.items).tolist()
    else:
        listed = 1 - learned.unlisted_share
        found = [listed * rates[group] for group in compared.groups] + [learned.unlisted_share]
    scores = {
        Fine("group", group, knowledge.groups[group].state or NO_STATE): p
        for group, p in zip(compared.groups, found[:-1], strict=True)
    }
    for state, share in sorted(learned.newcomer_states.items()):
        scores[Fine("unlisted", state=state)] = found[-1] * share
    scores = {key: p * (1 - MADE_TO_LOOK_LIKE) for key, p in scores.items()}
    return normalised({**scores, DISGUISE: MADE_TO_LOOK_LIKE})


def weigh(scores: Mapping[Fine, float], items: Iterable[Item]) -> dict[Fine, float]:
    """The scores after the ratings of all items that carry some; sums to 1."""
    moved = _log_odds(list(scores), items, likelihoods)
    return _after(scores, moved)


def weigh_clusters(masses: Mapping[str, float], items: Iterable[Item]) -> dict[str, float]:
    """The same for the step of clusters, by what items say of clusters."""
    moved = _log_odds(list(masses), items, cluster_likelihoods)
    return _after(masses, moved)


def likelihoods(item: Item, fine: Sequence[Fine]) -> list[float]:
    """The log likelihood of an item under each fine hypothesis, before its weight."""
    found = [0.0 if one == DISGUISE else RATINGS[rating_of(item, one)] for one in fine]
    named = [value for value, one in zip(found, fine, strict=True) if one != DISGUISE]
    own = item.ratings.get(DISGUISE.kind)
    low, high = min(named, default=0.0), max(named, default=0.0)
    disguise = RATINGS[own] if own else low + COPIED[item.forging] * (high - low)
    return [disguise if one == DISGUISE else value for value, one in zip(found, fine, strict=True)]


def cluster_likelihoods(item: Item, clusters: Sequence[str]) -> list[float]:
    """The log likelihood of an item under each hypothesis of the step of clusters.

    Items that rate no cluster say nothing here: what they say of groups and states is in already.
    """
    return [RATINGS[cluster_rating_of(item, one)] for one in clusters]


def cluster_rating_of(item: Item, cluster: str) -> str:
    """The rating of a named cluster or of `several`; of all else, that of `others`."""
    if not rates_clusters(item):
        return "N"
    own = item.ratings.get(cluster) if cluster.startswith(CLUSTER_KEYS) else None
    return own or item.ratings.get("others", "N")


def rates_clusters(item: Item) -> bool:
    """Whether an item has a rating that is about clusters."""
    return any(about.startswith(CLUSTER_KEYS) for about in item.ratings)


def rating_of(item: Item, one: Fine) -> str:
    """The rating that an item has for a group or an actor not listed: the nearest one given."""
    asked = [f"group:{one.group}"] if one.kind == "group" else []
    asked += [f"state:{one.state}"] if one.state != NO_STATE else []
    asked += ["unlisted"] if one.kind == "unlisted" else []
    asked += ["others"]
    return next((item.ratings[key] for key in asked if key in item.ratings), "N")


def newcomer_states(knowledge: Knowledge, groups: Iterable[str]) -> dict[str, float]:
    """Of these groups, the share of each suspected state and of none; smoothed, sums to 1."""
    counts = Counter(knowledge.groups[group].state or NO_STATE for group in groups)
    states = {one.state or NO_STATE for one in knowledge.groups.values()} | {NO_STATE}
    return normalised({state: counts[state] + 0.5 for state in sorted(states)})


def normalised(masses: Mapping[K, float]) -> dict[K, float]:
    """The same, summing to 1; equal shares where nothing is left."""
    total = math.fsum(masses.values())
    if not total > 0:
        return {key: 1 / len(masses) for key in masses}
    return {key: mass / total for key, mass in masses.items()}


def _log_odds(
    over: Sequence[K], items: Iterable[Item], of: Callable[[Item, Sequence[K]], list[float]]
) -> list[float]:
    """What all rated items add to the log of each hypothesis, each report bounded as a whole."""
    by_report: dict[str, list[list[float]]] = defaultdict(list)
    for item in sorted(items, key=lambda one: one.id):
        if item.ratings:
            weight = item.weight
            by_report[item.origin].append([weight * value for value in of(item, over)])
    total = [0.0] * len(over)
    for _, rows in sorted(by_report.items()):
        column = [math.fsum(values) for values in zip(*rows, strict=True)]
        low = min(column)
        spread = max(column) - low
        scale = min(1.0, math.log(REPORT_ODDS_MAX) / spread) if spread > 0 else 0.0
        total = [old + scale * (new - low) for old, new in zip(total, column, strict=True)]
    return total


def _after(masses: Mapping[K, float], moved: Sequence[float]) -> dict[K, float]:
    top = max(moved, default=0.0)
    return normalised(
        {
            key: mass * math.exp(value - top)
            for (key, mass), value in zip(masses.items(), moved, strict=True)
        }
    )

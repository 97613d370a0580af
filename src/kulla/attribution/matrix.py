"""The matrix of competing hypotheses (Heuer): what each item says about each hypothesis.

Ratings are the analyst's where the file gives them. For techniques and software they follow from
the reports by a written rule: a group whose reports name the item is C, and CC where hardly anybody
else's do; a well reported group whose reports lack what a quarter of all groups use is I; all else
is N, since what nobody reported may well have been used.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kulla.attribution.evidence import Item
from kulla.attribution.knowledge import Knowledge
from kulla.attribution.scales import COPIED, RATINGS
from kulla.attribution.steps import MADE, OTHER, UNLISTED, Hypothesis
from kulla.attribution.weighing import NO_STATE, Fine, cluster_rating_of, rates_clusters, rating_of

NAMED_COLUMNS: Final = 4
_RARE_GROUPS: Final = 3
_COMMON_SHARE: Final = 0.25
_WELL_REPORTED: Final = 8


@dataclass(frozen=True)
class Row:
    """An item and its ratings by column. `diagnosticity` in [0, 1]: 0 tells nothing apart."""

    item: str
    said: str
    weight: float
    ratings: tuple[str, ...]
    diagnosticity: float


@dataclass(frozen=True)
class Matrix:
    """Columns least inconsistent first; `inconsistency` is weighted, II counts twice."""

    columns: tuple[Hypothesis, ...]
    inconsistency: tuple[float, ...]
    rows: tuple[Row, ...]


class Ledger:
    """Who used what, by the reports of a release, for rating techniques and software."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._used: dict[str, set[str]] = {}
        self._reports: dict[str, int] = {}
        self._named: dict[str, frozenset[str]] = {}
        for (group, citation), items in knowledge.group_reports().items():
            self._reports[group] = self._reports.get(group, 0) + 1
            self._named[f"report:{group}:{citation}"] = items
            for item in items:
                self._used.setdefault(item, set()).add(group)
        self._state = {group: one.state for group, one in knowledge.groups.items()}

    def rate(self, item: str, key: str) -> str:
        """CC, C, I or N for a compared id and a hypothesis, by the rule above."""
        users = self._used.get(item, set())
        kind, _, name = key.partition(":")
        rare = len(users) <= _RARE_GROUPS
        common = len(users) >= _COMMON_SHARE * len(self._reports)
        if kind == "group":
            if name in users:
                return "CC" if rare else "C"
            return "I" if common and self._reports.get(name, 0) >= _WELL_REPORTED else "N"
        if kind == "state":
            own = {group for group in users if self._state[group] == name}
            return ("CC" if rare and own == users else "C") if own else "N"
        if kind == "report":
            return ("CC" if rare else "C") if item in self._named.get(key, ()) else "N"
        if key in (MADE, UNLISTED):
            return "C"
        return "N"

    def telling(self, group: str, other: str, seen: Container[str]) -> list[str]:
        """What the reports of `group` name, `other`'s don't, and was not seen; rarest first."""
        found = [
            item
            for item, users in self._used.items()
            if group in users and other not in users and item not in seen
        ]
        return sorted(found, key=lambda item: (len(self._used[item]), item))


def build(
    answers: Sequence[Hypothesis],
    items: Sequence[Item],
    compared: Mapping[str, str],
    ledger: Ledger,
    states: Mapping[str, str | None],
    step: str,
) -> Matrix:
    """The matrix of one step: its likeliest named answers, an actor not listed, a disguise.

    `compared` maps item ids to the release's ids.
    """
    columns = _columns(answers)
    rated = []
    for item in items:
        if not item.ratings and item.id not in compared:
            continue
        ratings = [
            ledger.rate(compared[item.id], one.key)
            if item.id in compared
            else _given(item, one.key, columns, states, step)
            for one in columns
        ]
        rated.append((item, ratings))
    inconsistency = [
        sum(item.weight * {"I": 1, "II": 2}.get(ratings[n], 0) for item, ratings in rated)
        for n in range(len(columns))
    ]
    order = sorted(
        range(len(columns)),
        key=lambda n: (round(inconsistency[n], 9), -round(columns[n].weighed, 9), columns[n].key),
    )
    rows = tuple(_row(item, [ratings[n] for n in order]) for item, ratings in rated)
    return Matrix(tuple(columns[n] for n in order), tuple(inconsistency[n] for n in order), rows)


def _columns(answers: Sequence[Hypothesis]) -> list[Hypothesis]:
    always = [one for one in answers if one.key in (UNLISTED, MADE)]
    named = [one for one in answers if one.key not in (UNLISTED, MADE, OTHER)]
    return named[:NAMED_COLUMNS] + always


def _row(item: Item, ratings: Sequence[str]) -> Row:
    values = [RATINGS[one] for one in ratings]
    spread = (max(values) - min(values)) / (RATINGS["CC"] - RATINGS["II"])
    return Row(item.id, item.said or item.value, item.weight, tuple(ratings), item.weight * spread)


def _given(
    item: Item,
    key: str,
    columns: Sequence[Hypothesis],
    states: Mapping[str, str | None],
    step: str,
) -> str:
    """The analyst's rating of a column; a disguise is as consistent as forging allows."""
    if step == "cluster" and rates_clusters(item):
        return cluster_rating_of(item, key)
    if key == MADE and MADE not in item.ratings:
        others = [
            RATINGS[_given(item, one.key, columns, states, step)]
            for one in columns
            if one.key != MADE
        ]
        low, high = min(others, default=0.0), max(others, default=0.0)
        value = low + COPIED[item.forging] * (high - low)
        return min(RATINGS, key=lambda one: (abs(RATINGS[one] - value), one))
    if key in item.ratings:
        return item.ratings[key]
    kind, _, name = key.partition(":")
    if kind == "report":
        kind, name = "group", name.partition(":")[0]
    if kind == "group":
        return rating_of(item, Fine("group", name, states.get(name) or NO_STATE))
    if kind == "state":
        return rating_of(item, Fine("group", state=name))
    if key == UNLISTED and step != "cluster":
        return item.ratings.get("others", "N")
    return "N"

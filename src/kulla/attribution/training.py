"""What the weights of a release are learnt from: its own reports, each looked at as if it were new.

Two kinds. *Leave one out*: a report against all the others, once with its actor among the groups
and once with that actor withheld. *As time went*: a report against what earlier years' reports
said; where its actor had not been described by then, 'not listed' is right. The share of those is
the base rate of an actor not listed: it is counted, not chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from kulla.attribution.choice import Example, example_of, withheld
from kulla.attribution.knowledge import Reports
from kulla.attribution.profiles import Compared, Floats, Profiles

# Reports that name less are left out. That few items tell little is learnt from those that do.
LEARN_ITEMS_MIN: Final = 2
# What the published tests are made with.
ITEMS_MIN: Final = 5
_GROUPS_MIN: Final = 20
_REPORTS_MIN: Final = 20


@dataclass(frozen=True)
class Case:
    """A report as an incident: whose it is, its citation and items, and how the groups compare.

    `year` is set where the comparison is with earlier years only.
    """

    group: str
    citation: str
    items: frozenset[str]
    compared: Compared
    year: int | None = None

    @property
    def listed(self) -> bool:
        """Whether the right group is among the compared."""
        return self.group in self.compared.groups


def leave_one_out(
    reports: Reports, years: Mapping[str, int | None], items_min: int = LEARN_ITEMS_MIN
) -> list[Case]:
    """Each report of `items_min` items or more against all others; its group may have none then."""
    profiles = Profiles(reports, years)
    return [
        Case(group, citation, items, profiles.compare(items, citation, years.get(citation)))
        for (group, citation), items in sorted(reports.items())
        if len(items) >= items_min
    ]


def as_time_went(reports: Reports, years: Mapping[str, int | None]) -> list[Case]:
    """Each report of LEARN_ITEMS_MIN items or more against the reports of earlier years.

    Reports without a year are in neither. Years before which fewer than a score of groups or
    reports were known are left out: they teach nothing.
    """
    dated = {key: year for key in reports if (year := years.get(key[1])) is not None}
    found = []
    for now in sorted(set(dated.values())):
        past = {key: reports[key] for key, year in dated.items() if year < now}
        if len(past) < _REPORTS_MIN or len({group for group, _ in past}) < _GROUPS_MIN:
            continue
        profiles = Profiles(past, years)
        found += [
            Case(key[0], key[1], reports[key], profiles.compare(reports[key], year=now), now)
            for key, year in sorted(dated.items())
            if year == now and len(reports[key]) >= LEARN_ITEMS_MIN
        ]
    return found


def unlisted_share(cases: Sequence[Case]) -> float:
    """Of cases as time went, the share whose actor was not listed yet; 0.3 where there are few."""
    if len(cases) < _REPORTS_MIN:
        return 0.3
    return sum(not case.listed for case in cases) / len(cases)


def examples(alone: Sequence[Case], in_time: Sequence[Case], share: float) -> list[Example]:
    """Both kinds of cases as examples; `share` is how much a withheld twin counts."""
    found = []
    for case in alone:
        if not case.listed:
            continue
        one = example_of(case.compared, case.group, 1 - share)
        found += [one, withheld(one, share)]
    return found + [example_of(case.compared, case.group, 1.0) for case in in_time]


def base_rates(reports: Reports, groups: Sequence[str]) -> Floats:
    """How often each of these groups is reported on, smoothed by half a report; sums to 1."""
    counts = dict.fromkeys(groups, 0.5)
    for group, _ in reports:
        if group in counts:
            counts[group] += 1
    found = np.array([counts[group] for group in groups])
    shares: Floats = found / found.sum()
    return shares

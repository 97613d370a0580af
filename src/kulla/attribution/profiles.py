"""How an incident's items compare with each group's reports: twelve numbers for each group.

Everything is counted over reports, so that one report can be held out: for the group whose it is,
and for every other group that it describes too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kulla.attribution.knowledge import Reports

Floats = NDArray[np.float64]

FEATURES: Final = (
    "rarity of shared techniques",
    "rarity of shared software",
    "share of the incident that the group's reports cover",
    "closeness to the group's whole profile",
    "closeness to the nearest single report",
    "odds of these items in the group's reports against everybody's",
    "rarity of shared parent techniques",
    "size of the profile (logarithm)",
    "number of reports (logarithm)",
    "software that no other group's reports name",
    "years to the group's nearest report in time (logarithm)",
    "reports within two years (logarithm)",
)
COVERAGE: Final = 2
NEAREST: Final = 4
_GAP_UNKNOWN_YEARS: Final = 5
_RECENT_YEARS: Final = 2


@dataclass(frozen=True)
class Compared:
    """An incident beside each group that has reports: `features` is groups x FEATURES.

    `idf_overlap` is the plain baseline, `profile_sizes` the other one; `nearest` is each group's
    closeness to its nearest report and `nearest_report` that report's citation.
    """

    groups: tuple[str, ...]
    features: Floats
    idf_overlap: Floats
    profile_sizes: Floats
    nearest_report: tuple[str, ...]
    items: int


class Profiles:
    """The reports of one state of knowledge, laid out for counting.

    `years` are the citations' years where they are known.
    """

    def __init__(self, reports: Reports, years: Mapping[str, int | None]) -> None:
        keys = sorted(reports)
        self.groups = tuple(sorted({group for group, _ in keys}))
        self.items = tuple(sorted({item for key in keys for item in reports[key]}))
        self.citations = tuple(citation for _, citation in keys)
        self._years = np.array([float(years.get(c) or np.nan) for c in self.citations])
        self._at = {item: n for n, item in enumerate(self.items)}
        group_at = {group: n for n, group in enumerate(self.groups)}
        self.report_group = np.array([group_at[group] for group, _ in keys], dtype=np.int64)
        self._named = np.zeros((len(keys), len(self.items)))
        for row, key in enumerate(keys):
            self._named[row, [self._at[item] for item in reports[key]]] = 1.0
        self._software = np.array([item.startswith("S") for item in self.items], dtype=bool)
        parents = sorted({parent(item) for item in self.items if item.startswith("T")})
        self._parent_at = {item: n for n, item in enumerate(parents)}
        self._named_parents = np.zeros((len(keys), len(parents)))
        for row, key in enumerate(keys):
            above = {parent(item) for item in reports[key] if item.startswith("T")}
            self._named_parents[row, [self._parent_at[item] for item in above]] = 1.0
        self._counts = self._by_group(self._named)
        self._parent_counts = self._by_group(self._named_parents)
        self._starts = np.searchsorted(self.report_group, np.arange(len(self.groups)))
        self._rows_of: dict[str, list[int]] = {}
        for row, citation in enumerate(self.citations):
            self._rows_of.setdefault(citation, []).append(row)

    def rows_of(self, citation: str) -> list[int]:
        """The rows of all reports on groups that carry this citation."""
        return self._rows_of.get(citation, [])

    def compare(
        self, items: Collection[str], without: str | None = None, year: int | None = None
    ) -> Compared:
        """Each group beside these items; the report `without` is held out for every group.

        `year` is the incident's, for how lately each group was reported on.

        Groups that are left with no report are left out. Items that no report names count in the
        incident's size and rarity, and match nobody. The order of `items` makes no difference.
        """
        out = self.rows_of(without) if without is not None else []
        kept = np.ones(len(self.citations), dtype=bool)
        kept[out] = False
        counts = self._less(self._counts, self._named, out)
        parents = self._less(self._parent_counts, self._named_parents, out)
        return self._compared(sorted(set(items)), counts, parents, kept, year)

    def _less(self, counts: Floats, named: Floats, out: Sequence[int]) -> Floats:
        if not out:
            return counts
        less = counts.copy()
        np.subtract.at(less, self.report_group[list(out)], named[list(out)])
        return less

    def _compared(
        self,
        items: Sequence[str],
        counts: Floats,
        parents: Floats,
        kept: NDArray[Any],
        year: int | None,
    ) -> Compared:
        alive = np.flatnonzero(np.bincount(self.report_group[kept], minlength=len(self.groups)))
        has = (counts > 0).astype(np.float64)
        among, total_groups = has.sum(axis=0), len(self.groups)
        rarity = np.log((total_groups + 1) / (among + 0.5))
        at = np.array([self._at[item] for item in items if item in self._at], dtype=np.int64)
        unknown = sum(1 for item in items if item not in self._at)
        total = float(rarity[at].sum() + unknown * np.log((total_groups + 1) / 0.5)) or 1.0
        shared = has[:, at] * rarity[at]
        software = shared[:, self._software[at]].sum(axis=1)
        overlap = shared.sum(axis=1)
        closeness, nearest = self._nearest(at, rarity, total, kept)
        reports_of = np.bincount(self.report_group[kept], minlength=total_groups)
        single = self._software[at] & (among[at] == 1)
        with np.errstate(divide="ignore"):
            columns = [
                overlap - software,
                software,
                overlap / total,
                overlap / np.sqrt(total * np.maximum(has @ rarity, 1e-9)),
                closeness,
                self._odds(at, counts, among, reports_of),
                self._parents_shared(items, parents),
                np.log(has.sum(axis=1)),
                np.log(reports_of),
                has[:, at][:, single].sum(axis=1),
                *self._lateness(kept, year),
            ]
        plain = (has[:, at] * np.log(len(alive) / np.maximum(among[at], 1.0))).sum(axis=1)
        return Compared(
            groups=tuple(self.groups[n] for n in alive),
            features=np.column_stack(columns)[alive],
            idf_overlap=plain[alive],
            profile_sizes=has.sum(axis=1)[alive],
            nearest_report=tuple(self.citations[nearest[n]] for n in alive),
            items=len(items),
        )

    def closeness_of_reports(self, items: Iterable[str]) -> list[tuple[str, str, float]]:
        """(group, citation, closeness in [0, 1]) of every report, nearest first."""
        wanted = sorted(set(items))
        has = self._counts > 0
        rarity = np.log((len(self.groups) + 1) / (has.sum(axis=0) + 0.5))
        at = np.array([self._at[item] for item in wanted if item in self._at], dtype=np.int64)
        unknown = sum(1 for item in wanted if item not in self._at)
        total = float(rarity[at].sum() + unknown * np.log((len(self.groups) + 1) / 0.5)) or 1.0
        values = self._cosines(at, rarity, total)
        found = [
            (self.groups[self.report_group[row]], self.citations[row], float(values[row]))
            for row in range(len(values))
        ]
        return sorted(found, key=lambda one: (-one[2], one[0], one[1]))

    def _cosines(self, at: NDArray[Any], rarity: Floats, total: float) -> Floats:
        shared = self._named[:, at] @ rarity[at]
        found: Floats = shared / np.sqrt(total * np.maximum(self._named @ rarity, 1e-9))
        return found

    def _nearest(
        self, at: NDArray[Any], rarity: Floats, total: float, kept: NDArray[Any]
    ) -> tuple[Floats, NDArray[Any]]:
        values = np.where(kept, self._cosines(at, rarity, total), -1.0)
        order = np.lexsort((-values, self.report_group))
        nearest = order[self._starts]
        return np.maximum(values[nearest], 0.0), nearest

    def _odds(
        self, at: NDArray[Any], counts: Floats, among: Floats, reports_of: NDArray[Any]
    ) -> Floats:
        """Naive Bayes: log odds of each item in the group's reports against a mixture of all."""
        share = among[at] / len(self.groups)
        of_group = (counts[:, at] + 0.3 * share + 0.02) / (reports_of[:, None] + 0.5)
        of_all = (among[at] + 0.1) / (len(self.groups) + 1) * 0.5 + 0.002
        found: Floats = np.log(np.minimum(of_group, 0.98) / of_all).sum(axis=1)
        return found

    def _lateness(self, kept: NDArray[Any], year: int | None) -> tuple[Floats, Floats]:
        gaps = np.abs(self._years - (np.nan if year is None else year))
        known = kept & ~np.isnan(gaps)
        nearest = np.full(len(self.groups), np.inf)
        np.minimum.at(nearest, self.report_group[known], gaps[known])
        nearest[np.isinf(nearest)] = _GAP_UNKNOWN_YEARS
        recent = self.report_group[known & (np.nan_to_num(gaps, nan=np.inf) <= _RECENT_YEARS)]
        return np.log1p(nearest), np.log1p(np.bincount(recent, minlength=len(self.groups)))

    def _parents_shared(self, items: Sequence[str], counts: Floats) -> Floats:
        of_group = counts > 0
        rarity = np.log((len(self.groups) + 1) / (of_group.sum(axis=0) + 0.5))
        wanted = sorted({parent(item) for item in items if item.startswith("T")})
        at = np.array(
            [self._parent_at[item] for item in wanted if item in self._parent_at], dtype=np.int64
        )
        found: Floats = of_group[:, at] @ rarity[at]
        return found

    def _by_group(self, rows: Floats) -> Floats:
        found = np.zeros((len(self.groups), rows.shape[1]))
        np.add.at(found, self.report_group, rows)
        return found


def parent(technique: str) -> str:
    """T1059 of T1059.001; other ids as they are."""
    return technique.partition(".")[0]

"""Time-honest tests of the desk's scores, as one JSON object.

*forward*: weights and profiles frozen at one release, on reports that a later release adds.
*leave_one_report_out*: each report of a release against all its other reports, with weights that
were fitted without it. *before_first_report*: attributed campaigns against what was known in the
years before their first report, weights and all. In each, a held-out report is held out for every
group that it describes.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kulla.attribution.choice import Weights, fit
from kulla.attribution.errors import EvaluationImpossible
from kulla.attribution.knowledge import Knowledge
from kulla.attribution.metrics import reliability, summary, wilson
from kulla.attribution.profiles import Profiles
from kulla.attribution.training import (
    ITEMS_MIN,
    LEARN_ITEMS_MIN,
    Case,
    as_time_went,
    examples,
    leave_one_out,
    unlisted_share,
)
from kulla.attribution.trials import (
    Trial,
    as_they_are,
    base_of,
    by_scores,
    given_listed,
    report_counts,
    states_of,
    trial,
)
from kulla.attribution.weighing import learn, newcomer_states

FORMAT: Final = "kulla-attribution-evaluation/1"
FORWARD_ITEMS_MIN: Final = 10
FOLDS: Final = 5
SEED: Final = 20220715
REACHED: Final = 0.8
_CASES_MIN: Final = 60


@dataclass(frozen=True)
class Lesson:
    """Cases that weights can be fitted on; both kinds, and the states of actors not listed yet."""

    alone: Sequence[Case]
    in_time: Sequence[Case]

    def fitted(self) -> tuple[Weights, float]:
        """Weights, and the share of actors not listed."""
        share = unlisted_share(self.in_time)
        return fit(examples(self.alone, self.in_time, share)), share

    def newcomers(self, knowledge: Knowledge) -> dict[str, float]:
        """The suspected states of actors when they were not listed yet."""
        return newcomer_states(knowledge, [one.group for one in self.in_time if not one.listed])


def evaluate(train: Knowledge, test: Knowledge) -> dict[str, Any]:
    """All three tests. Raises EvaluationImpossible where a test has nothing to test."""
    forward_5 = forward(train, test, ITEMS_MIN)
    forward_10 = [one for one in forward_5 if one.compared.items >= FORWARD_ITEMS_MIN]
    return {
        "format": FORMAT,
        "train": _release(train),
        "test": _release(test),
        "definitions": DEFINITIONS,
        "forward": _tested(
            forward_10,
            f"frozen at {train.release}; reports that {test.release} adds, with "
            f"{FORWARD_ITEMS_MIN} items or more",
        ),
        "forward_from_5_items": _tested(
            forward_5,
            f"frozen at {train.release}; reports that {test.release} adds, with {ITEMS_MIN} "
            "items or more",
        ),
        "leave_one_report_out": _tested(
            one_report_out(test),
            f"reports of {test.release} with {ITEMS_MIN} items or more, one by one, weights "
            f"fitted on {FOLDS - 1} of {FOLDS} parts that do not hold it",
        ),
        "before_first_report": _tested(
            before_first_report(test),
            f"attributed campaigns of {test.release}, against reports of the years before "
            "their own first report",
        ),
    }


def forward(train: Knowledge, test: Knowledge, items_min: int) -> list[Trial]:
    """Reports that the later release adds, against the earlier one as it stood."""
    learned = learn(train)
    reports = train.group_reports()
    profiles, counts = Profiles(reports, train.years), report_counts(reports)
    states = {**states_of(test.groups), **states_of(train.groups)}
    old = {*train.years, *train.copy_of}
    copied = {kept for copy, kept in test.copy_of.items() if copy in old}
    found = []
    for (group, citation), items in sorted(test.group_reports().items()):
        if citation in old or citation in copied or len(items) < items_min:
            continue
        year = test.years.get(citation) or int(train.date[:4] or 0)
        compared = profiles.compare(items, year=year)
        base = base_of(compared.groups, counts)
        found.append(
            trial(
                [group],
                compared,
                learned.weights,
                base,
                learned.unlisted_share,
                states,
                learned.newcomer_states,
            )
        )
    return found


def one_report_out(test: Knowledge) -> list[Trial]:
    """Each report of a release against all others, weights fitted without it (in folds)."""
    reports = test.group_reports()
    lesson = Lesson(leave_one_out(reports, test.years), as_time_went(reports, test.years))
    states, newcomers = states_of(test.groups), lesson.newcomers(test)
    found = []
    for part in range(FOLDS):
        kept = Lesson(
            [one for one in lesson.alone if fold_of(one.citation) != part],
            [one for one in lesson.in_time if fold_of(one.citation) != part],
        )
        weights, share = kept.fitted()
        for case in lesson.alone:
            if fold_of(case.citation) != part or len(case.items) < ITEMS_MIN:
                continue
            base = base_of(case.compared.groups, report_counts(reports, case.citation))
            found.append(
                trial([case.group], case.compared, weights, base, share, states, newcomers)
            )
    return found


def before_first_report(test: Knowledge) -> list[Trial]:
    """Attributed campaigns against what earlier years' reports said, weights and all."""
    reports = test.group_reports()
    dated = {key: year for key in reports if (year := test.years.get(key[1])) is not None}
    in_time = as_time_went(reports, test.years)
    states = states_of(test.groups)
    found = []
    for year, campaigns in sorted(_campaigns_by_year(test).items()):
        past = {key: reports[key] for key, then in dated.items() if then < year}
        seen = [one for one in in_time if one.year is not None and one.year < year]
        if len(past) < _CASES_MIN:
            continue
        lesson = Lesson(leave_one_out(past, test.years), seen)
        weights, share = lesson.fitted()
        profiles, counts = Profiles(past, test.years), report_counts(past)
        for campaign, items in campaigns:
            compared = profiles.compare(items, year=year)
            groups = _first_listed(test.campaigns[campaign].attributed_to, compared.groups)
            base = base_of(compared.groups, counts)
            found.append(
                trial(groups, compared, weights, base, share, states, lesson.newcomers(test))
            )
    return found


def fold_of(citation: str) -> int:
    """The part that a report is in: the same in every run."""
    return zlib.crc32(citation.encode()) % FOLDS


def _campaigns_by_year(test: Knowledge) -> dict[int, list[tuple[str, frozenset[str]]]]:
    """First year of a campaign's reports -> (campaign, all its items)."""
    items: dict[str, set[str]] = {}
    years: dict[str, int] = {}
    for (campaign, citation), named in sorted(test.campaign_reports().items()):
        year = test.years.get(citation)
        items.setdefault(campaign, set()).update(named)
        if year is not None:
            years[campaign] = min(year, years.get(campaign, year))
    found: dict[int, list[tuple[str, frozenset[str]]]] = {}
    for campaign, year in sorted(years.items()):
        if test.campaigns[campaign].attributed_to and len(items[campaign]) >= LEARN_ITEMS_MIN:
            found.setdefault(year, []).append((campaign, frozenset(items[campaign])))
    return found


def _first_listed(groups: Sequence[str], listed: Sequence[str]) -> list[str]:
    return sorted(groups, key=lambda one: (one not in listed, one))


def _tested(trials: Sequence[Trial], what: str) -> dict[str, Any]:
    """The figures of one test: given that the group is listed, with baselines; then as they are."""
    closed = given_listed(trials)
    if not closed:
        raise EvaluationImpossible(
            f"there is nothing to test: {what}.",
            remedy="Take releases that are further apart, or larger ones.",
        )
    open_set = as_they_are(trials)
    listed, everything = summary(closed, SEED), summary(open_set, SEED)
    withheld = [one.withheld for one in trials if one.withheld is not None]
    reach = sum(one >= REACHED for one in withheld)
    return {
        "what": what,
        "given": "the actor is listed",
        **listed,
        "baselines": {
            "idf_overlap": summary(by_scores(trials, lambda one: one.idf_overlap), SEED),
            "largest_profiles_first": summary(
                by_scores(trials, lambda one: one.profile_sizes), SEED
            ),
        },
        "reliability": reliability([(one.top, one.top_right) for one in closed]),
        "allows": allows(listed, everything),
        "open_set": {
            "given": "nothing: 'an actor not listed' is among the answers",
            "not_listed": sum(not one.listed for one in trials),
            **everything,
            "reliability": reliability([(one.top, one.top_right) for one in open_set]),
        },
        "withheld": {
            "n": len(withheld),
            "share_reaching_0_8": round(reach / len(withheld), 4),
            "interval": wilson(reach / len(withheld), len(withheld)),
            "largest": round(max(withheld), 4),
        },
    }


def allows(listed: Mapping[str, Any], everything: Mapping[str, Any]) -> list[str]:
    """What the data allow to be said of this test: a sentence for each level and condition."""
    found = []
    for given, figures in (
        ("given that the actor is listed", listed),
        ("with an actor not listed among the answers", everything),
    ):
        for level in ("group", "state"):
            interval = figures["intervals"][f"brier_skill_{level}"]
            value = figures[f"brier_skill_{level}"]
            if interval is None:
                found.append(f"Of the {level}, {given}: nothing to measure.")
            elif interval[0] > 0:
                found.append(
                    f"Of the {level}, {given}: scores are better than base rates (skill "
                    f"{value:.2f}, interval {interval[0]:.2f} to {interval[1]:.2f})."
                )
            else:
                found.append(
                    f"Of the {level}, {given}: the data don't show that scores are better than "
                    f"base rates (skill {value:.2f}, interval {interval[0]:.2f} to "
                    f"{interval[1]:.2f}). Don't rest a judgement on them there."
                )
    return found


def _release(knowledge: Knowledge) -> dict[str, Any]:
    return {
        "release": knowledge.release,
        "date": knowledge.date,
        "sha256": knowledge.sha256,
        "states": knowledge.states_source,
        "groups_with_reports": len({group for group, _ in knowledge.group_reports()}),
        "reports": len(knowledge.group_reports()),
    }


DEFINITIONS: Final[Mapping[str, str]] = {
    "n": "reports (or campaigns) tested; `groups`: how many actors they are about",
    "top1, top3, top10": "share whose group ranks so high; ties share the middle of their ranks",
    "state_top1": "share whose suspected state is the likeliest named one, of those `n_state` "
    "whose group has a suspected state",
    "brier_skill_group, brier_skill_state": "1 less the ratio of Brier scores to those of base "
    "rates (each group's share of reports by then; their states)",
    "given": "top-level figures are given that the actor is listed, as the baselines know no "
    "other case; `open_set` takes the scores as they are",
    "intervals": "95 %, by a bootstrap of 2,000 draws of whole groups",
    "withheld": "the true group taken away: how often any group's score reaches 0.8",
    "baselines": "as probabilities their scores are shares of the sum; their state is that "
    "of the group they rank first",
    "reliability": "of the likeliest answer: what was said and how often it came true",
}

"""The desk: one release of ATT&CK with what it taught, ready for any number of incidents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kulla.attribution.evidence import Incident, Item
from kulla.attribution.knowledge import Knowledge
from kulla.attribution.matrix import Ledger
from kulla.attribution.numbering import Resolved, resolve
from kulla.attribution.profiles import Profiles
from kulla.attribution.steps import Standing, nearest_reports, stand
from kulla.attribution.training import base_rates
from kulla.attribution.weighing import Learned, learn, score


@dataclass(frozen=True)
class Desk:
    """What a judgement needs besides the incident. `states` maps groups to suspected states.

    `rates` are base rates, for an incident of which nothing can be compared.
    """

    knowledge: Knowledge
    learned: Learned
    profiles: Profiles
    ledger: Ledger
    states: Mapping[str, str | None]
    rates: Mapping[str, float]

    def standing(
        self, items: Sequence[Item], resolved: Resolved, clusters: Sequence[str], year: int
    ) -> Standing:
        """How the three questions stand with exactly these items. Their order is no matter."""
        ids = {resolved.ids[one.id] for one in items if one.id in resolved.ids}
        compared = self.profiles.compare(ids, year=year)
        known = any(one in self.knowledge.names for one in ids)
        scores = score(self.learned, compared, self.knowledge, None if known else self.rates)
        near = nearest_reports(compared, self.profiles.closeness_of_reports(ids))
        return stand(scores, items, clusters, near, self.knowledge)


@dataclass(frozen=True)
class Matter:
    """An incident as the desk sees it: facts counted once, ids of the release, its year."""

    incident: Incident
    items: tuple[Item, ...]
    resolved: Resolved
    year: int

    def standing(self, desk: Desk, items: Sequence[Item] | None = None) -> Standing:
        """How the questions stand with all items, or with others in their place."""
        chosen = self.items if items is None else items
        return desk.standing(chosen, self.resolved, self.incident.clusters, self.year)


def open_desk(knowledge: Knowledge) -> Desk:
    """A desk on a release; learns its weights from the release's own reports, in a second or so.

    Raises EvaluationImpossible where its reports teach nothing.
    """
    reports = knowledge.group_reports()
    profiles = Profiles(reports, knowledge.years)
    shares = base_rates(reports, profiles.groups)
    return Desk(
        knowledge=knowledge,
        learned=learn(knowledge),
        profiles=profiles,
        ledger=Ledger(knowledge),
        states={group: one.state for group, one in knowledge.groups.items()},
        rates={group: float(share) for group, share in zip(profiles.groups, shares, strict=True)},
    )


def matter_of(incident: Incident, knowledge: Knowledge) -> Matter:
    """The incident made ready; raises EvidenceInvalid where software would count twice."""
    items = incident.counted()
    day = incident.known_at
    year = day.year if day else int(knowledge.date[:4] or 0)
    return Matter(incident, items, resolve(items, knowledge), year)

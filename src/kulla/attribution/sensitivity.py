"""What a judgement hangs on, and what would move it: items and reports taken away, others added."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kulla.attribution.ceilings import Ceiling, ceiling
from kulla.attribution.desk import Desk, Matter
from kulla.attribution.evidence import Item
from kulla.attribution.scales import VERTEX_OF, WORDS, Vertex, weaker, word_for
from kulla.attribution.steps import STEPS, Standing

_KIND_OF: Final[dict[Vertex, str]] = {
    "adversary": "working_hours",
    "infrastructure": "infrastructure",
    "victim": "target",
    "capability": "code",
}
_SHOWN: Final = 5


@dataclass(frozen=True)
class Published:
    """The leading answer of a step as it would be published."""

    key: str
    label: str
    weighed: float
    word: str


@dataclass(frozen=True)
class Change:
    """What happens to a step where `without` (an item or a report) is false.

    `moved` is by how much the leading answer's probability changes.
    """

    without: str
    kind: str
    step: str
    before: Published
    after: Published
    moved: float

    @property
    def turns(self) -> bool:
        """Whether another answer leads then."""
        return self.before.key != self.after.key

    @property
    def weakens(self) -> bool:
        """Whether another answer leads then, or the same one with a weaker word."""
        return self.turns or WORDS.index(self.after.word) < WORDS.index(self.before.word)


@dataclass(frozen=True)
class Next:
    """What to look for, and the leading answer's word if it is found, or says the opposite."""

    step: str
    what: str
    before: str
    if_for: str
    if_against: str


def published(desk: Desk, standing: Standing, step: str, items: Sequence[Item]) -> Published:
    """The leading answer of a step with its word under the ceiling."""
    lead = standing.step(step)[0]
    top = ceiling_of(desk, lead.key, items)
    return Published(lead.key, lead.label, lead.weighed, weaker(word_for(lead.weighed), top.word))


def ceiling_of(desk: Desk, key: str, items: Sequence[Item]) -> Ceiling:
    """The ceiling of a hypothesis with these items."""
    return ceiling(key, items, desk.states)


def changes(desk: Desk, matter: Matter, standing: Standing) -> list[Change]:
    """What each item, and each report as a whole, changes if it is false; the largest first."""
    found: list[Change] = []
    for item in matter.items:
        rest = [one for one in matter.items if one.id != item.id]
        found += _differences(desk, matter, standing, rest, item.id, "item")
    for origin in sorted({one.origin for one in matter.items}):
        rest = [one for one in matter.items if one.origin != origin]
        found += _differences(desk, matter, standing, rest, origin, "report")
    return sorted(
        found, key=lambda one: (not one.turns, -round(abs(one.moved), 6), one.step, one.without)
    )


def _differences(
    desk: Desk,
    matter: Matter,
    standing: Standing,
    rest: Sequence[Item],
    without: str,
    kind: str,
) -> Iterator[Change]:
    other = matter.standing(desk, rest)
    for step in STEPS:
        before = published(desk, standing, step, matter.items)
        after = published(desk, other, step, rest)
        then = {one.key: one.weighed for one in other.step(step)}
        moved = then.get(before.key, 0.0) - before.weighed
        if before.key != after.key or before.word != after.word or abs(moved) >= 0.01:
            yield Change(without, kind, step, before, after, moved)


def outlook(desk: Desk, matter: Matter, standing: Standing) -> list[Next]:
    """For each step, what would move it: missing vertices, then what tells two groups apart."""
    found: list[Next] = []
    for step in STEPS:
        lead = _named(standing, step)
        if lead is None:
            continue
        top = ceiling_of(desk, lead, matter.items)
        # With every vertex carried, what may still be missing is one more independent report.
        more: tuple[Vertex, ...] = ("infrastructure",) if top.word != WORDS[-1] else ()
        for vertex in top.missing or more:
            found.append(_vertex_next(desk, matter, standing, step, lead, vertex))
    return found + list(_telling(desk, matter, standing))


def _named(standing: Standing, step: str) -> str | None:
    """The likeliest answer that names somebody."""
    return next((one.key for one in standing.step(step) if ":" in one.key), None)


def _vertex_next(
    desk: Desk, matter: Matter, standing: Standing, step: str, lead: str, vertex: Vertex
) -> Next:
    about = lead
    if lead.startswith("report:"):
        about = f"group:{lead.split(':')[1]}"
    label = next(one.label for one in standing.step(step) if one.key == lead)
    item = Item(
        id="~what may come",
        kind=_KIND_OF[vertex],
        value="",
        said="",
        origin="~what may come",
        admiralty="B2",
        forging="costly",
        forged_by="",
        known=dt.date.max,
    )
    assert VERTEX_OF[item.kind] == vertex
    speaks_for = replace(item, ratings={about: "CC", "others": "I"})
    speaks_against = replace(item, ratings={about: "II"})
    return Next(
        step,
        f"{vertex}: a B2 item of another report, costly to forge, that ties {label} to it",
        _word(desk, matter, step, lead, matter.items),
        _word(desk, matter, step, lead, [*matter.items, speaks_for]),
        _word(desk, matter, step, lead, [*matter.items, speaks_against]),
    )


def _word(desk: Desk, matter: Matter, step: str, key: str, items: Sequence[Item]) -> str:
    standing = matter.standing(desk, items)
    weighed = next((one.weighed for one in standing.step(step) if one.key == key), 0.0)
    return weaker(word_for(weighed), ceiling_of(desk, key, items).word)


def _telling(desk: Desk, matter: Matter, standing: Standing) -> Iterator[Next]:
    """Techniques and software that the leading group's reports name and the next group's do not."""
    groups = [one for one in standing.group if one.key.startswith("group:")][:2]
    if len(groups) < 2:
        return
    first, second = (one.key.partition(":")[2] for one in groups)
    before = _word(desk, matter, "group", groups[0].key, matter.items)
    for identifier in desk.ledger.telling(first, second, matter.resolved.compared)[:_SHOWN]:
        found = replace(
            matter,
            resolved=replace(
                matter.resolved, ids={**matter.resolved.ids, "~what may come": identifier}
            ),
        )
        item = Item(
            "~what may come", "technique", identifier, "", "~", "B2", "cheap", "", dt.date.max
        )
        yield Next(
            "group",
            f"{identifier} {desk.knowledge.name(identifier)}: reported of {groups[0].label}, "
            f"not of {groups[1].label}",
            before,
            _word(desk, found, "group", groups[0].key, [*matter.items, item]),
            before,
        )

"""How strong a published word may be: as strong as what is independent of overlap carries.

The written rule. Techniques and software are shared, bought, copied and described in public, so by
themselves they carry 'realistic possibility' and no more. An item is *good* where it speaks for
the hypothesis more than for others, comes from a source of A to C with credibility 1 to 3, and is
costly or hard to forge. A vertex of the Diamond model other than capability counts where a good
item lies on it. One such vertex carries 'likely'; two, with good items of two independent reports,
'highly likely'; three, with good items of three, 'almost certain'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kulla.attribution.evidence import Item
from kulla.attribution.scales import (
    CAP_OF_OVERLAP,
    RATINGS,
    VERTICES,
    WHAT_A_VERTEX_NEEDS,
    Vertex,
)


@dataclass(frozen=True)
class Ceiling:
    """The strongest word for a hypothesis, and why.

    `carried` maps each vertex that counts to the ids of its good items; `missing` are those
    without; `reports` are the independent reports of all good items, on any vertex.
    """

    word: str
    carried: Mapping[Vertex, tuple[str, ...]]
    missing: tuple[Vertex, ...]
    reports: tuple[str, ...]

    def sentence(self) -> str:
        """Why the word stops where it stops, and what is missing."""
        if not self.missing:
            reports = "report" if len(self.reports) == 1 else "independent reports"
            return (
                f"Words stop at ‘{self.word}’. Adversary, infrastructure and victim carry it "
                f"independently of capability, with good items of {len(self.reports)} {reports}."
            )
        missing = "; ".join(f"{one} ({WHAT_A_VERTEX_NEEDS[one]})" for one in self.missing)
        return f"Words stop at ‘{self.word}’. Not carried independently: {missing}."


def ceiling(key: str, items: Iterable[Item], states: Mapping[str, str | None]) -> Ceiling:
    """The strongest word for a hypothesis of any step; `states` maps groups to states."""
    supporting = speaking_for(key, items, states)
    carried: dict[Vertex, tuple[str, ...]] = {}
    for vertex in VERTICES:
        if vertex == "capability":
            continue
        ids = [one.id for one in supporting if one.vertex == vertex and carries(one)]
        if ids:
            carried[vertex] = tuple(ids)
    reports = tuple(sorted({one.origin for one in supporting if carries(one)}))
    return Ceiling(
        word=_word(len(carried), len(reports)),
        carried=carried,
        missing=tuple(one for one in VERTICES if one != "capability" and one not in carried),
        reports=reports,
    )


def speaking_for(key: str, items: Iterable[Item], states: Mapping[str, str | None]) -> list[Item]:
    """The items that speak for a hypothesis more than for others, in order of their ids."""
    rated = sorted((one for one in items if one.ratings), key=lambda one: one.id)
    return [one for one in rated if _supports(one, key, states)]


def carries(item: Item) -> bool:
    """Whether an item is good enough to carry a vertex: A-C, 1-3, costly or hard to forge."""
    return (
        item.admiralty[0] in "ABC"
        and item.admiralty[1] in "123"
        and item.forging in ("costly", "hard")
    )


def _word(vertices: int, reports: int) -> str:
    if vertices >= 3 and reports >= 3:
        return "almost certain"
    if vertices >= 2 and reports >= 2:
        return "highly likely"
    return "likely" if vertices >= 1 else CAP_OF_OVERLAP


def _supports(item: Item, key: str, states: Mapping[str, str | None]) -> bool:
    """Whether an item speaks for a hypothesis, and more than for at least one other."""
    values = [RATINGS[one] for one in item.ratings.values()]
    own = [RATINGS[item.ratings[one]] for one in names_for(key, item.ratings, states)]
    if not own or max(own) <= 0:
        return False
    rest = [*values, 0.0] if "others" not in item.ratings else values
    return max(own) > min(rest)


def names_for(key: str, ratings: Iterable[str], states: Mapping[str, str | None]) -> Sequence[str]:
    """The names under which ratings speak of a hypothesis itself.

    A group's rating speaks for its state too; a state's says nothing on which of its groups it was.
    """
    kind, _, name = key.partition(":")
    given = list(ratings)
    if kind == "report":
        return [one for one in given if one == f"group:{name.partition(':')[0]}"]
    if kind == "state":
        of_state = [f"group:{group}" for group, state in states.items() if state == name]
        return [one for one in given if one == key or one in of_state]
    return [one for one in given if one == key]

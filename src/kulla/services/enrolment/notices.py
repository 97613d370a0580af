"""Which acts families are told of by letter: each leaves a row that the post reads in order.

The rooms' own rows say how things stand, not what came when. So beside what its room writes, an act
that is worth a letter leaves a notice: one for the child that it is about, or one for all children
of a round. What the letter says follows from how things stand when it goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from kulla.kernel.rows import RowsByKey
from kulla.kernel.service import Act, ActType
from kulla.services.enrolment import acts, tables

APPLIED: Final = "school-applied"
WITHDRAWN: Final = "school-withdrawn"
RESULT: Final = "school-result"
PLACE: Final = "school-place"
ANSWERED: Final = "school-answered"
LAPSED: Final = "school-lapsed"
APPEAL: Final = "school-appeal"
MOVED: Final = "school-moved"
ANSWER: Final = "school-answer"
"""The kinds of letters; ANSWER, the reminder of a deadline, follows from no act."""

EVERYBODY: Final = ""
"""The `child` of a notice for all children of a round."""


def with_notices(types: Mapping[str, ActType]) -> Mapping[str, ActType]:
    """The acts of the service, those that families are told of with their notices."""
    return {
        name: replace(kind, apply=_noting(kind.apply, *_TOLD[name])) if name in _TOLD else kind
        for name, kind in types.items()
    }


def _noting(
    apply: Callable[[RowsByKey, Act], None], kind: str, children: Callable[[Act], Iterator[str]]
) -> Callable[[RowsByKey, Act], None]:
    def applied(rows: RowsByKey, act: Act) -> None:
        # An act that does not fit raises here, before anything is written.
        apply(rows, act)
        for child in children(act):
            rows.put(
                tables.NOTICE,
                {
                    "id": f"{act.position:012d}-{child}",
                    "kind": kind,
                    "round": act.data["round"],
                    "child": child,
                    "position": act.position,
                },
            )

    return applied


def _its_child(act: Act) -> Iterator[str]:
    yield act.data["child"]


def _everybody(_act: Act) -> Iterator[str]:
    yield EVERYBODY


def _lapsed(act: Act) -> Iterator[str]:
    for child, _programme in act.data["rows"]:
        yield child


_TOLD: Final[Mapping[str, tuple[str, Callable[[Act], Iterator[str]]]]] = {
    acts.APPLIED: (APPLIED, _its_child),
    acts.WITHDRAWN: (WITHDRAWN, _its_child),
    acts.ROUND_MOVED: (MOVED, _everybody),
    acts.OFFERS_OPENED: (RESULT, _everybody),
    acts.PLACE_OFFERED: (PLACE, _its_child),
    acts.OFFER_ANSWERED: (ANSWERED, _its_child),
    acts.OFFER_LAPSED: (LAPSED, _lapsed),
    acts.APPEAL_DECIDED: (APPEAL, _its_child),
}

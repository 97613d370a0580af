"""What the policies of results are handed, and the checks that they share. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final

from kulla.kernel.rows import Row
from kulla.kernel.service import ALLOCATOR, Asked, Decision, Refusal, Role
from kulla.services.enrolment import tables
from kulla.services.enrolment.results import wishes

MINISTRY: Final[tuple[Role, ...]] = ("operator", "clerk")
FAMILIES: Final[tuple[Role, ...]] = ("citizen", "clerk")

HOLDING: Final = (tables.OPEN, tables.ACCEPTED, tables.WAITING)
"""The states of a result in which the child's seat is theirs."""

Decide = Callable[[Asked, Any], Decision]


@dataclass(frozen=True, slots=True)
class RoundKnown:
    """A round, and its run where somebody asked for one."""

    round: Row | None
    run: Row | None


@dataclass(frozen=True, slots=True)
class KeepKnown:
    """A round, and the parts of its transcripts that are kept already."""

    round: Row | None
    kept: Sequence[Row]


@dataclass(frozen=True, slots=True)
class PostKnown:
    """A round; by child the application and the result; by programme its row and how full it is."""

    round: Row | None
    applications: Mapping[str, Row]
    results: Mapping[str, Row]
    programmes: Mapping[str, Row]
    filled: Mapping[str, Row]


@dataclass(frozen=True, slots=True)
class ChildKnown:
    """A round, a child's result there, their places in its lists, their appeals."""

    round: Row | None
    result: Row | None
    places: Sequence[Row]
    appeals: Sequence[Row] = ()
    programme: Row | None = None


@dataclass(frozen=True, slots=True)
class ListKnown:
    """A programme with its list in order; by child of its head: the result, and all places."""

    round: Row | None
    programme: Row | None
    filled: Row | None
    places: Sequence[Row]
    results: Mapping[str, Row]
    places_of: Mapping[str, Sequence[Row]]


@dataclass(frozen=True, slots=True)
class LapseKnown:
    """A round, and by child the result and the places."""

    round: Row | None
    results: Mapping[str, Row]
    places_of: Mapping[str, Sequence[Row]]


@dataclass(frozen=True, slots=True)
class LateKnown:
    """A late child, with the programmes that are wished for and how full they are."""

    round: Row | None
    child: Row | None
    result: Row | None
    places: Sequence[Row]
    programmes: Mapping[str, Row]
    filled: Mapping[str, Row]


@dataclass(frozen=True, slots=True)
class FreeKnown:
    """A round that has ended: its rules' text, programmes, how full they are; the new id's row."""

    round: Row | None
    taken: Row | None
    rules: str
    programmes: Sequence[Row]
    filled: Mapping[str, Row]


def for_roles(*roles: Role) -> Callable[[Decide], Decide]:
    """Refuse other roles, and turn a Malformed field into a refusal."""

    def around(decide: Decide) -> Decide:
        @wraps(decide)
        def decided(asked: Asked, known: Any) -> Decision:
            if asked.actor.role not in roles or asked.actor == ALLOCATOR:
                return not_allowed(asked)
            return _shaped(decide, asked, known)

        return decided

    return around


def for_allocator(decide: Decide) -> Decide:
    """Refuse everybody but the job that allocates; turn a Malformed field into a refusal."""

    @wraps(decide)
    def decided(asked: Asked, known: Any) -> Decision:
        if asked.actor != ALLOCATOR:
            return not_allowed(asked)
        return _shaped(decide, asked, known)

    return decided


def _shaped(decide: Decide, asked: Asked, known: Any) -> Decision:
    try:
        return decide(asked, known)
    except wishes.Malformed as error:
        return Refusal("malformed", {"field": error.field})


def not_allowed(asked: Asked) -> Refusal:
    """The refusal of a role that may not do this."""
    return Refusal("not-allowed", {"role": asked.actor.role, "command": asked.name})


def wrong_state(round_row: Row | None, key: str, *states: str) -> Refusal | None:
    """Why this can't be done with the round now, or None where it is in one of the states."""
    if round_row is None:
        return Refusal("round-unknown", {"round": key})
    if round_row["state"] not in states:
        return Refusal("round-state", {"round": key, "state": round_row["state"]})
    return None


def answer_until_s(round_row: Row, result: Row) -> int:
    """Until when an offer is answered: the result's instant, or the round's if it moved later."""
    return max(number_in(result, "answer_by_s"), number_in(round_row, "answer_by_s"))


def number_in(row: Row, column: str) -> int:
    """A cell that is a number."""
    value = row[column]
    assert isinstance(value, int)
    return value


def choices_of(application: Row) -> tuple[str, ...]:
    """The programmes of an application, best first."""
    return tuple(json.loads(str(application["choices"])))


def seats_of(programme: Row) -> int:
    """All seats of a programme, over its pools."""
    return sum(int(seats) for _, seats in json.loads(str(programme["pools"])))


def held_in(filled: Row | None) -> int:
    """Seats of a programme that children hold."""
    return number_in(filled, "held") if filled is not None else 0


def free_seats(programme: Row, filled: Row | None) -> int:
    """Seats that a waiting list may give: those that nobody holds and no pool keeps; may be < 0."""
    kept = number_in(filled, "kept") if filled is not None else 0
    return seats_of(programme) - held_in(filled) - kept


def in_list(places: Sequence[Row]) -> list[Row]:
    """Those of the places where the child still waits, best choice first."""
    waiting = [place for place in places if place["state"] == tables.IN_LIST]
    return sorted(waiting, key=lambda place: number_in(place, "choice"))


def programmes_of(places: Sequence[Row]) -> list[str]:
    """The programmes of places, in their order."""
    return [str(place["programme"]) for place in places]

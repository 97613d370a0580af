"""Waiting lists move by themselves; offers lapse; late arrivals come last. Pure.

More refusals than those of `policy`:

nothing-to-move    programme       no free seat, or nobody waits
nothing-lapsed     round           none of the children let an offer lapse
programme-unknown  programme
child-unknown      child           no such child was entered
placed-already     programme       the child holds a seat: they answer it first
listed-already     programme       the child waits there, or has left that list
other-grade        programme       programmes of one grade only
"""

from __future__ import annotations

from typing import Final

from kulla.kernel.canonical import Value
from kulla.kernel.rows import Row
from kulla.kernel.service import Asked, Decision, NewAct, Refusal
from kulla.services.enrolment import acts, tables
from kulla.services.enrolment.results import wishes
from kulla.services.enrolment.results.family_policy import answer_by_s, left_by
from kulla.services.enrolment.results.known import (
    HOLDING,
    LapseKnown,
    LateKnown,
    ListKnown,
    answer_until_s,
    for_allocator,
    for_roles,
    free_seats,
    in_list,
    number_in,
    programmes_of,
    wrong_state,
)
from kulla.services.enrolment.results.policy import OPEN_POOL

MOVES_MAX: Final = 50
"""So many seats of one programme are given away by one command; the job asks again."""

LATE_MAX: Final = 50


@for_allocator
def settle_list(asked: Asked, known: ListKnown) -> Decision:
    """Give a programme's free seats to the first in its list. Data: round, programme.

    Who holds a lower choice leaves it at once, so a chain goes on with the next command, for the
    programme that was left. The seat is decided on from the registers and never from what the job
    saw: nobody is placed beyond capacity, however often it asks.
    """
    fields = wishes.Fields(asked.data)
    key, name = fields.id("round"), fields.id("programme")
    fields.end()
    wrong = wrong_state(known.round, key, tables.OFFERED)
    if wrong is not None:
        return wrong
    assert known.round is not None
    if known.programme is None:
        return Refusal("programme-unknown", {"programme": name})
    free = min(free_seats(known.programme, known.filled), MOVES_MAX)
    moved = [
        NewAct(acts.PLACE_OFFERED, _offer(asked, known, place))
        for place in known.places[: max(free, 0)]
    ]
    return tuple(moved) or Refusal("nothing-to-move", {"programme": name})


def _offer(asked: Asked, known: ListKnown, place: Row) -> dict[str, Value]:
    assert known.round is not None
    child, choice = str(place["child"]), number_in(place, "choice")
    result = known.results[child]
    left = left_by(choice, known.places_of[child])
    return {
        "round": place["round"],
        "child": child,
        "programme": place["programme"],
        "pool": OPEN_POOL,
        "choice": choice,
        "from_programme": result["programme"] if result["state"] in HOLDING else "",
        "answer_by_s": answer_by_s(known.round, asked.at_ms),
        "left": left,
        "state": _state_after(result, len(in_list(known.places_of[child])) - len(left)),
    }


def _state_after(result: Row, lists_left: int) -> str:
    """Who waits with a seat in hand has said yes to any higher choice; others are asked."""
    if result["state"] != tables.WAITING:
        return tables.OPEN
    return tables.WAITING if lists_left else tables.ACCEPTED


@for_allocator
def lapse_offers(asked: Asked, known: LapseKnown) -> Decision:
    """Offers that nobody answered in time go to the next. Data: round, children [...].

    Who does not answer leaves the waiting lists, too. Children whose offer has not lapsed are
    passed over, so that an answer of the last moment counts.
    """
    fields = wishes.Fields(asked.data)
    key, children = fields.id("round"), fields.children("children")
    fields.end()
    wrong = wrong_state(known.round, key, tables.OFFERED)
    if wrong is not None:
        return wrong
    assert known.round is not None
    rows: list[Value] = []
    left: list[Value] = []
    for child in children:
        result = known.results.get(child)
        if result is None or result["state"] != tables.OPEN:
            continue
        if asked.at_ms > answer_until_s(known.round, result) * 1000:
            rows.append([child, result["programme"]])
            waiting = programmes_of(in_list(known.places_of.get(child, ())))
            left += [[programme, child] for programme in waiting]
    if not rows:
        return Refusal("nothing-lapsed", {"round": key})
    return (NewAct(acts.OFFER_LAPSED, {"round": key, "rows": rows, "left": left}),)


@for_roles("clerk")
def place_late(asked: Asked, known: LateKnown) -> Decision:
    """A child who came late goes to the end of lists. Data: round, child, programmes, best first.

    Where a programme has a free seat and nobody waits, the list moves at once and the child has it.
    """
    fields = wishes.Fields(asked.data)
    key, child = fields.id("round"), fields.hex_id("child")
    programmes = fields.ids("programmes", LATE_MAX)
    fields.end()
    wrong = wrong_state(known.round, key, tables.OFFERED)
    if wrong is not None:
        return wrong
    refusal = _not_late(child, programmes, known)
    if refusal is not None:
        return refusal
    first = max((number_in(place, "choice") for place in known.places), default=0) + 1
    return tuple(
        NewAct(acts.LATE_PLACED, _late(key, child, programme, first + number, known))
        for number, programme in enumerate(programmes)
    )


def _late(key: str, child: str, programme: str, choice: int, known: LateKnown) -> dict[str, Value]:
    filled = known.filled.get(programme)
    last = number_in(filled, "last_order") if filled is not None else 0
    return {
        "round": key,
        "child": child,
        "programme": programme,
        "order": last + 1,
        "choice": choice,
    }


def _not_late(child: str, programmes: tuple[str, ...], known: LateKnown) -> Refusal | None:
    if known.child is None:
        return Refusal("child-unknown", {"child": child})
    if known.result is not None and known.result["state"] in HOLDING:
        return Refusal("placed-already", {"programme": known.result["programme"]})
    listed = set(programmes_of(known.places))
    for programme in programmes:
        if programme not in known.programmes:
            return Refusal("programme-unknown", {"programme": programme})
        if programme in listed:
            return Refusal("listed-already", {"programme": programme})
        if known.programmes[programme]["grade"] != known.programmes[programmes[0]]["grade"]:
            return Refusal("other-grade", {"programme": programme})
    return None

"""Families answer, leave lists and appeal; clerks decide. Pure.

More refusals than those of `policy`:

no-result          child           the round has no result of this child
no-offer           child, state    the child has no seat to answer for
same-answer        answer          that is the answer already
deadline-passed    answer_by_s     only giving up a seat is possible after it
no-list            child           there is no waiting list to wait in
not-in-list        programme       the child does not wait there
appeal-open        appeal          the last appeal is not decided yet
too-many-appeals   max
appeal-unknown     appeal
appeal-decided     appeal, state
programme-unknown  programme
placed-already     programme       the child has a seat there
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kulla.kernel.canonical import Value
from kulla.kernel.rows import Row
from kulla.kernel.service import Asked, Decision, NewAct, Refusal
from kulla.services.enrolment import acts, tables
from kulla.services.enrolment.results import wishes
from kulla.services.enrolment.results.known import (
    FAMILIES,
    HOLDING,
    ChildKnown,
    answer_until_s,
    for_roles,
    in_list,
    number_in,
    programmes_of,
    wrong_state,
)

APPEALS_MAX: Final = 5
DAY_S: Final = 86_400
ANSWERS: Final = (tables.ACCEPTED, tables.WAITING, tables.DECLINED)


@for_roles(*FAMILIES)
def answer_offer(asked: Asked, known: ChildKnown) -> Decision:
    """A family answers its offer. Data: round, answer; at a counter also child.

    'accepted' leaves all waiting lists; 'waiting' keeps the seat and the places in lists;
    'declined' gives the seat to the next child and keeps the places. After the deadline no first
    answer counts; a seat can be given up until the round ends.
    """
    fields = wishes.Fields(asked.data)
    key, answer, child = fields.id("round"), fields.one_of("answer", ANSWERS), whom(asked, fields)
    fields.end()
    wrong = _not_offered(known, key, child)
    if wrong is not None:
        return wrong
    assert known.result is not None
    result, waiting = known.result, in_list(known.places)
    if result["state"] not in HOLDING:
        return Refusal("no-offer", {"child": child, "state": result["state"]})
    if result["state"] == answer:
        return Refusal("same-answer", {"answer": answer})
    assert known.round is not None
    until_s = answer_until_s(known.round, result)
    if (
        answer != tables.DECLINED
        and result["state"] == tables.OPEN
        and asked.at_ms > until_s * 1000
    ):
        return Refusal("deadline-passed", {"answer_by_s": until_s})
    if answer == tables.WAITING and not waiting:
        return Refusal("no-list", {"child": child})
    data: dict[str, Value] = {
        "round": key,
        "child": child,
        "answer": answer,
        "programme": result["programme"],
        "left": programmes_of(waiting) if answer == tables.ACCEPTED else [],
    }
    return (NewAct(acts.OFFER_ANSWERED, data),)


@for_roles(*FAMILIES)
def leave_lists(asked: Asked, known: ChildKnown) -> Decision:
    """A family leaves waiting lists. Data: round, programmes [...]; at a counter also child."""
    fields = wishes.Fields(asked.data)
    key, child = fields.id("round"), whom(asked, fields)
    programmes = fields.ids("programmes", wishes.CHOICES_MAX)
    fields.end()
    wrong = _not_offered(known, key, child)
    if wrong is not None:
        return wrong
    waiting = programmes_of(in_list(known.places))
    for programme in programmes:
        if programme not in waiting:
            return Refusal("not-in-list", {"programme": programme})
    data: dict[str, Value] = {"round": key, "child": child, "programmes": list(programmes)}
    return (NewAct(acts.LIST_LEFT, data),)


@for_roles(*FAMILIES)
def appeal(asked: Asked, known: ChildKnown) -> Decision:
    """A family appeals. Data: round, text (sealed for the child); at a counter also child."""
    fields = wishes.Fields(asked.data)
    key, child, text = fields.id("round"), whom(asked, fields), fields.sealed("text")
    fields.end()
    wrong = _not_offered(known, key, child)
    if wrong is not None:
        return wrong
    for row in known.appeals:
        if row["state"] == tables.APPEALED:
            return Refusal("appeal-open", {"appeal": row["id"]})
    if len(known.appeals) >= APPEALS_MAX:
        return Refusal("too-many-appeals", {"max": APPEALS_MAX})
    data: dict[str, Value] = {
        "round": key,
        "child": child,
        "appeal": asked.fresh_id(),
        "text": text,
    }
    return (NewAct(acts.APPEALED, data),)


@for_roles("clerk")
def decide_appeal(asked: Asked, known: ChildKnown) -> Decision:
    """A clerk decides. Data: round, child, appeal, verdict, reason (sealed), programme or ''.

    A programme comes with 'granted' alone: a seat beyond capacity, which the family answers like
    any offer, in as many days as the round gave for the first answers.
    """
    fields = wishes.Fields(asked.data)
    key, child, about = fields.id("round"), fields.hex_id("child"), fields.hex_id("appeal")
    verdict = fields.one_of("verdict", (tables.GRANTED, tables.REJECTED))
    reason, programme = fields.sealed("reason"), fields.id_or_none("programme")
    fields.end()
    wrong = _not_offered(known, key, child)
    if wrong is not None:
        return wrong
    row = next((row for row in known.appeals if row["id"] == about), None)
    if row is None:
        return Refusal("appeal-unknown", {"appeal": about})
    if row["state"] != tables.APPEALED:
        return Refusal("appeal-decided", {"appeal": about, "state": row["state"]})
    data: dict[str, Value] = {
        "round": key,
        "child": child,
        "appeal": about,
        "verdict": verdict,
        "reason": reason,
        "programme": programme,
    }
    if not programme:
        return (NewAct(acts.APPEAL_DECIDED, data),)
    refusal = _no_seat_there(verdict, programme, known)
    if refusal is not None:
        return refusal
    return (NewAct(acts.APPEAL_DECIDED, data | _seat(asked, programme, known)),)


def _no_seat_there(verdict: str, programme: str, known: ChildKnown) -> Refusal | None:
    """Why the decision can't give a seat in this programme, or None."""
    if verdict != tables.GRANTED:
        return Refusal("malformed", {"field": "programme"})
    if known.programme is None:
        return Refusal("programme-unknown", {"programme": programme})
    assert known.result is not None
    if known.result["programme"] == programme and known.result["state"] in HOLDING:
        return Refusal("placed-already", {"programme": programme})
    return None


def _seat(asked: Asked, programme: str, known: ChildKnown) -> dict[str, Value]:
    """What an offer beyond capacity says besides the decision."""
    assert known.round is not None
    assert known.result is not None
    place = next((row for row in known.places if row["programme"] == programme), None)
    choice = number_in(place, "choice") if place is not None else 0
    held = known.result["programme"] if known.result["state"] in HOLDING else ""
    return {
        "choice": choice,
        "from_programme": held,
        "answer_by_s": answer_by_s(known.round, asked.at_ms),
        "left": left_by(choice, known.places) if choice else [],
    }


def left_by(choice: int, places: Sequence[Row]) -> list[Value]:
    """The lists that a seat in the `choice`-th programme makes needless: its own and lower ones."""
    waiting = in_list(places)
    return [*programmes_of([one for one in waiting if number_in(one, "choice") >= choice])]


def answer_by_s(round_row: Row, at_ms: int) -> int:
    """Until when a later offer is answered: as long as the first ones had, at least a day."""
    first = number_in(round_row, "answer_by_s")
    span = max(first - number_in(round_row, "results_s"), DAY_S)
    return max(at_ms // 1000 + span, first)


def whom(asked: Asked, fields: wishes.Fields) -> str:
    """The child that a command is about: whom a citizen acts for; at a counter the one it names."""
    return fields.hex_id("child") if asked.actor.role == "clerk" else asked.actor.whom


def _not_offered(known: ChildKnown, key: str, child: str) -> Refusal | None:
    wrong = wrong_state(known.round, key, tables.OFFERED)
    if wrong is None and known.result is None:
        return Refusal("no-result", {"child": child})
    return wrong

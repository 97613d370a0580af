"""Results are posted, opened, and free seats go on: the job's and the ministry's wishes. Pure.

The rules in prose, with a worked round, are in docs/services/enrolment-results.md, which is run as
a test. Refusals, with the values of their sentence:

malformed          field           a field is missing, unknown or misshapen
not-allowed        role, command   that role may not do this, or only the job may
round-unknown      round
round-state        round, state    the round is not where this can be done
asked-already      round           the ministry asked for this allocation before
part-out-of-order  part            parts come one after the other
application-unknown child          no filed application of this round
posted-already     child           the child has a result
not-a-choice       child, programme    the family did not ask for it, or as another choice
programme-unknown  programme
over-capacity      programme, seats    more children than seats
parts-missing      parts, posted   not all results were posted
kept-already       kind, part      this part of a transcript is kept
count-differs      count, filed    results and filed applications differ in number
round-exists       round           the new round's id is in use
no-free-seats      round           nothing is left to give away
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from kulla.kernel.canonical import Value
from kulla.kernel.rows import Row
from kulla.kernel.service import Asked, Decision, NewAct, Refusal
from kulla.services.enrolment import acts, tables
from kulla.services.enrolment.results import wishes
from kulla.services.enrolment.results.known import (
    MINISTRY,
    FreeKnown,
    KeepKnown,
    PostKnown,
    RoundKnown,
    choices_of,
    for_allocator,
    for_roles,
    free_seats,
    held_in,
    seats_of,
    wrong_state,
)

OPEN_POOL: Final = "open"
TRANSCRIPTS: Final = ("public", "audit")


@for_roles(*MINISTRY)
def ask_allocation(asked: Asked, known: RoundKnown) -> Decision:
    """The ministry wants a drawn round allocated. Data: round."""
    fields = wishes.Fields(asked.data)
    key = fields.id("round")
    fields.end()
    wrong = wrong_state(known.round, key, tables.DRAWN)
    if wrong is not None:
        return wrong
    if known.run is not None and known.run["asked_ms"]:
        return Refusal("asked-already", {"round": key})
    return (NewAct(acts.ALLOCATION_ASKED, {"round": key}),)


@for_allocator
def post_results(asked: Asked, known: PostKnown) -> Decision:
    """One part of a round's results. Data: as the act results_posted.

    Each child has a filed application, each seat is one of its choices, no programme gets more
    children than it has seats, and each place is in the list of a higher choice.
    """
    fields = wishes.Fields(asked.data)
    key, parts = fields.id("round"), fields.number("parts", 1, wishes.PARTS_MAX)
    part = fields.number("part", 1, parts)
    rows, places = fields.results("rows"), fields.places("places")
    fields.end()
    wrong = wrong_state(known.round, key, tables.DRAWN)
    if wrong is not None:
        return wrong
    assert known.round is not None
    if known.round["parts_posted"] != part - 1:
        return Refusal("part-out-of-order", {"part": part})
    refusal = (
        _unfounded(rows, known) or _out_of_place(rows, places, known) or _too_many(rows, known)
    )
    if refusal is not None:
        return refusal
    data: dict[str, Value] = {
        "round": key,
        "part": part,
        "parts": parts,
        "rows": [[one.child, one.programme, one.pool, one.choice] for one in rows],
        "places": [[one.programme, one.child, one.order, one.choice] for one in places],
    }
    return (NewAct(acts.RESULTS_POSTED, data),)


def _unfounded(rows: Sequence[wishes.ResultWish], known: PostKnown) -> Refusal | None:
    """The refusal of a result that no filed application asks for."""
    for one in rows:
        application = known.applications.get(one.child)
        if application is None or application["state"] != tables.FILED:
            return Refusal("application-unknown", {"child": one.child})
        if one.child in known.results:
            return Refusal("posted-already", {"child": one.child})
        if one.programme and not _is_choice(application, one.programme, one.choice):
            return Refusal("not-a-choice", {"child": one.child, "programme": one.programme})
    return None


def _out_of_place(
    rows: Sequence[wishes.ResultWish], places: Sequence[wishes.PlaceWish], known: PostKnown
) -> Refusal | None:
    """The refusal of a place that is not above what the same part gives the same child."""
    given = {one.child: one for one in rows}
    for place in places:
        about: dict[str, Value] = {"child": place.child, "programme": place.programme}
        result = given.get(place.child)
        if result is None:
            return Refusal("not-a-choice", about)
        if not _is_choice(known.applications[place.child], place.programme, place.choice):
            return Refusal("not-a-choice", about)
        if result.choice and place.choice >= result.choice:
            return Refusal("not-a-choice", about)
    return None


def _is_choice(application: Row, programme: str, choice: int) -> bool:
    """Whether the family asked for it; `choice` counts in the order in which it was tried."""
    choices = choices_of(application)
    return choice <= len(choices) and programme in choices


def _too_many(rows: Sequence[wishes.ResultWish], known: PostKnown) -> Refusal | None:
    """The refusal of a programme that would get more children than seats."""
    for name, more in Counter(one.programme for one in rows if one.programme).items():
        programme = known.programmes.get(name)
        if programme is None:
            return Refusal("programme-unknown", {"programme": name})
        seats = seats_of(programme)
        if held_in(known.filled.get(name)) + more > seats:
            return Refusal("over-capacity", {"programme": name, "seats": seats})
    return None


@for_allocator
def finish_allocation(asked: Asked, known: RoundKnown) -> Decision:
    """All parts are posted. Data: as the act allocated, and parts."""
    fields = wishes.Fields(asked.data)
    key, parts = fields.id("round"), fields.number("parts", 0, wishes.PARTS_MAX)
    public, audit = fields.hash("public"), fields.hash("audit")
    count = fields.number("count", 0, wishes.COUNT_MAX)
    placed = fields.number("placed", 0, count)
    kept = fields.seats("kept")
    fields.end()
    wrong = wrong_state(known.round, key, tables.DRAWN)
    if wrong is not None:
        return wrong
    assert known.round is not None
    if known.round["parts_posted"] != parts:
        return Refusal("parts-missing", {"parts": parts, "posted": known.round["parts_posted"]})
    if known.round["list_count"] != count:
        return Refusal("count-differs", {"count": count, "filed": known.round["list_count"]})
    data: dict[str, Value] = {
        "round": key,
        "public": public,
        "audit": audit,
        "placed": placed,
        "count": count,
        "kept": [[programme, seats] for programme, seats in kept],
    }
    return (NewAct(acts.ALLOCATED, data),)


@for_allocator
def keep_transcript(asked: Asked, known: KeepKnown) -> Decision:
    """A part of a transcript is held as a file. Data: as the act transcript_kept.

    All parts are sealed under one key, which the first of them brings.
    """
    fields = wishes.Fields(asked.data)
    key, kind = fields.id("round"), fields.one_of("kind", TRANSCRIPTS)
    parts = fields.number("parts", 1, wishes.FILES_MAX)
    part, subject = fields.number("part", 1, parts), fields.hex_id("subject")
    blob, wrapped = fields.hash("blob"), fields.hash_or_none("key")
    fields.end()
    wrong = wrong_state(known.round, key, tables.ALLOCATED, tables.OFFERED, tables.ENDED)
    if wrong is not None:
        return wrong
    if any((row["kind"], row["part"]) == (kind, part) for row in known.kept):
        return Refusal("kept-already", {"kind": kind, "part": part})
    if bool(wrapped) == bool(known.kept) or any(row["subject"] != subject for row in known.kept):
        return Refusal("malformed", {"field": "key"})
    data: dict[str, Value] = {
        "round": key,
        "kind": kind,
        "part": part,
        "parts": parts,
        "subject": subject,
        "key": wrapped,
        "blob": blob,
    }
    names = (wrapped, blob) if wrapped else (blob,)
    return (NewAct(acts.TRANSCRIPT_KEPT, data, names),)


@for_roles(*MINISTRY)
def open_offers(asked: Asked, known: RoundKnown) -> Decision:
    """Families see their results from now on. Data: round."""
    fields = wishes.Fields(asked.data)
    key = fields.id("round")
    fields.end()
    wrong = wrong_state(known.round, key, tables.ALLOCATED)
    return wrong or (NewAct(acts.OFFERS_OPENED, {"round": key}),)


@for_roles(*MINISTRY)
def open_audit(asked: Asked, known: RoundKnown) -> Decision:
    """A clerk takes the auditor's transcript. Data: round, reason (one line)."""
    fields = wishes.Fields(asked.data)
    key, reason = fields.id("round"), fields.text("reason")
    fields.end()
    wrong = wrong_state(known.round, key, tables.ALLOCATED, tables.OFFERED, tables.ENDED)
    return wrong or (NewAct(acts.AUDIT_OPENED, {"round": key, "reason": reason}),)


@for_roles(*MINISTRY)
def prepare_complementary(asked: Asked, known: FreeKnown) -> Decision:
    """A new round with the free seats of one that has ended, under the same rules.

    Data: round (new id), parent, title, opens_s, closes_s, results_s, answer_by_s. Seats that a
    pool kept are given to everybody, too. The new round is prepared, not yet published.
    """
    fields = wishes.Fields(asked.data)
    key, parent, title = fields.id("round"), fields.id("parent"), fields.text("title")
    days = [
        fields.number(name, 0, wishes.SECONDS_MAX)
        for name in ("opens_s", "closes_s", "results_s", "answer_by_s")
    ]
    fields.end()
    if days != sorted(set(days)):
        return Refusal("malformed", {"field": "closes_s"})
    wrong = wrong_state(known.round, parent, tables.ENDED)
    if wrong is not None:
        return wrong
    assert known.round is not None
    if known.taken is not None:
        return Refusal("round-exists", {"round": key})
    seats = _free_programmes(key, known)
    if not seats:
        return Refusal("no-free-seats", {"round": parent})
    prepared: dict[str, Value] = {
        "round": key,
        "title": title,
        "school_year": known.round["school_year"],
        "zone": known.round["zone"],
        **dict(zip(("opens_s", "closes_s", "results_s", "answer_by_s"), days, strict=True)),
        "parent": parent,
    }
    rules: dict[str, Value] = {"round": key, "version": 1, "rules": known.rules}
    return (NewAct(acts.ROUND_PREPARED, prepared), NewAct(acts.RULES_SET, rules), *seats)


def _free_programmes(key: str, known: FreeKnown) -> list[NewAct]:
    """The acts that give the new round every programme that has free seats."""
    found = []
    for row in known.programmes:
        filled = known.filled.get(str(row["programme"]))
        kept = int(str(filled["kept"])) if filled is not None else 0
        free = free_seats(row, filled) + kept
        if free > 0:
            data: dict[str, Value] = {
                **{name: row[name] for name in ("programme", "school", "grade", "name")},
                "round": key,
                "pools": [[OPEN_POOL, free]],
            }
            found.append(NewAct(acts.PROGRAMME_SET, data))
    return found

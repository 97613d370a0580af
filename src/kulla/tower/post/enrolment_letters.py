"""Which letters about school enrolment are due, read from the registers alone.

Half a million children may have their result in the same minute, so nothing here reads them all:
notices are read in the order of their acts, one for a whole round is followed child by child over
as many looks as it takes, and offers that nobody answered by an index on their deadline. Guardians
are told, nobody else, and no letter says a school, a class or a child's name.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from kulla.portal import words
from kulla.services.enrolment import notices, tables
from kulla.services.messages.school_words import SchoolOccasion, compose, compose_short
from kulla.tower.post.registers import PostRegisters
from kulla.tower.post.sources import AT_ONCE, NO_LONGER, Intent, Recipient, Texts

DAY_S: Final = 86_400
REMIND_BEFORE_S: Final = 2 * DAY_S
TOLD_WITHIN_S: Final = 14 * DAY_S
ANSWERS_AGAIN_S: Final = 3600.0
"""How long after a look for answers that are missing the next begins: there may be very many."""

_LISTED: Final[Mapping[str, str]] = {
    notices.RESULT: tables.RESULT,
    notices.MOVED: tables.APPLICATION,
}
"""Where the children of a round stand whom a notice for everybody is about."""
_OF_APPLICATIONS: Final = (notices.APPLIED, notices.WITHDRAWN, notices.MOVED)
_AFTER_EVERY_CHILD: Final = "g"  # behind all hexadecimal digits

CHILDREN_AFTER: Final = (
    "SELECT child FROM {table} WHERE id > ? AND id < ? AND +round = ? ORDER BY id LIMIT ?"
)
"""The next children of a round, by the key. Without the plus SQLite would take the index on the
round instead, and sort half a million rows for each look."""
UNANSWERED_AFTER: Final = (
    "SELECT t.id, t.round, t.child, t.answer_by_s, t.changed_ms, r.answer_by_s AS rounds,"  # noqa: S608
    f" r.results_s FROM {tables.RESULT} t JOIN {tables.ROUND} r ON r.id = t.round"
    " WHERE t.state = ? AND r.state = ? AND (t.answer_by_s, t.id) > (?, ?)"
    " AND t.answer_by_s <= ? ORDER BY t.answer_by_s, t.id LIMIT ?"
)
"""The next offers that nobody answered, by their deadline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchoolIntent(Intent):
    """A letter about a child's enrolment; `about` is '<round>-<child>'.

    `until_s`: until when to answer, 0 where nothing is to be answered. `days` are the new days of
    a round that was moved: when it closes, its results come out, answers end; 0 for one that
    stays. `again` tells a changed application from a new one.
    """

    round: str
    zone: str = "UTC"
    until_s: int = 0
    days: tuple[int, int, int] = (0, 0, 0)
    again: bool = False


@dataclass(frozen=True, slots=True)
class _Inside:
    """A notice for a whole round that is being followed; `child` was the last one."""

    kind: str
    round: str
    position: int
    child: str = ""


class EnrolmentLetters:
    """See LetterSource."""

    def __init__(self, registers: PostRegisters) -> None:
        self._rows = registers
        self._up_to = registers.looked_up_to()
        self._key = f"{self._up_to:012d}"
        self._inside: _Inside | None = None
        self._answers: tuple[int, str] | None = None
        self._answers_s = -ANSWERS_AGAIN_S

    def look(self, now_ms: int, now_s: float, below: int) -> Sequence[Intent]:
        """See LetterSource."""
        found = self._noticed(below) if self._inside is None else []
        if self._inside is not None:
            found += self._of_round(self._inside)
        if self._answers is None and now_s - self._answers_s >= ANSWERS_AGAIN_S:
            self._answers, self._answers_s = (0, ""), now_s
        if self._answers is not None:
            found += self._unanswered(now_ms // 1000, self._answers)
        return found

    def looked(self) -> int:
        """See LetterSource."""
        return self._up_to

    def again(self, intent: Intent, below: int) -> Intent | None:
        """See LetterSource."""
        assert isinstance(intent, SchoolIntent)
        over = replace(intent, until_ms=NO_LONGER)
        row = self._row(tables.ROUND, intent.round)
        if row is None:
            return over
        if row["position"] >= below:
            return None
        intent = replace(intent, zone=row["zone"])
        if intent.kind in _OF_APPLICATIONS:
            return self._of_application(intent, row, below)
        if intent.kind == notices.APPEAL:
            return self._of_appeal(intent, row, below)
        return self._of_result(intent, row, below)

    def recipients(self, intent: Intent, now_ms: int, below: int) -> Sequence[Recipient]:
        """See LetterSource: the child's guardians."""
        return self._rows.guardians(intent.subject, now_ms, below)

    def texts(self, intent: Intent, recipient: Recipient, site: str) -> Texts:
        """See LetterSource. Raises what a zone that nobody knows raises."""
        del recipient
        assert isinstance(intent, SchoolIntent)
        occasion = SchoolOccasion(
            page=f"{site}/enrolment/{'children' if intent.kind in _OF_APPLICATIONS else 'results'}",
            until=_moment(intent.until_s, intent.zone),
            days=tuple(_moment(at_s, intent.zone) for at_s in intent.days),
            again=intent.again,
        )
        subject, body = compose(intent.kind, occasion, site)
        return Texts(subject, body, compose_short(intent.kind, occasion))

    # what is looked at

    def _noticed(self, below: int) -> list[Intent]:
        """Letters of the next notices, up to one for a whole round."""
        rows = self._rows.all(
            f"SELECT * FROM {tables.NOTICE} WHERE id > ? AND id < ? ORDER BY id LIMIT ?",  # noqa: S608
            self._key,
            f"{below:012d}",
            AT_ONCE,
        )
        found: list[Intent] = []
        for row in rows:
            self._key, self._up_to = row["id"], row["position"]
            if row["child"] == notices.EVERYBODY:
                self._inside = _Inside(row["kind"], row["round"], row["position"])
                return found
            found.append(_intent(row["kind"], row["round"], row["child"], row["position"]))
        if len(rows) < AT_ONCE:
            self._up_to = max(self._up_to, below)
        return found

    def _of_round(self, inside: _Inside) -> list[Intent]:
        """Letters to the next children of a round whom a notice for everybody is about."""
        rows = self._rows.all(
            CHILDREN_AFTER.format(table=_LISTED[inside.kind]),
            f"{inside.round}-{inside.child}",
            f"{inside.round}-{_AFTER_EVERY_CHILD}",
            inside.round,
            AT_ONCE,
        )
        full = len(rows) == AT_ONCE
        self._inside = replace(inside, child=rows[-1]["child"]) if full else None
        return [_intent(inside.kind, inside.round, row["child"], inside.position) for row in rows]

    def _unanswered(self, now_s: int, after: tuple[int, str]) -> list[Intent]:
        """Reminders of offers whose deadline is near; those of the next rows by their deadline.

        A round whose deadline moved has offers that say the old one: they are read, and passed
        over until it is near.
        """
        rows = self._rows.all(
            UNANSWERED_AFTER,
            tables.OPEN,
            tables.OFFERED,
            *after,
            now_s + REMIND_BEFORE_S,
            AT_ONCE,
        )
        found: list[Intent] = []
        for row in rows:
            until_s = max(row["answer_by_s"], row["rounds"])
            due_s = until_s - REMIND_BEFORE_S
            # Who got the offer later than that has just read until when to answer.
            if row["results_s"] < due_s <= now_s and row["changed_ms"] < due_s * 1000:
                intent = _intent(notices.ANSWER, row["round"], row["child"], until_s)
                found.append(replace(intent, position=-1, reminder=True))
        last = rows[-1] if len(rows) == AT_ONCE else None
        self._answers = (last["answer_by_s"], last["id"]) if last else None
        return found

    # how things stand

    def _of_application(
        self, intent: SchoolIntent, round_row: sqlite3.Row, below: int
    ) -> SchoolIntent | None:
        row = self._row(tables.APPLICATION, intent.about)
        if row is not None and row["position"] >= below:
            return None
        filed = row is not None and row["state"] == tables.FILED
        if intent.kind == notices.MOVED:
            return self._of_move(intent, round_row) if filed else _over(intent)
        wanted = filed == (intent.kind == notices.APPLIED)
        # Of several changes the last is told.
        if row is None or row["position"] != intent.position or not wanted:
            return _over(intent)
        until_s = max(round_row["closes_s"], row["changed_ms"] // 1000 + DAY_S)
        return replace(intent, until_ms=until_s * 1000, again=row["changes"] > 1)

    def _of_move(self, intent: SchoolIntent, round_row: sqlite3.Row) -> SchoolIntent:
        """The days that moved, where no later act moved them again."""
        move = self._row(tables.MOVE, f"{intent.round}-{intent.position:012d}")
        days = ("closes_s", "results_s", "answer_by_s")
        if move is None or any(move[day] != round_row[day] for day in days):
            return _over(intent)
        closes_s, results_s, answer_by_s = (
            move[day] if move[day] != move[f"was_{day}"] else 0 for day in days
        )
        last_s = max(closes_s, results_s, answer_by_s, move["opens_s"])
        return replace(intent, days=(closes_s, results_s, answer_by_s), until_ms=last_s * 1000)

    def _of_result(
        self, intent: SchoolIntent, round_row: sqlite3.Row, below: int
    ) -> SchoolIntent | None:
        row = self._row(tables.RESULT, intent.about)
        if row is None or round_row["state"] != tables.OFFERED:
            return _over(intent)
        if row["position"] >= below:
            return None
        is_open = row["state"] == tables.OPEN
        answer_s = max(row["answer_by_s"], round_row["answer_by_s"])
        told_s = row["changed_ms"] // 1000 + TOLD_WITHIN_S
        # What came later than the act has a letter, or an answer, of its own.
        if intent.kind == notices.ANSWER:
            stands, until_s = is_open and answer_s == intent.mark, answer_s
        elif intent.kind == notices.RESULT:
            stands, until_s = row["position"] < intent.position, answer_s
        elif intent.kind == notices.PLACE:
            stands, until_s = row["position"] == intent.position, answer_s if is_open else told_s
        else:
            lapsed = row["state"] == tables.LAPSED
            stands, until_s = lapsed and row["position"] == intent.position, told_s
        if not stands:
            return _over(intent)
        return replace(intent, until_ms=until_s * 1000, until_s=answer_s if is_open else 0)

    def _of_appeal(
        self, intent: SchoolIntent, round_row: sqlite3.Row, below: int
    ) -> SchoolIntent | None:
        row = self._rows.one(
            f"SELECT * FROM {tables.APPEAL} WHERE child = ? AND position = ?",  # noqa: S608
            intent.subject,
            intent.position,
        )
        result = self._row(tables.RESULT, intent.about)
        if row is None or result is None:
            return _over(intent)
        if result["position"] >= below:
            return None
        until_s = row["decided_ms"] // 1000 + TOLD_WITHIN_S
        offered = row["programme"] and result["state"] == tables.OPEN
        answer_s = max(result["answer_by_s"], round_row["answer_by_s"]) if offered else 0
        return replace(intent, until_ms=until_s * 1000, until_s=answer_s)

    def _row(self, table: str, key: str) -> sqlite3.Row | None:
        return self._rows.one(f'SELECT * FROM "{table}" WHERE id = ?', key)  # noqa: S608


def _intent(kind: str, round_id: str, child: str, position: int) -> SchoolIntent:
    """A letter before it is read how things stand; `again` says that, and until when."""
    return SchoolIntent(
        kind=kind,
        about=f"{round_id}-{child}",
        mark=position,
        subject=child,
        until_ms=NO_LONGER,
        position=position,
        round=round_id,
    )


def _over(intent: SchoolIntent) -> SchoolIntent:
    return replace(intent, until_ms=NO_LONGER)


def _moment(at_s: int, zone: str) -> str:
    """The instant in words by the round's clock; '' for none."""
    if not at_s:
        return ""
    return words.moment(datetime.fromtimestamp(at_s, UTC).astimezone(ZoneInfo(zone)))

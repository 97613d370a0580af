"""What enrolment brings to a family's first page: rounds that are open, and results of children.

Plain SQL over the registers, by index and of a few rows, since everybody who signs in passes here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from django.db import connection

from kulla.services.enrolment import tables

_OPEN: Final = (
    f'SELECT id, title, zone, closes_s FROM "{tables.ROUND}"'  # noqa: S608
    f" WHERE state = '{tables.PUBLISHED}' AND opens_s <= %s AND closes_s > %s AND position < %s"
    " ORDER BY closes_s, id LIMIT %s"
)
_RESULTS: Final = (
    "SELECT t.round, r.title, r.zone, t.state, max(t.answer_by_s, r.answer_by_s),"  # noqa: S608
    f' t.position FROM "{tables.RESULT}" t JOIN "{tables.ROUND}" r ON r.id = t.round'
    f" WHERE t.child = %s AND r.state = '{tables.OFFERED}' AND r.position < %s"
    " ORDER BY t.position DESC LIMIT %s"
)
_FILED: Final = (
    f'SELECT position FROM "{tables.APPLICATION}"'  # noqa: S608
    f" WHERE id = %s AND state = '{tables.FILED}'"
)
_ROUNDS_MAX: Final = 3
_RESULTS_MAX: Final = 3


@dataclass(frozen=True, slots=True)
class OpenRound:
    """A round in which families may apply now; `closes` is in the round's zone."""

    id: str
    title: str
    closes: datetime

    @property
    def address(self) -> str:
        """The public page of the round."""
        return f"/enrolment/rounds/{self.id}"


@dataclass(frozen=True, slots=True)
class FiledApplication:
    """An application that stands in a round that is open; `position` is its newest act's."""

    child: str
    round: OpenRound
    position: int

    @property
    def address(self) -> str:
        """The page of the application."""
        return f"/enrolment/rounds/{self.round.id}/children/{self.child}"


@dataclass(frozen=True, slots=True)
class ChildResult:
    """A result of a child that its family can see.

    `to_answer`: until when an offer has to be answered, in the round's zone; None where nothing is.
    """

    child: str
    round: str
    title: str
    to_answer: datetime | None
    position: int

    @property
    def address(self) -> str:
        """The page of the result."""
        return f"/enrolment/rounds/{self.round}/children/{self.child}/result"


def open_rounds(now_s: int, watermark: int) -> Sequence[OpenRound]:
    """The confirmed rounds that are open, the one that closes first first."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, [now_s, now_s, watermark, _ROUNDS_MAX])
        rows = cursor.fetchall()
    return [OpenRound(key, title, _local(at_s, zone)) for key, title, zone, at_s in rows]


def filed_in(rounds: Sequence[OpenRound], child: str) -> Sequence[FiledApplication]:
    """A child's applications in these rounds, as far as they are filed, witnessed or not."""
    found = []
    with connection.cursor() as cursor:
        for one in rounds:
            cursor.execute(_FILED, [f"{one.id}-{child}"])
            row = cursor.fetchone()
            if row is not None:
                found.append(FiledApplication(child, one, row[0]))
    return found


def results_of(child: str, now_s: int, watermark: int) -> Sequence[ChildResult]:
    """The results of a child in rounds whose results are out, the newest first.

    One that is not witnessed yet is among them: who reads it compares `position`.
    """
    with connection.cursor() as cursor:
        cursor.execute(_RESULTS, [child, watermark, _RESULTS_MAX])
        rows = cursor.fetchall()
    return [
        ChildResult(
            child,
            round_id,
            title,
            _local(until_s, zone) if state == tables.OPEN and until_s > now_s else None,
            position,
        )
        for round_id, title, zone, state, until_s, position in rows
    ]


def _local(at_s: int, zone: str) -> datetime:
    return datetime.fromtimestamp(at_s, UTC).astimezone(ZoneInfo(zone))

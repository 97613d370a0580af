"""Which letters about appointments are due, read from the registers alone.

So a new home knows it as the old one did. Three kinds of looks, none of which reads all
appointments: bookings and notices of clinics in the order of their acts, from where the post last
noted that it had looked (an index on the position); and, for reminders, the booked appointments of
the days that are near (an index on their beginning).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from itertools import takewhile
from typing import Final
from zoneinfo import ZoneInfo

from kulla.portal import words
from kulla.services.appointments import apply as appointments
from kulla.services.messages.words import Occasion, compose, compose_short
from kulla.tower.post.registers import PostRegisters
from kulla.tower.post.sources import (
    AT_ONCE,
    LOOK_AGAIN_S,
    NO_LONGER,
    Intent,
    Recipient,
    Texts,
)

REMINDER_HOUR: Final = 8
CONFIRM_WITHIN_MS: Final = 24 * 3_600_000
ZONE: Final = ZoneInfo("Europe/Tirane")


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitIntent(Intent):
    """A letter about an appointment. `receipt` is the position of the booking, or -1."""

    practitioner: str
    starts_s: int
    zone: str
    receipt: int = -1


class AppointmentLetters:
    """See LetterSource."""

    def __init__(self, registers: PostRegisters) -> None:
        self._rows = registers
        self._bookings = self._notices = registers.looked_up_to()
        self._near: tuple[int, str] | None = None
        self._reminded_s = -LOOK_AGAIN_S

    def look(self, now_ms: int, now_s: float, below: int) -> Sequence[Intent]:
        """See LetterSource."""
        found: list[VisitIntent] = []
        if self._bookings < below:
            intents, self._bookings = self.bookings(self._bookings, below)
            found += intents
        if self._notices < below:
            intents, self._notices = self.notices(self._notices, below)
            found += intents
        if self._near is None and now_s - self._reminded_s >= LOOK_AGAIN_S:
            self._near, self._reminded_s = (now_ms // 1000, ""), now_s
        if self._near is not None:
            intents, self._near = self.reminders(now_ms, below, self._near)
            found += intents
        return found

    def looked(self) -> int:
        """See LetterSource."""
        return min(self._bookings, self._notices)

    def bookings(self, since: int, below: int) -> tuple[list[VisitIntent], int]:
        """Confirmations of bookings at positions from `since`, and where to go on the next time.

        At most AT_ONCE, in their order. Stops before one that an act at or above `below` changed:
        nothing is told that rests on that, so it has to wait.
        """
        rows = self._rows.all(
            f"SELECT * FROM {appointments.APPOINTMENT}"  # noqa: S608
            " WHERE booked_position >= ? AND booked_position < ? ORDER BY booked_position LIMIT ?",
            since,
            below,
            AT_ONCE,
        )
        settled = list(takewhile(lambda row: row["position"] < below, rows))
        found = [_confirmation(row) for row in settled]
        return found, _next([row["booked_position"] for row in rows], len(settled), below)

    def notices(self, since: int, below: int) -> tuple[list[VisitIntent], int]:
        """Letters of what clinics did, as `bookings` gives confirmations."""
        rows = self._rows.all(
            f"SELECT * FROM {appointments.NOTICE} WHERE id >= ? AND id < ?"  # noqa: S608
            " ORDER BY id LIMIT ?",
            f"{since:012d}",
            f"{below:012d}",
            AT_ONCE,
        )
        pairs = [(row, self._appointment(row["appointment"])) for row in rows]
        settled = takewhile(lambda pair: pair[1] is None or pair[1]["position"] < below, pairs)
        found = [_noticed(row, now) for row, now in settled]
        return found, _next([row["position"] for row in rows], len(found), below)

    def reminders(
        self, now_ms: int, below: int, after: tuple[int, str]
    ) -> tuple[list[VisitIntent], tuple[int, str] | None]:
        """Reminders whose time has come: of today's and, from 08:00 on, tomorrow's appointments.

        Those of at most AT_ONCE appointments behind (beginning, id), and where to go on, None at
        the end. One whose booking is younger than the reminder's hour had its confirmation then;
        who is to be called because the clinic closed the time is not reminded of it.
        """
        local = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(ZONE)
        days = 2 if local.hour >= REMINDER_HOUR else 1
        end = datetime.combine(local.date() + timedelta(days=days), time(), ZONE)
        rows = self._rows.all(
            f"SELECT * FROM {appointments.APPOINTMENT}"  # noqa: S608
            " WHERE state = ? AND (starts_s, id) > (?, ?) AND starts_s < ?"
            " ORDER BY starts_s, id LIMIT ?",
            appointments.BOOKED,
            *after,
            int(end.timestamp()),
            AT_ONCE,
        )
        found = [
            _reminder(row)
            for row in rows
            if row["position"] < below and row["booked_ms"] < reminder_ms(row["starts_s"]) <= now_ms
        ]
        if len(rows) < AT_ONCE:
            return found, None
        return found, (rows[-1]["starts_s"], rows[-1]["id"])

    def again(self, intent: Intent, below: int) -> Intent | None:
        """See LetterSource."""
        over = replace(intent, until_ms=NO_LONGER)
        now = self._appointment(intent.about)
        if now is None:
            return over
        if now["position"] >= below:
            return None
        if intent.kind == "booked":
            return _confirmation(now)
        if intent.kind == "reminder":
            return _reminder(now) if now["starts_s"] == intent.mark else over
        sql = f"SELECT * FROM {appointments.NOTICE} WHERE id = ?"  # noqa: S608
        notice = self._rows.one(sql, f"{intent.position:012d}-{intent.about}")
        return over if notice is None else _noticed(notice, now)

    def recipients(self, intent: Intent, now_ms: int, below: int) -> Sequence[Recipient]:
        """See LetterSource: the citizen, and who acts for them now."""
        return self._rows.with_who_acts(intent.subject, now_ms, below)

    def texts(self, intent: Intent, recipient: Recipient, site: str) -> Texts:
        """See LetterSource. Raises what a zone that nobody knows raises."""
        assert isinstance(intent, VisitIntent)
        starts = datetime.fromtimestamp(intent.starts_s, UTC).astimezone(ZoneInfo(intent.zone))
        receipt = ""
        if intent.receipt >= 0 and not recipient.ward:
            receipt = f"{site}/receipts/{intent.receipt}"
        page = f"{site}/appointments/{intent.about}"
        clinic = self._clinic(intent.practitioner)
        occasion = Occasion(words.moment(starts), *clinic, page, receipt, recipient.ward)
        subject, body = compose(intent.kind, occasion, site)
        return Texts(subject, body, compose_short(intent.kind, occasion))

    def _clinic(self, practitioner: str) -> tuple[str, str]:
        """Name and address (with the town) of a practitioner's clinic; '' where it is unknown."""
        row = self._rows.one(
            f"SELECT c.name, c.address, c.town FROM {appointments.CLINIC} c"  # noqa: S608
            f" JOIN {appointments.PRACTITIONER} p ON p.clinic = c.id WHERE p.id = ?",
            practitioner,
        )
        if row is None:
            return "", ""
        return row["name"], ", ".join(part for part in (row["address"], row["town"]) if part)

    def _appointment(self, appointment: str) -> sqlite3.Row | None:
        sql = f"SELECT * FROM {appointments.APPOINTMENT} WHERE id = ?"  # noqa: S608
        return self._rows.one(sql, appointment)


def reminder_ms(starts_s: int) -> int:
    """When the reminder of an appointment goes: at 08:00 on the day before, by the local clock."""
    local = datetime.fromtimestamp(starts_s, UTC).astimezone(ZONE)
    day_before = local.date() - timedelta(days=1)
    return int(datetime.combine(day_before, time(REMINDER_HOUR), ZONE).timestamp() * 1000)


def _next(positions: list[int], taken: int, below: int) -> int:
    """Where the next look begins, after the first `taken` of rows at these positions."""
    if taken < len(positions):
        return positions[taken]
    # Several notices may stand at one position; looking at some of them twice does no harm.
    return below if len(positions) < AT_ONCE else positions[-1]


def _confirmation(row: sqlite3.Row) -> VisitIntent:
    # What was cancelled since then needs no confirmation; what was moved has its new time here.
    booked = row["state"] == appointments.BOOKED
    until_ms = min(row["booked_ms"] + CONFIRM_WITHIN_MS, row["starts_s"] * 1000)
    at = row["booked_position"]
    return replace(
        _intent("booked", row, mark=at, until_ms=until_ms if booked else NO_LONGER),
        receipt=at,
        position=at,
    )


def _reminder(row: sqlite3.Row) -> VisitIntent:
    # Who is to be called, or has come, needs none.
    booked = row["state"] == appointments.BOOKED and not row["to_call_ms"] and not row["visit"]
    until_ms = row["starts_s"] * 1000 if booked else NO_LONGER
    intent = _intent("reminder", row, mark=row["starts_s"], until_ms=until_ms)
    return replace(intent, reminder=True)


def _noticed(row: sqlite3.Row, now: sqlite3.Row | None) -> VisitIntent:
    stands = now is not None and _still_so(row["kind"], row, now)
    return VisitIntent(
        kind=row["kind"],
        about=row["appointment"],
        mark=row["position"],
        subject=row["citizen"],
        practitioner=row["practitioner"],
        starts_s=row["starts_s"],
        zone=row["zone"],
        until_ms=row["starts_s"] * 1000 if stands else NO_LONGER,
        position=row["position"],
    )


def _still_so(kind: str, notice: sqlite3.Row, now: sqlite3.Row) -> bool:
    """Whether what the clinic did is still how it stands: else a later notice says it."""
    if kind == "cancelled":
        return bool(now["state"] == appointments.CANCELLED)
    booked = now["state"] == appointments.BOOKED and now["starts_s"] == notice["starts_s"]
    if kind == "moved":
        return bool(booked and now["position"] == notice["position"])
    # A clerk's booking is confirmed with all others, by `bookings`. Who has come is not called.
    return bool(kind == "to-call" and booked and now["to_call_ms"] and not now["visit"])


def _intent(kind: str, row: sqlite3.Row, *, mark: int, until_ms: int) -> VisitIntent:
    return VisitIntent(
        kind=kind,
        about=row["id"],
        mark=mark,
        subject=row["citizen"],
        practitioner=row["practitioner"],
        starts_s=row["starts_s"],
        zone=row["zone"],
        until_ms=until_ms,
    )

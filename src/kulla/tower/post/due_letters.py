"""Which letters are due, read from the registers alone: so a new home knows it as the old one did.

Three sources, none of which reads all appointments: bookings and notices of clinics in the order of
their acts, from where the post last noted that it had looked (an index on the position); and, for
reminders, the booked appointments of the days that are near (an index on their beginning).
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from kulla.kernel.canonical import encode
from kulla.services.accounts import apply as accounts
from kulla.services.appointments import apply as appointments
from kulla.services.messages import apply as messages

REMINDER_HOUR: Final = 8
CONFIRM_WITHIN_MS: Final = 24 * 3_600_000
AT_ONCE: Final = 500
ZONE: Final = ZoneInfo("Europe/Tirane")
NO_LONGER: Final = 0
"""The `until_ms` of a letter about what is no longer so."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A letter that follows from an act, before it is known who gets it.

    `mark` tells apart letters of one kind about one appointment: the position of the act, or the
    beginning that a reminder is for. The letter is worth sending until `until_ms` (NO_LONGER: at no
    time). `receipt` is the position of the booking, or -1; `position` that of the act it follows
    from, -1 for a reminder.
    """

    kind: str
    about: str
    mark: int
    citizen: str
    practitioner: str
    starts_s: int
    zone: str
    until_ms: int
    receipt: int = -1
    position: int = -1

    def message(self, recipient: str) -> str:
        """The id of the letter to one person, the same on every home and at every attempt."""
        meant = encode(["letter", self.kind, self.about, self.mark, recipient])
        return hashlib.sha256(meant).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Recipient:
    """A person with an account: the person concerned, or one who acts for them (`ward`).

    `addresses` are (kind, sealed bytes), mail before telephone, the oldest of each kind first.
    """

    subject: str
    language: str
    reminders: bool
    ward: bool
    addresses: tuple[tuple[str, bytes], ...]


class DueLetters:
    """Reads the registers of a home, which another process writes. One thread."""

    def __init__(self, registers: Path) -> None:
        self._rows = sqlite3.connect(
            f"file:{registers}?mode=ro", uri=True, timeout=10, check_same_thread=False
        )
        self._rows.row_factory = sqlite3.Row
        self._rows.execute("PRAGMA query_only=1")

    def close(self) -> None:
        """Close the file."""
        self._rows.close()

    def looked_up_to(self) -> int:
        """The position below which all letters were dealt with."""
        found = self._one(f"SELECT up_to FROM {messages.LOOKED} WHERE post = ?", "post")  # noqa: S608
        return int(found["up_to"]) if found else 0

    def recorded(self, message: str) -> bool:
        """Whether this letter was sent or failed for good."""
        sql = f"SELECT 1 FROM {messages.MESSAGE} WHERE id = ?"  # noqa: S608
        return self._one(sql, message) is not None

    def bookings(self, since: int, below: int) -> tuple[list[Intent], int]:
        """Confirmations of bookings at positions from `since`, and where to go on the next time.

        At most AT_ONCE, in their order. Stops before one that an act at or above `below` changed:
        nothing is told that rests on that, so it has to wait.
        """
        rows = self._all(
            f"SELECT * FROM {appointments.APPOINTMENT}"  # noqa: S608
            " WHERE booked_position >= ? AND booked_position < ? ORDER BY booked_position LIMIT ?",
            since,
            below,
            AT_ONCE,
        )
        settled = list(takewhile(lambda row: row["position"] < below, rows))
        found = [_confirmation(row) for row in settled]
        return found, _next([row["booked_position"] for row in rows], len(settled), below)

    def notices(self, since: int, below: int) -> tuple[list[Intent], int]:
        """Letters of what clinics did, as `bookings` gives confirmations."""
        rows = self._all(
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

    def reminders(self, now_ms: int, below: int) -> Iterator[Intent]:
        """Reminders whose time has come: of today's and, from 08:00 on, tomorrow's appointments.

        One whose booking is younger than the reminder's hour had its confirmation then; who is to
        be called because the clinic closed the time is not reminded of it.
        """
        local = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(ZONE)
        days = 2 if local.hour >= REMINDER_HOUR else 1
        end = datetime.combine(local.date() + timedelta(days=days), time(), ZONE)
        after, key = now_ms // 1000, ""
        while True:
            rows = self._all(
                f"SELECT * FROM {appointments.APPOINTMENT}"  # noqa: S608
                " WHERE state = ? AND (starts_s, id) > (?, ?) AND starts_s < ?"
                " ORDER BY starts_s, id LIMIT ?",
                appointments.BOOKED,
                after,
                key,
                int(end.timestamp()),
                AT_ONCE,
            )
            for row in rows:
                due_ms = reminder_ms(row["starts_s"])
                if row["position"] < below and row["booked_ms"] < due_ms <= now_ms:
                    yield _reminder(row)
            if len(rows) < AT_ONCE:
                return
            after, key = rows[-1]["starts_s"], rows[-1]["id"]

    def again(self, intent: Intent, below: int) -> Intent | None:
        """The same letter as things stand now; `until_ms` NO_LONGER where it is no longer so.

        None where an act at or above `below` changed the appointment: the letter has to wait.
        """
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
        notice = self._one(sql, f"{intent.position:012d}-{intent.about}")
        return over if notice is None else _noticed(notice, now)

    def recipients(self, citizen: str, now_ms: int, below: int) -> list[Recipient]:
        """Who is told of a citizen's appointment: they themself and who acts for them now."""
        today = datetime.fromtimestamp(now_ms / 1000, UTC).date().isoformat()
        rows = self._all(
            f"SELECT guardian FROM {accounts.RELATION}"  # noqa: S608
            " WHERE ward = ? AND state = ? AND (until_day = '' OR until_day >= ?)"
            " AND position < ? ORDER BY id",
            citizen,
            accounts.STANDS,
            today,
            below,
        )
        people = dict.fromkeys([citizen, *(row["guardian"] for row in rows)])
        found = (self._recipient(person, below, ward=person != citizen) for person in people)
        return [person for person in found if person is not None]

    def clinic(self, practitioner: str) -> tuple[str, str]:
        """Name and address (with the town) of a practitioner's clinic; '' where it is unknown."""
        row = self._one(
            f"SELECT c.name, c.address, c.town FROM {appointments.CLINIC} c"  # noqa: S608
            f" JOIN {appointments.PRACTITIONER} p ON p.clinic = c.id WHERE p.id = ?",
            practitioner,
        )
        if row is None:
            return "", ""
        return row["name"], ", ".join(part for part in (row["address"], row["town"]) if part)

    def _appointment(self, appointment: str) -> sqlite3.Row | None:
        sql = f"SELECT * FROM {appointments.APPOINTMENT} WHERE id = ?"  # noqa: S608
        return self._one(sql, appointment)

    def _recipient(self, subject: str, below: int, *, ward: bool) -> Recipient | None:
        account = self._one(
            f"SELECT language, reminders FROM {accounts.ACCOUNT} WHERE subject = ?",  # noqa: S608
            subject,
        )
        if account is None:
            return None
        rows = self._all(
            f"SELECT kind, sealed FROM {accounts.ADDRESS} WHERE subject = ?"  # noqa: S608
            " AND position < ? ORDER BY kind, position, token",
            subject,
            below,
        )
        return Recipient(
            subject,
            account["language"],
            account["reminders"] != "none",
            ward,
            tuple((row["kind"], bytes(row["sealed"])) for row in rows),
        )

    def _one(self, sql: str, *values: Any) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self._rows.execute(sql, values).fetchone()
        return found

    def _all(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        return self._rows.execute(sql, values).fetchall()


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


def _confirmation(row: sqlite3.Row) -> Intent:
    # What was cancelled since then needs no confirmation; what was moved has its new time here.
    booked = row["state"] == appointments.BOOKED
    until_ms = min(row["booked_ms"] + CONFIRM_WITHIN_MS, row["starts_s"] * 1000)
    at = row["booked_position"]
    return _intent(
        "booked",
        row,
        mark=at,
        until_ms=until_ms if booked else NO_LONGER,
        receipt=at,
        position=at,
    )


def _reminder(row: sqlite3.Row) -> Intent:
    # Who is to be called, or has come, needs none.
    booked = row["state"] == appointments.BOOKED and not row["to_call_ms"] and not row["visit"]
    until_ms = row["starts_s"] * 1000 if booked else NO_LONGER
    return _intent("reminder", row, mark=row["starts_s"], until_ms=until_ms)


def _noticed(row: sqlite3.Row, now: sqlite3.Row | None) -> Intent:
    stands = now is not None and _still_so(row["kind"], row, now)
    return Intent(
        kind=row["kind"],
        about=row["appointment"],
        mark=row["position"],
        citizen=row["citizen"],
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


def _intent(
    kind: str,
    row: sqlite3.Row,
    *,
    mark: int,
    until_ms: int,
    receipt: int = -1,
    position: int = -1,
) -> Intent:
    return Intent(
        kind=kind,
        about=row["id"],
        mark=mark,
        citizen=row["citizen"],
        practitioner=row["practitioner"],
        starts_s=row["starts_s"],
        zone=row["zone"],
        until_ms=until_ms,
        receipt=receipt,
        position=position,
    )

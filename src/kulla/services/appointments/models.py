"""The registers of appointments as pages read them. `apply` alone writes them; Django never does.

Ids are plain text without foreign keys, since registers are rebuilt in any order of tables.
`position` is that of the act that last changed the row: below the watermark it is confirmed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

from django.db import models

from kulla.services.appointments import apply


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class Clinic(models.Model):
    """A place where practitioners see citizens."""

    id: models.CharField[str, str] = models.CharField(max_length=32, primary_key=True)
    name: models.TextField[str, str] = models.TextField()
    town: models.TextField[str, str] = models.TextField()
    county: models.TextField[str, str] = models.TextField()
    address: models.TextField[str, str] = models.TextField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = apply.CLINIC
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["county", "town"], name="appts_clinic_place"),
        ]

    def __str__(self) -> str:
        return self.name


class Practitioner(models.Model):
    """A doctor, nurse or midwife at a clinic.

    `published_to` is the last local day up to which slots were published, '' before the first.
    """

    id: models.CharField[str, str] = models.CharField(max_length=32, primary_key=True)
    clinic: models.CharField[str, str] = models.CharField(max_length=32)
    name: models.TextField[str, str] = models.TextField()
    speciality: models.TextField[str, str] = models.TextField()
    published_to: models.CharField[str, str] = models.CharField(max_length=10)
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = apply.PRACTITIONER
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["clinic"], name="appts_practitioner_clinic"),
            models.Index(fields=["speciality"], name="appts_practitioner_speciality"),
        ]

    def __str__(self) -> str:
        return self.name


class Schedule(models.Model):
    """A practitioner's weekly hours from `valid_from` to `valid_to` ('' is open-ended).

    The id is '<practitioner>-<valid_from>'. `rule` is the text of `hours.weekly_text`.
    """

    id: models.CharField[str, str] = models.CharField(max_length=43, primary_key=True)
    practitioner: models.CharField[str, str] = models.CharField(max_length=32)
    rule: models.TextField[str, str] = models.TextField()
    zone: models.TextField[str, str] = models.TextField()
    valid_from: models.CharField[str, str] = models.CharField(max_length=10)
    valid_to: models.CharField[str, str] = models.CharField(max_length=10)
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = apply.SCHEDULE
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["practitioner"], name="appts_schedule_practitioner"),
        ]

    def __str__(self) -> str:
        return f"{self.practitioner} {self.valid_from}: {self.rule}"


class DayException(models.Model):
    """A day on which the weekly hours do not hold: closed, or other hours.

    The id is '<practitioner>-<day>'. `hours` is the text of `hours.day_text`, '' where closed.
    """

    id: models.CharField[str, str] = models.CharField(max_length=43, primary_key=True)
    practitioner: models.CharField[str, str] = models.CharField(max_length=32)
    day: models.CharField[str, str] = models.CharField(max_length=10)
    kind: models.CharField[str, str] = models.CharField(max_length=8)
    hours: models.TextField[str, str] = models.TextField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = apply.DAY_EXCEPTION
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["practitioner", "day"], name="appts_day_exception_day"),
        ]

    def __str__(self) -> str:
        return f"{self.practitioner} {self.day}: {self.hours or self.kind}"


class Slot(models.Model):
    """A stretch of a practitioner's time that one citizen can book.

    The id is '<practitioner>-<starts_s>'. `state` is 'free', 'taken' or 'closed'; `appointment` is
    the id of the appointment there, else ''. A closed slot with an appointment is one that was
    closed after it was booked: its citizen has to be moved, and nobody books it again.
    """

    id: models.CharField[str, str] = models.CharField(max_length=48, primary_key=True)
    practitioner: models.CharField[str, str] = models.CharField(max_length=32)
    starts_s: models.BigIntegerField[int, int] = models.BigIntegerField()
    minutes: models.BigIntegerField[int, int] = models.BigIntegerField()
    day: models.CharField[str, str] = models.CharField(max_length=10)
    zone: models.TextField[str, str] = models.TextField()
    state: models.CharField[str, str] = models.CharField(max_length=8)
    appointment: models.CharField[str, str] = models.CharField(max_length=32)
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = apply.SLOT
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["practitioner", "day"], name="appts_slot_day"),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def starts_at(self) -> datetime:
        """When the slot begins, as an aware instant in UTC."""
        return _at(self.starts_s)

    @property
    def ends_at(self) -> datetime:
        """When the slot ends, as an aware instant in UTC."""
        return self.starts_at + timedelta(minutes=self.minutes)

    @property
    def starts_local(self) -> datetime:
        """When the slot begins, in the zone of its clinic."""
        return self.starts_at.astimezone(ZoneInfo(self.zone))


class Appointment(models.Model):
    """A citizen's appointment. `state` is 'booked' or 'cancelled'.

    `position` is that of the act that last changed when it is or cancelled it, `booked_position`
    that of its booking. `slot` is '' for who walked in. `visit` is '', 'arrived', 'missed' or
    'ended', noted at `visit_ms` by the act at `visit_position`. `to_call_ms` is since when the
    clinic has closed its time without another one being found, else 0; the act at
    `to_call_position` closed it, or opened it again. `identity` says how the desk made sure who it
    is: 'document', 'call' or ''.
    """

    id: models.CharField[str, str] = models.CharField(max_length=32, primary_key=True)
    slot: models.CharField[str, str] = models.CharField(max_length=48)
    practitioner: models.CharField[str, str] = models.CharField(max_length=32)
    citizen: models.CharField[str, str] = models.CharField(max_length=32)
    starts_s: models.BigIntegerField[int, int] = models.BigIntegerField()
    minutes: models.BigIntegerField[int, int] = models.BigIntegerField()
    zone: models.TextField[str, str] = models.TextField()
    state: models.CharField[str, str] = models.CharField(max_length=9)
    reason_sealed: models.BinaryField[bytes | None, bytes | None] = models.BinaryField(null=True)
    contact_sealed: models.BinaryField[bytes | None, bytes | None] = models.BinaryField(null=True)
    booked_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()
    booked_position: models.BigIntegerField[int, int] = models.BigIntegerField()
    visit: models.CharField[str, str] = models.CharField(max_length=8)
    visit_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    visit_position: models.BigIntegerField[int, int] = models.BigIntegerField()
    to_call_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    to_call_position: models.BigIntegerField[int, int] = models.BigIntegerField()
    identity: models.CharField[str, str] = models.CharField(max_length=8)

    class Meta:
        managed = False
        db_table = apply.APPOINTMENT
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["citizen", "state"], name="appts_appointment_citizen"),
            models.Index(fields=["state", "starts_s"], name="appts_appointment_near"),
            models.Index(fields=["booked_position"], name="appts_appointment_booked"),
            models.Index(fields=["practitioner", "starts_s"], name="appts_appointment_day"),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def starts_at(self) -> datetime:
        """When the appointment begins, as an aware instant in UTC."""
        return _at(self.starts_s)

    @property
    def ends_at(self) -> datetime:
        """When the appointment ends, as an aware instant in UTC."""
        return self.starts_at + timedelta(minutes=self.minutes)

    @property
    def starts_local(self) -> datetime:
        """When the appointment begins, in the zone of its clinic."""
        return self.starts_at.astimezone(ZoneInfo(self.zone))

    @property
    def booked_at(self) -> datetime:
        """When the appointment was booked, as an aware instant in UTC."""
        return datetime.fromtimestamp(self.booked_ms / 1000, UTC)


class Notice(models.Model):
    """What a clinic did to somebody's appointment, for the letter that tells them.

    The id is '<position, 12 digits>-<appointment>'. `kind`: 'booked', 'moved', 'cancelled', or
    'to-call' where the clinic has closed the time and no other one is found yet. `old_starts_s` is
    0 but for 'moved'. The rows say what happened; who was told stands with the letters.
    """

    id: models.CharField[str, str] = models.CharField(max_length=45, primary_key=True)
    appointment: models.CharField[str, str] = models.CharField(max_length=32)
    citizen: models.CharField[str, str] = models.CharField(max_length=32)
    kind: models.CharField[str, str] = models.CharField(max_length=9)
    practitioner: models.CharField[str, str] = models.CharField(max_length=32)
    old_starts_s: models.BigIntegerField[int, int] = models.BigIntegerField()
    starts_s: models.BigIntegerField[int, int] = models.BigIntegerField()
    zone: models.TextField[str, str] = models.TextField()
    noted_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = apply.NOTICE
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["citizen"], name="appts_notice_citizen"),
            models.Index(fields=["noted_ms"], name="appts_notice_noted"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.appointment}"

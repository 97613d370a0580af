"""The registers that this room alone keeps; `enrolment.models` hands them to Django.

See there for what holds of all of them.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from kulla.services.enrolment import tables


class Filled(models.Model):
    """How full a programme is once results are posted. The id is '<round>-<programme>'.

    `held`: seats that children hold, but for those that appeals gave beyond capacity; `kept`: free
    seats that stay with their pool; `waiting`: children in the list; `last_order`: the list's end.
    """

    id: models.CharField[str, str] = models.CharField(max_length=65, primary_key=True)
    round: models.CharField[str, str] = models.CharField(max_length=32)
    programme: models.CharField[str, str] = models.CharField(max_length=32)
    held: models.BigIntegerField[int, int] = models.BigIntegerField()
    kept: models.BigIntegerField[int, int] = models.BigIntegerField()
    waiting: models.BigIntegerField[int, int] = models.BigIntegerField()
    last_order: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = tables.FILLED
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["round"], name="enrol_filled_round"),
        ]

    def __str__(self) -> str:
        return self.id


class Run(models.Model):
    """The allocation of a round: who asked for it and what it came to. The id is the round's.

    `opened_position` is that of the act by which families see their results, -1 before it.
    """

    id: models.CharField[str, str] = models.CharField(max_length=32, primary_key=True)
    asked_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    clerk: models.CharField[str, str] = models.CharField(max_length=32)
    parts: models.BigIntegerField[int, int] = models.BigIntegerField()
    count: models.BigIntegerField[int, int] = models.BigIntegerField()
    placed: models.BigIntegerField[int, int] = models.BigIntegerField()
    allocated_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    opened_position: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = tables.RUN
        indexes: ClassVar[list[models.Index]] = []

    def __str__(self) -> str:
        return self.id


class Transcript(models.Model):
    """A part of a transcript that the quorum holds as a file. The id is '<round>-<kind>-<part>'."""

    id: models.CharField[str, str] = models.CharField(max_length=48, primary_key=True)
    round: models.CharField[str, str] = models.CharField(max_length=32)
    kind: models.CharField[str, str] = models.CharField(max_length=8)
    part: models.BigIntegerField[int, int] = models.BigIntegerField()
    parts: models.BigIntegerField[int, int] = models.BigIntegerField()
    subject: models.CharField[str, str] = models.CharField(max_length=32)
    blob: models.BinaryField[bytes, bytes] = models.BinaryField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = tables.TRANSCRIPT
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["round", "kind"], name="enrol_transcript_kind"),
        ]

    def __str__(self) -> str:
        return self.id

"""The register of messages as pages read it. `apply` alone writes it; Django never does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

from django.db import models

from kulla.services.messages import apply


class Message(models.Model):
    """A letter to a person: that it went out, or why it never will. Not what it said.

    `kind` is 'booked', 'reminder', 'moved', 'cancelled' or 'to-call' (the clinic closed its time
    and looks for another), and `about` is the id of the appointment; or a kind of enrolment's that
    begins with 'school-', and `about` is '<round>-<child>'. `state` is 'sent' or 'failed',
    `sent_ms` when that was recorded.
    """

    id: models.CharField[str, str] = models.CharField(max_length=32, primary_key=True)
    subject: models.CharField[str, str] = models.CharField(max_length=32)
    kind: models.CharField[str, str] = models.CharField(max_length=16)
    about: models.CharField[str, str] = models.CharField(max_length=65)
    channel: models.CharField[str, str] = models.CharField(max_length=8)
    state: models.CharField[str, str] = models.CharField(max_length=8)
    why: models.CharField[str, str] = models.CharField(max_length=40)
    sent_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = apply.MESSAGE
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["subject", "sent_ms"], name="messages_message_subject"),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def sent_at(self) -> datetime:
        """When it was recorded, as an aware instant in UTC."""
        return datetime.fromtimestamp(self.sent_ms / 1000, UTC)


class Looked(models.Model):
    """How far the post has dealt with letters: all that follow from acts below `up_to`."""

    post: models.CharField[str, str] = models.CharField(max_length=8, primary_key=True)
    up_to: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = apply.LOOKED
        indexes: ClassVar[list[models.Index]] = []

    def __str__(self) -> str:
        return f"{self.post}: {self.up_to}"

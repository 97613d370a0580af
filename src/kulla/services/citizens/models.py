"""The citizens register as pages read it. `apply` alone writes it; Django never does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

from django.db import models

from kulla.services.citizens.apply import CITIZEN


class Citizen(models.Model):
    """A person whom the tower knows, by an id that says nothing about them."""

    subject: models.CharField[str, str] = models.CharField(max_length=32, primary_key=True)
    name_sealed: models.BinaryField[bytes, bytes] = models.BinaryField()
    registered_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = CITIZEN
        indexes: ClassVar[list[models.Index]] = []

    def __str__(self) -> str:
        return self.subject

    @property
    def registered_at(self) -> datetime:
        """When the citizen was registered, as an aware instant in UTC."""
        return datetime.fromtimestamp(self.registered_ms / 1000, UTC)

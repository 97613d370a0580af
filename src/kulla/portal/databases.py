"""Two databases: registers, which the portal only reads, and sessions, which may be lost."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import connections
from django.db.models import Model

from kulla.kernel.errors import KullaError
from kulla.portal import drafts, holds, letters
from kulla.portal.sign_in import tables

SESSIONS = "sessions"


class RegistersAreReadOnly(KullaError):
    """A page tried to write a register. Only acts change registers, and only the scribe writes."""


class ReadOnlyRegisters:
    """Django's router: reads go to the registers, writes and migrations nowhere."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        """Every model is a register."""
        del model, hints
        return "default"

    def db_for_write(self, model: type[Model], **hints: Any) -> NoReturn:
        """Raises RegistersAreReadOnly."""
        del hints
        raise RegistersAreReadOnly(
            "a page tried to write a register.",
            place=model._meta.label,
            remedy="Send a command through request.tower.submit.",
        )

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        """Never: registers have the schema that the release's models say, made by the tower."""
        del db, app_label, hints
        return False


def prepare_sessions() -> None:
    """Make the table of sessions where the file has none."""
    with connections[SESSIONS].cursor() as cursor:
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS session (id_hash BLOB PRIMARY KEY, subject TEXT NOT NULL,"
            " data TEXT NOT NULL, ends_s INTEGER NOT NULL) WITHOUT ROWID"
        )
        cursor.execute("CREATE INDEX IF NOT EXISTS session_subject ON session (subject)")
        cursor.execute("CREATE INDEX IF NOT EXISTS session_ends ON session (ends_s)")
        for statement in (holds.TABLE, *holds.INDEXES):
            cursor.execute(statement)
        for statement in (drafts.TABLE, drafts.INDEX, letters.TABLE):
            cursor.execute(statement)
        cursor.execute(letters.INDEX)
        for statement in tables.TABLES:
            cursor.execute(statement)

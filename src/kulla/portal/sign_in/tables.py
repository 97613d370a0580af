"""The tables that signing in keeps in the sessions file. All of them may be lost with home."""

from __future__ import annotations

from typing import Final

TABLES: Final = (
    # A code that is awaited, by the session that asked for it.
    "CREATE TABLE IF NOT EXISTS sign_in_code (session BLOB PRIMARY KEY, mark BLOB NOT NULL,"
    " sealed BLOB NOT NULL, digits INTEGER NOT NULL, tries INTEGER NOT NULL,"
    " ends_s INTEGER NOT NULL) WITHOUT ROWID",
    # How much of something is left to somebody; see paces.
    "CREATE TABLE IF NOT EXISTS sign_in_pace (name BLOB PRIMARY KEY, level REAL NOT NULL,"
    " at_s INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS sign_in_pace_at ON sign_in_pace (at_s)",
    # A passkey's challenge, by the session that it was made for: asked once.
    "CREATE TABLE IF NOT EXISTS sign_in_challenge (session BLOB NOT NULL, purpose TEXT NOT NULL,"
    " challenge BLOB NOT NULL, ends_s INTEGER NOT NULL, PRIMARY KEY (session, purpose))"
    " WITHOUT ROWID",
    # A command of staff that waits for its signature, sealed for the session that began it.
    "CREATE TABLE IF NOT EXISTS sign_pending (id BLOB PRIMARY KEY, session BLOB NOT NULL,"
    " sealed BLOB NOT NULL, ends_s INTEGER NOT NULL) WITHOUT ROWID",
)

"""What commands may carry: each field is read once, by its shape, or the command is malformed.

Pure: it raises Malformed (caught in `policy.for_roles`) and nothing else, whatever a client sends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

TEXT_MAX: Final = 200
SEALED_MAX_BYTES: Final = 8192
TOKEN_BYTES: Final = 32
CREDENTIAL_MAX: Final = 1364
"""The base64url text of a credential id of 1023 bytes, the most that WebAuthn allows."""

PUBLIC_KEY_MAX_BYTES: Final = 1024
SECRET_BYTES: Final = range(16, 129)
TRANSPORTS: Final = ("ble", "cable", "hybrid", "internal", "nfc", "smart-card", "usb")
SCOPES_MAX: Final = 32

_SUBJECT: Final = re.compile(r"[0-9a-f]{32}")
_CREDENTIAL: Final = re.compile(r"[A-Za-z0-9_-]{16,}")
_SCOPE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.:/*-]{0,63}")


class Malformed(ValueError):
    """A field of a command that is missing, not known, or not of its shape."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class Fields:
    """The data of one command, read field by field; `end` refuses what nobody asked for."""

    def __init__(self, data: Mapping[str, Any], place: str = "") -> None:
        self._data = data
        self._place = place
        self._read: set[str] = set()

    def wrong(self, field: str) -> Malformed:
        """The error for a field, with the place where these fields stand."""
        return Malformed(f"{self._place}{field}"[:TEXT_MAX])

    def _take(self, field: str) -> Any:
        self._read.add(field)
        return self._data.get(field)

    def end(self) -> None:
        """Raise Malformed where the data has a field that was not read."""
        for field in self._data:
            if field not in self._read:
                raise self.wrong(str(field))

    def has(self, field: str) -> bool:
        """Whether the field is there at all."""
        return field in self._data

    def text(self, field: str) -> str:
        """One line of text, not empty, at most TEXT_MAX characters."""
        value = self._take(field)
        if not isinstance(value, str) or not 0 < len(value) <= TEXT_MAX:
            raise self.wrong(field)
        if value != value.strip() or not value.isprintable():
            raise self.wrong(field)
        return value

    def one_of(self, field: str, choices: tuple[str, ...]) -> str:
        """One of these words."""
        value = self._take(field)
        if not isinstance(value, str) or value not in choices:
            raise self.wrong(field)
        return value

    def yes_or_no(self, field: str) -> bool:
        """A truth value."""
        value = self._take(field)
        if not isinstance(value, bool):
            raise self.wrong(field)
        return value

    def subject(self, field: str = "subject") -> str:
        """A subject id, or the id of a relation or a proposal: 32 hex digits."""
        value = self._take(field)
        if not isinstance(value, str) or _SUBJECT.fullmatch(value) is None:
            raise self.wrong(field)
        return value

    def token(self, field: str) -> bytes:
        """A token or a hash: 32 bytes."""
        value = self._take(field)
        if not isinstance(value, bytes) or len(value) != TOKEN_BYTES:
            raise self.wrong(field)
        return value

    def secret(self, field: str) -> bytes:
        """A secret that can't be guessed, by its length (SECRET_BYTES)."""
        value = self._take(field)
        if not isinstance(value, bytes) or len(value) not in SECRET_BYTES:
            raise self.wrong(field)
        return value

    def sealed(self, field: str) -> bytes:
        """A sealed value."""
        value = self._take(field)
        if not isinstance(value, bytes) or not 0 < len(value) <= SEALED_MAX_BYTES:
            raise self.wrong(field)
        return value

    def sealed_or_none(self, field: str) -> bytes | None:
        """A sealed value, or None (also where the field is absent)."""
        return None if self._take(field) is None else self.sealed(field)

    def bytes_up_to(self, field: str, most: int) -> bytes:
        """Some bytes, not empty."""
        value = self._take(field)
        if not isinstance(value, bytes) or not 0 < len(value) <= most:
            raise self.wrong(field)
        return value

    def credential(self, field: str = "credential") -> str:
        """A WebAuthn credential id as base64url text without padding."""
        value = self._take(field)
        if not isinstance(value, str) or len(value) > CREDENTIAL_MAX:
            raise self.wrong(field)
        if _CREDENTIAL.fullmatch(value) is None:
            raise self.wrong(field)
        return value

    def transports(self, field: str) -> str:
        """WebAuthn's words for how a passkey is reached, joined by commas; may be ''."""
        value = self._take(field)
        if not isinstance(value, str):
            raise self.wrong(field)
        words = value.split(",") if value else []
        if len(set(words)) != len(words) or not all(word in TRANSPORTS for word in words):
            raise self.wrong(field)
        return value

    def scopes(self, field: str) -> list[str]:
        """The scopes of an API token: different words, in order."""
        value = self._take(field)
        if not isinstance(value, list | tuple) or not 0 < len(value) <= SCOPES_MAX:
            raise self.wrong(field)
        if not all(isinstance(word, str) and _SCOPE.fullmatch(word) for word in value):
            raise self.wrong(field)
        if len(set(value)) != len(value):
            raise self.wrong(field)
        return sorted(value)

    def day_or_empty(self, field: str) -> str:
        """A day 'YYYY-MM-DD' that the calendar has, or '' for no end."""
        value = self._take(field)
        if value == "":
            return ""
        if not isinstance(value, str) or not _is_day(value):
            raise self.wrong(field)
        return value


def text_key(data: Mapping[str, Any], field: str) -> str:
    """A field's text if it could be a key of some row, else '': for looking up before reading."""
    value = data.get(field)
    return value if isinstance(value, str) and len(value) <= CREDENTIAL_MAX else ""


def bytes_key(data: Mapping[str, Any], field: str) -> bytes:
    """A field's bytes if they could be a key of some row, else b''."""
    value = data.get(field)
    return value if isinstance(value, bytes) and len(value) == TOKEN_BYTES else b""


def day_of(at_ms: int) -> str:
    """The day of an instant in UTC, as 'YYYY-MM-DD'."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()


def _is_day(text: str) -> bool:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return False
    return day.isoformat() == text and 1970 < day.year < 3000

"""What the post asks of each service whose acts people are told of: one source of letters each."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from kulla.kernel.canonical import encode

AT_ONCE: Final = 500
"""Rows that one look reads of one table, at most."""
LOOK_AGAIN_S: Final = 300.0
"""How long after a look for reminders has come to its end the next one begins, in seconds."""
NO_LONGER: Final = 0
"""The `until_ms` of a letter about what is no longer so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A letter that follows from an act, before it is known who gets it.

    `mark` tells apart letters of one kind about one thing: the position of the act, or the instant
    that a reminder is for. `subject` is whom it concerns. The letter is worth sending until
    `until_ms` (NO_LONGER: at no time). `position` is that of the act it follows from, -1 for a
    reminder. A source adds what it needs to say it.
    """

    kind: str
    about: str
    mark: int
    subject: str
    until_ms: int
    position: int = -1
    reminder: bool = False

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


@dataclass(frozen=True, slots=True)
class Texts:
    """A letter's words: a mail's subject and body, and one text for a telephone."""

    subject: str
    body: str
    short: str


class LetterSource(Protocol):
    """The letters of one service, read from its registers. One thread; nothing is written.

    It keeps in memory how far it has looked, beginning where the post last noted that it had.
    """

    def look(self, now_ms: int, now_s: float, below: int) -> Sequence[Intent]:
        """The next letters of acts at positions under `below`, and reminders whose time has come.

        Reads a few times AT_ONCE rows at most; nothing when all was looked at. `now_s` is that of
        a clock that only goes forward.
        """
        ...

    def looked(self) -> int:
        """The position under which this source has no letter left to give."""
        ...

    def again(self, intent: Intent, below: int) -> Intent | None:
        """The same letter as things stand now; `until_ms` NO_LONGER where it is no longer so.

        None where it rests on an act at or above `below`: the letter has to wait.
        """
        ...

    def recipients(self, intent: Intent, now_ms: int, below: int) -> Sequence[Recipient]:
        """Who is told, as the registers say under `below`."""
        ...

    def texts(self, intent: Intent, recipient: Recipient, site: str) -> Texts:
        """The letter in the language that is on; `site` is the portal's address."""
        ...

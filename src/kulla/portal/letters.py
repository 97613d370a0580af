"""Letters that may be lost with home: sign-in codes, put into the sessions' file for the post.

The post process (tower/post/app.py) sends what waits here and tries again; a letter that could not
go within LIFE_S is given up, since its code has ended by then. Letters that must not be lost (a
reminder, a moved appointment) never pass here: they follow from acts, see services/messages.

The file may be copied by a thief, so address and words are sealed with a key made from the portal's
secret key, and both are wiped once the letter is gone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kulla.kernel.canonical import decode, encode
from kulla.kernel.errors import KullaError

Channel = Literal["mail", "phone"]

LIFE_S: Final = 600
TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS letter (once BLOB PRIMARY KEY, channel TEXT NOT NULL,"
    " sealed BLOB NOT NULL, put_ms INTEGER NOT NULL, state TEXT NOT NULL,"
    " due_ms INTEGER NOT NULL, tries INTEGER NOT NULL, said TEXT NOT NULL) WITHOUT ROWID"
)
INDEX: Final = "CREATE INDEX IF NOT EXISTS letter_due ON letter (state, due_ms)"
WAITING, SENT, FAILED = "waiting", "sent", "failed"
_NONCE_BYTES: Final = 12


class LetterUnfit(KullaError):
    """A letter that can't be put into the post, or that does not open there."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter as it was written: where it goes and what it says, plain text."""

    channel: Channel
    address: str
    subject: str
    body: str
    put_ms: int = 0


class Envelope:
    """Seals letters and opens them, with a key made from the portal's secret key."""

    def __init__(self, secret_key: str) -> None:
        made = HKDF(hashes.SHA256(), 32, salt=None, info=b"kulla letters")
        self._cipher = AESGCMSIV(made.derive(secret_key.encode()))

    def seal(self, letter: Letter, once: bytes, nonce: bytes) -> bytes:
        """The sealed letter; `nonce` is 12 fresh random bytes, `once` its key in the table."""
        plain = encode([letter.channel, letter.address, letter.subject, letter.body])
        return nonce + self._cipher.encrypt(nonce, plain, once)

    def open(self, sealed: bytes, once: bytes, put_ms: int) -> Letter:
        """The letter. Raises LetterUnfit where another key sealed it or a bit was changed."""
        nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            values = decode(self._cipher.decrypt(nonce, ciphertext, once))
        except (InvalidTag, ValueError) as error:
            raise LetterUnfit(
                "this letter does not open: it was sealed under another secret key.",
                place="sessions: letter",
                remedy="Nothing needs doing: whoever waits for it asks for a new one.",
            ) from error
        assert isinstance(values, list)
        channel, address, subject, body = values
        return Letter(channel, address, subject, body, put_ms)


def send_later(channel: Channel, address: str, subject: str, body: str, *, once: str) -> None:
    """Put a letter into the post. With the same `once` it is put, and sent, once.

    Raises LetterUnfit for an address or subject with a line break: it could write headers of its
    own into the mail.
    """
    from django.conf import settings
    from django.db import connections

    from kulla.portal.databases import SESSIONS
    from kulla.portal.edge import installed

    if not address.isprintable() or not subject.isprintable() or not address:
        raise LetterUnfit("an address and a subject are one line.", remedy="Check the form first.")
    edges = installed()
    put_ms = edges.clock.now_ms()
    key = hashlib.sha256(once.encode("utf-8", "surrogateescape")).digest()
    letter = Letter(channel, address, subject, body, put_ms)
    nonce = edges.entropy.random_bytes(_NONCE_BYTES)
    sealed = Envelope(settings.SECRET_KEY).seal(letter, key, nonce)
    with connections[SESSIONS].cursor() as cursor:
        cursor.execute(
            "INSERT OR IGNORE INTO letter (once, channel, sealed, put_ms, state, due_ms, tries,"
            " said) VALUES (%s, %s, %s, %s, %s, %s, 0, '')",
            [key, channel, sealed, put_ms, WAITING, put_ms],
        )


def newest_for_demo(limit: int = 5) -> list[Letter]:
    """The newest letters that still say something, newest first, in the demo country alone.

    Anywhere else: none, whoever asks.
    """
    from django.conf import settings
    from django.db import connections

    from kulla.portal.databases import SESSIONS
    from kulla.portal.edge import installed

    if not settings.KULLA.demo:
        return []
    since_ms = installed().clock.now_ms() - LIFE_S * 1000
    with connections[SESSIONS].cursor() as cursor:
        cursor.execute(
            "SELECT once, sealed, put_ms FROM letter WHERE put_ms > %s AND sealed != x''"
            " ORDER BY put_ms DESC LIMIT %s",
            [since_ms, limit],
        )
        rows = cursor.fetchall()
    envelope = Envelope(settings.SECRET_KEY)
    return [envelope.open(bytes(sealed), bytes(once), put_ms) for once, sealed, put_ms in rows]

"""Sends the letters that wait in the sessions' file: sign-in codes, each worth ten minutes."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import structlog

from kulla.kernel.edges import Clock, Entropy
from kulla.kernel.letters import Carrier, CarrierDown, Never, NotNow, Outgoing
from kulla.portal import letters
from kulla.tower.post.pauses import pause_s

LONGEST_PAUSE_S: Final = 60.0
KEPT_MS: Final = 24 * 3_600_000
AT_ONCE: Final = 50

log = structlog.get_logger()


class CodePost:
    """The post of the sessions' file. One thread, and one such post a home."""

    def __init__(
        self,
        sessions: Path,
        secret_key: str,
        carriers: Mapping[str, Carrier],
        clock: Clock,
        entropy: Entropy,
        *,
        demo: bool = False,
    ) -> None:
        self._envelope = letters.Envelope(secret_key)
        self._carriers = carriers
        self._clock = clock
        self._entropy = entropy
        self._demo = demo
        self._rows = sqlite3.connect(
            sessions, timeout=10, isolation_level=None, check_same_thread=False
        )
        self._rows.execute("PRAGMA journal_mode=WAL")
        self._rows.execute("PRAGMA synchronous=NORMAL")
        self._rows.execute(letters.TABLE)
        self._rows.execute(letters.INDEX)
        self._swept_ms = self._count = 0
        self.trouble = ""

    def close(self) -> None:
        """Let go of the file and of the carriers."""
        self._rows.close()
        for carrier in self._carriers.values():
            carrier.close()

    def turn(self) -> int:
        """Try each letter that is due, once; returns how many went."""
        now_ms = self._clock.now_ms()
        if now_ms - self._swept_ms > letters.LIFE_S * 1000 / 10 or now_ms < self._swept_ms:
            self._sweep(now_ms)
        rows = self._rows.execute(
            "SELECT once, sealed, put_ms, tries FROM letter WHERE state = ? AND due_ms <= ?"
            " ORDER BY due_ms LIMIT ?",
            (letters.WAITING, now_ms, AT_ONCE),
        ).fetchall()
        gone, down = 0, set[str]()
        for once, sealed, put_ms, tries in rows:
            gone += self._try(bytes(once), bytes(sealed), put_ms, tries, down)
        waits = "SELECT count(*) FROM letter WHERE state = ?"
        self._count = self._rows.execute(waits, (letters.WAITING,)).fetchone()[0]
        if not rows:
            for carrier in self._carriers.values():
                carrier.close()
        return gone

    def waiting(self) -> int:
        """How many letters wait. Any thread."""
        return self._count

    def _try(self, once: bytes, sealed: bytes, put_ms: int, tries: int, down: set[str]) -> bool:
        now_ms = self._clock.now_ms()
        if now_ms >= put_ms + letters.LIFE_S * 1000:
            self._end(once, letters.FAILED, "given-up")
            return False
        try:
            letter = self._envelope.open(sealed, once, put_ms)
        except letters.LetterUnfit:
            self._end(once, letters.FAILED, "not-ours")
            return False
        carrier = self._carriers.get(letter.channel)
        if carrier is None:
            self._end(once, letters.FAILED, "no-carrier")
            return False
        if letter.channel in down:
            self._later(once, put_ms, tries, self.trouble)
            return False
        try:
            carrier.carry(_outgoing(letter, once))
        except Never as error:
            self._end(once, letters.FAILED, error.code)
            return False
        except NotNow as error:
            if isinstance(error, CarrierDown):
                down.add(letter.channel)
                self.trouble = error.code
                log.warning("codes can't go", channel=letter.channel, error=str(error))
            self._later(once, put_ms, tries + 1, error.code)
            return False
        self.trouble = ""
        self._end(once, letters.SENT, "")
        return True

    def _later(self, once: bytes, put_ms: int, tries: int, said: str) -> None:
        pause_ms = int(1000 * pause_s(max(1, tries), LONGEST_PAUSE_S, self._entropy))
        ends_ms = put_ms + letters.LIFE_S * 1000
        self._rows.execute(
            "UPDATE letter SET tries = ?, due_ms = ?, said = ? WHERE once = ?",
            (tries, min(ends_ms, self._clock.now_ms() + pause_ms), said, once),
        )

    def _end(self, once: bytes, state: str, said: str) -> None:
        # The demo country shows its letters on the sign-in page; elsewhere nobody needs them now.
        wiped = "" if self._demo else ", sealed = x''"
        sql = f"UPDATE letter SET state = ?, said = ?, tries = tries + 1{wiped} WHERE once = ?"  # noqa: S608
        self._rows.execute(sql, (state, said, once))
        if state == letters.FAILED:
            log.warning("code not sent", why=said)

    def _sweep(self, now_ms: int) -> None:
        self._swept_ms = now_ms
        self._rows.execute("DELETE FROM letter WHERE put_ms < ?", (now_ms - KEPT_MS,))
        self._rows.execute(
            "UPDATE letter SET sealed = x'' WHERE put_ms < ? AND sealed != x'' AND state != ?",
            (now_ms - letters.LIFE_S * 1000, letters.WAITING),
        )


def _outgoing(letter: letters.Letter, once: bytes) -> Outgoing:
    return Outgoing(once.hex()[:32], letter.address, letter.subject, letter.body, "", letter.put_ms)

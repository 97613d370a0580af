"""A home of a made-up country with the post of its messages, in front of carriers with a script.

Fault model: that of FakeTower and of ScriptedCarrier; a home without carriers is one without mail.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from fakes.carrier import ScriptedCarrier
from fakes.country import Country
from fakes.portal import CLOCK, found
from fakes.signers import SeededEntropy
from kulla.kernel.service import Actor
from kulla.services.messages.apply import MESSAGE
from kulla.tower.post.appointments_letters import AppointmentLetters
from kulla.tower.post.enrolment_letters import EnrolmentLetters
from kulla.tower.post.messages import MessagePost
from kulla.tower.post.registers import PostRegisters

HOUR_MS = 3_600_000
SITE = "https://sherbime.example.al"


class Home:
    """A country with a post in front of a scripted carrier; `turns` runs it until it rests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.country: Country = found(folder)[0]
        self.tower = self.country.tower
        self.mail, self.phone = ScriptedCarrier(), ScriptedCarrier()
        self.post = self.fresh()

    def fresh(self, *, mail: bool = True) -> MessagePost:
        """Another process, as after a crash or at a new home; without `mail` nothing carries."""
        registers = PostRegisters(self.folder / "registers.sqlite")
        return MessagePost(
            registers,
            (AppointmentLetters(registers), EnrolmentLetters(registers)),
            self.tower,
            {"mail": self.mail, "phone": self.phone} if mail else {},
            SITE,
            CLOCK,
            SeededEntropy(3),
        )

    def turns(self, post: MessagePost | None = None) -> None:
        """Turn until nothing waits that could go now; records run in threads, so give them time."""
        post = post or self.post
        for _ in range(200):
            gone = post.turn()
            busy = any(letter.recording for letter in post._waiting.values())
            if not gone and not busy:
                return
            time.sleep(0.01)
        raise AssertionError("the post does not come to rest")

    def account(self, number: int, language: str = "sq", mail: str = "") -> str:
        """Open an account with a mail address for a citizen; returns the subject."""
        subject = self.country.citizens[number]
        mail = mail or f"person{number}@example.al"
        self.ask(
            Actor("citizen", subject),
            "accounts",
            "open",
            subject=subject,
            mail=self.tower.seal(subject, {"mail": mail})["mail"],
            mail_token=self.tower.token("mail", mail),
            language=language,
        )
        return subject

    def add_address(self, subject: str, kind: str, address: str) -> None:
        """Another address, 'mail' or 'phone', for who has an account."""
        self.ask(
            Actor("citizen", subject),
            "accounts",
            "add_address",
            kind=kind,
            token=self.tower.token(kind, address),
            sealed=self.tower.seal(subject, {kind: address})[kind],
        )

    def ask(self, actor: Actor, service: str, name: str, /, **data: Any) -> None:
        """One command that must be accepted, or wait for its witnesses."""
        answer = self.country.ask(actor, service, name, data)
        assert answer.status in ("accepted", "waiting"), answer

    def rows(self) -> list[dict[str, Any]]:
        """The register of messages."""
        return [dict(row) for row in self.tower._rows.find(MESSAGE)]

"""A letter that leaves home, and what carries it: mail, or a text to a telephone.

Two kinds of 'no' must not be mixed up. *Not now* (the other side is down, full, or does not know us
yet) is tried again; *never* (there is no such mailbox) would only annoy whoever is asked again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from kulla.kernel.errors import KullaError


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A letter: its id, the same at every attempt; one address; subject and body in plain text.

    `id` is letters and digits and becomes the Message-ID, by which a mailbox knows a repeat;
    `language` is the body's ('sq', 'en'); `at_ms` the instant of the letter's Date.
    """

    id: str
    address: str
    subject: str
    body: str
    language: str
    at_ms: int


class NotCarried(KullaError):
    """The letter did not go; `code` says why in letters and digits, never with an address."""

    def __init__(self, code: str, message: str, *, place: str = "", remedy: str = "") -> None:
        super().__init__(message, place=place, remedy=remedy)
        self.code = code


class NotNow(NotCarried):
    """The letter did not go now, or nobody knows whether it went; another attempt may do it."""


class CarrierDown(NotNow):
    """No letter goes now: the other side does not answer, or does not take letters from us."""


class Never(NotCarried):
    """The letter will not go, however often it is tried."""


class Carrier(Protocol):
    """Takes letters out of the house, one at a time. One thread at once.

    A telephone's carrier over HTTP is one class with these two methods: POST the address and the
    body to the provider with `id` as its idempotency key; answers 400, 404 and 422 are Never, 401
    and 403 CarrierDown, the rest and every silence NotNow.
    """

    def carry(self, letter: Outgoing) -> None:
        """Hand the letter over; when it returns, the other side has taken it and answers for it.

        Raises NotNow, CarrierDown or Never. A letter may have gone although NotNow was raised.
        """
        ...

    def close(self) -> None:
        """Let go of what is open. The carrier can be used again."""
        ...

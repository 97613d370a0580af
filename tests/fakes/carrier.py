"""A carrier of letters that answers as a test tells it to.

Fault model, from `script`, one word an attempt and 'take' once it is used up: 'take' keeps the
letter in `taken`; 'not-now', 'down' and 'never' raise NotNow, CarrierDown and Never and keep
nothing; 'dark' keeps the letter and raises NotNow, as where the answer was lost.
"""

from __future__ import annotations

from kulla.kernel.letters import CarrierDown, Never, NotNow, Outgoing

_ERRORS = {"not-now": NotNow, "dark": NotNow, "down": CarrierDown, "never": Never}


class ScriptedCarrier:
    """See kulla.kernel.letters.Carrier."""

    def __init__(self, *script: str) -> None:
        self.script = list(script)
        self.taken: list[Outgoing] = []
        self.attempts = 0

    def carry(self, letter: Outgoing) -> None:
        self.attempts += 1
        word = self.script.pop(0) if self.script else "take"
        if word in ("take", "dark"):
            self.taken.append(letter)
        if word != "take":
            raise _ERRORS[word](f"{word}-450", "the script says so.")

    def close(self) -> None:
        pass

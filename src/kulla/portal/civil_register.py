"""The civil register as pages ask it (services.pages.CivilRegister).

A country connects its own here, by an adapter that knows how its register is asked. Without one
nobody is known, and a counter enters children with the documents that their parents bring. The demo
country's register makes up an entry for everybody, of their id alone, so that every new home of the
country says the same.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from django.conf import settings

from kulla.kernel.edges import Clock
from kulla.services.pages import CivilEntry, CivilRegister

_PLACES: Final = (
    ("Tiranë", "Rruga e Dëshmorëve"),
    ("Durrës", "Rruga e Lirisë"),
    ("Shkodër", "Rruga Skënderbej"),
    ("Vlorë", "Bulevardi Qendror"),
)
_AGES: Final = (6, 6, 6, 15)
"""In the demo country three children of four begin school next autumn, one the tenth grade."""


class NoCivilRegister:
    """No register is connected: it knows nobody."""

    def entry(self, subject: str) -> CivilEntry | None:  # noqa: ARG002
        """See CivilRegister."""
        return None


@dataclass(frozen=True, slots=True)
class DemoCivilRegister:
    """Made-up entries, the same for the same person in one school year."""

    clock: Clock

    def entry(self, subject: str) -> CivilEntry | None:
        """See CivilRegister."""
        chance = hashlib.sha256(f"demo civil register {subject}".encode()).digest()
        town, street = _PLACES[chance[0] % len(_PLACES)]
        today = datetime.fromtimestamp(self.clock.now_ms() / 1000, UTC).date()
        autumn = today.year + (today.month >= 9)
        # The day lies between 1 September of the year before and 31 August, as school years do.
        first = date(autumn - _AGES[chance[1] % len(_AGES)] - 1, 9, 1)
        born = first + timedelta(days=int.from_bytes(chance[2:4], "big") % 365)
        address = f"{street} {chance[4] % 90 + 1}, {town}"
        return CivilEntry(born.isoformat(), address, town.casefold())


def civil_register(clock: Clock) -> CivilRegister:
    """The register of this country."""
    return DemoCivilRegister(clock) if settings.KULLA.demo else NoCivilRegister()

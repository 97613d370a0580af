"""Whether what browsers were told is so: each booking in the registers, below the watermark.

A sample of them is also proven the way a citizen would: receipts, checked against the policy file.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any, Final, NamedTuple

from kulla.bench.country import Country
from kulla.bench.errors import BenchFailed
from kulla.journal.receipts import verify_receipt
from kulla.kernel.edges import SystemClock
from kulla.scribe.client import ScribeClient

RECEIPTS: Final = 50
_PAGES: Final = "/appointments/"


class Claim(NamedTuple):
    """A citizen was sent to `location` after asking for `slot`."""

    subject: str
    slot: str
    location: str


def verify_claims(country: Country, claims: Sequence[Claim]) -> dict[str, Any]:
    """Bear out every claim. Raises BenchFailed where one is not so, or a slot has two bookings."""
    watermark = country.watermark()
    with closing(country.registers()) as connection:
        rows = connection.execute(
            "SELECT id, citizen, slot, state, position FROM appointments_appointment"
        ).fetchall()
    appointments = {row[0]: row[1:] for row in rows}
    taken = {slot for _, slot, state, _ in appointments.values() if state == "booked"}
    twice = sum(row[2] == "booked" for row in appointments.values()) - len(taken)
    positions: list[tuple[int, str]] = []
    for claim in claims:
        found = appointments.get(claim.location.removeprefix(_PAGES))
        if found is None or found[:3] != (claim.subject, claim.slot, "booked"):
            raise BenchFailed("a booking that was confirmed is not in the registers.")
        if found[3] >= watermark:
            raise BenchFailed("a booking that was confirmed lies above the watermark.")
        positions.append((found[3], claim.subject))
    if twice or len({claim.slot for claim in claims}) != len(claims):
        raise BenchFailed(f"{twice} slots are booked twice in the registers.")
    return {
        "verified_bookings": len(positions),
        "receipts_verified": _verify_receipts(country, positions),
    }


def _verify_receipts(country: Country, positions: Sequence[tuple[int, str]]) -> int:
    scribe = ScribeClient(country.plan.home.run_folder(), SystemClock())
    policy = country.plan.home.policy()
    step = max(1, len(positions) // RECEIPTS)
    sample = positions[::step][:RECEIPTS]
    for position, subject in sample:
        verify_receipt(scribe.receipt(position, subject), policy)
    return len(sample)

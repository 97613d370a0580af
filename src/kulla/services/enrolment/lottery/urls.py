"""Addresses of the room `lottery`, below /enrolment/."""

from __future__ import annotations

from typing import Final

from django.urls import URLPattern, path

from kulla.services.enrolment.lottery import pages

_LOTTERY: Final = "rounds/<slug:round_id>/lottery"

PATTERNS: Final[list[URLPattern]] = [
    path(_LOTTERY, pages.lottery, name="lottery"),
    path(f"{_LOTTERY}/seed.txt", pages.seed_file, name="lottery-seed"),
    path(f"{_LOTTERY}/proof.json", pages.proof_file, name="lottery-proof"),
]

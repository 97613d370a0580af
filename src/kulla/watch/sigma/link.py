"""Correlations with the rules that they speak of; the seam between pySigma's objects and ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Correlation:
    id: str


def link(loaded: Any, correlations: list[Any]) -> None:
    """Placeholder."""

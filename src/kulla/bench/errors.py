"""What can go wrong with a measurement: better no figure than a wrong one."""

from __future__ import annotations

from kulla.kernel.errors import KullaError


class BenchFailed(KullaError):
    """A measurement that can't be made, or whose result does not hold what it claims."""

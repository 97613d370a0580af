"""What can go wrong in the watch, each with its place and remedy."""

from __future__ import annotations

from kulla.kernel.errors import KullaError


class RuleUnfit(KullaError):
    """A rule that can't run here; it is listed with this reason and never dropped in silence."""


class WatchFailed(KullaError):
    """A scan can't go on: the store refuses, or what was asked for is not there."""

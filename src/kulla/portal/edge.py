"""Where the portal meets the tower: the edges that the tower gives it once, at start-up."""

from __future__ import annotations

from dataclasses import dataclass

from kulla.kernel.edges import Clock, Entropy, SystemClock, SystemEntropy
from kulla.kernel.errors import KullaError
from kulla.kernel.tower import TowerEdge


class EdgeFault(KullaError):
    """The portal was given no tower, or a second one."""


@dataclass(frozen=True, slots=True)
class Edges:
    """All that the portal knows of the world outside it."""

    tower: TowerEdge
    clock: Clock
    entropy: Entropy


_installed: Edges | None = None


def install(
    tower: TowerEdge, *, clock: Clock | None = None, entropy: Entropy | None = None
) -> None:
    """Give this process its tower, once and before its first request.

    Raises EdgeFault where one was given before: a portal never changes its tower.
    """
    global _installed  # noqa: PLW0603 (set once at start-up; requests only read it)
    if _installed is not None:
        raise EdgeFault(
            "this portal has a tower already.",
            place="kulla.portal.edge.install",
            remedy="Start another process for another tower.",
        )
    _installed = Edges(tower, clock or SystemClock(), entropy or SystemEntropy())


def installed() -> Edges:
    """The edges. Raises EdgeFault before `install`."""
    if _installed is None:
        raise EdgeFault(
            "this portal has no tower yet.",
            place="kulla.portal.edge.installed",
            remedy="Call kulla.portal.edge.install(tower) before the application is made.",
        )
    return _installed


class TowerUnavailable(KullaError):
    """The tower does not answer; what was asked may or may not have happened.

    The edge raises it where the scribe or the keeper is silent, so that pages can tell that from a
    question that was answered with no.
    """

"""Hands the job's commands to the scribe until each has its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kulla.kernel.errors import KullaError
from kulla.kernel.service import Command
from kulla.kernel.tower import Answer, TowerEdge

TRIES: Final = 60
PAUSE_S: Final = 2.0
_WAIT_S: Final = 10.0


class PostingStopped(KullaError):
    """No quorum answered for minutes, or this home is home no more. What stands, stands."""


def submit(tower: TowerEdge, command: Command, sleep: Callable[[float], object]) -> Answer:
    """The answer of a command: accepted or refused. Asks again while it waits for a quorum.

    Raises PostingStopped after TRIES; the same command may be handed in again at any time.
    """
    answer = tower.submit(command, _WAIT_S)
    for _ in range(TRIES):
        if answer.status in ("accepted", "refused"):
            return answer
        if answer.code == "not-home":
            break
        sleep(PAUSE_S)
        answer = tower.submit(command, _WAIT_S)
    raise PostingStopped(
        f"{command.name} got no answer ({answer.code or answer.status}).",
        place=str(command.data.get("round", "")),
        remedy="Run it again, at the site that is home now: it goes on where it was.",
    )

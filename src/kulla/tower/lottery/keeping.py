"""Lotteries by themselves: published rounds get their commitments, closed ones are drawn.

A loop of the post (tower.post.app.Round), so that no list closes without commitments only because
nobody typed a command. It does what `kulla enrolment commit` and `draw` do, and decides nothing:
which seed follows was fixed before. What custodians must open waits for those commands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog

from kulla.kernel.edges import Clock
from kulla.kernel.errors import KullaError
from kulla.kernel.rows import Row
from kulla.kernel.tower import Witnessing
from kulla.services.enrolment import tables
from kulla.tower.home import Home
from kulla.tower.lottery.committing import commit
from kulla.tower.lottery.drawing import draw, names_of
from kulla.tower.lottery.reading import policies_of, registers

AGAIN_S: Final = 60.0
"""After an embassy did not answer, it is asked again so much later."""

_ROUNDS_MAX: Final = 100

log = structlog.get_logger()


class LotteryKeeper:
    """See the module. One thread; `waiting` may be asked from any."""

    def __init__(self, home: Home, witnessing: Callable[[], Witnessing], clock: Clock) -> None:
        self._home = home
        self._witnessing = witnessing
        self._clock = clock
        self._not_before_s: dict[str, float] = {}
        self._why: dict[str, str] = {}
        self._done: set[str] = set()
        self._waiting = 0
        self.trouble = ""

    def close(self) -> None:
        """Nothing is kept open."""

    def waiting(self) -> int:
        """How many rounds wait for an embassy."""
        return self._waiting

    def turn(self) -> int:
        """Do what is due; returns how many rounds came further."""
        seen = self._witnessing()
        if not seen.quorum:
            return 0
        with registers(self._home) as rows:
            published = rows.find(tables.ROUND, _ROUNDS_MAX, state=tables.PUBLISHED)
            closed = rows.find(tables.ROUND, _ROUNDS_MAX, state=tables.CLOSED)
        before, done = self._why, 0
        self._why = {}
        for row in published:
            done += self._one(row, seen, "commit", self._commit, before)
        for row in closed:
            done += self._one(row, seen, "draw", self._draw, before)
        self._waiting = len(self._why)
        self.trouble = " ".join(self._why.values())
        return done

    def _one(
        self,
        row: Row,
        seen: Witnessing,
        what: str,
        act: Callable[[str], str],
        before: Mapping[str, str],
    ) -> int:
        position, round_id = row["position"], str(row["id"])
        assert isinstance(position, int)
        key = f"{what} {round_id}"
        if position >= seen.watermark or key in self._done:
            return 0
        if self._clock.monotonic_s() < self._not_before_s.get(key, 0.0):
            self._why[key] = before.get(key, "")
            return 0
        try:
            missing = act(round_id)
        except KullaError as error:
            missing = str(error)
        if not missing:
            self._done.add(key)
            log.info("lottery went on", round=round_id, what=what)
            return 1
        self._not_before_s[key] = self._clock.monotonic_s() + AGAIN_S
        self._why[key] = f"{round_id}: {missing}"
        log.warning("lottery waits", round=round_id, what=what, why=missing)
        return 0

    def _commit(self, round_id: str) -> str:
        """Ask for commitments; what is missing, or ''."""
        told = commit(self._home.folder, round_id)
        return "; ".join(_failed(told))

    def _draw(self, round_id: str) -> str:
        """Draw; which secrets are missing, or ''."""
        told = draw(self._home.folder, round_id)
        names = names_of(policies_of(self._home)) if told["missing"] else {}
        return "; ".join(f"{names[key]}: {why}" for key, why in told["missing"].items())


def _failed(told: Mapping[str, Any]) -> list[str]:
    return [f"{each['embassy']}: {each['why']}" for each in told["embassies"] if each["why"]]

"""Moves waiting lists, lets offers lapse, allocates what the ministry asked for: a loop a home.

It decides nothing: the scribe's policy gives a seat to whoever is first when the command comes. All
that it does follows from registers below the watermark: a new home goes on where the old one was.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from kulla.kernel.canonical import Value
from kulla.kernel.edges import Clock
from kulla.kernel.errors import KullaError
from kulla.kernel.rows import Row
from kulla.kernel.tower import TowerEdge
from kulla.services.enrolment import tables
from kulla.services.enrolment.results.known import free_seats, number_in
from kulla.services.enrolment.results.posting import settle_command
from kulla.services.enrolment.results.wishes import LAPSE_MAX
from kulla.tower.enrolment.allocating import Allocator
from kulla.tower.enrolment.files import bring_back
from kulla.tower.enrolment.folder import RoundFolder
from kulla.tower.enrolment.registers import RoundRows
from kulla.tower.enrolment.submitting import submit

AGAIN_S: Final = 300.0
"""After a round could not be allocated, it is tried again so much later."""

log = structlog.get_logger()


class ListKeeper:
    """See the module; a round of the post (tower.post.app.Round). One thread."""

    def __init__(
        self,
        home: Path,
        registers: Path,
        tower: TowerEdge,
        clock: Clock,
        sleep: Callable[[float], object],
    ) -> None:
        self._home = home
        self._rows = RoundRows(registers)
        self._tower = tower
        self._clock = clock
        self._sleep = sleep
        self._allocator = Allocator(home, self._rows, tower, clock, sleep)
        self._not_before_s: dict[str, float] = {}
        self._waiting = 0
        self._settled_to = -1
        self.trouble = ""

    def close(self) -> None:
        """Let go of the registers."""
        self._rows.close()

    def waiting(self) -> int:
        """How many rounds wait to be allocated. Any thread may ask."""
        return self._waiting

    def turn(self) -> int:
        """Do what is due; returns how many acts came of it."""
        witnessing = self._tower.witnessing()
        if not witnessing.quorum:
            return 0
        watermark = witnessing.watermark
        done = self._allocate(watermark)
        for row in self._rows.rounds_in(tables.OFFERED):
            if number_in(row, "position") < watermark:
                done += self._lapse(row, watermark)
                if watermark != self._settled_to:
                    done += self._settle(row, watermark)
        # Nothing can have become free while nothing was confirmed.
        self._settled_to = -1 if done else watermark
        return done

    def _allocate(self, watermark: int) -> int:
        """Rounds that are asked for, and those whose files this home has not."""
        asked = self._rows.asked()
        lost = [
            row
            for row in self._rows.allocated()
            if number_in(row, "position") < watermark and not self._has_files(row)
        ]
        self._waiting = len(asked) + len(lost)
        now_s, done = self._clock.monotonic_s(), 0
        for row in lost:
            if self._not_before_s.get(str(row["id"]), now_s) <= now_s:
                bring_back(self._rows, self._tower, self._home, row)
        for key in (*asked, *(str(row["id"]) for row in lost)):
            if self._not_before_s.get(key, now_s) <= now_s:
                done += self._try(key)
        return done

    def _has_files(self, row: Row) -> bool:
        public, audit = row["public_transcript"], row["audit_transcript"]
        assert isinstance(public, bytes)
        assert isinstance(audit, bytes)
        return RoundFolder(self._home, str(row["id"])).holds_quickly(public, audit)

    def _try(self, key: str) -> int:
        try:
            report = self._allocator.run(key)
        except KullaError as error:
            self.trouble = str(error)
            self._not_before_s[key] = self._clock.monotonic_s() + AGAIN_S
            log.error("a round could not be allocated", round=key, error=str(error))
            return 0
        self.trouble = ""
        log.info("a round is allocated", round=key, placed=report.placed, of=report.applicants)
        return report.parts

    def _lapse(self, row: Row, watermark: int) -> int:
        key, at_s = str(row["id"]), self._clock.now_ms() // 1000
        if number_in(row, "answer_by_s") >= at_s:
            return 0
        found = self._rows.lapsing(key, at_s, LAPSE_MAX)
        settled = [one for one in found if number_in(one, "position") < watermark]
        if not settled:
            return 0
        children: list[Value] = [str(one["child"]) for one in settled]
        newest = max(number_in(one, "position") for one in settled)
        return self._ask("lapse_offers", key, newest, {"round": key, "children": children})

    def _settle(self, row: Row, watermark: int) -> int:
        key, done = str(row["id"]), 0
        for programme, filled in list(self._rows.waited_for(key)):
            seen = number_in(filled, "position")
            if free_seats(programme, filled) > 0 and seen < watermark:
                name = str(programme["programme"])
                done += self._ask("settle_list", key, seen, {"round": key, "programme": name})
        return done

    def _ask(self, name: str, key: str, seen: int, data: dict[str, Value]) -> int:
        """Hand in a command whose id follows from what was seen, so that a repeat is the same."""
        answer = submit(self._tower, settle_command(name, key, seen, data), self._sleep)
        return len(answer.positions)

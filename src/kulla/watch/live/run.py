"""The watch that goes on: logs in, rounds of rules, detections out, and all of it kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kulla.kernel.edges import Clock
from kulla.watch.engine import Engine
from kulla.watch.findings import Account
from kulla.watch.live.events import Events
from kulla.watch.live.inbox import Inbox, Mark
from kulla.watch.live.journal import JOURNAL, Journal
from kulla.watch.live.keeping import Keeping
from kulla.watch.live.lines_out import LinesOut
from kulla.watch.live.sliding import Sliding
from kulla.watch.live.tail import Tail
from kulla.watch.scan import Scan
from kulla.watch.sigma.load import RuleSet
from kulla.watch.sources.batch import Batch, Reject
from kulla.watch.sources.recognise import Readers

LOOK_S: Final = 2.0
"""How often folders are looked through for logs that came since."""
_WAIT_S: Final = 0.2
_COST_MAX_S: Final = 20.0
_ROTATED: Final = (".gz", ".xz", ".zst", ".bz2", ".zip", ".old", ".evtx")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a watch follows, and how. every_s: how long events may wait for their round."""

    paths: Sequence[Path]
    journal: bool = False
    every_s: float = 2.0
    once: bool = False


class Live:
    """One watch on one folder. All but reading happens in the thread that calls `run`."""

    def __init__(
        self,
        plan: Plan,
        engine: Engine,
        rules: RuleSet,
        readers: Readers,
        clock: Clock,
        keeping: Keeping,
        out: LinesOut,
        events: Events | None = None,
    ) -> None:
        self._plan = plan
        self._readers = readers
        self._clock = clock
        self._keeping = keeping
        self._out = out
        self._events = events
        known = keeping.known()
        self._before = keeping.places()
        self._sliding = Sliding(
            rules.correlations, clock, keeping.matched(), keeping.told(), known.get("newest_us")
        )
        self._totals: dict[str, int] = dict(known.get("totals", {}))
        self._round = int(known.get("round", 0))
        self._scan = Scan(
            engine, rules, [out], clock, memory=self._sliding, next_event=known.get("next_event", 0)
        )
        self._inbox = Inbox()
        self._threads: dict[str, threading.Thread] = {}
        self._waiting: dict[str, list[Batch | Reject]] = {}
        self._marks: dict[str, Mark] = {}
        self._caught_up: dict[str, bool] = {}

    def run(self, stop: threading.Event, told: Callable[[dict[str, int]], None]) -> None:
        """Until `stop` is set, or all is read where the plan says once. told: of each round.

        Raises WatchFailed where something can't be kept: then nothing of that round counts.
        """
        looked_s = round_s = self._clock.monotonic_s()
        cost_s = 0.0
        self._look(stop)
        self._settle(told)
        try:
            while True:
                item = self._inbox.get(_WAIT_S)
                if item is not None:
                    self._take(*item)
                elif (self._plan.once or stop.is_set()) and self._are_done():
                    break
                now_s = self._clock.monotonic_s()
                if now_s - round_s >= max(self._plan.every_s, cost_s):
                    self._settle(told)
                    round_s = self._clock.monotonic_s()
                    # What a round costs beside its events, a large one costs once.
                    cost_s = min(round_s - now_s, _COST_MAX_S)
                if now_s - looked_s >= LOOK_S and not self._plan.once and not stop.is_set():
                    self._look(stop)
                    looked_s = now_s
        finally:
            stop.set()
        while (item := self._inbox.get(0.0)) is not None:  # what came while the last one ended
            self._take(*item)
        self._settle(told)

    def _are_done(self) -> bool:
        return not any(one.is_alive() for one in self._threads.values())

    def _look(self, stop: threading.Event) -> None:
        """Begin to follow every log that is not followed yet."""
        once = self._plan.once
        for path in logs_under(self._plan.paths):
            name = str(path)
            if name not in self._threads:
                before = self._before.get(name, {})
                self._begin(
                    name,
                    Tail(path, self._inbox, self._readers, self._clock, stop, before, once=once),
                )
        if self._plan.journal and JOURNAL not in self._threads:
            before = self._before.get(JOURNAL, {})
            self._begin(JOURNAL, Journal(self._inbox, stop, before, once=once))

    def _begin(self, name: str, thread: threading.Thread) -> None:
        self._threads[name] = thread
        self._caught_up[name] = False
        if name not in self._before:
            self._marks[name] = Mark()  # so that it shows how much of it waits
        thread.start()

    def _take(self, log: str, item: Batch | Reject | Mark) -> None:
        """What lies before a mark counts together with its place, so it waits for the mark."""
        if not isinstance(item, Mark):
            self._waiting.setdefault(log, []).append(item)
            return
        waiting = self._waiting.pop(log, [])
        for one in () if item.undone else waiting:
            self._scan.take(one)
            if self._events is not None and isinstance(one, Batch):
                self._events.take(one)
        self._marks[log] = item
        self._caught_up[log] = item.caught_up or bool(item.trouble)

    def _settle(self, told: Callable[[dict[str, int]], None]) -> None:
        """One round: ask the rules, write detections, keep all of it."""
        self._scan.ask()
        account = self._scan.account
        self._count(account)
        now_ms = self._clock.now_ms()
        if self._events is not None:
            self._events.keep(self._round + 1, now_ms)
        detections = self._out.settled()
        gone = self._sliding.let_go() if all(self._caught_up.values()) else []
        known: dict[str, Any] = {
            "round": self._round + 1,
            "round_ms": now_ms,
            "next_event": self._scan.next_event,
            "newest_us": self._sliding.newest_us,
            "totals": self._totals,
            "detections": detections,
        }
        fresh, marks = self._sliding.take_fresh(), self._marks
        self._keeping.keep(now_ms, marks, fresh, gone, self._sliding.told(), account.rejects, known)
        self._round += 1
        self._marks = {}
        account.rejects.clear()
        told(self._totals)

    def _count(self, account: Account) -> None:
        """Add what this round brought to the totals of all rounds."""
        came = {
            "events": account.events, "bytes": account.bytes, "rejected": account.rejected,
            "detections": account.detections, "untimed": account.untimed,
            "late": self._sliding.late,
        }  # fmt: skip
        self._totals = {name: self._totals.get(name, 0) + count for name, count in came.items()}
        account.events = account.bytes = account.rejected = 0
        account.detections = account.untimed = self._sliding.late = 0
        account.tallies.clear()
        account.files.clear()


def logs_under(paths: Sequence[Path]) -> list[Path]:
    """Every log to follow: the files that are named, and those in folders.

    In folders what was rotated already (numbered, dated, packed) is left out, and so is EVTX, which
    can't be followed: `kulla watch scan` reads them. A named file may come later.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            files = (one for one in sorted(path.rglob("*")) if one.is_file())
            found |= dict.fromkeys(one for one in files if not _is_rotated(one.name))
        else:
            found[path] = None
    return list(found)


def _is_rotated(name: str) -> bool:
    last = name.rpartition(".")[2].rpartition("-")[2]
    return name.startswith(".") or name.endswith(_ROTATED) or last.isdigit()

"""What a standby has to say to its operators, kept until it is over or somebody has seen it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import structlog

from kulla.kernel.edges import Clock

log = structlog.get_logger()

ENTRY: Final = "entry"
CASE: Final = "case"
MISFIT: Final = "misfit"
KEY: Final = "key"
FORK: Final = "fork"
DISOWNED: Final = "disowned"
TILES: Final = "tiles"
QUORUM: Final = "quorum"
EMBASSY: Final = "embassy"
HOME: Final = "home"
HISTORY: Final = "history"
UNSETTLED: Final = "unsettled"
BACK: Final = "back"

STAYS: Final = frozenset((ENTRY, CASE, MISFIT, FORK, DISOWNED, BACK))
"""Kinds that don't end by themselves: they last until an operator says that they were seen."""

ALARMS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is not right. `number` is its own for ever; instants in ms since 1970.

    kind: one of the words above. place: which embassy, position or log. over_ms: 0 while it lasts.
    """

    number: int
    kind: str
    place: str
    message: str
    since_ms: int
    over_ms: int = 0


class Alarms:
    """All alarms of one standby. Not for two threads."""

    def __init__(self, clock: Clock, tell: Callable[[Alarm], None] = lambda _: None) -> None:
        """`tell` is given each alarm once, when it is raised."""
        self._clock = clock
        self._tell = tell
        self._next = 1
        self._found: dict[tuple[str, str], Alarm] = {}

    def sound(self, kind: str, message: str, place: str = "") -> None:
        """Raise an alarm. The same one again is no new alarm; with other words it is."""
        known = self._found.get((kind, place))
        if known is not None and not known.over_ms and known.message == message:
            return
        # What counts up or down, and ends by itself, goes on under its number.
        if known is not None and not known.over_ms and kind not in STAYS:
            self._found[kind, place] = replace(known, message=message)
            return
        alarm = Alarm(self._next, kind, place, message, self._clock.now_ms())
        self._next += 1
        self._found.pop((kind, place), None)
        self._found[kind, place] = alarm
        log.error("alarm", number=alarm.number, kind=kind, place=place, message=message)
        self._tell(alarm)
        self._drop_old()

    def over(self, kind: str, place: str = "") -> None:
        """What was wrong is right again; nothing happens where no such alarm lasts."""
        known = self._found.get((kind, place))
        if known is None or known.over_ms or kind in STAYS:
            return
        self._found[kind, place] = replace(known, over_ms=max(1, self._clock.now_ms()))
        log.info("alarm over", number=known.number, kind=kind, place=place)

    def all(self) -> list[Alarm]:
        """Every alarm that is remembered, the oldest first."""
        return sorted(self._found.values(), key=lambda alarm: alarm.number)

    def lasting(self) -> list[Alarm]:
        """Those that are not over."""
        return [alarm for alarm in self.all() if not alarm.over_ms]

    def state(self) -> dict[str, Any]:
        """What `restore` takes, fit for JSON."""
        return {"next": self._next, "alarms": [asdict(alarm) for alarm in self.all()]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on with the alarms of an earlier run. Raises KeyError or TypeError for another form.

        Those that end by themselves are looked at anew.
        """
        self._next = int(state["next"])
        for fields in state["alarms"]:
            alarm = Alarm(**fields)
            self._found[alarm.kind, alarm.place] = alarm

    def _drop_old(self) -> None:
        """Keep the file small: what is over goes first, then the oldest."""
        for alarm in sorted(self._found.values(), key=lambda one: (not one.over_ms, one.number)):
            if len(self._found) <= ALARMS_MAX:
                return
            del self._found[alarm.kind, alarm.place]

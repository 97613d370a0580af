"""Kulla's own logs: one object of JSON a line on standard error of each process (tower/logs.py).

Product kulla; the service is the process (portal, scribe, keeper, post, standby, or embassy for all
embassies). Fields are as they are logged: `event` says what happened, `level` how bad it is. Where
a member of staff had data opened, `staff` and `staff_role` are taken out of the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from kulla.watch.sources.batch import Batch, Reject, Source
from kulla.watch.sources.flat import flattened
from kulla.watch.sources.lines import object_of, read_lines
from kulla.watch.sources.times import NOTHING_SAID, iso, put_time

_STAFF = re.compile(r"(clerk|operator|analyst|custodian) (\w+): ")
"""How the reason of an opening begins where a member of staff asked (portal/people.py)."""


def looks(keys: Mapping[str, Any]) -> bool:
    """Whether an object of JSON is a line of Kulla's logs."""
    return {"event", "level", "timestamp", "process"} <= keys.keys()


def read(stream: BinaryIO, file: str) -> Iterator[Batch | Reject]:
    """The events of a log of Kulla's; other lines (a traceback, a server's own) are Rejects."""
    return read_lines(stream, file, lambda line: [event_of(line)])


def event_of(line: str) -> tuple[Source, dict[str, Any]]:
    """The log source and the event of one line. Raises ValueError where it is none of Kulla's."""
    fields = object_of(line)
    if not looks(fields):
        raise ValueError("no line of Kulla's logs: event, level, timestamp or process is missing")
    event: dict[str, Any] = {}
    put_time(event, iso(str(fields["timestamp"]), NOTHING_SAID))
    event |= flattened(fields)
    if (staff := _STAFF.match(str(event.get("reason", "")))) is not None:
        event["staff_role"], event["staff"] = staff.groups()
    service = str(fields["process"]).partition(" ")[0].partition(":")[0].lower()
    return ("kulla", "", service), event

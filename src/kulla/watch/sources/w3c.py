"""W3C's extended log format as IIS writes it (SharePoint, Exchange): Sigma's webserver events.

The names are those of the #Fields line; cs(User-Agent) becomes cs-user-agent. Dates and times are
UTC, as the format has it. As for other web servers here, cs-uri-query holds path and query.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from kulla.watch.sources.access_log import WEBSERVER
from kulla.watch.sources.batch import AT, RAW, Batch, Gathering, Reject, encoded, reject
from kulla.watch.sources.lines import Pause, numbered, text_of
from kulla.watch.sources.times import NOTHING_SAID, iso

_NUMBERS: Final = {"sc-status", "sc-substatus", "sc-win32-status", "sc-bytes", "cs-bytes"} | {
    "time-taken",
    "s-port",
}


def looks(line: str) -> bool:
    """Whether a stream that begins so is such a log."""
    return line.startswith(("#Software: Microsoft Internet", "#Fields: ", "#Version: 1.0"))


def read(stream: BinaryIO, file: str) -> Iterator[Batch | Reject]:
    """The requests of a log; a line with another number of fields than #Fields is a Reject.

    IIS writes a new header when it starts or its settings change; each holds for what follows it.
    """
    gathering = Gathering(file)
    names: list[str] = []
    day = ""
    for item in numbered(stream, file):
        if isinstance(item, Reject):
            yield item
            continue
        if isinstance(item, Pause):
            yield from gathering.rest()
            continue
        number, line = item
        text = text_of(line)
        if text.startswith("#"):
            if text.startswith("#Fields:"):
                names = [_named(name) for name in text.split()[1:]]
            elif text.startswith("#Date:"):
                day = text.split()[1] if len(text.split()) > 1 else ""
            continue
        values = text.split(" ")
        if len(values) != len(names):
            reason = f"{len(values)} fields where #Fields names {len(names)}"
            yield reject(file, number, reason, line)
            continue
        event = _event(dict(zip(names, values, strict=True)), day)
        event[RAW] = text
        yield from gathering.add(WEBSERVER, number, encoded(event))
    yield from gathering.rest()


def _named(name: str) -> str:
    return name.lower().replace("(", "-").rstrip(")")


def _event(fields: dict[str, str], day: str) -> dict[str, Any]:
    event: dict[str, Any] = {}
    at = iso(f"{fields.get('date', day)} {fields.get('time', '')}", NOTHING_SAID)
    if at is not None:
        event[AT] = at[0]
    for name, value in fields.items():
        if value != "-":
            event[name] = int(value) if name in _NUMBERS and value.isdigit() else value
    if "cs-user-agent" in event:  # a blank stands as a plus in this format
        event["cs-user-agent"] = event["cs-user-agent"].replace("+", " ")
    if "cs-uri-stem" in event:
        query = event.get("cs-uri-query")
        whole = event["cs-uri-stem"] + (f"?{query}" if query else "")
        event["c-uri"] = event["cs-uri-query"] = whole
    return event

"""Access logs of nginx and Apache as Sigma's webserver events.

Common and combined format, also with the virtual host in front. Fields follow Sigma's taxonomy,
that is W3C's extended log format. SigmaHQ's webserver rules look for paths in cs-uri-query as well
as in cs-uri-stem, so cs-uri-query holds path and query here, and cs-uri-stem the path alone; c-uri
is the whole request target.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from kulla.watch.sources.batch import RAW, Batch, Reject, Source
from kulla.watch.sources.lines import read_lines
from kulla.watch.sources.times import common_log, put_time

WEBSERVER: Final[Source] = ("", "webserver", "")
LINE_CHARS_MAX: Final = 32_768
"""No server takes longer requests as it comes; a line made to be slow to match would be longer."""

# A quoted field: nginx writes a quote as \x22, Apache as \".
_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_LINE = re.compile(
    r"(?:([A-Za-z0-9_.-]+)(?::(\d+))? )?([0-9A-Fa-f:.]+|[A-Za-z0-9_.-]+) (\S+) (.*?) "
    rf"\[([^\]]{{20,40}})\] {_QUOTED} (\d{{3}}|-) (\d+|-)(?: {_QUOTED} {_QUOTED})?(.*)",
    re.DOTALL,
)
_REQUEST = re.compile(r"([A-Za-z_-]{1,32}) (.*?)(?: (HTTP/\d(?:\.\d)?))?", re.DOTALL)
_ESCAPE = re.compile(r'\\(?:x([0-9A-Fa-f]{2})|(["\\]))')


def looks(line: str) -> bool:
    """Whether this is a line of such a log."""
    found = _LINE.fullmatch(line) if len(line) <= LINE_CHARS_MAX else None
    return found is not None and common_log(found[6]) is not None


def read(stream: BinaryIO, file: str) -> Iterator[Batch | Reject]:
    """The requests of an access log, one event a line; a line of another form is a Reject."""
    return read_lines(stream, file, _read)


def _read(line: str) -> list[tuple[Source, dict[str, Any]]]:
    if len(line) > LINE_CHARS_MAX:
        raise ValueError(f"a request of more than {LINE_CHARS_MAX} characters")
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError("no line of an access log (common or combined format)")
    host, port, client, _, user, when, request, status, size, referer, agent, _rest = found.groups()
    event: dict[str, Any] = {}
    put_time(event, common_log(when))
    event["c-ip"] = client
    event |= {name: value for name, value in (("cs-host", host), ("s-port", port)) if value}
    if user != "-":
        event["cs-username"] = user
    _put_request(event, _plain(request))
    if status != "-":
        event["sc-status"] = int(status)
    event["sc-bytes"] = 0 if size == "-" else int(size)
    for name, value in (("cs-referer", referer), ("cs-user-agent", agent)):
        if value is not None and value != "-":
            event[name] = _plain(value)
    event[RAW] = line
    return [(WEBSERVER, event)]


def _put_request(event: dict[str, Any], request: str) -> None:
    """What a client sent as its request; what is no HTTP stays whole in c-uri."""
    found = _REQUEST.fullmatch(request)
    if found is None:
        event["c-uri"] = request
        return
    event["cs-method"], target, version = found.groups()
    event["c-uri"] = event["cs-uri-query"] = target
    event["cs-uri-stem"] = target.partition("?")[0]
    if version:
        event["cs-version"] = version


def _plain(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda found: found[2] or chr(int(found[1], 16)), text)

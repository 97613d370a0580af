"""The systemd journal as `journalctl -o json` and `-o export` write it.

The export form is the one of systemd's 'Journal Export Formats': fields as NAME=value lines, binary
ones as NAME, a little-endian length of 64 bits and the bytes; an empty line ends an entry.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final

from kulla.watch.sources import kulla_log
from kulla.watch.sources.batch import AT, Batch, Gathering, Reject, Source, encoded, reject
from kulla.watch.sources.lines import LINE_MAX, object_of, read_lines, text_of
from kulla.watch.sources.syslog import put_ssh, service_of

_AT_FIELDS: Final = ("_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP")
_NAMES: Final[Mapping[str, str]] = {
    "MESSAGE": "message",
    "_HOSTNAME": "hostname",
    "SYSLOG_IDENTIFIER": "program",
    "_PID": "pid",
    "SYSLOG_FACILITY": "facility_number",
    "PRIORITY": "priority",
}
_AUTH_FACILITIES: Final = {"4", "10"}


def looks_exported(line: str) -> bool:
    """Whether a stream that begins so is an export of the journal."""
    return line.startswith(("__CURSOR=", "__REALTIME_TIMESTAMP="))


def looks(keys: Mapping[str, Any]) -> bool:
    """Whether an object of JSON is an entry of the journal."""
    return "__REALTIME_TIMESTAMP" in keys


def read(stream: BinaryIO, file: str) -> Iterator[Batch | Reject]:
    """The entries of `journalctl -o json`, one a line."""
    return read_lines(stream, file, _read_json)


def read_exported(stream: BinaryIO, file: str) -> Iterator[Batch | Reject]:
    """The entries of `journalctl -o export`; numbers count entries from 1.

    An entry that is cut off or too long is a Reject; after one whose length makes no sense the
    rest can't be found and is one Reject too.
    """
    gathering = Gathering(file)
    number = 0
    while True:
        number += 1
        try:
            fields = _exported(stream)
        except ValueError as error:
            yield reject(file, number, str(error))
            break
        if fields is None:
            break
        if not fields:
            number -= 1
            continue
        source, event = _event(fields)
        yield from gathering.add(source, number, encoded(event))
    yield from gathering.rest()


def _exported(stream: BinaryIO) -> dict[str, Any] | None:
    """One entry's fields; None at the end of the stream. Raises ValueError where it is broken."""
    fields: dict[str, Any] = {}
    while line := stream.readline(LINE_MAX + 1):
        if line == b"\n":
            return fields
        if not line.endswith(b"\n"):
            raise ValueError("the entry is cut off, or one field has no end")
        name, equals, value = line[:-1].partition(b"=")
        if not equals:
            value = _binary(stream)
        fields[name.decode("ascii", "replace")] = text_of(value)
    return fields or None


def _binary(stream: BinaryIO) -> bytes:
    size = int.from_bytes(stream.read(8), "little")
    if size > LINE_MAX:
        raise ValueError(f"a field of {size} bytes: the length is damaged, or too much")
    value = stream.read(size + 1)
    if len(value) != size + 1 or value[-1:] != b"\n":
        raise ValueError("a binary field is cut off")
    return value[:-1]


def _read_json(line: str) -> list[tuple[Source, dict[str, Any]]]:
    fields = object_of(line)
    return [_event({name: _text(value) for name, value in fields.items() if value is not None})]


def _text(value: Any) -> str:
    """A field's text: journalctl writes bytes as a list of numbers, a repeated one as a list."""
    if isinstance(value, list):
        if value and all(isinstance(item, int) and 0 <= item < 256 for item in value):
            return text_of(bytes(value))
        return ",".join(_text(item) for item in value)
    return str(value)


def _event(fields: dict[str, Any]) -> tuple[Source, dict[str, Any]]:
    event: dict[str, Any] = {}
    message = str(fields.get("MESSAGE", ""))
    if message.startswith("{"):
        # A home that systemd runs logs into the journal: its lines are Kulla's events all the same.
        with contextlib.suppress(ValueError):
            return kulla_log.event_of(message)
    for name in _AT_FIELDS:
        if str(fields.get(name, "")).isdigit():
            event[AT] = int(fields[name])
            break
    for name, value in fields.items():
        event[name] = value
        if (ours := _NAMES.get(name)) is not None:
            event[ours] = int(value) if ours == "pid" and value.isdigit() else value
    event.setdefault("program", fields.get("_COMM", ""))
    facility = "auth" if event.get("facility_number") in _AUTH_FACILITIES else ""
    if fields.get("_TRANSPORT") == "audit" or fields.get("_AUDIT_TYPE_NAME"):
        return ("linux", "", "auditd"), event | {"type": fields.get("_AUDIT_TYPE_NAME", "")}
    service = service_of(event["program"], facility)
    if service == "sshd":
        put_ssh(event)
    return ("linux", "", service), event

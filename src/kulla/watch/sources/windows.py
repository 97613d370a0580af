"""Windows events, out of EVTX files and of the shapes of JSON that others export them in.

Every event leaves as a line of the one shape that EVTX readers give: Event.System, and EventData
with one plain value a name. A line that has this shape already goes on as the bytes that it is:
parsing and writing it again would cost more than asking all rules of it.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from kulla.watch.sources import json_lines
from kulla.watch.sources.batch import Batch, Reject, encoded, reject
from kulla.watch.sources.flat import flattened
from kulla.watch.sources.lines import Pause, numbered
from kulla.watch.sources.recognise import HEAD_BYTES

_EVENTS_MAX: Final = 10_000
_BYTES_MAX: Final = 16 << 20
# An EventID with qualifiers is an object of its own; its text is the number.
_QUALIFIED: Final = re.compile(
    rb'"EventID": ?\{"#attributes": ?\{"Qualifiers": ?"?\d+"?\}, ?"#text": ?"?(\d+)"?\}'
)
_CHANNEL_OF: Final = {
    "microsoft-windows-sysmon": "Microsoft-Windows-Sysmon/Operational",
    "microsoft-windows-security-auditing": "Security",
    "microsoft-windows-eventlog": "Security",
    "microsoft-windows-powershell": "Microsoft-Windows-PowerShell/Operational",
    "powershell": "Windows PowerShell",
    "service control manager": "System",
    "microsoft-windows-taskscheduler": "Microsoft-Windows-TaskScheduler/Operational",
    "microsoft-windows-wmi-activity": "Microsoft-Windows-WMI-Activity/Operational",
    "microsoft-windows-windows defender": "Microsoft-Windows-Windows Defender/Operational",
}
# What other exporters call the parts of Event.System; the first that is there counts.
_SYSTEM_NAMES: Final = {
    "EventID": ("EventID", "EventId", "event_id", "EventCode", "event.code"),
    "Channel": ("Channel", "channel", "LogName", "log_name"),
    "Provider": ("Provider_Name", "ProviderName", "SourceName", "provider_name", "Provider"),
    "Computer": ("Computer", "ComputerName", "computer_name", "Hostname", "host.name", "host"),
    "EventRecordID": ("EventRecordID", "RecordNumber", "record_id", "RecordId"),
    "Level": ("Level", "level"),
    "TimeCreated": (
        "TimeCreated", "SystemTime", "time_created", "@timestamp", "EventTime", "UtcTime",
        "timestamp", "_time",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class NestedBatch(Batch):
    """A batch of Windows events whose lines are nested: Event.System and Event.EventData."""


class _Gathering:
    def __init__(self, file: str) -> None:
        self._file = file
        self._numbers: list[int] = []
        self._lines: list[bytes] = []
        self._bytes = 0

    def add(self, number: int, line: bytes) -> bool:
        """Take one event; whether there are enough of them to go on."""
        self._numbers.append(number)
        self._lines.append(line)
        self._bytes += len(line)
        return len(self._lines) >= _EVENTS_MAX or self._bytes >= _BYTES_MAX

    def rest(self) -> Iterator[Batch]:
        if self._lines:
            yield NestedBatch("windows", "", "", self._file, self._numbers, self._lines)
        self._numbers, self._lines, self._bytes = [], [], 0


def read_evtx(stream: BinaryIO, file: str) -> Iterator[Batch | Reject]:
    """The records of an EVTX file, numbered from 1 as they stand in it.

    A record that the parser can't read is a Reject; it goes on with the next. The parser wants a
    file with places to go to, so one out of an archive is unpacked into a temporary file first.
    """
    path = Path(file)
    if path.is_file() and path.open("rb").read(8) == b"ElfFile\x00":
        yield from _evtx(path, file)
        return
    with tempfile.NamedTemporaryFile(prefix="kulla-evtx-") as spool:
        shutil.copyfileobj(stream, spool, 1 << 20)
        spool.flush()
        yield from _evtx(Path(spool.name), file)


def _evtx(path: Path, file: str) -> Iterator[Batch | Reject]:
    from evtx import PyEvtxParser

    gathering = _Gathering(file)
    number = 0
    try:
        records = iter(PyEvtxParser(str(path), number_of_threads=1).records_json())
    except (OSError, RuntimeError, ValueError) as error:
        yield reject(file, 0, f"not an EVTX file that can be read: {error}")
        return
    while True:
        number += 1
        try:
            record = next(records, None)
        except (OSError, RuntimeError, ValueError) as error:
            yield reject(file, number, f"a record that can't be read: {error}")
            continue
        if record is None:
            break
        line = _ready(file, number, record["data"].encode())
        if isinstance(line, Reject):
            yield line
        elif gathering.add(number, line):
            yield from gathering.rest()
    yield from gathering.rest()


def read_json(stream: BinaryIO, file: str) -> Iterator[Batch | Reject]:
    """Windows events as JSON, a line each or laid out otherwise; see recognise.is_windows."""
    head = stream.peek(HEAD_BYTES)[:HEAD_BYTES] if hasattr(stream, "peek") else b""
    if not _is_lines(head):
        yield from _laid_out(stream, file)
        return
    gathering = _Gathering(file)
    for item in numbered(stream, file):
        if isinstance(item, Reject):
            yield item
            continue
        if isinstance(item, Pause):
            yield from gathering.rest()
            continue
        number, text = item
        ready = _ready(file, number, text)
        if isinstance(ready, Reject):
            yield ready
        elif gathering.add(number, ready):
            yield from gathering.rest()
    yield from gathering.rest()


def _is_lines(head: bytes) -> bool:
    """Whether each line is an object: as the first is, or its start where the head ends in it."""
    first, end, _ = head.lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")
    if not end:
        return first.startswith(b"{") and len(head) >= HEAD_BYTES // 2
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return first.startswith(b"{") and len(first) > 2 and first.rstrip().endswith(b"}")


def _laid_out(stream: BinaryIO, file: str) -> Iterator[Batch | Reject]:
    gathering = _Gathering(file)
    for number, value in enumerate(json_lines.objects(stream), start=1):
        if isinstance(value, json_lines.Broken):
            yield reject(file, number, "not JSON", value.encode("utf-8", "replace"))
        elif gathering.add(number, encoded(normal(value))):
            yield from gathering.rest()
    yield from gathering.rest()


def _ready(file: str, number: int, line: bytes) -> bytes | Reject:
    """The line in the one shape: as it is where it has that, else parsed and written anew."""
    if b'"Qualifiers"' in line:
        line = _QUALIFIED.sub(rb'"EventID":\1', line, count=1)
    if _is_normal(line):
        return line
    try:
        record = json.loads(line)
        if not isinstance(record, dict):
            raise ValueError("no object")
    except (ValueError, RecursionError) as error:
        return reject(file, number, f"not JSON: {error}", line)
    return encoded(normal(record))


def _is_normal(line: bytes) -> bool:
    """Whether a line surely has the one shape, with no escape that a plain search would not see."""
    if not line.startswith(b'{"Event"'):
        return False
    data = line.find(b'"EventData":')
    return (
        data > 0
        and line[data + 12 : data + 14].lstrip()[:1] == b"{"
        and b"#text" not in line
        and b'"Data":' not in line
        and b'"Product Name":' not in line
        # An escape by number, and not a path's backslash before a word that begins with u.
        and (b"\\u" not in line or b"\\u" not in line.replace(b"\\\\", b""))
        and _is_utf8(line)
    )


def _is_utf8(line: bytes) -> bool:
    if line.isascii():
        return True
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def normal(record: Mapping[str, Any]) -> dict[str, Any]:
    """A Windows event of any of the known shapes in the one shape that our rules are asked of."""
    event = record.get("Event")
    if isinstance(event, dict):
        system = dict(event.get("System") or {})
        system["EventID"] = _plain(system.get("EventID"))
        return _event(system, {**_user_data(event), **_data(event.get("EventData"))})
    winlog = record.get("winlog")
    if isinstance(winlog, dict):
        return _winlogbeat(record, winlog)
    if "winlog.channel" in record:
        inner = {k.removeprefix("winlog."): v for k, v in record.items() if k.startswith("winlog.")}
        data = {k.removeprefix("event_data."): v for k, v in inner.items() if "_data." in k}
        return _winlogbeat(record, {**inner, "event_data": data})
    return _flat(record)


def _event(system: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    return {"Event": {"System": system, "EventData": data}}


def _plain(value: Any) -> Any:
    """One plain value: the text of an object that has one; the items of a list, a line each."""
    if isinstance(value, dict):
        if "#text" in value:
            return _plain(value["#text"])
        inner = {name: one for name, one in value.items() if name != "#attributes"}
        return json.dumps(inner, ensure_ascii=False) if inner else None
    if isinstance(value, list):
        return "\n".join("" if one is None else str(_plain(one)) for one in value)
    return value


def _data(data: Any) -> dict[str, Any]:
    """Each field; Defender's, which have blanks in their names, also without, as rules say them."""
    if not isinstance(data, dict):
        return {} if data is None else {"Data": _plain(data)}
    found = {name: _plain(value) for name, value in data.items() if name != "#attributes"}
    for name in [name for name in found if " " in name]:
        found.setdefault(name.replace(" ", ""), found[name])
    return found


def _user_data(event: Mapping[str, Any]) -> dict[str, Any]:
    """UserData holds one element of the provider's own name; what counts is what stands in it."""
    found: dict[str, Any] = {}
    user_data = event.get("UserData")
    for inner in user_data.values() if isinstance(user_data, dict) else ():
        if isinstance(inner, dict):
            for name, value in flattened(inner).items():
                if not name.startswith("#attributes"):
                    found[name] = value
                    found.setdefault(name.rpartition(".")[2], value)
    return found


def _winlogbeat(record: Mapping[str, Any], winlog: Mapping[str, Any]) -> dict[str, Any]:
    data = _data(winlog.get("event_data"))
    for value in (winlog.get("user_data") or {}, record.get("user_data") or {}):
        data.update(_data(value) if isinstance(value, dict) else {})
    code = winlog.get("event_id", record.get("event.code"))
    if isinstance(record.get("event"), dict):
        code = record["event"].get("code", code) if code is None else code
    system = {
        "EventID": _plain(code),
        "Channel": winlog.get("channel"),
        "Computer": winlog.get("computer_name"),
        "EventRecordID": winlog.get("record_id"),
        "Provider": {"#attributes": {"Name": winlog.get("provider_name")}},
        "TimeCreated": {"#attributes": {"SystemTime": record.get("@timestamp")}},
    }
    return _event(system, data)


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """NXLog, Splunk, and what others made flat: system and event data side by side."""
    found: dict[str, Any] = {}
    for name, others in _SYSTEM_NAMES.items():
        value = next((record[one] for one in others if record.get(one) is not None), None)
        found[name] = _plain(value)
    provider = found.pop("Provider")
    at = found.pop("TimeCreated")
    if not found["Channel"]:
        found["Channel"] = _CHANNEL_OF.get(str(provider).lower())
    found["Provider"] = {"#attributes": {"Name": provider}}
    found["TimeCreated"] = {"#attributes": {"SystemTime": at}}
    inner = record.get("EventData")
    data = {} if isinstance(inner, dict) else dict(record)
    for name in ("EventData", "event_data"):
        if isinstance(record.get(name), dict):
            data.update(record[name])
    return _event(found, _data(data))

"""Which source a stream is, by its content and never by its name alone."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO, Final

from kulla.watch.sources import (
    access_log,
    auditd,
    journald,
    json_lines,
    kulla_log,
    syslog,
    w3c,
    zeek,
)
from kulla.watch.sources.batch import Batch, Reject
from kulla.watch.sources.lines import text_of
from kulla.watch.sources.mapping import NO_MAPPING, Mapped
from kulla.watch.sources.times import NOTHING_SAID, Assumed

HEAD_BYTES: Final = 64 << 10
_SAMPLE: Final = 40
_EVTX: Final = b"ElfFile\x00"
_XML: Final = (b"<?xml", b"<Event", b"<Events")

Read = Callable[[BinaryIO, str], Iterator[Batch | Reject]]

EVTX: Final = "evtx"
WINDOWS_JSON: Final = "windows-json"
WINDOWS_XML: Final = "windows-xml"
UNKNOWN: Final = ""


@dataclass(frozen=True, slots=True)
class Readers:
    """How each kind is read.

    others: readers of kinds that are not text logs of this folder (evtx, windows-json), by name.
    mappings: of generic JSON, the first that fits counts; the operator's own before Kulla's.
    """

    others: Mapping[str, Read] = field(default_factory=dict)
    mappings: Sequence[Mapped] = ()

    def read(self, kind: str, assumed: Assumed = NOTHING_SAID) -> Read | None:
        """The reader of this kind; None where there is none."""
        if kind in self.others:
            return self.others[kind]
        for mapped in (*self.mappings, NO_MAPPING):
            if kind == f"json:{mapped.name}":
                return partial(json_lines.read, mapping=mapped, assumed=assumed)
        if kind == "syslog":
            return partial(syslog.read, assumed=assumed)
        return _READERS.get(kind)


_READERS: Final[Mapping[str, Read]] = {
    "auditd": auditd.read,
    "access-log": access_log.read,
    "w3c": w3c.read,
    "zeek-tsv": zeek.read,
    "zeek-json": zeek.read_json,
    "journald-json": journald.read,
    "journald-export": journald.read_exported,
    "kulla": kulla_log.read,
}
_LINE_KINDS: Final[Sequence[tuple[str, Callable[[str], bool]]]] = (
    ("auditd", auditd.looks),
    ("access-log", access_log.looks),
    ("syslog", syslog.looks),
)
_JSON_KINDS: Final[Sequence[tuple[str, Callable[[Mapping[str, Any]], bool]]]] = (
    ("kulla", kulla_log.looks),
    ("journald-json", journald.looks),
    ("zeek-json", zeek.looks_json),
)


def recognise(head: bytes, mappings: Sequence[Mapped] = ()) -> str:
    """The kind of a stream that begins with `head` (up to 64 KiB of it).

    'evtx', 'windows-json', 'windows-xml', 'auditd', 'access-log', 'w3c', 'syslog', 'zeek-tsv',
    'zeek-json', 'journald-json', 'journald-export', 'kulla', 'json:' with a mapping's name, or ''
    for none. Most of the first forty lines must be of a kind: one foreign line does not decide.
    """
    if head.startswith(_EVTX):
        return EVTX
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(_XML):
        return WINDOWS_XML
    lines = [text_of(line) for line in start.splitlines()[:_SAMPLE] if line.strip()]
    if not lines:
        return UNKNOWN
    if zeek.looks(lines[0]):
        return "zeek-tsv"
    if w3c.looks(lines[0]):
        return "w3c"
    if journald.looks_exported(lines[0]):
        return "journald-export"
    found = _most(lines, _LINE_KINDS)
    return found or _json_kind(head, lines, mappings)


def _json_kind(head: bytes, lines: Sequence[str], mappings: Sequence[Mapped]) -> str:
    records: list[Mapping[str, Any]] = [
        record for line in lines if isinstance(record := _object(line), dict)
    ]
    mixed = 2 * len(records) < len(lines)
    if not records:
        records = _laid_out(head, "")
        mixed = not records
    # A server's own words may stand among a program's lines: what is JSON says whose they are.
    if found := _most(records, (*_JSON_KINDS, (WINDOWS_JSON, is_windows))):
        return found
    for mapped in mappings:
        some = _laid_out(head, mapped.records) if mapped.records else records
        if _most(some, ((mapped.name, mapped.fits),)):
            return f"json:{mapped.name}"
    # Without a mapping it is generic JSON: whole objects, or one that the head cuts off.
    cut = head.lstrip()[:1] in {b"{", b"["} and len(head) >= HEAD_BYTES // 2
    return UNKNOWN if mixed and not cut else f"json:{NO_MAPPING.name}"


def is_windows(record: Mapping[str, Any]) -> bool:
    """Whether an object of JSON is a Windows event: winlogbeat, NXLog, evtx_dump, flattened."""
    if isinstance(record.get("winlog"), dict) or "winlog.channel" in record:
        return True
    event = record.get("Event")
    if isinstance(event, dict) and "System" in event:
        return True
    numbered = any(name in record for name in ("EventID", "EventId", "event_id", "EventCode"))
    named = ("Channel", "Provider_Name", "ProviderName", "SourceName", "LogName", "Computer")
    return numbered and any(name in record for name in named)


def _most(items: Sequence[Any], kinds: Sequence[tuple[str, Callable[[Any], bool]]]) -> str:
    """The kind that most items are, where at least half of them are."""
    best, most = UNKNOWN, 0
    for kind, looks in kinds:
        count = sum(1 for item in items if looks(item))
        if count > most and 2 * count >= len(items):
            best, most = kind, count
    return best


def _object(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _laid_out(head: bytes, inside: str) -> list[Mapping[str, Any]]:
    """The objects of a head that is one array or one object over many lines."""
    if head.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")[:1] not in {b"{", b"["}:
        return []
    found: list[Mapping[str, Any]] = []
    for item in json_lines.objects(io.BytesIO(head), inside):
        if isinstance(item, json_lines.Broken) or len(found) >= _SAMPLE:
            break
        found.append(item)
    return found

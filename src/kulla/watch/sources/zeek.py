"""Zeek's logs, TSV and JSON: product zeek, the service is the log's name (conn, dns, http, modbus).

Sets and vectors become text with commas between, as Zeek's own TSV writes them; fields that are not
set are left out; T and F of the TSV become true and false. Times are Zeek's: seconds in UTC.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final

from kulla.watch.sources.batch import AT, Batch, Gathering, Reject, Source, encoded, reject
from kulla.watch.sources.lines import Pause, numbered, object_of, read_lines, text_of
from kulla.watch.sources.times import NOTHING_SAID, of_any_kind, seconds

_WHOLE: Final = {"count", "int", "port"}
_BROKEN: Final = {"double", "interval"}
_LOGS_WORDS = (
    "analyzer bacnet capture_loss cip conn dce_rpc dhcp dnp3 dnp3_control dnp3_objects dns dpd "
    "enip files ftp http intel irc kerberos known_hosts ldap ldap_search modbus modbus_detailed "
    "mqtt_publish mysql notice ntlm ntp ocsp opcua_binary packet_filter pe postgresql quic "
    "radius rdp rfb s7comm s7comm_plus s7comm_read_szl s7comm_upload_download signatures sip "
    "smb_files smb_mapping smtp snmp socks software ssh ssl stats syslog traceroute tunnel "
    "weird websocket x509"
)
_LOGS: Final = frozenset(_LOGS_WORDS.split())
_SERVICES: Final = (  # by a field that only this log has, where a file does not say its name
    ("conn_state", "conn"),
    ("qtype_name", "dns"),
    ("user_agent", "http"),
    ("status_code", "http"),
    ("endpoint", "dce_rpc"),
    ("request_type", "kerberos"),
    ("certificate.serial", "x509"),
    ("share_type", "smb_mapping"),
    ("fuid", "files"),
    ("fc_request", "dnp3"),
    ("rosctr_code", "s7comm"),
)


def looks(line: str) -> bool:
    """Whether a stream that begins so is a Zeek log in TSV."""
    return line.startswith("#separator ")


def looks_json(keys: Mapping[str, Any]) -> bool:
    """Whether an object of JSON is a record of Zeek."""
    return "ts" in keys and ("_path" in keys or "id.orig_h" in keys or "fuid" in keys)


@dataclass(slots=True)
class _Header:
    """What the lines with # say about the ones that follow."""

    separator: str = "\t"
    set_separator: str = ","
    empty: str = "(empty)"
    unset: str = "-"
    path: str = ""
    fields: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)


def read(stream: BinaryIO, file: str) -> Iterator[Batch | Reject]:
    """The records of a log in TSV. A line with another number of fields than #fields is a Reject.

    Logs that were put one behind the other are read too: each header holds for what follows it.
    """
    gathering = Gathering(file)
    header = _Header(path=_service_in(file))
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
            _learn(header, text)
            continue
        values = text.split(header.separator)
        if len(values) != len(header.fields):
            reason = f"{len(values)} fields where #fields names {len(header.fields)}"
            yield reject(file, number, reason, line)
            continue
        event = _event(header, values)
        yield from gathering.add(("zeek", "", header.path), number, encoded(event))
    yield from gathering.rest()


def _learn(header: _Header, line: str) -> None:
    if line.startswith("#separator "):
        header.separator = line.removeprefix("#separator ").encode().decode("unicode_escape")
        return
    name, _, rest = line[1:].partition(header.separator)
    if name == "fields":
        header.fields = rest.split(header.separator)
    elif name == "types":
        header.types = rest.split(header.separator)
    elif name == "set_separator":
        header.set_separator = rest
    elif name == "empty_field":
        header.empty = rest
    elif name == "unset_field":
        header.unset = rest
    elif name == "path":
        header.path = rest.lower()


def _event(header: _Header, values: list[str]) -> dict[str, Any]:
    event: dict[str, Any] = {}
    types = header.types if len(header.types) == len(values) else [""] * len(values)
    for name, kind, value in zip(header.fields, types, values, strict=True):
        if value == header.unset:
            continue
        if name == "ts" and (at_us := seconds(value)) is not None:
            event[AT] = at_us
        event[name] = _value(header, kind, value)
    return event


def _value(header: _Header, kind: str, value: str) -> Any:
    if value == header.empty:
        return ""
    try:
        if kind in _WHOLE:
            return int(value)
        if kind in _BROKEN:
            return float(value)
    except ValueError:
        return value
    if kind == "bool":
        return value == "T"
    if kind.startswith(("set[", "vector[")) and header.set_separator != ",":
        value = value.replace(header.set_separator, ",")
    return _unescaped(value) if "\\x" in value else value


def _unescaped(value: str) -> str:
    head, *parts = value.split("\\x")
    found = head.encode()
    for part in parts:
        try:
            found += bytes.fromhex(part[:2]) + part[2:].encode()
        except ValueError:
            found += b"\\x" + part.encode()
    return text_of(found)


def read_json(stream: BinaryIO, file: str) -> Iterator[Batch | Reject]:
    """The records of a log in JSON lines.

    The service is _path, else the file's name, else told by a field that only one log has.
    """
    named = _service_in(file)
    return read_lines(stream, file, lambda line: [_of_json(line, named)])


def _of_json(line: str, named: str) -> tuple[Source, dict[str, Any]]:
    record = object_of(line)
    at = of_any_kind(record.get("ts"), NOTHING_SAID)
    event: dict[str, Any] = {} if at is None else {AT: at[0]}
    for name, value in record.items():
        if isinstance(value, list):
            event[name] = ",".join(str(item) for item in value)
        elif isinstance(value, dict):
            event[name] = json.dumps(value, ensure_ascii=False)
        elif value is not None:
            event[name] = value
    service = str(record.get("_path", "")).lower() or named or _guessed(record)
    return ("zeek", "", service), event


def _service_in(file: str) -> str:
    """The log's name in the file's: conn of conn.log.gz, dns of dns.10:00:00-11:00:00.log."""
    name = PurePosixPath(file).name.lower()
    stem = name.partition(".")[0]
    return stem if stem in _LOGS else ""


def _guessed(record: Mapping[str, Any]) -> str:
    return next((service for key, service in _SERVICES if key in record), "")

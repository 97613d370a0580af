"""The Linux audit daemon's log: records joined by their serial, hex fields decoded.

Records of one event (SYSCALL, EXECVE, CWD, PATH, PROCTITLE) stay events of their own, since rules
ask for `type: EXECVE` and mean that record's a0; what only SYSCALL says (exe, comm, who) is added
to its companions. `key` is not, so that a rule on a key alone finds an event once. From the whole
of an event come two more, so that Sigma's generic rules for Linux run on hosts without Sysmon:
process_creation (execve) and file_event (a PATH that was created).
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from kulla.watch.sources.batch import AT, RAW, Batch, Gathering, Reject, Source, encoded, reject
from kulla.watch.sources.lines import Pause, numbered, text_of
from kulla.watch.sources.times import seconds

AUDITD: Final[Source] = ("linux", "", "auditd")
PROCESS_CREATION: Final[Source] = ("linux", "process_creation", "")
FILE_EVENT: Final[Source] = ("linux", "file_event", "")

WAITING_MAX: Final = 128
"""Events whose records may still come; audit writes those of busy machines among one another."""
RECORDS_MAX: Final = 1_024

_HEAD = re.compile(r"(?:node=(\S+) )?type=(\S+) msg=audit\((\d+\.\d+):(\d+)\): ?(.*)", re.DOTALL)
_PAIR = re.compile(r"""([A-Za-z_][\w-]*(?:\[\d+\])?)=("[^"]*"|'[^']*'|[^\s"']\S*|)""")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_ARGUMENT = re.compile(r"a(\d+)(?:\[(\d+)\])?")
_TEXT_FIELDS_WORDS = (
    "acct cmd comm cwd data dir exe file grp name new_name old_name path proctitle sw vm watch"
)
_TEXT_FIELDS: Final = frozenset(_TEXT_FIELDS_WORDS.split())
_SHARED_WORDS = (
    "exe comm pid ppid auid uid gid euid suid fsuid egid tty ses success SYSCALL syscall AUID "
    "UID GID EUID SUID subj"
)
_SHARED: Final = tuple(_SHARED_WORDS.split())
_EXEC: Final = {"execve", "execveat", "59", "322", "11", "221"}

Record = tuple[int, str, dict[str, Any]]
Key = tuple[str, str, str]


def looks(line: str) -> bool:
    """Whether this is a record of the audit daemon."""
    return _HEAD.match(line) is not None


def read(stream: BinaryIO, file: str) -> Iterator[Batch | Reject]:
    """The records of an audit log and the events made of them; numbers are lines."""
    gathering = Gathering(file)
    waiting: OrderedDict[Key, list[Record]] = OrderedDict()
    for item in numbered(stream, file):
        if isinstance(item, Reject):
            yield item
            continue
        if isinstance(item, Pause):  # records of one event are written in one go
            yield from _all_joined(waiting, gathering)
            yield from gathering.rest()
            continue
        number, line = item
        found = _HEAD.fullmatch(text_of(line))
        if found is None:
            yield reject(file, number, "no audit record (type=... msg=audit(...): ...)", line)
            continue
        node, kind, at_s, serial, rest = found.groups()
        key = (node or "", at_s, serial)
        if kind != "EOE":
            waiting.setdefault(key, []).append((number, kind, _fields(kind, rest, found)))
        if len(waiting) > WAITING_MAX:
            key = next(iter(waiting))
        elif kind != "EOE" and len(waiting[key]) < RECORDS_MAX:
            continue
        for source, at, event in joined(waiting.pop(key, [])):
            yield from gathering.add(source, at, encoded(event))
    yield from _all_joined(waiting, gathering)
    yield from gathering.rest()


def _all_joined(waiting: OrderedDict[Key, list[Record]], gathering: Gathering) -> Iterator[Batch]:
    while waiting:
        _, records = waiting.popitem(last=False)
        for source, at, event in joined(records):
            yield from gathering.add(source, at, encoded(event))


def _fields(kind: str, rest: str, head: re.Match[str]) -> dict[str, Any]:
    event: dict[str, Any] = {"type": kind}
    if (at_us := seconds(head[3])) is not None:
        event[AT] = at_us
    event["serial"] = int(head[4])
    if head[1]:
        event["node"] = head[1]
    # Behind a group separator stands what ausearch would translate: SYSCALL=open AUID="root".
    plain, _, translated = rest.partition("\x1d")
    for name, value in _PAIR.findall(plain):
        if value.startswith("'") and "=" in value:
            for inner, inner_value in _PAIR.findall(value[1:-1]):
                event[inner] = _decoded(kind, inner, inner_value)
        else:
            event[name] = _decoded(kind, name, value)
    for name, value in _PAIR.findall(translated):
        event[name] = value.strip('"')
    if kind == "EXECVE":
        _join_arguments(event)
    if kind == "SOCKADDR":
        _put_address(event)
    event[RAW] = head[0]
    return event


def _decoded(kind: str, name: str, value: str) -> Any:
    """A value as a person would write it; audit writes text with blanks or quotes in hex."""
    if value[:1] in {'"', "'"}:
        return value[1:-1]
    of_text = (
        name in _TEXT_FIELDS or name == "key" or (kind == "EXECVE" and _ARGUMENT.fullmatch(name))
    )
    if of_text and _HEX.fullmatch(value):
        raw = bytes.fromhex(value)
        separator = b" " if name == "proctitle" else b","
        return text_of(raw.rstrip(b"\0").replace(b"\0", separator).replace(b"\1", b","))
    if of_text and value == "(null)":
        return ""
    if value.isascii() and value.isdigit() and len(value) < 16 and not of_text:
        return int(value) if value == "0" or value[0] != "0" else value
    return value


def _join_arguments(event: dict[str, Any]) -> None:
    """Put a long argument's pieces together: a1[0], a1[1] become a1."""
    pieces = [
        (int(found[1]), int(found[2]), name)
        for name in event
        if (found := _ARGUMENT.fullmatch(name)) and found[2] is not None
    ]
    for number, _part, name in sorted(pieces):
        event[f"a{number}"] = str(event.get(f"a{number}", "")) + str(event.pop(name))


def _put_address(event: dict[str, Any]) -> None:
    """The address in a saddr in hex: laddr and lport, as ausearch names them, or path."""
    value = str(event.get("saddr", ""))
    if not _HEX.fullmatch(value):
        return
    raw = bytes.fromhex(value)
    family = int.from_bytes(raw[:2], "little")
    if family == 2 and len(raw) >= 8:
        event["laddr"] = ".".join(str(byte) for byte in raw[4:8])
        event["lport"] = int.from_bytes(raw[2:4], "big")
    elif family == 10 and len(raw) >= 24:
        import ipaddress

        event["laddr"] = str(ipaddress.IPv6Address(raw[8:24]))
        event["lport"] = int.from_bytes(raw[2:4], "big")
    elif family == 1:
        event["path"] = text_of(raw[2:].strip(b"\0"))


def joined(records: list[Record]) -> Iterator[tuple[Source, int, dict[str, Any]]]:
    """The events of one serial: its records with what SYSCALL alone says, and what they mean."""
    system = next((record for record in records if record[1] == "SYSCALL"), None)
    for number, kind, event in records:
        if system is not None and kind != "SYSCALL":
            for name in _SHARED:
                if name in system[2]:
                    event.setdefault(name, system[2][name])
        yield AUDITD, number, event
    if system is not None and system[2].get("success") != "no":
        by_kind = {kind: event for _, kind, event in records}
        if "EXECVE" in by_kind and _is_exec(system[2]):
            yield PROCESS_CREATION, system[0], _process(system[2], by_kind)
        for number, kind, event in records:
            if kind == "PATH" and event.get("nametype") == "CREATE":
                yield FILE_EVENT, number, _created(system[2], by_kind, event)


def _is_exec(system: dict[str, Any]) -> bool:
    return str(system.get("SYSCALL", system.get("syscall"))) in _EXEC


def _process(system: dict[str, Any], by_kind: dict[str, dict[str, Any]]) -> dict[str, Any]:
    execve = by_kind["EXECVE"]
    arguments = sorted(
        (int(found[1]), str(value))
        for name, value in execve.items()
        if (found := _ARGUMENT.fullmatch(name))
    )
    event = _about(system)
    event["CommandLine"] = " ".join(value for _, value in arguments)
    if "CWD" in by_kind:
        event["CurrentDirectory"] = by_kind["CWD"].get("cwd", "")
    return event


def _created(
    system: dict[str, Any], by_kind: dict[str, dict[str, Any]], path: dict[str, Any]
) -> dict[str, Any]:
    name = str(path.get("name", ""))
    folder = str(by_kind.get("CWD", {}).get("cwd", ""))
    if not name.startswith("/") and folder:
        name = folder.rstrip("/") + "/" + name.removeprefix("./")
    return _about(system) | {"TargetFilename": name}


def _about(system: dict[str, Any]) -> dict[str, Any]:
    """Who did it, in the words of Sigma's generic Linux rules (Sysmon's)."""
    names = {"Image": "exe", "ProcessId": "pid", "ParentProcessId": "ppid", "LogonId": "ses"}
    event: dict[str, Any] = {AT: system[AT]} if AT in system else {}
    event |= {ours: system[theirs] for ours, theirs in names.items() if theirs in system}
    event["User"] = str(system.get("UID", system.get("uid", "")))
    event["serial"] = system["serial"]
    return event

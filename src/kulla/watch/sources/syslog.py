"""Syslog of RFC 3164 and RFC 5424, rsyslog's lines with ISO times, and auth.log.

The log source is product linux with the service that Sigma's rules name for the program that wrote
the line: sshd, sudo, cron, auth, and so on; everything else is service syslog.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, BinaryIO, Final

from kulla.watch.sources.batch import RAW, Batch, Reject, Source
from kulla.watch.sources.lines import read_lines
from kulla.watch.sources.times import NOTHING_SAID, Assumed, iso, put_time, without_year

SERVICES: Final[Mapping[str, str]] = {
    "sshd": "sshd",
    "sshd-session": "sshd",
    "sudo": "sudo",
    "cron": "cron",
    "crond": "cron",
    "anacron": "cron",
    "crontab": "cron",
    "vsftpd": "vsftpd",
    "clamd": "clamav",
    "clamav": "clamav",
    "freshclam": "clamav",
    "guacd": "guacamole",
    "su": "auth",
    "login": "auth",
    "passwd": "auth",
    "useradd": "auth",
    "usermod": "auth",
    "userdel": "auth",
    "groupadd": "auth",
    "gpasswd": "auth",
    "chpasswd": "auth",
    "systemd-logind": "auth",
    "polkitd": "auth",
    "pkexec": "auth",
}
ALSO: Final[Mapping[str, tuple[str, ...]]] = {
    "sshd": ("auth", "syslog"),
    "sudo": ("auth", "syslog"),
    "auth": ("syslog",),
    "cron": ("syslog",),
    "vsftpd": ("syslog",),
    "clamav": ("syslog",),
    "guacamole": ("syslog",),
}
"""Rules of these services hold for events of that service too: a line stands in one log only."""

_PRIORITY = re.compile(r"<(\d{1,3})>")
_TAG = re.compile(r"([^\s:\[]{1,128})(?:\[([^\]]{1,64})\])?: ?", re.DOTALL)
_OLD = re.compile(r"\w{3} [ \d]\d \d\d:\d\d:\d\d(?: \d{4})? ")
_NEW = re.compile(r"1 (\S+) (\S+) (\S+) (\S+) (\S+) ")
_DATA = re.compile(r'\[([^ =\]"]+)((?: [^ =\]"]+="(?:[^"\\]|\\.)*")*)\]')
_PAIR = re.compile(r' ([^ =\]"]+)="((?:[^"\\]|\\.)*)"')
_SSH = re.compile(
    r"(Failed|Accepted) (\S+) for (?:invalid user )?(.*?) from (\S+) port (\d+)|"
    r"Invalid user (.*?) from (\S+)"
)
_FACILITIES_WORDS = (
    "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock "
    "local0 local1 local2 local3 local4 local5 local6 local7"
)
_FACILITIES: Final = tuple(_FACILITIES_WORDS.split())
_SEVERITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")


def looks(line: str) -> bool:
    """Whether this is a line of syslog in one of its forms."""
    rest = _PRIORITY.sub("", line, count=1)
    if _NEW.match(rest) or _OLD.match(rest):
        return True
    when, _, after = rest.partition(" ")
    return iso(when, NOTHING_SAID) is not None and _TAG.match(after.partition(" ")[2]) is not None


def read(stream: BinaryIO, file: str, assumed: Assumed = NOTHING_SAID) -> Iterator[Batch | Reject]:
    """The messages of a log, one event a line; a line without a time or a host is a Reject.

    assumed: the zone and the newest date of times that name no zone or year.
    """
    return read_lines(stream, file, partial(_read, assumed=assumed))


def _read(line: str, assumed: Assumed) -> list[tuple[Source, dict[str, Any]]]:
    event: dict[str, Any] = {}
    rest = line
    if found := _PRIORITY.match(line):
        _put_priority(event, int(found[1]))
        rest = line[found.end() :]
    if found := _NEW.match(rest):
        _put_new(event, found, rest[found.end() :], assumed)
    else:
        _put_old(event, rest, assumed)
    event[RAW] = line
    service = service_of(event.get("program", ""), event.get("facility", ""))
    if service == "sshd":
        put_ssh(event)
    return [(("linux", "", service), event)]


def service_of(program: str, facility: str) -> str:
    """Sigma's service for what a program wrote: by its name, else by the facility."""
    name = program.rpartition("/")[2].lower()
    named = SERVICES.get(name)
    return named or ("auth" if facility in {"auth", "authpriv"} else "syslog")


def put_ssh(event: dict[str, Any]) -> None:
    """Who came from where with what result, for correlations: user, src_ip, result, method."""
    found = _SSH.search(event.get("message", ""))
    if found is None:
        return
    result, method, user, address, port, nobody, from_where = found.groups()
    event["user"] = user if result else nobody
    event["src_ip"] = address or from_where
    event["result"] = {"Accepted": "accepted", "Failed": "failed"}.get(result, "invalid user")
    if method:
        event["method"], event["src_port"] = method, int(port)


def _put_priority(event: dict[str, Any], priority: int) -> None:
    facility, severity = divmod(priority, 8)
    if facility < len(_FACILITIES):
        event["facility"], event["severity"] = _FACILITIES[facility], _SEVERITIES[severity]


def _put_old(event: dict[str, Any], rest: str, assumed: Assumed) -> None:
    """RFC 3164's form and rsyslog's with an ISO time: time, host, tag, message."""
    if found := _OLD.match(rest):
        put_time(event, without_year(rest, assumed))
        rest = rest[found.end() :]
    else:
        when, _, rest = rest.partition(" ")
        at = iso(when, assumed)
        if at is None:
            raise ValueError("no syslog line: it begins with no time that is known")
        put_time(event, at)
    host, _, message = rest.partition(" ")
    if not host:
        raise ValueError("no syslog line: nothing stands behind the time")
    if host.endswith(":"):  # the line of a program that left its host out
        message, host = rest, ""
    if host:
        event["hostname"] = host
    if found := _TAG.match(message):
        event["program"] = found[1]
        if found[2]:
            event["pid"] = int(found[2]) if found[2].isdigit() else found[2]
        message = message[found.end() :]
    event["message"] = message


def _put_new(event: dict[str, Any], found: re.Match[str], rest: str, assumed: Assumed) -> None:
    """RFC 5424: names of structured data become fields, 'id.name'."""
    when, host, program, process, kind = found.groups()
    put_time(event, iso(when, assumed))
    for name, value in zip(
        ("hostname", "program", "pid", "msgid"), (host, program, process, kind), strict=True
    ):
        if value != "-":
            event[name] = int(value) if name == "pid" and value.isdigit() else value
    if rest.startswith("-"):
        rest = rest[1:]
    else:
        while data := _DATA.match(rest):
            for name, value in _PAIR.findall(data[2]):
                event[f"{data[1]}.{name}"] = re.sub(r'\\(["\\\]])', r"\1", value)
            rest = rest[data.end() :]
    event["message"] = rest.removeprefix(" ").removeprefix("\ufeff")

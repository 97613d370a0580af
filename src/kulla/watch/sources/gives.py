"""Which log sources can ever come out of a reader: what no rule outside of it can be asked of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from kulla.watch.sources import access_log, auditd, syslog
from kulla.watch.sources.batch import Source
from kulla.watch.sources.mapping import NO_MAPPING, Mapped

ANY: Final = "*"
"""Stands for every word: Zeek's logs and Kulla's processes have the services that they say."""

_TEXT: Final[tuple[Source, ...]] = (
    ("windows", "", ""),
    auditd.AUDITD,
    auditd.PROCESS_CREATION,
    auditd.FILE_EVENT,
    access_log.WEBSERVER,
    ("zeek", "", ANY),
    ("kulla", "", ANY),
    ("linux", "", "syslog"),
    *(("linux", "", service) for service in sorted(set(syslog.SERVICES.values()))),
)


def given(mappings: Iterable[Mapped]) -> tuple[Source, ...]:
    """Every log source that the readers, and these mappings of JSON, can give."""
    return tuple(dict.fromkeys((*_TEXT, NO_MAPPING.source, *_mapped(mappings))))


def _mapped(mappings: Iterable[Mapped]) -> Iterator[Source]:
    for mapped in mappings:
        yield mapped.source
        yield from mapped.sources.values()


def holds(asked: Source, came: Source) -> bool:
    """Whether a rule for the one log source is asked of events of the other.

    '' asks for nothing; ANY answers only those who asked for its product. Rules for a log of
    Linux hold for each program whose lines that log has.
    """
    product, category, service = asked
    if product and product != came[0]:
        return False
    if category and category != came[1]:
        return False
    if not service or service == came[2] or (came[2] == ANY and product):
        return True
    return came[0] == "linux" and service in syslog.ALSO.get(came[2], ())

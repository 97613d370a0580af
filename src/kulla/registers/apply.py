"""How an act changes the registers: the one path for live work, rebuild and standby.

An act that can't be applied is never a crash: it leaves the registers alone and becomes a listed
case with its position.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kulla.kernel.errors import KullaError
from kulla.kernel.rows import RowsByKey
from kulla.kernel.service import Act, Service
from kulla.registers.parties import note_parties

Services = Mapping[str, Service]


class UnknownAct(KullaError):
    """No service of this release knows the act, or it is of a later version than this release."""


def upcast(services: Services, act: Act) -> tuple[Any, Act]:
    """The act's type and the act with its data brought to this release's version of it.

    Raises UnknownAct where the service, the act or its version is not known here.
    """
    service = services.get(act.service)
    kind = service.acts.get(act.name) if service else None
    if kind is None:
        raise UnknownAct(
            f"no service here knows the act {act.service}.{act.name}.",
            place=f"position {act.position}",
            remedy="Run the release that wrote it, or a later one.",
        )
    if act.version > kind.version:
        raise UnknownAct(
            f"{act.service}.{act.name} is of version {act.version}; "
            f"this release knows up to {kind.version}.",
            place=f"position {act.position}",
            remedy="Run the release that wrote it, or a later one.",
        )
    if act.version == kind.version:
        return kind, act
    data = act.data
    for version in range(act.version, kind.version):
        data = kind.upcasters[version](data)
    return kind, replace(act, version=kind.version, data=data)


def apply_act(services: Services, rows: RowsByKey, act: Act) -> None:
    """Change the registers by one act; note its command and whom it concerns.

    Raises whatever `apply` raises.
    """
    kind, act = upcast(services, act)
    kind.apply(rows, act)
    if kind.repeats:
        note_command(rows, act)
    if kind.noted:
        note_parties(rows, act)


def note_command(rows: RowsByKey, act: Act) -> None:
    """Remember that this act's command was accepted, so that a repeat gets the same answer.

    The acts of one command stand side by side in the journal, so a first position and a count
    say which they are.
    """
    noted = rows.get("kulla_command", act.command)
    if noted is None:
        noted = {"key": act.command, "position": act.position, "count": 1}
    else:
        first, count = noted["position"], noted["count"]
        assert isinstance(first, int)
        assert isinstance(count, int)
        if act.position != first + count:
            raise KullaError(
                "this act repeats a command that was accepted elsewhere.",
                place=f"position {act.position}",
                remedy=f"Its command was accepted at position {first}.",
            )
        noted["count"] = count + 1
    rows.put("kulla_command", noted)


def list_case(rows: RowsByKey, act: Act, error: Exception) -> None:
    """List an act that could not be applied, by its position and the kind of error.

    The error's own words may quote data; only a KullaError's message, which holds none, is kept.
    """
    reason = str(error) if isinstance(error, KullaError) else type(error).__name__
    rows.put(
        "kulla_case",
        {
            "position": act.position,
            "service": act.service,
            "act": act.name,
            "subject": act.actor.subject,
            "at_ms": act.at_ms,
            "reason": reason,
            "listed": act.position,
        },
    )

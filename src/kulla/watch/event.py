"""One event as analysts and correlations see it: plain names, and the instant it happened at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from kulla.watch.sources.batch import AT, AT_HOW
from kulla.watch.sources.times import NOTHING_SAID, iso

_SYSTEM: Final = ("EventID", "Channel", "Computer", "EventRecordID", "Level")


def fields_of(line: bytes) -> dict[str, Any]:
    """The event's fields by Sigma's names; Windows' nested shape is made flat.

    Raises ValueError where the line is not an object of JSON.
    """
    record = json.loads(line)
    if not isinstance(record, dict):
        raise ValueError("not an object")
    event = record.get("Event")
    if not isinstance(event, dict):
        return record
    system = event.get("System") or {}
    fields = {name: system[name] for name in _SYSTEM if system.get(name) is not None}
    for name, inner in (("Provider", "Name"), ("Security", "UserID")):
        value = _attribute(system, name, inner)
        if value is not None:
            fields["Provider_Name" if name == "Provider" else inner] = value
    at = iso(str(_attribute(system, "TimeCreated", "SystemTime") or ""), NOTHING_SAID)
    if at is not None:
        fields[AT] = at[0]
    data = event.get("EventData") or {}
    return {**data, **fields, **{name: data[name] for name in ("Level",) if name in data}}


def at_us(fields: Mapping[str, Any]) -> int | None:
    """UTC microseconds at which it happened; None where it did not say."""
    value = fields.get(AT)
    return value if isinstance(value, int) else None


def shown(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields without what was only added about its time, and without empty ones."""
    own = (AT, AT_HOW)
    return {k: v for k, v in fields.items() if k not in own and v not in (None, "")}


def _attribute(system: Mapping[str, Any], name: str, inner: str) -> Any:
    part = system.get(name)
    attributes = part.get("#attributes") if isinstance(part, dict) else None
    return attributes.get(inner) if isinstance(attributes, dict) else None

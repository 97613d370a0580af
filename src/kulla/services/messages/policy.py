"""Who may say that a letter was sent: the post of this home alone. Pure.

Refusals, with the values of their sentence:

malformed         field           a field is missing, unknown or misshapen
not-allowed       role, command   only the post records letters
already-recorded  state           this letter was sent, or failed for good, before
backwards         up_to           the post has looked further than this already
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from kulla.kernel.rows import Row
from kulla.kernel.service import POST, Actor, Asked, Decision, NewAct, Refusal
from kulla.services.messages import acts

KINDS: Final = (
    *("booked", "reminder", "moved", "cancelled", "to-call"),
    *("school-applied", "school-withdrawn", "school-moved", "school-result", "school-place"),
    *("school-answer", "school-answered", "school-lapsed", "school-appeal"),
)
CHANNELS: Final = ("mail", "phone")
_ID: Final = re.compile(r"[0-9a-f]{32}")
_ABOUT: Final = re.compile(r"[0-9A-Za-z-]{1,65}")
_WHY: Final = re.compile(r"[a-z0-9.-]{1,40}")
_FIELDS: Final = ("message", "subject", "kind", "about", "channel")


def record_sent(asked: Asked, recorded: Row | None) -> Decision:
    """A letter went out. Data: message, subject, kind, about, channel."""
    return _record(asked, recorded, acts.SENT, _FIELDS)


def record_failed(asked: Asked, recorded: Row | None) -> Decision:
    """A letter will never go out. Data: as record_sent, and why."""
    return _record(asked, recorded, acts.FAILED, (*_FIELDS, "why"))


def note_looked(asked: Asked, looked: Row | None) -> Decision:
    """The post has dealt with all letters of acts below a position. Data: up_to."""
    up_to = asked.data.get("up_to")
    if not _is_post(asked.actor):
        return _not_allowed(asked)
    if set(asked.data) != {"up_to"} or type(up_to) is not int or up_to < 0:
        return Refusal("malformed", {"field": "up_to"})
    known = looked["up_to"] if looked else 0
    assert isinstance(known, int)
    if up_to <= known:
        return Refusal("backwards", {"up_to": known})
    return (NewAct(acts.LOOKED, {"up_to": up_to}),)


def _record(
    asked: Asked, recorded: Row | None, name: str, fields: tuple[str, ...]
) -> tuple[NewAct, ...] | Refusal:
    if not _is_post(asked.actor):
        return _not_allowed(asked)
    wrong = _wrong_field(asked.data, fields)
    if wrong:
        return Refusal("malformed", {"field": wrong})
    if recorded is not None:
        return Refusal("already-recorded", {"state": recorded["state"]})
    return (NewAct(name, dict(asked.data)),)


def _is_post(actor: Actor) -> bool:
    return (actor.role, actor.subject) == (POST.role, POST.subject)


def _not_allowed(asked: Asked) -> Refusal:
    return Refusal("not-allowed", {"role": asked.actor.role, "command": asked.name})


def _wrong_field(data: Mapping[str, Any], fields: tuple[str, ...]) -> str:
    """The first field that is not of its shape, or ''."""
    shapes = {"message": _ID, "subject": _ID, "about": _ABOUT, "why": _WHY}
    for field in fields:
        value = data.get(field)
        if not isinstance(value, str):
            return field
        if field in shapes and shapes[field].fullmatch(value) is None:
            return field
    if data["kind"] not in KINDS:
        return "kind"
    if data["channel"] not in CHANNELS:
        return "channel"
    unknown = [field for field in data if field not in fields]
    return unknown[0] if unknown else ""

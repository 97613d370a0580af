"""The rules of the citizens register: who may add whom. Pure.

A citizen signs up alone, as the subject that the keeper just made for them; clerks and operators
register others, and import many at once. Refusals, with the values of their sentence:

malformed           field            a field is missing, unknown or misshapen
not-allowed         role, command    this role may not do that
not-yours           subject          a citizen registers nobody else
already-registered  subject
too-many            max              more citizens than one command may bring
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from typing import Any, Final

from kulla.kernel.service import Asked, Decision, NewAct, Refusal
from kulla.services.citizens import acts

MANY_MAX: Final = 500
SEALED_MAX_BYTES: Final = 8192
_SUBJECT: Final = re.compile(r"[0-9a-f]{32}")
_KEY_BYTES: Final = 32


def register(asked: Asked, known: Set[str]) -> Decision:
    """One citizen joins. Data: subject, name (sealed), key (blob name, may be absent).

    `known` are those of the subjects that are registered already.
    """
    if asked.actor.role not in ("citizen", "clerk", "operator"):
        return _not_allowed(asked)
    wrong = _wrong_field(asked.data)
    if wrong:
        return Refusal("malformed", {"field": wrong})
    subject = asked.data["subject"]
    if asked.actor.role == "citizen" and asked.actor.subject != subject:
        return Refusal("not-yours", {"subject": subject})
    if subject in known:
        return Refusal("already-registered", {"subject": subject})
    return (_registered(asked.data),)


def register_many(asked: Asked, known: Set[str]) -> Decision:
    """Many citizens join, one act each. Data: citizens [{subject, name, key}...].

    Each brings its `key`, so that each journal entry can name its own blob. All or none.
    """
    if asked.actor.role not in ("clerk", "operator"):
        return _not_allowed(asked)
    citizens = asked.data.get("citizens")
    if not isinstance(citizens, list | tuple) or not citizens or len(asked.data) != 1:
        return Refusal("malformed", {"field": "citizens"})
    if len(citizens) > MANY_MAX:
        return Refusal("too-many", {"max": MANY_MAX})
    seen: set[str] = set()
    for row, citizen in enumerate(citizens):
        if not isinstance(citizen, Mapping) or "key" not in citizen:
            return Refusal("malformed", {"field": f"citizens[{row}]"})
        wrong = _wrong_field(citizen)
        if wrong:
            return Refusal("malformed", {"field": f"citizens[{row}].{wrong}"})
        subject = citizen["subject"]
        if subject in known or subject in seen:
            return Refusal("already-registered", {"subject": subject})
        seen.add(subject)
    return tuple(_registered(citizen) for citizen in citizens)


def subjects_meant(data: Mapping[str, Any]) -> list[str]:
    """The subjects that a command's data speaks of, checked or not: what to look up."""
    citizens = data.get("citizens")
    rows = citizens if isinstance(citizens, list | tuple) else [data]
    found = [row.get("subject") for row in rows[:MANY_MAX] if isinstance(row, Mapping)]
    return [subject for subject in found if isinstance(subject, str)]


def _registered(citizen: Mapping[str, Any]) -> NewAct:
    names = (citizen["key"],) if "key" in citizen else ()
    return NewAct(acts.REGISTERED, dict(citizen), names)


def _not_allowed(asked: Asked) -> Refusal:
    return Refusal("not-allowed", {"role": asked.actor.role, "command": asked.name})


def _wrong_field(citizen: Mapping[str, Any]) -> str:
    """The first field that is not of its shape, or ''."""
    subject, name, key = citizen.get("subject"), citizen.get("name"), citizen.get("key")
    if not isinstance(subject, str) or _SUBJECT.fullmatch(subject) is None:
        return "subject"
    if not isinstance(name, bytes) or not 0 < len(name) <= SEALED_MAX_BYTES:
        return "name"
    if "key" in citizen and (not isinstance(key, bytes) or len(key) != _KEY_BYTES):
        return "key"
    unknown = [field for field in citizen if field not in ("subject", "name", "key")]
    return unknown[0] if unknown else ""

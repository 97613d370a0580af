"""Whose acts are whose: one small row for each citizen whom an act concerns.

A service's rows say how things stand, not how they came to: an appointment that was moved twice has
room for two positions, not for three. So that a person can see all that was done, by whom, with a
receipt for each, an act leaves a row here for each citizen who did it or whom it is about.

The key is the subject and then the position, so the acts of one person lie side by side in the
table itself and no index has to be kept. What a row costs, measured with 100,000 acts beside other
work: 13 us where rows are written through, 5 us in a replay. The first is nothing beside the 1.6 ms
of a booking; the second is a tenth of what a replayed act takes. So an act whose position, instant
and citizen stand in its service's own row for ever (a booking, a registration: the very acts of
which there are millions) says `noted=False` in its ActType and costs nothing here; who lists a
person's acts reads both (portal/my_acts.py).
"""

from __future__ import annotations

from typing import Final

from kulla.kernel.rows import Column, RowsByKey, Table
from kulla.kernel.service import Act

PARTY: Final = Table(
    "kulla_party",
    (Column("key", "text"), Column("said", "text"), Column("at_ms", "int")),
)
"""Acts by person: the key is '<subject>:<position>', `said` is '<service>.<act>'."""

POSITION_DIGITS: Final = 12
_ABOUT: Final = ("citizen", "subject", "guardian", "ward", "child")


def parties_of(act: Act) -> tuple[str, ...]:
    """The citizens whom an act concerns: who did it, for whom, and about whom; each once."""
    actor, data = act.actor, act.data
    found: dict[str, None] = {}
    if actor.role == "citizen":
        found[actor.subject] = None
        if actor.behalf:
            found[actor.behalf] = None
    for name in _ABOUT:
        subject = data.get(name)
        if subject is not None and isinstance(subject, str):
            found[subject] = None
    return tuple(found)


def is_party(act: Act, subject: str) -> bool:
    """Whether `subject` did the act, in whatever role, or it concerns them."""
    return subject == act.actor.subject or subject in parties_of(act)


def party_key(subject: str, position: int) -> str:
    """The key of a person's row for the act at `position`; their keys sort as positions do."""
    return f"{subject}:{position:0{POSITION_DIGITS}}"


def note_parties(rows: RowsByKey, act: Act) -> None:
    """Remember whom the act concerns."""
    for subject in parties_of(act):
        key = party_key(subject, act.position)
        rows.put(PARTY.name, {"key": key, "said": f"{act.service}.{act.name}", "at_ms": act.at_ms})

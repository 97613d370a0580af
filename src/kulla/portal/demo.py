"""The made-up people of the demo country, whom anybody may be. Nowhere else do they exist."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from kulla.kernel.service import Role
from kulla.portal.configuration import Misconfigured
from kulla.services.accounts.demo_passkey import DemoPasskey

_ROLES: Final = frozenset({"citizen", "clerk", "operator", "analyst", "custodian"})
_SHOWN_MAX: Final = 24
_WANTED_CHARS_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Person:
    """A made-up person: the subject id that the keeper gave, a name, a role, where they live.

    Of the staff also the key that they sign with, which the portal keeps in this country alone.
    """

    subject: str
    name: str
    role: Role
    town: str = ""
    passkey: DemoPasskey | None = None
    mail: str = ""


def read_people(path: Path) -> dict[str, Person]:
    """People by subject id, from a JSON list of {"subject", "name", "role", "town"}.

    Raises Misconfigured where the file is not that, naming the row.
    """
    people: dict[str, Person] = {}
    try:
        rows = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Misconfigured(
            f"the made-up people can't be read ({error}).",
            place="KULLA_DEMO_PEOPLE",
            remedy="Name a file with a JSON list of people.",
        ) from error
    for number, row in enumerate(rows):
        try:
            person = Person(
                row["subject"],
                row["name"],
                row["role"],
                row.get("town", ""),
                DemoPasskey.of(row),
                row.get("mail", ""),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _unfit(path, number) from error
        if person.role not in _ROLES or not person.subject:
            raise _unfit(path, number)
        people[person.subject] = person
    return people


def _unfit(path: Path, number: int) -> Misconfigured:
    return Misconfigured(
        "this row is not a person.",
        place=f"{path}: row {number}",
        remedy='Write {"subject": ..., "name": ..., "role": "citizen", "town": ...}.',
    )


def _people() -> dict[str, Person]:
    path = settings.KULLA.demo_people
    return _read_at(path, path.stat().st_mtime_ns) if path else {}


@lru_cache(maxsize=1)
def _read_at(path: Path, written_ns: int) -> dict[str, Person]:
    """The file as it was written then: a demo country is open before its people are all there."""
    del written_ns
    return read_people(path)


def name_of(subject: str) -> str:
    """The made-up name of a person who is signed in, '' outside the demo country."""
    found = _people().get(subject) if settings.KULLA.demo else None
    return found.name if found else ""


def person(subject: str) -> Person | None:
    """The made-up person with this subject id, or None; outside the demo country always None."""
    return _people().get(subject) if settings.KULLA.demo else None


def shown_people(wanted: str) -> dict[str, Any]:
    """What the sign-in page says of the made-up people whose name has `wanted` in it."""
    wanted = wanted.strip()[:_WANTED_CHARS_MAX]
    found = [one for one in _people().values() if wanted.casefold() in one.name.casefold()]
    citizens = [one for one in found if one.role == "citizen"]
    return {
        "people": citizens[:_SHOWN_MAX],
        "staff": [one for one in found if one.role != "citizen"][:_SHOWN_MAX],
        "more_count": max(0, len(citizens) - _SHOWN_MAX),
        "wanted": wanted,
    }

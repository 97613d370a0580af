"""What the room's pages read from registers: results, lists, cut-offs, how full schools are.

Nobody sees a result before the ministry opened them, nor anything that no quorum has confirmed.
"""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.http import Http404

from kulla.services.enrolment import tables
from kulla.services.enrolment.models import (
    Filled,
    Place,
    Programme,
    Result,
    Round,
    RuleSet,
    Run,
    School,
)
from kulla.services.enrolment.policy.rules import Rules
from kulla.services.enrolment.policy.rules_text import rules_from_json
from kulla.services.enrolment.results import kept
from kulla.services.pages import ActedFor, PageRequest, signed_in

OUT: Final = (tables.OFFERED, tables.ENDED)
ALLOCATED: Final = (tables.ALLOCATED, *OUT)


@dataclass(frozen=True, slots=True)
class Named:
    """A programme with its school's name and town, as pages name it."""

    programme: str
    name: str
    school: str
    town: str
    seats: int
    grade: str


@dataclass(frozen=True, slots=True)
class Waits:
    """A child's place in a waiting list: which of how many."""

    programme: str
    choice: int
    number: int
    of: int


def watermark(request: PageRequest) -> int:
    """Acts below this position are confirmed."""
    return request.tower.witnessing().watermark


def opened_rounds(request: PageRequest, **wanted: str) -> dict[str, Round]:
    """The rounds whose results a quorum knows to be open, by id."""
    below = watermark(request)
    rows = {row.id: row for row in Round.objects.filter(state__in=OUT, **wanted)}
    runs = Run.objects.filter(id__in=list(rows), opened_position__lt=below)
    return {one.id: rows[one.id] for one in runs if one.opened_position >= 0}


def opened_round(request: PageRequest, key: str) -> Round:
    """The round, if its results are open to families. Raises Http404."""
    found = opened_rounds(request, id=key).get(key)
    if found is None:
        raise Http404
    return found


def child_of(request: PageRequest, child: str) -> ActedFor:
    """The child, if the person who is signed in may act for them. Raises Http404 for another's."""
    if child == signed_in(request).subject:
        return ActedFor(child, "", "self")
    for one in request.acting_for.people():
        if one.subject == child:
            return one
    raise Http404


def result_of(round_id: str, child: str) -> Result:
    """A child's result. Raises Http404."""
    found = Result.objects.filter(id=f"{round_id}-{child}").first()
    if found is None:
        raise Http404
    return found


def rules_of(row: Round) -> Rules:
    """The rules that the round was published with."""
    found = RuleSet.objects.get(id=f"{row.id}-{row.rules_version}")
    return rules_from_json(found.text)


def named(round_id: str, programmes: Iterable[str]) -> dict[str, Named]:
    """Programmes of a round by id, with their schools."""
    ids = [f"{round_id}-{one}" for one in programmes if one]
    rows = Programme.objects.in_bulk(ids).values()
    return with_schools(rows)


def with_schools(rows: Iterable[Programme]) -> dict[str, Named]:
    """The same for rows that were read already, in their order."""
    found = list(rows)
    schools = School.objects.in_bulk({one.school for one in found})
    return {one.programme: _named(one, schools.get(one.school)) for one in found}


def _named(one: Programme, school: School | None) -> Named:
    seats = sum(int(count) for _, count in json.loads(one.pools))
    name, town = (school.name, school.town) if school is not None else (one.school, "")
    return Named(one.programme, one.name, name, town, seats, one.grade)


def waits_of(round_id: str, child: str) -> list[Waits]:
    """Where a child waits, best choice first, and as which of how many."""
    places = Place.objects.filter(round=round_id, child=child, state=tables.IN_LIST)
    found = []
    for place in sorted(places, key=lambda one: one.choice):
        ahead = Place.objects.filter(
            round=round_id,
            programme=place.programme,
            state=tables.IN_LIST,
            order__lt=place.order,
        ).count()
        filled = Filled.objects.filter(id=f"{round_id}-{place.programme}").first()
        of = filled.waiting if filled is not None else ahead + 1
        found.append(Waits(place.programme, place.choice, ahead + 1, of))
    return found


def told_to(request: PageRequest, row: Round, child: str) -> Mapping[str, Any] | None:
    """What the allocation left for the family to read, opened by the keeper; None: not there yet.

    Every opening is logged. Raises KullaError where the keeper does not answer.
    """
    sealed = kept.sealed_reasons(home_folder(), row.id, child)
    if sealed is None:
        return None
    why = "who acts for the child reads its result"
    opened = request.tower.open(child, {kept.REASONS_FIELD: sealed}, why)
    found: Mapping[str, Any] = json.loads(opened[kept.REASONS_FIELD])
    return found


def home_folder() -> Path:
    """The folder where home keeps what allocations left: that of its registers."""
    return Path(settings.KULLA.registers).parent


def transcript(row: Round, name: str = kept.PUBLIC_FILE) -> Path | None:
    """A transcript of the round, if it is here and the very one that the journal names."""
    path = kept.folder_of(home_folder(), row.id) / name
    meant = row.public_transcript if name == kept.PUBLIC_FILE else row.audit_transcript
    try:
        changed = path.stat().st_mtime_ns
    except FileNotFoundError:
        return None
    return path if meant is not None and _hash(path, changed) == bytes(meant) else None


@lru_cache(maxsize=16)
def _hash(path: Path, changed_ns: int) -> bytes:
    del changed_ns  # part of the key alone
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def cutoffs(path: Path) -> Mapping[str, Mapping[str, Any]]:
    """By programme what the public transcript says of how far it came."""
    return _cutoffs(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _cutoffs(path: Path, changed_ns: int) -> Mapping[str, Mapping[str, Any]]:
    del changed_ns
    rows = json.loads(path.read_bytes())["programmes"]
    return {str(one["programme"]): one for one in rows}


def stands_in(path: Path, digest: bytes) -> bool:
    """Whether a commitment or a result (32 bytes) stands in a transcript, whatever its length."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return text.find(f'"{digest.hex()}"'.encode()) >= 0

"""What the room's pages read from the registers: rounds with their days, schools with their seats.

A round that the ministry only prepares is shown to nobody else; nor is one whose publication no
quorum has confirmed yet.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.http import Http404

from kulla.services.enrolment import tables
from kulla.services.enrolment.models import Move, Programme, Round, RuleSet, School
from kulla.services.enrolment.policy.rules import Rules
from kulla.services.enrolment.rounds import policy, rules_text, wishes
from kulla.services.enrolment.rounds.prose import pool_title_of
from kulla.services.pages import PageRequest

_OVER: Final = frozenset({tables.OFFERED, tables.ENDED})


FOUND_MAX: Final = 500
"""So many programmes `search` gives at most."""


@dataclass(frozen=True, slots=True)
class Now:
    """What a page takes as settled: this instant, and acts below this position."""

    at_s: int
    watermark: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A round as a page shows it; instants in the round's zone.

    `phase` is one word for where it stands today: 'before', 'open', 'waiting', 'results', 'ended'.
    """

    row: Round
    phase: str
    settled: bool
    opens: datetime
    closes: datetime
    results: datetime
    answer_by: datetime
    left_s: int

    @property
    def is_open(self) -> bool:
        """Whether families may apply now."""
        return self.phase == "open"

    @property
    def days_left(self) -> int:
        """Whole days until applying closes."""
        return self.left_s // 86_400


@dataclass(frozen=True, slots=True)
class Moved:
    """A move of days as everybody reads it: which days, from when to when, and why."""

    at_ms: int
    why: str
    days: tuple[tuple[str, datetime, datetime], ...]


@dataclass(frozen=True, slots=True)
class Offered:
    """A programme with its school and its seats: (pool's title, seats) in the order of trying."""

    programme: str
    school: str
    school_name: str
    town: str
    county: str
    grade: str
    name: str
    pools: tuple[tuple[str, int], ...]

    @property
    def seats(self) -> int:
        """The seats of all pools together."""
        return sum(seats for _pool, seats in self.pools)


def now_of(request: PageRequest) -> Now:
    """The instant and the watermark, as one page sees them from top to bottom."""
    return Now(request.clock.now_ms() // 1000, request.tower.witnessing().watermark)


def public_rounds(now: Now) -> list[Shown]:
    """The rounds that everybody may see, the newest first."""
    rows = Round.objects.exclude(state=tables.PREPARED).order_by("-opens_s", "id")
    return [shown for shown in (show_round(row, now) for row in rows) if _public(shown)]


def public_round(key: str, now: Now) -> Shown:
    """A round that everybody may see. Raises Http404."""
    shown = show_round(round_of(key), now)
    if not _public(shown):
        raise Http404
    return shown


def _public(shown: Shown) -> bool:
    """Whether its publication is confirmed: it is where the newest act is, or a later one came."""
    row = shown.row
    if row.state == tables.PREPARED:
        return False
    if shown.settled or row.state != tables.PUBLISHED:
        return True
    return Move.objects.filter(round=row.id).exists()


def round_of(key: str) -> Round:
    """A round in whatever state. Raises Http404."""
    row = Round.objects.filter(id=key).first()
    if row is None:
        raise Http404
    return row


def show_round(row: Round, now: Now) -> Shown:
    """A round with its days in its zone and where it stands at this instant."""
    zone = ZoneInfo(row.zone)
    opens, closes, results, answer_by = (
        datetime.fromtimestamp(at_s, zone)
        for at_s in (row.opens_s, row.closes_s, row.results_s, row.answer_by_s)
    )
    return Shown(
        row,
        _phase(row, now.at_s),
        row.position < now.watermark,
        opens,
        closes,
        results,
        answer_by,
        max(0, row.closes_s - now.at_s),
    )


def _phase(row: Round, at_s: int) -> str:
    if row.state == tables.ENDED:
        return "ended"
    if row.state in _OVER:
        return "results"
    if row.state in (tables.PREPARED, tables.PUBLISHED) and at_s < row.closes_s:
        return "before" if at_s < row.opens_s else "open"
    return "waiting"


def rules_of(row: Round) -> Rules | None:
    """The round's newest rules, or None where there are none yet."""
    found = RuleSet.objects.filter(id=f"{row.id}-{row.rules_version}").first()
    return rules_text.rules_of(found.text) if found is not None else None


def moves_of(row: Round) -> list[Moved]:
    """How the round's days moved, the newest first."""
    zone = ZoneInfo(row.zone)
    found = []
    for move in Move.objects.filter(round=row.id).order_by("-id"):
        days = tuple(
            (name, datetime.fromtimestamp(was_s, zone), datetime.fromtimestamp(is_s, zone))
            for name in wishes.DAYS
            if (was_s := getattr(move, f"was_{name}")) != (is_s := getattr(move, name))
        )
        found.append(Moved(move.moved_ms, move.why, days))
    return found


def missing_of(row: Round, at_ms: int) -> list[tuple[str, str, str]]:
    """What the round still lacks before it can be published: see policy.missing."""
    newest = RuleSet.objects.filter(id=f"{row.id}-{row.rules_version}").first()
    known = policy.CompleteKnown(
        Round.objects.filter(id=row.id).values().first(),
        Round.objects.filter(id=row.parent).values().first() if row.parent else None,
        newest.text if newest is not None else "",
        list(Programme.objects.filter(round=row.id).order_by("id").values()),
    )
    return policy.missing(known, at_ms)


def offered(programmes: Sequence[Programme], rules: Rules | None) -> list[Offered]:
    """These programmes with their schools, in their order; pools by the titles of the rules."""
    keys = {programme.school for programme in programmes}
    schools = School.objects.in_bulk(sorted(keys))
    titles = {pool.pool: pool_title_of(pool) for pool in rules.pools} if rules is not None else {}
    found = []
    for row in programmes:
        school = schools.get(row.school)
        pools = tuple((titles.get(pool, pool), seats) for pool, seats in json.loads(row.pools))
        found.append(
            Offered(
                row.programme,
                row.school,
                school.name if school else row.school,
                school.town if school else "",
                school.county if school else "",
                row.grade,
                row.name,
                pools,
            )
        )
    return found


def places_of(round_: str) -> list[tuple[str, list[str]]]:
    """Counties with their towns in which a round's schools are."""
    keys = set(Programme.objects.filter(round=round_).values_list("school", flat=True))
    found: dict[str, set[str]] = {}
    for county, town in School.objects.filter(id__in=keys).values_list("county", "town"):
        found.setdefault(county, set()).add(town)
    return [(county, sorted(towns)) for county, towns in sorted(found.items())]


def grades_of(round_: str, rules: Rules | None) -> list[str]:
    """The grades that a round offers something to, in the order of the rules' ages."""
    here = set(Programme.objects.filter(round=round_).values_list("grade", flat=True))
    order = [grade for grade, _first, _last in rules.ages] if rules is not None else []
    return [grade for grade in order if grade in here] + sorted(here - set(order))


def search(round_: str, place: str, grade: str, words: str) -> list[Programme]:
    """The first FOUND_MAX of what `search_ids` finds, whole."""
    return programmes_in(search_ids(round_, place, grade, words)[:FOUND_MAX])


def search_ids(round_: str, place: str, grade: str, words: str) -> list[str]:
    """Ids of a round's programmes by 'county' or 'county/town', by grade, by a word of the name.

    In the order of county, town, school and grade. A country has some ten thousand programmes, so
    only what orders them is read; a page loads its own rows (`programmes_in`).
    """
    county, _slash, town = place.partition("/")
    wanted = Q(county=county) if county else Q()
    wanted &= Q(town=town) if town else Q()
    wanted &= Q(name__icontains=words) if words else Q()
    found = Programme.objects.filter(round=round_)
    if grade:
        found = found.filter(grade=grade)
    keys = ("county", "town", "name")
    schools = {
        key: order
        for key, *order in School.objects.filter(wanted).values_list("id", *keys).iterator()
    }
    rows = [
        (schools[school], in_grade, key)
        for key, school, in_grade in found.values_list("id", "school", "grade").iterator()
        if school in schools
    ]
    return [key for _school, _grade, key in sorted(rows)]


def programmes_in(ids: Iterable[str]) -> list[Programme]:
    """The programmes of these ids, in their order."""
    wanted = list(ids)
    found = Programme.objects.in_bulk(wanted)
    return [found[key] for key in wanted if key in found]


def grade_titles(rules: Rules | None) -> Mapping[str, str]:
    """What the ministry calls its grades, by their ids."""
    return dict(rules.titles) if rules is not None else {}

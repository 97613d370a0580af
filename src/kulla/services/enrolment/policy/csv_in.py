"""Applications and vacancies from CSV files as ministries have them; bad rows are put aside. Pure.

Vacancies: school_id, grade_id, program_id, quota_1 ... quota_N, regular_vacancies; the column
quota_3 is the pool `quota-3` of the rules, regular_vacancies the pool `open`.

Applications, one row a choice: applicant_id, grade_id, program_id, ranking (1 is the best),
quota_id (the row asks for these seats alone; the id of the regular seats means the open ones) and a
column with the priority profile: its value 7 is the class `profile-7` of the rules, and a value
that the rules do not name must be the one for no priority.

A row that makes no sense is rejected with its number (the head is row 1) and the reason, and the
rest goes on. Where rows contradict one another all of them are rejected: nothing depends on which
came first.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from kulla.kernel.errors import KullaError
from kulla.services.enrolment.policy.market import Applicant, Programme
from kulla.services.enrolment.policy.rules import OPEN_POOL, Claim, Rules

REGULAR: Final = "regular_vacancies"
QUOTA: Final = "quota_"
NUMBER_MAX: Final = 1_000_000


class FileUnreadable(KullaError):
    """A file whose head lacks a column, or that is no CSV: no row of it can be read."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was put aside. `file` is 'applications' or 'vacancies'."""

    file: str
    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class Columns:
    """How a ministry's files differ: the priorities' column, and what means no or regular."""

    priority: str = "priority_profile_edi"
    no_priority: str = "1"
    regular_quota: str = "11"


@dataclass(frozen=True, slots=True)
class _Row:
    row: int
    applicant: str
    grade: str
    programme: str
    ranking: int
    pool: str
    kind: str


def commitment_of(applicant_id: str) -> bytes:
    """What the lottery knows an id by, where no application was committed to beforehand."""
    return hashlib.sha256(b"kulla enrolment applicant v1\n" + applicant_id.encode()).digest()


def read_vacancies(
    lines: Iterable[str], rules: Rules
) -> tuple[tuple[Programme, ...], list[Reject]]:
    """Programmes, and the rows that were rejected. Raises FileUnreadable."""
    rejects: list[Reject] = []
    found: dict[str, list[tuple[int, Programme]]] = defaultdict(list)
    pools = [pool.pool for pool in rules.pools]
    for number, row, wrong in _table(lines, "vacancies", ("school_id", "grade_id", "program_id")):
        programme, reason = _programme(row, pools) if not wrong else (None, wrong)
        if programme is None:
            rejects.append(Reject("vacancies", number, reason))
        else:
            found[programme.programme].append((number, programme))
    programmes = []
    for name, rows in found.items():
        if len(rows) > 1:
            reason = f"program_id {name} stands in {len(rows)} rows"
            rejects += [Reject("vacancies", number, reason) for number, _ in rows]
        else:
            programmes.append(rows[0][1])
    return tuple(programmes), sorted(rejects, key=lambda one: one.row)


def _programme(row: Mapping[str, str], pools: list[str]) -> tuple[Programme | None, str]:
    for column in ("school_id", "grade_id", "program_id"):
        if not row[column]:
            return None, f"{column} is empty"
    seats: dict[str, int] = {}
    for column, cell in row.items():
        pool = _pool_of_column(column)
        if not pool:
            continue
        count = _number(cell)
        if count is None:
            return None, f"{column} is {cell!r}, no whole number from 0"
        if pool not in pools and count:
            return None, f"{column} has seats, and the rules have no pool {pool}"
        seats[pool] = count
    ordered = tuple((pool, seats[pool]) for pool in pools if seats.get(pool))
    return Programme(row["program_id"], row["school_id"], row["grade_id"], ordered), ""


def _pool_of_column(column: str) -> str:
    if column == REGULAR:
        return OPEN_POOL
    return column.replace("_", "-") if column.startswith(QUOTA) else ""


def read_applications(
    lines: Iterable[str],
    rules: Rules,
    programmes: Iterable[Programme],
    columns: Columns,
) -> tuple[tuple[Applicant, ...], list[Reject]]:
    """Applicants, and the rows that were rejected. Raises FileUnreadable."""
    needed = ("applicant_id", "grade_id", "program_id", "ranking", "quota_id", columns.priority)
    offered = {one.programme: one for one in programmes}
    rejects: list[Reject] = []
    rows: dict[str, list[_Row]] = defaultdict(list)
    for number, cells, wrong in _table(lines, "applications", needed):
        row, reason = (
            _choice(number, cells, rules, offered, columns) if not wrong else (None, wrong)
        )
        if row is None:
            rejects.append(Reject("applications", number, reason))
        else:
            rows[row.applicant].append(row)
    applicants = []
    for name, own in rows.items():
        good, bad = _consistent(own, rules)
        rejects += bad
        if good:
            applicants.append(_applicant(name, good))
    return tuple(applicants), sorted(rejects, key=lambda one: one.row)


def _choice(
    number: int,
    cells: Mapping[str, str],
    rules: Rules,
    offered: Mapping[str, Programme],
    columns: Columns,
) -> tuple[_Row | None, str]:
    """One row by itself: the row, or why not."""
    programme = offered.get(cells["program_id"])
    ranking = _number(cells["ranking"])
    quota, profile = cells["quota_id"], cells[columns.priority]
    pool = OPEN_POOL if quota == columns.regular_quota else f"quota-{quota}"
    kind = "" if profile == columns.no_priority else f"profile-{profile}"
    if not cells["applicant_id"]:
        return None, "applicant_id is empty"
    if programme is None:
        return None, f"no vacancies have the program_id {cells['program_id']!r}"
    if programme.grade != cells["grade_id"]:
        return None, f"program {programme.programme} is of grade {programme.grade}"
    if not ranking:
        return None, f"ranking is {cells['ranking']!r}, no whole number from 1"
    if pool not in {one.pool for one in rules.pools}:
        return None, f"quota_id is {quota!r}, and the rules have no pool {pool}"
    if kind and kind not in {one.kind for one in rules.priorities}:
        return None, f"{columns.priority} is {profile!r}, and the rules have no class {kind}"
    row = _Row(
        number,
        cells["applicant_id"],
        programme.grade,
        programme.programme,
        ranking,
        pool,
        kind,
    )
    return row, ""


def _consistent(rows: list[_Row], rules: Rules) -> tuple[list[_Row], list[Reject]]:
    """An applicant's rows without those that contradict one another."""
    if len({row.grade for row in rows}) > 1:
        reason = f"applicant {rows[0].applicant} applies for two grades"
        return [], [Reject("applications", row.row, reason) for row in rows]
    rankings = Counter(row.ranking for row in rows)
    names = Counter(row.programme for row in rows)
    good: list[_Row] = []
    bad: list[Reject] = []
    for row in sorted(rows, key=lambda one: one.ranking):
        if rankings[row.ranking] > 1:
            bad.append(Reject("applications", row.row, f"ranking {row.ranking} stands twice"))
        elif names[row.programme] > 1:
            bad.append(Reject("applications", row.row, f"program {row.programme} stands twice"))
        elif rules.choices_max and len(good) == rules.choices_max:
            bad.append(Reject("applications", row.row, f"more than {len(good)} choices"))
        else:
            good.append(row)
    return good, bad


def _applicant(name: str, rows: list[_Row]) -> Applicant:
    claims = [Claim(row.kind, row.programme) for row in rows if row.kind]
    claims += [Claim(row.pool, row.programme) for row in rows if row.pool != OPEN_POOL]
    return Applicant(
        applicant=name,
        grade=rows[0].grade,
        choices=tuple(row.programme for row in rows),
        commitment=commitment_of(name),
        claims=tuple(claims),
        reserved_only=tuple(row.programme for row in rows if row.pool != OPEN_POOL),
    )


def read_siblings(
    lines: Iterable[str], applicants: tuple[Applicant, ...]
) -> tuple[tuple[Applicant, ...], list[Reject]]:
    """Applicants with their siblings: columns applicant_1, applicant_2, together (0 or 1).

    Who is together in any row wants it. Raises FileUnreadable.
    """
    known = {one.applicant for one in applicants}
    kin: dict[str, set[str]] = defaultdict(set)
    wanting: set[str] = set()
    rejects = []
    for number, row, wrong in _table(lines, "siblings", ("applicant_1", "applicant_2", "together")):
        pair = (row.get("applicant_1", ""), row.get("applicant_2", ""))
        reason = wrong or _wrong_pair(pair, row["together"], known)
        if reason:
            rejects.append(Reject("siblings", number, reason))
            continue
        kin[pair[0]].add(pair[1])
        kin[pair[1]].add(pair[0])
        wanting |= set(pair) if row["together"] == "1" else set()
    found = (
        replace(
            one,
            siblings=tuple(sorted(kin.get(one.applicant, ()))),
            together=one.applicant in wanting,
        )
        for one in applicants
    )
    return tuple(found), rejects


def _wrong_pair(pair: tuple[str, str], together: str, known: set[str]) -> str:
    if pair[0] == pair[1] or not set(pair) <= known:
        return "these are not two applicants of the applications"
    return "" if together in {"0", "1"} else f"together is {together!r}, neither 0 nor 1"


def _table(
    lines: Iterable[str], file: str, needed: tuple[str, ...]
) -> Iterator[tuple[int, dict[str, str], str]]:
    """(row number, cells by column, what is wrong with the row as a whole) of each row."""
    reader = csv.reader(lines, strict=True)
    try:
        head = [name.strip() for name in next(reader, [])]
        if head:
            head[0] = head[0].removeprefix("\ufeff")
        for column in needed:
            if column not in head:
                raise FileUnreadable(
                    f"it has no column {column}.",
                    place=f"{file}, row 1",
                    remedy=f"Its columns are: {', '.join(head)[:200]}.",
                )
        for number, cells in enumerate(reader, 2):
            if not cells:
                continue
            if len(cells) != len(head):
                yield number, {}, f"{len(cells)} cells, and the head has {len(head)}"
                continue
            yield number, dict(zip(head, (cell.strip() for cell in cells), strict=True)), ""
    except csv.Error as error:
        place = f"{file}, line {reader.line_num}"
        raise FileUnreadable(f"this is no CSV ({error}).", place=place) from error


def _number(cell: str) -> int | None:
    """A whole number from 0 to a million; None for anything else."""
    if not (cell.isascii() and cell.isdecimal()) or len(cell) > len(str(NUMBER_MAX)):
        return None
    return int(cell) if int(cell) <= NUMBER_MAX else None

"""How many pages a second a whole tower serves to signed-in citizens, and how large pages are.

Citizens sign in through the site's own form, book an appointment each, and then open one page after
the other: their home, a doctor's month, and the empty page that goes through the same server,
middleware and session. The ratios say what a page costs beside what any page costs. Everything runs
on the same cores, the client too; rate limits are on.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kulla.bench.country import Country, Wanted, open_country
from kulla.bench.errors import BenchFailed
from kulla.bench.exchange import request
from kulla.bench.load import ClosedLoop, Done, Request, drive, percentile
from kulla.bench.processes import CpuMeter
from kulla.bench.visitors import Site, Visitor, bookings, sign_in
from kulla.bench.walk import Walk, Weight, largest
from kulla.kernel.edges import SystemClock

SEED: Final = 1
# One page for everybody in turn: a person may ask 120 times at once and 4 times a second after.
VISITORS: Final = 600
_EMPTY, _HOME = "/empty", "/"
_LANGUAGES: Final = ("sq", "en")
_SHOWN: Final = 5
_SLOT_MINUTES: Final = 15


@dataclass(frozen=True, slots=True)
class PagesPlan:
    """What to measure: each kind of page for `seconds`, over `connections` kept connections."""

    folder: Path
    seconds: float = 20.0
    connections: int = 64
    visitors: int = VISITORS
    seed: int = SEED

    @property
    def trivial_seconds(self) -> float:
        """How long empty pages are counted, before the others and after."""
        return max(1.0, self.seconds / 2)


@dataclass(frozen=True, slots=True)
class _Counted:
    """Pages of one kind: how many a second, what one costs in processor time, how long it takes."""

    per_s: float
    cpu_ms: dict[str, float]
    p99_ms: float


def measure_pages(plan: PagesPlan, say: Callable[[str], None]) -> dict[str, Any]:
    """The figures of one tower. Raises BenchFailed where a page is not what it should be."""
    slots = 2 * plan.visitors
    wanted = Wanted(plan.visitors, slots, accounts=True, slot_minutes=_SLOT_MINUTES)
    say(f"a country of {plan.visitors:,} citizens")
    with open_country(plan.folder, wanted, say) as country:
        say(f"{plan.visitors:,} citizens sign in and book")
        visitors = sign_in(country.site, country.subjects()[: plan.visitors])
        _book(country, visitors, plan)
        months = _months(country)
        before = _count(country, visitors, [_EMPTY], plan, plan.trivial_seconds, say)
        home = _count(country, visitors, [_HOME], plan, plan.seconds, say)
        month = _count(country, visitors, months, plan, plan.seconds, say)
        after = _count(country, visitors, [_EMPTY], plan, plan.trivial_seconds, say)
        trivial = (before.per_s + after.per_s) / 2
        say("a walk over all pages")
        return {
            **_sizes(country, visitors[0]),
            "home_pages_per_s": round(home.per_s, 1),
            "month_pages_per_s": round(month.per_s, 1),
            "trivial_pages_per_s": round(trivial, 1),
            "home_ratio": round(home.per_s / trivial, 4),
            "month_ratio": round(month.per_s / trivial, 4),
            "home_p99_ms": round(home.p99_ms, 1),
            "month_p99_ms": round(month.p99_ms, 1),
            "cpu_ms_per_page": {
                "home": home.cpu_ms,
                "month": month.cpu_ms,
                "trivial": before.cpu_ms,
            },
            "settings": _settings(plan),
        }


def _settings(plan: PagesPlan) -> dict[str, Any]:
    return {
        "seconds": plan.seconds,
        "connections": plan.connections,
        "citizens": plan.visitors,
        "client": "one process on the same cores, kept connections, requests built beforehand",
        "rate_limits": "on",
        "seed": plan.seed,
    }


def _book(country: Country, visitors: Sequence[Visitor], plan: PagesPlan) -> None:
    """One appointment for each, so that their home has what comes next."""
    slots = country.free_slots()[: len(visitors)]
    wishes = bookings(country.site, visitors, slots, plan.seed)
    pace = ClosedLoop(wishes, 120.0)
    done = drive(country.site.address, plan.connections, pace, SystemClock().monotonic_s)
    booked = sum(one.status == 303 for one in done)
    if booked < len(visitors):
        raise BenchFailed(f"{booked} of {len(visitors)} bookings were confirmed: {_answers(done)}.")
    country.watermark()


def _months(country: Country) -> list[str]:
    """The address of each doctor's month."""
    slots = country.free_slots()
    doctors = sorted({slot.rpartition("-")[0] for slot in slots})
    return [f"/appointments/doctors/{doctor}" for doctor in doctors]


def _count(
    country: Country,
    visitors: Sequence[Visitor],
    paths: Sequence[str],
    plan: PagesPlan,
    seconds: float,
    say: Callable[[str], None],
) -> _Counted:
    """Pages one after the other on every connection. Raises BenchFailed for any but 200."""
    say(f"{paths[0]} for {seconds:g} s")
    clock = SystemClock()
    meter = CpuMeter(country.pids())
    pace = ClosedLoop(_loads(country.site, visitors, paths), seconds)
    start_s = clock.monotonic_s()
    done = drive(country.site.address, plan.connections, pace, clock.monotonic_s)
    used_s = meter.used_s()
    if any(one.status != 200 for one in done):
        raise BenchFailed(f"pages were answered {_answers(done)}.", place=paths[0])
    in_time = sum(one.done_s <= start_s + seconds for one in done)
    return _Counted(
        in_time / seconds,
        {name: round(used / len(done) * 1000, 3) for name, used in used_s.items()},
        percentile([one.took_s * 1000 for one in done], 0.99),
    )


def _answers(done: Sequence[Done]) -> dict[int, int]:
    return dict(Counter(one.status for one in done))


def _loads(site: Site, visitors: Sequence[Visitor], paths: Sequence[str]) -> Iterator[Request]:
    """One page by one visitor after the other, without end; each visitor keeps to one page."""
    pages = [
        request("GET", paths[number % len(paths)], site.host, cookies=visitor.cookies)
        for number, visitor in enumerate(visitors)
    ]
    number = 0
    while True:
        yield Request(number, pages[number % len(pages)])
        number += 1


def _sizes(country: Country, citizen: Visitor) -> dict[str, Any]:
    """The heaviest pages that anybody can reach: nobody signed in, a citizen, and the staff."""
    people = [Visitor("", "", ""), citizen, *sign_in(country.site, _staff(country))]
    weights: list[Weight] = []
    refused: Counter[str] = Counter()
    begin = [_HOME, "/appointments/?place=", "/appointments/?place=&page=2", "/sign-in", "/check"]
    for person in people:
        for language in _LANGUAGES:
            walk = Walk(country.site, person.cookies, language)
            walk.go(begin)
            weights += walk.weights
            # The public pages lead to citizens' forms, which are not open to staff.
            refused += walk.refused if person in people[:2] else Counter()
    by_kind: dict[str, Weight] = {}
    for weight in sorted(weights, key=lambda one: one.total_bytes):
        by_kind[weight.kind] = weight
    heaviest = sorted(by_kind.values(), key=lambda one: -one.total_bytes)[:_SHOWN]
    return {
        "largest_page_kb": largest(weights).figures()["kb"],
        "largest_pages": [weight.figures() for weight in heaviest],
        "pages_walked": len(weights),
        "kinds_walked": len(by_kind),
        "links_refused": dict(refused),
    }


def _staff(country: Country) -> list[str]:
    """One made-up member of staff of each role."""
    rows = json.loads(country.plan.home.demo_people.read_text(encoding="utf-8"))
    by_role = {row["role"]: row["subject"] for row in rows if row["role"] != "citizen"}
    return list(by_role.values())

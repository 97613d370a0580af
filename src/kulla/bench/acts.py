"""How many acts a second a whole tower acknowledges, every one of them held by a quorum.

Citizens who signed in through the site's own form post its booking form: session, form mark, rate
limits and sealing are on. An act counts once its answer is the way to its page, and only if the
registers and the watermark bear it out afterwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random  # noqa: TID251 - made-up load from a seed; nothing here is secret
from typing import Any, Final

from kulla.bench.contest import BOOKED, CLIENTS, ROUNDS, Contest, contest
from kulla.bench.country import Country, Wanted, open_country
from kulla.bench.errors import BenchFailed
from kulla.bench.load import ClosedLoop, Done, OpenLoop, drive, percentile
from kulla.bench.processes import CpuMeter
from kulla.bench.verification import Claim, verify_claims
from kulla.bench.visitors import Visitor, bookings, empty_pages, sign_in
from kulla.kernel.edges import SystemClock

SEED: Final = 1
# The page waits so long for the scribe; what takes longer was told 'being confirmed'.
PATIENCE_S: Final = 10.0
_BROWSING: Final = 2000
# How much faster than the warm-up the tower may turn out to be.
_HEADROOM: Final = 2


@dataclass(frozen=True, slots=True)
class ActsPlan:
    """What to measure: `seconds` of bookings one after the other, and the rest in proportion.

    `people_per_s` sizes the country: nobody books twice.
    """

    folder: Path
    seconds: float = 30.0
    connections: int = 192
    people_per_s: int = 2400
    round_trip_ms: int = 0
    rounds: int = ROUNDS
    clients: int = CLIENTS
    seed: int = SEED

    @property
    def open_seconds(self) -> float:
        """How long bookings come at half the rate."""
        return max(2.0, self.seconds * 2 / 3)

    @property
    def trivial_seconds(self) -> float:
        """How long empty pages are counted, before the bookings and after."""
        return max(1.0, self.seconds / 4)

    @property
    def warm_up_seconds(self) -> float:
        """How long bookings run before they are counted."""
        return max(2.0, self.seconds / 6)

    @property
    def people(self) -> int:
        """Citizens needed at most."""
        closed_s = self.seconds + self.warm_up_seconds
        in_loops = int(self.people_per_s * (closed_s + self.open_seconds / 2))
        return max(in_loops, _BROWSING) + self.contestants

    @property
    def contestants(self) -> int:
        """Citizens who want the contested slots, taking turns so that none asks too often."""
        return 10 * self.clients


@dataclass(frozen=True, slots=True)
class _Closed:
    """What a closed loop of bookings came to."""

    per_s: float
    done: list[Done]
    cpu_s: dict[str, float]

    @property
    def waits_ms(self) -> list[float]:
        """How long those waited who were sent to their booking."""
        return _waits_ms(self.done)


@dataclass(slots=True)
class _Run:
    """A run under way: who has not signed in, who not booked; free slots; what was claimed."""

    country: Country
    plan: ActsPlan
    say: Callable[[str], None]
    subjects: list[str]
    slots: list[str]
    visitors: list[Visitor] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    def sign_in(self, count: int) -> None:
        """See that so many visitors, or all there are, wait to book."""
        missing = min(count - len(self.visitors), len(self.subjects))
        if missing > 0:
            self.say(f"{missing:,} citizens sign in")
            some, self.subjects = self.subjects[:missing], self.subjects[missing:]
            self.visitors += sign_in(self.country.site, some)

    def take(self, count: int) -> tuple[list[Visitor], list[str]]:
        """The next so many visitors, as many slots."""
        self.sign_in(count)
        count = min(count, len(self.visitors), len(self.slots))
        visitors, self.visitors = self.visitors[:count], self.visitors[count:]
        slots, self.slots = self.slots[:count], self.slots[count:]
        return visitors, slots

    def give_back(self, visitors: list[Visitor], slots: list[str], used: set[int]) -> None:
        """Put those back whose turn did not come."""
        left = [number for number in range(len(visitors)) if number not in used]
        self.visitors = [visitors[number] for number in left] + self.visitors
        self.slots = [slots[number] for number in left] + self.slots


def measure_acts(plan: ActsPlan, say: Callable[[str], None]) -> dict[str, Any]:
    """The figures of one tower. Raises BenchFailed where one of them could not be borne out."""
    wanted = Wanted(plan.people, plan.people + plan.rounds, plan.round_trip_ms)
    say(f"a country of {plan.people:,} citizens")
    with open_country(plan.folder, wanted, say) as country:
        return _measure(_Run(country, plan, say, country.subjects(), country.free_slots()))


def _measure(run: _Run) -> dict[str, Any]:
    plan, say = run.plan, run.say
    contestants, _ = run.take(plan.contestants)
    say("warming up")
    run.sign_in(max(_BROWSING, int(plan.people_per_s * plan.warm_up_seconds)))
    guess = _closed(run, plan.warm_up_seconds, plan.people_per_s).per_s
    run.sign_in(_BROWSING)
    trivial = _trivial(run)
    say(f"bookings for {plan.seconds:g} s")
    closed = _closed(run, plan.seconds, int(guess * _HEADROOM))
    run.sign_in(_BROWSING)
    trivial = round((trivial + _trivial(run)) / 2, 1)
    say("bookings at half that rate")
    opened = _open(run, closed.per_s / 2)
    say(f"{plan.rounds} slots that {plan.clients} people want at once")
    contested = _contest(run, contestants)
    say("looking whether all of it is there")
    verified = verify_claims(run.country, run.claims)
    return {
        **_figures(closed, trivial, opened),
        **contested.figures(),
        **verified,
        "cpu_ms_per_act": {
            name: round(used / len(closed.done) * 1000, 3) for name, used in closed.cpu_s.items()
        },
        "settings": _settings(plan),
    }


def _figures(closed: _Closed, trivial: float, opened: list[Done]) -> dict[str, Any]:
    waits_ms = _waits_ms(opened)
    return {
        "witnessed_acts_per_s": round(closed.per_s, 1),
        "trivial_pages_per_s": trivial,
        "ratio": round(closed.per_s / trivial, 4),
        "p50_ms": round(percentile(waits_ms, 0.50), 1),
        "p99_ms": round(percentile(waits_ms, 0.99), 1),
        "max_ms": round(max(waits_ms), 1),
        "open_loop": {
            "asked_per_s": round(closed.per_s / 2, 1),
            "booked": len(waits_ms),
            "other_answers": _others(opened),
        },
        "closed_loop": {
            "booked": len(closed.waits_ms),
            "p50_ms": round(percentile(closed.waits_ms, 0.50), 1),
            "p99_ms": round(percentile(closed.waits_ms, 0.99), 1),
            "other_answers": _others(closed.done),
        },
    }


def _settings(plan: ActsPlan) -> dict[str, Any]:
    return {
        "seconds": plan.seconds,
        "connections": plan.connections,
        "citizens": plan.people,
        "quorum": "3 of 4",
        "embassy_round_trip_ms": plan.round_trip_ms,
        "client": "one process on the same cores, kept connections, requests built beforehand",
        "rate_limits": "on",
        "latency": "open loop at half the rate, random instants, counted from when it was due",
        "seed": plan.seed,
    }


def _closed(run: _Run, seconds: float, at_most_per_s: int) -> _Closed:
    """Bookings one after the other on every connection."""
    plan = run.plan
    visitors, slots = run.take(int(at_most_per_s * seconds))
    wishes = bookings(run.country.site, visitors, slots, plan.seed)
    clock = SystemClock()
    meter = CpuMeter(run.country.pids())
    start_s = clock.monotonic_s()
    address = run.country.site.address
    done = drive(address, plan.connections, ClosedLoop(wishes, seconds), clock.monotonic_s)
    used_s = meter.used_s()
    used = {one.tag for one in done}
    if len(used) == len(visitors):
        raise BenchFailed(
            f"all {len(visitors):,} citizens had booked before {seconds:g} s were over.",
            remedy="Ask for more of them: --people-per-s.",
        )
    run.give_back(visitors, slots, used)
    run.claims += _claims(done, visitors, slots)
    # Only what was answered within the time counts, so that the last ones don't stretch it.
    booked = sum(_counts(one) and one.done_s <= start_s + seconds for one in done)
    if not booked:
        raise BenchFailed(
            f"no booking was confirmed: {_others(done)}.", place=run.country.site.host
        )
    return _Closed(booked / seconds, done, used_s)


def _counts(one: Done) -> bool:
    return one.status == BOOKED and one.took_s < PATIENCE_S


def _waits_ms(done: Sequence[Done]) -> list[float]:
    return [one.took_s * 1000 for one in done if one.status == BOOKED]


def _claims(done: Sequence[Done], visitors: Sequence[Visitor], slots: Sequence[str]) -> list[Claim]:
    return [
        Claim(visitors[one.tag].subject, slots[one.tag], one.location)
        for one in done
        if _counts(one)
    ]


def _others(done: Sequence[Done]) -> dict[str, int]:
    """Answers that did not count, by their status; 'late' were sent to a page, but too late."""
    found = Counter(
        "late" if one.status == BOOKED else str(one.status) for one in done if not _counts(one)
    )
    return dict(found)


def _trivial(run: _Run) -> float:
    """Empty pages a second: the same client, connections, sessions and middleware."""
    plan, clock = run.plan, SystemClock()
    run.say("empty pages")
    pace = ClosedLoop(empty_pages(run.country.site, run.visitors), plan.trivial_seconds)
    start_s = clock.monotonic_s()
    done = drive(run.country.site.address, plan.connections, pace, clock.monotonic_s)
    wrong = Counter(one.status for one in done if one.status != 200)
    if wrong:
        raise BenchFailed(f"empty pages were answered {dict(wrong)}.", place="/empty")
    in_time = sum(one.done_s <= start_s + plan.trivial_seconds for one in done)
    return in_time / plan.trivial_seconds


def _open(run: _Run, per_s: float) -> list[Done]:
    """Bookings that come at random instants, `per_s` on average, whatever the tower does."""
    plan = run.plan
    random = Random(plan.seed)  # noqa: S311
    visitors, slots = run.take(int(per_s * plan.open_seconds))
    wishes = bookings(run.country.site, visitors, slots, plan.seed + 1)
    instants: list[float] = []
    at_s = 0.0
    for _ in wishes:
        at_s += random.expovariate(per_s)
        instants.append(at_s)
    # Enough connections that a wish waits for the tower and never for the client.
    connections, pace = 4 * plan.connections, OpenLoop(wishes, instants)
    done = drive(run.country.site.address, connections, pace, SystemClock().monotonic_s)
    run.claims += _claims(done, visitors, slots)
    return done


def _contest(run: _Run, contestants: list[Visitor]) -> Contest:
    plan = run.plan
    slots = run.slots[-plan.rounds :]
    site = run.country.site
    found = contest(site, contestants, slots, clients=plan.clients, seed=plan.seed)
    run.claims += [
        Claim(visitor.subject, slot, location) for visitor, slot, location in found.winners
    ]
    return found

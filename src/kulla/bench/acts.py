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
from kulla.bench.load import ClosedLoop, Done, OpenLoop, Request, drive, percentile
from kulla.bench.processes import CpuMeter
from kulla.bench.verification import Claim, verify_claims
from kulla.bench.visitors import Visitor, bookings, empty_pages, sign_in
from kulla.kernel.edges import SystemClock

SEED: Final = 1
# The page waits so long for the scribe; what takes longer was told 'being confirmed'.
PATIENCE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class ActsPlan:
    """What to measure. `people_per_s` sizes the country: nobody books twice."""

    folder: Path
    seconds: float = 30.0
    open_seconds: float = 20.0
    trivial_seconds: float = 8.0
    warm_up_seconds: float = 4.0
    connections: int = 96
    people_per_s: int = 2400
    round_trip_ms: int = 0
    rounds: int = ROUNDS
    clients: int = CLIENTS
    seed: int = SEED

    @property
    def people(self) -> int:
        """Citizens needed at most."""
        closed_s = self.seconds + self.warm_up_seconds
        return int(self.people_per_s * (closed_s + self.open_seconds / 2)) + 10 * self.clients


@dataclass(slots=True)
class _Run:
    """A run under way: who has not booked yet, free slots, and what was claimed."""

    country: Country
    plan: ActsPlan
    visitors: list[Visitor]
    slots: list[str]
    claims: list[Claim] = field(default_factory=list)

    def take(self, count: int) -> tuple[list[Visitor], list[str]]:
        """The next so many visitors and slots, or what is left."""
        count = min(count, len(self.visitors), len(self.slots))
        visitors, self.visitors = self.visitors[:count], self.visitors[count:]
        slots, self.slots = self.slots[:count], self.slots[count:]
        return visitors, slots


def measure_acts(plan: ActsPlan, say: Callable[[str], None]) -> dict[str, Any]:
    """The figures of one tower. Raises BenchFailed where one of them could not be borne out."""
    wanted = Wanted(plan.people, plan.people + plan.rounds, plan.round_trip_ms)
    with open_country(plan.folder, wanted, say) as country:
        subjects = country.subjects()
        say(f"{len(subjects):,} citizens sign in")
        visitors = sign_in(country.site, subjects, lambda count: say(f"signed in: {count:,}"))
        run = _Run(country, plan, visitors, country.free_slots())
        return _measure(run, say)


def _measure(run: _Run, say: Callable[[str], None]) -> dict[str, Any]:
    plan = run.plan
    say("warming up")
    _closed(run, plan.warm_up_seconds)
    say("empty pages")
    trivial = _trivial(run)
    say(f"bookings for {plan.seconds:.0f} s")
    meter = CpuMeter(run.country.pids())
    acts, others, closed = _closed(run, plan.seconds)
    cpu = meter.used_s()
    trivial = round((trivial + _trivial(run)) / 2, 1)
    say("bookings at half that rate")
    open_done = _open(run, acts / 2)
    say(f"{plan.rounds} slots that {plan.clients} people want at once")
    contested = _contest(run)
    say("looking whether all of it is there")
    verified = verify_claims(run.country, run.claims)
    waits_ms = [one.took_s * 1000 for one in open_done if one.status == BOOKED]
    closed_ms = [one.took_s * 1000 for one in closed if one.status == BOOKED]
    return {
        "witnessed_acts_per_s": round(acts, 1),
        "trivial_pages_per_s": trivial,
        "ratio": round(acts / trivial, 4),
        "p50_ms": round(percentile(waits_ms, 0.50), 1),
        "p99_ms": round(percentile(waits_ms, 0.99), 1),
        "max_ms": round(max(waits_ms), 1),
        "open_loop": {
            "asked_per_s": round(acts / 2, 1),
            "booked": len(waits_ms),
            "other_answers": _others(open_done),
        },
        "closed_loop": {
            "booked": len(closed_ms),
            "p50_ms": round(percentile(closed_ms, 0.50), 1),
            "p99_ms": round(percentile(closed_ms, 0.99), 1),
            "other_answers": others,
        },
        **contested.figures(),
        **verified,
        "cpu_s_per_1000_acts": {
            name: round(used / len(closed_ms) * 1000, 3) for name, used in cpu.items()
        },
        "settings": _settings(plan),
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
        "seed": plan.seed,
    }


def _closed(run: _Run, seconds: float) -> tuple[float, dict[str, int], list[Done]]:
    """Bookings one after the other on every connection: (booked per second, others, all)."""
    plan = run.plan
    visitors, slots = run.take(int(plan.people_per_s * seconds))
    wishes = bookings(run.country.site, visitors, slots, plan.seed)
    clock = SystemClock()
    pace = ClosedLoop(wishes, seconds)
    start_s = clock.monotonic_s()
    done = drive(run.country.site.address, plan.connections, pace, clock.monotonic_s)
    used = {one.tag for one in done}
    if len(used) == len(visitors):
        raise BenchFailed(
            f"all {len(visitors):,} citizens had booked before {seconds:.0f} s were over.",
            remedy="Ask for more: --people-per-s.",
        )
    _give_back(run, visitors, slots, used)
    run.claims += _claims(done, visitors, slots)
    # Only what was answered within the time counts, so that the last ones don't stretch it.
    booked = sum(_counts(one) and one.done_s <= start_s + seconds for one in done)
    return booked / seconds, _others(done), done


def _counts(one: Done) -> bool:
    return one.status == BOOKED and one.took_s < PATIENCE_S


def _give_back(
    run: _Run, visitors: Sequence[Visitor], slots: Sequence[str], used: set[int]
) -> None:
    left = [number for number in range(len(visitors)) if number not in used]
    run.visitors = [visitors[number] for number in left] + run.visitors
    run.slots = [slots[number] for number in left] + run.slots


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
    wishes: list[Request] = bookings(run.country.site, visitors, slots, plan.seed + 1)
    instants: list[float] = []
    at_s = 0.0
    for _ in wishes:
        at_s += random.expovariate(per_s)
        instants.append(at_s)
    clock = SystemClock()
    # Enough connections that a wish waits for the tower and never for the client.
    done = drive(
        run.country.site.address,
        4 * plan.connections,
        OpenLoop(wishes, instants),
        clock.monotonic_s,
    )
    run.claims += _claims(done, visitors, slots)
    return done


def _contest(run: _Run) -> Contest:
    plan = run.plan
    crowd = run.visitors[-10 * plan.clients :]
    slots = run.slots[-plan.rounds :]
    found = contest(run.country.site, crowd, slots, clients=plan.clients, seed=plan.seed)
    run.claims += [
        Claim(visitor.subject, slot, location) for visitor, slot, location in found.winners
    ]
    return found

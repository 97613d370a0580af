"""How fast a whole country's school places are allocated, and how that compares with a library.

The market is made up in one process and written down as arrays; another process, bound to one core,
reads them and allocates, so that its peak memory is the allocation's alone. Timed is everything
from the commitments and the lists to the places: the lottery with its two hashes a child, all
sorting, the deferred acceptance grade by grade, the siblings. Making up and reading are stated
apart.

The library `matching` gets a market of its own kind (no classes' arrays, no siblings: two
dictionaries), the largest that it does in the time it is given; ours gets the same dictionaries.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from kulla.bench.errors import BenchFailed
from kulla.bench.families import SIBLING_CLASS, Supply, made_up, read_supply
from kulla.kernel.edges import SystemClock
from kulla.services.enrolment.policy.arrays import Arrays, single_lots
from kulla.services.enrolment.policy.deferred import contest, settle
from kulla.services.enrolment.policy.siblings import Solved, solve

SEED: Final = 1
_MADE: Final = "market.npz"
_RESULT: Final = "allocated.json"
_SIZES: Final = (1_000, 2_000, 5_000, 10_000, 20_000, 40_000)
_RECURSION: Final = 1_000_000
_REPEATS: Final = 5


@dataclass(frozen=True, slots=True)
class AllocatePlan:
    """What to measure: real data's folder, how many children, where files go, the peer's limit."""

    data: Path
    folder: Path
    applicants: int
    seed: int = SEED
    peer_limit_s: float = 120


def measure_allocate(plan: AllocatePlan, say: Callable[[str], None]) -> dict[str, Any]:
    """Make the market up, allocate it in a process of its own, compare with the peer.

    Raises BenchFailed where the data is not there, the outcome is not stable, or the peer's is
    another one.
    """
    supply = plan.data / "vacancies.csv"
    siblings = plan.data / "siblings.csv"
    if not supply.is_file() or not siblings.is_file():
        raise BenchFailed(
            "Chile's supply is not there.",
            place=str(plan.data),
            remedy="Set KULLA_DATA to the folder of real data, or name --data.",
        )
    clock = SystemClock()
    begin = clock.monotonic_s()
    say(f"making up {plan.applicants:,} children")
    read = read_supply(supply)
    market = made_up(read, siblings, plan.applicants, plan.seed)
    kept: dict[str, Any] = {**market, "school": read.school, "seats": read.seats}
    np.savez(plan.folder / _MADE, **kept)
    made_s = clock.monotonic_s() - begin
    say("allocating")
    _in_process("allocate-once", str(plan.folder))
    found: dict[str, Any] = json.loads((plan.folder / _RESULT).read_text())
    say("comparing with the library matching")
    peer = _peer(plan, market, read, say)
    return {
        "applicants": plan.applicants,
        **found,
        "made_up_s": round(made_s, 2),
        "ratio_to_matching": peer.get("ratio"),
        "matching": peer,
        "settings": {
            "seed": plan.seed,
            "supply": "Chile 2020: programmes, seats and pairs of siblings are real",
            "wishes": "made up: see src/kulla/bench/families.py",
            "timed": "lottery, sorting, deferred acceptance by grade, siblings; on one core",
            "repeats": _REPEATS,
        },
    }


def _in_process(*words: str) -> None:
    command = [sys.executable, "-m", "kulla", "bench", *words]
    quiet = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(  # noqa: S603 - our own program
        command, check=False, capture_output=True, text=True, env=quiet
    )
    if done.returncode:
        raise BenchFailed(f"{words[0]} ended with {done.returncode}: {done.stderr[-500:]}")


def allocate_once(folder: Path) -> None:
    """Read the market and allocate it several times; write down the quickest run, peak memory."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    clock = SystemClock()
    begin = clock.monotonic_s()
    with np.load(folder / _MADE) as loaded:
        read = {name: loaded[name] for name in loaded.files}
    commitments = [row.tobytes() for row in read["commitments"]]
    reading_s = clock.monotonic_s() - begin
    runs = [_timed(read, commitments, clock) for _ in range(_REPEATS)]
    arrays, solved = _whole(read, commitments)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    # What others' work on the machine adds is not ours: the quickest run says what it costs.
    in_order = sorted(runs, key=lambda one: one["seconds"])
    found = {
        **in_order[0],
        "median_s": in_order[len(runs) // 2]["seconds"],
        "slowest_s": in_order[-1]["seconds"],
        "peak_memory_mib": round(peak, 1),
        "reading_s": round(reading_s, 3),
        "proposals": len(arrays.slot),
        "programmes": len(arrays.capacity),
        "seats": int(arrays.capacity.sum()),
        "sibling_pairs": len(arrays.pairs),
        **_outcome(arrays, solved),
    }
    (folder / _RESULT).write_text(json.dumps(found))


def _timed(read: dict[str, Any], commitments: list[bytes], clock: SystemClock) -> dict[str, float]:
    begin, cpu_before = clock.monotonic_s(), _cpu_s()
    lots = single_lots(bytes(32), commitments, _leads(read))
    drawn = clock.monotonic_s()
    solve(_arrays(read, lots))
    end = clock.monotonic_s()
    return {
        "seconds": round(end - begin, 3),
        "cpu_s": round(_cpu_s() - cpu_before, 3),
        "lottery_s": round(drawn - begin, 3),
        "assignment_s": round(end - drawn, 3),
    }


def _cpu_s() -> float:
    """What this process has used of its core: what the clock says where nobody else wants it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _whole(read: dict[str, Any], commitments: list[bytes]) -> tuple[Arrays, Solved]:
    arrays = _arrays(read, single_lots(bytes(32), commitments, _leads(read)))
    return arrays, solve(arrays)


def _leads(read: dict[str, Any]) -> Any:
    """The first of the siblings who ask to be together, for each of them; -1 for everybody else."""
    asking = read["pairs"][read["together"][read["pairs"]].all(axis=1)].astype(np.int64)
    leads = np.arange(len(read["together"]), dtype=np.int64)
    before = None
    while before is None or (leads != before).any():
        before = leads.copy()
        low = leads[asking].min(axis=1)
        np.minimum.at(leads, asking[:, 0], low)
        np.minimum.at(leads, asking[:, 1], low)
    alone = np.ones(len(leads), dtype=bool)
    alone[asking.ravel()] = False
    leads[alone] = -1
    return leads


def _arrays(read: dict[str, Any], lots: Any) -> Arrays:
    offsets = read["offsets"]
    lengths = np.diff(offsets)
    begins = np.repeat(offsets[:-1], lengths)
    slots = len(read["seats"])
    proposals = len(read["programme"])
    return Arrays(
        offsets=offsets,
        slot=read["programme"],
        choice=(np.arange(proposals) - begins + 1).astype(np.int32),
        rank=read["rank"],
        lacks=np.zeros(proposals, dtype=np.int8),
        lot=np.repeat(lots, lengths),
        grade=read["grade"],
        together=read["together"],
        capacity=read["seats"].astype(np.int32),
        school=read["school"].astype(np.int32),
        for_siblings=np.zeros(slots, dtype=bool),
        pairs=read["pairs"],
        sibling_rank=SIBLING_CLASS,
    )


def _outcome(arrays: Arrays, solved: Solved) -> dict[str, Any]:
    """Shares, and whether it is stable; raises BenchFailed where it is not."""
    placed = solved.placed
    has = placed >= 0
    held = np.bincount(arrays.slot[placed[has]], minlength=len(arrays.capacity))
    if (held > arrays.capacity).any():
        raise BenchFailed("a programme holds more children than it has seats.")
    envy = _envy(arrays, solved, held)
    if envy:
        raise BenchFailed(f"{envy} children would have a seat that they wish more.")
    at_school = np.where(has, arrays.school[arrays.slot[placed]], -1 - np.arange(len(placed)))
    pairs = arrays.pairs
    return {
        "placed_share": round(float(has.mean()), 4),
        "first_choice_share": round(float((arrays.choice[placed[has]] == 1).sum() / len(has)), 4),
        "pairs_at_one_school": int((at_school[pairs[:, 0]] == at_school[pairs[:, 1]]).sum()),
        "stable": True,
    }


def _envy(arrays: Arrays, solved: Solved, held: Any) -> int:
    """How many proposals are wished more than what their child has, and would be taken."""
    owners = arrays.owners()
    rank = np.where(solved.gained, np.minimum(arrays.rank, SIBLING_CLASS), arrays.rank)
    key = rank.astype(np.int64) * (int(arrays.lot.max()) + 1) + arrays.lot
    placed = solved.placed
    mine = placed[placed >= 0]
    last = np.full(len(arrays.capacity), -1, dtype=np.int64)
    np.maximum.at(last, arrays.slot[mine], key[mine])
    # In the order in which they were tried: what moved up comes before all others.
    order = arrays.choice - solved.moved.astype(np.int32) * 1000
    own = np.where(placed >= 0, order[placed], 10_000)
    before = order < own[owners]
    free = held[arrays.slot] < arrays.capacity[arrays.slot]
    taken = free | (key < last[arrays.slot])
    return int((before & taken & (arrays.capacity[arrays.slot] > 0)).sum())


def _peer(
    plan: AllocatePlan, market: dict[str, Any], supply: Supply, say: Callable[[str], None]
) -> dict[str, Any]:
    """The library on growing markets until one takes more than half of its limit, or fails."""
    try:
        import matching  # type: ignore[import-untyped]
    except ImportError:
        return {"missing": "the library is part of the development environment: make setup"}
    best: dict[str, Any] = {}
    for size in _SIZES:
        children = min(size, plan.applicants)
        wishes, ranked, capacities = _dictionaries(market, supply, children)
        run = _peer_once(wishes, ranked, capacities, plan.peer_limit_s)
        if run is None:
            say(f"matching does not do {children:,} in {plan.peer_limit_s:g} s")
            break
        seconds, cpu_s, theirs = run
        runs = [_ours(wishes, ranked, capacities) for _ in range(_REPEATS)]
        ours_s, ours = sorted(runs, key=lambda one: one[0])[_REPEATS // 2]
        if ours != theirs:
            raise BenchFailed(f"matching allocates {children:,} children in another way.")
        best = {
            "version": getattr(matching, "__version__", "?"),
            "applicants": children,
            "seconds": round(seconds, 3),
            "cpu_s": round(cpu_s, 3),
            "kulla_cpu_s": round(ours_s, 5),
            "ratio": round(cpu_s / ours_s, 1),
            "same_outcome": True,
        }
        say(f"matching: {children:,} children in {seconds:.1f} s, {best['ratio']} times ours")
        if seconds > plan.peer_limit_s / 2 or children == plan.applicants:
            break
    return best


Dictionaries = tuple[dict[int, list[int]], dict[int, list[int]], dict[int, int]]


def _dictionaries(market: dict[str, Any], supply: Supply, count: int) -> Dictionaries:
    """A market for `count` children of one end of the country, as the library wants it."""
    programme, offsets = market["programme"], market["offsets"]
    places = np.arange(len(supply.grade)) - supply.first[supply.grade]
    along = places / np.diff(supply.first)[supply.grade]
    furthest = np.maximum.reduceat(along[programme], offsets[:-1])
    chosen = np.argsort(furthest, kind="stable")[:count].tolist()
    ends = [(int(offsets[child]), int(offsets[child + 1])) for child in chosen]
    wishes = {at: programme[low:high].tolist() for at, (low, high) in enumerate(ends)}
    rows: dict[int, list[tuple[int, bytes, int]]] = {}
    for at, (low, high) in enumerate(ends):
        drawn = market["commitments"][chosen[at]].tobytes()
        for name, rank in zip(wishes[at], market["rank"][low:high].tolist(), strict=True):
            rows.setdefault(name, []).append((rank, drawn, at))
    ranked = {name: [row[2] for row in sorted(found)] for name, found in rows.items()}
    return wishes, ranked, {name: max(1, int(supply.seats[name])) for name in ranked}


def _peer_once(
    wishes: dict[int, list[int]],
    ranked: dict[int, list[int]],
    capacities: dict[int, int],
    limit_s: float,
) -> tuple[float, float, dict[int, int]] | None:
    """Set-up and solution by the library, in a process of its own with a limit of time."""
    given = json.dumps([list(map(list, one.items())) for one in (wishes, ranked, capacities)])
    command = [sys.executable, "-m", "kulla", "bench", "matching-once"]
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            command, input=given, capture_output=True, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        return None
    seconds, cpu_s, placed = json.loads(done.stdout)
    return seconds, cpu_s, dict(placed)


def matched_by_peer(given: str) -> str:
    """What `matching` makes of a market: [seconds, core's seconds, [[child, programme]...]]."""
    import threading

    from matching.games import HospitalResident  # type: ignore[import-untyped]

    wishes, ranked, capacities = (dict(rows) for rows in json.loads(given))
    told: list[str] = []

    def work() -> None:
        clock = SystemClock()
        begin, cpu_before = clock.monotonic_s(), _cpu_s()
        game = HospitalResident.create_from_dictionaries(wishes, ranked, capacities)
        solved = game.solve(optimal="resident")
        seconds, cpu_s = clock.monotonic_s() - begin, _cpu_s() - cpu_before
        placed = [[child.name, one.name] for one, children in solved.items() for child in children]
        told.append(json.dumps([seconds, cpu_s, placed]))

    # It copies its players by recursion, so it needs a deep stack.
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(_RECURSION)
    threading.stack_size(1 << 29)
    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    return told[0]


def _ours(
    wishes: dict[int, list[int]], ranked: dict[int, list[int]], capacities: dict[int, int]
) -> tuple[float, dict[int, int]]:
    """The same by ours, from the same dictionaries to the same kind of answer; core's seconds."""
    begin = _cpu_s()
    names = list(ranked)
    slot_of = {name: at for at, name in enumerate(names)}
    lengths = np.fromiter(map(len, wishes.values()), dtype=np.int64, count=len(wishes))
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths)))
    owner = np.repeat(np.arange(len(wishes), dtype=np.int32), lengths)
    flat = [slot_of[name] for chosen in wishes.values() for name in chosen]
    slot = np.array(flat, dtype=np.int32)
    # Where each child stands in each programme's list: both sides sorted by (programme, child).
    sizes = np.fromiter(map(len, ranked.values()), dtype=np.int64, count=len(names))
    listed = np.array([child for children in ranked.values() for child in children], dtype=np.int64)
    theirs = np.repeat(np.arange(len(names)), sizes) * len(wishes) + listed
    key = np.empty(len(slot), dtype=np.int64)
    key[np.argsort(slot.astype(np.int64) * len(wishes) + owner)] = np.argsort(theirs)
    seats = np.fromiter((capacities[name] for name in names), dtype=np.int32, count=len(names))
    ended = settle(contest(offsets, owner, slot, key, seats))
    some = np.flatnonzero(ended >= 0)
    placed = {
        child: names[at]
        for child, at in zip(some.tolist(), slot[ended[some]].tolist(), strict=True)
    }
    return _cpu_s() - begin, placed

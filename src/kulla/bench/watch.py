"""How fast the watch asks all rules of logs, on how many cores, and in how much memory.

Figures of one core: the process binds itself to one, and CPU seconds stand beside those of the
clock, so that a machine shared with others still says what the work costs.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from kulla.bench.watch_events import process_events
from kulla.kernel.edges import SystemClock
from kulla.watch.collection import gathered, load
from kulla.watch.engine import Engine
from kulla.watch.findings import Account, Detection
from kulla.watch.scan import Scan
from kulla.watch.sigma.load import RuleSet
from kulla.watch.sigma.sql import quoted
from kulla.watch.sources.batch import Batch, Reject
from kulla.watch.sources.reading import read_all
from kulla.watch.sources.recognise import EVTX, WINDOWS_JSON, Readers
from kulla.watch.sources.windows import read_evtx, read_json
from kulla.watch.store import Store

SEED: Final = 20220715
_READERS: Final = Readers({EVTX: read_evtx, WINDOWS_JSON: read_json})
_TIMES: Final = 12
_PACKAGES: Final = ("chdb", "chdb-core", "evtx", "pysigma", "numpy", "pyarrow")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured. events: made process creations; data: a folder with `sigma` and `evtx`."""

    folder: Path
    data: Path
    events: int
    attack_share: float
    cache: Path | None


@dataclass(slots=True)
class _Counts:
    """A sink that only counts by rule."""

    by_rule: dict[str, int] = field(default_factory=dict)

    def take(self, found: Detection) -> None:
        """See Sink."""
        self.by_rule[found.rule.title] = self.by_rule.get(found.rule.title, 0) + 1

    def end(self, account: Account) -> None:
        """See Sink."""


def measure_watch(plan: Plan, say: Say) -> dict[str, Any]:
    """Compile, scan JSON cold and warm, scan EVTX, parse alone; gives the figures."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    found: dict[str, Any] = {"seed": SEED, "cores": 1}
    say("loading rules")
    rules, found["rules"] = _rules(plan)
    say(f"making {plan.events:,} events")
    log, found["corpus"] = _corpus(plan)
    with Store(threads=1) as store:
        engine = Engine(store, rules.rules)
        for name in ("cold", "warm"):
            say(f"scanning JSON, {name}")
            found[name], counts = _timed_scan(engine, rules, [log])
            if name == "warm":
                found["detections_by_rule"] = _most(counts)
                found["false_alarms"] = _false_alarms(plan, counts)
        found["parse_alone"] = _parse_alone(store, log)
        say("scanning EVTX")
        found["evtx"] = _evtx(plan, engine, rules)
    found["events_per_s"] = found["warm"]["events_per_cpu_s"]
    found["mb_per_s"] = found["warm"]["mb_per_cpu_s"]
    found["ratio_to_parsing_alone"] = round(
        found["warm"]["cpu_s"] / found["parse_alone"]["cpu_s"], 2
    )
    found["peak_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    found["versions"] = {name: metadata.version(name) for name in _PACKAGES}
    return found


def _rules(plan: Plan) -> tuple[RuleSet, dict[str, Any]]:
    files = gathered([plan.data / "sigma"], None, own=True)
    began = time.process_time()
    loaded = load(files, None, None)
    compiled_s = time.process_time() - began
    cached_s = None
    if plan.cache is not None:
        load(files, None, plan.cache)
        began = time.process_time()
        load(files, None, plan.cache)
        cached_s = round(time.process_time() - began, 2)
    windows = sum(1 for one in loaded.rules if one.product == "windows")
    return loaded, {
        "loaded": len(loaded.rules),
        "windows": windows,
        "unfit": len(loaded.unfit),
        "compile_cpu_s": round(compiled_s, 2),
        "compile_cached_cpu_s": cached_s,
    }


def _corpus(plan: Plan) -> tuple[Path, dict[str, Any]]:
    attacks = list(_attacks(plan.data / "evtx"))
    log = plan.folder / "process-creation.json"
    sizes = []
    with log.open("wb") as stream:
        for line in process_events(plan.events, SEED, attacks, plan.attack_share):
            stream.write(line + b"\n")
            sizes.append(len(line))
    return log, {
        "events": plan.events,
        "bytes": log.stat().st_size,
        "median_bytes": int(statistics.median(sizes)),
        "attack_share": plan.attack_share,
        "attack_values": len(attacks),
    }


def _attacks(folder: Path) -> Iterator[dict[str, str]]:
    """The values of recorded process creations, under Sysmon's names."""
    for batch in _batches([folder]):
        for line in batch.lines:
            data = json.loads(line)["Event"]["EventData"]
            if data and data.get("CommandLine"):
                for old, new in (("NewProcessName", "Image"), ("ParentProcessName", "ParentImage")):
                    if data.get(old):
                        data[new] = data[old]
                yield data


def _batches(paths: Sequence[Path]) -> Iterator[Batch]:
    for item in read_all(paths, _READERS):
        if not isinstance(item, Reject):
            yield item


def _timed_scan(
    engine: Engine, rules: RuleSet, paths: Sequence[Path]
) -> tuple[dict[str, Any], dict[str, int]]:
    counts = _Counts()
    scan = Scan(engine, rules, [counts], SystemClock())
    began, began_cpu = time.perf_counter(), time.process_time()
    account = scan.run(read_all(paths, _READERS))
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
    return {
        "events": account.events,
        "detections": account.detections,
        "rejected": account.rejected,
        "seconds": round(seconds, 2),
        "cpu_s": round(cpu_s, 2),
        "events_per_s": round(account.events / seconds),
        "events_per_cpu_s": round(account.events / cpu_s),
        "mb_per_cpu_s": round(account.bytes / 1e6 / cpu_s, 1),
    }, counts.by_rule


def _most(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: -item[1])[:40])


def _false_alarms(plan: Plan, counts: dict[str, int]) -> dict[str, Any]:
    """Detections a million events; they are false alarms where no value of an attack was drawn."""
    return {
        "benign_only": plan.attack_share == 0,
        "detections_per_million": round(sum(counts.values()) * 1_000_000 / plan.events),
    }


def _parse_alone(store: Store, log: Path) -> dict[str, Any]:
    """ClickHouse reads the same lines and takes two fields of each, and asks nothing."""
    began = time.process_time()
    store.run(  # the path is this process's own
        "SELECT sum(length(tupleElement(tupleElement(tupleElement(JSONExtract(line, 'Tuple(Event"
        " Tuple(EventData Tuple(CommandLine String, Image String)))'), 1), 1), 1)))"
        f" FROM file({quoted(str(log))}, LineAsString, 'line String')"
    )
    cpu_s = time.process_time() - began
    return {"cpu_s": round(cpu_s, 2), "mb_per_cpu_s": round(log.stat().st_size / 1e6 / cpu_s, 1)}


def _evtx(plan: Plan, engine: Engine, rules: RuleSet) -> dict[str, Any]:
    folder = plan.data / "evtx"
    began = time.process_time()
    records = sum(len(batch.lines) for batch in _batches([folder]))
    parse_s = time.process_time() - began
    cold, _ = _timed_scan(engine, rules, [folder])
    # Many times the same files, as many hosts' evidence is: what a block costs whatever is in it
    # is spread over a block that is full.
    warm, counts = _timed_scan(engine, rules, [folder] * _TIMES)
    return {
        "records": records,
        "evtx_records_per_s": warm["events_per_cpu_s"],
        "parse_alone_records_per_cpu_s": round(records / parse_s),
        "cold": cold,
        "warm": warm,
        "rules_that_found": len(counts),
    }

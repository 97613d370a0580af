"""The score of a drill: as JSON whose names stay, and as a table for people."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table


@dataclass(slots=True)
class WipeReport:
    """What one `kulla drill wipe` found. Durations are in seconds from the first SIGKILL on.

    acknowledged:      acts that citizens were told are confirmed, before the wipe.
    journal_size:      acts in the journal of all epochs, at the end.
    lost, doubled, receipts_failed, refusals_unfounded, answers_changed: see judge.Verdict.
    first_page_s:      a citizen sees the last booking that was confirmed before the wipe;
                       last_told_s is how long before the wipe that was.
    first_passkey_s:   a citizen signed in with the passkey that they made at the old home.
    first_act_s:       the first new booking is confirmed.
    adopted_size:      acts of the old epoch that the new home stands on.
    tails:             entries that single embassies held beyond that, by embassy.
    unknown_at_wipe:   commands whose end their citizens did not know then; unknown_adopted: how
                       many of them the embassies held all the same, as showed when sent again.
    answers:           how many wishes came out how, in the whole drill.
    faults:            visits that broke off while home was there, by what the citizen met.
    fault:             what else went wrong, '' for nothing; done: what was done for it; found: what
                       it looks at beside all this; broken: how much of that is not as it must be.
    reasons:           why citizens were told that nothing can be done now, and how often.
    journal_before:    acts that the journal held before the citizens came, where it was given a
                       past; standby: whether a standby followed and took over.
    takeover_tries:    how often the operator had to type the takeover's command.
    """

    seed: int
    fault: str = ""
    acknowledged: int = 0
    acknowledged_after: int = 0
    journal_before: int = 0
    standby: bool = False
    journal_size: int = 0
    lost: int = 0
    doubled: int = 0
    receipts_failed: int = 0
    refusals_unfounded: int = 0
    answers_changed: int = 0
    broken: int = 0
    first_page_s: float | None = None
    first_act_s: float | None = None
    first_passkey_s: float | None = None
    last_told_s: float | None = None
    takeover_s: float | None = None
    takeover_tries: int = 1
    destroy_s: float | None = None
    embassy_destroyed: str = ""
    adopted_size: int = 0
    tails: dict[str, int] = field(default_factory=dict)
    unknown_at_wipe: int = 0
    unknown_adopted: int = 0
    cases: int = 0
    answers: dict[str, int] = field(default_factory=dict)
    acts_per_s: float = 0.0
    load_s: float = 0.0
    total_s: float = 0.0
    citizens: int = 0
    at_once: int = 0
    repeats: int = 0
    pages_checked: int = 0
    receipts_checked: int = 0
    receipts_checked_by_command: int = 0
    processes_killed: int = 0
    bytes_overwritten: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    done: dict[str, Any] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    machine: str = ""
    version: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing acknowledged was lost, doubled, unprovable or taken back."""
        failed = (
            self.lost,
            self.doubled,
            self.receipts_failed,
            self.refusals_unfounded,
            self.answers_changed,
            self.broken,
        )
        reopened = (self.first_page_s, self.first_act_s, self.first_passkey_s)
        return None not in reopened and not any(failed)

    def as_map(self) -> dict[str, Any]:
        """The report as JSON holds it."""
        found = asdict(self)
        return {**found, **found.pop("found"), "passed": self.passed}


def write_json(path: Path, reports: Sequence[WipeReport]) -> None:
    """Write one report as a map, several as a list."""
    maps = [report.as_map() for report in reports]
    text = json.dumps(maps[0] if len(maps) == 1 else maps, indent=2, ensure_ascii=False)
    path.write_text(f"{text}\n", encoding="utf-8")


def machine() -> str:
    """The machine in a few words: processors, memory, system, Python."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return (
        f"{os.cpu_count()} x {platform.machine()}, {pages / 2**30:.0f} GiB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def version() -> str:
    """The release of Kulla."""
    return importlib.metadata.version("kulla")


def table_of(reports: Sequence[WipeReport]) -> Table:
    """The score for people: of one drill in full, of several one row each."""
    table = Table(
        title="Home and one embassy were wiped while citizens booked",
        caption=machine(),
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    if len(reports) == 1:
        table.show_header = False
        for name, value in _in_full(reports[0]):
            table.add_row(name, value)
        return table
    for name in (
        "fault",
        "seed",
        "embassy",
        "acts",
        "lost",
        "doubled",
        "receipts",
        "page",
        "act",
        "",
    ):
        table.add_column(name, justify="left" if name in {"fault", "embassy"} else "right")
    for one in reports:
        table.add_row(
            one.fault or "none",
            str(one.seed),
            one.embassy_destroyed or "none",
            f"{one.acknowledged:,}",
            _count(one.lost),
            _count(one.doubled),
            _count(one.receipts_failed),
            _seconds(one.first_page_s),
            _seconds(one.first_act_s),
            _verdict(one),
        )
    return table


def _in_full(one: WipeReport) -> Iterator[tuple[str, str]]:
    yield "seed, embassy destroyed", f"{one.seed}, {one.embassy_destroyed or 'none'}"
    if one.journal_before or one.standby:
        who = "a standby took over" if one.standby else "a new home was rebuilt"
        yield "journal before", f"{one.journal_before:,} acts; {who}"
    if one.fault:
        yield "fault", f"{one.fault}: {_in_words(one.done)}"
        yield "and it showed", _in_words(one.found) or "nothing more"
        yield "not as it must be", _count(one.broken)
    yield "acknowledged before", f"{one.acknowledged:,} acts at {one.acts_per_s:,.0f} a second"
    yield "lost", _count(one.lost)
    yield "doubled", _count(one.doubled)
    yield "receipts failed", f"{_count(one.receipts_failed)} of {one.receipts_checked:,}"
    yield "refusals unfounded", _count(one.refusals_unfounded)
    yield "answers changed", f"{_count(one.answers_changed)} of {one.repeats:,} commands sent again"
    yield "first page, seconds after", _seconds(one.first_page_s)
    yield "first act, seconds after", _seconds(one.first_act_s)
    yield "old passkey opens, seconds after", _seconds(one.first_passkey_s)
    tails = ", ".join(f"{name} {size}" for name, size in one.tails.items()) or "none"
    yield "adopted", f"{one.adopted_size:,} entries; tails: {tails}"
    yield "journal now", f"{one.journal_size:,} acts, pages of {one.pages_checked:,} citizens seen"
    yield "the drill took", f"{one.total_s:.0f} s"
    yield "verdict", _verdict(one)


def _in_words(counts: dict[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in counts.items())


def _verdict(one: WipeReport) -> str:
    return "[green]passed[/]" if one.passed else "[bold red]FAILED[/]"


def _count(number: int) -> str:
    return f"[bold red]{number}[/]" if number else "0"


def _seconds(value: float | None) -> str:
    return "[bold red]never[/]" if value is None else f"{value:.2f}"

"""A simulation as it goes on and as it ended, for people."""

from __future__ import annotations

from types import TracebackType
from typing import Final

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from kulla.drill.simulation.one_seed import SeedResult
from kulla.drill.simulation.run import SimulationReport

HISTORIES_SHOWN_MAX: Final = 3
SEEDS_NAMED_MAX: Final = 20


class Telling:
    """Shows progress while seeds run, and the history of the first that fail."""

    def __init__(self, seeds: int, build: str, console: Console, *, history: bool = False) -> None:
        self._console = console
        self._build = build
        self._history = history and seeds == 1
        self._shown = 0
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._progress.add_task("seeds", total=seeds, speed="")

    def __enter__(self) -> Telling:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def seed_done(self, result: SeedResult, report: SimulationReport) -> None:
        """One more seed is through."""
        failed = f", {report.failed} failed" if report.failed else ""
        speed = f"{report.seeds_per_s:.1f} a second{failed}"
        self._progress.update(self._task, advance=1, speed=speed)
        if (result.kind and self._shown < HISTORIES_SHOWN_MAX) or self._history:
            self._shown += 1
            self._show(result)

    def _show(self, result: SeedResult) -> None:
        print_line = self._console.print
        for line in result.trace:
            print_line(f"  {line}", style="dim", highlight=False, markup=False, soft_wrap=True)
        if not result.kind:
            return
        what = f"seed {result.seed}: {result.kind}: {result.message}"
        print_line(what, style="red", highlight=False, markup=False, soft_wrap=True)
        build = f" --build {self._build}" if self._build else ""
        again = f"kulla drill simulate --seeds 1 --seed {result.seed}{build}"
        print_line(f"Again: {again}", highlight=False, markup=False, soft_wrap=True)

    def table_of(self, report: SimulationReport) -> Table:
        """What all seeds came to."""
        table = Table("Simulated", "Value", box=box.SIMPLE)
        last = report.first_seed + report.seeds - 1
        table.add_row("seeds", f"{report.seeds:,} ({report.first_seed} to {last})")
        at_once = f" in {report.jobs} processes" if report.jobs > 1 else ""
        table.add_row("seeds a second", f"{report.seeds_per_s:.1f}{at_once}")
        table.add_row("acts", f"{report.acts:,}")
        table.add_row("commands accepted", f"{report.accepted:,}")
        table.add_row("refusals", f"{report.refused:,}")
        table.add_row("takeovers", f"{report.takeovers:,}")
        table.add_row("left to custodians", f"{report.undecided:,}")
        table.add_row("seeds that failed", f"{report.failed:,}")
        for kind, count in sorted(report.kinds.items()):
            table.add_row(f"  {kind}", f"{count:,}")
        if report.failing_seeds:
            named = " ".join(str(seed) for seed in report.failing_seeds[:SEEDS_NAMED_MAX])
            table.add_row("failing seeds", named)
        return table

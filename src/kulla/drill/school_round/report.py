"""The score of a drill with a round of enrolment: as JSON whose names stay, and for people."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from rich import box
from rich.table import Table


@dataclass(slots=True)
class RoundReport:
    """What one `kulla drill wipe --round` found. Durations are in seconds.

    children:       applications that were acknowledged before the blow.
    lost:           of those, how many the new home has not, or with another commitment.
    parts:          in so many acts results are posted; parts_before: so many stood at the blow;
                    parts_adopted: so many the new home found.
    differing:      children whose result is not the one that an unharmed run gives.
    same_transcripts: whether both transcripts are, byte for byte.
    """

    seed: int
    children: int = 0
    lost: int = 0
    parts: int = 0
    parts_before: int = 0
    parts_adopted: int = 0
    placed: int = 0
    differing: int = 0
    same_transcripts: bool = False
    embassy_destroyed: str = ""
    filing_s: float = 0.0
    opening_s: float = 0.0
    takeover_s: float = 0.0
    again_s: float = 0.0
    total_s: float = 0.0
    machine: str = ""
    version: str = ""
    complaints: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Nothing is lost, and the results are those of an unharmed run."""
        return not (self.lost or self.differing or self.complaints) and self.same_transcripts

    def as_map(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "passed": self.passed}


def table_of(reports: list[RoundReport]) -> Table:
    """The scores, one line each, for people."""
    names = ("seed", "children", "lost", "parts_before", "parts_adopted", "parts", "differing")
    table = Table(*names, "takeover_s", "again_s", "passed", box=box.SIMPLE)
    for report in reports:
        row = report.as_map()
        table.add_row(*(str(row[name]) for name in (*names, "takeover_s", "again_s", "passed")))
    return table

"""Analytic confidence: how firm the ground of a judgement is, apart from how likely it is.

The written rule: each reason below that holds counts against. None: high; one or two: moderate;
more, or fewer than ITEMS_MIN items that ATT&CK knows: low.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kulla.attribution.ceilings import Ceiling
from kulla.attribution.desk import Desk, Matter
from kulla.attribution.sensitivity import Change
from kulla.attribution.training import ITEMS_MIN

_OLD_DAYS: Final = 365


@dataclass(frozen=True)
class Confidence:
    """`level` is high, moderate or low; the reasons that speak for and against it."""

    level: str
    for_it: tuple[str, ...]
    against_it: tuple[str, ...]

    def sentence(self) -> str:
        """The level with its reasons, as one sentence of its own."""
        reasons = "; ".join([*self.against_it] or [*self.for_it])
        return f"Analytic confidence is {self.level}: {reasons}."


def confidence_of(
    desk: Desk, matter: Matter, step: str, top: Ceiling, moved: Sequence[Change]
) -> Confidence:
    """The confidence in the judgement of one step."""
    here = [one for one in moved if one.step == step and one.weakens]
    compared = sum(1 for one in matter.resolved.ids if one not in matter.resolved.unknown)
    checks = [
        (
            compared < ITEMS_MIN,
            f"{compared} techniques and software that {desk.knowledge.release} knows; the desk "
            f"was never tested on fewer than {ITEMS_MIN}",
            f"{compared} techniques and software were compared",
        ),
        (
            len(top.reports) < 2,
            "fewer than two independent reports support it beyond overlap",
            f"{len(top.reports)} independent reports support it",
        ),
        (
            len(top.carried) < 2,
            "fewer than two vertices of the Diamond model carry it independently",
            f"{len(top.carried)} vertices of the Diamond model carry it independently",
        ),
        (
            any(one.kind == "item" for one in here),
            "one item, if false, would change or weaken the answer",
            "no single item, if false, would change or weaken the answer",
        ),
        (
            any(one.kind == "report" for one in here),
            "one report, if false, would change or weaken the answer",
            "no single report, if false, would change or weaken the answer",
        ),
        (
            _age_days(desk, matter) > _OLD_DAYS,
            f"{desk.knowledge.release} was more than a year old then",
            f"{desk.knowledge.release} was current",
        ),
    ]
    against = tuple(bad for holds, bad, _ in checks if holds)
    good = tuple(fine for holds, _, fine in checks if not holds)
    level = "high" if not against else "moderate" if len(against) <= 2 else "low"
    return Confidence("low" if compared < ITEMS_MIN else level, good, against)


def _age_days(desk: Desk, matter: Matter) -> int:
    """Days between the release and the day judged; 0 where either is not known."""
    try:
        released = dt.date.fromisoformat(desk.knowledge.date[:10])
    except ValueError:
        return 0
    day = matter.incident.known_at
    return max(0, (day - released).days) if day else 0

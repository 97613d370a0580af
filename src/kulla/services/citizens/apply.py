"""How acts change the citizens register. The same acts always give the same rows."""

from __future__ import annotations

from typing import Final

from kulla.kernel.errors import UnfitAct
from kulla.kernel.rows import RowsByKey
from kulla.kernel.service import Act

CITIZEN: Final = "citizens_citizen"


def registered(rows: RowsByKey, act: Act) -> None:
    """Add the citizen. Raises UnfitAct where the subject is registered already."""
    subject = act.data["subject"]
    if rows.get(CITIZEN, subject) is not None:
        raise UnfitAct(
            f"citizen {subject} is registered already.",
            place=f"act {act.position}",
            remedy="Look for two acts that register one subject.",
        )
    rows.put(
        CITIZEN,
        {
            "subject": subject,
            "name_sealed": act.data["name"],
            "registered_ms": act.at_ms,
            "position": act.position,
        },
    )

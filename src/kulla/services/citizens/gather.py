"""What the policy of the citizens register has to know. Live path only."""

from __future__ import annotations

from kulla.kernel.rows import Rows
from kulla.kernel.service import Asked
from kulla.services.citizens import apply, policy


def registered_already(rows: Rows, asked: Asked) -> frozenset[str]:
    """Those of the command's subjects that the register has."""
    return frozenset(
        subject
        for subject in policy.subjects_meant(asked.data)
        if rows.get(apply.CITIZEN, subject) is not None
    )

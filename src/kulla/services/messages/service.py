"""Messages as one value: commands and acts by name, for scribe and rebuild."""

from __future__ import annotations

from typing import Final

from kulla.kernel.service import ActType, CommandType, Service
from kulla.services.messages import acts, apply, gather, policy

SERVICE: Final = Service(
    name=acts.SERVICE_NAME,
    commands={
        "record_sent": CommandType(gather.recorded, policy.record_sent),
        "record_failed": CommandType(gather.recorded, policy.record_failed),
        "note_looked": CommandType(gather.looked, policy.note_looked),
    },
    # Nothing is noted beside: the rows keep whose letter it was, and the post is nobody.
    acts={
        acts.SENT: ActType(apply.sent, noted=False),
        acts.FAILED: ActType(apply.failed, noted=False),
        acts.LOOKED: ActType(apply.looked, noted=False),
    },
)

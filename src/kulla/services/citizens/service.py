"""The citizens register as one value: commands and acts by name, for scribe and rebuild."""

from __future__ import annotations

from typing import Final

from kulla.kernel.service import ActType, CommandType, Service
from kulla.services.citizens import acts, apply, gather, policy

SERVICE: Final = Service(
    name=acts.SERVICE_NAME,
    commands={
        "register": CommandType(gather.registered_already, policy.register),
        "register_many": CommandType(gather.registered_already, policy.register_many),
    },
    # The citizen's row keeps the position and the instant for ever, so nothing is noted beside it.
    acts={acts.REGISTERED: ActType(apply.registered, version=acts.REGISTERED_VERSION, noted=False)},
)

"""Commands and acts of the room `lottery` by name, for `service.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kulla.kernel.service import ActType, CommandType
from kulla.services.enrolment import acts
from kulla.services.enrolment.lottery import apply, gather, policy

COMMANDS: Final[Mapping[str, CommandType]] = {
    "commit_secret": CommandType(gather.for_commitment, policy.commit_secret),
    "draw_seed": CommandType(gather.for_draw, policy.draw_seed),
}

# Nothing in them is about a person: anybody may have their receipts.
ACTS: Final[Mapping[str, ActType]] = {
    acts.SECRET_COMMITTED: ActType(apply.secret_committed, public=True),
    acts.SEED_DRAWN: ActType(apply.seed_drawn, public=True),
}

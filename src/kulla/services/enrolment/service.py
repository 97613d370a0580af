"""Enrolment as one value: commands and acts by name, for the scribe and the rebuild.

Each room adds its own two tables; a round that is delayed harms nobody, so without a quorum new
acts are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kulla.kernel.service import ActType, CommandType, Service
from kulla.services.enrolment import acts, notices
from kulla.services.enrolment.applications import types as applications
from kulla.services.enrolment.lottery import types as lottery
from kulla.services.enrolment.results import types as results
from kulla.services.enrolment.rounds import types as rounds

_ROOMS: Final = (rounds, applications, lottery, results)

_COMMANDS: Mapping[str, CommandType] = {k: v for room in _ROOMS for k, v in room.COMMANDS.items()}
_ACTS: Mapping[str, ActType] = {k: v for room in _ROOMS for k, v in room.ACTS.items()}

SERVICE: Final = Service(
    name=acts.SERVICE_NAME, commands=_COMMANDS, acts=notices.with_notices(_ACTS)
)

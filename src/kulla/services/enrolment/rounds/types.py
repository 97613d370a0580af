"""Commands and acts of the room `rounds` by name, for `service.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kulla.kernel.service import ActType, CommandType

COMMANDS: Final[Mapping[str, CommandType]] = {}

ACTS: Final[Mapping[str, ActType]] = {}

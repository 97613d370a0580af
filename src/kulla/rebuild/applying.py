"""Acts onto rows, one by one, each whole or not at all: what a replay and an undo's plan share."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from kulla.journal.policy_file import PolicyFile
from kulla.kernel.errors import KullaError
from kulla.kernel.rows import RowsByKey
from kulla.kernel.service import Act, Actor, Authority, Service, needs_authority
from kulla.registers.apply import apply_act
from kulla.registers.bulk import BulkRows
from kulla.registers.tower import TOWER_NAME, tower_service


class NotAllowed(KullaError):
    """An act of somebody who was not allowed it: only a scribe with another will writes one."""


class Applying:
    """Applies acts to rows in order; writes nothing to a file. Not for two threads.

    `more` is how many acts of the command at hand are still to come.
    """

    def __init__(
        self,
        services: Mapping[str, Service],
        rows: BulkRows,
        authority: Authority | None,
        policies: Sequence[PolicyFile],
    ) -> None:
        """`policies` are the trusted versions, whose custodians may have undone acts."""
        self._services = dict(services)
        self.trust(policies)
        self._rows = rows
        self._authority = authority
        self._origin: tuple[bytes, Actor, str] | None = None
        self.more = 0

    def trust(self, policies: Sequence[PolicyFile]) -> None:
        """From now on these are the trusted versions."""
        self._services[TOWER_NAME] = tower_service(policies)

    def fault_of(self, act: Act, seen: RowsByKey | None = None) -> Exception | None:
        """Apply the act; why it could not be, where it could not: then the rows are as before.

        `seen` stands before the rows where somebody looks on. Raises what is no fault of the act: a
        disk that fails, memory that is full.
        """
        rows = self._rows if seen is None else seen
        try:
            self._see_authority(rows, act)
            apply_act(self._services, rows, act)
        except (sqlite3.Error, MemoryError, OSError):
            raise
        except Exception as error:
            self._rows.take_back()
            return error
        return None

    def _see_authority(self, rows: RowsByKey, act: Act) -> None:
        """Raise NotAllowed for an act that should never have been accepted.

        What staff signed stands in the first act of a command, and how many acts it came to: so
        many by the same actor in the same service belong to it, and what else borrows the command's
        key is asked about. The tower's own acts are signed for in another way.
        """
        if self.more:
            if (act.command, act.actor, act.service) == self._origin:
                self.more -= 1
                return
            self.more = 0
        if self._authority is None or not needs_authority(act.actor) or act.service == TOWER_NAME:
            return
        doubt = self._authority.doubt(rows, act)
        if doubt:
            raise NotAllowed(doubt, place=f"position {act.position}")
        self._origin = (act.command, act.actor, act.service)
        self.more = act.together - 1

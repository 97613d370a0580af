"""A scribe with neither journal nor quorum: commands are decided and applied on rows in memory.

Fault model: none. Acts go through their canonical bytes, as in the journal, so what a policy
decides on must have an encoding; `replayed` gives the rows that a rebuild from them would have.
"""

from __future__ import annotations

from collections.abc import Mapping

from fakes.rows import MemoryRows
from kulla.kernel.canonical import Value, decode, encode
from kulla.kernel.service import Act, Actor, Asked, Command, Refusal, Role, Service
from kulla.tower.services import register_tables


class Desk:
    """Takes commands of one service, one by one, at the instant `now_ms`, on `behalf` of one."""

    def __init__(self, service: Service, now_ms: int) -> None:
        self.service = service
        self.now_ms = now_ms
        self.rows = MemoryRows(register_tables())
        self.acts: list[Act] = []
        self.behalf = ""
        self._asked = 0

    def ask(self, role: Role, subject: str, name: str, /, **data: Value) -> list[Act] | Refusal:
        """The acts that the command became, now applied; or the refusal."""
        self._asked += 1
        actor = Actor(role, subject, self.behalf)
        command = Command(self.service.name, name, self._asked.to_bytes(16, "big"), actor, data)
        key = command.key()
        kind = self.service.commands[name]
        asked = Asked(name, actor, _round_trip(data), self.now_ms, key)
        decision = kind.decide(asked, kind.gather(self.rows, asked))
        if isinstance(decision, Refusal):
            encode(decision.detail)
            return decision
        made = []
        for new in decision:
            act_type = self.service.acts[new.name]
            act = Act(
                position=len(self.acts),
                service=self.service.name,
                name=new.name,
                version=act_type.version,
                at_ms=self.now_ms,
                actor=actor,
                command=key,
                data=_round_trip(new.data),
            )
            act_type.apply(self.rows, act)
            self.acts.append(act)
            made.append(act)
        return made

    def done(self, role: Role, subject: str, name: str, /, **data: Value) -> Act:
        """The one act of a command that must be accepted."""
        answer = self.ask(role, subject, name, **data)
        assert isinstance(answer, list), answer
        assert len(answer) == 1
        return answer[0]

    def refused(self, role: Role, subject: str, name: str, /, **data: Value) -> Refusal:
        """The refusal of a command that must be refused, and changes nothing."""
        answer = self.ask(role, subject, name, **data)
        assert isinstance(answer, Refusal), answer
        return answer

    def replayed(self) -> MemoryRows:
        """Fresh rows to which every act so far was applied."""
        rows = MemoryRows(register_tables())
        for act in self.acts:
            self.service.acts[act.name].apply(rows, act)
        return rows


def _round_trip(data: Mapping[str, Value]) -> Mapping[str, Value]:
    value = decode(encode(data))
    assert isinstance(value, Mapping)
    return value

"""A made-up round behind a FakeTower: schools, children with sealed facts, a drawn list.

Fault model: that of FakeTower. The lottery's act is put as it stands, under a fixed seed: drawing
it is another room's matter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fakes.tower import FakeTower, SetClock
from kulla.kernel.canonical import Value
from kulla.kernel.service import Actor, Command
from kulla.services.enrolment import tables
from kulla.services.enrolment.applications.commitment import commitment_of, facts_text
from kulla.services.enrolment.policy.rules import Claim, Facts, Pool, Priority, Rules
from kulla.services.enrolment.rounds.rules_text import text_of

ROUND = "r26"
CLERK = Actor("clerk", "f" * 32)
DAY_S = 86_400
RULES = Rules(
    priorities=(
        Priority("special-need", "Special need", "anywhere", private=True, document=True),
        Priority("sibling", "Sibling", "school"),
        Priority("staff", "Child of staff", "school", document=True),
    ),
    pools=(
        Pool("need", "For special needs", "special-need", "stay"),
        Pool("open", "Open seats"),
    ),
    ages=(("g1", "2019-01-01", "2020-12-31"),),
)


@dataclass
class School:
    """A round at a tower, and how children come into it."""

    tower: FakeTower
    clock: SetClock
    now_s: int
    numbers: int = 0
    children: dict[str, str] = field(default_factory=dict)

    def ask(
        self, name: str, actor: Actor = CLERK, names: tuple[bytes, ...] = (), /, **data: Value
    ) -> Any:
        """The answer to a command."""
        self.numbers += 1
        command_id = self.numbers.to_bytes(16, "big")
        return self.tower.submit(Command("enrolment", name, command_id, actor, data, names))

    def done(self, name: str, actor: Actor = CLERK, /, **data: Value) -> None:
        """A command that must be accepted."""
        answer = self.ask(name, actor, **data)
        assert answer.status == "accepted", (name, answer)

    def prepare(self, seats: dict[str, list[Value]], rules: Rules = RULES) -> None:
        """A round that is open now, with these pools by programme."""
        now = self.now_s
        days: dict[str, Value] = {"opens_s": now, "closes_s": now + 10 * DAY_S}
        days |= {"results_s": now + 15 * DAY_S, "answer_by_s": now + 22 * DAY_S}
        about: dict[str, Value] = {"title": "First grade 2026", "school_year": "2026-2027"}
        self.done("prepare_round", round=ROUND, zone="Europe/Tirane", parent="", **about, **days)
        self.done("set_rules", round=ROUND, rules=text_of(rules))
        for name, pools in seats.items():
            place = {"town": "Berat", "county": "Berat", "address": "Rruga 1"}
            self.done("enter_school", school=f"s-{name}", name=f"Shkolla {name}", **place)
            what: dict[str, Value] = {"programme": name, "school": f"s-{name}", "grade": "g1"}
            self.done("set_programme", round=ROUND, name=f"Class 1 {name}", pools=pools, **what)
        self.done("publish_round", round=ROUND)

    def apply(
        self,
        child: str,
        choices: Sequence[str],
        claims: Sequence[Claim] = (),
        *,
        born: str = "2020-05-01",
    ) -> str:
        """A counter applies for a child, whose key the keeper has."""
        facts = Facts(claims=tuple(claims))
        salt = hashlib.sha256(child.encode()).digest()
        about = json.dumps({"born": born, "address": "", "area": ""})
        sealed = self.tower.seal(child, {"facts": about})["facts"]
        self.done("enter_child", child=child, facts=sealed, source="register")
        own = self.tower.seal(child, {"facts": facts_text(facts), "salt": salt.hex()})
        self.done(
            "apply",
            child=child,
            round=ROUND,
            grade="g1",
            choices=list(choices),
            together=False,
            facts=own["facts"],
            salt=own["salt"],
            commitment=commitment_of(salt, "g1", list(choices), False, facts),
            change=1,
            undecided=[],
        )
        return child

    def confirm(self, child: str, claim: int = 0) -> None:
        """A clerk saw the document of a claim."""
        reason = self.tower.seal(child, {"reason": "seen"})["reason"]
        verdict = {"verdict": tables.CONFIRMED, "reason": reason}
        self.done("decide_claim", child=child, round=ROUND, claim=claim, change=1, **verdict)

    def close(self) -> None:
        """The list is closed and the lottery drawn."""
        self.clock.at_ms = (self.now_s + 10 * DAY_S) * 1000
        self.done("close_round", round=ROUND)
        rows = self.tower._rows
        row = rows.get(tables.ROUND, ROUND)
        assert row is not None
        rows.put(tables.ROUND, row | {"state": tables.DRAWN, "seed": bytes(range(32))})
        self.tower._database.commit()

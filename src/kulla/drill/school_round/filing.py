"""A round at a live home: the ministry prepares it, children apply, it is closed and drawn."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from kulla.drill.chance import Chance
from kulla.drill.notes import DrillFailed
from kulla.kernel.canonical import Value, encode
from kulla.kernel.edges import Clock
from kulla.kernel.service import Actor, Command
from kulla.kernel.tower import Answer
from kulla.services.accounts.demo_passkey import DemoPasskey
from kulla.services.enrolment.acts import SERVICE_NAME
from kulla.services.enrolment.applications.child import ChildFacts, child_text
from kulla.services.enrolment.applications.commitment import (
    SALT_BYTES,
    commitment_of,
    facts_text,
)
from kulla.services.enrolment.policy.rules import Claim, Facts, Pool, Priority, Rules
from kulla.services.enrolment.policy.rules_text import rules_to_json
from kulla.tower.edge import HomeEdge
from kulla.tower.home import Home

ROUND: Final = "drill-round"
ZONE: Final = "Europe/Tirane"
GRADE: Final = "grade-1"
BORN: Final = "2020-03-01"
SEATS: Final = 30
ROOM: Final = 0.9
"""Seats for so many of the children: some have to wait."""

AT_ONCE: Final = 32
_DAY_S: Final = 86_400
_CHILDREN_A_S: Final = 60
_SPARE_S: Final = 30
_TRIES: Final = 30

RULES: Final = Rules(
    priorities=(
        Priority("special-need", "Special need", "anywhere", private=True, document=True),
        Priority("sibling", "Sibling at the school", "school"),
        Priority("staff", "A parent works there", "school"),
    ),
    pools=(Pool("open", "Open seats"),),
    ages=((GRADE, "2019-09-01", "2020-12-31"),),
)


@dataclass(slots=True)
class Filing:
    """The round as the drill made it: what was acknowledged, by child."""

    home: Home
    edge: HomeEdge
    clock: Clock
    chance: Chance
    say: Callable[[str], None]
    closes_s: int = 0
    asked: int = 0

    def prepare(self, children: int) -> None:
        """The ministry sets up schools enough, and publishes a round that is open now."""
        now_s = self.clock.now_ms() // 1000
        opens_s, self.closes_s = now_s, now_s + children // _CHILDREN_A_S + _SPARE_S
        days = {"opens_s": opens_s, "closes_s": self.closes_s}
        days |= {"results_s": self.closes_s + _DAY_S, "answer_by_s": self.closes_s + 9 * _DAY_S}
        about = {"title": "Drill", "school_year": "2026-27", "zone": ZONE, "parent": ""}
        self.staff("prepare_round", {"round": ROUND, **about, **days})
        self.staff("set_rules", {"round": ROUND, "rules": rules_to_json(RULES)})
        names = self.programmes(children)
        place = ["Berat", "Berat", "Rruga e Lirisë 1"]
        rows: list[Value] = [[f"s-{name}", f"Shkolla {name}", *place] for name in names]
        self.staff("enter_schools", {"schools": rows})
        pools: list[Value] = [["open", SEATS]]
        offered: list[Value] = [
            [name, f"s-{name}", GRADE, f"Class {name}", pools] for name in names
        ]
        self.staff("set_programmes", {"round": ROUND, "programmes": offered})
        self.staff("publish_round", {"round": ROUND})

    def programmes(self, children: int) -> list[str]:
        """The ids of the programmes: seats for ROOM of the children."""
        return [f"p{number:03d}" for number in range(1, 2 + int(children * ROOM) // SEATS)]

    def apply(self, subjects: Sequence[str]) -> dict[str, bytes]:
        """Everybody applies, many at once; the commitment of each that was acknowledged."""
        names = self.programmes(len(subjects))
        wishes = [self._wish(subject, names) for subject in subjects]
        found: dict[str, bytes] = {}
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="apply") as pool:
            for subject, commitment in pool.map(self._file, wishes):
                found[subject] = commitment
                if len(found) % 100 == 0:
                    self.say(f"children apply: {len(found):,} of {len(subjects):,}")
        return found

    def _wish(self, subject: str, names: Sequence[str]) -> tuple[str, list[str], Facts, bytes]:
        """What one family wants; drawn in one thread, so that the seed decides."""
        choices = self.chance.sample(names, min(len(names), self.chance.randint(2, 6)))
        claims = [Claim("sibling", f"s-{choices[0]}")] if self.chance.random() < 0.1 else []
        salt = self.chance.randbytes(SALT_BYTES)
        return subject, choices, Facts(claims=tuple(claims)), salt

    def _file(self, wish: tuple[str, list[str], Facts, bytes]) -> tuple[str, bytes]:
        subject, choices, facts, salt = wish
        actor = Actor("citizen", subject)
        known = child_text(ChildFacts(BORN))
        entered: dict[str, Value] = {"source": "register"}
        entered |= self.edge.seal(subject, {"facts": known}, _id("known", subject))
        self._accepted(_command("enter_child", actor, entered))
        own = {"facts": facts_text(facts), "salt": salt.hex()}
        commitment = commitment_of(salt, GRADE, choices, False, facts)
        listed: list[Value] = list(choices)
        data: dict[str, Value] = {"round": ROUND, "grade": GRADE, "choices": listed}
        data |= {"together": False, "commitment": commitment, "change": 1}
        data |= self.edge.seal(subject, own, _id("own", subject))
        self._accepted(_command("apply", actor, data))
        return subject, commitment

    def staff(self, name: str, data: dict[str, Value]) -> None:
        """A clerk of the demo does it, signed with the passkey that lies in the demo's file."""
        people = json.loads(self.home.demo_people.read_text(encoding="utf-8"))
        row = next(row for row in people if row["role"] == "clerk")
        passkey = DemoPasskey.of(row)
        assert passkey is not None
        self.asked += 1
        command = _command(name, Actor("clerk", str(row["subject"])), data, self.asked)
        url = urlsplit(self.home.settings().public_url)
        domain = self.home.policy().relying_party
        assertion = passkey.sign(command.key(), domain, f"{url.scheme}://{url.netloc}")
        self._accepted(replace(command, assertion=assertion))

    def _accepted(self, command: Command) -> Answer:
        answer = self.edge.submit(command)
        for _ in range(_TRIES):
            if answer.status not in ("waiting", "unavailable"):
                break
            answer = self.edge.submit(command)
        if answer.status != "accepted":
            raise DrillFailed(
                f"{command.name} was not accepted: {answer.status} {answer.code} "
                f"{dict(answer.detail)}.",
                remedy="Give the drill a quieter machine, or fewer children.",
            )
        return answer


def _command(name: str, actor: Actor, data: dict[str, Value], number: int = 0) -> Command:
    return Command(SERVICE_NAME, name, _id(name, actor.subject, number), actor, data)


def _id(*what: str | int) -> bytes:
    return hashlib.sha256(encode(["drill", *what])).digest()[:16]

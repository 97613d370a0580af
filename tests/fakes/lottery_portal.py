"""A published round behind a portal, and beside it the embassies that commit and tell.

Fault model: those of fakes.tower and fakes.urns. Both have the same keys, so what the portal offers
is checked by the real check.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fakes.country import Country
from fakes.drawn_round import DAYS, LotteryCountry
from fakes.ministry import PROGRAMMES, RULES, SCHOOLS, prepared
from fakes.portal import CLOCK
from fakes.urns import CLOSES_S, ROUND
from kulla.kernel.service import Actor
from kulla.services.enrolment.rounds import rules_text

PAGE = f"/enrolment/rounds/{ROUND}/lottery"
OPERATOR = Actor("operator", "allocator")


class LotteryPortal:
    """A country with one published round; it is some minutes before families may apply."""

    def __init__(self, country: Country, folder: Path) -> None:
        self.country = country
        self.beside = LotteryCountry(folder / "beside")
        assert self.country.tower.keys.policy == self.beside.urns.tower.policy
        CLOCK.at_ms = (CLOSES_S - 950) * 1000
        self.ask("prepare_round", **prepared(**DAYS))
        self.ask("set_rules", round=ROUND, rules=rules_text.text_of(RULES))
        self.ask("enter_schools", schools=SCHOOLS)
        self.ask("set_programmes", round=ROUND, programmes=PROGRAMMES)
        self.ask("publish_round", round=ROUND)

    def ask(self, name: str, **data: Any) -> tuple[int, ...]:
        answer = self.country.ask(OPERATOR, "enrolment", name, data)
        assert answer.status == "accepted", answer
        return answer.positions

    def commit(self) -> None:
        self.beside.commit_all()
        for name in self.beside.urns.names:
            self.ask("commit_secret", **self.beside.commit_data(name))

    def close(self) -> int:
        self.beside.close()
        CLOCK.at_ms = (CLOSES_S + 30) * 1000
        [position] = self.ask("close_round", round=ROUND)
        return position

    def draw(self, opened: tuple[str, ...] = ()) -> bytes:
        position = self.close()
        data = self.beside.draw_data(opened=opened)
        self.ask("draw_seed", **(data | {"closed": position}))
        seed = data["seed"]
        assert isinstance(seed, bytes)
        return seed

"""A round of a made-up country that came to something: drawn, allocated, opened as a test wishes.

Fault model: that of FakeTower and School.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fakes.country import Country
from fakes.enrolment_country import ROUND, School
from fakes.portal import CLOCK
from kulla.services.accounts.apply import ACTING, RELATION, STANDS, pair_key
from kulla.services.enrolment.policy.rules import Claim
from kulla.tower.enrolment.allocating import Allocator
from kulla.tower.enrolment.lists import ListKeeper
from kulla.tower.enrolment.registers import RoundRows

ROOT: Final = f"/enrolment/rounds/{ROUND}"
MINISTRY: Final = f"/enrolment/ministry/rounds/{ROUND}/results"


class Outcome:
    """A drawn round in which Ana's child wanted the oak school, and another child has its seat."""

    def __init__(self, country: Country, folder: Path) -> None:
        self.country, self.folder = country, folder
        ana, besim, child = country.citizens
        self.child = child
        row = {"id": "ab" * 16, "guardian": ana, "ward": child, "kind": "child", "until_day": ""}
        row |= {"state": STANDS, "since_ms": CLOCK.at_ms, "position": 0}
        country.tower._rows.put(RELATION, row)
        pair = {"pair": pair_key(ana, child), "child": row["id"], "attorney": "", "position": 0}
        country.tower._rows.put(ACTING, pair)
        self.school = School(country.tower, CLOCK, CLOCK.at_ms // 1000)
        self.school.prepare({"oak": [["open", 1]], "elm": [["open", 1]]})
        self.first = besim
        self.school.apply(besim, ["oak"], [Claim("sibling", "s-oak")])
        self.school.apply(child, ["oak", "elm"])
        [(self.third, _)] = country.tower.enrol(1)
        self.school.apply(self.third, ["oak"])
        self.school.close()

    def allocate(self) -> None:
        rows = RoundRows(self.folder / "registers.sqlite")
        Allocator(self.folder, rows, self.country.tower, CLOCK, lambda _: None).run(ROUND)

    def open(self) -> None:
        self.allocate()
        self.school.done("open_offers", round=ROUND)

    def move_lists(self) -> None:
        registers = self.folder / "registers.sqlite"
        tower = self.country.tower
        keeper = ListKeeper(self.folder, registers, tower, CLOCK, lambda _: None)
        while keeper.turn():
            pass

    def result(self, child: str = "", more: str = "") -> str:
        return f"{ROOT}/children/{child or self.child}/result{more}"

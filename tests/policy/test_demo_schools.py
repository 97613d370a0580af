"""The demo country's round: its rules fit its children, and every command of it is accepted."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from fakes.desk import Desk
from fakes.tower import SetClock
from kulla.portal.civil_register import DemoCivilRegister
from kulla.services.enrolment import tables
from kulla.services.enrolment.applications.child import area_of, grades_for
from kulla.services.enrolment.policy.rules_text import rules_to_json
from kulla.services.enrolment.service import SERVICE
from kulla.tower import schools

DAYS = [date(2026, 3, 1), date(2026, 8, 31), date(2026, 9, 1), date(2026, 12, 31)]


def ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, 11, tzinfo=UTC).timestamp()) * 1000


@pytest.mark.parametrize("today", DAYS, ids=str)
def test_the_round_is_open_on_the_day_that_the_country_is_founded(today):
    desk = Desk(SERVICE, ms(today))
    data = schools.round_of(today)

    def ask(name, **more):
        answer = desk.ask("clerk", "demo", name, **more)
        assert isinstance(answer, list), (name, answer)

    ask("enter_schools", schools=schools.schools())
    ask("prepare_round", **data)
    ask("set_rules", round=data["round"], rules=rules_to_json(schools.rules(today)))
    ask("set_programmes", round=data["round"], programmes=schools.programmes())
    ask("publish_round", round=data["round"])
    row = desk.rows.get(tables.ROUND, data["round"])
    assert row is not None
    assert row["state"] == tables.PUBLISHED
    assert int(str(row["opens_s"])) * 1000 < desk.now_ms < int(str(row["closes_s"])) * 1000


@pytest.mark.parametrize("today", DAYS, ids=str)
def test_every_child_of_the_demos_civil_register_fits_a_grade_near_a_school(today):
    rules = schools.rules(today)
    offered = [row[2] for row in schools.programmes()]
    register = DemoCivilRegister(SetClock(ms(today)))
    near = {area_of(town) for _school, _name, town, *_rest in schools.schools()}
    seen = set()
    for number in range(200):
        entry = register.entry(f"{number:032x}")
        assert entry is not None
        [grade] = set(grades_for(rules, offered, entry.born))
        seen.add(grade)
        assert entry.area in near
    assert seen == {"grade-1", "grade-10"}

"""The demo country's schools: a round of enrolment that is open now, and children to apply for.

Made up like its clinics and people. Everything goes in as commands.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from kulla.kernel.canonical import Value
from kulla.kernel.edges import Clock
from kulla.kernel.service import Actor
from kulla.services.enrolment.policy.rules import OPEN_POOL, Pool, Priority, Rules
from kulla.services.enrolment.policy.rules_text import rules_to_json
from kulla.tower.country import (
    AT_ONCE,
    COUNTIES,
    STREETS,
    ZONE,
    Founding,
    FoundingEdge,
    person_name,
)

GUARDIANS: Final = 24
"""So many people, those on the first sign-in page, have a child; the first of them have two."""
WITH_TWO: Final = 8

_OPEN_SINCE_DAYS: Final = 3
_APPLYING_DAYS: Final = 21
_DRAWING_DAYS: Final = 14
_ANSWERING_DAYS: Final = 10
_NAMESAKES: Final = (
    *("Naim Frashëri", "Sami Frashëri", "Jeronim de Rada", "Dora d'Istria", "Pashko Vasa"),
    *("Faik Konica", "Ndre Mjeda", "Migjeni", "Kristoforidhi", "Barleti", "Budi", "Bogdani"),
)
_FIRST_CLASS: Final = ("grade-1", 6, (("special", 2), (OPEN_POOL, 24)))
_TENTH_CLASS: Final = ("grade-10", 15, (("special", 1), (OPEN_POOL, 30)))


def founding_day(clock: Clock) -> date:
    """Today in the demo country."""
    return datetime.fromtimestamp(clock.now_ms() / 1000, UTC).astimezone(ZoneInfo(ZONE)).date()


def autumn_of(today: date) -> int:
    """The year in which the school year begins that children apply for today."""
    return today.year + (today.month >= 9)


def schools() -> list[list[str]]:
    """The rows of `enter_schools`: one school for each class a town has, two towns a county."""
    towns = [(county, town) for county, names in COUNTIES for town in names]
    return [
        [
            f"s{number:02d}-{kind}",
            f"{title} {_NAMESAKES[number % len(_NAMESAKES)]}",
            town,
            county,
            f"{STREETS[(number + 1) % len(STREETS)]} {number * 5 % 80 + 3}",
        ]
        for number, (county, town) in enumerate(towns)
        for kind, title in (("nine", "Shkolla 9-vjeçare"), ("upper", "Gjimnazi"))
    ]


def programmes() -> list[list[Any]]:
    """The rows of `set_programmes`: the first grade at nine-year schools, the tenth at others."""
    found = []
    for school, *_rest in schools():
        grade, _age, pools = _FIRST_CLASS if school.endswith("nine") else _TENTH_CLASS
        rows = [[pool, seats] for pool, seats in pools]
        found.append([f"{school[:3]}-{grade}", school, grade, "Paradite", rows])
    return found


def rules(today: date) -> Rules:
    """Rules with every kind of priority, for children who begin school in the next autumn."""
    autumn = autumn_of(today)
    return Rules(
        priorities=(
            Priority("looked-after", "A child in public care", "anywhere", True, True),
            Priority("special-need", "A special need", "anywhere", True, True),
            Priority("sibling", "A brother or sister at the school", "school"),
            Priority("catchment", "Living in the school's area", "area"),
            Priority("staff", "A parent works at the school", "school", document=True),
        ),
        pools=(Pool("special", "Special seats", "special-need"), Pool(OPEN_POOL, "Open seats")),
        choices_max=5,
        ages=tuple(
            (grade, f"{autumn - age - 1}-09-01", f"{autumn - age}-08-31")
            for grade, age, _pools in (_FIRST_CLASS, _TENTH_CLASS)
        ),
        grades=(_FIRST_CLASS[0], _TENTH_CLASS[0]),
    )


def round_of(today: date) -> dict[str, Any]:
    """The data of `prepare_round`: a round that opened some days ago."""
    autumn = autumn_of(today)
    opens = today - timedelta(days=_OPEN_SINCE_DAYS)
    closes = today + timedelta(days=_APPLYING_DAYS)
    results = closes + timedelta(days=_DRAWING_DAYS)
    answer_by = results + timedelta(days=_ANSWERING_DAYS)
    return {
        "round": f"autumn-{autumn}",
        "title": f"Regjistrimi në shkollë {autumn}",
        "school_year": f"{autumn}-{(autumn + 1) % 100:02d}",
        "zone": ZONE,
        "opens_s": _at_s(opens, 8),
        "closes_s": _at_s(closes, 16),
        "results_s": _at_s(results, 8),
        "answer_by_s": _at_s(answer_by, 16),
        "parent": "",
    }


def _at_s(day: date, hour: int) -> int:
    return int(datetime.combine(day, time(hour), ZoneInfo(ZONE)).timestamp())


def found_schools(
    founding: Founding, tower: FoundingEdge, clock: Clock, people: Sequence[dict[str, Any]]
) -> None:
    """Publish a round that is open now, and give the first of these people children.

    Before the staff is founded, since a clerk's commands need no signature until then. Raises
    DemoRefused.
    """
    today = founding_day(clock)
    clerk = Actor("clerk", "demo")
    data = round_of(today)

    def ask(name: str, **more: Any) -> None:
        founding.ask("enrolment", name, more, actor=clerk)

    ask("enter_schools", schools=schools())
    ask("prepare_round", **data)
    ask("set_rules", round=data["round"], rules=rules_to_json(rules(today)))
    ask("set_programmes", round=data["round"], programmes=programmes())
    ask("publish_round", round=data["round"])
    _children(founding, tower, [str(row["subject"]) for row in people[:GUARDIANS]])


def _children(founding: Founding, tower: FoundingEdge, guardians: Sequence[str]) -> None:
    """Register children and record whose they are; two parents share the first child."""
    pairs = [(guardian, number) for number, guardian in enumerate(guardians)]
    pairs += [(guardian, len(pairs) + more) for more, guardian in enumerate(guardians[:WITH_TWO])]
    enrolled = tower.enrol(len(pairs)) if pairs else []
    citizens: list[Value] = []
    for (_guardian, number), (subject, key) in zip(pairs, enrolled, strict=True):
        # Another family name than the adults' of the same number, another first name, too.
        sealed = tower.seal(subject, {"name": person_name(number * 7 + 11)})["name"]
        citizens.append({"subject": subject, "name": sealed, "key": key})
    if not citizens:
        return
    names = [key for _subject, key in enrolled]
    founding.ask("citizens", "register_many", {"citizens": citizens}, names)
    wards = [(guardian, enrolled[number][0]) for guardian, number in pairs]
    wards += [(guardians[1], enrolled[0][0])] if len(guardians) > 1 else []

    def relate(pair: tuple[str, str]) -> None:
        data: dict[str, Value] = {"guardian": pair[0], "ward": pair[1]}
        data |= {"kind": "child", "until_day": ""}
        founding.ask("accounts", "relate", data, actor=Actor("clerk", "demo"))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(relate, wards):
            pass

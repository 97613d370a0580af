"""A ministry that prepares a round of enrolment: what tests of every room begin with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fakes.country import Country
from fakes.desk import Desk
from kulla.kernel.service import Actor
from kulla.services.enrolment.policy.rules import OPEN_POOL, Pool, Priority, Rules
from kulla.services.enrolment.rounds import rules_text
from kulla.services.enrolment.service import SERVICE

MINISTRY = "f" * 32
ROUND = "first-2026"
DAY_S = 86_400
NOW_S = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp())
DAYS = {
    "opens_s": NOW_S + DAY_S,
    "closes_s": NOW_S + 20 * DAY_S,
    "results_s": NOW_S + 30 * DAY_S,
    "answer_by_s": NOW_S + 40 * DAY_S,
}
RULES = Rules(
    priorities=(
        Priority("sibling", "A brother or sister at the school", "school"),
        Priority("special-need", "A special need", "anywhere", private=True, document=True),
        Priority("catchment", "Living in the school's area", "area"),
        Priority("staff", "A parent works at the school", "school", document=True),
    ),
    pools=(
        Pool("special", "For children with special needs", "special-need"),
        Pool(OPEN_POOL, "Open seats"),
    ),
    choices_max=5,
    ages=(("grade-1", "2020-01-01", "2020-12-31"), ("grade-6", "2015-01-01", "2015-12-31")),
)
SCHOOLS = [
    ["naim", "Shkolla Naim Frashëri", "Tiranë", "Tiranë", "Rruga e Dëshmorëve 4"],
    ["dora", "Shkolla Dora d'Istria", "Durrës", "Durrës", "Rruga e Lirisë 9"],
]
PROGRAMMES: list[list[Any]] = [
    ["naim-1", "naim", "grade-1", "Morning class", [["special", 2], ["open", 23]]],
    ["naim-6", "naim", "grade-6", "Morning class", [["open", 25]]],
    ["dora-1", "dora", "grade-1", "Morning class", [["open", 20]]],
]


def prepared(round_: str = ROUND, **changed: Any) -> dict[str, Any]:
    """The data of prepare_round."""
    named = {"round": round_, "title": "Enrolment 2026", "school_year": "2026-27"}
    return {**named, "zone": "Europe/Tirane", "parent": "", **DAYS, **changed}


def ministry(now_s: int = NOW_S) -> Desk:
    """A desk of the service with nothing in it."""
    return Desk(SERVICE, now_s * 1000)


def prepare(desk: Desk, round_: str = ROUND, **changed: Any) -> None:
    """A round with rules, schools and programmes, not published yet."""
    ask(desk, "prepare_round", **prepared(round_=round_, **changed))
    ask(desk, "set_rules", round=round_, rules=rules_text.text_of(RULES))
    ask(desk, "enter_schools", schools=SCHOOLS)
    ask(desk, "set_programmes", round=round_, programmes=PROGRAMMES)


def publish(desk: Desk, round_: str = ROUND, **changed: Any) -> None:
    """A round that families can see; they apply from DAYS['opens_s'] on."""
    prepare(desk, round_, **changed)
    ask(desk, "publish_round", round=round_)


def ask(desk: Desk, name: str, /, **data: Any) -> Any:
    """The acts of a command of the ministry, which must be accepted."""
    answer = desk.ask("clerk", MINISTRY, name, **data)
    assert isinstance(answer, list), answer
    return answer


def a_round_and_the_next(country: Country) -> dict[str, str]:
    """Publish a round that is open now and prepare the next one; what parts of addresses name."""
    now_s = country.tower.clock.now_ms() // 1000
    days = {name: now_s + (at_s - DAYS["opens_s"]) for name, at_s in DAYS.items()}

    def done(name: str, **data: Any) -> None:
        answer = country.ask(Actor("clerk", country.clerk), "enrolment", name, data)
        assert answer.status == "accepted", (name, answer)

    done("enter_schools", schools=SCHOOLS)
    for round_ in (ROUND, "next-2026"):
        done("prepare_round", **prepared(round_=round_, **days))
        done("set_rules", round=round_, rules=rules_text.text_of(RULES))
        done("set_programmes", round=round_, programmes=PROGRAMMES)
    done("publish_round", round=ROUND)
    ministry = "/enrolment/ministry/rounds/<round_id>"
    behind = ("", "/days", "/step", "/rules", "/programmes", "/programmes/new", "/programmes/in")
    more = ("/programmes/out.csv", "/programmes/of/<programme>")
    unpublished = {f"{ministry}{rest} round_id": "next-2026" for rest in (*behind, *more)}
    return {"round_id": ROUND, "school": "naim", "programme": "naim-1", **unpublished}

"""A round of enrolment in a made-up country: schools, families with accounts, results.

Fault model: that of Country. What the keeper would seal is made-up bytes where nobody opens it. The
lottery's act is applied as it stands, since drawing it needs embassies.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from fakes.country import MONDAY_MS, Country
from kulla.kernel.canonical import Value
from kulla.kernel.service import ALLOCATOR, Actor
from kulla.services.enrolment import tables
from kulla.services.enrolment.policy.rules import Rules
from kulla.services.enrolment.rounds.rules_text import text_of

ROUND = "mesme-2026"
DAY_S = 86_400
OPENS_S = MONDAY_MS // 1000 + 3600
CLOSES_S = OPENS_S + 10 * DAY_S
RESULTS_S = CLOSES_S + 5 * DAY_S
ANSWER_BY_S = RESULTS_S + 7 * DAY_S
AGES = (("g1", "2019-01-01", "2020-12-31"),)


class SchoolRound:
    """A published round with two schools; `clock` is set to when families may apply."""

    def __init__(self, country: Country, clock: Any, rules: Rules | None = None) -> None:
        self.country, self.clock = country, clock
        days = {"opens_s": OPENS_S, "closes_s": CLOSES_S, "results_s": RESULTS_S}
        self.publish(ROUND, "Regjistrimi 2026", days | {"answer_by_s": ANSWER_BY_S}, rules)
        self.at(OPENS_S)

    def publish(
        self, key: str, title: str, days: Mapping[str, int], rules: Rules | None = None
    ) -> None:
        """Prepare a round with two schools and publish it."""
        about = {"title": title, "school_year": "2026-2027", "parent": "", "zone": "Europe/Tirane"}
        until = {"answer_by_s": days["results_s"] + 7 * DAY_S}
        self.clerk("prepare_round", round=key, **about, **(until | dict(days)))
        self.clerk("set_rules", round=key, rules=text_of(rules or Rules(ages=AGES)))
        for name, seats in (("naim", 2), ("sami", 40)):
            place = {"name": f"Shkolla {name}", "town": "Tiranë", "county": "Tiranë"}
            self.clerk("enter_school", school=name, address="Rruga e Shkollës 1", **place)
            offered: dict[str, Value] = {"programme": f"{name}-1", "school": name, "grade": "g1"}
            offered |= {"name": f"Klasa e parë, {name}", "pools": [["open", seats]]}
            self.clerk("set_programme", round=key, **offered)
        self.clerk("publish_round", round=key)

    def at(self, at_s: int) -> None:
        """Set the clock."""
        self.clock.at_ms = at_s * 1000

    def ask(self, actor: Actor, name: str, /, **data: Any) -> Any:
        """One command that must be accepted, or wait for its witnesses."""
        answer = self.country.ask(actor, "enrolment", name, data)
        assert answer.status in ("accepted", "waiting"), (name, answer)
        return answer

    def clerk(self, name: str, /, **data: Any) -> Any:
        """A clerk, of the ministry or at a counter, does this."""
        return self.ask(Actor("clerk", self.country.clerk), name, **data)

    def job(self, name: str, /, **data: Any) -> Any:
        """The job that allocates does this."""
        return self.ask(ALLOCATOR, name, **data)

    def relate(self, guardian: str, child: str, kind: str = "child") -> None:
        """A clerk records who a child's guardian is."""
        data: dict[str, Any] = {"guardian": guardian, "ward": child, "kind": kind, "until_day": ""}
        clerk = Actor("clerk", self.country.clerk)
        assert self.country.ask(clerk, "accounts", "relate", data).positions

    def apply(
        self,
        child: str,
        *choices: str,
        by: Actor | None = None,
        change: int = 1,
        into: str = ROUND,
        grade: str = "g1",
        **facts: str,
    ) -> str:
        """Apply for a child, at a counter or by a guardian; returns the application's id.

        `facts` is the text of the sealed facts, `about` that of what is known of the child.
        """
        by = by or Actor("clerk", self.country.clerk)
        whose = {"child": child} if by.role == "clerk" else {}
        entered = self.country.tower.seal(child, {"facts": facts.pop("about", "{}")})["facts"]
        sealed = self.country.tower.seal(child, {"facts": "{}", "salt": "s", **facts})
        self.ask(by, "enter_child", facts=entered, source="register", **whose)
        self.ask(
            by,
            "apply",
            round=into,
            grade=grade,
            choices=list(choices or ("naim-1", "sami-1")),
            together=False,
            facts=sealed["facts"],
            salt=sealed["salt"],
            commitment=hashlib.sha256(f"{into} {child} {change}".encode()).digest(),
            change=change,
            undecided=[],
            **whose,
        )
        return f"{into}-{child}"

    def allocate(self, **given: str) -> None:
        """Close, draw, post and open: `given` a programme or '' by child, as keywords."""
        self.close()
        wished = {str(row["child"]): str(row["choices"]) for row in self._applications()}
        rows: list[Value] = []
        places: list[Value] = []
        for number, (child, programme) in enumerate(sorted(given.items())):
            choices = wished[child].strip("[]").replace('"', "").split(",")
            choice = choices.index(programme) + 1 if programme else 0
            rows.append([child, programme, "open" if programme else "", choice])
            above = choices[: choice - 1] if choice else choices
            places += [[name, child, number + 1, place + 1] for place, name in enumerate(above)]
        self.job("post_results", round=ROUND, part=1, parts=1, rows=rows, places=places)
        told = {"public": bytes(32), "audit": bytes(32), "kept": []}
        placed = sum(1 for programme in given.values() if programme)
        self.job("finish_allocation", round=ROUND, parts=1, count=len(given), placed=placed, **told)
        self.at(RESULTS_S)
        self.clerk("open_offers", round=ROUND)

    def close(self) -> None:
        """The list closes and the lottery is drawn."""
        self.at(CLOSES_S)
        self.clerk("close_round", round=ROUND)
        rows = self.country.tower._rows
        row = rows.get(tables.ROUND, ROUND)
        assert row is not None
        rows.put(tables.ROUND, row | {"state": tables.DRAWN, "seed": bytes(32)})

    def _applications(self) -> list[dict[str, Any]]:
        found = self.country.tower._rows.find(tables.APPLICATION, round=ROUND, state=tables.FILED)
        return [dict(row) for row in found]


def with_results(country: Country, clock: Any, child: str) -> dict[str, str]:
    """A child with a file and an appeal in an open round, and a result in another one.

    `country` has the open round of fakes.ministry. What parts of addresses name; the clock stands
    as it stood.
    """
    from fakes.ministry import ROUND as OPEN_ROUND

    now_ms = clock.at_ms
    school = SchoolRound(country, clock)
    school.apply(child)
    school.allocate(**{child: "sami-1"})
    text = country.tower.seal(child, {"text": "Lutemi shihni."})["text"]
    school.clerk("appeal", round=ROUND, child=child, text=text)
    clock.at_ms = now_ms
    facts = json.dumps({"claims": [["staff", "naim"]], "siblings": [], "area": ""})
    about = json.dumps({"born": "2020-01-31", "address": "Rruga 1", "area": "tirane"})
    school.apply(child, "naim-1", into=OPEN_ROUND, grade="grade-1", facts=facts, about=about)
    name = country.tower.seal(child, {"name": json.dumps({"name": "a.pdf", "about": ""})})["name"]
    blob = country.tower.keep_file(child, b"%PDF-1.4", b"once")
    file = {"kind": "other", "media_type": "application/pdf", "size": 8, "blob": blob}
    school.clerk("add_document", round=OPEN_ROUND, child=child, name=name, **file)
    rows = country.tower._rows
    parts = {"child": child, "number": "0", "answer": "accepted"}
    parts["document"] = str(rows.find(tables.DOCUMENT)[0]["id"])
    parts["appeal"] = str(rows.find(tables.APPEAL)[0]["id"])
    result = "/enrolment/rounds/<round_id>/children/<child>/result"
    ministry = "/enrolment/ministry/rounds/<round_id>/results"
    behind = {
        result: ("", "/answer/<answer>", "/leave/<programme>", "/appeal", "/check"),
        ministry: (
            *("", "/step", "/audit", "/audit.json", "/late", "/complementary", "/appeals"),
            *("/appeals/<appeal>", "/classes/<programme>", "/classes/<programme>.csv"),
        ),
    }
    routes = [f"{begin}{rest}" for begin, rests in behind.items() for rest in rests]
    routes += [
        "/enrolment/rounds/<round_id>/results",
        "/enrolment/rounds/<round_id>/transcript.json",
    ]
    return parts | {f"{route} round_id": ROUND for route in routes}

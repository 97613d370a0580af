"""A round in the browser, from the ministry's first form to the closed list, as a clerk does it."""

from __future__ import annotations

import html
from datetime import datetime
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from fakes.clinic_desk import Clerk
from fakes.portal import CLOCK, Visitor, command_of, token_of, words_of
from kulla.journal.merkle import EMPTY_ROOT

MINISTRY = "/enrolment/ministry"
ROUND = f"{MINISTRY}/rounds/first-2026"
DAYS = {
    "opens_s": "2026-02-10T08:00",
    "closes_s": "2026-03-10T16:00",
    "results_s": "2026-03-30T08:00",
    "answer_by_s": "2026-04-10T16:00",
}
ROUND_FORM = {"round": "first-2026", "title": "Enrolment 2026", "school_year": "2026-27", **DAYS}
RULES = {
    "p0-kind": "sibling", "p0-title": "A brother or sister at the school", "p0-where": "school",
    "p1-kind": "special-need", "p1-title": "A special need", "p1-where": "anywhere",
    "p1-private": "1", "p1-document": "1",
    "o0-pool": "special", "o0-title": "Special seats", "o0-priority": "special-need",
    "o0-unfilled": "open",
    "o1-pool": "open", "o1-title": "Open seats",
    "a0-grade": "grade-1", "a0-title": "", "a0-first": "2020-01-01", "a0-last": "2020-12-31",
    "tie_break": "single", "choices_max": "5", "together": "1",
}  # fmt: skip
SCHOOLS = """school;name;town;county;address
naim;Shkolla Naim Frashëri;Tiranë;Tiranë;Rruga e Dëshmorëve 4
dora;Shkolla Dora d'Istria;Durrës;Durrës;Rruga e Lirisë 9
Bad Id;X;X;X;X
late;;Vlorë;Vlorë;Rruga 1
naim;Again;T;T;A
"""
PROGRAMMES = """programme,school,grade,name,open,special
,naim,grade-1,Morning class,23,2
dora-1,dora,grade-1,Morning class,20,
x,nowhere,grade-1,X,5,
y,naim,grade-9,X,5,
z,naim,grade-1,X,,
w,naim,grade-1,X,many,
"""


def file_of(text: str, encoding: str = "utf-8") -> SimpleUploadedFile:
    return SimpleUploadedFile("rows.csv", text.encode(encoding), "text/csv")


def brought(clerk, address: str, text: str, encoding: str = "utf-8") -> Any:
    """Bring a file in and sign its rows; gives the page that shows the file, and the end."""
    token = token_of(clerk.get(address).content.decode())
    sent = {"csrfmiddlewaretoken": token, "file": file_of(text, encoding)}
    looked = clerk.client.post(address, sent)
    body = looked.content.decode()
    rows = html.unescape(body.partition('aria-label="Rows">')[2].partition("</textarea>")[0])
    fields = {"csrfmiddlewaretoken": token_of(body), "command": command_of(body)}
    answer = clerk.client.post(address, {**fields, "part": "1", "rows": rows})
    return looked, clerk.sign(answer)


def with_rules(clerk) -> None:
    clerk.do(f"{MINISTRY}/new", ROUND_FORM)
    clerk.do(f"{ROUND}/rules", {**RULES, "do": "sign"})


def published(clerk) -> None:
    with_rules(clerk)
    brought(clerk, f"{MINISTRY}/schools/in", SCHOOLS)
    brought(clerk, f"{ROUND}/programmes/in", PROGRAMMES)
    clerk.do(ROUND, {"step": "publish"}, action=f"{ROUND}/step")


def test_a_round_is_prepared_published_and_closed(country, clerk):
    page = clerk.do(f"{MINISTRY}/new", ROUND_FORM)
    said = words_of(page)
    assert "Done, signed and confirmed" in said
    assert "being prepared" in said
    assert "Set the rules." in said
    assert "Publish the round" not in said
    nobody = Visitor(address="192.0.2.9")
    assert nobody.get("/enrolment/rounds/first-2026").status_code == 404
    assert "No round is open now" in words_of(nobody.get("/enrolment/"))

    said = words_of(clerk.do(f"{ROUND}/rules", {**RULES, "do": "sign"}))
    assert "version 1" in said
    assert "Enter the programmes with their seats" in said

    looked, _ = brought(clerk, f"{MINISTRY}/schools/in", SCHOOLS)
    said = words_of(looked)
    assert "2 rows go in" in said
    assert "3 rows are rejected" in said
    assert "Row 4: school: Use small letters" in said
    assert "Row 5: name: Enter one line" in said
    assert "Row 6: The same id stands in row 2" in said

    looked, page = brought(clerk, f"{ROUND}/programmes/in", PROGRAMMES)
    said = words_of(looked)
    assert "2 rows go in" in said
    assert "Row 4: school: There is no such school" in said
    assert "Row 5: grade: The rules have no ages for this grade" in said
    assert "Row 6: open: A programme has a seat at least" in said
    assert "Row 7: open: Enter the seats as a number" in said
    assert "25 seats : Special seats 2, Open seats 23" in words_of(page)

    said = words_of(clerk.get(ROUND))
    assert "Nothing is missing" in said
    assert "2 programmes, 2 schools, 45 seats" in said
    said = words_of(clerk.do(ROUND, {"step": "publish"}, action=f"{ROUND}/step"))
    assert "published" in said
    assert "Close the list" not in said
    assert clerk.get(f"{ROUND}/rules").status_code == 404

    assert "Applying opens Tuesday 10 February 2026, 08:00" in words_of(nobody.get("/enrolment/"))
    CLOCK.at_ms = at_s("2026-03-10T15:00:00+00:00") * 1000
    later = Clerk(address="192.0.2.8")
    later.sign_in(country.clerk)
    said = words_of(later.do(ROUND, {"step": "close"}, action=f"{ROUND}/step"))
    assert "closed, the lottery is to be drawn" in said
    assert f"Root of the list: {EMPTY_ROOT.hex()}" in said


def at_s(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())

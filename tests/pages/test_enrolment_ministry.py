"""A round in the browser, from the ministry's first form to the closed list, as a clerk does it."""

from __future__ import annotations

import html
import re
from datetime import date, datetime
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import translation

from fakes.clinic_desk import Clerk
from fakes.portal import CLOCK, Visitor, command_of, token_of, words_of
from kulla.journal.merkle import EMPTY_ROOT
from kulla.services.enrolment import tables
from kulla.services.enrolment.rounds import prose
from kulla.tower import schools

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
    said = words_of(later.get(ROUND))
    assert "no embassy's secret is in" in said
    assert "kulla enrolment commit first-2026" in said
    answer = later.send(later.get("/enrolment/ministry/new"), f"{ROUND}/step", {"step": "close"})
    assert answer["Location"] == ROUND, "what could never be drawn is not closed"
    a_secret(country)
    said = words_of(later.do(ROUND, {"step": "close"}, action=f"{ROUND}/step"))
    assert "closed, the lottery is to be drawn" in said
    assert f"Root of the list: {EMPTY_ROOT.hex()}" in said


def a_secret(country) -> None:
    """An embassy's commitment, as the lottery's own tests make real ones."""
    named = {"id": "first-2026-vienna", "round": "first-2026", "embassy": "vienna"}
    sealed = {"commitment": b"c" * 32, "escrow": b"e", "statement": b"s", "secret": None}
    rest = {"told_by": "", "evidence": None, "committed": 0, "position": 0}
    country.tower._rows.put(tables.SECRET, {**named, **sealed, **rest})


def at_s(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def press(clerk, fields: dict[str, str], button: str, **more: str) -> str:
    """Press a button of the rules form; gives the page's HTML."""
    page = clerk.send(
        clerk.get(f"{ROUND}/rules"), f"{ROUND}/rules", {**fields, "do": button, **more}
    )
    return str(page.content.decode())


def kinds(page: str, table: str = "p", name: str = "kind") -> list[str]:
    return re.findall(rf'name="{table}\d+-{name}" type="text" value="([^"]*)"', page)


def test_priorities_move_up_and_down_without_a_script_and_nothing_typed_is_lost(country, clerk):
    clerk.do(f"{MINISTRY}/new", ROUND_FORM)
    fields = {**RULES, "p1-title": "Një nevojë <e veçantë>"}
    page = press(clerk, fields, "up-p1")
    assert kinds(page) == ["special-need", "sibling"]
    assert 'value="Një nevojë &lt;e veçantë&gt;"' in page
    assert kinds(press(clerk, fields, "down-p0")) == ["special-need", "sibling"]
    assert kinds(press(clerk, fields, "remove-p0")) == ["special-need"]
    assert kinds(press(clerk, fields, "add-p", **{"new-kind": "staff"})) == [
        "sibling",
        "special-need",
        "staff",
    ]
    assert kinds(press(clerk, fields, "add-o"), "o", "pool") == ["special", "open", ""]
    assert kinds(press(clerk, fields, "add-a"), "a", "grade") == ["grade-1", ""]
    for nothing in ("up-p0", "down-p1", "up-p9", "remove-x1", "keep", "up-p-1", "down-a77"):
        assert kinds(press(clerk, fields, nothing)) == ["sibling", "special-need"], nothing
    assert not [one for one in country.tower.submitted if one.name == "set_rules"]


def test_the_form_says_what_is_wrong_beside_the_field_and_signs_nothing(country, clerk):
    clerk.do(f"{MINISTRY}/new", ROUND_FORM)
    wrong = {
        "p0-kind": "Sib",
        "p1-title": "",
        "o0-priority": "nobody",
        "a0-first": "2020-02-30",
        "choices_max": "many",
    }
    page = clerk.send(
        clerk.get(f"{ROUND}/rules"), f"{ROUND}/rules", {**RULES, **wrong, "do": "sign"}
    )
    assert page.status_code == 422
    body = page.content.decode()
    for field in ("p0-kind", "p1-title", "o0-priority", "a0-first", "choices_max"):
        assert f'href="#{field}"' in body, field
        assert f'id="{field}"' in body, field
    twice = {**RULES, "p1-kind": "sibling", "o1-pool": "closed", "o1-priority": "sibling"}
    body = press(clerk, twice, "sign")
    assert "This stands in the list twice" in body
    assert "Seats that are open to everybody" in body
    assert not [one for one in country.tower.submitted if one.name == "set_rules"]


def test_rules_are_read_in_sentences_before_they_are_signed(country, clerk):
    clerk.do(f"{MINISTRY}/new", ROUND_FORM)
    body = press(clerk, RULES, "look")
    assert "A family names up to 5 programmes" in body
    assert "It is never told to anybody" in body
    answer = clerk.send(clerk.get(f"{ROUND}/rules"), f"{ROUND}/rules", {**RULES, "do": "sign"})
    summary = clerk.summary(answer)
    assert "A special need: It counts at every school." in summary
    assert "Grade 1: Wednesday 1 January 2020 – Thursday 31 December 2020" in summary


def test_days_that_are_wrong_come_back_as_they_were_typed(country, clerk):
    wrong = {**ROUND_FORM, "closes_s": DAYS["opens_s"], "results_s": "soon", "title": ""}
    page = clerk.send(clerk.get(f"{MINISTRY}/new"), f"{MINISTRY}/new", wrong)
    assert page.status_code == 422
    said = words_of(page)
    assert "Enter a day and a time that the calendar has" in said
    assert 'value="soon"' in page.content.decode()
    skipped = {**ROUND_FORM, "closes_s": "2026-03-29T02:30"}  # clocks go from 2 to 3
    page = clerk.send(clerk.get(f"{MINISTRY}/new"), f"{MINISTRY}/new", skipped)
    assert "Enter a day and a time" in words_of(page)


def test_a_prepared_round_gets_other_days_and_a_taken_id_is_said(country, clerk):
    clerk.do(f"{MINISTRY}/new", ROUND_FORM)
    later = {**ROUND_FORM, "title": "Another", "answer_by_s": "2026-04-11T16:00"}
    said = words_of(clerk.do(f"{ROUND}/days", later))
    assert "Saturday 11 April 2026, 16:00" in said
    assert "Another" in said
    page = clerk.do(f"{MINISTRY}/new", {**ROUND_FORM, "title": "A second try"})
    assert "There is a round of this name already" in words_of(page)
    assert 'value="A second try"' in page.content.decode(), "what was typed is not lost"
    assert "did not sign, stands in the form" in words_of(page)
    clerk.do(f"{MINISTRY}/new", {**ROUND_FORM, "round": "second-2026"})
    assert "A second try" not in clerk.get(f"{MINISTRY}/new").content.decode()


def test_what_was_typed_outlives_the_session(country, clerk):
    clerk.do(f"{MINISTRY}/new", ROUND_FORM)
    page = clerk.get(f"{ROUND}/rules")
    mark = re.search(r'name="kept" value="([^"]+)"', page.content.decode())
    assert mark
    clerk.post("/sign-out", {}, form="/check")
    fields = {**RULES, "p0-title": "Një vëlla", "kept": mark[1], "do": "add-a"}
    answer = clerk.post(f"{ROUND}/rules", fields, form="/check")
    assert "sign-in" in answer.content.decode()
    clerk.sign_in(country.clerk)
    assert 'value="Një vëlla"' in clerk.get(f"{ROUND}/rules").content.decode()


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("published", "Then you close the list here"),
        ("closed", "An operator has the lots drawn: kulla enrolment draw first-2026"),
        ("drawn", "Allocate the seats"),
        ("allocated", "Look at the results and open them"),
        ("offered", "Then you can end the round here"),
        ("ended", "Nothing in it changes any more"),
    ],
)
def test_each_state_says_what_the_next_step_is(country, clerk, state, said):
    published(clerk)
    row = country.tower._rows.get(tables.ROUND, "first-2026")
    country.tower._rows.put(tables.ROUND, row | {"state": state})
    assert said in words_of(clerk.get(ROUND))
    assert Visitor(address="192.0.2.9").get("/enrolment/rounds/first-2026").status_code == 200


def test_rules_with_as_many_lines_as_the_form_takes_are_signed(country, clerk):
    clerk.do(f"{MINISTRY}/new", ROUND_FORM)
    many = {**RULES}
    for number in range(2, 15):
        line = {"kind": f"kind-{number}", "title": f"Kind {number}", "where": "anywhere"}
        many |= {f"p{number}-{name}": value for name, value in line.items()}
    for number in range(2, 12):
        pool = {"pool": f"pool-{number}", "title": "P", "priority": f"kind-{number}"}
        many |= {f"o{number}-{name}": value for name, value in pool.items()}
    for number in range(1, 15):
        age = {"grade": f"g{number}", "title": "", "first": "2015-01-01", "last": "2015-12-31"}
        many |= {f"a{number}-{name}": value for name, value in age.items()}
    body = press(clerk, many, "add-p")
    assert 'id="p14-kind"' in body
    assert 'id="p15-kind"' not in body
    assert "version 1" in words_of(clerk.do(f"{ROUND}/rules", {**many, "do": "sign"}))


def test_moved_days_stand_in_public_with_their_reason(country, clerk):
    published(clerk)
    page = clerk.get(f"{ROUND}/days")
    same = {**DAYS, "why": ""}
    answer = clerk.send(page, f"{ROUND}/days", {**same, "closes_s": "2026-03-01T16:00"})
    assert answer.status_code == 422
    said = words_of(answer)
    assert "A published day moves to later only" in said
    assert "Enter one line of text" in said
    moved = {**DAYS, "closes_s": "2026-03-12T16:00", "why": "The site was down for two days."}
    clerk.do(f"{ROUND}/days", moved)
    said = words_of(Visitor(address="192.0.2.9").get("/enrolment/rounds/first-2026"))
    assert "The site was down for two days." in said
    assert "Thursday 12 March 2026, 16:00 (Tirana time, UTC+1), before Tuesday 10 March" in said


def test_a_file_of_windows_comes_in_and_goes_out_as_it_came(country, clerk):
    brought(clerk, f"{MINISTRY}/schools/in", SCHOOLS, "cp1252")
    page = clerk.get(f"{MINISTRY}/schools/out.csv")
    assert page["Content-Type"] == "text/csv; charset=utf-8"
    assert "Shkolla Naim Frashëri" in page.content.decode("utf-8-sig")
    token = token_of(clerk.get(f"{MINISTRY}/schools/in").content.decode())
    sent = {"csrfmiddlewaretoken": token, "file": SimpleUploadedFile("x.csv", page.content)}
    said = words_of(clerk.client.post(f"{MINISTRY}/schools/in", sent))
    assert "0 rows go in. 2 are there already, as they are. 0 rows are rejected." in said


def test_a_file_that_names_no_columns_or_is_none_is_said(country, clerk):
    address = f"{MINISTRY}/schools/in"
    token = token_of(clerk.get(address).content.decode())
    for content in (b"1;2;3\n", b"\x00\x01\x02", b'school,name\n"unclosed'):
        sent = {"csrfmiddlewaretoken": token, "file": SimpleUploadedFile("x.csv", content)}
        answer = clerk.client.post(address, sent)
        assert answer.status_code == 422
        assert "The first row has to name the columns" in words_of(answer)


def test_a_long_file_is_signed_in_parts_that_fit(country, clerk):
    rows = "".join(f"s{n},Shkolla numër {n},Tiranë,Tiranë,Rruga {n}\n" for n in range(1500))
    address = f"{MINISTRY}/schools/in"
    token = token_of(clerk.get(address).content.decode())
    file = SimpleUploadedFile("x.csv", ("school,name,town,county,address\n" + rows).encode())
    looked = clerk.client.post(address, {"csrfmiddlewaretoken": token, "file": file})
    body = looked.content.decode()
    parts = re.findall(r'value="([0-9a-f]{32})">.*?aria-label="Rows">(.*?)</textarea>', body, re.S)
    assert len(parts) > 1
    for command, text in parts:
        fields = {"csrfmiddlewaretoken": token_of(body), "command": command, "part": "1"}
        clerk.sign(clerk.client.post(address, {**fields, "rows": html.unescape(text)}))
    assert "1500 schools" in words_of(clerk.get(f"{MINISTRY}/"))


def test_a_programme_is_added_changed_and_removed(country, clerk):
    with_rules(clerk)
    school = {
        "school": "naim",
        "name": "Naim",
        "town": "Tiranë",
        "county": "Tiranë",
        "address": "A",
    }
    clerk.do(f"{MINISTRY}/schools/new", school)
    twice = clerk.send(clerk.get(f"{MINISTRY}/schools/new"), f"{MINISTRY}/schools/new", school)
    assert "There is a school of this id already" in words_of(twice)
    typed = {"programme": "naim-1", "school": "naim", "grade": "grade-1", "name": "Morning"}
    address = f"{ROUND}/programmes/new"
    page = clerk.do(address, {**typed, "seats-special": "2", "seats-open": "20"})
    assert "22 seats" in words_of(page)
    wrong = {**typed, "programme": "x", "school": "none", "seats-open": "-1"}
    said = words_of(clerk.send(clerk.get(address), address, wrong))
    assert "There is no such school" in said
    assert "Enter the seats as a number" in said
    one = f"{ROUND}/programmes/of/naim-1"
    assert 'value="20"' in clerk.get(one).content.decode()
    assert "25 seats" in words_of(clerk.do(one, {**typed, "seats-open": "25"}))
    assert "No programme fits" in words_of(clerk.do(one, {"remove": "1"}))
    assert clerk.get(one).status_code == 404


def test_a_school_can_be_put_right_after_publication_and_a_programme_not(country, clerk):
    published(clerk)
    school = {"name": "Shkolla e re", "town": "Tiranë", "county": "Tiranë", "address": "A"}
    clerk.do(f"{MINISTRY}/schools/of/naim", school)
    nobody = Visitor(address="192.0.2.9")
    said = words_of(nobody.get("/enrolment/rounds/first-2026/schools/naim"))
    assert "Shkolla e re" in said
    assert clerk.get(f"{ROUND}/programmes/of/dora-1").status_code == 404
    assert "Add a programme" not in words_of(clerk.get(f"{ROUND}/programmes"))


def test_schools_are_found_by_place_grade_and_name(country, clerk):
    published(clerk)
    nobody = Visitor(address="192.0.2.9")
    schools = "/enrolment/rounds/first-2026/schools"
    for query, total in {
        "": 2, "?place=Durrës": 1, "?place=Durrës/Durrës": 1, "?place=Vlorë": 0,
        "?grade=grade-1": 2, "?grade=grade-9": 0, "?q=istria": 1, "?q=naim&place=Durrës": 0,
        "?page=99": 2, "?page=x": 2, "?place=%27%22%3B--": 0,
    }.items():  # fmt: skip
        said = words_of(nobody.get(schools + query))
        expected = "One programme found" if total == 1 else f"{total} programmes found"
        assert expected in said, query
    assert nobody.get(f"{schools}/nothing").status_code == 404


def test_a_round_that_no_quorum_confirmed_is_shown_to_nobody_yet(country, clerk):
    with_rules(clerk)
    brought(clerk, f"{MINISTRY}/schools/in", SCHOOLS)
    brought(clerk, f"{ROUND}/programmes/in", PROGRAMMES)
    country.tower.held = True
    answer = clerk.send(clerk.get(ROUND), f"{ROUND}/step", {"step": "publish"})
    assert clerk.post(answer["Location"], {"demo": "1"}).status_code == 202
    nobody = Visitor(address="192.0.2.9")
    assert nobody.get("/enrolment/rounds/first-2026").status_code == 404
    assert "No round is open now" in words_of(nobody.get("/enrolment/"))
    assert "is being confirmed at this moment" in words_of(clerk.get(ROUND))


def test_a_round_stays_where_it_was_while_a_move_of_its_days_is_being_confirmed(country, clerk):
    published(clerk)
    country.tower.held = True
    moved = {**DAYS, "closes_s": "2026-03-12T16:00", "why": "The site was down."}
    answer = clerk.send(clerk.get(f"{ROUND}/days"), f"{ROUND}/days", moved)
    assert clerk.post(answer["Location"], {"demo": "1"}).status_code == 202
    page = Visitor(address="192.0.2.9").get("/enrolment/rounds/first-2026")
    assert "A change of this round is being confirmed at this moment" in words_of(page)


def test_pages_are_in_albanian_too(country, clerk):
    published(clerk)
    CLOCK.at_ms = at_s("2026-02-12T08:00:00+00:00") * 1000
    besa = Visitor(address="192.0.2.9", language="sq")
    said = words_of(besa.get("/enrolment/"))
    assert "Koha e aplikimit nuk ka kurrë rëndësi" in said
    assert "Aplikoni deri e martë, 10 mars 2026, ora 16:00" in said
    said = words_of(besa.get("/enrolment/rounds/first-2026"))
    assert "Një vëlla ose motër në shkollë : Vlen në atë shkollë." in said
    assert "Klasa 1" in said


def test_the_demo_countrys_priorities_are_said_in_the_readers_language(country):
    said = {}
    for language in ("sq", "en"):
        with translation.override(language):
            rules = schools.rules(date(2026, 3, 1))
            said[language] = [prose.title_of(one) for one in rules.priorities]
    assert "A parent works at the school" in said["en"]
    assert "Një prind punon në shkollë" in said["sq"]
    assert not set(said["sq"]) & set(said["en"])

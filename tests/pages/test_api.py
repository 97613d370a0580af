"""The API: its description, what needs no token, tokens and their limits, and how it says no."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from fakes.accounts import found_staff
from fakes.country import environment
from fakes.device import Device
from fakes.portal import CLOCK, Visitor, command_of, open_portal, words_of
from fakes.program import OPERATOR, Program, issue, revoke
from kulla.kernel.service import Actor

PROBLEM = "application/problem+json"
SLOT_SEARCH = "/api/fhir/Slot?schedule=hoxha-a"


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The problem of an answer, with all that RFC 9457 and our own habit want of it."""
    assert answer.status_code == status, answer.content.decode()
    assert answer["Content-Type"] == PROBLEM
    said = answer.json()
    assert (said["status"], said["code"]) == (status, code)
    assert said["type"] == f"http://localhost/api/#{code}"
    assert said["title"]
    assert said["detail"].endswith(".")
    return said


def test_the_catalogue_is_open_to_every_program(country):
    found = Program().get("/api/services").json()["services"]
    assert found[0]["name"] == "book-an-appointment"
    assert found[0]["begin"] == "http://localhost/appointments/"
    doctors = Program().get("/api/services?q=doctor").json()["services"]
    assert 0 < len(doctors) < len(found)
    albanian = Program().get("/api/services", accept_language="sq-AL,sq;q=0.9,en;q=0.1")
    assert albanian["Content-Language"] == "sq"
    assert albanian.json()["services"][0]["title"] != found[0]["title"]


def test_clinics_and_practitioners_come_in_pages(country):
    program = Program()
    found = program.get("/api/clinics").json()
    assert [one["id"] for one in found["clinics"]] == [
        "poliklinika-8",
        "qsh-kamez",
        "spitali-vlore",
    ]
    assert found["next"] == ""
    first = program.get("/api/clinics?count=2").json()
    assert first["next"] == "qsh-kamez"
    rest = program.get(f"/api/clinics?count=2&after={first['next']}").json()
    assert [one["id"] for one in rest["clinics"]] == ["spitali-vlore"]
    in_town = program.get("/api/clinics?county=Tiranë&town=Kamëz").json()["clinics"]
    assert [one["name"] for one in in_town] == ["Qendra Shëndetësore Kamëz"]
    assert program.get("/api/clinics/qsh-kamez").json() == in_town[0]
    problem(program.get("/api/clinics/none"), 404, "not-found")
    hearts = program.get("/api/practitioners?speciality=Kardiologji").json()["practitioners"]
    assert [one["id"] for one in hearts] == ["leka-d"]
    assert program.get("/api/practitioners/leka-d").json() == hearts[0]
    there = program.get("/api/practitioners?clinic=qsh-kamez&count=1").json()
    assert ([one["id"] for one in there["practitioners"]], there["next"]) == (["gjoka-b"], "")
    problem(program.get("/api/practitioners/none"), 404, "not-found")


def test_free_times_are_those_that_can_be_booked_now(country, ana):
    program = Program()
    day = "/api/slots?practitioner=hoxha-a&first_day=2026-02-03&last_day=2026-02-03"
    free = program.get(day).json()["slots"]
    assert len(free) == 16
    assert free[0] == {
        "id": "hoxha-a-1770102000",
        "practitioner": "hoxha-a",
        "start": "2026-02-03T08:00:00+01:00",
        "end": "2026-02-03T08:20:00+01:00",
        "minutes": 20,
    }
    ana.book(free[0]["id"])
    country.tower.held = True
    country.book(country.citizens[1], free[1]["id"])
    assert ana.get(f"/appointments/slots/{free[2]['id']}").status_code == 200
    left = program.get(day).json()["slots"]
    assert [one["id"] for one in left] == [one["id"] for one in free[3:]]
    CLOCK.at_ms += 24 * 3600_000 + 3 * 3600_000
    assert len(program.get(day).json()["slots"]) < len(left)


def test_days_that_make_no_sense_are_refused_in_words(country):
    program, base = Program(), "/api/slots?practitioner=hoxha-a"
    said = problem(
        program.get(f"{base}&first_day=2026-02-04&last_day=2026-02-03"), 422, "days-backwards"
    )
    assert said["element"] == "last_day"
    problem(program.get(f"{base}&first_day=2026-02-04&last_day=2027-02-03"), 422, "days-too-many")
    problem(program.get(f"{base}&first_day=soon"), 422, "misshapen")
    problem(program.get("/api/slots"), 422, "misshapen")
    assert program.get(f"{base}&first_day=9999-12-31").json()["slots"] == []


def test_witnessing_is_told_to_everybody(country):
    assert Program().get("/api/witnessing").json() == {
        "watermark": 12,
        "size": 12,
        "moved_ms": 1770015600000,
        "quorum": True,
    }
    country.tower.silent = True
    answer = Program().get("/api/witnessing")
    problem(answer, 503, "unavailable")
    assert answer["Retry-After"] == "30"


def test_the_description_names_every_call_and_is_the_page_too(country):
    from django.urls import get_resolver

    described = Program().get("/api/openapi.json").json()
    assert described["openapi"] == "3.1.0"
    assert described["servers"] == [{"url": "http://localhost"}]
    calls = {(method, address) for address, one in described["paths"].items() for method in one}
    routes = get_resolver().url_patterns
    api = next(one for one in routes if str(one.pattern) == "api/")
    addresses = {
        "/api/" + str(one.pattern).replace("<id>", "{id}")
        for one in api.url_patterns
        if one.name not in ("about", "openapi", "nothing")
    }
    assert {address for _, address in calls} == addresses
    assert len(calls) > 15
    for _method, address in calls:
        for one in described["paths"][address].values():
            kind = "fhir+json" if address.startswith("/api/fhir/") else "problem+json"
            assert list(one["responses"]["default"]["content"]) == [f"application/{kind}"]
            assert one["summary"]
    page = Visitor().get("/api/")
    body = page.content.decode()
    for method, address in calls:
        assert f"<strong>{method.upper()}</strong> {address}<" in body
    assert "<script" not in body
    assert len(page.content) < 60_000


def test_only_some_calls_need_a_token_and_each_says_which(country):
    described = Program().get("/api/openapi.json").json()["paths"]
    needed = {
        (method.upper(), address): one.get("x-scope", "")
        for address, methods in described.items()
        for method, one in methods.items()
    }
    assert needed["GET", "/api/fhir/Slot"] == "slots:read"
    assert needed["POST", "/api/fhir/Appointment"] == "appointments:book"
    assert needed["GET", "/api/fhir/Appointment/{id}"] == "appointments:read"
    assert {address for (_, address), scope in needed.items() if not scope} == {
        "/api/services",
        "/api/witnessing",
        "/api/clinics",
        "/api/clinics/{id}",
        "/api/practitioners",
        "/api/practitioners/{id}",
        "/api/slots",
        "/api/fhir/metadata",
    }


def test_what_leads_nowhere_or_takes_another_method_is_a_problem_too(country):
    problem(Program().get("/api/nowhere"), 404, "not-found")
    answer = Program().call("DELETE", "/api/clinics")
    problem(answer, 405, "method")
    assert answer["Allow"] == "GET"
    assert Program().get("/api/fhir/Nothing").json()["resourceType"] == "OperationOutcome"
    big = Program().call("POST", "/api/fhir/Appointment", b"x" * 2_000_000)
    assert (big.status_code, big.json()["resourceType"]) == (413, "OperationOutcome")


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer kulla_x",
        "Bearer kulla_" + "A" * 43,
        "Basic YTpi",
        "Bearer kulla_" + "ë" * 43,
        "Bearer \ud83d".encode("utf-8", "replace").decode(),
        "bearer   kulla_" + "_" * 43,
    ],
)
def test_a_token_that_is_none_is_refused_also_where_none_is_needed(country, header):
    answer = Program().get("/api/clinics", authorization=header)
    said = problem(answer, 401, "token-unknown")
    assert said["remedy"]
    assert answer["WWW-Authenticate"] == 'Bearer realm="kulla", error="invalid_token"'


def test_a_token_has_one_spelling(country):
    token = issue(country, OPERATOR, "slots:read")
    assert Program(token).get(SLOT_SEARCH).status_code == 200
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = [token[:-1] + letter for letter in letters if letter != token[-1]]
    assert {Program(one).get(SLOT_SEARCH).status_code for one in others} == {401}
    assert Program(token.removeprefix("kulla_")).get(SLOT_SEARCH).status_code == 401


def test_a_scope_opens_what_it_says_and_nothing_else(country):
    citizen = Actor("citizen", country.citizens[0])
    reads = Program(issue(country, citizen, "appointments:read"))
    books = Program(issue(country, citizen, "appointments:book"))
    assert reads.get("/api/fhir/Appointment").status_code == 200
    answer = books.get("/api/fhir/Appointment")
    assert answer.status_code == 403
    assert answer["WWW-Authenticate"].endswith('scope="appointments:read"')
    assert reads.book(country.slot()).status_code == 403
    assert reads.get(SLOT_SEARCH).status_code == 403
    assert books.book(country.slot()).status_code == 201
    missing = Program().get("/api/fhir/Appointment")
    assert (missing.status_code, missing["WWW-Authenticate"]) == (401, 'Bearer realm="kulla"')


def test_an_organisations_token_never_acts_for_a_person(country):
    token = issue(country, OPERATOR, "appointments:read", "appointments:book", "slots:read")
    partner = Program(token)
    for answer in (partner.get("/api/fhir/Appointment"), partner.book(country.slot())):
        assert answer.status_code == 403
        assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "no-person"


def test_a_token_counts_once_it_is_confirmed_and_not_after_it_was_taken_back(country):
    country.tower.held = True
    program = Program(issue(country, OPERATOR, "slots:read"))
    assert program.get(SLOT_SEARCH).status_code == 401
    country.tower.let_go()
    assert program.get(SLOT_SEARCH).status_code == 200
    country.tower.held = True  # not witnessed either, and of no use at once all the same
    revoke(country, OPERATOR, program.token)
    assert program.get(SLOT_SEARCH).status_code == 401


def test_no_cookie_counts_and_none_is_set(country, ana):
    browser = ana.client
    assert browser.get("/appointments/mine").status_code == 200
    assert browser.get("/api/fhir/Appointment").status_code == 401
    wish = {"resourceType": "Appointment"}
    posted = browser.post("/api/fhir/Appointment", wish, content_type="application/json")
    assert posted.status_code == 401
    answer = browser.get("/api/clinics?lang=sq")
    assert not answer.cookies
    assert "Cookie" not in answer["Vary"]
    assert answer["Content-Language"] == "en"
    assert answer["Cache-Control"] == "private, no-store"


def test_each_token_has_its_own_pace(country, tmp_path):
    tokens = [issue(country, OPERATOR, "slots:read", number=number) for number in (1, 2)]
    open_portal({**environment(tmp_path), "KULLA_LIMITS": "token=60:3,address=60:2"})
    codes = [Program(tokens[0]).get(SLOT_SEARCH).status_code for _ in range(4)]
    assert codes == [200, 200, 200, 429]
    answer = Program(tokens[0]).get("/api/clinics")
    said = problem(answer, 429, "too-many")
    assert answer["Retry-After"] == "1"
    assert "nothing was done" in said["remedy"]
    assert Program(tokens[1]).get(SLOT_SEARCH).status_code == 200
    stranger = Program(address="192.0.2.51")
    assert [stranger.get("/api/clinics").status_code for _ in range(3)] == [200, 200, 429]
    guesser = Program("kulla_" + "A" * 43, address="192.0.2.52")
    assert [guesser.get("/api/clinics").status_code for _ in range(3)] == [401, 401, 429]
    CLOCK.at_ms += 1000
    assert Program(tokens[0]).get(SLOT_SEARCH).status_code == 200


def test_a_persons_programs_and_pages_share_one_pace(country, tmp_path):
    token = issue(country, Actor("citizen", country.citizens[0]), "appointments:book")
    open_portal({**environment(tmp_path), "KULLA_LIMITS": "acts=6:2"})
    ana = Visitor().sign_in(country.citizens[0])
    assert ana.book(country.slot(days=1)).status_code == 303
    program = Program(token)
    assert program.book(country.slot(days=2)).status_code == 201
    assert program.book(country.slot(days=3)).status_code == 429
    assert ana.book(country.slot(days=3)).status_code == 429


def test_a_fault_of_ours_says_nothing_of_what_was_sent(country, monkeypatch):
    from kulla.services.appointments.fhir import api

    def fails(*_args: object) -> None:
        raise RuntimeError("Ana Prifti")

    monkeypatch.setattr(api.search, "find_slots", fails)
    answer = Program(issue(country, OPERATOR, "slots:read")).get(SLOT_SEARCH)
    assert answer.status_code == 500
    text = answer.content.decode()
    assert "Ana" not in text
    assert json.loads(text)["issue"][0]["code"] == "exception"


def test_the_silent_tower_is_told_as_one(country):
    token = issue(country, Actor("citizen", country.citizens[0]), "appointments:book")
    country.tower.silent = True
    answer = Program(token).book(country.slot())
    assert answer.status_code == 503
    assert answer["Retry-After"] == "30"


def test_nothing_but_the_portal_pays_for_the_api():
    parts = "kulla.tower.scribe_app, kulla.keeper.process, kulla.embassy.server, kulla.cli.main"
    code = (
        f"import sys, {parts}; print([one for one in ('ninja', 'pydantic') if one in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.fixture
def operator(country) -> Visitor:
    """An operator who signed in with their passkey; `device` is it."""
    subject = country.citizens[2]
    device = Device(31)
    device.handle = bytes.fromhex(subject)
    found_staff(country, (subject, "operator", device), (country.clerk, "operator", Device(32)))
    return _as_operator(device)


def _as_operator(device: Device) -> Visitor:
    from fakes.device import options_of

    visitor = Visitor()
    answer = device.answer(options_of(visitor.get("/sign-in/passkey")))
    visitor.post("/sign-in/passkey", {"credential": answer, "next": "/"}, form="/check")
    visitor.device = device  # type: ignore[attr-defined]
    return visitor


def _sign(operator: Visitor, answer: Any) -> Any:
    """Sign what waits, and open the page that follows."""
    from fakes.device import options_of

    assert answer.status_code == 302, answer.content.decode()
    waits = answer["Location"]
    credential = operator.device.answer(options_of(operator.get(waits)))  # type: ignore[attr-defined]
    signed = operator.post(waits, {"credential": credential}, form="/check")
    assert signed.status_code == 303, words_of(signed)
    return operator.get(signed["Location"])


def test_an_operator_issues_a_token_by_signature_and_takes_it_back(country, operator):
    fields = {"name": "Qendra e Kërkimit", "scope": ["slots:read", "appointments:book"]}
    shown = operator.post("/operator/tokens", fields)
    page = shown.content.decode()
    token = page.partition('<p class="panel code">')[2].partition("<")[0]
    assert token.startswith("kulla_")
    assert "opens nothing until you have signed" in words_of(shown)
    assert Program(token).get(SLOT_SEARCH).status_code == 401
    hidden = {
        "command": command_of(page),
        "token_hash": page.partition('name="token_hash" value="')[2].partition('"')[0],
        "name": fields["name"],
        "scope": ["slots:read"],
    }
    waits = operator.post("/operator/tokens/issue", hidden, form="/operator/tokens")
    listed = _sign(operator, waits)
    assert "It is done and confirmed" in words_of(listed)
    assert "Qendra e Kërkimit" in words_of(listed)
    assert token not in listed.content.decode()
    assert Program(token).get(SLOT_SEARCH).status_code == 200
    # What is a person's own is not an operator's to give.
    assert Program(token).get("/api/fhir/Appointment").status_code == 403
    row = country.tower._rows.find("accounts_api_token")[0]
    assert (row["holder"], row["scopes"]) == ("", "slots:read")
    revoking = f"/operator/tokens/{bytes(row['token_hash']).hex()}/revoke"
    assert "Qendra e Kërkimit" in words_of(operator.get(revoking))
    after = _sign(operator, operator.post(revoking, {}))
    assert "taken back" in words_of(after)
    assert Program(token).get(SLOT_SEARCH).status_code == 401
    assert operator.get("/operator/tokens/ab/revoke").status_code == 404


def test_an_operators_form_that_lacks_something_says_so(country, operator):
    answer = operator.post("/operator/tokens", {"name": "", "scope": ["appointments:book"]})
    said = words_of(answer)
    assert answer.status_code == 422
    assert "Say which organisation" in said
    assert "Choose at least one thing" in said


def test_a_citizen_lets_a_program_act_and_takes_it_back(country, ana):
    fields = {"name": "Kalendari im", "scope": ["appointments:read", "appointments:book"]}
    shown = ana.post("/mine/programs", fields)
    token = shown.content.decode().partition('<p class="panel code">')[2].partition("<")[0]
    program = Program(token)
    assert program.book(country.slot()).status_code == 201
    assert country.tower.submitted[-1].actor == Actor("citizen", country.citizens[0])
    listed = ana.get("/mine/programs")
    assert "Kalendari im" in words_of(listed)
    assert token not in listed.content.decode()
    row = country.tower._rows.find("accounts_api_token")[0]
    assert (row["holder"], row["name"]) == (country.citizens[0], "")
    assert b"Kalendari" not in bytes(row["label_sealed"])
    removing = f"/mine/programs/{bytes(row['token_hash']).hex()}/remove"
    assert "Kalendari im" in words_of(ana.get(removing))
    assert "Kalendari im" in words_of(ana.post("/mine/stored", {}))
    assert ana.post(removing, {}).status_code == 303
    assert program.get("/api/fhir/Appointment").status_code == 401
    assert "Kalendari im" not in words_of(ana.get("/mine/programs"))


def test_a_citizens_form_sent_twice_makes_one_token(country, ana):
    page = ana.get("/mine/programs").content.decode()
    fields = {"name": "Kalendari", "scope": ["slots:read"], "command": command_of(page)}
    first = ana.post("/mine/programs", fields)
    second = ana.post("/mine/programs", fields)
    tokens = [
        one.content.decode().partition('<p class="panel code">')[2].partition("<")[0]
        for one in (first, second)
    ]
    assert tokens[0] == tokens[1] != ""
    assert len(country.tower._rows.find("accounts_api_token")) == 1
    empty = ana.post("/mine/programs", {"name": " "})
    assert empty.status_code == 422
    assert "Choose at least one thing" in words_of(empty)


def test_another_citizens_token_is_not_there(country, ana, besim):
    issue(country, Actor("citizen", country.citizens[0]), "slots:read")
    row = country.tower._rows.find("accounts_api_token")[0]
    removing = f"/mine/programs/{bytes(row['token_hash']).hex()}/remove"
    assert ana.get(removing).status_code == 200
    assert besim.get(removing).status_code == 404
    assert besim.get("/mine/programs/zz/remove").status_code == 404

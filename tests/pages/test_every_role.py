"""Every role at every address, and every token at every call of the API: who gets what.

The tables have to name all that the URL conf has: a new page without a row fails here. To add one,
write its row; where its address has a part that no other has, give it a value in fakes/everybody.
"""

# ruff: noqa: E501 - a row of a table is one line, however long its address

from __future__ import annotations

from typing import Any

import pytest

from fakes.everybody import COLUMNS, Everybody, routes, settle_everybody
from fakes.portal import words_of
from fakes.program import FHIR, OPERATOR, PATCH, Program, issue
from kulla.kernel.service import Actor

# yes  the page, or what it says to a form with nothing in it
# in   to the sign-in page       no   403: signed in, but not as somebody who may
# -    404: there is nothing here, or nothing of theirs
# 401  a call that takes no cookies, only a token
#
# Ana has one of everything, and what an address names is hers; Besim is another citizen. Each row
# holds for opening the page and for sending it a form.
PAGES = """
none ana besim clerk oper anal cust
# for everybody
yes yes yes   yes   yes  yes  yes  /appointments/
yes yes yes   yes   yes  yes  yes  /appointments/doctors/<practitioner>
yes yes yes   yes   yes  yes  yes  /
yes yes yes   yes   yes  yes  yes  /empty
yes yes yes   yes   yes  yes  yes  /healthz
yes yes yes   yes   yes  yes  yes  /status
yes yes yes   yes   yes  yes  yes  /services
yes yes yes   yes   yes  yes  yes  /services/<name>
yes yes yes   yes   yes  yes  yes  /check
yes yes yes   yes   yes  yes  yes  /style/<name>.css
yes yes yes   yes   yes  yes  yes  /script/<name>.js
yes yes yes   yes   yes  yes  yes  /icon.svg
yes yes yes   yes   yes  yes  yes  /robots.txt
# signing in and out; no e-ID provider is set up in this country
yes yes yes   yes   yes  yes  yes  /sign-in
yes yes yes   yes   yes  yes  yes  /sign-in/code
yes yes yes   yes   yes  yes  yes  /sign-in/role
yes yes yes   yes   yes  yes  yes  /sign-in/passkey
yes yes yes   yes   yes  yes  yes  /sign-up
in  no  no    yes   yes  yes  no   /passkeys
in  yes yes   yes   yes  yes  no   /passkeys/add
in  no  no    -     -    -    no   /passkeys/<credential>/remove
in  no  no    -     -    -    -    /sign/<pending_id>
yes yes yes   yes   yes  yes  yes  /sign-out
-   -   -     -     -    -    -    /sign-in/e-id
-   -   -     -     -    -    -    /sign-in/e-id/back
-   -   -     -     -    -    -    /sign-in/e-id/link
# a citizen's own
in  yes yes   no    no   no   no   /acts
in  yes yes   no    no   no   no   /messages
in  yes yes   no    no   no   no   /acting
in  yes yes   no    no   no   no   /mine
in  yes yes   no    no   no   no   /mine/preferences
in  yes yes   no    no   no   no   /mine/addresses
in  yes yes   no    no   no   no   /mine/addresses/code
in  yes -     no    no   no   no   /mine/addresses/<token>/remove
in  yes yes   no    no   no   no   /mine/keys
in  yes -     no    no   no   no   /mine/keys/<credential>/remove
in  yes -     no    no   no   no   /mine/e-id/<token>/unlink
in  yes yes   no    no   no   no   /mine/sessions/end
in  yes yes   no    no   no   no   /mine/people
in  yes yes   no    no   no   no   /mine/people/grant
in  yes yes   no    no   no   no   /mine/people/accept
in  yes -     no    no   no   no   /mine/people/<relation>/end
in  yes -     no    no   no   no   /mine/offers/<offer>/withdraw
in  yes yes   no    no   no   no   /mine/programs
in  yes -     no    no   no   no   /mine/programs/<key>/remove
in  yes yes   no    no   no   no   /mine/stored
in  yes -     -     no   no   no   /receipts/<position>
in  yes -     -     no   no   no   /receipts/<position>/file
in  yes -     -     no   no   no   /receipts/<position>/qr.svg
# appointments: Ana's is Ana's alone
in  yes yes   no    no   no   no   /appointments/slots/<slot>
in  yes yes   no    no   no   no   /appointments/mine
in  yes yes   no    no   no   no   /appointments/mine.ics
in  yes -     no    no   no   no   /appointments/<appointment>
in  yes -     no    no   no   no   /appointments/<appointment>.ics
in  yes -     no    no   no   no   /appointments/<appointment>/said
in  yes -     no    no   no   no   /appointments/<appointment>/cancel
in  yes -     no    no   no   no   /appointments/<appointment>/move
in  yes -     no    no   no   no   /appointments/<appointment>/move/<slot>
# the clerk's desk; a visit is only posted, from the pages of a day
in  no  no    yes   no   no   no   /appointments/desk/
in  no  no    yes   no   no   no   /appointments/desk/clinics/<clinic>
in  no  no    yes   no   no   no   /appointments/desk/clinics/<clinic>/to-call
in  no  no    yes   no   no   no   /appointments/desk/doctors/<practitioner>
in  no  no    yes   no   no   no   /appointments/desk/doctors/<practitioner>/week
in  no  no    yes   no   no   no   /appointments/desk/doctors/<practitioner>/walk-in
in  no  no    yes   no   no   no   /appointments/desk/doctors/<practitioner>/close
in  no  no    yes   no   no   no   /appointments/desk/doctors/<practitioner>/hours
in  no  no    yes   no   no   no   /appointments/desk/doctors/<practitioner>/hours/weekly
in  no  no    yes   no   no   no   /appointments/desk/doctors/<practitioner>/hours/day
in  no  no    yes   no   no   no   /appointments/desk/doctors/<practitioner>/hours/publish
in  no  no    yes   no   no   no   /appointments/desk/slots/<slot>
in  no  no    yes   no   no   no   /appointments/desk/people
in  no  no    yes   no   no   no   /appointments/desk/people/new
in  no  no    yes   no   no   no   /appointments/desk/people/<person>
in  no  no    yes   no   no   no   /appointments/desk/people/<person>/number
in  no  no    -     no   no   no   /appointments/desk/visits
in  no  no    yes   no   no   no   /appointments/desk/appointments/<appointment>
in  no  no    yes   no   no   no   /appointments/desk/appointments/<appointment>/cancel
in  no  no    yes   no   no   no   /appointments/desk/appointments/<appointment>/move
# enrolment: results for everybody; without the job's files there is no transcript to take
yes yes yes   yes   yes  yes  yes  /enrolment/rounds/<round_id>/results
-   -   -     -     -    -    -    /enrolment/rounds/<round_id>/transcript.json
# a child's application and result: a family's and, but for the result, a counter's
in  yes yes   no    no   no   no   /enrolment/children
in  yes -     yes   no   no   no   /enrolment/rounds/<round_id>/children/<child>
in  yes -     yes   no   no   no   /enrolment/rounds/<round_id>/children/<child>/enter
in  yes -     yes   no   no   no   /enrolment/rounds/<round_id>/children/<child>/apply
in  yes -     yes   no   no   no   /enrolment/rounds/<round_id>/children/<child>/check
in  yes -     yes   no   no   no   /enrolment/rounds/<round_id>/children/<child>/withdraw
in  yes -     yes   no   no   no   /enrolment/rounds/<round_id>/children/<child>/files
in  yes -     yes   no   no   no   /enrolment/rounds/<round_id>/children/<child>/files/<document>
in  yes -     yes   no   no   no   /enrolment/rounds/<round_id>/children/<child>/files/<document>/remove
in  yes yes   no    no   no   no   /enrolment/results
in  yes -     no    no   no   no   /enrolment/rounds/<round_id>/children/<child>/result
in  yes -     no    no   no   no   /enrolment/rounds/<round_id>/children/<child>/result/answer/<answer>
in  yes -     no    no   no   no   /enrolment/rounds/<round_id>/children/<child>/result/leave/<programme>
in  yes -     no    no   no   no   /enrolment/rounds/<round_id>/children/<child>/result/appeal
in  yes -     no    no   no   no   /enrolment/rounds/<round_id>/children/<child>/result/check
# the counter, which decides claims
in  no  no    yes   no   no   no   /enrolment/rounds/<round_id>/children/<child>/claims/<number>
in  no  no    yes   no   no   no   /enrolment/counter/
in  no  no    yes   no   no   no   /enrolment/counter/<round_id>
# the ministry's results; a round that has not ended has no complementary one
in  no  no    yes   no   no   no   /enrolment/ministry/rounds/<round_id>/results
in  no  no    yes   no   no   no   /enrolment/ministry/rounds/<round_id>/results/step
in  no  no    yes   no   no   no   /enrolment/ministry/rounds/<round_id>/results/audit
in  no  no    yes   no   no   no   /enrolment/ministry/rounds/<round_id>/results/audit.json
in  no  no    yes   no   no   no   /enrolment/ministry/rounds/<round_id>/results/late
in  no  no    -     no   no   no   /enrolment/ministry/rounds/<round_id>/results/complementary
in  no  no    yes   no   no   no   /enrolment/ministry/rounds/<round_id>/results/appeals
in  no  no    yes   no   no   no   /enrolment/ministry/rounds/<round_id>/results/appeals/<appeal>
in  no  no    yes   no   no   no   /enrolment/ministry/rounds/<round_id>/results/classes/<programme>
in  no  no    yes   no   no   no   /enrolment/ministry/rounds/<round_id>/results/classes/<programme>.csv
# enrolment: what everybody may read of rounds
yes yes yes   yes   yes  yes  yes  /enrolment/
yes yes yes   yes   yes  yes  yes  /enrolment/rounds/<round_id>
yes yes yes   yes   yes  yes  yes  /enrolment/rounds/<round_id>/schools
yes yes yes   yes   yes  yes  yes  /enrolment/rounds/<round_id>/schools/<school>
# its lottery, which is not drawn yet
yes yes yes   yes   yes  yes  yes  /enrolment/rounds/<round_id>/lottery
-   -   -     -     -    -    -    /enrolment/rounds/<round_id>/lottery/seed.txt
-   -   -     -     -    -    -    /enrolment/rounds/<round_id>/lottery/proof.json
# the ministry's rounds
in  no  no    yes   no   no   no   /enrolment/ministry/
in  no  no    yes   no   no   no   /enrolment/ministry/new
in  no  no    yes   no   no   no   /enrolment/ministry/schools
in  no  no    yes   no   no   no   /enrolment/ministry/schools/new
in  no  no    yes   no   no   no   /enrolment/ministry/schools/in
in  no  no    yes   no   no   no   /enrolment/ministry/schools/out.csv
in  no  no    yes   no   no   no   /enrolment/ministry/schools/of/<school>
in  no  no    yes   no   no   no   /enrolment/ministry/rounds/<round_id>
in  no  no    yes   no   no   no   /enrolment/ministry/rounds/<round_id>/days
in  no  no    yes   no   no   no   /enrolment/ministry/rounds/<round_id>/step
in  no  no    yes   no   no   no   /enrolment/ministry/rounds/<round_id>/rules
in  no  no    yes   no   no   no   /enrolment/ministry/rounds/<round_id>/programmes
in  no  no    yes   no   no   no   /enrolment/ministry/rounds/<round_id>/programmes/new
in  no  no    yes   no   no   no   /enrolment/ministry/rounds/<round_id>/programmes/in
in  no  no    yes   no   no   no   /enrolment/ministry/rounds/<round_id>/programmes/out.csv
in  no  no    yes   no   no   no   /enrolment/ministry/rounds/<round_id>/programmes/of/<programme>
# operators; a role that nobody has can't be taken
in  no  no    no    yes  no   no   /operator/tokens
in  no  no    no    yes  no   no   /operator/tokens/issue
in  no  no    no    yes  no   no   /operator/tokens/<key>/revoke
in  no  no    no    yes  no   no   /operator/staff
in  no  no    no    yes  no   no   /operator/staff/proposals/<proposal>
in  no  no    no    yes  no   no   /operator/staff/<person>/<role>/propose
in  no  no    no    -    no   no   /operator/staff/<person>/<role>/take
# the API with a browser's cookies, which count for nothing
yes yes yes   yes   yes  yes  yes  /api/
yes yes yes   yes   yes  yes  yes  /api/openapi.json
yes yes yes   yes   yes  yes  yes  /api/services
yes yes yes   yes   yes  yes  yes  /api/witnessing
yes yes yes   yes   yes  yes  yes  /api/clinics
yes yes yes   yes   yes  yes  yes  /api/clinics/<id>
yes yes yes   yes   yes  yes  yes  /api/practitioners
yes yes yes   yes   yes  yes  yes  /api/practitioners/<id>
yes yes yes   yes   yes  yes  yes  /api/slots
yes yes yes   yes   yes  yes  yes  /api/fhir/metadata
401 401 401   401   401  401  401  /api/fhir/Practitioner/<id>
401 401 401   401   401  401  401  /api/fhir/Location/<id>
401 401 401   401   401  401  401  /api/fhir/Schedule/<id>
401 401 401   401   401  401  401  /api/fhir/Schedule
401 401 401   401   401  401  401  /api/fhir/Slot/<id>
401 401 401   401   401  401  401  /api/fhir/Slot
401 401 401   401   401  401  401  /api/fhir/Appointment/<id>
401 401 401   401   401  401  401  /api/fhir/Appointment
-   -   -     -     -    -    -    /api/^.*$
"""

# The same for programs: without a token; an organisation's (slots:read); Ana's and Besim's (all
# scopes); one with which Ana lets a program read her appointments and no more.
# yes  it is done, or refused for what the call says     401  no token     403  not with this token
# -    404: there is nothing here, or nothing of theirs
CALLS = """
none orga ana besim reads
yes  yes  yes yes   yes   GET /api/services
yes  yes  yes yes   yes   GET /api/witnessing
yes  yes  yes yes   yes   GET /api/clinics
yes  yes  yes yes   yes   GET /api/clinics/<id>
yes  yes  yes yes   yes   GET /api/practitioners
yes  yes  yes yes   yes   GET /api/practitioners/<id>
yes  yes  yes yes   yes   GET /api/slots
yes  yes  yes yes   yes   GET /api/fhir/metadata
401  yes  yes yes   403   GET /api/fhir/Practitioner/<id>
401  yes  yes yes   403   GET /api/fhir/Location/<id>
401  yes  yes yes   403   GET /api/fhir/Schedule/<id>
401  yes  yes yes   403   GET /api/fhir/Schedule
401  yes  yes yes   403   GET /api/fhir/Slot/<id>
401  yes  yes yes   403   GET /api/fhir/Slot
401  403  yes -     yes   GET /api/fhir/Appointment/<id>
401  403  yes yes   yes   GET /api/fhir/Appointment
401  403  yes yes   403   POST /api/fhir/Appointment
401  403  yes -     403   PUT /api/fhir/Appointment/<id>
401  403  yes -     403   PATCH /api/fhir/Appointment/<id>
"""
TOKENS = ("none", "orga", "ana", "besim", "reads")
SCOPES = ("slots:read", "appointments:read", "appointments:book")


def _rows(table: str) -> dict[str, list[str]]:
    """What each column may expect, by the address at the end of the row."""
    lines = [line for line in table.strip().splitlines()[1:] if not line.startswith("#")]
    width = len(table.strip().splitlines()[0].split())
    rows = {line.split(maxsplit=width)[width]: line.split()[:width] for line in lines}
    assert len(rows) == len(lines), "an address stands twice"
    return rows


@pytest.fixture(scope="module")
def everybody(tmp_path_factory) -> Everybody:
    return settle_everybody(tmp_path_factory.mktemp("country"))


def test_the_table_has_a_row_for_every_address(everybody):
    assert sorted(_rows(PAGES)) == sorted(routes())


@pytest.mark.parametrize("route", _rows(PAGES))
def test_who_gets_what_at_an_address(everybody, route):
    expected = _rows(PAGES)[route]
    address = everybody.address(route)
    acts = len(everybody.country.tower.submitted)
    opened = [_outcome(everybody.visitor(who).get(address)) for who in COLUMNS]
    assert opened == expected, dict(zip(COLUMNS, opened, strict=True))
    for who, one in zip(COLUMNS, expected, strict=True):
        answer = everybody.visitor(who).post(address, {}, form="/check")
        assert _outcome(answer) in (one, "405"), (who, answer.status_code)
    refused = [who for who, one in zip(COLUMNS, expected, strict=True) if one != "yes"]
    subjects = {everybody.subjects.get(who) for who in refused}
    done = everybody.country.tower.submitted[acts:]
    assert not [one for one in done if one.actor.subject in subjects]


def _outcome(answer: Any) -> str:
    if answer.status_code in (301, 302) and answer["Location"].startswith("/sign-in?next="):
        return "in"
    is_page = answer["Content-Type"].startswith("text/html")
    if answer.status_code == 403:
        assert not is_page or "This page is not open to you" in words_of(answer)
        return "no"
    if answer.status_code == 404:
        assert not is_page or "There is nothing here" in words_of(answer)
        return "-"
    if answer.status_code in (401, 405):
        return str(answer.status_code)
    assert answer.status_code < 500
    return "yes"


@pytest.fixture(scope="module")
def programs(everybody) -> dict[str, Program]:
    """A program with each token."""
    country = everybody.country
    ana, besim = (Actor("citizen", everybody.subjects[who]) for who in ("ana", "besim"))
    return {
        "none": Program(),
        "orga": Program(issue(country, OPERATOR, "slots:read", number=1)),
        "ana": Program(issue(country, ana, *SCOPES, number=2)),
        "besim": Program(issue(country, besim, *SCOPES, number=3)),
        "reads": Program(issue(country, ana, "appointments:read", number=4)),
    }


def test_the_table_has_a_row_for_every_call(everybody):
    described = Program().get("/api/openapi.json").json()["paths"]
    calls = {
        f"{method.upper()} {address.replace('{', '<').replace('}', '>')}"
        for address, methods in described.items()
        for method in methods
    }
    assert set(_rows(CALLS)) == calls


@pytest.mark.parametrize("call", _rows(CALLS))
def test_what_each_token_opens(everybody, programs, call):
    method, _, route = call.partition(" ")
    address = everybody.address(route)
    # What is sent says nothing, so that nothing changes: it is refused by what it lacks, or not
    # even looked at.
    body = {"GET": None, "PATCH": [{"op": "test", "path": "/status", "value": "booked"}]}
    sent = body.get(method, _nothing_new(everybody))
    kind = PATCH if method == "PATCH" else FHIR
    told = []
    for name in TOKENS:
        answer = programs[name].call(method, address, sent, kind)
        assert answer.status_code < 500
        told.append({401: "401", 403: "403", 404: "-"}.get(answer.status_code, "yes"))
    assert told == _rows(CALLS)[call], dict(zip(TOKENS, told, strict=True))


def _nothing_new(everybody: Everybody) -> dict[str, Any]:
    """Ana's appointment as it stands, as a program would send it back."""
    slot = everybody.country.slot()
    return {
        "resourceType": "Appointment",
        "id": everybody.parts["appointment"],
        "status": "booked",
        "slot": [{"reference": f"Slot/{slot}"}],
        "participant": [{"actor": {"display": "Ana"}, "status": "accepted"}],
    }

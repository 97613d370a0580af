"""Appointments as FHIR R4: what is read, found, booked, moved and cancelled."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from fakes.fhir_r4 import faults
from fakes.portal import CLOCK
from fakes.program import FHIR, OPERATOR, Program, issue, wish
from kulla.kernel.service import Actor

OWN = ("appointments:read", "appointments:book")
SLOTS = "/api/fhir/Slot?schedule=Schedule/hoxha-a"


@pytest.fixture
def partner(country) -> Program:
    """An organisation that may read times."""
    return Program(issue(country, OPERATOR, "slots:read"))


@pytest.fixture
def anas(country) -> Program:
    """A program that Ana lets book for her."""
    return Program(issue(country, Actor("citizen", country.citizens[0]), *OWN))


@pytest.fixture
def besims(country) -> Program:
    """A program that Besim lets book for him."""
    return Program(issue(country, Actor("citizen", country.citizens[1]), *OWN))


def resource(answer: Any, status: int = 200) -> dict[str, Any]:
    """The resource of an answer, which R4 must allow."""
    assert answer.status_code == status, answer.content.decode()
    assert answer["Content-Type"] == FHIR
    found = answer.json()
    assert faults(found) == []
    return found


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The issue of an answer that is an OperationOutcome."""
    found = resource(answer, status)
    assert found["resourceType"] == "OperationOutcome"
    issue = found["issue"][0]
    assert issue["details"]["coding"][0]["code"] == code
    assert issue["details"]["text"].endswith((".", ":", "!")), issue
    return issue


def everything(country, partner: Program, anas: Program) -> list[dict[str, Any]]:
    """One of each kind of resource that the server gives."""
    booked = resource(anas.book(country.slot()), 201)
    return [
        booked,
        resource(partner.get("/api/fhir/metadata")),
        resource(partner.get("/api/fhir/Practitioner/hoxha-a")),
        resource(partner.get("/api/fhir/Location/poliklinika-8")),
        resource(partner.get("/api/fhir/Schedule/hoxha-a")),
        resource(partner.get(f"/api/fhir/Slot/{country.slot()}")),
        resource(partner.get("/api/fhir/Schedule")),
        resource(partner.get(SLOTS)),
        resource(anas.get("/api/fhir/Appointment")),
        resource(partner.get("/api/fhir/Slot/none"), 404),
    ]


def test_every_resource_is_one_that_r4_allows(country, partner, anas):
    kinds = [one["resourceType"] for one in everything(country, partner, anas)]
    assert len(set(kinds)) == 8


def test_the_checker_finds_what_r4_does_not_allow(country, partner, anas):
    """Each resource, spoiled at every place: an element gone, misspelt, of another kind."""
    spoiled = 0
    for one in everything(country, partner, anas):
        for name in [name for name in one if name not in ("resourceType", "meta", "id")]:
            worse = copy.deepcopy(one)
            worse[f"{name}s"] = worse.pop(name)
            assert faults(worse), (one["resourceType"], name)
            for nonsense in (None, [], {}, "", 1.5, {"x": 1}):
                worse = copy.deepcopy(one)
                worse[name] = nonsense
                assert faults(worse), (one["resourceType"], name, nonsense)
                spoiled += 1
    assert spoiled > 200
    appointment = {"resourceType": "Appointment", "id": "a", "status": "booked"}
    appointment["participant"] = [{"status": "accepted"}]
    assert {"app-1", "app-3"} <= {fault.split(": ")[1] for fault in faults(appointment)}


def test_the_capability_statement_says_what_is_really_answered(country, partner, anas):
    statement = resource(Program().get("/api/fhir/metadata"))
    assert statement["fhirVersion"] == "4.0.1"
    ids = {
        "Practitioner": "hoxha-a",
        "Location": "poliklinika-8",
        "Schedule": "hoxha-a",
        "Slot": country.slot(),
        "Appointment": resource(anas.book(country.slot()), 201)["id"],
    }
    values = {"schedule": "hoxha-a", "start": "ge2026-02-03", "date": "2026", "status": "free"}
    values |= {"actor": "Practitioner/hoxha-a", "patient": country.citizens[0]}
    methods = {"read": "GET", "search-type": "GET", "create": "POST"}
    methods |= {"update": "PUT", "patch": "PATCH"}
    for one in statement["rest"][0]["resource"]:
        kind = one["type"]
        who = anas if kind == "Appointment" else partner
        said = {interaction["code"] for interaction in one["interaction"]}
        for code, method in methods.items():
            on_type = code in ("search-type", "create")
            address = f"/api/fhir/{kind}" + ("" if on_type else f"/{ids[kind]}")
            answer = who.call(method, address)
            known = answer.status_code not in (404, 405)
            assert known == (code in said), (kind, code, answer.status_code)
        for param in one.get("searchParam", ()):
            query = f"{param['name']}={values[param['name']]}"
            query += "&schedule=hoxha-a" if kind == "Slot" else ""
            strict = who.get(f"/api/fhir/{kind}?{query}", prefer="handling=strict")
            assert resource(strict)["type"] == "searchset"


def test_a_slot_says_how_it_stands(country, partner, anas, ana):
    slot = country.slot()
    free = resource(partner.get(f"/api/fhir/Slot/{slot}"))
    assert free["status"] == "free"
    assert (free["start"], free["end"]) == (
        "2026-02-03T10:00:00+01:00",
        "2026-02-03T10:20:00+01:00",
    )
    assert free["schedule"] == {"reference": "Schedule/hoxha-a"}
    answer = partner.get(f"/api/fhir/Slot/{slot}")
    assert answer["ETag"] == f'W/"{free["meta"]["versionId"]}"'
    country.tower.held = True
    assert anas.book(slot).status_code == 202
    assert resource(partner.get(f"/api/fhir/Slot/{slot}"))["status"] == "busy-tentative"
    country.tower.let_go()
    assert resource(partner.get(f"/api/fhir/Slot/{slot}"))["status"] == "busy"
    past = country.slot(days=0, hour=8)
    CLOCK.at_ms += 2 * 3600_000
    assert resource(partner.get(f"/api/fhir/Slot/{past}"))["status"] == "busy-unavailable"
    other = country.slot(days=2)
    assert ana.get(f"/appointments/slots/{other}").status_code == 200
    assert resource(partner.get(f"/api/fhir/Slot/{other}"))["status"] == "busy-tentative"


def test_slots_are_found_by_schedule_start_and_status(country, partner, anas):
    taken = country.slot(days=1, hour=8)
    anas.book(taken)
    one_day = f"{SLOTS}&start=ge2026-02-03&start=lt2026-02-04"
    found = resource(partner.get(one_day))
    assert found["total"] == 16
    starts = [entry["resource"]["start"] for entry in found["entry"]]
    assert starts == sorted(starts)
    assert {start[:10] for start in starts} == {"2026-02-03"}
    busy = resource(partner.get(f"{one_day}&status=busy"))
    assert [entry["resource"]["id"] for entry in busy["entry"]] == [taken]
    assert resource(partner.get(f"{one_day}&status=free"))["total"] == 15
    assert resource(partner.get(f"{one_day}&status=free,busy"))["total"] == 16
    assert resource(partner.get(f"{one_day}&status=entered-in-error"))["total"] == 0
    two = resource(partner.get(f"{one_day}&schedule=gjoka-b"))
    assert two["total"] == 32


@pytest.mark.parametrize(
    ("start", "total"),
    [
        ("2026-02-03", 16),
        ("eq2026-02-03T08:00:00Z", 1),
        ("2026-02-03T09:00:00%2B01:00", 1),
        ("2026-02-03T09:00:00+01:00", 1),
        ("2026-02-03T09:00", 1),
        ("lt2026-02-03", 11),
        ("le2026-02-03", 27),
        ("eb2026-02-03", 11),
        ("2026-03", 284),
        ("gt2026-04-02", 12),
        ("sa2026-04-02", 12),
        ("ge2026-04-02", 24),
        ("2027", 0),
    ],
)
def test_a_date_is_as_long_as_it_is_written(partner, start, total):
    assert resource(partner.get(f"{SLOTS}&start={start}"))["total"] == total


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "schedule-needed"),
        ("schedule=Practitioner/hoxha-a/", "schedule-needed"),
        ("schedule=" + ",".join(f"s{number}" for number in range(11)), "schedule-needed"),
        ("schedule=hoxha-a&start=tomorrow", "date-misshapen"),
        ("schedule=hoxha-a&start=2026-13", "date-misshapen"),
        ("schedule=hoxha-a&start=2026-02-30", "date-misshapen"),
        ("schedule=hoxha-a&start=9999", "date-misshapen"),
        ("schedule=hoxha-a&start=ne2026", "date-misshapen"),
        ("schedule=hoxha-a&_count=many", "misshapen"),
        ("schedule=hoxha-a&_count=-1", "misshapen"),
        ("schedule=hoxha-a&_page=elsewhere", "page-unknown"),
        ("schedule=hoxha-a&status:not=free", "parameter-unknown"),
    ],
)
def test_a_search_that_can_not_be_read_is_refused(partner, query, code):
    refused(partner.get(f"/api/fhir/Slot?{query}"), 400, code)


def test_names_that_are_not_known_are_ignored_unless_the_client_is_strict(partner):
    query = f"{SLOTS}&start=2026-02-03&colour=red"
    found = resource(partner.get(query))
    assert found["total"] == 16
    assert "colour" not in found["link"][0]["url"]
    refused(partner.get(query, prefer="handling=strict"), 400, "parameter-unknown")


def test_pages_follow_one_another_and_lose_nothing(country, partner, anas):
    query = f"{SLOTS}&start=2026-02-03&_count=5"
    address, seen, pages = query, [], 0
    while address:
        page = resource(partner.get(address))
        assert page["total"] == 16
        links = {link["relation"]: link["url"] for link in page["link"]}
        assert links["self"].startswith("http://localhost/api/fhir/Slot?")
        assert resource(partner.get(links["first"]))["entry"][0]["resource"]["id"] == (
            seen[0] if seen else page["entry"][0]["resource"]["id"]
        )
        seen += [entry["resource"]["id"] for entry in page["entry"]]
        address = links.get("next", "")
        pages += 1
        if pages == 1:  # what is booked meanwhile neither doubles nor hides another
            anas.book(seen[1])
    assert (pages, len(seen), len(set(seen))) == (4, 16, 16)
    none = resource(partner.get(f"{query}&_count=0"))
    assert "entry" not in none
    most = resource(partner.get(f"{SLOTS}&_count=5000"))
    assert len(most["entry"]) == 100


def test_schedules_are_found_by_who_and_where(partner):
    everyone = resource(partner.get("/api/fhir/Schedule"))
    assert everyone["total"] == 3
    by_person = resource(partner.get("/api/fhir/Schedule?actor=Practitioner/leka-d"))
    assert by_person["entry"][0]["resource"]["specialty"] == [{"text": "Kardiologji"}]
    by_place = resource(partner.get("/api/fhir/Schedule?actor=Location/qsh-kamez"))
    assert [entry["resource"]["id"] for entry in by_place["entry"]] == ["gjoka-b"]
    assert resource(partner.get("/api/fhir/Schedule?actor=Device/1"))["total"] == 0
    first = resource(partner.get("/api/fhir/Schedule?_count=2"))
    following = next(link["url"] for link in first["link"] if link["relation"] == "next")
    assert len(resource(partner.get(following))["entry"]) == 1


def test_a_booking_is_done_once_however_often_it_is_sent(country, anas):
    first = anas.book(country.slot(), key="k-1")
    booked = resource(first, 201)
    assert booked["status"] == "booked"
    assert first["Location"] == f"http://localhost/api/fhir/Appointment/{booked['id']}"
    assert booked["meta"]["lastUpdated"] == "2026-02-02T07:00:00.000Z"
    for again in (anas.book(country.slot(), key="k-1"), anas.book(country.slot(), key="k-2")):
        assert resource(again, 201) == booked
    assert resource(anas.book(country.slot()), 201)["id"] == booked["id"]
    assert resource(anas.get("/api/fhir/Appointment"))["total"] == 1
    lost = country.slot(days=2)
    country.tower.lost_answers = 1
    refused(anas.book(lost, key="k-3"), 503, "unavailable")
    assert resource(anas.book(lost, key="k-3"), 201)["status"] == "booked"
    assert resource(anas.get("/api/fhir/Appointment"))["total"] == 2


def test_what_is_not_witnessed_is_pending_and_never_booked(country, anas, besims):
    country.tower.held = True
    answer = anas.book(country.slot(), key="k")
    pending = resource(answer, 202)
    assert pending["status"] == "pending"
    assert {one["status"] for one in pending["participant"]} == {"tentative"}
    assert resource(anas.get(f"/api/fhir/Appointment/{pending['id']}"))["status"] == "pending"
    assert resource(anas.get("/api/fhir/Appointment?status=booked"))["total"] == 0
    assert resource(anas.get("/api/fhir/Appointment?status=pending"))["total"] == 1
    # A refusal that rests on it is not told either.
    refused(besims.book(country.slot()), 202, "waiting")
    country.tower.let_go()
    assert resource(anas.book(country.slot(), key="k"), 201)["status"] == "booked"
    refused(besims.book(country.slot()), 409, "slot-taken")


def test_what_is_said_is_sealed_and_not_read_back(country, anas):
    more = {
        "reasonCode": [{"text": "Dhimbje koke"}],
        "contained": [
            {"resourceType": "Patient", "telecom": [{"system": "phone", "value": "069 123 4567"}]}
        ],
        "comment": "taken and left out",
    }
    booked = resource(anas.book(country.slot(), **more), 201)
    assert not {"reasonCode", "contained", "comment"} & set(booked)
    row = country.tower._rows.get("appointments_appointment", booked["id"])
    sealed = {"reason": row["reason_sealed"], "contact": row["contact_sealed"]}
    opened = country.tower.open(country.citizens[0], sealed, "test")
    assert opened == {"reason": "Dhimbje koke", "contact": "069 123 4567"}


@pytest.mark.parametrize(
    ("more", "status", "code", "element"),
    [
        ({"slot": []}, 422, "misshapen", "Appointment.slot"),
        ({"slot": [{"reference": "Schedule/hoxha-a"}]}, 422, "slot-unknown", "Appointment.slot[0]"),
        ({"slot": [{"reference": "Slot/hoxha-a-1"}]}, 422, "slot-unknown", "Appointment.slot[0]"),
        ({"participant": []}, 422, "misshapen", "Appointment.participant"),
        ({"participant": [{"status": "accepted"}]}, 422, "misshapen", "Appointment.participant[0]"),
        (
            {"participant": [{"status": "yes", "actor": {}}]},
            422,
            "misshapen",
            "Appointment.participant[0].status",
        ),
        (
            {
                "participant": [
                    {"status": "accepted", "actor": {"reference": "Patient/" + "0" * 32}}
                ]
            },
            403,
            "other-person",
            "Appointment.participant[0].actor",
        ),
        ({"status": "fulfilled"}, 422, "status-unfit", "Appointment.status"),
        ({"status": "invented"}, 422, "misshapen", "Appointment.status"),
        ({"resourceType": "Slot"}, 422, "misshapen", "Appointment.resourceType"),
        ({"reasonCodes": []}, 422, "misshapen", "Appointment"),
        ({"start": "2026-02-03T11:00:00+01:00"}, 422, "other-time", "Appointment.start"),
        ({"end": "2026-02-03T10:21:00+01:00"}, 422, "other-time", "Appointment.end"),
        ({"reasonCode": [{"text": "x" * 501}]}, 422, "reason-unfit", "Appointment.reasonCode"),
        (
            {
                "contained": [
                    {"resourceType": "Patient", "telecom": [{"system": "phone", "value": "call"}]}
                ]
            },
            422,
            "phone-unfit",
            "Appointment.contained[0].telecom",
        ),
    ],
)
def test_a_booking_that_does_not_fit_names_the_element(country, anas, more, status, code, element):
    issue = refused(anas.book(country.slot(), **more), status, code)
    assert issue["expression"][0].startswith(element)
    assert not country.tower._rows.find("appointments_appointment")


def test_rules_and_conflicts_are_told_apart(country, anas, besims):
    anas.book(country.slot())
    assert refused(besims.book(country.slot()), 409, "slot-taken")["code"] == "conflict"
    other = country.slot("gjoka-b")
    refused(anas.book(other), 409, "same-time")
    for day in range(2, 15):
        anas.book(country.slot(days=day))
    many = refused(anas.book(country.slot(days=15)), 422, "too-many-upcoming")
    assert many["code"] == "business-rule"
    country.tower.quorum = False
    silent = besims.book(country.slot(days=16))
    assert refused(silent, 503, "no-quorum")["code"] == "transient"
    assert silent["Retry-After"] == "30"


def test_a_time_that_somebody_fills_in_the_form_for_is_not_taken_from_them(country, ana, besims):
    assert ana.get(f"/appointments/slots/{country.slot()}").status_code == 200
    refused(besims.book(country.slot()), 409, "slot-held")
    assert ana.book(country.slot()).status_code == 303


@pytest.mark.parametrize("by", ["PUT", "PATCH"])
def test_an_appointment_is_cancelled(country, anas, by):
    booked = resource(anas.book(country.slot()), 201)
    address = f"/api/fhir/Appointment/{booked['id']}"
    for _twice in range(2):
        if by == "PUT":
            answer = anas.call("PUT", address, {**booked, "status": "cancelled"})
        else:
            steps = [{"op": "replace", "path": "/status", "value": "cancelled"}]
            answer = anas.patch(booked["id"], steps)
        cancelled = resource(answer)
        assert cancelled["status"] == "cancelled"
    assert cancelled["meta"]["versionId"] != booked["meta"]["versionId"]
    assert resource(anas.get("/api/fhir/Appointment?status=cancelled"))["total"] == 1
    assert len([one for one in country.tower.submitted if one.name == "cancel"]) == 1
    refused(anas.call("PUT", address, {**booked, "status": "booked"}), 409, "already-cancelled")


@pytest.mark.parametrize("by", ["PUT", "PATCH"])
def test_an_appointment_is_moved(country, anas, partner, by):
    booked = resource(anas.book(country.slot()), 201)
    other = country.slot(days=2)
    if by == "PUT":
        body = {**booked, "slot": [{"reference": f"Slot/{other}"}]}
        address = f"/api/fhir/Appointment/{booked['id']}"
        refused(anas.call("PUT", address, body), 422, "other-time")
        del body["start"], body["end"]
        answer = anas.call("PUT", address, body)
    else:
        steps = [
            {"op": "test", "path": "/status", "value": "booked"},
            {"op": "replace", "path": "/slot/0/reference", "value": f"Slot/{other}"},
        ]
        answer = anas.patch(booked["id"], steps)
    moved = resource(answer)
    assert moved["slot"] == [{"reference": f"Slot/{other}"}]
    assert moved["start"].startswith("2026-02-04")
    assert resource(partner.get(f"/api/fhir/Slot/{country.slot()}"))["status"] == "free"


def test_a_change_is_refused_where_it_rests_on_an_old_version(country, anas):
    booked = resource(anas.book(country.slot()), 201)
    cancel = [{"op": "replace", "path": "/status", "value": "cancelled"}]
    refused(anas.patch(booked["id"], cancel, if_match='W/"3"'), 412, "changed-since")
    version = f'W/"{booked["meta"]["versionId"]}"'
    assert resource(anas.patch(booked["id"], cancel, if_match=version))["status"] == "cancelled"


@pytest.mark.parametrize(
    ("steps", "status", "code"),
    [
        ([], 422, "patch-unfit"),
        ([{"op": "remove", "path": "/status"}], 422, "misshapen"),
        ([{"op": "replace", "path": "/start", "value": "x"}], 422, "misshapen"),
        ([{"op": "replace", "path": "/status", "value": "fulfilled"}], 422, "status-unfit"),
        ([{"op": "test", "path": "/status", "value": "cancelled"}], 409, "test-failed"),
        (
            [{"op": "replace", "path": "/slot/0/reference", "value": "Slot/none"}],
            422,
            "malformed",
        ),
    ],
)
def test_a_patch_that_does_something_else_is_refused(country, anas, steps, status, code):
    booked = resource(anas.book(country.slot()), 201)
    refused(anas.patch(booked["id"], steps), status, code)
    now = resource(anas.get(f"/api/fhir/Appointment/{booked['id']}"))
    assert now == booked


def test_another_persons_appointment_is_not_there(country, anas, besims):
    booked = resource(anas.book(country.slot()), 201)
    address = f"/api/fhir/Appointment/{booked['id']}"
    cancel = [{"op": "replace", "path": "/status", "value": "cancelled"}]
    theirs = besims.get(address)
    refused(theirs, 404, "not-found")
    assert besims.get("/api/fhir/Appointment/" + "0" * 32).content == theirs.content
    refused(besims.patch(booked["id"], cancel), 404, "not-found")
    refused(besims.call("PUT", address, {**booked, "status": "cancelled"}), 404, "not-found")
    assert resource(besims.get("/api/fhir/Appointment"))["total"] == 0
    patient = f"/api/fhir/Appointment?patient=Patient/{country.citizens[0]}"
    assert resource(besims.get(patient))["total"] == 0
    assert resource(anas.get(patient))["total"] == 1
    body = {**wish(country.slot(days=2)), "id": booked["id"]}
    other = anas.book(country.slot(days=3)).json()["id"]
    refused(anas.call("PUT", f"/api/fhir/Appointment/{other}", body), 400, "other-id")


def test_only_json_is_spoken(country, anas, partner):
    xml = {"accept": "application/fhir+xml"}
    refused(partner.get(SLOTS, **xml), 406, "only-json")
    refused(partner.get(f"{SLOTS}&_format=xml"), 406, "only-json")
    assert partner.get(f"{SLOTS}&_format=json", **xml).status_code == 200
    assert partner.get(f"{SLOTS}&_format=application/fhir%2Bjson", **xml).status_code == 200
    assert partner.get(SLOTS, accept="application/json;q=0.9, text/html").status_code == 200
    body = wish(country.slot())
    answer = anas.call("POST", "/api/fhir/Appointment", body, "text/plain")
    refused(answer, 415, "only-json")
    answer = anas.call("POST", "/api/fhir/Appointment", b"<Appointment/>", FHIR)
    refused(answer, 400, "unreadable")
    booked = resource(anas.call("POST", "/api/fhir/Appointment", body, "application/json"), 201)
    patch = [{"op": "replace", "path": "/status", "value": "cancelled"}]
    address = f"/api/fhir/Appointment/{booked['id']}"
    refused(anas.call("PATCH", address, patch, FHIR), 415, "only-json")

"""Each act says by which session or token it came, and nothing else of it can be learnt."""

from __future__ import annotations

from typing import Any

from fakes.accounts import open_account, register
from fakes.portal import Visitor
from fakes.program import Program, issue
from kulla.kernel.service import Actor
from kulla.portal.bearer import hash_of
from kulla.portal.sessions import SessionStore
from kulla.portal.via import session_mark, token_mark


def _mark(visitor: Visitor) -> bytes:
    return session_mark(SessionStore.hash_of(visitor.client.cookies["kulla"].value))


def _vias(country: Any, name: str) -> list[bytes]:
    return [act.via for act, _ in country.tower._acts if act.name == name]


def test_what_is_done_by_a_session_carries_its_mark(country):
    ana, here, there = country.citizens[0], Visitor(), Visitor(address="192.0.2.2")
    for visitor in (here, there):
        visitor.sign_in(ana)
    assert here.book(country.slot()).status_code == 303
    assert there.book(country.slot(days=2)).status_code == 303
    assert _vias(country, "booked") == [_mark(here), _mark(there)]
    assert _mark(here) != _mark(there)


def test_a_person_sees_the_mark_of_each_of_their_sessions(country):
    ana, visitor = country.citizens[0], Visitor()
    register(country, ana, "Ana Prifti")
    open_account(country, ana)
    visitor.sign_in(ana)
    assert _mark(visitor).hex() in visitor.get("/mine/keys").content.decode()


def test_what_a_program_does_carries_its_tokens_mark(country):
    ana = country.citizens[0]
    token = issue(country, Actor("citizen", ana), "appointments:book", "appointments:read")
    body = {
        "resourceType": "Appointment",
        "status": "booked",
        "slot": [{"reference": f"Slot/{country.slot()}"}],
        "participant": [{"actor": {"reference": f"Patient/{ana}"}, "status": "accepted"}],
    }
    answer = Program(token).call("POST", "/api/fhir/Appointment", body)
    assert answer.status_code == 201, answer.content.decode()
    from base64 import urlsafe_b64decode

    raw = urlsafe_b64decode(token.removeprefix("kulla_") + "=")
    assert _vias(country, "booked") == [token_mark(hash_of(raw))]
    assert len(token_mark(hash_of(raw))) == 8

"""Our rules find in the portal's own log what its pages really wrote there."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import pytest
import structlog.testing

from fakes.accounts import MAIL, open_account, register
from fakes.log_lines import events_of
from fakes.portal import CLOCK, Visitor
from fakes.sigma_oracle import correlates
from kulla.watch.rules import own_rules
from kulla.watch.sources import kulla_log


class Log:
    """What the portal logged, as its lines would be read back."""

    def __init__(self, entries):
        self._entries = entries
        self._read = 0
        self.events = []

    def take(self):
        """Read what came since the last time, as of now by the tests' clock."""
        when = datetime.fromtimestamp(CLOCK.at_ms / 1000, UTC).isoformat()
        for entry in self._entries[self._read :]:
            written = entry | {"timestamp": when, "process": "portal"}
            line = json.dumps(written | {"level": written.pop("log_level")}).encode()
            events, rejects = events_of(kulla_log.read(io.BytesIO(line), "portal.log"))
            assert not rejects
            self.events += [event for _, _, event in events]
        self._read = len(self._entries)


@pytest.fixture
def log(country):
    with structlog.testing.capture_logs() as entries:
        yield Log(entries)


def found(log, file):
    """Names of rules of one of our files that fire on the log."""
    log.take()
    return {fired.rule for fired in correlates(own_rules()[file], log.events)}


@pytest.fixture
def known(country):
    subject = country.citizens[0]
    register(country, subject, "Ana Prifti")
    open_account(country, subject)
    return subject


def _guess(visitor, log, times):
    for _ in range(times):
        if visitor.get("/sign-in/code").status_code != 200:
            CLOCK.at_ms += 601_000  # when the next letter may be asked for
            visitor.post("/sign-in", {"address": MAIL})
        answer = visitor.post("/sign-in/code", {"code": "not it"})
        assert answer.status_code == 422
        log.take()
        CLOCK.at_ms += 10_000


def test_guessing_at_one_persons_codes_is_found_from_many_addresses(country, known, log):
    file = "kulla_portal_guessing_codes.yml"
    for number in range(2):
        visitor = Visitor(address=f"198.51.100.{number}")
        CLOCK.at_ms += 601_000
        visitor.post("/sign-in", {"address": MAIL})
        _guess(visitor, log, 4)
        assert found(log, file) == set()
    last = Visitor(address="198.51.100.9")
    CLOCK.at_ms += 601_000
    last.post("/sign-in", {"address": MAIL})
    _guess(last, log, 2)
    assert found(log, file) == {"kulla_guessing_codes_of_one_person"}
    wrong = [event for event in log.events if event["event"] == "code wrong"]
    assert len({event["source"] for event in wrong}) == 3
    assert len({event["about"] for event in wrong}) == 1


def test_no_log_line_holds_an_address_or_a_name(country, known, log):
    visitor = Visitor(address="198.51.100.7")
    visitor.post("/sign-in", {"address": MAIL})
    _guess(visitor, log, 1)
    visitor.sign_in(known)
    log.take()
    assert {event["event"] for event in log.events} >= {"code wrong", "signed in"}
    written = json.dumps(log.events).lower()
    for personal in ("198.51.100.7", MAIL.lower(), "prifti"):
        assert personal not in written


def test_a_stolen_cookie_beside_its_owner_is_found(country, ana, log):
    file = "kulla_portal_session_theft.yml"
    thief = Visitor(address="203.0.113.66")
    thief.client.cookies["kulla"] = ana.client.cookies["kulla"].value
    ana.get("/appointments/mine")
    ana.get("/appointments/mine")
    assert found(log, file) == set()
    for _ in range(3):
        assert thief.get("/appointments/mine").status_code == 200
        ana.get("/appointments/mine")
        log.take()
        CLOCK.at_ms += 5_000
    assert found(log, file) == {"kulla_session_in_two_places"}


def test_a_telephone_that_changes_networks_once_is_not(country, ana, log):
    ana.client.defaults["REMOTE_ADDR"] = "203.0.113.5"
    ana.get("/appointments/mine")
    assert [e["event"] for e in log._entries].count("session moved") == 1
    assert found(log, "kulla_portal_session_theft.yml") == set()
    assert found(log, "kulla_portal_staff_session_moved.yml") == set()


def test_a_clerks_session_elsewhere_is_found_at_once(country, clerk, log):
    clerk.client.defaults["REMOTE_ADDR"] = "203.0.113.5"
    clerk.get("/")
    assert found(log, "kulla_portal_staff_session_moved.yml") == {"kulla_staff_session_moved"}


def test_who_keeps_many_times_is_found(country, log):
    from kulla.portal.holds import SlotHolds

    holds = SlotHolds(CLOCK)
    for number in range(19):
        holds.take(f"slot-{number}", "hoarder")
        holds.take(f"slot-{number}", "hoarder")
    assert found(log, "kulla_portal_holds_hoarded.yml") == set()
    holds.take("slot-19", "hoarder")
    assert found(log, "kulla_portal_holds_hoarded.yml") == {"kulla_holds_hoarded"}


def test_a_clerk_who_signs_at_night_is_found(country, clerk, log):
    file = "kulla_portal_clerk_out_of_hours.yml"
    form = f"/appointments/desk/people?slot={country.slot()}"
    asked = clerk.send(clerk.get(form), form, {"number": "J50101001A"})
    typed = {"phone": "069 123 4567", "reason": "Dhimbje koke", "identity": "call"}
    page = clerk.get(asked["Location"])
    clerk.sign(clerk.send(page, asked["Location"], typed))
    assert found(log, file) == set()
    (acted,) = (event for event in log.events if event["event"] == "staff acted")
    assert (acted["role"], acted["command"]) == ("clerk", "appointments.book")
    night = acted | {"timestamp": "2026-02-02T23:10:00Z"}
    assert [one.rule for one in correlates(own_rules()[file], [acted, night])] == [
        "kulla_clerk_out_of_hours"
    ]

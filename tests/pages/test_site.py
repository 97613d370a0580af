"""What holds for the whole site: headers, sizes, error pages, settings, and a tower that fails."""

from __future__ import annotations

import re
import runpy
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from structlog.testing import capture_logs

from fakes.country import environment
from fakes.portal import Visitor, open_portal, words_of
from kulla.portal import configuration
from kulla.portal import settings as settings_module
from kulla.portal.configuration import Misconfigured, read_configuration

PAGES = (
    "/",
    "/status",
    "/check",
    "/sign-in",
    "/nowhere",
    "/appointments/",
    "/appointments/?place=&speciality=",
    "/appointments/doctors/hoxha-a",
    "/appointments/mine",
)
SIZE_MAX = 60 * 1024


@pytest.mark.parametrize("address", PAGES)
@pytest.mark.parametrize("language", ["sq", "en"])
def test_every_page_is_small_strict_and_without_script(country, ana, address, language):
    answer = ana.get(f"{address}{'&' if '?' in address else '?'}lang={language}")
    policy = answer["Content-Security-Policy"]
    assert policy == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"
    assert "camera=()" in answer["Permissions-Policy"]
    assert answer["Cache-Control"] == "private, no-store"
    assert "Strict-Transport-Security" not in answer
    page = answer.content.decode()
    assert len(answer.content) < SIZE_MAX
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=|http-equiv", page, re.IGNORECASE)
    assert len(re.findall("<h1", page)) == 1


def test_the_style_sheet_is_small_and_kept_for_ever(country):
    page = Visitor().get("/").content.decode()
    address = re.search(r'rel="stylesheet" href="([^"]+)"', page)[1]
    sheet = Visitor().get(address)
    assert sheet["Cache-Control"] == "public, max-age=31536000, immutable"
    assert len(sheet.content) < 20 * 1024
    assert Visitor().get("/style/0123456789abcdef.css").status_code == 404
    assert Visitor().get("/icon.svg")["Content-Type"] == "image/svg+xml"


def test_behind_tls_cookies_are_bound_to_the_host_and_hsts_is_sent(country, tmp_path, monkeypatch):
    monkeypatch.setenv("KULLA_TLS", "1")
    values = runpy.run_path(settings_module.__file__)
    assert values["SESSION_COOKIE_NAME"] == "__Host-kulla"
    assert values["CSRF_COOKIE_NAME"] == "__Host-kulla-form"
    assert values["SESSION_COOKIE_SECURE"] is values["CSRF_COOKIE_SECURE"] is True
    assert values["DEBUG"] is False
    open_portal({**environment(tmp_path), "KULLA_TLS": "1"})
    assert "max-age=63072000" in Visitor().get("/")["Strict-Transport-Security"]


@pytest.mark.parametrize("host", ["evil.example", "localhost:80:80", ""])
def test_another_host_is_a_bad_request(country, host):
    answer = Visitor().get("/", HTTP_HOST=host)
    assert answer.status_code == 400 if host else 200
    if host:
        assert "We could not read this request" in words_of(answer)
        assert "nothing was lost" in words_of(answer)


def test_too_many_fields_are_a_bad_request(country, ana):
    fields = {f"field{number}": "x" for number in range(260)}
    answer = ana.post("/check", fields)
    assert answer.status_code == 400


def test_health_says_how_far_acts_are_witnessed(country):
    size = country.tower.witnessing().size
    said = Visitor().get("/healthz").json()
    assert (said["status"], said["watermark"], said["size"]) == ("ok", size, size)
    country.tower.quorum = False
    answer = Visitor().get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (200, "no-quorum")
    country.tower.silent = True
    assert Visitor().get("/healthz").status_code == 503


def test_the_status_page_says_in_plain_words_whether_acts_are_witnessed(country, ana):
    assert "Yes. Everything is witnessed" in words_of(Visitor().get("/status"))
    assert "Of these 4, 3 must hold an act" in words_of(Visitor().get("/status"))
    country.tower.held = True
    ana.book(country.slot())
    assert "One act is on its way to the embassies" in words_of(Visitor().get("/status"))
    country.tower.quorum = False
    assert "Nothing new can be confirmed right now" in words_of(Visitor().get("/status"))
    assert "Nothing new can be confirmed right now" in words_of(Visitor().get("/"))
    country.tower.silent = True
    assert "The registers don't answer" in words_of(Visitor().get("/status"))


def test_a_standbys_site_says_that_it_takes_nothing(country, monkeypatch):
    monkeypatch.setattr(settings, "KULLA", replace(settings.KULLA, standby=True))
    country.tower.quorum = False
    for address in ("/", "/status"):
        words = words_of(Visitor().get(address))
        assert "Nothing new is taken at this site" in words
        assert "Too few embassies answer" not in words


def test_a_silent_tower_says_that_nothing_confirmed_is_lost(country, ana):
    country.tower.silent = True
    for address in ("/appointments/doctors/hoxha-a", "/appointments/mine"):
        answer = ana.get(address)
        assert answer.status_code == 503
        assert answer["Retry-After"] == "30"
        assert "Whatever was confirmed to you before is safe" in words_of(answer)


def test_registers_that_are_not_there_are_said_so(country, ana, tmp_path):
    variables = {**environment(tmp_path), "KULLA_REGISTERS": str(tmp_path / "none")}
    open_portal(variables)
    assert ana.get("/appointments/mine").status_code == 503
    assert not (tmp_path / "none").exists()


def test_a_fault_of_ours_is_logged_by_place_and_shown_by_number(country, ana, monkeypatch):
    def fail():
        raise RuntimeError("the reason was: a secret of Ana's")

    monkeypatch.setattr(country.tower, "witnessing", fail)
    with capture_logs() as logs:
        answer = ana.get("/appointments/mine")
    assert answer.status_code == 500
    assert "Something went wrong on our side" in words_of(answer)
    assert logs[0]["error"] == "RuntimeError"
    assert logs[0]["page"] == "appointments:mine"
    assert logs[0]["reference"] in answer.content.decode()
    for told in (repr(logs), answer.content.decode()):
        assert "secret" not in told
        assert country.citizens[0] not in told


def test_the_last_page_comes_whatever_is_broken(country, monkeypatch):
    from django.test import RequestFactory

    from kulla.portal import errors

    monkeypatch.setattr(errors, "render", None)
    answer = errors.server_error(RequestFactory().get("/"))
    assert answer.status_code == 500
    assert "Asgjë nuk humbi" in answer.content.decode()


def test_a_page_can_not_write_a_register(country):
    from django.db import OperationalError, connections

    from kulla.portal.databases import RegistersAreReadOnly
    from kulla.services.appointments.models import Clinic

    with pytest.raises(RegistersAreReadOnly):
        Clinic(id="x", name="x", town="x", county="x", address="x", position=0).save()
    with pytest.raises(RegistersAreReadOnly):
        Clinic.objects.all().delete()
    cursor = connections["default"].cursor()
    with pytest.raises(OperationalError, match="readonly"):
        cursor.execute("DELETE FROM appointments_clinic")
    cursor.execute("PRAGMA query_only=0")
    with pytest.raises(OperationalError, match="readonly"):
        cursor.execute("DELETE FROM appointments_clinic")


def test_the_yardstick_is_there_only_for_the_bench(country, tmp_path):
    assert Visitor().get("/empty").content == b""
    open_portal({**environment(tmp_path), "KULLA_BENCH": "0"})
    assert Visitor().get("/empty").status_code == 404


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"KULLA_DEMO": "yes"}, "KULLA_DEMO"),
        ({"KULLA_LIMITS": "acts=1"}, "KULLA_LIMITS"),
        ({"KULLA_LIMITS": "acts=0:1"}, "KULLA_LIMITS"),
        ({"KULLA_LIMITS": "other=1:1"}, "KULLA_LIMITS"),
    ],
)
def test_a_setting_that_can_not_be_read_is_named(variables, place):
    with pytest.raises(Misconfigured) as caught:
        read_configuration(variables)
    assert caught.value.place == place
    assert caught.value.remedy


@pytest.mark.parametrize(
    "missing",
    [
        "KULLA_REGISTERS",
        "KULLA_SESSIONS",
        "KULLA_RUN",
        "KULLA_SECRET_KEY_FILE",
        "KULLA_POLICY_FILE",
        "KULLA_DEMO_PEOPLE",
    ],
)
def test_a_portal_without_a_setting_does_not_start(tmp_path, missing):
    variables = environment(tmp_path)
    del variables[missing]
    with pytest.raises(Misconfigured) as caught:
        configuration.check(read_configuration(variables))
    assert caught.value.place == missing


def test_a_portal_without_its_secret_does_not_start(country, tmp_path):
    for content in ("short", None):
        secret = tmp_path / "secret"
        secret.unlink() if content is None else secret.write_text(content)
        with pytest.raises(Misconfigured, match="secret key"):
            open_portal(environment(tmp_path))


@pytest.mark.parametrize(
    "rows",
    ["", "{}", '[{"subject": "a"}]', "[1]", '[{"subject": "a", "name": "b", "role": "king"}]'],
)
def test_made_up_people_that_can_not_be_read_are_named(tmp_path, rows):
    from kulla.portal.demo import read_people

    path = Path(tmp_path) / "people.json"
    path.write_text(rows)
    if rows == "{}":
        assert read_people(path) == {}
        return
    with pytest.raises(Misconfigured):
        read_people(path)


def test_a_second_tower_is_refused(country):
    from kulla.portal import edge

    with pytest.raises(edge.EdgeFault):
        edge.install(country.tower)

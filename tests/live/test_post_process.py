"""The post as a process of a running tower: real mail, killed where it hurts, one at a time."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.demo import running_demo
from fakes.mail_server import MailServer
from kulla.kernel.edges import SystemClock, SystemEntropy
from kulla.kernel.service import Actor, Command
from kulla.portal.letters import Envelope, Letter
from kulla.tower.edge import HomeEdge
from kulla.tower.home import Home
from kulla.tower.minder import Child
from kulla.tower.post.app import post_state
from kulla.tower.takeover.recover import take_over
from kulla.tower.up import DemoPlan, Tower, demo_tower

pytestmark = [pytest.mark.live]
MAIL = '\n[mail]\nhost = "localhost"\nport = {port}\nsecurity = "none"\nfrom = "k@example.al"\n'


@pytest.fixture(scope="module")
def server() -> Iterator[MailServer]:
    with MailServer() as running:
        yield running


@pytest.fixture(scope="module")
def country(
    tmp_path_factory: pytest.TempPathFactory, server: MailServer
) -> Iterator[tuple[DemoPlan, Tower]]:
    folder = tmp_path_factory.mktemp("post")

    def with_mail(plan: DemoPlan) -> Tower:
        tower = demo_tower(plan)
        with (plan.home.folder / "home.toml").open("a") as settings:
            settings.write(MAIL.format(port=server.port))
        return tower

    with running_demo(folder, make=with_mail) as running:
        yield running


@pytest.fixture
def person(country: tuple[DemoPlan, Tower]) -> str:
    """A citizen with an account and a mail address of their own, made for one test."""
    edge = HomeEdge(country[0].home)
    [(subject, key)] = edge.enrol(1)
    mail = f"{subject}@example.al"
    sealed = edge.seal(subject, {"name": "Ana Prova", "mail": mail})
    citizen = Actor("citizen", subject)
    register = {"subject": subject, "name": sealed["name"], "key": key}
    _ask(edge, citizen, "citizens", "register", register, (key,))
    token = edge.token("mail", mail)
    opening = {"subject": subject, "mail": sealed["mail"], "mail_token": token, "language": "en"}
    _ask(edge, citizen, "accounts", "open", opening)
    return subject


def _ask(
    edge: HomeEdge, actor: Actor, service: str, name: str, data: dict, names: tuple = ()
) -> None:
    command = Command(service, name, SystemEntropy().random_bytes(16), actor, data, names)
    answer = edge.submit(command, 30)
    assert answer.status == "accepted", answer


def _book(plan: DemoPlan, subject: str, number: int) -> None:
    with sqlite3.connect(f"file:{plan.home.registers}?mode=ro", uri=True) as registers:
        sql = "SELECT id FROM appointments_slot WHERE state = 'free' ORDER BY starts_s DESC"
        slot = registers.execute(sql).fetchall()[number][0]
    edge = HomeEdge(plan.home)
    data = {"slot": slot, "reason": None, "contact": None}
    _ask(edge, Actor("citizen", subject), "appointments", "book", data)


def _post(tower: Tower) -> Child:
    [child] = [child for child in tower.minder.children if child.spec.name == "post"]
    return child


def _recorded(plan: DemoPlan, subject: str) -> list[tuple[str, str]]:
    with sqlite3.connect(f"file:{plan.home.registers}?mode=ro", uri=True) as registers:
        sql = "SELECT kind, state FROM messages_message WHERE subject = ?"
        return registers.execute(sql, (subject,)).fetchall()


def _until(true: Callable[[], object], limit_s: float = 40.0) -> None:
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s:
        if true():
            return
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")


def _letters_to(server: MailServer, subject: str) -> list[str]:
    return [m["Message-ID"] for m in server.mails() if m["To"] == f"{subject}@example.al"]


def test_a_booking_is_confirmed_by_mail(
    country: tuple[DemoPlan, Tower], server: MailServer, person: str
) -> None:
    plan, _ = country
    _book(plan, person, 0)
    _until(lambda: _recorded(plan, person) == [("booked", "sent")])
    assert len(_letters_to(server, person)) == 1
    _until(lambda: post_state(plan.home, SystemClock().now_ms()) is not None)
    openings = (plan.home.keeper / "openings.log").read_text()
    assert '"post"' in openings
    assert "letter: booked" in openings


def test_the_post_killed_between_sending_and_recording_repeats_the_letter_once(
    country: tuple[DemoPlan, Tower], server: MailServer, person: str
) -> None:
    plan, tower = country
    child = _post(tower)

    def kill() -> None:
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)

    server.on_call, server.script[:] = kill, ["call"]
    _book(plan, person, 30)
    _until(lambda: len(_letters_to(server, person)) == 1)
    _until(lambda: child.pid is None)
    assert _recorded(plan, person) == []
    _until(child.mind)
    _until(lambda: _recorded(plan, person) == [("booked", "sent")])
    letters = _letters_to(server, person)
    assert len(letters) == 2
    assert len(set(letters)) == 1


def test_a_code_of_the_portal_goes_out(country: tuple[DemoPlan, Tower], server: MailServer) -> None:
    plan, _ = country
    once = os.urandom(32)
    now_ms = SystemClock().now_ms()
    letter = Letter("mail", "code@example.al", "418 203", "Kodi juaj: 418 203", now_ms)
    sealed = Envelope(plan.home.django_key.read_text().strip()).seal(letter, once, os.urandom(12))
    with sqlite3.connect(plan.home.sessions, timeout=10) as rows:
        rows.execute(
            "INSERT INTO letter VALUES (?, 'mail', ?, ?, 'waiting', ?, 0, '')",
            (once, sealed, now_ms, now_ms),
        )
    _until(lambda: any(m["To"] == "code@example.al" for m in server.mails()), 10)


def test_a_second_post_on_the_same_home_does_not_start(country: tuple[DemoPlan, Tower]) -> None:
    plan, _ = country
    command = [sys.executable, "-m", "kulla", "post", "serve", str(plan.home.folder)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "another process sends this home's letters" in ended.stderr


def test_its_log_names_nobody(country: tuple[DemoPlan, Tower]) -> None:
    plan, _ = country
    text = (plan.folder / "logs" / "post.log").read_text()
    assert "@" not in text
    assert "Traceback" not in text
    assert Path(plan.home.run_folder() / "post.lock").exists()


def test_a_new_home_sends_what_the_old_one_did_not_and_nothing_else(
    country: tuple[DemoPlan, Tower], server: MailServer, person: str, tmp_path: Path
) -> None:
    plan, tower = country
    _book(plan, person, 60)
    _until(lambda: _recorded(plan, person) == [("booked", "sent")])
    for child in tower.minder.children:
        if child.spec.name == "post" and child.pid is not None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait_stopped(SystemClock().monotonic_s() + 5)
    _book(plan, person, 90)
    before = {m["Message-ID"] for m in server.mails()}
    for child in tower.minder.children:
        if child.spec.name in ("keeper", "scribe", "portal") and child.pid is not None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait_stopped(SystemClock().monotonic_s() + 5)
    (plan.kit / "home.toml").write_bytes((plan.home.folder / "home.toml").read_bytes())
    (plan.kit / "mail.password").write_bytes(b"sekret\n")
    shutil.rmtree(plan.home.folder)
    new = Home(tmp_path / "home")
    take_over(plan.kit, new.folder, port=plan.port, reason="a test wiped it")
    assert (new.folder / "keys" / "mail.password").read_text() == "sekret\n"
    site = Tower(new, tmp_path / "logs")
    seen = len(server.mails())
    try:
        site.start()
        _until(lambda: len(server.mails()) > seen)
        time.sleep(3)
    finally:
        site.end()
    [letter] = server.mails()[seen:]
    assert letter["To"] == f"{person}@example.al"
    assert letter["Message-ID"] not in before

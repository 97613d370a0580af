"""Single checks of `kulla doctor`, each with its fault planted.

A whole country is looked at by test_begin_a_country.py.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fakes.certificates import make_certificate, served
from fakes.signers import MadeUpTower, SeededEntropy
from fakes.tls_proxy import TlsProxy
from kulla.journal.policy_file import Embassy
from kulla.kernel.edges import SystemClock
from kulla.registers.sqlite import LiveRows, create_tables, open_registers
from kulla.tower.doctor import country as doctor_country
from kulla.tower.doctor import embassies as doctor_embassies
from kulla.tower.doctor import examination as doctor
from kulla.tower.doctor import rounds as doctor_rounds
from kulla.tower.doctor import site as doctor_site
from kulla.tower.doctor.findings import Finding, Patient
from kulla.tower.home import Home
from kulla.tower.init import Beginning, begin
from kulla.tower.post.app import STATE
from kulla.tower.services import register_tables

pytestmark = pytest.mark.live
SOON_S = 3.0


class SayingEmbassy:
    """Answers /healthz and /policy as a test tells it to; `late_s` shifts its Date."""

    def __init__(self) -> None:
        self.version, self.policy, self.late_s, self.silent = 1, b"", 0.0, False
        embassy = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                embassy.answer(self)

            def date_time_string(self, timestamp: float | None = None) -> str:
                return formatdate(time.time() - embassy.late_s, usegmt=True)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Say what is to be said."""
        health = json.dumps({"policy_version": self.version}).encode()
        body = self.policy if request.path == "/policy" else health
        request.send_response(503 if self.silent else 200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def close(self) -> None:
        """Let go of the port."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def embassies() -> Iterator[list[SayingEmbassy]]:
    with ExitStack() as stack:
        made = [SayingEmbassy() for _ in range(4)]
        for each in made:
            stack.callback(each.close)
        yield made


@pytest.fixture
def patient(tmp_path: Path, embassies: list[SayingEmbassy]) -> Patient:
    """A home that began, with its kit taken away; nothing of it runs."""
    paper = MadeUpTower().unsigned_policy.embassies
    named = [
        Embassy(one.name, one.key, each.url, one.statement_key)
        for one, each in zip(paper, embassies, strict=True)
    ]
    home = Home(tmp_path / "srv" / "home")
    beginning = Beginning(
        tower="sherbime.example.al",
        relying_party="localhost",
        public_url="https://localhost:1",
        bind="127.0.0.1",
        port=1,
        demo=False,
        embassies=named,
    )
    home.folder.parent.mkdir()
    begin(home, tmp_path / "kit", beginning, SeededEntropy(1))
    home.folder.chmod(0o700)
    for each in embassies:
        each.policy = home.policy_file.read_bytes()
    return Patient(home, home.settings(), home.policy(), SystemClock(), SOON_S)


def _state(findings: Iterator[Finding], check: str = "") -> str:
    """The worst state of the findings (of one check)."""
    found = [finding for finding in findings if check in ("", finding.check)]
    for finding in found:
        assert finding.says
        assert (finding.state == "fine") == (not finding.do), finding
    return max((f.state for f in found), key=["fine", "warning", "broken"].index)


def _said(findings: Iterator[Finding]) -> str:
    return " ".join(finding.says for finding in findings)


def test_a_folder_that_is_no_home_is_said_to_be_none(tmp_path: Path) -> None:
    findings = doctor.examine(Home(tmp_path), SystemClock())
    assert doctor.worst(findings) == 2
    assert findings[-1].check == "home"


def test_a_policy_that_somebody_changed_is_no_home(patient: Patient) -> None:
    file = patient.home.policy_file
    file.write_bytes(file.read_bytes().replace(b"127.0.0.1", b"127.0.0.2", 1))
    findings = doctor.examine(patient.home, SystemClock())
    assert doctor.worst(findings) == 2
    assert [finding.check for finding in findings] == ["python", "home"]


def test_two_of_three_would_not_do(patient: Patient) -> None:
    assert _state(doctor._policy(patient)) == "fine"
    three = MadeUpTower(n=3, k=2).policy
    assert (three.n, three.quorum_k) == (3, 2)
    assert _state(doctor._policy(replace(patient, policy=three))) == "warning"


@pytest.mark.parametrize(
    ("free", "state"), [(1 << 20, "broken"), (5 << 30, "warning"), (1 << 40, "fine")]
)
def test_a_disk_that_fills(
    patient: Patient, monkeypatch: pytest.MonkeyPatch, free: int, state: str
) -> None:
    usage = shutil._ntuple_diskusage(1 << 42, 1, free)  # type: ignore[attr-defined]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert _state(doctor._disk(patient)) == state


def test_a_home_in_memory_is_no_home(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _state(doctor._durable(patient)) in ("fine", "warning")
    assert not list(patient.home.folder.glob(".doctor-*"))
    memory = Path("/dev/shm")
    if doctor._filesystem(memory) == "tmpfs":
        assert _state(doctor._durable(replace(patient, home=Home(memory)))) == "broken"
    monkeypatch.setattr(doctor, "_fsync_s", lambda _: 5e-6)
    assert _state(doctor._durable(patient)) == "warning"


@pytest.mark.parametrize("name", ["keys/log.key", "keeper/master.key", "keys/journal.key", ""])
def test_a_key_that_others_may_read(patient: Patient, name: str) -> None:
    assert _state(doctor._modes(patient)) == "fine"
    path = patient.home.folder / name
    path.chmod(0o755 if path.is_dir() else 0o644)
    [found] = doctor._modes(patient)
    assert found.state == "broken"
    assert str(path) in found.do


def test_keys_of_custodians_near_the_home(patient: Patient, tmp_path: Path) -> None:
    assert _state(doctor._custodians(patient)) == "fine"
    kit = patient.home.folder.parent / "kit"
    shutil.copytree(tmp_path / "kit", kit)
    assert "on this machine" in _said(doctor._custodians(patient))
    assert _state(doctor._custodians(replace(patient, kit=kit))) == "fine"
    shutil.rmtree(kit)
    hidden = patient.home.folder / "keeper" / "old.key"
    hidden.write_bytes((tmp_path / "kit" / "custodians" / "custodian-2.key").read_bytes())
    assert "in the home" in _said(doctor._custodians(patient))


@pytest.mark.parametrize(
    ("url", "party", "state"),
    [
        ("https://sherbime.example.al", "sherbime.example.al", "fine"),
        ("https://portal.sherbime.example.al", "sherbime.example.al", "fine"),
        ("https://sherbime.example.com", "sherbime.example.al", "broken"),
        ("https://mysherbime.example.al", "sherbime.example.al", "broken"),
        ("http://sherbime.example.al", "sherbime.example.al", "broken"),
        ("https://localhost:1", "localhost", "warning"),
    ],
)
def test_the_name_that_passkeys_are_bound_to(
    patient: Patient, url: str, party: str, state: str
) -> None:
    settings = replace(patient.settings, public_url=url)
    policy = replace(patient.policy, relying_party=party)
    looked_at = replace(patient, settings=settings, policy=policy)
    assert _state(doctor._address(looked_at)) == state


def test_a_demo_country_is_no_country(patient: Patient) -> None:
    assert _state(doctor._demo(patient)) == "fine"
    demo = replace(patient, settings=replace(patient.settings, demo=True))
    assert _state(doctor._demo(demo)) == "broken"
    patient.home.demo_people.write_text("[]")
    assert _state(doctor._demo(patient)) == "broken"


@pytest.mark.parametrize(
    ("name", "days", "trusting", "state"),
    [
        ("localhost", 90, True, "fine"),
        ("localhost", 10, True, "warning"),
        ("localhost", -1, True, "broken"),
        ("elsewhere.example", 90, True, "broken"),
        ("localhost", 90, False, "broken"),
    ],
)
def test_the_certificate(
    patient: Patient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    days: int,
    trusting: bool,
    state: str,
) -> None:
    certificate = make_certificate(tmp_path, name=name, days=days)
    if trusting:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with TlsProxy(served(certificate), 1) as proxy:
        settings = replace(patient.settings, public_url=proxy.url)
        assert _state(doctor_site.certificate(replace(patient, settings=settings))) == state
    assert _state(doctor_site.certificate(patient)) == "broken", "nobody is at port 1"


@pytest.mark.parametrize(
    ("header", "state"),
    [
        ("max-age=63072000; includeSubDomains", "fine"),
        ("max-age=0", "broken"),
        ("max-age=x", "broken"),
        ("", "broken"),
    ],
)
def test_browsers_are_told_to_come_by_https(header: str, state: str) -> None:
    assert doctor_site._strict_transport(header).state == state


@pytest.mark.parametrize(
    ("environment", "bind", "words"),
    [
        ({}, "127.0.0.1", "all visitors look like one"),
        ({"KULLA_PROXIES": "127.0.0.1"}, "127.0.0.1", "believed from 127.0.0.1 alone"),
        ({"KULLA_PROXIES": "127.0.0.1"}, "0.0.0.0", "people may come past the proxy"),
        (None, "127.0.0.1", "can't be seen"),
    ],
)
def test_whom_the_portal_believes(
    patient: Patient,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str] | None,
    bind: str,
    words: str,
) -> None:
    monkeypatch.setattr(doctor_site, "portal_environment", lambda _: environment)
    settings = replace(patient.settings, bind=bind)
    assert words in _said(doctor_site.proxy(replace(patient, settings=settings)))


def test_mail_that_is_not_set_up_or_does_not_answer(patient: Patient) -> None:
    assert _state(doctor_site.mail(patient)) == "broken"
    with (patient.home.folder / "home.toml").open("a") as settings:
        settings.write('\n[mail]\nhost = "127.0.0.1"\nport = 1\nfrom = "k@example.al"\n')
    assert "does not answer" in _said(doctor_site.mail(patient))


def test_embassies_that_agree(patient: Patient) -> None:
    found = list(doctor_embassies.embassies(patient))
    states = {finding.check: finding.state for finding in found}
    assert {states["quorum"], states["pins"], states["clock"]} == {"fine"}


def _silence(embassies: list[SayingEmbassy]) -> None:
    embassies[0].silent = embassies[1].silent = True


def _one_silence(embassies: list[SayingEmbassy]) -> None:
    embassies[0].silent = True


def _newer(embassies: list[SayingEmbassy]) -> None:
    embassies[2].version = 2


def _older(embassies: list[SayingEmbassy]) -> None:
    embassies[2].version = 0


def _other(embassies: list[SayingEmbassy]) -> None:
    embassies[2].policy = b"another file"


def _late(embassies: list[SayingEmbassy], seconds: float = 20) -> None:
    for each in embassies[1:]:
        each.late_s = seconds


def _early(embassies: list[SayingEmbassy]) -> None:
    _late(embassies, -20)


def _hours_late(embassies: list[SayingEmbassy]) -> None:
    _late(embassies, 7200)


def _one_wrong_clock(embassies: list[SayingEmbassy]) -> None:
    embassies[0].late_s = 9_000


@pytest.mark.parametrize(
    ("fault", "check", "state"),
    [
        (_one_silence, "quorum", "fine"),
        (_silence, "quorum", "broken"),
        (_newer, "pins", "broken"),
        (_older, "pins", "warning"),
        (_other, "pins", "broken"),
        (_late, "clock", "warning"),
        (_early, "clock", "warning"),
        (_hours_late, "clock", "broken"),
        (_one_wrong_clock, "clock", "fine"),
    ],
)
def test_embassies_that_do_not_agree(
    patient: Patient,
    embassies: list[SayingEmbassy],
    fault: Callable[[list[SayingEmbassy]], None],
    check: str,
    state: str,
) -> None:
    fault(embassies)
    assert _state(doctor_embassies.embassies(patient), check) == state


def test_staff_that_could_not_act(patient: Patient) -> None:
    assert _state(doctor_country.staff(patient)) == "broken", "no registers"
    rows = open_registers(patient.home.registers, create=True)
    assert _state(doctor_country.staff(patient)) == "broken", "registers of an older release"
    create_tables(rows, register_tables())
    assert "nobody is an operator" in _said(doctor_country.staff(patient))
    _grant(rows, "a" * 32)
    assert "there is one operator" in _said(doctor_country.staff(patient))
    _grant(rows, "b" * 32)
    assert _state(doctor_country.staff(patient)) == "warning", "without passkeys"
    for subject in ("a" * 32, "b" * 32):
        rows.execute(
            "INSERT INTO accounts_passkey VALUES (?, ?, x'', NULL, '', 0, 0, 0)",
            (f"passkey of {subject}", subject),
        )
    assert _state(doctor_country.staff(patient)) == "fine"
    rows.close()


def _grant(rows: sqlite3.Connection, subject: str) -> None:
    rows.execute(
        "INSERT INTO accounts_role VALUES (?, ?, 'operator', 0, 0)",
        (f"{subject}:operator", subject),
    )


@pytest.mark.parametrize(
    ("row", "secrets", "state", "says"),
    [
        ({"state": "published"}, 0, "warning", "0 of 4 embassies hold a secret"),
        ({"state": "published"}, 4, "fine", "no round waits"),
        ({"state": "published", "closes_s": 86_400}, 0, "broken", "0 of 4 embassies"),
        ({"state": "published", "closes_s": 86_400}, 1, "warning", "1 of 4 embassies"),
        ({"state": "published", "closes_s": -7_200}, 4, "warning", "its list is not closed"),
        ({"state": "closed", "closes_s": -60}, 0, "broken", "it can't be drawn"),
        ({"state": "closed", "closes_s": -60}, 2, "warning", "its lottery is not drawn"),
        ({"state": "drawn"}, 4, "fine", "no round waits"),
        ({"state": "drawn", "results_s": -1}, 4, "warning", "it is not allocated"),
        ({"state": "allocated", "results_s": -1}, 4, "warning", "families don't see them"),
        ({"state": "offered"}, 4, "fine", "no round waits"),
        ({"state": "ended"}, 4, "fine", "no round is under way"),
    ],
)
def test_a_round_of_enrolment_whose_next_step_is_late(
    patient: Patient, row: dict[str, Any], secrets: int, state: str, says: str
) -> None:
    """Instants are told from now on, in seconds."""
    assert list(doctor_rounds.rounds(patient)) == [], "no registers"
    now_s = patient.clock.now_ms() // 1000
    days = {"closes_s": 30 * 86_400, "results_s": 40 * 86_400} | row
    told = {
        name: value + now_s if isinstance(value, int) else value for name, value in days.items()
    }
    with closing(open_registers(patient.home.registers, create=True)) as connection:
        tables = register_tables()
        create_tables(connection, tables)
        rows = LiveRows(connection, tables)
        blank = {column.name: None for column in rows_of(tables, "enrolment_round")}
        blank |= {"id": "r26", "title": "", "school_year": "", "zone": "", "parent": ""}
        whole = {name: 0 if value is None else value for name, value in blank.items()}
        rows.put("enrolment_round", whole | told)
        for number in range(secrets):
            columns = rows_of(tables, "enrolment_secret")
            empty = {column.name: b"" if column.kind == "bytes" else 0 for column in columns}
            named = {"id": f"r26-{number}", "round": "r26", "embassy": "", "told_by": ""}
            rows.put("enrolment_secret", empty | named)
    found = list(doctor_rounds.rounds(patient))
    assert [finding.state for finding in found] == [state]
    assert says in found[0].says
    assert bool(found[0].do) == (state != "fine")


def rows_of(tables: Any, name: str) -> Any:
    """The columns of a table."""
    return next(table.columns for table in tables if table.name == name)


def test_a_post_that_is_in_trouble_or_gone(patient: Patient) -> None:
    assert _state(doctor_country.processes(patient), "post") == "broken"
    file = patient.home.run_folder() / STATE
    quiet = {"waiting": 0, "trouble": ""}
    state = {"at_ms": SystemClock().now_ms(), "codes": quiet, "messages": quiet, "mail": True}
    file.write_text(json.dumps(state))
    assert _state(doctor_country.processes(patient), "post") == "fine"
    file.write_text(json.dumps(state | {"codes": {"waiting": 3, "trouble": "login-535"}}))
    found = list(doctor_country.processes(patient))
    assert "3 letters wait; the mail server can't be used (login-535)" in _said(iter(found))
    file.write_text(json.dumps(state | {"at_ms": state["at_ms"] - 60_000}))
    assert _state(doctor_country.processes(patient), "post") == "broken"


def test_a_scribe_that_is_silent(patient: Patient) -> None:
    assert _state(doctor_country.watermark(patient)) == "broken"


def test_the_exit_code_is_that_of_the_worst() -> None:
    one = Finding("a", "fine", "b")
    assert doctor.worst([]) == doctor.worst([one]) == 0
    assert doctor.worst([one, Finding("a", "warning", "b", "c")]) == 1
    assert doctor.worst([Finding("a", "broken", "b", "c"), one]) == 2

"""The staff of a real country begins with `kulla staff found`; that of the demo is made with it."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fakes.authenticator import Authenticator
from fakes.demo import free_ports, running_demo
from kulla.cli.main import main
from kulla.kernel.edges import SystemEntropy
from kulla.kernel.service import Actor, Command
from kulla.kernel.tower import Answer
from kulla.services.accounts.demo_passkey import DemoPasskey
from kulla.tower.edge import HomeEdge
from kulla.tower.takeover.recover import rebuild_for_looking
from kulla.tower.up import DemoPlan, Tower, demo_tower

pytestmark = pytest.mark.live


def _command(actor: Actor, service: str, name: str, /, **data: object) -> Command:
    return Command(service, name, SystemEntropy().random_bytes(16), actor, data)  # type: ignore[arg-type]


def _done(edge: HomeEdge, command: Command) -> Answer:
    answer = edge.submit(command, 30)
    assert answer.status == "accepted", answer
    return answer


def _kulla(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DemoPlan, HomeEdge]]:
    """A country that runs and has nobody and nothing in it yet."""
    first = free_ports(6)
    folder = tmp_path_factory.mktemp("new") / "d"
    plan = DemoPlan(folder, port=first, embassy_port=first + 1)
    tower = demo_tower(plan)
    try:
        tower.start()
        yield plan, HomeEdge(plan.home)
    finally:
        tower.end()


def _join(edge: HomeEdge, name: str, mail: str, passkey: Authenticator | None) -> str:
    """Sign up as a citizen and add a passkey, as the portal's pages do."""
    [(subject, key)] = edge.enrol(1)
    actor = Actor("citizen", subject)
    sealed = edge.seal(subject, {"name": name, "mail": mail, "label": "my phone"})
    register = _command(
        actor, "citizens", "register", subject=subject, name=sealed["name"], key=key
    )
    _done(edge, replace(register, names=(key,)))
    token = edge.token("mail", mail)
    opening = {"subject": subject, "mail": sealed["mail"], "mail_token": token, "language": "sq"}
    _done(edge, _command(actor, "accounts", "open", **opening))
    if passkey:
        given = {"credential": passkey.credential, "public_key": passkey.public_key}
        more = {"label": sealed["label"], "transports": "usb", "backed_up": False}
        _done(edge, _command(actor, "accounts", "add_passkey", **given, **more))
    return subject


def test_a_new_country_gets_its_staff(new: tuple[DemoPlan, HomeEdge], tmp_path: Path) -> None:
    plan, edge = new
    home, origin = plan.home.folder, f"http://localhost:{plan.port}"
    keys = [Authenticator(number, "ES256", "localhost", origin) for number in range(2)]
    ana = _join(edge, "Ana Prifti", "ana@example.al", keys[0])
    ben = _join(edge, "Ben Kodra", "ben@example.al", keys[1])
    cen = _join(edge, "Cen Duka", "cen@example.al", None)
    assert "Nobody has a role" in _kulla("staff", "list", "--home", home).output

    found = ("staff", "found", "--home", home, "--yes", "--operator", "Ana@Example.AL")
    for more, said in (
        ((), "at least two operators"),
        (("--operator", "nobody@example.al"), "Let them sign up"),
        (("--operator", "no mail"), "Let them sign up"),
        (("--operator", "cen@example.al"), "no passkey yet"),
        (("--operator", "ana@example.al"), "named twice"),
    ):
        result = _kulla(*found, *more)
        assert (result.exit_code, said in result.output) == (1, True), result.output
    asked = CliRunner().invoke(
        main, [str(word) for word in (*found, "--operator", "ben@example.al") if word != "--yes"]
    )
    assert asked.exit_code == 1
    assert "Ana Prifti" in asked.output
    assert "Aborted" in asked.output

    result = _kulla(*found, "--operator", "ben@example.al")
    assert result.exit_code == 0, result.output
    assert "has begun: 2 people" in result.output
    listed = json.loads(_kulla("staff", "list", "--home", home, "--json").output)
    assert {(one["name"], one["role"]) for one in listed} == {
        ("Ana Prifti", "operator"),
        ("Ben Kodra", "operator"),
    }
    assert {one["subject"] for one in listed} == {ana, ben}
    assert "operator: Ana Prifti, since" in _kulla("staff", "list", "--home", home).output
    again = _kulla(*found, "--operator", "ben@example.al")
    assert "has a staff" in again.output

    wish = _command(Actor("operator", ana), "accounts", "propose_role", subject=cen)
    wish = replace(wish, data={"subject": ben, "role": "clerk", "add": True})
    assert edge.submit(wish, 30).code == "not-signed"
    proposed = replace(wish, assertion=keys[0].sign(wish.key()))
    _done(edge, proposed)
    report = rebuild_for_looking(tmp_path / "look.sqlite", plan.kit, {})
    assert (report["cases"], report["acts"]) == (0, edge.witnessing().size)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DemoPlan, Tower]]:
    with running_demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


def test_the_demos_people_have_accounts_and_its_staff_sign(demo: tuple[DemoPlan, Tower]) -> None:
    plan, _ = demo
    path = plan.home.demo_people
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((plan.kit / "demo-staff.json").stat().st_mode) == 0o600
    rows = json.loads(path.read_text())
    mails = [row["mail"] for row in rows]
    assert len(set(mails)) == len(rows)
    assert all(mail.isascii() and mail.endswith("@demo.example") for mail in mails)
    assert sum(row["role"] == "operator" for row in rows) == 2
    edge = HomeEdge(plan.home)
    clerk = next(row for row in rows if row["role"] == "clerk")
    passkey = DemoPasskey.of(clerk)
    assert passkey is not None
    [(subject, key)] = edge.enrol(1)
    data = {"subject": subject, "name": edge.seal(subject, {"name": "X"})["name"], "key": key}
    command = _command(Actor("clerk", clerk["subject"]), "citizens", "register", **data)
    command = replace(command, names=(key,))
    assert edge.submit(command, 30).code == "not-signed"
    other = next(DemoPasskey.of(row) for row in rows if row["role"] == "operator")
    assert other is not None
    origin = f"http://localhost:{plan.port}"
    stolen = other.sign(command.key(), "localhost", origin)
    assert edge.submit(replace(command, assertion=stolen), 30).code == "bad-signature"
    signed = passkey.sign(command.key(), "localhost", origin)
    _done(edge, replace(command, assertion=signed))
    nobody = _command(Actor("operator", "demo"), "appointments", "open_clinic")
    assert edge.submit(nobody, 30).code == "no-role"

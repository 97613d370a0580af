"""[mail] of home.toml: what is understood, what is refused and where, where the password lies."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from kulla.tower.home import Home, HomeBroken
from kulla.tower.post.mail_settings import PASSWORD_SETTING, mail_settings
from kulla.tower.takeover.recover import at_port

OWN = 'tower = "t"\nport = 8000\npublic_url = "https://t.example"\n'
MAIL = '\n[mail]\nhost = "smtp.example.al"\nfrom = "Shërbimet <s@example.al>"\n'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.delenv(PASSWORD_SETTING, raising=False)
    (tmp_path / "keys").mkdir()
    return Home(tmp_path)


def _write(home: Home, mail: str) -> None:
    (home.folder / "home.toml").write_text(OWN + mail)


def test_mail_that_is_not_set_up_is_nothing(home: Home) -> None:
    _write(home, "")
    assert mail_settings(home) is None


@pytest.mark.parametrize(
    ("more", "port", "security"),
    [
        ("", 587, "starttls"),
        ('security = "tls"', 465, "tls"),
        ('security = "starttls"\nport = 2525', 2525, "starttls"),
    ],
)
def test_ports_and_tls_are_chosen_well(home: Home, more: str, port: int, security: str) -> None:
    _write(home, MAIL + more)
    found = mail_settings(home)
    assert found is not None
    assert (found.port, found.security, found.user, found.password) == (port, security, "", "")


@pytest.mark.parametrize(
    ("mail", "named"),
    [
        ('[mail]\nhost = "x.al"\n', "[mail]"),
        (MAIL + 'password = "hunter2"', "[mail]"),
        (MAIL + 'security = "none"', "security"),
        (MAIL + 'security = "ssl"', "security"),
        (MAIL + "port = 70000", "port"),
        (MAIL + 'port = "587"', "port"),
        (MAIL.replace("Shërbimet <s@example.al>", "a@x.al, b@x.al"), "from"),
        (MAIL.replace("Shërbimet <s@example.al>", "nobody"), "from"),
        (MAIL.replace('"smtp.example.al"', '""'), "host"),
    ],
)
def test_what_can_not_be_used_is_named(home: Home, mail: str, named: str) -> None:
    _write(home, mail)
    with pytest.raises(HomeBroken) as caught:
        mail_settings(home)
    assert named in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_server_on_this_machine_needs_no_tls(home: Home) -> None:
    _write(home, MAIL.replace("smtp.example.al", "127.0.0.1") + 'security = "none"\nport = 25')
    assert mail_settings(home) is not None


def test_the_password_is_in_a_file_for_its_owner_or_in_the_environment(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(home, MAIL + 'user = "kulla"')
    with pytest.raises(HomeBroken, match="can't be read"):
        mail_settings(home)
    file = home.folder / "keys" / "mail.password"
    file.write_text("sekret\n")
    file.chmod(0o640)
    with pytest.raises(HomeBroken, match="0640"):
        mail_settings(home)
    file.chmod(0o600)
    found = mail_settings(home)
    assert found is not None
    assert found.password == "sekret"
    monkeypatch.setenv(PASSWORD_SETTING, "tjetër")
    found = mail_settings(home)
    assert found is not None
    assert found.password == "tjetër"


def test_a_takeover_changes_the_portal_s_port_and_no_other() -> None:
    text = at_port(OWN + MAIL + "port = 2525\n", 9000)
    values = tomllib.loads(text)
    assert (values["port"], values["mail"]["port"]) == (9000, 2525)
    assert tomllib.loads(at_port(OWN, 9000))["port"] == 9000
    assert at_port(OWN, 8000) == OWN

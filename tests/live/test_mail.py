"""Mail over a real SMTP server on loopback: what it takes, refuses, and leaves in the dark."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from fakes.certificates import make_certificate, served, trusted
from fakes.mail_server import MailServer
from kulla.kernel.letters import CarrierDown, Never, NotCarried, NotNow, Outgoing
from kulla.tower.post.letter_folder import KEPT, FolderCarrier
from kulla.tower.post.mail import MailSettings, SmtpCarrier

pytestmark = pytest.mark.live
LETTER = Outgoing("a" * 32, "ana@example.al", "Takimi juaj", "Përshëndetje\n.\nE dyta\n", "sq", 0)


def _carrier(server: MailServer, **more: object) -> SmtpCarrier:
    fields = {"host": "localhost", "port": server.port, "security": "none", **more}
    tls = fields.pop("tls", None)
    settings = MailSettings(sender="Shërbimet <sherbime@example.al>", **fields)  # type: ignore[arg-type]
    return SmtpCarrier(settings, "sherbime.example.al", timeout_s=5, tls=tls)  # type: ignore[arg-type]


def _code(carrier: SmtpCarrier, kind: type[NotCarried], letter: Outgoing = LETTER) -> str:
    with pytest.raises(kind) as caught:
        carrier.carry(letter)
    assert type(caught.value) is kind
    assert letter.address not in str(caught.value)
    return caught.value.code


def test_a_letter_arrives_as_it_was_written() -> None:
    with MailServer() as server:
        _carrier(server).carry(LETTER)
        [mail] = server.mails()
    assert server.envelopes == [("sherbime@example.al", ["ana@example.al"])]
    assert mail["Message-ID"] == f"<{'a' * 32}@sherbime.example.al>"
    assert mail["To"] == "ana@example.al"
    assert mail["From"] == "Shërbimet <sherbime@example.al>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Content-Language"] == "sq"
    assert mail["Date"].datetime == datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    assert mail.get_content().replace("\r\n", "\n") == LETTER.body


def test_letters_share_a_line_and_a_line_that_was_closed_is_opened_again() -> None:
    with MailServer() as server:
        carrier = _carrier(server)
        carrier.carry(LETTER)
        first = carrier._server
        carrier.carry(LETTER)
        assert carrier._server is first
        assert first is not None
        assert first.sock is not None
        first.sock.shutdown(2)
        carrier.carry(LETTER)
        carrier.close()
        carrier.carry(LETTER)
        assert len(server.taken) == 4


@pytest.mark.parametrize(
    ("word", "kind", "code"),
    [
        ("450", NotNow, "refused-450"),
        ("421", CarrierDown, "refused-421"),
        ("550", Never, "refused-550"),
        ("530", CarrierDown, "refused-530"),
        ("data-451", NotNow, "refused-451"),
        ("data-554", Never, "refused-554"),
        ("hang-up", NotNow, "hung-up"),
        ("cut", NotNow, "hung-up"),
    ],
)
def test_each_no_is_understood_and_the_next_letter_goes(
    word: str, kind: type[NotCarried], code: str
) -> None:
    with MailServer(word) as server:
        carrier = _carrier(server)
        assert _code(carrier, kind) == code
        carrier.carry(LETTER)
        assert len(server.taken) == (2 if word == "hang-up" else 1)
        assert len({mail["Message-ID"] for mail in server.mails()}) == 1


@pytest.mark.parametrize(
    "address",
    ["ana@example.al, ben@example.al", "ana", "", "ana@example.al>\r\nRCPT TO:<b@x.al", "@x.al"],
)
def test_what_is_no_single_address_goes_nowhere(address: str) -> None:
    letter = Outgoing("b" * 32, address, "s", "b", "sq", 0)
    with MailServer() as server:
        with pytest.raises(Never):
            _carrier(server).carry(letter)
        assert server.taken == []


def test_an_address_with_letters_of_its_own_needs_a_server_that_knows_them() -> None:
    letter = Outgoing("b" * 32, "çlirim@example.al", "s", "b", "sq", 0)
    with MailServer() as server:
        _carrier(server).carry(letter)
        assert server.envelopes[0][1] == ["çlirim@example.al"]
    with MailServer(utf8=False) as server:
        assert _code(_carrier(server), Never, letter) == "no-smtputf8"


def test_a_wrong_password_is_nobody_s_letter_s_fault() -> None:
    with MailServer(login=("kulla", "right")) as server:
        assert _code(_carrier(server, user="kulla", password="wrong"), CarrierDown) == "login-535"
        assert _code(_carrier(server), CarrierDown) == "sender-530"
        _carrier(server, user="kulla", password="right").carry(LETTER)
        assert len(server.taken) == 1


def test_nobody_at_the_port_is_a_carrier_that_is_down() -> None:
    with MailServer() as server:
        carrier = _carrier(server)
    assert _code(carrier, CarrierDown) == "unreachable"


@pytest.mark.parametrize(("security", "at_once"), [("starttls", False), ("tls", True)])
def test_tls_is_spoken_and_the_certificate_is_looked_at(
    tmp_path: Path, security: str, at_once: bool
) -> None:
    certificate = make_certificate(tmp_path)
    with MailServer(tls=served(certificate), at_once=at_once) as server:
        client = trusted(certificate)
        _carrier(server, security=security, tls=client).carry(LETTER)
        assert len(server.taken) == 1
        assert _code(_carrier(server, security=security), CarrierDown) == "certificate"
        other = _carrier(server, security=security, tls=client, host="127.0.0.1")
        assert _code(other, CarrierDown) == "certificate"
        assert len(server.taken) == 1


def test_without_starttls_no_letter_goes_in_the_clear() -> None:
    with MailServer() as server:
        assert _code(_carrier(server, security="starttls"), CarrierDown) == "no-starttls"
        assert server.taken == []


def test_the_demo_country_s_folder_holds_one_file_a_letter(tmp_path: Path) -> None:
    carrier = FolderCarrier(tmp_path / "mail", "k@example.al", "d.example")
    carrier.carry(LETTER)
    carrier.carry(LETTER)
    [file] = (tmp_path / "mail").iterdir()
    assert file.name == "a" * 32 + ".eml"
    assert b"Message-ID: <" + b"a" * 32 + b"@d.example>" in file.read_bytes()
    for number in range(KEPT + KEPT // 5):
        carrier.carry(Outgoing(f"{number:032x}", "a@b.al", "s", "b", "sq", 0))
    assert KEPT <= len(list((tmp_path / "mail").iterdir())) <= KEPT + KEPT // 10

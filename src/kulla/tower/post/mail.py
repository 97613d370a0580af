"""Mail over SMTP (RFC 5321), with TLS that is verified, time limits, and a stable Message-ID."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final, Literal, NoReturn

from kulla.kernel.letters import CarrierDown, Never, NotNow, Outgoing

Security = Literal["starttls", "tls", "none"]
TIMEOUT_S: Final = 20.0
# Whatever else RFC 5322 allows in a name, quoted, nobody has for an address.
_PLAIN: Final = re.compile(r"""[^\s@<>()\[\]\\,;:"\x00-\x1f\x7f]+""")
_PERMANENT: Final = 500
_NO_SENDER: Final = frozenset({530, 534, 535, 538})


@dataclass(frozen=True, slots=True)
class MailSettings:
    """Where mail is handed over, and as whom; `password` '' where the server asks for none."""

    host: str
    port: int
    security: Security
    sender: str
    user: str = ""
    password: str = ""


class SmtpCarrier:
    """Hands letters to one mail server; keeps the connection while letters follow each other.

    `domain` stands behind the @ of each Message-ID. `tls` is a context for tests; without it the
    machine's own authorities are asked, and a certificate that does not fit ends the attempt.
    """

    def __init__(
        self,
        settings: MailSettings,
        domain: str,
        *,
        timeout_s: float = TIMEOUT_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._settings = settings
        self._domain = domain
        self._timeout_s = timeout_s
        self._tls = tls
        self._server: smtplib.SMTP | None = None

    def carry(self, letter: Outgoing) -> None:
        """See Carrier."""
        data, international = rendered(letter, self._settings.sender, self._domain)
        if self._server is not None:
            # The server may have closed a line that was idle; nothing was sent on it, so a fresh
            # one is no repeat.
            self._reset(self._server)
        server = self._server = self._server or self.connect()
        try:
            self._hand_over(server, letter.address, data, international)
        except Never:
            self._reset(server)
            raise
        except NotNow:
            self.close()
            raise
        except (OSError, smtplib.SMTPException) as error:
            self._server = None
            server.close()
            raise NotNow(
                "hung-up", f"the line to the mail server broke ({_kind(error)})."
            ) from error

    def close(self) -> None:
        """See Carrier."""
        server, self._server = self._server, None
        if server is not None:
            try:
                server.quit()
            except (OSError, smtplib.SMTPException):
                server.close()

    def connect(self) -> smtplib.SMTP:
        """A connection with TLS and login done, as the settings say. Raises CarrierDown."""
        settings = self._settings
        tls = self._tls or ssl.create_default_context()
        try:
            if settings.security == "tls":
                server: smtplib.SMTP = smtplib.SMTP_SSL(
                    settings.host, settings.port, timeout=self._timeout_s, context=tls
                )
            else:
                server = smtplib.SMTP(settings.host, settings.port, timeout=self._timeout_s)
            if settings.security == "starttls":
                server.starttls(context=tls)
            if settings.user:
                server.login(settings.user, settings.password)
        except ssl.SSLCertVerificationError as error:
            self._down("certificate", f"its certificate is not good ({error.verify_message})")
        except smtplib.SMTPAuthenticationError as error:
            self._down(f"login-{error.smtp_code}", "it does not take the user and password")
        except smtplib.SMTPNotSupportedError:
            self._down("no-starttls", "it offers no STARTTLS or no login")
        except (OSError, smtplib.SMTPException) as error:
            self._down("unreachable", f"it does not answer as a mail server ({_kind(error)})")
        return server

    def _hand_over(
        self, server: smtplib.SMTP, address: str, data: bytes, international: bool
    ) -> None:
        server.ehlo_or_helo_if_needed()
        if international and not server.has_extn("smtputf8"):
            raise Never("no-smtputf8", "this mail server takes ASCII addresses only.")
        options = ["SMTPUTF8"] if international else []
        _step(server.mail(bare(self._settings.sender), options)[0], _sender_refused)
        _step(server.rcpt(address)[0], _refused)
        try:
            _step(server.data(data)[0], _refused)
        except smtplib.SMTPDataError as error:
            _refused(error.smtp_code)

    def _reset(self, server: smtplib.SMTP) -> None:
        try:
            server.rset()
        except (OSError, smtplib.SMTPException):
            self._server = None
            server.close()

    def _down(self, code: str, why: str) -> NoReturn:
        raise CarrierDown(
            code,
            f"the mail server can't be used: {why}.",
            place=f"{self._settings.host}:{self._settings.port}",
            remedy="See [mail] in home.toml, then `kulla doctor --home HOME`.",
        )


def _step(code: int, refused: Callable[[int], NoReturn]) -> None:
    if code >= 400:
        refused(code)


def _refused(code: int) -> NoReturn:
    # The server's own words often quote the address, so only its number is kept.
    if code >= _PERMANENT and code not in _NO_SENDER:
        raise Never(f"refused-{code}", f"the mail server refused this letter for good ({code}).")
    if code == 421 or code in _NO_SENDER:
        raise CarrierDown(f"refused-{code}", f"the mail server takes no letters now ({code}).")
    raise NotNow(f"refused-{code}", f"the mail server did not take this letter now ({code}).")


def _sender_refused(code: int) -> NoReturn:
    raise CarrierDown(
        f"sender-{code}",
        f"the mail server does not let us send as this address ({code}).",
        place="home.toml [mail] from",
        remedy="Name an address that this server may send for.",
    )


def rendered(letter: Outgoing, sender: str, domain: str) -> tuple[bytes, bool]:
    """The mail (RFC 5322) as bytes, and whether its addresses need SMTPUTF8 (RFC 6531).

    Raises Never where the address is none.
    """
    message = EmailMessage(policy=SMTP)
    try:
        # One address and nothing else: a typed 'a@b, c@d' must not become two.
        message["To"] = _single(letter.address)
        message["Subject"] = letter.subject
        message["From"] = sender
    except (ValueError, IndexError, MessageError, AttributeError) as error:
        raise Never("no-address", "this is not a mail address.") from error
    message["Date"] = format_datetime(datetime.fromtimestamp(letter.at_ms / 1000, UTC))
    message["Message-ID"] = f"<{letter.id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.body, cte="quoted-printable")
    if letter.language:
        message["Content-Language"] = letter.language
    international = not (letter.address + bare(sender)).isascii()
    policy = SMTP.clone(utf8=True) if international else SMTP
    return message.as_bytes(policy=policy), international


def _single(address: str) -> Address:
    """The address. Raises ValueError for what is none, or more than one."""
    name, at, domain = address.partition("@")
    if not (name and at and domain and _PLAIN.fullmatch(name) and _PLAIN.fullmatch(domain)):
        raise ValueError
    return Address(username=name, domain=domain)


def bare(sender: str) -> str:
    """The address in `From`, which may have a name in front of it."""
    _, _, angled = sender.rpartition("<")
    return angled.rstrip("> ").strip()


def _kind(error: Exception) -> str:
    if isinstance(error, TimeoutError | socket.gaierror):
        return "no answer in time" if isinstance(error, TimeoutError) else "no such name"
    if isinstance(error, smtplib.SMTPResponseException):
        return str(error.smtp_code)
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else "no SMTP"

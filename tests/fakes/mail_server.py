"""A real SMTP server (aiosmtpd) on loopback, in a thread, that answers as a test tells it to.

Fault model, from `script`, one word for each attempt at a letter and 'take' once it is used up:

* 'take':     the letter is kept in `taken`, the answer is 250.
* '4xx'/'5xx' (any three digits): the recipient is answered with that number.
* 'data-5xx': the letter itself is answered with that number.
* 'hang-up':  the letter is kept, and the line is cut before the answer: the sender can't know.
* 'call':     the letter is kept, `on_call` is called, and then the answer is 250.
* 'cut':      the line is cut when the recipient is named; nothing is kept.

`login` asks for a user and password; `tls` offers STARTTLS, or speaks TLS at once (`at_once`).
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

READY_S = 10.0


class MailServer:
    """See the module. A context manager; `port` is its port."""

    def __init__(
        self,
        *script: str,
        login: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        at_once: bool = False,
        utf8: bool = True,
    ) -> None:
        self.script = list(script)
        self.taken: list[Message] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.on_call: Callable[[], None] = lambda: None
        self.attempts = 0
        self.arrived = threading.Event()
        self._login, self._tls, self._at_once, self._utf8 = login, tls, at_once, utf8
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.port = 0

    def __enter__(self) -> MailServer:
        self._thread.start()
        assert self._ready.wait(READY_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(READY_S)

    def mails(self) -> list[EmailMessage]:
        """What was taken, parsed."""
        return [message for message in self.taken if isinstance(message, EmailMessage)]

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        started = self._loop.run_until_complete(
            self._loop.create_server(
                self._session, "127.0.0.1", 0, ssl=self._tls if self._at_once else None
            )
        )
        self.port = started.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        started.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    def _session(self) -> SMTP:
        starttls = None if self._at_once else self._tls
        return SMTP(
            self,
            hostname="mail.test",
            enable_SMTPUTF8=self._utf8,
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=self._authenticate if self._login else None,
            auth_required=self._login is not None,
            auth_require_tls=False,
            loop=self._loop,
        )

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any
    ) -> AuthResult:
        del server, session, envelope, mechanism
        assert isinstance(given, LoginPassword)
        pair = (given.login.decode(), given.password.decode())
        return AuthResult(success=pair == self._login, handled=False)

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Called by aiosmtpd: the recipient is named."""
        self.attempts += 1
        word = self.script[0] if self.script else "take"
        if word.isdigit():
            self.script.pop(0)
            return f"{word} <{address}> says the script"
        if word == "cut":
            self.script.pop(0)
            server.transport.abort()
            return "421 gone"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Called by aiosmtpd: the letter is there."""
        word = self.script.pop(0) if self.script else "take"
        if word.startswith("data-"):
            return f"{word[5:]} says the script"
        assert isinstance(envelope.content, bytes)
        self.taken.append(message_from_bytes(envelope.content, policy=default))
        self.envelopes.append((envelope.mail_from or "", list(envelope.rcpt_tos)))
        if word == "call":
            self.on_call()
        if word == "hang-up":
            server.transport.abort()
        self.arrived.set()
        return "250 OK"

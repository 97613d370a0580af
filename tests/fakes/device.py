"""A device that makes passkeys and answers for them, as a browser hands the answers over (JSON).

Fault model: whatever a test passes in (another site, another relying party, an owner who was not
verified, another person's handle); the passkey is that of fakes/authenticator.py.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from typing import Any

from fakes.authenticator import USER_PRESENT, USER_VERIFIED, Authenticator, data_of

SITE = "http://localhost"
RELYING_PARTY = "kulla.example"


def options_of(response: Any) -> dict[str, Any]:
    """What the page asks of the device."""
    match = re.search(r'data-options="([^"]+)"', response.content.decode())
    assert match, "this page asks for no passkey"
    return json.loads(html.unescape(match[1]))


@dataclass
class Device:
    """One passkey on one device; `handle` is whose it is, as the site said when it was made."""

    number: int = 1
    site: str = SITE
    relying_party: str = RELYING_PARTY
    verified: bool = True
    handle: bytes = b""

    @property
    def passkey(self) -> Authenticator:
        """What makes the answers."""
        return Authenticator(self.number, relying_party=self.relying_party, origin=self.site)

    @property
    def credential(self) -> str:
        """The credential id, base64url."""
        return self.passkey.credential

    @property
    def public_key(self) -> bytes:
        """The COSE key."""
        return self.passkey.public_key

    def make(self, options: dict[str, Any]) -> str:
        """Make the passkey that the page asks for."""
        self.handle = data_of(options["user"]["id"])
        challenge, transports = data_of(options["challenge"]), ("internal", "no-such-word")
        made = self.passkey.register(challenge, flags=self._flags, transports=transports)
        return json.dumps(made)

    def answer(self, options: dict[str, Any]) -> str:
        """Sign the challenge that the page gives."""
        challenge = data_of(options["challenge"])
        return json.dumps(self.passkey.sign_in(challenge, handle=self.handle, flags=self._flags))

    @property
    def _flags(self) -> int:
        return USER_PRESENT | (USER_VERIFIED if self.verified else 0)

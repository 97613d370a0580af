"""The three things that every WebAuthn ceremony writes the same way (W3C WebAuthn Level 3).

For what makes passkeys and signs with them in software: the demo country's staff, and the citizens
of a drill. What verifies them is in assertions.py. Pure.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Final, Literal

USER_PRESENT: Final = 0x01
USER_VERIFIED: Final = 0x04
ATTESTED: Final = 0x40
"""Flags of the authenticator data (section 6.1): ATTESTED says that a new credential follows it."""

_COUNTER: Final = bytes(4)
"""The signature counter of an authenticator that keeps none (section 6.1.1)."""


def base64url(data: bytes) -> str:
    """Base64url without padding, as WebAuthn writes bytes in JSON (section 3; RFC 4648, 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def authenticator_head(relying_party: str, flags: int) -> bytes:
    """The 37 bytes with which authenticator data begins (section 6.1).

    They are the SHA-256 of the relying party's id, `flags` in one byte, a counter of four.
    """
    return hashlib.sha256(relying_party.encode()).digest() + bytes([flags]) + _COUNTER


def client_data(
    kind: Literal["webauthn.create", "webauthn.get"], challenge: str, origin: str
) -> bytes:
    """What a browser says of a ceremony, as clientDataJSON (sections 5.8.1 and 5.8.1.1).

    `challenge` is base64url text; `origin` is the site that asked, such as 'https://kulla.example'.
    """
    said = {"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": False}
    return json.dumps(said, separators=(",", ":")).encode()

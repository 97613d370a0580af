"""A device that makes passkeys and answers for them, as a browser hands the answers over (JSON).

Fault model: whatever a test passes in (another site, another challenge, an owner who was not
verified, another person's handle); the signatures are real (ES256).
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

SITE = "http://localhost"
RELYING_PARTY = "kulla.example"
_PRESENT, _VERIFIED, _ATTESTED = 0x01, 0x04, 0x40


def text(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def data_of(words: str) -> bytes:
    """The bytes of base64url without padding."""
    return base64.urlsafe_b64decode(words + "=" * (-len(words) % 4))


def options_of(response: Any) -> dict[str, Any]:
    """What the page asks of the device."""
    match = re.search(r'data-options="([^"]+)"', response.content.decode())
    assert match, "this page asks for no passkey"
    return json.loads(html.unescape(match[1]))


@dataclass
class Device:
    """One passkey on one device."""

    number: int = 1
    site: str = SITE
    relying_party: str = RELYING_PARTY
    verified: bool = True
    handle: bytes = field(default=b"")

    @property
    def credential(self) -> str:
        """The credential id, base64url."""
        return text(hashlib.sha256(f"credential {self.number}".encode()).digest())

    @property
    def public_key(self) -> bytes:
        """The COSE key."""
        point = self._key().public_key().public_numbers()
        x, y = (value.to_bytes(32, "big") for value in (point.x, point.y))
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})

    def _key(self) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(1000 + self.number, ec.SECP256R1())

    def _client_data(self, kind: str, challenge: bytes) -> bytes:
        said = {
            "type": f"webauthn.{kind}",
            "challenge": text(challenge),
            "origin": self.site,
            "crossOrigin": False,
        }
        return json.dumps(said).encode()

    def _authenticator_data(self, flags: int, rest: bytes = b"") -> bytes:
        flags |= _PRESENT | (_VERIFIED if self.verified else 0)
        asked_for = hashlib.sha256(self.relying_party.encode()).digest()
        return asked_for + bytes([flags]) + bytes(4) + rest

    def make(self, options: dict[str, Any]) -> str:
        """Make the passkey that the page asks for."""
        self.handle = data_of(options["user"]["id"])
        credential_id = data_of(self.credential)
        attested = bytes(16) + len(credential_id).to_bytes(2, "big") + credential_id
        data = self._authenticator_data(_ATTESTED, attested + self.public_key)
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._credential(
            {
                "clientDataJSON": text(self._client_data("create", data_of(options["challenge"]))),
                "attestationObject": text(attestation),
                "transports": ["internal", "no-such-word"],
            }
        )

    def answer(self, options: dict[str, Any]) -> str:
        """Sign the challenge that the page gives."""
        client_data = self._client_data("get", data_of(options["challenge"]))
        data = self._authenticator_data(0)
        signed = data + hashlib.sha256(client_data).digest()
        return self._credential(
            {
                "clientDataJSON": text(client_data),
                "authenticatorData": text(data),
                "signature": text(self._key().sign(signed, ec.ECDSA(SHA256()))),
                "userHandle": text(self.handle),
            }
        )

    def _credential(self, response: dict[str, Any]) -> str:
        named = {"id": self.credential, "rawId": self.credential, "type": "public-key"}
        return json.dumps({**named, "response": response})

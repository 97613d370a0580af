"""A passkey in software, as a browser and its authenticator would give it to a site.

Fault model: none of its own. Every part of what it signs can be set by the test (challenge, origin,
relying party, flags, kind), so that a test can hand in what an attacker or a broken browser would.
Registrations are attested 'none', as the site asks for. That it speaks as real ones do is seen by
py_webauthn, which must accept it (tests/policy/test_assertions.py).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from kulla.services.accounts.assertions import Assertion

Algorithm = Literal["ES256", "EdDSA", "RS256"]

USER_PRESENT, USER_VERIFIED, BACKUP_ELIGIBLE, BACKED_UP, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40
_ORDER_P256: Final = int("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)


def base64url(data: bytes) -> str:
    """Base64url without padding, as WebAuthn writes bytes in JSON."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def data_of(words: str) -> bytes:
    """The bytes of base64url without padding."""
    return base64.urlsafe_b64decode(words + "=" * (-len(words) % 4))


@dataclass(frozen=True)
class Given:
    """What an authenticator gives back when it signs in: the three parts of an assertion."""

    authenticator_data: bytes
    client_data: bytes
    signature: bytes


class Authenticator:
    """One passkey of one person at one site, the same for the same `seed`."""

    def __init__(
        self,
        seed: int = 1,
        algorithm: Algorithm = "ES256",
        relying_party: str = "sherbime.example.al",
        origin: str = "https://sherbime.example.al",
    ) -> None:
        self.relying_party, self.origin = relying_party, origin
        self.algorithm = algorithm
        self.credential_id = hashlib.sha256(b"credential %d" % seed).digest()
        secret = hashlib.sha256(b"passkey %d" % seed).digest()
        self.key: Any
        if algorithm == "ES256":
            self.key = ec.derive_private_key(
                int.from_bytes(secret, "big") % (_ORDER_P256 - 1) + 1, ec.SECP256R1()
            )
        elif algorithm == "EdDSA":
            self.key = ed25519.Ed25519PrivateKey.from_private_bytes(secret)
        else:
            self.key = rsa.generate_private_key(65537, 2048)
        self.public_key = cose_key(self.key)

    @property
    def credential(self) -> str:
        """The credential id as text."""
        return base64url(self.credential_id)

    def register(
        self,
        challenge: bytes,
        *,
        flags: int = USER_PRESENT | USER_VERIFIED,
        transports: Sequence[str] = ("internal",),
    ) -> Any:
        """What `navigator.credentials.create(...).toJSON()` gives."""
        client_data = self._client_data("webauthn.create", challenge, self.origin)
        head = self._head(self.relying_party, flags | ATTESTED)
        length = len(self.credential_id).to_bytes(2, "big")
        made = bytes(16) + length + self.credential_id + self.public_key
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": head + made})
        response = {
            "clientDataJSON": base64url(client_data),
            "attestationObject": base64url(attestation),
            "transports": list(transports),
        }
        return self._json(response)

    def sign_in(self, challenge: bytes, *, handle: bytes | None = None, **parts: Any) -> Any:
        """What `navigator.credentials.get(...).toJSON()` gives; `parts` as in `give`."""
        given = self.give(challenge, **parts)
        response = {
            "clientDataJSON": base64url(given.client_data),
            "authenticatorData": base64url(given.authenticator_data),
            "signature": base64url(given.signature),
            "userHandle": None if handle is None else base64url(handle),
        }
        return self._json(response)

    def sign(self, challenge: bytes, **parts: Any) -> bytes:
        """An assertion as Command.assertion takes it; `parts` as in `give`."""
        given = self.give(challenge, **parts)
        return Assertion(
            given.authenticator_data, given.client_data, self.credential, given.signature
        ).encode()

    def give(
        self,
        challenge: bytes,
        *,
        origin: str | None = None,
        relying_party: str | None = None,
        flags: int = USER_PRESENT | USER_VERIFIED,
        kind: str = "webauthn.get",
        more: dict[str, Any] | None = None,
    ) -> Given:
        """Sign a challenge; each part can be another than the honest one."""
        client_data = self._client_data(kind, challenge, origin or self.origin, more)
        head = self._head(relying_party or self.relying_party, flags)
        signed = head + hashlib.sha256(client_data).digest()
        if self.algorithm == "ES256":
            signature = self.key.sign(signed, ec.ECDSA(SHA256()))
        elif self.algorithm == "EdDSA":
            signature = self.key.sign(signed)
        else:
            signature = self.key.sign(signed, padding.PKCS1v15(), SHA256())
        return Given(head, client_data, signature)

    def _json(self, response: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": self.credential,
            "rawId": self.credential,
            "type": "public-key",
            "clientExtensionResults": {},
            "authenticatorAttachment": "platform",
            "response": response,
        }

    @staticmethod
    def _head(relying_party: str, flags: int) -> bytes:
        return hashlib.sha256(relying_party.encode()).digest() + bytes([flags]) + bytes(4)

    @staticmethod
    def _client_data(
        kind: str, challenge: bytes, origin: str, more: dict[str, Any] | None = None
    ) -> bytes:
        said = {"type": kind, "challenge": base64url(challenge), "origin": origin}
        return json.dumps({**said, "crossOrigin": False, **(more or {})}).encode()


def cose_key(key: Any) -> bytes:
    """The COSE key (RFC 9052, RFC 8230) of a private key's public half."""
    public = key.public_key()
    if isinstance(public, ec.EllipticCurvePublicKey):
        numbers = public.public_numbers()
        x, y = (part.to_bytes(32, "big") for part in (numbers.x, numbers.y))
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})
    if isinstance(public, ed25519.Ed25519PublicKey):
        return cbor2.dumps({1: 1, 3: -8, -1: 6, -2: public.public_bytes_raw()})
    numbers_ = public.public_numbers()
    n = numbers_.n.to_bytes((numbers_.n.bit_length() + 7) // 8, "big")
    return cbor2.dumps({1: 3, 3: -257, -1: n, -2: numbers_.e.to_bytes(3, "big")})

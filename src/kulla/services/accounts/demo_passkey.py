"""The passkeys of the demo country's made-up staff: a key in a file, and nobody's finger.

It signs as an authenticator does, so that the demo's commands take the same way as real ones. Where
people are real a private key in a file has no place: `kulla staff found` takes passkeys that an
authenticator keeps to itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kulla.kernel.edges import Entropy
from kulla.services.accounts.assertions import Assertion
from kulla.services.accounts.ceremony import (
    USER_PRESENT,
    USER_VERIFIED,
    authenticator_head,
    base64url,
    client_data,
)

_ID_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class DemoPasskey:
    """A software passkey: its credential id (base64url) and its private key (32 bytes, Ed25519)."""

    credential: str
    secret: bytes

    @classmethod
    def make(cls, entropy: Entropy) -> DemoPasskey:
        """A new one."""
        return cls(base64url(entropy.random_bytes(_ID_BYTES)), entropy.random_bytes(_ID_BYTES))

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> DemoPasskey | None:
        """The passkey of a row of demo-people.json, or None where that person has none.

        Raises ValueError where the row's is misshapen.
        """
        found = row.get("passkey")
        if found is None:
            return None
        try:
            secret = bytes.fromhex(found["secret"])
            return cls(str(found["credential"]), secret)
        except (KeyError, TypeError) as error:
            raise ValueError("this row's passkey is misshapen") from error

    def fields(self) -> dict[str, str]:
        """What a row of demo-people.json holds as its 'passkey'."""
        return {"credential": self.credential, "secret": self.secret.hex()}

    @property
    def public_key(self) -> bytes:
        """The COSE key (RFC 9053, EdDSA over Ed25519) that its signatures verify with."""
        x = Ed25519PrivateKey.from_private_bytes(self.secret).public_key().public_bytes_raw()
        key: bytes = cbor2.dumps({1: 1, 3: -8, -1: 6, -2: x})
        return key

    def sign(self, challenge: bytes, relying_party: str, origin: str) -> bytes:
        """An assertion over `challenge` (a command's key), as Command.assertion takes it."""
        said = client_data("webauthn.get", base64url(challenge), origin)
        head = authenticator_head(relying_party, USER_PRESENT | USER_VERIFIED)
        signed = head + hashlib.sha256(said).digest()
        signature = Ed25519PrivateKey.from_private_bytes(self.secret).sign(signed)
        return Assertion(head, said, self.credential, signature).encode()

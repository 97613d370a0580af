"""What staff sign with their passkeys: WebAuthn assertions over a command's key (Level 3, 7.2).

An assertion travels with its command and stays in its acts as a canonical CBOR map

    authenticator_data  bytes      as the authenticator gave it
    client_data         bytes      clientDataJSON as the browser gave it
    credential          text       the credential id, base64url without padding
    signature           bytes

Public keys are COSE keys (RFC 9052): ES256, EdDSA over Ed25519, or RS256. Pure: no clock, no
network, and whatever bytes arrive, the answer is a sentence and never an exception.

Not looked at: the signature counter, since passkeys that are synchronised keep it at 0, and the
time, which an assertion does not hold: a command that was signed and refused can be sent again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from kulla.kernel.canonical import NotCanonical, decode, decode_own, encode
from kulla.kernel.service import ASSERTION_BYTES_MAX
from kulla.services.accounts.wishes import PUBLIC_KEY_MAX_BYTES

_FIELDS: Final = {
    "authenticator_data": bytes,
    "client_data": bytes,
    "credential": str,
    "signature": bytes,
}
_USER_PRESENT, _USER_VERIFIED = 0x01, 0x04
_HEADER_BYTES: Final = 37
"""SHA-256 of the relying party's id, one byte of flags, a counter of four bytes."""

# COSE: labels of a key's parameters, its types, its algorithms (IANA COSE registry).
_TYPE, _ALGORITHM, _CURVE, _X, _Y, _N, _E = 1, 3, -1, -2, -3, -1, -2
_OKP, _EC2, _RSA = 1, 2, 3
_ES256, _EDDSA, _RS256 = -7, -8, -257
_RSA_BITS: Final = range(2048, 8193)

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class Assertion:
    """The parts of an assertion, by their shapes alone."""

    authenticator_data: bytes
    client_data: bytes
    credential: str
    signature: bytes

    def encode(self) -> bytes:
        """The bytes that travel with a command."""
        return encode({name: getattr(self, name) for name in _FIELDS})


def parse(data: bytes) -> Assertion | None:
    """The assertion of these bytes, or None where they are none."""
    if len(data) > ASSERTION_BYTES_MAX:
        return None
    try:
        fields = decode(data)
    except NotCanonical:
        return None
    if not isinstance(fields, Mapping) or set(fields) != set(_FIELDS):
        return None
    if not all(isinstance(fields[name], kind) for name, kind in _FIELDS.items()):
        return None
    parts: Mapping[str, Any] = fields
    return Assertion(**parts)


def verify(
    data: bytes,
    challenge: bytes,
    public_key: bytes,
    relying_party: str,
    origins: Collection[str] | None = None,
) -> str:
    """Why the assertion is not this key's signature over `challenge`, or '' where it is.

    `origins` are the sites that may have asked for it ('https://sherbime.example.al'); None takes
    any site that the relying party's domain covers, for acts of a time whose settings are gone.
    The user must have been verified (a finger, a face, a PIN), and not only been there.
    """
    assertion = parse(data)
    if assertion is None:
        return "it is no assertion"
    return (
        _wrong_client_data(assertion.client_data, challenge, relying_party, origins)
        or _wrong_authenticator_data(assertion.authenticator_data, relying_party)
        or _wrong_signature(assertion, public_key)
    )


def is_usable(public_key: bytes) -> bool:
    """Whether these bytes are a COSE key that this release verifies with."""
    return load_key(public_key) is not None


def fingerprint(public_key: bytes) -> str:
    """What people tell a passkey by: sixteen hex digits of its key's SHA-256, in fours."""
    digits = hashlib.sha256(public_key).hexdigest()[:16]
    return "-".join(digits[at : at + 4] for at in range(0, 16, 4))


def load_key(public_key: bytes) -> PublicKey | None:
    """The key of a COSE map, or None where there is none in it that can be used."""
    if len(public_key) > PUBLIC_KEY_MAX_BYTES:
        return None
    try:
        found = decode_own(public_key)  # a browser's CBOR need not be in Kulla's canonical form
        return _key_of(found) if isinstance(found, Mapping) else None
    except (NotCanonical, LookupError, OverflowError, TypeError, UnsupportedAlgorithm, ValueError):
        return None


def _key_of(found: Mapping[Any, Any]) -> PublicKey | None:
    kind = (found.get(_TYPE), found.get(_ALGORITHM))
    if kind == (_EC2, _ES256) and found.get(_CURVE) == 1:
        x, y = found[_X], found[_Y]
        if len(x) != 32 or len(y) != 32:
            return None
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + x + y)
    if kind == (_OKP, _EDDSA) and found.get(_CURVE) == 6:
        return ed25519.Ed25519PublicKey.from_public_bytes(found[_X])
    if kind == (_RSA, _RS256):
        n, e = (int.from_bytes(found[label], "big") for label in (_N, _E))
        return rsa.RSAPublicNumbers(e, n).public_key() if n.bit_length() in _RSA_BITS else None
    return None


def _wrong_client_data(
    client_data: bytes, challenge: bytes, relying_party: str, origins: Collection[str] | None
) -> str:
    try:
        said = json.loads(client_data)
    except (ValueError, RecursionError):
        return "its client data can't be read"
    if not isinstance(said, dict) or said.get("type") != "webauthn.get":
        return "it was not made to sign in or to sign"
    if not hmac.compare_digest(_unpadded(said.get("challenge")), challenge):
        return "it signs another command"
    origin = said.get("origin")
    if not isinstance(origin, str) or said.get("crossOrigin") not in (None, False):
        return "it comes from a page inside another"
    if origins is None:
        return "" if _is_within(origin, relying_party) else "it comes from another site"
    return "" if origin in origins else "it comes from another site"


def _unpadded(text: object) -> bytes:
    if not isinstance(text, str) or not text.isascii():
        return b""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


def _is_within(origin: str, relying_party: str) -> bool:
    """Whether browsers let a site use this relying party: its own domain, or one below it."""
    try:
        parts = urlsplit(origin)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme != "https" and not (parts.scheme == "http" and relying_party == "localhost"):
        return False
    return host == relying_party or host.endswith(f".{relying_party}")


def _wrong_authenticator_data(data: bytes, relying_party: str) -> str:
    if len(data) < _HEADER_BYTES:
        return "its authenticator data is cut short"
    if not hmac.compare_digest(data[:32], hashlib.sha256(relying_party.encode()).digest()):
        return "it was made for another relying party"
    flags = data[32]
    if not flags & _USER_PRESENT or not flags & _USER_VERIFIED:
        return "the authenticator did not verify who used it"
    return ""


def _wrong_signature(assertion: Assertion, public_key: bytes) -> str:
    key = load_key(public_key)
    if key is None:
        return "the passkey's public key can't be used"
    signed = assertion.authenticator_data + hashlib.sha256(assertion.client_data).digest()
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(assertion.signature, signed, ec.ECDSA(SHA256()))
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(assertion.signature, signed)
        else:
            key.verify(assertion.signature, signed, padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        return "the signature is not the passkey's"
    return ""

"""Whether an ID token says who is there: OpenID Connect Core 1.0, section 3.1.3.7. No network."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from kulla.kernel.errors import KullaError

ALGORITHMS: Final = ("RS256", "PS256", "ES256")
"""Public-key signatures alone: with `none` or a shared secret a token proves nothing here."""

LEEWAY_S: Final = 30
ISSUED_MAX_S: Final = 600
TOKEN_CHARS_MAX: Final = 16_384
SUB_CHARS_MAX: Final = 255
NAME_CHARS_MAX: Final = 120


class IdTokenRefused(KullaError):
    """A token that does not prove who is there; the message says which check failed."""


@dataclass(frozen=True, slots=True)
class Vouched:
    """What the provider vouches for: the person's lasting id there, and their name ('' if none)."""

    issuer: str
    sub: str
    name: str


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say to be meant for this sign-in, here and now."""

    issuer: str
    client_id: str
    nonce: str
    now_s: int


def read_id_token(token: str, keys: Mapping[str, Any], expected: Expected) -> Vouched:
    """Who the token vouches for. `keys` is the provider's JWK set (RFC 7517).

    Raises IdTokenRefused where the signature is not by a key of the set under an algorithm of
    ALGORITHMS, or where issuer, audience, authorised party, expiry, instant of issue or nonce is
    not what is expected. No message quotes the token.
    """
    if len(token) > TOKEN_CHARS_MAX:
        raise _refused("it is too long")
    try:
        read = jwt.decode(token, _signing_keys(keys), algorithms=list(ALGORITHMS))
        _registry(expected).validate(read.claims)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise _refused(type(error).__name__) from error
    claims = read.claims
    audience, party = claims["aud"], claims.get("azp")
    if isinstance(audience, list) and len(audience) > 1 and party is None:
        raise _refused("it is for several clients and names none that asked")
    if party is not None and party != expected.client_id:
        raise _refused("another client asked for it")
    if claims["iat"] < expected.now_s - ISSUED_MAX_S:
        raise _refused("it is too old")
    nonce = claims["nonce"]
    if not isinstance(nonce, str) or not hmac.compare_digest(
        nonce.encode(), expected.nonce.encode()
    ):
        raise _refused("it was made for another sign-in")
    sub = claims["sub"]
    if not 0 < len(sub) <= SUB_CHARS_MAX or not sub.isprintable():
        raise _refused("it does not say who is there")
    return Vouched(expected.issuer, sub, _name(claims))


def _registry(expected: Expected) -> jwt.JWTClaimsRegistry:
    return jwt.JWTClaimsRegistry(
        now=expected.now_s,
        leeway=LEEWAY_S,
        iss={"essential": True, "value": expected.issuer},
        aud={"essential": True, "value": expected.client_id},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
        nonce={"essential": True},
    )


def _signing_keys(keys: Mapping[str, Any]) -> KeySet:
    """The set without keys that are meant for encryption, or that would be shared secrets."""
    usable = [
        key
        for key in keys.get("keys", ())
        if key.get("kty") in ("RSA", "EC") and key.get("use", "sig") == "sig"
    ]
    if not usable:
        raise _refused("the provider shows no key to check it by")
    return KeySet.import_key_set({"keys": usable})


def _name(claims: Mapping[str, Any]) -> str:
    """The name among the claims, as one line; '' where there is none that can be used."""
    whole = claims.get("name")
    parts = [claims.get("given_name"), claims.get("family_name")]
    text = whole if isinstance(whole, str) else " ".join(p for p in parts if isinstance(p, str))
    text = " ".join(text.split())
    return text if text.isprintable() and len(text) <= NAME_CHARS_MAX else ""


def _refused(why: str) -> IdTokenRefused:
    return IdTokenRefused(
        f"the provider's token was not accepted: {why}.",
        place="e-ID",
        remedy="Sign in again; if it stays so, ask who runs the e-ID.",
    )

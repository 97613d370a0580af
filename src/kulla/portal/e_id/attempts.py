"""What a sign-in with the e-ID has to remember while the browser is at the provider.

It lies in a cookie of the browser that began, sealed with a key of this site: so nothing is written
for somebody who only pressed a button, it outlives the fresh session that signing in makes, and
whoever takes a link from another browser has no cookie for it.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.http import HttpResponse

from kulla.kernel.canonical import Value, decode, encode
from kulla.kernel.edges import Entropy
from kulla.kernel.errors import KullaError
from kulla.portal.e_id.id_token import Vouched
from kulla.portal.e_id.provider import Attempt
from kulla.services.pages import PageRequest

ATTEMPT_S: Final = 600
WAITING_S: Final = 900
_NONCE_BYTES: Final = 12
_RANDOM_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that is at the provider, and where it goes in the end."""

    attempt: Attempt
    where: str


def begin(request: PageRequest, where: str) -> Begun:
    """A fresh attempt: state, nonce and verifier of 256 bits each."""
    state, nonce, verifier = (_fresh(request.entropy) for _ in range(3))
    return Begun(Attempt(state, nonce, verifier), where)


def keep_begun(request: PageRequest, response: HttpResponse, begun: Begun) -> None:
    """Remember the attempt in this browser for ten minutes."""
    attempt = begun.attempt
    value: Value = [attempt.state, attempt.nonce, attempt.verifier, begun.where]
    _put(request, response, "begun", value, ATTEMPT_S)


def begun(request: PageRequest) -> Begun | None:
    """The attempt that this browser began, or None."""
    value = _get(request, "begun")
    if value is None:
        return None
    state, nonce, verifier, where = cast("list[str]", value)
    return Begun(Attempt(state, nonce, verifier), where)


def keep_waiting(request: PageRequest, response: HttpResponse, vouched: Vouched) -> None:
    """Remember who the provider vouched for, until they proved which account is theirs."""
    value: Value = [vouched.issuer, vouched.sub, vouched.name]
    _put(request, response, "waiting", value, WAITING_S)


def waiting(request: PageRequest) -> Vouched | None:
    """Whom the provider vouched for in this browser a few minutes ago, or None."""
    value = _get(request, "waiting")
    return Vouched(*cast("list[str]", value)) if value is not None else None


def forget(response: HttpResponse) -> None:
    """Remember nothing any more."""
    response.delete_cookie(_cookie(), samesite="Lax")


def _cookie() -> str:
    return "__Host-kulla-e-id" if settings.KULLA.tls else "kulla-e-id"


def _put(
    request: PageRequest, response: HttpResponse, purpose: str, value: Value, for_s: int
) -> None:
    ends_s = request.clock.now_ms() // 1000 + for_s
    nonce = request.entropy.random_bytes(_NONCE_BYTES)
    sealed = nonce + _cipher().encrypt(nonce, encode([ends_s, value]), purpose.encode())
    response.set_cookie(
        _cookie(),
        base64.urlsafe_b64encode(sealed).decode("ascii"),
        max_age=for_s,
        secure=settings.KULLA.tls,
        httponly=True,
        # The way back from the provider is a link from another site: Strict would lose the cookie.
        samesite="Lax",
    )


def _get(request: PageRequest, purpose: str) -> Value:
    try:
        sealed = base64.urlsafe_b64decode(request.COOKIES.get(_cookie(), "").encode("ascii"))
        plain = _cipher().decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose.encode())
        held = decode(plain)
    except (InvalidTag, ValueError, binascii.Error, KullaError):
        return None  # for the other purpose, of another site, or changed
    ends_s, value = cast("tuple[int, Value]", held)
    return value if request.clock.now_ms() // 1000 < ends_s else None


def _fresh(entropy: Entropy) -> str:
    return base64.urlsafe_b64encode(entropy.random_bytes(_RANDOM_BYTES)).rstrip(b"=").decode()


def _cipher() -> AESGCM:
    return _cipher_of(str(settings.SECRET_KEY))


@lru_cache(maxsize=4)
def _cipher_of(secret: str) -> AESGCM:
    made = HKDF(hashes.SHA256(), 32, salt=None, info=b"kulla e-ID attempts")
    return AESGCM(made.derive(secret.encode()))

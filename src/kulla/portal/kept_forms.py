"""What a person typed into a form that could not be carried out, sealed in their own browser.

A session ends while somebody writes, a time is taken while they type: the words must not be gone.
They are kept in a cookie for an hour, under a key of this site, so that neither the disk of the
site nor whoever reads the cookie has them; and they open for the same person only, so that the next
one to sign in at a shared computer does not see them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from kulla.kernel.canonical import decode, encode
from kulla.kernel.edges import Entropy
from kulla.kernel.errors import KullaError
from kulla.portal.edge import installed
from kulla.services.pages import COMMAND_FIELD, KEPT_FIELD

COOKIE: Final = "kulla-kept"
KEEP_S: Final = 3600
SEALED_CHARS_MAX: Final = 3800
"""Browsers keep 4,096 bytes of a cookie with its name and attributes."""

_MARK: Final = re.compile(r"([a-z][a-z-]{0,31})\.[0-9a-f]{32}")
_NONCE_BYTES: Final = 12
_NOT_TYPED: Final = frozenset({"csrfmiddlewaretoken", COMMAND_FIELD, KEPT_FIELD})


class BrowserKeptForms:
    """See kulla.services.pages.KeptForms: those of one request's browser."""

    def __init__(self, request: HttpRequest, subject: str, entropy: Entropy) -> None:
        self._request = request
        self._subject = subject
        self._entropy = entropy

    def mark(self, form: str) -> str:
        """See KeptForms."""
        meant = f"{form} {self._subject}".encode()
        return f"{form}.{hmac.new(_keys()[0], meant, hashlib.sha256).hexdigest()[:32]}"

    def keep(self, response: HttpResponse, form: str, typed: Mapping[str, str]) -> None:
        """See KeptForms."""
        self.put(response, self._sealed(self.mark(form), typed))

    def typed(self, form: str) -> Mapping[str, str]:
        """See KeptForms."""
        kept = self._request.COOKIES.get(COOKIE)
        if not kept or not self._subject:
            return {}
        try:
            sealed = base64.urlsafe_b64decode(kept.encode("ascii"))
            plain = AESGCM(_keys()[1]).decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self.mark(form).encode()
            )
            held = decode(plain)
        except (InvalidTag, ValueError, binascii.Error, UnicodeError, KullaError):
            return {}  # another person's, another form's, or not ours at all
        assert isinstance(held, dict)
        now_s = installed().clock.now_ms() // 1000
        return held["typed"] if now_s < held["ends_s"] else {}

    def forget(self, response: HttpResponse) -> None:
        """See KeptForms. Costs nothing where nothing is kept."""
        if COOKIE in self._request.COOKIES:
            response.delete_cookie(COOKIE, path=_path_of(self._request), samesite="Lax")

    def sealed_post(self) -> str:
        """The form of this request, sealed, where it did not reach its page and asked to be kept.

        '' where it did not ask, or is too long to be kept; else to be handed to `put`.
        """
        mark = self._request.POST.get(KEPT_FIELD, "")
        if _MARK.fullmatch(mark) is None:
            return ""
        typed = {
            name: value
            for name, value in self._request.POST.items()
            if name not in _NOT_TYPED and isinstance(value, str)
        }
        return self._sealed(mark, typed)

    def put(self, response: HttpResponse, sealed: str) -> None:
        """Give the browser what was sealed, to keep for an hour."""
        if sealed:
            response.set_cookie(
                COOKIE,
                sealed,
                max_age=KEEP_S,
                path=_path_of(self._request),
                secure=settings.KULLA.tls,
                httponly=True,
                samesite="Lax",
            )

    def _sealed(self, mark: str, typed: Mapping[str, str]) -> str:
        ends_s = installed().clock.now_ms() // 1000 + KEEP_S
        plain = encode({"typed": dict(typed), "ends_s": ends_s})
        nonce = self._entropy.random_bytes(_NONCE_BYTES)
        sealed = nonce + AESGCM(_keys()[1]).encrypt(nonce, plain, mark.encode())
        text = base64.urlsafe_b64encode(sealed).decode("ascii")
        return text if len(text) <= SEALED_CHARS_MAX else ""


def _path_of(request: HttpRequest) -> str:
    """The service that the form belongs to: other pages' requests don't carry the cookie."""
    first = request.path.split("/", 2)[1]
    return f"/{first}/" if first else "/"


def _keys() -> tuple[bytes, bytes]:
    return _keys_from(str(settings.SECRET_KEY))


@lru_cache(maxsize=4)
def _keys_from(secret: str) -> tuple[bytes, bytes]:
    """The key of marks and the key of what is kept."""
    made = HKDF(hashes.SHA256(), 64, salt=None, info=b"kulla kept forms").derive(secret.encode())
    return made[:32], made[32:]

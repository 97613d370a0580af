"""Who calls the API: a bearer token (RFC 6750) that stands in the register of accounts.

A token is 32 random bytes, shown once to whoever asked for it as 'kulla_' and base64url; the
register holds their SHA-256. 256 random bits need no slow hash: there is nothing to guess. The row
is read for every call and never kept, so that a token that is taken back is of no use at once.
"""

from __future__ import annotations

import binascii
import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest

TOKEN_BYTES: Final = 32
ROOT: Final = "/api/"
"""The address of the page that describes the API; what lies below it are calls."""

_PREFIX: Final = "kulla_"
_CHARS: Final = 43
_STANDS: Final = "active"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose token came with a call. `subject` is '' for a token that belongs to no one person."""

    name: str
    subject: str
    scopes: frozenset[str]
    token_hash: bytes


def is_call(path: str) -> bool:
    """Whether an address is a call of the API and no page: it takes tokens and no cookies."""
    return path.startswith(ROOT) and path != ROOT


def written(token: bytes) -> str:
    """A token as people copy it. `token` is TOKEN_BYTES random bytes."""
    return _PREFIX + urlsafe_b64encode(token).rstrip(b"=").decode()


def hash_of(token: bytes) -> bytes:
    """What the register knows a token by: 32 bytes."""
    return hashlib.sha256(token).digest()


def given_token(request: HttpRequest) -> str | None:
    """What stands behind 'Bearer' in the call's Authorization header; None without the header.

    '' where there is a header of another kind or shape.
    """
    header = request.META.get("HTTP_AUTHORIZATION")
    if header is None:
        return None
    kind, _, text = header.partition(" ")
    return text.strip() if kind.lower() == "bearer" else ""


def caller_of(text: str, watermark: int) -> Caller | None:
    """Whose token this is; None where it is misshapen, unknown, taken back or not confirmed yet."""
    token = _bytes_of(text)
    if token is None:
        return None
    from kulla.services.accounts.models import ApiToken

    row = ApiToken.objects.filter(token_hash=hash_of(token)).first()
    if row is None or row.state != _STANDS or row.position >= watermark:
        return None
    scopes = frozenset(row.scopes.split())
    return Caller(row.name, row.holder, scopes, bytes(row.token_hash))


def _bytes_of(text: str) -> bytes | None:
    body = text.removeprefix(_PREFIX)
    if body == text or len(body) != _CHARS or not body.isascii():
        return None
    try:
        token = urlsafe_b64decode(body + "=")
    except (binascii.Error, ValueError):
        return None
    # Several spellings decode to the same bytes; only ours is the token.
    return token if written(token) == text else None

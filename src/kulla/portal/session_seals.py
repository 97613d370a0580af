"""Values that a session keeps and nobody else can read: sealed under the cookie's own secret.

The file of sessions holds only the hash of a cookie, so whoever copies the file has no key. A value
that was sealed in one session opens in no other, and for no other purpose.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.contrib.sessions.backends.base import SessionBase

from kulla.kernel.canonical import NotCanonical, Value, decode, encode
from kulla.portal.edge import installed

_NONCE_BYTES: Final = 12


def row_of(session: SessionBase) -> bytes:
    """The 32 bytes under which tables of the sessions file know this session.

    A visitor without a session gets one: its cookie goes out with the answer.
    """
    if session.session_key is None:
        session.create()
    assert session.session_key is not None
    return hashlib.sha256(session.session_key.encode("utf-8", "surrogateescape")).digest()


def mark(session: SessionBase, purpose: str, value: bytes) -> bytes:
    """32 bytes that only this session can make of `value`: a keyed hash (HMAC-SHA256)."""
    return hmac.digest(_key(session, purpose), value, "sha256")


def seal(session: SessionBase, purpose: str, value: Value) -> bytes:
    """`value`, sealed for this session and this purpose (AES-256-GCM)."""
    nonce = installed().entropy.random_bytes(_NONCE_BYTES)
    return nonce + AESGCM(_key(session, purpose)).encrypt(nonce, encode(value), None)


def unseal(session: SessionBase, purpose: str, sealed: bytes) -> Value:
    """The value, or None where it was sealed in another session, for another end, or changed."""
    if session.session_key is None:
        return None
    nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        return decode(AESGCM(_key(session, purpose)).decrypt(nonce, ciphertext, None))
    except (InvalidTag, ValueError, NotCanonical):
        return None


def keep(session: SessionBase, name: str, value: Value) -> None:
    """Keep `value` in the session under `name`, sealed."""
    row_of(session)  # a key has to exist before anything is sealed under it
    session[name] = base64.b64encode(seal(session, name, value)).decode("ascii")


def kept(session: SessionBase, name: str) -> Value:
    """What `keep` put there, or None."""
    text = session.get(name) if session.session_key else None
    if not isinstance(text, str):
        return None
    try:
        return unseal(session, name, base64.b64decode(text, validate=True))
    except binascii.Error:
        return None


def _key(session: SessionBase, purpose: str) -> bytes:
    assert session.session_key is not None
    secret = session.session_key.encode("utf-8", "surrogateescape")
    return hmac.digest(secret, b"kulla session " + purpose.encode(), "sha256")

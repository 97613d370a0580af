"""How readers of the policy file show who they are: a signature for each request.

    Authorization: Kulla-Ed25519 <key name> <seconds since 1970> <base64 Ed25519 signature>

The signature is that of a note whose text is `kulla-reader/v1` and the SHA-256, in hex, of
canonical([method, path with query, name of the embassy, seconds, SHA-256 of the body]). The first
line keeps it apart from anything else that a key of kind 1 signs; the embassy's name keeps what was
sent to one embassy from being shown to another. Within five minutes a request can be repeated by
who overheard it, which gives him what he overheard: everything that readers may do is a read or a
put-if-absent. A reader whose clock differs by more takes the time from the Date of the refusal:
an embassy whose clock is wrong must be readable on the day when home is lost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from kulla.embassy.errors import AccessDenied
from kulla.journal.errors import JournalError
from kulla.journal.notes import SigningKey, VerifierKey, decode_base64, encode_base64
from kulla.kernel.canonical import encode

SCHEME: Final = "Kulla-Ed25519"
WITHIN_S: Final = 300


def _text(method: str, path: str, embassy: str, at_s: int, body: bytes) -> str:
    asked = encode([method, path, embassy, at_s, hashlib.sha256(body).digest()])
    return f"kulla-reader/v1\n{hashlib.sha256(asked).hexdigest()}\n"


def authorization(
    key: SigningKey, method: str, path: str, embassy: str, at_s: int, body: bytes = b""
) -> str:
    """The value of the header for one request; `path` begins with '/' and has the query."""
    signature = key.sign_note(_text(method, path, embassy, at_s, body))
    return f"{SCHEME} {key.name} {at_s} {encode_base64(signature.payload)}"


def check_authorization(
    header: str,
    readers: Iterable[VerifierKey],
    *,
    method: str,
    path: str,
    embassy: str,
    now_s: int,
    body: bytes = b"",
) -> str:
    """The name of the reader whose request this is. Raises AccessDenied, saying what is wrong."""
    words = header.split(" ")
    if len(words) != 4 or words[0] != SCHEME or not (words[2].isascii() and words[2].isdigit()):
        raise AccessDenied(
            "only readers of the policy file may ask this.",
            place="header Authorization",
            remedy=f"Sign the request: {SCHEME} <key name> <seconds> <signature>.",
        )
    _, name, seconds, signature = words
    at_s = int(seconds[:15])
    key = next((key for key in readers if key.name == name), None)
    if key is None:
        raise AccessDenied("the policy file names no such reader.", place="header Authorization")
    if abs(now_s - at_s) > WITHIN_S:
        raise AccessDenied(
            f"the request was signed {now_s - at_s} seconds ago by this embassy's clock.",
            place="header Authorization",
            remedy=f"Set the clocks right: at most {WITHIN_S} s may lie between them.",
        )
    try:
        payload = decode_base64(signature)
    except JournalError:
        payload = b""
    if not key.verifies(_text(method, path, embassy, at_s, body), payload):
        raise AccessDenied(
            "the signature does not fit this request.",
            place="header Authorization",
            remedy="Check the reader's key, and the embassy's name in the policy file.",
        )
    return name

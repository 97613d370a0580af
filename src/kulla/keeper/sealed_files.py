"""What a person handed in, sealed: a key of its own a file, which the subject's key seals. Pure.

The keeper seals and opens the file's key as any field, with all its rules and its log of openings;
the file itself never passes through it. Where a subject's key is erased, their files open no more.

    version (1 byte: 1) | length of the sealed key (2 bytes) | sealed key | ciphertext and tag

AES-256-GCM-SIV (RFC 8452); a file's key seals this one file, so the nonce is zero. Content stands
behind its length (4 bytes) and is padded with zeros to whole 16 KiB, so that its size says little.
"""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from kulla.keeper.errors import SealBroken

VERSION: Final = 1
KEY_BYTES: Final = 32
PADDED_TO_BYTES: Final = 16 * 2**10
_NONCE: Final = bytes(12)
_CONTEXT: Final = b"kulla file v1"


def file_key(mark: bytes) -> bytes:
    """The 32-byte key of a file, of a `mark`: what the keeper made of the content's hash.

    The keeper seals the hash under the subject's key, for one command the same way each time, so
    the mark can't be guessed without that key, and the same upload twice gives the same bytes.
    """
    return hashlib.sha256(_CONTEXT + mark).digest()


def seal_file(key: bytes, sealed_key: bytes, content: bytes) -> bytes:
    """The sealed file: `content` under `key`, behind `sealed_key`, which opens to that key."""
    head = bytes([VERSION]) + len(sealed_key).to_bytes(2, "big") + sealed_key
    plain = len(content).to_bytes(4, "big") + content
    plain += bytes(-len(plain) % PADDED_TO_BYTES)
    return head + AESGCMSIV(key).encrypt(_NONCE, plain, _CONTEXT)


def key_in(sealed: bytes) -> bytes:
    """The sealed key in front of a sealed file. Raises SealBroken."""
    length = int.from_bytes(sealed[1:3], "big")
    if sealed[:1] != bytes([VERSION]) or len(sealed) <= 3 + length:
        raise _broken("it is cut short or of a version that this release does not know")
    return sealed[3 : 3 + length]


def open_file(key: bytes, sealed: bytes) -> bytes:
    """The content of a sealed file, with the key that stood sealed in front. Raises SealBroken."""
    begin = 3 + len(key_in(sealed))
    if len(key) != KEY_BYTES:
        raise _broken("its key is of another length")
    try:
        plain = AESGCMSIV(key).decrypt(_NONCE, sealed[begin:], _CONTEXT)
    except InvalidTag as error:
        raise _broken("it is not as it was sealed") from error
    size = int.from_bytes(plain[:4], "big")
    if size > len(plain) - 4:
        raise _broken("its length is wrong")
    return plain[4 : 4 + size]


def _broken(why: str) -> SealBroken:
    return SealBroken(
        f"this file does not open: {why}.",
        place="file",
        remedy="Compare it with an embassy's copy, by its name.",
    )

"""The inner layer: one value, sealed under its subject's key. Pure.

AES-256-GCM-SIV (RFC 8452) with a random nonce, or one made for one command; the associated data say
whose field it is and for which purpose, so that a value can't be moved to another person, field or
service. A sealed value:

    version (1 byte: 1) | nonce (12 bytes) | ciphertext and tag

of the value's UTF-8 bytes, padded with 0x80 and zeros to 64, 128, ... 4,096 bytes: most names,
addresses and telephone numbers have one length.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from kulla.keeper.errors import AskMalformed, SealBroken, ValueTooLong
from kulla.kernel.canonical import encode

VERSION: Final = 1
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
VALUE_MAX_BYTES: Final = 4095
_TAG_BYTES: Final = 16
_BUCKETS: Final = (64, 128, 256, 512, 1024, 2048, 4096)
_VERSION_BYTE: Final = bytes([VERSION])


def seal_value(
    cipher: AESGCMSIV, nonce: bytes, value: str, *, subject: str, purpose: str, field: str
) -> bytes:
    """The sealed bytes of `value`; `nonce` is 12 fresh random bytes.

    Raises ValueTooLong beyond VALUE_MAX_BYTES of UTF-8, AskMalformed where it has no UTF-8.
    """
    try:
        padded = _pad(value.encode(), field)
    except UnicodeEncodeError as error:
        raise AskMalformed("this value is not text that has an encoding.", place=field) from error
    sealed = cipher.encrypt(nonce, padded, _associated(subject, purpose, field))
    return _VERSION_BYTE + nonce + sealed


def nonce_once(
    cipher: AESGCMSIV, once: bytes, value: str, *, subject: str, purpose: str, field: str
) -> bytes:
    """A nonce that is the same whenever the same value is sealed for the same `once`.

    So a form that is posted twice makes the same command, and an answer that was lost can be asked
    for again; sealed for another `once`, the same value looks different. It is a part of the tag
    that the subject's key gives to these inputs: unpredictable without the key, and it may repeat
    with another value only by chance, which AES-GCM-SIV stands.
    """
    inputs = encode([b"kulla nonce", once, subject, purpose, field, value])
    return cipher.encrypt(bytes(NONCE_BYTES), b"", inputs)[:NONCE_BYTES]


def open_value(cipher: AESGCMSIV, sealed: bytes, *, subject: str, purpose: str, field: str) -> str:
    """The value that `seal_value` sealed with the same key, subject, purpose and field.

    Raises SealBroken where any of these differs or any bit was changed.
    """
    if len(sealed) < 1 + NONCE_BYTES + _TAG_BYTES + _BUCKETS[0] or sealed[0] != VERSION:
        raise _broken(field, "it is cut short or of a version that this release does not know")
    nonce, ciphertext = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    try:
        padded = cipher.decrypt(nonce, ciphertext, _associated(subject, purpose, field))
    except InvalidTag as error:
        raise _broken(field, "it is not this subject's, this purpose's or as it was") from error
    value, mark, rest = padded.rpartition(b"\x80")
    if not mark or rest.strip(b"\0"):
        raise _broken(field, "its padding is wrong")
    return value.decode()


def _associated(subject: str, purpose: str, field: str) -> bytes:
    return encode([VERSION, subject, purpose, field])


def _pad(value: bytes, field: str) -> bytes:
    for bucket in _BUCKETS:
        if len(value) < bucket:
            return value + b"\x80" + bytes(bucket - len(value) - 1)
    raise ValueTooLong(
        f"a sealed field holds at most {VALUE_MAX_BYTES} bytes; this value has {len(value)}.",
        place=field,
        remedy="Shorten it.",
    )


def _broken(field: str, why: str) -> SealBroken:
    return SealBroken(
        f"this sealed field does not open: {why}.",
        place=field,
        remedy="Compare the register with the journal: a rebuild brings back what was sealed.",
    )

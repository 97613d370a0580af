"""Subjects' keys, wrapped: to the recovery key for the embassies, under a master key at home.

The blob that embassies hold is canonical CBOR [1, suite, key id, HPKE ciphertext] (RFC 9180, base
mode) of canonical [subject, key]; its name is the SHA-256 of all of it. Suite 1 is the hybrid KEM
MLKEM768-X25519, HKDF-SHA256, AES-256-GCM: whoever keeps a copy of the blobs for a later quantum
computer still has to break ML-KEM. Base mode has no sender: see Keeper.adopt for what follows.

HPKE takes its randomness from the cryptographic library, not from an Entropy: a blob can't be
repeated by a simulation, only opened.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from kulla.keeper.errors import BlobBroken, KeeperFolderInvalid, RecoveryKeyInvalid
from kulla.kernel.canonical import NotCanonical, decode, encode
from kulla.kernel.edges import Entropy

KEY_BYTES: Final = 32
_VERSION: Final = 1
_SUITE_HYBRID: Final = 1
_KEY_ID_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_MLKEM_SEED_BYTES, _MLKEM_PUBLIC_BYTES, _X25519_BYTES = 64, 1184, 32
_SUBJECT: Final = re.compile(r"[0-9a-f]{32}")


def _suite() -> hpke.Suite:
    return hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def new_recovery_key(entropy: Entropy) -> tuple[bytes, bytes]:
    """A new recovery key pair: (private, public), each a suite byte and the raw keys.

    The private half (97 bytes) belongs into the recovery kit and nowhere at home; the public half
    (1,217 bytes) is what `folder.init` takes.
    """
    seed = entropy.random_bytes(_MLKEM_SEED_BYTES + _X25519_BYTES)
    private = bytes([_SUITE_HYBRID]) + seed
    return private, RecoveryPrivate(private).public


def blob_name(blob: bytes) -> bytes:
    """The name by which entries and embassies know a blob."""
    return hashlib.sha256(blob).digest()


class RecoveryPublic:
    """The half of the recovery key that home has: it wraps and can't unwrap. Thread-safe."""

    def __init__(self, data: bytes) -> None:
        """Raises RecoveryKeyInvalid where `data` is no public half."""
        if len(data) != 1 + _MLKEM_PUBLIC_BYTES + _X25519_BYTES or data[0] != _SUITE_HYBRID:
            raise _no_key("public")
        try:
            self._key = hpke.MLKEM768X25519PublicKey(
                MLKEM768PublicKey.from_public_bytes(data[1 : 1 + _MLKEM_PUBLIC_BYTES]),
                X25519PublicKey.from_public_bytes(data[1 + _MLKEM_PUBLIC_BYTES :]),
            )
        except ValueError as error:
            raise _no_key("public") from error
        self._suite = _suite()
        self.key_id = _key_id(data)

    def wrap(self, subject: str, key: bytes) -> bytes:
        """The blob of a subject's key (1,2xx bytes, some 75 microseconds)."""
        sealed = self._suite.encrypt(encode([subject, key]), self._key, _info(self.key_id))
        return encode([_VERSION, _SUITE_HYBRID, self.key_id, sealed])

    def seal(self, data: bytes, purpose: str) -> bytes:
        """Any few bytes, sealed so that only the private half opens them, for the same purpose."""
        return self._suite.encrypt(data, self._key, encode([_VERSION, purpose, self.key_id]))


class RecoveryPrivate:
    """The half of the recovery key that stays outside home. Thread-safe."""

    def __init__(self, data: bytes) -> None:
        """Raises RecoveryKeyInvalid where `data` is no private half."""
        if len(data) != 1 + _MLKEM_SEED_BYTES + _X25519_BYTES or data[0] != _SUITE_HYBRID:
            raise _no_key("private")
        mlkem = MLKEM768PrivateKey.from_seed_bytes(data[1 : 1 + _MLKEM_SEED_BYTES])
        x25519 = X25519PrivateKey.from_private_bytes(data[1 + _MLKEM_SEED_BYTES :])
        self._key = hpke.MLKEM768X25519PrivateKey(mlkem, x25519)
        self._suite = _suite()
        self.public = (
            bytes([_SUITE_HYBRID])
            + mlkem.public_key().public_bytes_raw()
            + x25519.public_key().public_bytes_raw()
        )
        self.key_id = _key_id(self.public)

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """What RecoveryPublic.seal sealed. Raises BlobBroken."""
        try:
            info = encode([_VERSION, purpose, self.key_id])
            return self._suite.decrypt(sealed, self._key, info)
        except (InvalidTag, ValueError) as error:
            raise BlobBroken(f"this is not sealed to this key for '{purpose}'.") from error

    def unwrap(self, blob: bytes) -> tuple[str, bytes]:
        """The subject and key in a blob. Raises BlobBroken, whatever `blob` holds."""
        place = blob_name(blob).hex()
        try:
            parts = decode(blob, place=place)
        except NotCanonical as error:
            raise _broken(place, "it is not in its canonical form") from error
        match parts:
            case [int(version), int(suite), bytes(key_id), bytes(sealed)] if (
                version == _VERSION and suite == _SUITE_HYBRID
            ):
                if key_id != self.key_id:
                    raise _broken(place, "it was wrapped to another recovery key")
                return self._opened(sealed, place)
            case _:
                raise _broken(place, "this release does not know its form")

    def _opened(self, sealed: bytes, place: str) -> tuple[str, bytes]:
        try:
            parts = decode(self._suite.decrypt(sealed, self._key, _info(self.key_id)), place=place)
        except (InvalidTag, ValueError, NotCanonical) as error:
            raise _broken(place, "it is not as it was") from error
        match parts:
            case [str(subject), bytes(key)] if (
                _SUBJECT.fullmatch(subject) and len(key) == KEY_BYTES
            ):
                return subject, key
            case _:
                raise _broken(place, "it holds no subject's key")


class MasterKey:
    """Wraps subjects' keys for daily use at this home (AES-256-GCM-SIV). Thread-safe."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCMSIV(key)

    def wrap(self, subject: str, key: bytes, nonce: bytes) -> bytes:
        """The key as keeper.sqlite holds it; `nonce` is 12 fresh random bytes."""
        return nonce + self._cipher.encrypt(nonce, key, _at_home(subject))

    def unwrap(self, subject: str, wrapped: bytes) -> bytes:
        """The key again. Raises KeeperFolderInvalid where it is not this master key's."""
        nonce, sealed = wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, sealed, _at_home(subject))
        except (InvalidTag, ValueError) as error:
            raise KeeperFolderInvalid(
                f"the key of subject {subject} is not wrapped under this home's master key.",
                place="keeper.sqlite",
                remedy="Make a new keeper folder and adopt the keys from the embassies.",
            ) from error

    def lock_up(self, recovery_private: bytes, nonce: bytes) -> bytes:
        """The recovery key as it lies at home while keys are adopted; `nonce` as in `wrap`."""
        return nonce + self._cipher.encrypt(nonce, recovery_private, _WHILE_ADOPTING)

    def take_out(self, locked: bytes) -> bytes:
        """The recovery key again. Raises KeeperFolderInvalid where it is not this master key's."""
        nonce, sealed = locked[:_NONCE_BYTES], locked[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, sealed, _WHILE_ADOPTING)
        except (InvalidTag, ValueError) as error:
            raise KeeperFolderInvalid(
                "the recovery key that lies here is not sealed under this home's master key.",
                place="recovery.sealed",
                remedy="Remove this file and run the takeover again: kulla takeover run.",
            ) from error


_WHILE_ADOPTING: Final = encode([_VERSION, "kulla recovery key while keys are adopted"])


def _at_home(subject: str) -> bytes:
    return encode([_VERSION, "kulla subject key at home", subject])


def _info(key_id: bytes) -> bytes:
    return encode([_VERSION, "kulla subject key", _SUITE_HYBRID, key_id])


def _key_id(public: bytes) -> bytes:
    return hashlib.sha256(b"kulla recovery key" + public).digest()[:_KEY_ID_BYTES]


def _no_key(half: str) -> RecoveryKeyInvalid:
    return RecoveryKeyInvalid(
        f"these bytes are not the {half} half of a recovery key.",
        remedy="Take it from the recovery kit as it was written by `kulla init`.",
    )


def _broken(place: str, why: str) -> BlobBroken:
    return BlobBroken(
        f"this wrapped key does not unwrap: {why}.",
        place=place,
        remedy="Another embassy may hold it whole; else its subject's fields stay closed.",
    )

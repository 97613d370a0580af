"""Signed notes (C2SP signed-note): text, an empty line, and signature lines by named keys.

Ed25519 only: kind 1 signs the text itself, kind 4 is a timestamped checkpoint cosignature (C2SP
tlog-cosignature v1). Keys of kind 6 (ML-DSA-44 cosigners) can be read, so that strangers' policies
can be, but count as unknown: their signatures are skipped, never trusted.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from kulla.journal.errors import NoteInvalid, SignatureInvalid

KIND_ED25519: Final = 1
KIND_COSIGNATURE: Final = 4
KIND_MLDSA44: Final = 6

SIGNATURES_MAX: Final = 64
NOTE_BYTES_MAX: Final = 1 << 19

_PUBLIC_BYTES: Final = {KIND_ED25519: 32, KIND_COSIGNATURE: 32, KIND_MLDSA44: 1312}
_NAME_CHARACTERS_MAX: Final = 1024
_SECRET_PREFIX: Final = "PRIVATE+KEY+"  # noqa: S105 -- the name of a format, not a secret
_TIME_S_END: Final = 2**63
_CONTROLS_BUT_NEWLINE: Final = frozenset(range(0x20)) - {0x0A}


def decode_base64(text: str, *, place: str = "") -> bytes:
    """The bytes of standard base64 (RFC 4648 section 4) with its padding, in its one spelling.

    Raises NoteInvalid for other characters, missing padding, or bits left over in the last digit.
    """
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise NoteInvalid(f"this is not base64 ({error}).", place=place) from error
    if base64.b64encode(data).decode() != text:
        raise NoteInvalid("this base64 is not in its one strict spelling.", place=place)
    return data


def encode_base64(data: bytes) -> str:
    """Standard base64 with padding, the inverse of `decode_base64`."""
    return base64.b64encode(data).decode()


def check_key_name(name: str, *, place: str = "") -> None:
    """Raise NoteInvalid unless `name` may name a key: UTF-8, no spaces, plus signs or controls."""
    if not name:
        raise NoteInvalid("a key has no name.", place=place)
    if len(name) > _NAME_CHARACTERS_MAX:
        raise NoteInvalid(f"a key's name is over {_NAME_CHARACTERS_MAX} characters.", place=place)
    if name.isascii() and name.isprintable() and " " not in name and "+" not in name:
        return  # nearly every name there is, without a look at each letter
    if "+" in name or any(c.isspace() or ord(c) < 0x20 for c in name):
        raise NoteInvalid(f"the key name {name!r} has a space or a plus sign in it.", place=place)
    if any(0xD800 <= ord(c) <= 0xDFFF for c in name):
        raise NoteInvalid(f"the key name {name!r} is not UTF-8.", place=place)


def cosignature_message(at_s: int, text: str) -> bytes:
    """The bytes that a kind 4 key signs for the checkpoint `text`, `at_s` seconds since 1970."""
    return f"cosignature/v1\ntime {at_s}\n".encode() + _octets(text)


def _octets(text: str) -> bytes:
    # No parsed note has lone surrogates; a text that does is nobody's signed text, and no crash.
    return text.encode("utf-8", "surrogatepass")


def _key_id(name: str, kind: int, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: the key's name and 4-byte id, and what follows the id (`payload`)."""

    name: str
    key_id: bytes
    payload: bytes

    def line(self) -> str:
        """The line of a note, with its newline."""
        return f"\N{EM DASH} {self.name} {encode_base64(self.key_id + self.payload)}\n"


@dataclass(frozen=True)
class VerifierKey:
    """A public key under a name; `kind` is the signature type byte. Raises NoteInvalid."""

    name: str
    kind: int
    public: bytes

    def __post_init__(self) -> None:
        check_key_name(self.name)
        if self.kind not in _PUBLIC_BYTES:
            raise NoteInvalid(f"the key '{self.name}' is of the unknown kind {self.kind}.")
        if len(self.public) != _PUBLIC_BYTES[self.kind]:
            raise NoteInvalid(
                f"the key '{self.name}' has {len(self.public)} bytes; "
                f"a key of its kind has {_PUBLIC_BYTES[self.kind]}."
            )

    @cached_property
    def key_id(self) -> bytes:
        """The four bytes that name this key in a signature line, with its name."""
        return _key_id(self.name, self.kind, self.public)

    def __reduce__(self) -> tuple[type[VerifierKey], tuple[str, int, bytes]]:
        return VerifierKey, (self.name, self.kind, self.public)

    @cached_property
    def _ed25519(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self.public)

    def text(self) -> str:
        """The vkey: name, key id in hex, and base64 of kind and key, joined by plus signs."""
        body = encode_base64(bytes([self.kind]) + self.public)
        return f"{self.name}+{self.key_id.hex()}+{body}"

    @classmethod
    def parse(cls, text: str, *, place: str = "") -> VerifierKey:
        """The key of a vkey text. Raises NoteInvalid where it is cut short or its id is wrong."""
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise NoteInvalid("a key must read name+id+base64.", place=place)
        name, key_id, body = parts
        data = decode_base64(body, place=place)
        try:
            key = cls(name, data[0] if data else -1, data[1:])
        except NoteInvalid as error:
            raise NoteInvalid(error.message, place=place) from error
        if key_id != key.key_id.hex():
            raise NoteInvalid(
                f"the id {key_id!r} is not that of the key '{name}'.",
                place=place,
                remedy="Copy the whole key again from where it came.",
            )
        return key

    @property
    def can_verify(self) -> bool:
        """Whether signatures of this kind can be checked here."""
        return self.kind in (KIND_ED25519, KIND_COSIGNATURE)

    def verifies(self, text: str, payload: bytes) -> bool:
        """Whether `payload` is this key's signature of the note text `text`."""
        if self.kind == KIND_ED25519:
            return self.verifies_bytes(_octets(text), payload)
        if self.kind == KIND_COSIGNATURE and len(payload) == 72:
            at_s = int.from_bytes(payload[:8], "big")
            message = cosignature_message(at_s, text)
            return at_s < _TIME_S_END and self.verifies_bytes(message, payload[8:])
        return False

    def verifies_bytes(self, message: bytes, signature: bytes) -> bool:
        """Whether these 64 bytes are this key's plain Ed25519 signature (RFC 8032) of `message`."""
        if len(signature) != 64 or not self.can_verify:
            return False
        try:
            self._ed25519.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """A secret Ed25519 key under a name, of kind 1 (logs, custodians) or 4 (cosigners).

    Its repr shows the name alone. Safe to use from any thread.
    """

    def __init__(self, name: str, kind: int, seed: bytes) -> None:
        if kind not in (KIND_ED25519, KIND_COSIGNATURE):
            raise NoteInvalid(f"can't sign with a key of kind {kind}.")
        if len(seed) != 32:
            raise NoteInvalid(f"the seed of a signing key has 32 bytes, not {len(seed)}.")
        self._seed = seed
        self._secret = Ed25519PrivateKey.from_private_bytes(seed)
        self.name = name
        self.kind = kind
        self.verifier = VerifierKey(name, kind, self._secret.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"SigningKey({self.name!r}, kind={self.kind})"

    def sign_note(self, text: str) -> NoteSignature:
        """Sign `text` (whole lines, UTF-8) with a kind 1 key. Raises NoteInvalid for another."""
        if self.kind != KIND_ED25519:
            raise NoteInvalid(f"the key '{self.name}' cosigns checkpoints and signs nothing else.")
        _check_text(text, place="")
        return NoteSignature(self.name, self.verifier.key_id, self._secret.sign(text.encode()))

    def sign_cosignature(self, text: str, at_s: int) -> NoteSignature:
        """Cosign the checkpoint `text` at `at_s` seconds since 1970 with a kind 4 key."""
        if self.kind != KIND_COSIGNATURE:
            raise NoteInvalid(f"the key '{self.name}' is not a cosigner's.")
        if not 0 <= at_s < _TIME_S_END:
            raise NoteInvalid(f"a cosignature can't carry the time {at_s}.")
        _check_text(text, place="")
        signature = self._secret.sign(cosignature_message(at_s, text))
        return NoteSignature(self.name, self.verifier.key_id, at_s.to_bytes(8, "big") + signature)

    @property
    def number(self) -> int:
        """The secret number of RFC 8032, section 5.1.5: the public key is that times the base.

        For proofs by the same key that are no signatures (kernel.escrow). Never show it.
        """
        digest = bytearray(hashlib.sha512(self._seed).digest()[:32])
        digest[0] &= 248
        digest[31] = digest[31] & 127 | 64
        return int.from_bytes(digest, "little")

    def secret_text(self) -> str:
        """The secret as one line for a file of mode 0600, in the format of Go's sumdb/note."""
        body = encode_base64(bytes([self.kind]) + self._seed)
        return f"{_SECRET_PREFIX}{self.name}+{self.verifier.key_id.hex()}+{body}"

    @classmethod
    def parse(cls, text: str, *, place: str = "") -> SigningKey:
        """The key of `secret_text`, with or without a newline at its end.

        Raises NoteInvalid, whose message never shows the secret.
        """
        parts = text.removesuffix("\n").removeprefix(_SECRET_PREFIX).split("+", 2)
        if len(parts) != 3 or not text.startswith(_SECRET_PREFIX):
            raise NoteInvalid("this is not a secret signing key.", place=place)
        data = decode_base64(parts[2], place=place)
        if len(data) != 33:
            raise NoteInvalid("this secret key is cut short or too long.", place=place)
        try:
            key = cls(parts[0], data[0], data[1:])
        except NoteInvalid as error:
            raise NoteInvalid(error.message, place=place) from error
        if key.verifier.key_id.hex() != parts[1]:
            raise NoteInvalid(f"the id of the secret key '{parts[0]}' is wrong.", place=place)
        return key


@dataclass(frozen=True, slots=True)
class Note:
    """A text, whose last character is a newline, and its signatures; nothing is verified yet."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def render(self) -> bytes:
        """The bytes of the note. Raises NoteInvalid where `parse_note` would refuse them."""
        _check_text(self.text, place="")
        if not 0 < len(self.signatures) <= SIGNATURES_MAX:
            raise NoteInvalid(f"a note needs 1 to {SIGNATURES_MAX} signatures.")
        for signature in self.signatures:
            check_key_name(signature.name)
        lines = "".join(signature.line() for signature in self.signatures)
        return f"{self.text}\n{lines}".encode()


def parse_note(data: bytes | str, *, place: str = "") -> Note:
    """Read a signed note of at most 512 KiB and 64 signatures. Verifies no signature.

    Raises NoteInvalid, whose place is `place` and the line where the note is not well-formed.
    """
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if len(raw) > NOTE_BYTES_MAX:
        raise NoteInvalid(f"this note is over {NOTE_BYTES_MAX} bytes.", place=place)
    try:
        whole = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise NoteInvalid("this note is not UTF-8.", place=_at(place, line)) from error
    end = whole.rfind("\n\n")
    if end < 0:
        raise NoteInvalid(
            "this note has no empty line before its signatures.",
            place=place,
            remedy="It may have been cut short: fetch it again.",
        )
    text = whole[: end + 1]
    _check_text(text, place=place)
    first_line = text.count("\n") + 2
    return Note(text, _parse_signatures(whole[end + 2 :], first_line, place))


def parse_signature_line(line: str, *, place: str = "") -> NoteSignature:
    """Read one signature line, without its newline. Raises NoteInvalid."""
    prefix = "\N{EM DASH} "
    name, _, body = line.removeprefix(prefix).partition(" ")
    if not line.startswith(prefix) or not body:
        raise NoteInvalid("this is not a signature line.", place=place)
    check_key_name(name, place=place)
    data = decode_base64(body, place=place)
    if len(data) < 5:
        raise NoteInvalid("this signature is cut short.", place=place)
    return NoteSignature(name, data[:4], data[4:])


def parse_signature_lines(text: str, *, place: str = "") -> tuple[NoteSignature, ...]:
    """Read one to 64 signature lines, each with its newline: what an embassy answers."""
    return _parse_signatures(text, 1, place)


def open_note(note: Note, keys: Iterable[VerifierKey], *, place: str = "") -> list[VerifierKey]:
    """The keys among `keys` that signed `note`, each once, in the order of their first signature.

    As signed-note demands: signatures of unknown keys are skipped; one signature of a known key
    (same name and id) that does not verify rejects the whole note, and so does a note that no
    known key signed. Raises SignatureInvalid.
    """
    signed = verified_keys(note, keys, place=place)
    if not signed:
        raise SignatureInvalid("no known key signed this note.", place=place)
    return signed


def verified_keys(note: Note, keys: Iterable[VerifierKey], *, place: str = "") -> list[VerifierKey]:
    """Like `open_note`, but a note that no known key signed gives an empty list."""
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if key.can_verify and known.setdefault((key.name, key.key_id), key) != key:
            raise SignatureInvalid(f"two known keys share the name '{key.name}' and an id.")
    signed: dict[VerifierKey, None] = {}
    for signature in note.signatures:
        signer = known.get((signature.name, signature.key_id))
        if signer is None:
            continue
        if not signer.verifies(note.text, signature.payload):
            raise SignatureInvalid(
                f"the signature of '{signature.name}' does not fit this text.",
                place=place,
                remedy="The text or the signature was changed: fetch the note again.",
            )
        signed[signer] = None
    return list(signed)


def _at(place: str, line: int) -> str:
    return f"{place}, line {line}" if place else f"line {line}"


def _check_text(text: str, *, place: str) -> None:
    if not text.endswith("\n"):
        raise NoteInvalid("the text of a note must end with a newline.", place=place)
    try:
        raw = text.encode()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise NoteInvalid("this text is not UTF-8.", place=_at(place, line)) from error
    if not _CONTROLS_BUT_NEWLINE.isdisjoint(raw):
        at = next(i for i, byte in enumerate(raw) if byte in _CONTROLS_BUT_NEWLINE)
        line = raw.count(b"\n", 0, at) + 1
        raise NoteInvalid("this text has a control character.", place=_at(place, line))


def _parse_signatures(text: str, first_line: int, place: str) -> tuple[NoteSignature, ...]:
    if not text.endswith("\n"):
        raise NoteInvalid(
            "the signatures do not end with a newline.",
            place=place,
            remedy="The note may have been cut short: fetch it again.",
        )
    lines = text[:-1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise NoteInvalid(f"there are over {SIGNATURES_MAX} signatures.", place=place)
    return tuple(
        parse_signature_line(line, place=_at(place, number))
        for number, line in enumerate(lines, first_line)
    )

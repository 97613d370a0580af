"""Entries: one act each, sealed so that embassies can keep it and can't read it.

An entry is the canonical CBOR list [1, commitment, key_id, names, nonce, ciphertext]:

    plaintext  = the act, a canonical CBOR map (`act_plaintext`)
    commitment = SHA-256(salt || plaintext), so that a receipt proves one act with no key
    ciphertext = AES-256-GCM-SIV (RFC 8452) under a journal key of
                 pad([salt, plaintext]), bound to [1, origin, commitment, key_id, names]

The padding is 0x80 and zeros up to a bucket, so that a length tells little. Entries are built and
taken apart byte by byte at fixed places rather than by a CBOR library: there is one spelling, each
byte of it is checked, and a rebuild opens over 60,000 of them a second on one core.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence, Set
from typing import Any, Final, NamedTuple, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from kulla.journal.errors import EntryInvalid
from kulla.kernel.canonical import NotCanonical, Value, decode_own, encode
from kulla.kernel.edges import Entropy
from kulla.kernel.service import VIA_BYTES, Act, Actor, Role

ENTRY_BYTES_MAX: Final = 65_535
NAMES_MAX: Final = 255
BUCKETS: Final = (256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 57_344)
PLAINTEXT_BYTES_MAX: Final = BUCKETS[-1] - 39  # less the salt, the heads and the mark

_HEAD: Final = b"\x86\x01\x58\x20"  # a list of six: 1, 32 bytes, ...
_AAD_HEAD: Final = b"\x85\x01"  # a list of five: 1, ...
_SALT_HEAD: Final = b"\x82\x58\x20"  # a list of two: 32 bytes, ...
_NAMES_AT: Final = 45
_NAME_HEAD: Final = b"\x58\x20"
_TAG_BYTES: Final = 16
_ACT_FIELDS: Final = frozenset(("act", "at", "by", "command", "data", "role", "service", "v"))
_MAY_BE_ABSENT: Final = frozenset(("for", "of", "signed", "via", "wish"))
_ANY_MARK: Final = bytes(VIA_BYTES)
_ROLES: Final = frozenset(("citizen", "clerk", "operator", "analyst", "custodian"))


class EntryHead(NamedTuple):
    """What anyone can read of an entry: no key is needed, and nothing here is verified.

    names: SHA-256 names (32 bytes each) of the blobs that must be held before the entry counts.
    """

    commitment: bytes
    key_id: bytes
    names: tuple[bytes, ...]
    nonce: bytes
    ciphertext: bytes


class OpenedEntry(NamedTuple):
    """An entry that was opened, and whose plaintext fits its commitment."""

    plaintext: bytes
    salt: bytes
    names: tuple[bytes, ...]
    commitment: bytes


class JournalKey:
    """The secret that home and standby share and embassies don't have. Its repr hides it.

    Safe to use from any thread.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) != 32:
            raise EntryInvalid(f"a journal key has 32 bytes, not {len(secret)}.")
        self.secret = secret
        self.key_id = hashlib.sha256(b"kulla journal key" + secret).digest()[:8]
        self.cipher = AESGCMSIV(secret)

    def __repr__(self) -> str:
        return f"JournalKey({self.key_id.hex()})"


def commitment_of(salt: bytes, plaintext: bytes) -> bytes:
    """The 32 bytes that bind an entry to its act."""
    return hashlib.sha256(salt + plaintext).digest()


class Sealer:
    """Seals acts for the log `origin` under one key. Safe to use from any thread."""

    def __init__(self, origin: str, key: JournalKey, entropy: Entropy) -> None:
        self._aad_prefix = _AAD_HEAD + encode(origin)
        self._key_id_part = b"\x48" + key.key_id
        self._encrypt = key.cipher.encrypt
        self._random_bytes = entropy.random_bytes

    def seal(self, plaintext: bytes, names: Sequence[bytes] = ()) -> bytes:
        """The entry of an act whose blobs are `names` (at most 255, 32 bytes each, in order).

        Raises EntryInvalid where the act is over 57,305 bytes, or too long with all its names.
        """
        if len(plaintext) > ENTRY_BYTES_MAX:
            raise EntryInvalid(
                f"an act has {len(plaintext)} bytes; {ENTRY_BYTES_MAX} fit into an entry.",
                remedy="Let one command do less.",
            )
        random = self._random_bytes(44)
        salt, nonce = random[:32], random[32:]
        commitment = hashlib.sha256(salt + plaintext).digest()
        # These bytes stand in the entry and in the bound data alike.
        middle = b"\x58\x20" + commitment + self._key_id_part + _names_bytes(names)
        inner = _SALT_HEAD + salt + _bytes_head(len(plaintext)) + plaintext + b"\x80"
        padded = inner.ljust(_bucket(len(inner)), b"\0")
        sealed = self._encrypt(nonce, padded, self._aad_prefix + middle)
        entry = b"\x86\x01" + middle + b"\x4c" + nonce + _bytes_head(len(sealed)) + sealed
        if len(entry) > ENTRY_BYTES_MAX:
            raise EntryInvalid(
                f"an act with {len(names)} blobs makes an entry of {len(entry)} bytes; "
                f"{ENTRY_BYTES_MAX} fit.",
                remedy="Let one command name fewer files.",
            )
        return entry


class Opener:
    """Opens entries of the log `origin` with keys by id. Safe to use from any thread."""

    def __init__(self, origin: str, keys: Mapping[bytes, JournalKey]) -> None:
        self._aad_prefix = _AAD_HEAD + encode(origin)
        self._decrypts = {key_id: key.cipher.decrypt for key_id, key in keys.items()}

    def open(self, entry: bytes, *, place: str = "") -> OpenedEntry:
        """The act in `entry`, checked against its commitment.

        Raises EntryInvalid where the entry is malformed, its key is not at hand, or its bytes are
        not those that were sealed for this log.
        """
        names, names_end = _read_names(entry, place)
        commitment = entry[4:36]
        decrypt = self._decrypts.get(entry[37:45])
        if decrypt is None:
            raise EntryInvalid(
                f"there is no journal key {entry[37:45].hex()}.",
                place=place,
                remedy="Bring the journal keys of all epochs from the recovery kit.",
            )
        start = _read_nonce_and_head(entry, names_end, place)
        nonce = entry[names_end + 1 : names_end + 13]
        try:
            padded = decrypt(nonce, entry[start:], self._aad_prefix + entry[2:names_end])
        except InvalidTag as error:
            raise EntryInvalid("these are not the bytes that were sealed.", place=place) from error
        salt, plaintext = _unpad(padded, place)
        if hashlib.sha256(salt + plaintext).digest() != commitment:
            raise EntryInvalid("the act does not fit the entry's commitment.", place=place)
        return OpenedEntry(plaintext, salt, names, commitment)


def parse_entry(entry: bytes, *, place: str = "") -> EntryHead:
    """What an entry shows without a key; every byte of its form is checked. Raises EntryInvalid."""
    names, names_end = _read_names(entry, place)
    start = _read_nonce_and_head(entry, names_end, place)
    nonce = entry[names_end + 1 : names_end + 13]
    return EntryHead(entry[4:36], entry[37:45], names, nonce, entry[start:])


def act_plaintext(
    service: str,
    name: str,
    version: int,
    at_ms: int,
    role: str,
    subject: str,
    command_key: bytes,
    data: Mapping[str, Value],
    *,
    behalf: str = "",
    assertion: bytes = b"",
    wish: bytes = b"",
    together: int = 1,
    via: bytes = b"",
) -> bytes:
    """The bytes of an act: `name` without the service, `command_key` the 32 bytes it came from.

    `behalf` (whom the actor acted for), `assertion` (what staff signed over the command's key),
    `wish` (the bytes whose hash that key is) and `via` (the mark of the session or token that it
    came by, 8 bytes) stand in it where they are not empty, and `together`, how many acts that
    command came to, where they are several. Raises NotCanonical where `data` has no canonical
    encoding.
    """
    fields: dict[str, Value] = {
        "act": name,
        "at": at_ms,
        "by": subject,
        "command": command_key,
        "data": data,
        "role": role,
        "service": service,
        "v": version,
    }
    if behalf:
        fields["for"] = behalf
    if assertion:
        fields["signed"] = assertion
    if wish:
        fields["wish"] = wish
    if together > 1:
        fields["of"] = together
    if via:
        fields["via"] = via
    return encode(fields)


def parse_act(plaintext: bytes, position: int, *, place: str = "") -> Act:
    """The act of a plaintext that was opened or proven. Raises EntryInvalid."""
    return act_of(act_fields(plaintext, place=place), position, place=place)


def act_fields(plaintext: bytes, *, place: str = "") -> dict[str, Any]:
    """The map of a plaintext, with the fields that `act_plaintext` writes, types checked.

    Raises EntryInvalid.
    """
    try:
        fields = decode_own(plaintext, place=place)
    except NotCanonical as error:
        raise EntryInvalid(error.message, place=place) from error
    if type(fields) is not dict or not _fits(fields.keys()):
        raise EntryInvalid("the fields are not those of an act.", place=place)
    act = cast("dict[str, Any]", fields)
    good = (
        type(act["act"]) is type(act["by"]) is type(act["service"]) is str
        and type(act["at"]) is type(act["v"]) is int
        and type(act["command"]) is bytes
        and len(act["command"]) == 32
        and type(act["data"]) is dict
        and type(act["role"]) is str
        and act["role"] in _ROLES
        and (len(act) == len(_ACT_FIELDS) or _more_fits(act))
    )
    if not good:
        raise EntryInvalid("a field of this act is of the wrong kind.", place=place)
    return act


def _more_fits(act: Mapping[str, Any]) -> bool:
    """Whether those fields that may be absent are of their kinds where they are there."""
    return (
        type(act.get("for", "")) is str
        and type(act.get("of", 2)) is int
        and act.get("of", 2) > 1
        and type(act.get("signed", b"")) is type(act.get("wish", b"")) is bytes
        and type(act.get("via", b"")) is bytes
        and len(act.get("via", _ANY_MARK)) == VIA_BYTES
    )


def act_of(fields: Mapping[str, Any], position: int, *, place: str = "") -> Act:
    """The act of the fields that `act_fields` gave, at `position` in the tower's journal."""
    if position < 0:
        raise EntryInvalid(f"an act can't stand at position {position}.", place=place)
    actor = Actor(cast("Role", fields["role"]), fields["by"], fields.get("for", ""))
    always = (
        position,
        fields["service"],
        fields["act"],
        fields["v"],
        fields["at"],
        actor,
        fields["command"],
        fields["data"],
    )
    if len(fields) == len(_ACT_FIELDS):
        return Act(*always)
    return Act(
        *always,
        fields.get("signed", b""),
        fields.get("wish", b""),
        fields.get("of", 1),
        fields.get("via", b""),
    )


def _fits(names: Set[object]) -> bool:
    return names == _ACT_FIELDS or names - _MAY_BE_ABSENT == _ACT_FIELDS


def _bytes_head(length: int) -> bytes:
    """The CBOR head of a byte string."""
    if length < 24:
        return bytes((0x40 + length,))
    if length < 256:
        return bytes((0x58, length))
    return b"\x59" + length.to_bytes(2, "big")


def _names_bytes(names: Sequence[bytes]) -> bytes:
    if not names:
        return b"\x80"
    count = len(names)
    if count > NAMES_MAX:
        raise EntryInvalid(f"an act names {count} blobs; {NAMES_MAX} may be.")
    for name in names:
        if len(name) != 32:
            raise EntryInvalid(f"the name of a blob has 32 bytes, not {len(name)}.")
    head = bytes((0x80 + count,)) if count < 24 else bytes((0x98, count))
    return head + b"".join([_NAME_HEAD + name for name in names])


def _bucket(length: int) -> int:
    if length <= 256:
        return 256
    if length <= 32_768:
        return 1 << (length - 1).bit_length()
    if length <= BUCKETS[-1]:
        return BUCKETS[-1]
    raise EntryInvalid(
        f"this act is too long: {PLAINTEXT_BYTES_MAX} bytes fit.",
        remedy="Hand in a large file as a blob that the act names.",
    )


def _read_names(entry: bytes, place: str) -> tuple[tuple[bytes, ...], int]:
    """The names of an entry and where they end; checks all that stands before."""
    if len(entry) > ENTRY_BYTES_MAX:
        raise EntryInvalid(f"this entry is over {ENTRY_BYTES_MAX} bytes.", place=place)
    if entry[:4] != _HEAD or len(entry) < _NAMES_AT + 2 or entry[36] != 0x48:
        raise EntryInvalid("this is not an entry of version 1.", place=place)
    head = entry[_NAMES_AT]
    if head == 0x80:
        return (), _NAMES_AT + 1
    if head == 0x98:
        count, at = entry[_NAMES_AT + 1], _NAMES_AT + 2
    else:
        count, at = head - 0x80, _NAMES_AT + 1
    if not (0 < count < 24 if head != 0x98 else count >= 24):
        raise EntryInvalid("the list of blobs of this entry is malformed.", place=place)
    end = at + 34 * count
    parts = [entry[i : i + 34] for i in range(at, end, 34)]
    if len(entry) < end or any(part[:2] != _NAME_HEAD for part in parts):
        raise EntryInvalid("the list of blobs of this entry is malformed.", place=place)
    return tuple(part[2:] for part in parts), end


def _read_nonce_and_head(entry: bytes, at: int, place: str) -> int:
    """Where the ciphertext starts; checks that it ends with the entry, and its nonce before."""
    body = at + 13
    # A ciphertext is never shorter than the smallest bucket, so its length has two bytes.
    length = len(entry) - body - 3
    if (
        length < BUCKETS[0] + _TAG_BYTES
        or entry[at] != 0x4C
        or entry[body] != 0x59
        or int.from_bytes(entry[body + 1 : body + 3], "big") != length
    ):
        raise EntryInvalid("this entry is cut short or malformed.", place=place)
    return body + 3


def _unpad(padded: bytes, place: str) -> tuple[bytes, bytes]:
    """The salt and the plaintext that a sealer padded."""
    inner = padded.rstrip(b"\0")
    head = padded[35]
    if head == 0x59:
        start, length = 38, int.from_bytes(padded[36:38], "big")
    elif head == 0x58:
        start, length = 37, padded[36]
    else:
        start, length = 36, head - 0x40
    end = start + length
    plaintext = padded[start:end]
    whole = padded[:3] == _SALT_HEAD and padded[35:start] == _bytes_head(length & 0xFFFF)
    if not whole or len(inner) != end + 1 or inner[-1] != 0x80:
        raise EntryInvalid("what was sealed here is malformed.", place=place)
    return padded[3:35], plaintext

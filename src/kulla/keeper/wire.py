"""How questions and answers travel between the keeper and those who ask: maps of canonical CBOR.

Every field is read by its kind, so that a stray frame is an error message and never an exception.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kulla.keeper import errors
from kulla.kernel.canonical import NotCanonical, Value, decode_own, encode

SOCKET: Final = "keeper.sock"
FRAME_MAX_BYTES: Final = 8 * 1024 * 1024
BLOBS_MAX: Final = 1000

_ERRORS: Final[Mapping[str, type[errors.KeeperError]]] = {
    kind.__name__: kind
    for kind in (
        errors.UnknownSubject,
        errors.SealBroken,
        errors.ValueTooLong,
        errors.AskMalformed,
        errors.OpeningNotLogged,
        errors.RecoveryKeyInvalid,
        errors.KeeperFolderInvalid,
    )
}


def parse(frame: bytes) -> dict[str, Any]:
    """A frame's map. Raises AskMalformed where it is none."""
    try:
        fields = decode_own(frame)
    except NotCanonical as error:
        raise errors.AskMalformed("this is not CBOR.") from error
    if not isinstance(fields, dict):
        raise errors.AskMalformed("this is not a map.")
    return fields


def text(fields: Mapping[str, Any], name: str) -> str:
    """A field of text. Raises AskMalformed."""
    value = fields.get(name)
    if not isinstance(value, str):
        raise _misshapen(name)
    return value


def data(fields: Mapping[str, Any], name: str) -> bytes:
    """A field of bytes. Raises AskMalformed."""
    value = fields.get(name)
    if not isinstance(value, bytes):
        raise _misshapen(name)
    return value


def number(fields: Mapping[str, Any], name: str) -> int:
    """A field that is an integer. Raises AskMalformed."""
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _misshapen(name)
    return value


def bytes_list(fields: Mapping[str, Any], name: str) -> list[bytes]:
    """A field that is a list of bytes. Raises AskMalformed."""
    value = fields.get(name)
    if not isinstance(value, list) or not all(isinstance(item, bytes) for item in value):
        raise _misshapen(name)
    return value


def text_map(fields: Mapping[str, Any], name: str) -> dict[str, str]:
    """A field that maps text to text. Raises AskMalformed."""
    value = fields.get(name)
    if not isinstance(value, dict) or not all(
        isinstance(key, str) and isinstance(item, str) for key, item in value.items()
    ):
        raise _misshapen(name)
    return value


def bytes_map(fields: Mapping[str, Any], name: str) -> dict[str, bytes]:
    """A field that maps text to bytes. Raises AskMalformed."""
    value = fields.get(name)
    if not isinstance(value, dict) or not all(
        isinstance(key, str) and isinstance(item, bytes) for key, item in value.items()
    ):
        raise _misshapen(name)
    return value


def answer(value: Value) -> bytes:
    """The frame of a good answer."""
    return encode({"status": "ok", "value": value})


def failure(error: errors.KeeperError) -> bytes:
    """The frame of an error; `raised` makes the same error of it at the other end."""
    return encode(
        {
            "status": "error",
            "error": type(error).__name__,
            "message": error.message,
            "place": error.place,
            "remedy": error.remedy,
        }
    )


def raised(fields: Mapping[str, Any]) -> errors.KeeperError:
    """The error that a frame of `failure` stands for."""
    kind = _ERRORS.get(str(fields.get("error")), errors.KeeperError)
    return kind(
        str(fields.get("message")),
        place=str(fields.get("place", "")),
        remedy=str(fields.get("remedy", "")),
    )


def _misshapen(name: str) -> errors.AskMalformed:
    return errors.AskMalformed("this field is missing or of another kind.", place=name)

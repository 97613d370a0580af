"""Reading what people hand in: bounded in bytes, and never trusted to be well formed."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any, Final

from kulla.attribution.errors import AttributionError

EVIDENCE_BYTES_MAX: Final = 4 * 2**20
# ATT&CK's enterprise bundle is some 45 MB; parsed, a file takes about ten times its size.
KNOWLEDGE_BYTES_MAX: Final = 80 * 2**20
RECORD_BYTES_MAX: Final = 32 * 2**20


def read_bytes(path: Path, bytes_max: int, wrong: type[AttributionError]) -> bytes:
    """The bytes of a file, or `wrong` where it can't be read or is over `bytes_max`.

    The size is looked at before anything is read, and no more than `bytes_max` is ever read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(bytes_max + 1)
    except OSError as error:
        raise wrong(
            f"can't be read: {error.strerror}.", place=str(path), remedy="Name a file that can."
        ) from error
    if len(data) > bytes_max:
        raise wrong(
            f"is over {bytes_max // 2**20} MiB, and the desk reads no more.",
            place=str(path),
            remedy="Cut it to what the incident or the release needs.",
        )
    return data


def parse_json(data: bytes, place: str, wrong: type[AttributionError]) -> Any:
    """The value of a JSON text. NaN and infinities are refused, as is nesting without end."""
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_no_constant)
    except (UnicodeDecodeError, ValueError) as error:
        raise wrong(f"is not JSON: {error}.", place=place, remedy="Write it anew.") from error
    except RecursionError as error:
        raise wrong("is nested too deep.", place=place, remedy="Write it anew.") from error


def parse_toml(data: bytes, place: str, wrong: type[AttributionError]) -> Any:
    """The value of a TOML text."""
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, ValueError) as error:
        raise wrong(f"is not TOML: {error}.", place=place, remedy="Mend that line.") from error
    except RecursionError as error:
        raise wrong("is nested too deep.", place=place, remedy="Write it anew.") from error


def write_file(path: Path, data: bytes) -> None:
    """Write a file in the place of an older one: whole, or not at all where the machine stops.

    Raises AttributionError where the folder does not take it.
    """
    half = path.with_name(f"{path.name}.half")
    try:
        half.write_bytes(data)
        half.replace(path)
    except OSError as error:
        raise AttributionError(
            f"can't be written: {error.strerror}.", place=str(path), remedy="Name another file."
        ) from error


def sha256_of(data: bytes) -> str:
    """SHA-256 of these bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")

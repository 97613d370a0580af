"""Answers of an embassy: how each refusal is put in HTTP, and read back by a client."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from kulla.embassy.errors import (
    AccessDenied,
    AnswerInvalid,
    BlobDamaged,
    BlobMissing,
    BodyInvalid,
    BodyTooLarge,
    Conflict,
    EmbassyError,
    ForkRefused,
    LogSealed,
    MissingBlobs,
    QuotaFull,
    Refused,
    SealedForAnother,
    SizeConflict,
)
from kulla.journal.checkpoints import parse_decimal
from kulla.journal.errors import JournalError

TEXT: Final = "text/plain; charset=utf-8"
BYTES: Final = "application/octet-stream"
JSON: Final = "application/json"
SIZE: Final = "text/x.tlog.size"
MIRROR_INFO: Final = "text/x.tlog.mirror-info"
MISSING_BLOBS: Final = "text/x.kulla.missing-blobs"
FORK: Final = "text/x.kulla.fork"
SEALED: Final = "text/x.kulla.sealed"
SEALED_FOR_ANOTHER: Final = "text/x.kulla.sealed-for-another"

NAMES_LISTED_MAX: Final = 10_000
_RETRY_AFTER_S: Final = 3600


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: HTTP's status, the body and its media type, and headers beyond that."""

    status: int
    body: bytes = b""
    media_type: str = TEXT
    headers: Mapping[str, str] = field(default_factory=dict)


def mirror_info(size: int, next_entry: int, ticket: bytes) -> bytes:
    """The three lines of a 202 or 409 answer to add-entries."""
    return f"{size}\n{next_entry}\n{base64.b64encode(ticket).decode()}\n".encode()


def parse_mirror_info(body: bytes, *, place: str = "") -> tuple[int, int, bytes]:
    """(size, next entry, ticket) of three such lines. Raises AnswerInvalid."""
    try:
        size, next_entry, ticket, rest = body.decode().split("\n")
        if rest:
            raise ValueError("more than three lines")
        decoded = binascii.a2b_base64(ticket, strict_mode=True) if ticket else b""
        return parse_decimal(size), parse_decimal(next_entry), decoded
    except (ValueError, JournalError) as error:
        raise AnswerInvalid(
            f"these are not the lines of a mirror ({error}).", place=place
        ) from error


def refusal(error: EmbassyError) -> Reply:
    """The answer that says what a refused request did wrong."""
    match error:
        case SizeConflict():
            return Reply(409, f"{error.size}\n".encode(), SIZE)
        case Conflict():
            info = mirror_info(error.size, error.next_entry, error.ticket)
            return Reply(409, info, MIRROR_INFO)
        case MissingBlobs():
            listed = error.names[:NAMES_LISTED_MAX]
            return Reply(422, "".join(f"{n.hex()}\n" for n in listed).encode(), MISSING_BLOBS)
        case ForkRefused():
            return Reply(error.status, error.held, FORK)
        case LogSealed():
            return Reply(403, error.statement, SEALED)
        case SealedForAnother():
            return Reply(409, error.statement, SEALED_FOR_ANOTHER)
        case Refused():
            return Reply(error.status, f"{error.reason}\n".encode())
        case QuotaFull() if error.today:
            return _said(429, error, {"Retry-After": str(_RETRY_AFTER_S)})
        case AccessDenied():
            return _said(401, error, {"WWW-Authenticate": "Kulla-Ed25519"})
    statuses: dict[type[EmbassyError], int] = {
        BodyInvalid: 400,
        BodyTooLarge: 413,
        QuotaFull: 507,
        BlobMissing: 404,
        BlobDamaged: 500,
    }
    return _said(statuses[type(error)], error, {})


def parse_refusal(status: int, media_type: str, body: bytes, *, place: str = "") -> Refused:
    """The error that an embassy's answer of 400 or more stands for. Raises AnswerInvalid."""
    kind = media_type.partition(";")[0].strip().lower()
    if status == 409 and kind == MIRROR_INFO:
        return Conflict(*parse_mirror_info(body, place=place), place=place)
    if kind == FORK:
        return ForkRefused(status, body, place=place)
    if status == 403 and kind == SEALED:
        return LogSealed(body, place=place)
    if status == 409 and kind == SEALED_FOR_ANOTHER:
        return SealedForAnother(body, place=place)
    text = body.decode("utf-8", "replace")
    try:
        if status == 409 and kind == SIZE:
            return SizeConflict(parse_decimal(text.removesuffix("\n")), place=place)
        if status == 422 and kind == MISSING_BLOBS:
            return MissingBlobs([bytes.fromhex(line) for line in text.split()], place=place)
    except (ValueError, JournalError) as error:
        raise AnswerInvalid(f"this is no answer of an embassy ({error}).", place=place) from error
    return Refused(status, text[:1000].strip() or "no reason given", place=place)


def _said(status: int, error: EmbassyError, headers: Mapping[str, str]) -> Reply:
    return Reply(status, f"{error}\n".encode(), TEXT, headers)

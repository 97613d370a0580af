"""What commands of the lottery may carry: each field is read once, by its shape. Pure.

Raises Malformed (caught in `policy`) and nothing else, whatever a client sends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

EMBASSIES_MAX: Final = 64
KEY_CHARS_MAX: Final = 1100
BYTES_MAX: Final = 16_384
COUNT_END: Final = 1 << 63
TOLD_BY: Final = ("embassy", "custodians")
_ROUND: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_HASH_BYTES: Final = 32


class Malformed(ValueError):
    """A field of a command that is missing, not known, or not of its shape."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


@dataclass(frozen=True, slots=True)
class CommitWish:
    """An embassy's commitment for a round, as the embassy signed it, with its deal."""

    round: str
    embassy: str
    escrow: bytes
    statement: bytes


@dataclass(frozen=True, slots=True)
class ToldWish:
    """One embassy's secret, who told it, and what proves it."""

    embassy: str
    secret: bytes
    by: str
    evidence: bytes


@dataclass(frozen=True, slots=True)
class DrawWish:
    """A lottery as it was drawn; see acts.seed_drawn."""

    round: str
    closed: int
    size: int
    root: bytes
    told: tuple[ToldWish, ...]
    seed: bytes


def commit_wish(data: Mapping[str, Any]) -> CommitWish:
    """The data of `commit_secret`. Raises Malformed."""
    _only(data, ("round", "embassy", "escrow", "statement"))
    return CommitWish(
        _round(data),
        _embassy(data.get("embassy"), "embassy"),
        _bytes(data.get("escrow"), "escrow"),
        _bytes(data.get("statement"), "statement"),
    )


def draw_wish(data: Mapping[str, Any]) -> DrawWish:
    """The data of `draw_seed`. Raises Malformed."""
    _only(data, ("round", "closed", "size", "root", "secrets", "beacon", "seed"))
    if data.get("beacon") != b"":
        raise Malformed("beacon")
    rows = data.get("secrets")
    if not isinstance(rows, list | tuple) or not 0 < len(rows) <= EMBASSIES_MAX:
        raise Malformed("secrets")
    return DrawWish(
        _round(data),
        _count(data.get("closed"), "closed"),
        _count(data.get("size"), "size"),
        _hash(data.get("root"), "root"),
        tuple(_told(row, f"secrets[{at}]") for at, row in enumerate(rows)),
        _hash(data.get("seed"), "seed"),
    )


def _told(row: object, field: str) -> ToldWish:
    if not isinstance(row, list | tuple) or len(row) != 4:
        raise Malformed(field)
    embassy, secret, by, evidence = row
    if by not in TOLD_BY:
        raise Malformed(field)
    return ToldWish(_embassy(embassy, field), _hash(secret, field), by, _bytes(evidence, field))


def _only(data: Mapping[str, Any], fields: tuple[str, ...]) -> None:
    for field in data:
        if field not in fields:
            raise Malformed(str(field)[:100])


def _round(data: Mapping[str, Any]) -> str:
    value = data.get("round")
    if not isinstance(value, str) or not _ROUND.fullmatch(value):
        raise Malformed("round")
    return value


def _embassy(value: object, field: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= KEY_CHARS_MAX:
        raise Malformed(field)
    return value


def _bytes(value: object, field: str) -> bytes:
    if not isinstance(value, bytes) or not 0 < len(value) <= BYTES_MAX:
        raise Malformed(field)
    return value


def _hash(value: object, field: str) -> bytes:
    if not isinstance(value, bytes) or len(value) != _HASH_BYTES:
        raise Malformed(field)
    return value


def _count(value: object, field: str) -> int:
    if type(value) is not int or not 0 <= value < COUNT_END:
        raise Malformed(field)
    return value

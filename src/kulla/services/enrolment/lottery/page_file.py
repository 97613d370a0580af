"""A round's lottery as a file that proves itself, for `kulla lottery check` and for other tools.

JSON: format, round, list {count, root}, seed, seed_text, closed (the receipt of the closing
act), and tickets: for each embassy its statement key, the receipt of its commitment, the secret,
who told it, and what proves it. Hashes and secrets are hex, receipts and evidence base64.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from kulla.services.enrolment.policy.draw import seed_text

FORMAT: Final = "kulla lottery v1"


def text_of(round_row: Mapping[str, Any], secrets: Sequence[Mapping[str, Any]]) -> str:
    """The text whose SHA-256 is the seed, of a round that was drawn."""
    told = [(str(each["embassy"]), _bytes(each, "secret")) for each in secrets]
    count = round_row["list_count"]
    assert isinstance(count, int)
    return seed_text(str(round_row["id"]), count, _bytes(round_row, "list_root"), told)


def file_of(
    round_row: Mapping[str, Any],
    draw_row: Mapping[str, Any],
    secrets: Sequence[Mapping[str, Any]],
    receipt: Callable[[int], bytes],
) -> dict[str, Any]:
    """The file of a round that was drawn; `receipt(position)` gives receipts of public acts."""
    closed = draw_row["closed"]
    assert isinstance(closed, int)
    return {
        "format": FORMAT,
        "round": round_row["id"],
        "list": {
            "count": round_row["list_count"],
            "root": _bytes(round_row, "list_root").hex(),
        },
        "seed": _bytes(draw_row, "seed").hex(),
        "seed_text": text_of(round_row, secrets),
        "closed": _base64(receipt(closed)),
        "tickets": [_ticket(each, receipt) for each in secrets],
    }


def _ticket(secret: Mapping[str, Any], receipt: Callable[[int], bytes]) -> dict[str, Any]:
    committed = secret["committed"]
    assert isinstance(committed, int)
    return {
        "embassy": secret["embassy"],
        "committed": _base64(receipt(committed)),
        "secret": _bytes(secret, "secret").hex(),
        "told_by": secret["told_by"],
        "evidence": _base64(_bytes(secret, "evidence")),
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(row: Mapping[str, Any], column: str) -> bytes:
    value = row[column]
    assert isinstance(value, bytes), column
    return bytes(value)

"""What a lottery's secrets are bound to: words that embassies, custodians and services share. Pure.

A proof that is made for one of these contexts fits no other tower, round, embassy or list.
"""

from __future__ import annotations

import re
from typing import Final

from kulla.kernel.canonical import encode

ROUND: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
"""The ids of rounds."""


def secret_context(tower: str, round_id: str, embassy: str) -> bytes:
    """Of what an embassy's deal and its proof are. `embassy` is its statement key's text."""
    return encode(["kulla lottery secret v1", tower, round_id, embassy])


def opening_context(tower: str, round_id: str, embassy: str, root: bytes) -> bytes:
    """Of what a custodian's proof is: this embassy's secret, for the list with this root (32)."""
    return encode(["kulla lottery opening v1", tower, round_id, embassy, root])

"""What the policy of messages has to know. Live path only."""

from __future__ import annotations

from kulla.kernel.rows import Row, Rows
from kulla.kernel.service import Asked
from kulla.services.messages import apply


def recorded(rows: Rows, asked: Asked) -> Row | None:
    """What is recorded of the command's letter."""
    message = asked.data.get("message")
    return rows.get(apply.MESSAGE, message) if isinstance(message, str) else None


def looked(rows: Rows, asked: Asked) -> Row | None:
    """How far the post has looked."""
    del asked
    return rows.get(apply.LOOKED, apply.LOOKED_KEY)

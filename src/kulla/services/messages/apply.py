"""How acts change the register of messages. The same acts always give the same rows."""

from __future__ import annotations

from typing import Final

from kulla.kernel.errors import UnfitAct
from kulla.kernel.rows import RowsByKey
from kulla.kernel.service import Act

MESSAGE: Final = "messages_message"
LOOKED: Final = "messages_looked"
LOOKED_KEY: Final = "post"

SENT, FAILED = "sent", "failed"


def sent(rows: RowsByKey, act: Act) -> None:
    """Note the letter as sent. Raises UnfitAct where it was recorded before."""
    _note(rows, act, SENT, "")


def failed(rows: RowsByKey, act: Act) -> None:
    """Note the letter as one that will never go. Raises UnfitAct where it was recorded before."""
    _note(rows, act, FAILED, act.data["why"])


def looked(rows: RowsByKey, act: Act) -> None:
    """Note how far the post has dealt with letters."""
    rows.put(LOOKED, {"post": LOOKED_KEY, "up_to": act.data["up_to"], "position": act.position})


def _note(rows: RowsByKey, act: Act, state: str, why: str) -> None:
    data = act.data
    if rows.get(MESSAGE, data["message"]) is not None:
        raise UnfitAct(
            f"the letter {data['message']} was recorded before.",
            place=f"act {act.position}",
            remedy="Look for two acts that record one letter.",
        )
    rows.put(
        MESSAGE,
        {
            "id": data["message"],
            "subject": data["subject"],
            "kind": data["kind"],
            "about": data["about"],
            "channel": data["channel"],
            "state": state,
            "why": why,
            "sent_ms": act.at_ms,
            "position": act.position,
        },
    )

"""What a takeover settled, kept in the new home's folder, so that another try adopts the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from kulla.embassy.settle import Settlement, Tail
from kulla.journal.checkpoints import Checkpoint
from kulla.kernel.canonical import Value, decode, encode
from kulla.tower.home import Home, write_secret

_TAILS: Final = ("behind", "tails", "forked")


def settled_once(home: Home, settle: Callable[[], Settlement]) -> Settlement:
    """What an earlier try settled in this folder, or what is settled now, durably.

    Another try may reach fewer embassies: it must not adopt less than registers already hold.
    """
    path = home.folder / "takeover" / "settled"
    if not path.exists():
        found = settle()
        tails = {
            name: [[tail.embassy, tail.size] for tail in getattr(found, name)] for name in _TAILS
        }
        kept: dict[str, Value] = {
            "origin": found.checkpoint.origin,
            "size": found.checkpoint.size,
            "root": found.checkpoint.root,
            "holders": list(found.holders),
            "certain": found.certain,
            **cast("dict[str, Value]", tails),
        }
        write_secret(path, encode(kept))
        return found
    fields = cast("dict[str, Any]", decode(path.read_bytes(), place=str(path)))
    return Settlement(
        Checkpoint(fields["origin"], fields["size"], fields["root"]),
        tuple(fields["holders"]),
        certain=fields["certain"],
        **{name: tuple(Tail(*tail) for tail in fields[name]) for name in _TAILS},
    )

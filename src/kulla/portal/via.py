"""By which sign-in an act was done: a mark of eight bytes that goes with each command.

Acts of one stolen session, or of one stolen token, can so be told from what the person did
themself, and undone. A mark says nothing more: it is the start of a hash of a hash that only the
sessions file, or the register of tokens, holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, cast

from django.http import HttpRequest

from kulla.kernel.service import VIA_BYTES, Command
from kulla.kernel.tower import Answer, TowerEdge, Witnessing
from kulla.portal.sessions import SessionStore

_SESSION: Final = b"kulla session mark"
_TOKEN: Final = b"kulla token mark"


def session_mark(id_hash: bytes) -> bytes:
    """The mark of the session that the sessions file knows by this hash."""
    return hashlib.sha256(_SESSION + id_hash).digest()[:VIA_BYTES]


def token_mark(token_hash: bytes) -> bytes:
    """The mark of the API token that the register knows by this hash."""
    return hashlib.sha256(_TOKEN + token_hash).digest()[:VIA_BYTES]


def mark_of(request: HttpRequest) -> bytes:
    """The mark of how this request is signed in; b'' where it is not."""
    caller = getattr(request, "caller", None)
    if caller is not None:
        return token_mark(cast(bytes, caller.token_hash))
    session = getattr(request, "session", None)
    key = session.session_key if session is not None else None
    return session_mark(SessionStore.hash_of(key)) if key else b""


class MarkedTower:
    """The tower as one request sees it (kernel.tower.TowerEdge): its commands carry its mark."""

    __slots__ = ("_request", "_tower")

    def __init__(self, tower: TowerEdge, request: HttpRequest) -> None:
        self._tower = tower
        self._request = request

    def submit(self, command: Command, wait_s: float = 10.0) -> Answer:
        """See TowerEdge."""
        return self._tower.submit(replace(command, via=mark_of(self._request)), wait_s)

    def seal(self, subject: str, fields: Mapping[str, str], once: bytes = b"") -> dict[str, bytes]:
        """See TowerEdge."""
        return self._tower.seal(subject, fields, once)

    def open(self, subject: str, sealed: Mapping[str, bytes], reason: str) -> dict[str, str]:
        """See TowerEdge."""
        return self._tower.open(subject, sealed, reason)

    def enrol(self, count: int) -> Sequence[tuple[str, bytes]]:
        """See TowerEdge."""
        return self._tower.enrol(count)

    def token(self, column: str, value: str) -> bytes:
        """See TowerEdge."""
        return self._tower.token(column, value)

    def keep_file(self, subject: str, content: bytes, once: bytes) -> bytes:
        """See TowerEdge."""
        return self._tower.keep_file(subject, content, once)

    def read_file(self, subject: str, name: bytes, reason: str) -> bytes:
        """See TowerEdge."""
        return self._tower.read_file(subject, name, reason)

    def drop_file(self, name: bytes) -> None:
        """See TowerEdge."""
        self._tower.drop_file(name)

    def witnessing(self) -> Witnessing:
        """See TowerEdge."""
        return self._tower.witnessing()

    def receipt(self, position: int, subject: str) -> bytes:
        """See TowerEdge."""
        return self._tower.receipt(position, subject)

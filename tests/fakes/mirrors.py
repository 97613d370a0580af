"""Embassies in this process: the real mirror over simulated stores, reached without a network.

Fault model: a transport that is `down` does not answer, and what was asked did not happen; one that
is `mute` does what was asked and its answer is lost. Stores keep what they promised over `crash`.
`lies` change what it says of itself at /healthz, which nobody signs; `shown_policy` is shown in the
place of the one that is pinned.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fakes.clock import HandClock
from fakes.signers import MadeUpTower
from kulla.embassy.blobs import SqliteBlobs
from kulla.embassy.client import Answer, EmbassyClient
from kulla.embassy.errors import Unreachable
from kulla.embassy.mirror import Identity, Mirror, Stores
from kulla.embassy.pinned import pin_first
from kulla.embassy.replies import Reply
from kulla.embassy.routes import answer
from kulla.journal.simulated import SimulatedTileStore


class MirrorInProcess:
    """One embassy; also the transport of the clients that reach it."""

    def __init__(
        self,
        tower: MadeUpTower,
        name: str,
        folder: Path,
        clock: HandClock,
        *,
        policy: bytes = b"",
    ) -> None:
        """`policy`: the one that its operator pins first, the tower's own if absent."""
        self.name = name
        self.clock = clock
        self.down = False
        self.mute = False
        self.asked: list[str] = []
        self.lies: dict[str, Callable[[Any], Any]] = {}
        self.shown_policy = b""
        self._stores: dict[str, SimulatedTileStore] = {}
        self._identity = Identity(
            name, tower.mirror_keys[name], tower.statement_keys[name], b"t" * 32
        )
        self._blobs = SqliteBlobs(folder / f"{name}.sqlite")
        desk = self.store("desk")
        pin_first(desk, policy or tower.policy.render(), tower.mirror_keys[name].verifier)
        self.mirror = self._open()

    def store(self, name: str) -> SimulatedTileStore:
        """The store of a log by its origin hash, or the desk."""
        return self._stores.setdefault(name, SimulatedTileStore(len(self._stores)))

    def crash(self) -> None:
        """Lose power: what was promised stays, and the embassy starts again."""
        for store in self._stores.values():
            store.crash()
        self.mirror = self._open()

    def client(self) -> EmbassyClient:
        """A client that reaches this embassy."""
        return EmbassyClient("http://in-process", name=self.name, transport=self)

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """See kulla.embassy.client.Transport; no signature of readers is asked for."""
        self.asked.append(path)
        if self.down:
            raise Unreachable("down", place=self.name)
        reply = self._answer(method, path, body)
        if self.mute:
            raise Unreachable("mute", place=self.name)
        return Answer(reply.status, reply.media_type, reply.body)

    def close(self) -> None:
        """See Transport."""

    def _open(self) -> Mirror:
        return Mirror(
            self._identity, Stores(self.store("desk"), self.store, self._blobs), self.clock
        )

    def _answer(self, method: str, path: str, body: bytes) -> Reply:
        if method == "GET" and path == "/healthz":
            health: Any = dict(self.mirror.health())
            for lie in self.lies.values():
                health = lie(health)
            return Reply(200, json.dumps(health).encode(), "application/json")
        if method == "GET" and path.startswith("/policy") and self.shown_policy:
            return Reply(200, self.shown_policy, "text/plain")
        return answer(self.mirror, method, path, body)

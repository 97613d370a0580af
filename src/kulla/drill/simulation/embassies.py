"""Embassies: the real mirror over simulated disks, with a process that can die at every write."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from kulla.drill.simulation import country
from kulla.drill.simulation.clocks import SiteClock
from kulla.drill.simulation.coverage import embassy_write, fault_of
from kulla.drill.simulation.mortal import Died, Life, MortalStore
from kulla.embassy.errors import BlobsFailed, MirrorBroken, SettingsInvalid
from kulla.embassy.mirror import Mirror, Stores
from kulla.embassy.quota import Limits
from kulla.embassy.replies import Reply
from kulla.embassy.routes import answer
from kulla.embassy.simulated import SimulatedBlobs
from kulla.journal.errors import StoreConflict, StoreFailed
from kulla.journal.policy_file import PolicyFile, parse_policy
from kulla.journal.simulated import SimulatedTileStore
from kulla.rebuild.sources import HttpSource
from kulla.tower.filling import bring_policies

if TYPE_CHECKING:
    from kulla.drill.simulation.world import World

_FULL = 507
Got = TypeVar("Got")
_LIMITS = Limits(free_disk_floor_bytes=1)


class EmbassyNode:
    """One embassy. `mirror` is None while its process is dead; `lost`: its disk is destroyed."""

    honest = True

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.clock = SiteClock(world)
        self.life = Life()
        self.lost = False
        self.full = False
        self.away = False
        self.slow = False
        self._torn = False
        self.blobs = SimulatedBlobs()
        self._stores: dict[str, SimulatedTileStore] = {}
        self._seed = world.chance.randrange(2**32)
        self._pin()
        self.mirror: Mirror | None = None
        self._open()

    def _pin(self) -> None:
        """An operator pinned the first policy, long ago."""
        desk = self.store("desk")
        desk.put({"policy": country.policy_of_the_beginning_data()})
        desk.restart()

    def store(self, name: str) -> SimulatedTileStore:
        """The store of a log by its origin hash, or the desk."""
        if name not in self._stores:
            seed = self._seed + len(self._stores)
            self._stores[name] = SimulatedTileStore(seed, syncs=self.world.build.syncs)
        return self._stores[name]

    def stores(self) -> list[SimulatedTileStore]:
        """All stores that were opened."""
        return list(self._stores.values())

    def _open(self) -> None:
        self.life = self.world.new_life(60)
        stores = Stores(
            MortalStore(self.store("desk"), self.life),
            lambda name: MortalStore(self.store(name), self.life),
            self.blobs,
            lambda: 0 if self.full else 2**40,
        )
        try:
            self.mirror = Mirror(country.identity_of(self.name), stores, self.clock, _LIMITS)
        except (MirrorBroken, SettingsInvalid) as error:
            self.world.judge.fail("broken", f"{self.name} can't start from what it kept: {error}")

    def take_up(self, past: EmbassyNode) -> None:
        """Have what this embassy held in the past, on these disks, and start again."""
        self.life.over = True
        self._stores = {name: store.copy() for name, store in past._stores.items()}
        for store in self.stores():
            store.syncs = self.world.build.syncs
        self.blobs = past.blobs.copy()
        self._open()
        self.world.judge.embassy_started(self)

    def end(self, why: str, *, power: bool) -> None:
        """The process ends; with `power` the machine too. It starts again some time later."""
        self.world.note("ends", self.name, why)
        self.life.over = True
        self.mirror = None
        self.blobs.restart()
        for store in self.stores():
            if power:
                store.crash()
            else:
                store.restart()

    def start(self) -> None:
        """Start again from what is durable."""
        if self.mirror is None and not self.lost and not self.away:
            self.world.note("starts", self.name)
            if self._torn:
                self.world.met("an embassy starts from torn tiles")
                self._torn = False
            self._open()
            self.world.judge.embassy_started(self)
            if self.policy.version + 2 <= 1 + len(self.world.policies):
                self.world.met("an embassy comes back after two takeovers")

    @property
    def policy(self) -> PolicyFile:
        """The policy that it is pinned to, also while its process is dead."""
        if self.mirror is not None:
            return self.mirror.policy
        return parse_policy(self.store("desk").get("policy"))

    def destroy(self) -> None:
        """The site burns down with all it holds."""
        self.end("is destroyed", power=True)
        self.lost = True

    def serve(self, method: str, path: str, body: bytes) -> Reply | None:
        """The answer to one request; None where the process is dead or dies of it."""
        mirror = self.mirror
        if mirror is None:
            return None
        reply = self._living(lambda: self._answer(mirror, method, path, body))
        if reply is not None and method == "POST":
            if self.full and reply.status == _FULL:
                self.world.met("embassy: its disk is full")
            self.world.judge.embassy_answered(self, path)
        return reply

    def look_around(self) -> None:
        """See whether the other embassies have a later policy, as the server does now and then."""
        mirror, life = self.mirror, self.life
        if mirror is None:
            return
        others = [node for node in self.world.embassies.values() if node is not self]
        clients = [self.world.network.client(self.name, life, node) for node in others]
        before = mirror.policy.version
        sources = [HttpSource(client) for client in clients]
        after = self._living(lambda: bring_policies(mirror, sources))
        if after is not None and after > before:
            self.world.met("an embassy learns a later policy from others")
        if after is not None:
            self.world.judge.embassy_answered(self, "/policy")

    def _living(self, step: Callable[[], Got]) -> Got | None:
        """What the step gives; None where the process dies of it."""
        life = self.life
        try:
            return step()
        except Died:
            self.world.met("an embassy dies at a write")
            self._ended_by(life, "dies at a write", power=self.world.chance.random() < 0.5)
        except (StoreFailed, BlobsFailed) as error:
            self._note_fault(error)
            self._ended_by(life, f"ends: {error.message}", power=self.world.chance.random() < 0.5)
        except (StoreConflict, MirrorBroken) as error:
            self.world.judge.fail("broken", f"{self.name} contradicts itself: {error}")
        return None

    def _note_fault(self, error: StoreFailed | BlobsFailed) -> None:
        if isinstance(error, BlobsFailed):
            self.world.met("embassy: a write of keys fails")
        elif fault := fault_of(error):
            self.world.met(embassy_write(fault))
            self._torn = fault in ("torn", "reordered")

    def _ended_by(self, life: Life, why: str, *, power: bool) -> None:
        if self.life is life:
            self.end(why, power=power)

    def _answer(self, mirror: Mirror, method: str, path: str, body: bytes) -> Reply | None:
        if path == "/add-entries":
            return self._upload(mirror, body)
        return answer(mirror, method, path, body)

    def _upload(self, mirror: Mirror, body: bytes) -> Reply | None:
        """The body comes in pieces; between two of them the world may go on, or the line break."""
        chance = self.world.chance
        upload = mirror.upload()
        at = 0
        while at < len(body):
            more = self.world.unrest and chance.random() < 0.15
            step = chance.randrange(1, len(body) - at + 1) if more else len(body) - at
            reply = upload.feed(body[at : at + step])
            at += step
            if reply is not None:
                return reply
            if at < len(body):
                if chance.random() < 0.2:
                    upload.finish()
                    self.world.met("an upload breaks off")
                    return None
                if self.world.meanwhile() and self.mirror is not mirror:
                    return None
        return upload.finish()

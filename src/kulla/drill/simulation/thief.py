"""A thief who has home's log key and journal as they were one day, and feeds another history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kulla.drill.simulation import country
from kulla.drill.simulation.home import ChanceEntropy, Home
from kulla.drill.simulation.liars import TraitorEmbassy
from kulla.drill.simulation.mortal import Life
from kulla.embassy.courier import Standing, bring_level
from kulla.embassy.errors import EmbassyError, ForkRefused
from kulla.journal.entries import Sealer, act_plaintext
from kulla.journal.errors import JournalError
from kulla.journal.notes import SigningKey
from kulla.journal.simulated import SimulatedTileStore
from kulla.journal.tree import Tree
from kulla.scribe.log import Log

if TYPE_CHECKING:
    from kulla.drill.simulation.world import World


class Thief:
    """He feeds one embassy while the world is in unrest, and a traitor where there is one.

    Fault model: his history shares with home's what home held when he stole it, or less, and goes
    on with acts of his own, well sealed and well signed.
    """

    def __init__(self, world: World, key: SigningKey, entries: list[bytes]) -> None:
        self._world = world
        self._key = key
        self._entries = entries
        honest = [name for name, node in world.embassies.items() if node.honest]
        self._target = world.chance.choice(honest)
        self._store = SimulatedTileStore(world.chance.randrange(2**32))
        self._log: Log | None = None

    @classmethod
    def steals_from(cls, world: World, home: Home) -> Thief | None:
        """The thief, once there is anything to steal at a home that serves; else None."""
        process = home.process
        if process is None or not process.serving or process.journal.size < 2:
            return None
        key = home.folder.log_key
        assert key is not None
        world.note("a thief steals from", home.name, str(process.journal.size))
        return cls(world, key, process.journal.entries(0, process.journal.size))

    def act(self) -> None:
        """Make up some more acts, and feed them."""
        world, chance = self._world, self._world.chance
        if self._log is None:
            shared = chance.randrange(max(1, len(self._entries) - 4), len(self._entries) + 1)
            tree = Tree(self._store)
            self._store.put(tree.grow(self._entries[:shared]))
            self._log = Log(self._key, self._store, shared)
        sealer = Sealer(
            self._key.name, next(iter(country.journal_keys().values())), ChanceEntropy(chance)
        )
        made = [sealer.seal(self._made_up()) for _ in range(chance.randrange(1, 4))]
        parcel = self._log.join(made)
        world.note("the thief feeds", self._target, str(parcel.size))
        client = world.network.client("thief", Life(), world.embassies[self._target])
        mirror_key = country.identity_of(self._target).mirror_key.verifier
        try:
            bring_level(client, self._log, parcel.checkpoint, mirror_key, Standing())
            world.met("an embassy follows a thief")
        except (EmbassyError, JournalError) as error:
            if isinstance(error, ForkRefused):
                world.met("an embassy refuses a fork")
            world.note("the thief fails", type(error).__name__)
        for node in world.embassies.values():
            if isinstance(node, TraitorEmbassy):
                node.shadow = (self._key.name, parcel.checkpoint, self._store)

    def _made_up(self) -> bytes:
        chance = self._world.chance
        return act_plaintext(
            "appointments",
            "cancelled",
            1,
            self._world.now_ms,
            "citizen",
            chance.randbytes(16).hex(),
            chance.randbytes(32),
            {"appointment": chance.randbytes(16).hex()},
        )

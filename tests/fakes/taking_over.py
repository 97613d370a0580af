"""The steps of a takeover in this process, over the embassies of a HomeInProcess.

Fault model: none of its own; `LOST` is the embassy that was destroyed with home.
"""

from __future__ import annotations

from fakes.home import HomeInProcess
from fakes.signers import NOON_MS, SeededEntropy
from kulla.journal.entries import Sealer
from kulla.journal.epochs import EPOCH_OPENED, EpochOpened, epoch_opened_data, parse_succession
from kulla.journal.simulated import SimulatedTileStore
from kulla.kernel.service import NewAct
from kulla.rebuild.history import settle_log
from kulla.rebuild.sources import HttpSource
from kulla.rebuild.takeover import hand_over_policy, next_policy, seal, succession_of
from kulla.scribe.batch import BatchWriter
from kulla.scribe.courier import Delivery
from kulla.scribe.log import Log
from kulla.scribe.quorum import Quorum
from kulla.scribe.scribe import Scribe

LOST = "embassy-3"


class TakingOver:
    """The steps of a takeover of `home`, whose embassy-3 was lost with it."""

    def __init__(self, home: HomeInProcess) -> None:
        self.home = home
        self.policy = home.tower.policy
        self.custodians = list(home.tower.custodian_keys.values())
        self.new_key = home.tower.key("journal.kulla.example/2")
        self.clients = {
            name: embassy.client() for name, embassy in home.embassies.items() if name != LOST
        }
        self.note = succession_of(
            self.policy, self.new_key.verifier, "", "drill", NOON_MS, self.custodians[:2]
        )
        self.following = next_policy(self.policy, self.new_key.verifier, "", self.custodians[:2])

    def seal(self) -> None:
        self.sealed = seal(self.clients, self.note, parse_succession(self.note), self.policy)
        sources = [HttpSource(client) for client in self.clients.values()]
        self.settlement = settle_log(
            sources, self.policy, self.home.tower.origin, only=list(self.sealed)
        )

    def go_on(self) -> Scribe[str]:
        """Hand over the policy and open the new epoch on the old registers."""
        home = self.home
        hand_over_policy(self.clients, self.following)
        checkpoint = self.settlement.checkpoint
        opened = EpochOpened(checkpoint.origin, checkpoint.size, checkpoint.root, self.note)
        self.journal = Log(self.new_key, SimulatedTileStore(5), 0)
        keys = {known.name: known.key for known in self.following.embassies}
        seals = Sealer(self.new_key.name, home.tower.journal_key, SeededEntropy(5))
        writer = BatchWriter(
            home.connection,
            home.writer._rows,
            home.services,
            seals,
            home.clock,
            base=checkpoint.size,
            size=0,
        )
        quorum = Quorum(keys, self.following.is_quorum)
        scribe: Scribe[str] = Scribe(writer, self.journal, quorum, home.services, home, home.clock)
        home.scribe, home.journal, home.rounds = scribe, self.journal, []
        home.deliveries = {
            name: Delivery(embassy.client(), keys[name], self.journal, home)
            for name, embassy in home.embassies.items()
        }
        scribe.start(home.rounds.append, NewAct(EPOCH_OPENED, epoch_opened_data(opened)))
        return scribe

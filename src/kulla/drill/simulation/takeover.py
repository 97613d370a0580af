"""A takeover as a process that may die between any two steps and be started again.

The order is that of tower.takeover.recover.take_over; what a folder has decided once stays
decided. It is written again here because that one reads the kit and writes the home in real
folders.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from kulla.drill.simulation import country
from kulla.drill.simulation.disks import HomeFolder, RegisterConnection
from kulla.drill.simulation.mortal import Died, Life, MortalStore
from kulla.drill.simulation.shelf import WantedShelf
from kulla.embassy.client import EmbassyClient
from kulla.embassy.errors import EmbassyError, NotSettled
from kulla.embassy.settle import Settlement
from kulla.journal.epochs import epoch_opened_data, parse_succession, sign_succession
from kulla.journal.errors import JournalError, StoreFailed
from kulla.journal.policy_file import PolicyFile
from kulla.kernel.errors import KullaError
from kulla.rebuild.chain import EpochPlan, RegistersAhead, rebuild_registers
from kulla.rebuild.history import (
    HistoryUnclear,
    opening_of,
    plan_history,
    settle_log,
    view_of,
)
from kulla.rebuild.reading import OwnCopyDiffers, SourcesExhausted
from kulla.rebuild.sources import HttpSource
from kulla.rebuild.takeover import (
    AnotherTakeover,
    TakeoverFailed,
    bring_up_to_date,
    check_still_next,
    hand_over_policy,
    newest_policy,
    seal,
    statement_of,
)
from kulla.registers.own import applied
from kulla.registers.sqlite import LiveRows

if TYPE_CHECKING:
    from kulla.drill.simulation.world import World


class NotYetAllowed(KullaError):
    """Fewer embassies answered than the rules ask for: the custodians wait."""


_DEATH_BETWEEN = 0.2
_DEATH_HARRIED = 0.5
_KEYS_AT_ONCE = 1000
_TRY_AGAIN = (TakeoverFailed, NotSettled, NotYetAllowed, SourcesExhausted, HistoryUnclear)


class Takeover:
    """One new home on its way, in a folder of its own."""

    def __init__(
        self,
        world: World,
        name: str,
        folder: HomeFolder | None = None,
        instead: Sequence[bytes] = (),
    ) -> None:
        """`folder` is a standby's, where it is the one that takes over.

        instead: digests of the successions whose place it takes, since their sites are lost.
        """
        self.world = world
        self.name = name
        new = HomeFolder(world.chance, syncs=world.build.syncs, met=world.met)
        self.folder = folder or new
        self._instead = tuple(instead)
        self._of_standby = folder is not None
        self.done = False
        self._rebuilt = False
        self.running = False
        self.last_fault = ""

    @property
    def _settled(self) -> dict[str, Settlement]:
        """What was settled, durable in the folder, by origin."""
        found: dict[str, Settlement] = self.folder.decided.setdefault("settled", {})
        return found

    @property
    def digests(self) -> tuple[bytes, ...]:
        """Of the succession that was signed for it, and of those whose place it takes."""
        note = self.folder.decided.get("note")
        return () if note is None else (parse_succession(note).digest(), *self._instead)

    @property
    def meets_another(self) -> bool:
        """Whether it waits since embassies sealed for another site."""
        return self.last_fault.startswith(AnotherTakeover.__name__)

    @property
    def lacks_embassies(self) -> bool:
        """Whether it waits since too few may say what counts."""
        return self.last_fault.startswith(NotYetAllowed.__name__)

    def run(self) -> None:
        """Go through all steps; `done` where that came to its end."""
        if self.running or self.done:
            return
        self.running = True
        self.world.note("takes over", self.name)
        if self.folder.decided:
            self.world.met("a takeover goes on where it was")
        life = self.world.new_life(120, often=True)
        try:
            self._run(life)
            self.done = True
            self.world.met("a site takes over")
            if any(home.process and home.process.serving for home in self.world.homes):
                self.world.met("a site takes over from a home that lives")
            self.world.note("took over", self.name)
        except (Died, StoreFailed, sqlite3.OperationalError) as error:
            self.world.met("a takeover dies at a step")
            if self._rebuilt:
                self.world.met("a takeover dies when its registers are there")
            self.world.note("takeover dies", self.name, type(error).__name__)
            self.world.mishaps.lines_change(self.name)
            if self.world.chance.random() < 0.5:
                self.folder.cut_power()
            else:
                self.folder.restart()
        except (RegistersAhead, OwnCopyDiffers) as error:
            self.world.judge.fail("broken", f"{self.name} contradicts what it did before: {error}")
        except (*_TRY_AGAIN, EmbassyError, JournalError) as error:
            self.last_fault = f"{type(error).__name__}: {error}"
            self._note_fault(error)
            self.world.note("takeover waits", self.name, self.last_fault)
        finally:
            life.over = True
            self.running = False

    def _between(self, life: Life) -> None:
        """Between two steps is where it may die in a seed in which processes die."""
        world = self.world
        life.check()
        chance = _DEATH_HARRIED if world.profile.harried else _DEATH_BETWEEN
        if world.unrest and world.profile.deaths and world.chance.random() < chance:
            life.over = True
            raise Died

    def _note_fault(self, error: KullaError) -> None:
        if isinstance(error, NotYetAllowed):
            self.world.met("a settlement waits for more embassies")
        elif isinstance(error, NotSettled):
            self.world.met("a settlement is split")

    def _run(self, life: Life) -> None:
        world = self.world
        clients = {
            name: world.network.client(self.name, life, node)
            for name, node in world.embassies.items()
        }
        old, new, note = self._decide(clients)
        self._between(life)
        offered = self._offered(clients)
        check_still_next(new, old, offered)
        bring_up_to_date(clients, old, offered)
        origin = old.current_log.key.name
        if not world.build.seals_first:
            self._settle([HttpSource(client) for client in clients.values()], old, origin)
        sealed = list(clients)
        if world.build.sealing:
            seals = seal(clients, note, parse_succession(note), old)
            sealed = list(seals)
            if len({each.seal.size for each in seals.values()}) > 1:
                world.met("embassies sealed different sizes")
        sources = [HttpSource(clients[name]) for name in sealed]
        settlement = self._settle(sources, old, origin)
        self._between(life)
        sources = _best_first(sources, settlement)
        hand_over_policy(clients, new, sealed if world.build.sealing else None)
        world.judge.ended(old.current_log.key.public)
        keys = country.journal_keys()
        plans = plan_history(
            sources,
            old,
            keys,
            settlement,
            lambda origin: self._settle(sources, old, origin),
        )
        self._between(life)
        shelf = WantedShelf(self.folder.wanted, life)
        connection = self._rebuild(life, plans, shelf)
        self._rebuilt = True
        self._between(life)
        self._bring_keys(sources, shelf)
        self._between(life)
        opening = opening_of(plans, note)
        if opening.before:
            world.met("an epoch that was left empty is passed over")
        self.folder.opening = epoch_opened_data(opening)
        self.folder.policy = new
        world.judge.took_over(self.folder, plans, connection.plain)
        connection.close()

    def _decide(self, clients: Mapping[str, EmbassyClient]) -> tuple[PolicyFile, PolicyFile, bytes]:
        decided = self.folder.decided
        if "new" not in decided:
            offered = self._offered(clients)
            need = len(country.EMBASSIES) - country.QUORUM + 1
            if len(offered) < need:
                # A policy that counts is with a quorum: so many answers can't all have missed it.
                raise TakeoverFailed(f"{len(offered)} embassies show their policy, not {need}.")
            old = newest_policy(country.policy_of_the_beginning(), offered)
            key = country.key_of(country.origin_of(len(old.logs) + 1), owner=self.name)
            custodians = country.custodian_keys()
            statement = statement_of(
                old, key.verifier, "", "simulated", country.NOON_MS, self._instead
            )
            note = sign_succession(statement, custodians)
            new = country.following(old, key)
            self.folder.log_key = key
            self.world.policies.append(new.render())
            decided.update(old=old, new=new, note=note)
        return decided["old"], decided["new"], decided["note"]

    def _offered(self, clients: Mapping[str, EmbassyClient]) -> list[bytes]:
        offered: list[bytes] = []
        for client in clients.values():
            try:
                offered.append(client.policy())
            except EmbassyError:
                continue
        return offered

    def _settle(
        self,
        sources: Sequence[HttpSource],
        old: PolicyFile,
        origin: str,
    ) -> Settlement:
        """Settle the log, where so many said what they hold that the rules allow it.

        An acknowledged act is with k of n embassies. It is adopted where n-k+1 honest ones show
        it: so of all embassies at most one may be missing or lie. What was settled once stays so:
        the registers may stand on it already, and another try may find fewer who hold as much.
        """
        if origin in self._settled and self.world.build.settles_once:
            return self._settled[origin]
        if self.world.build.majority:
            settlement = settle_log(sources, old, origin)
        else:
            settlement = _longest(sources, old, origin)
        said = {*settlement.holders, *(tail.embassy for tail in settlement.behind)}
        said |= {tail.embassy for tail in settlement.forked}
        nodes = self.world.embassies
        missing = sum(node.honest and name not in said for name, node in nodes.items())
        lying = sum(not node.honest for node in nodes.values())
        if missing + lying > 1:
            raise NotYetAllowed(f"{missing} embassies are missing, {lying} lie.")
        for situation in _situations(settlement):
            self.world.met(situation)
        self.world.note("settles", self.name, f"{origin} at {settlement.checkpoint.size}")
        self._settled[origin] = settlement
        return settlement

    def _rebuild(
        self, life: Life, plans: Sequence[EpochPlan], shelf: WantedShelf
    ) -> RegisterConnection:
        """What a standby replayed and does not count goes, as in tower.takeover.rebuilding."""
        try:
            return self._replay(life, plans, shelf)
        except (RegistersAhead, OwnCopyDiffers) as error:
            if not self._of_standby:
                raise
            self.world.met("a takeover begins anew in a standby's folder")
            self.world.note("begins anew", self.name, str(error))
            self.folder.forget_replayed()
            return self._replay(life, plans, WantedShelf(self.folder.wanted, life))

    def _replay(
        self, life: Life, plans: Sequence[EpochPlan], shelf: WantedShelf
    ) -> RegisterConnection:
        connection = self.folder.registers.open(life)
        if self._of_standby and applied(LiveRows(connection.plain, country.tables())) < (
            plans[-1].base + plans[-1].size
        ):
            self.world.met("a standby takes over that lags")
        rebuild_registers(
            plans,
            country.journal_keys(),
            cast("sqlite3.Connection", connection),
            country.tables(),
            country.SERVICES,
            own_store=lambda origin: MortalStore(self.folder.store(origin), life),
            shelf=shelf,
        )
        return connection

    def _bring_keys(self, sources: Sequence[HttpSource], shelf: WantedShelf) -> None:
        """Bring the wrapped keys; the operators see how many are missing, and try again."""
        for source in sources:
            missing = [name for _, name in shelf.missing(_KEYS_AT_ONCE)]
            if not missing:
                break
            try:
                pairs = list(source.blobs(missing))
            except EmbassyError:
                continue
            shelf.put({name: blob for name, blob in pairs if blob is not None})
        if shelf.counts()[1]:
            raise NotYetAllowed(f"{shelf.counts()[1]} wrapped keys are missing.")
        self.folder.blobs.update(self.folder.wanted.blobs)


def _situations(settlement: Settlement) -> Iterator[str]:
    if settlement.tails:
        yield "a settlement has tails"
    if settlement.forked:
        yield "a settlement has a fork"
    if settlement.behind:
        yield "a settlement has embassies behind"
    if settlement.behind and len(settlement.holders) == country.EMBASSIES_LOST_MAX + 1:
        yield "a settlement stands on as few as may be"


def _longest(sources: Sequence[HttpSource], policy: PolicyFile, origin: str) -> Settlement:
    """What a known-bad build adopts: the longest history that anybody shows."""
    views = []
    for source in sources:
        try:
            views.append(view_of(source, policy, origin))
        except (EmbassyError, JournalError):
            continue
    if not views:
        raise NotSettled("nobody shows anything.")
    best = max(views, key=lambda view: view.checkpoint.size)
    names = tuple(view.embassy for view in views)
    return Settlement(best.checkpoint, names, (), (), (), certain=False)


def _best_first(sources: Sequence[HttpSource], settlement: Settlement) -> list[HttpSource]:
    """Those that hold exactly what was adopted first, as tower.takeover.recover does."""
    ahead = {tail.embassy for tail in settlement.tails}

    def rank(source: HttpSource) -> int:
        return 2 if source.name not in settlement.holders else int(source.name in ahead)

    return sorted(sources, key=rank)

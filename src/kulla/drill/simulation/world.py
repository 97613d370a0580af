"""The world of one seed: who is there, what may happen next, and how it all comes to rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from kulla.drill.chance import chance_of
from kulla.drill.simulation import country
from kulla.drill.simulation.citizens import Citizens, Wish
from kulla.drill.simulation.coverage import SITUATIONS
from kulla.drill.simulation.disks import HomeFolder
from kulla.drill.simulation.embassies import EmbassyNode
from kulla.drill.simulation.ending import look_at_the_end
from kulla.drill.simulation.home import Home, HomeProcess
from kulla.drill.simulation.judge import Judge
from kulla.drill.simulation.liars import LyingEmbassy, TraitorEmbassy
from kulla.drill.simulation.mishaps import Mishaps
from kulla.drill.simulation.mortal import Life
from kulla.drill.simulation.network import FAIR, Network
from kulla.drill.simulation.plot import BUILDS, Profile, profile_of
from kulla.drill.simulation.standby import Standby
from kulla.drill.simulation.takeovers import Takeovers

_DEPTH_MAX: Final = 2
_CALM_TURNS_MAX: Final = 60
_PATIENCE_TURNS: Final = 25
_SLOW_STEPS: Final = 0.25
_KINDS: Final[dict[str, type[EmbassyNode]]] = {"liar": LyingEmbassy, "traitor": TraitorEmbassy}


class World:
    """One country. The same seed and build give the same world, event by event.

    unrest: faults happen. Once it is False the world is calm and must come to rest.
    """

    def __init__(self, seed: int, build: str = "", profile: Profile | None = None) -> None:
        self.seed = seed
        self.build = BUILDS[build]
        self.profile = profile or profile_of(seed)
        self.chance = chance_of(seed, "world")
        self.now_ms = country.NOON_MS
        self.trace: list[str] = []
        self.situations: Counter[str] = Counter()
        self.unrest = False
        self._depth = 0
        self.network = Network(self, self.profile.weather)
        self.judge = Judge(self)
        self.citizens = Citizens(self)
        self.culprit = self.chance.choice(country.EMBASSIES) if self.profile.culprit else ""
        self.embassies = {name: self._embassy(name) for name in country.EMBASSIES}
        for name in self.chance.sample(country.EMBASSIES, self.profile.slow):
            self.embassies[name].slow = True
        folder = HomeFolder(self.chance, syncs=self.build.syncs, met=self.met)
        folder.policy = country.policy_of_the_beginning()
        folder.log_key = country.key_of(country.origin_of(1))
        self.homes = [Home(self, "home-1", folder)]
        self.home = self.homes[0]
        self._standbys = 0
        self.standby: Standby | None = None
        if self.profile.standby:
            self.new_standby()
        self.takeovers = Takeovers(self)
        self.mishaps = Mishaps(self)
        self.undecided = False
        self.policies: list[bytes] = []  # custodians keep every version that they signed
        self._events, self._weights = self._possible()

    def take_up(self, past: World) -> None:
        """Begin where another world came to rest: with its disks, its people and its promises."""
        self.home.folder.take_up(past.home.folder)
        self.judge.take_up(past.judge)
        self.citizens.take_up(past.citizens)
        for name, node in self.embassies.items():
            node.take_up(past.embassies[name])

    def met(self, situation: str) -> None:
        """Count that this seed came into a situation that the simulator is for."""
        assert situation in SITUATIONS, situation
        self.situations[situation] += 1

    def _embassy(self, name: str) -> EmbassyNode:
        kind = (
            _KINDS.get(self.profile.culprit, EmbassyNode) if name == self.culprit else EmbassyNode
        )
        return kind(self, name)

    def note(self, what: str, *more: str) -> None:
        """Add a line to the history of this seed."""
        self.trace.append(f"{len(self.trace)} {' ' * self._depth}{what} {' '.join(more)}")

    @property
    def acts(self) -> int:
        """How many acts the newest home's journal has, all epochs together; 0 while it is dead."""
        return self.home.process.writer.end if self.home.process is not None else 0

    def new_life(self, steps: int, *, often: bool = False) -> Life:
        """A process's life; with faults about it may end at any of its first `steps`.

        `often`: in a seed in which processes die, this one does every other time.
        """
        chance = self.chance
        deaths = self.profile.deaths
        if not self.unrest or chance.random() >= (max(deaths, 0.5) if often and deaths else deaths):
            return Life()
        return Life(chance.randrange(1, steps), done=chance.random() < 0.5)

    # what happens

    def run(self) -> None:
        """Live through the seed, then come to rest. Raises Violation."""
        self.home.start()
        self.home.act(HomeProcess.tick)
        self.citizens.begin(self.home)
        self.unrest = True
        for _ in range(self.profile.steps):
            self.event()
        self._calm()

    def event(self) -> None:
        """One thing happens."""
        self.now_ms += self.chance.randrange(1, 200) if self.chance.random() < 0.99 else 90_000
        [event] = self.chance.choices(self._events, cum_weights=self._weights)
        event()

    def meanwhile(self, most: int = 1, *, surely: bool = False) -> bool:
        """While somebody waits up to `most` things may happen; True where any did."""
        chance = 1.0 if surely else self.network.weather.meanwhile
        if not self.unrest or self._depth >= _DEPTH_MAX or self.chance.random() >= chance:
            return False
        self._depth += 1
        try:
            for _ in range(self.chance.randrange(1, most + 1)):
                self.event()
        finally:
            self._depth -= 1
        return True

    def _possible(self) -> tuple[list[Callable[[], None]], list[float]]:
        profile, mishaps = self.profile, self.mishaps
        weighted: list[tuple[float, Callable[[], None]]] = [
            (14, self._somebody_asks),
            (18, self._home_ticks),
            (40, self._courier_steps),
            (12 if profile.standby else 0, self._standby_steps),
            (profile.starts, self._something_starts),
            (profile.haste, self.takeovers.event),
            (0.3, self._embassies_look_around),
            (100 * profile.weather.late, self.network.arrive_late),
            (100 * profile.disk_faults, mishaps.disk_fails),
            (100 * profile.full_disks, mishaps.disk_fills_or_empties),
            (100 * profile.jumps, mishaps.clock_jumps),
            (100 * profile.cuts, mishaps.line_is_cut_or_mended),
            (2 * profile.deaths, mishaps.something_dies),
            (profile.culprit == "lost", mishaps.embassy_is_lost),
            (3 * (profile.culprit == "absent"), mishaps.embassy_goes_away),
            (2.5 if profile.thief else 0, mishaps.thief_acts),
            (1 if profile.restored else 0, mishaps.backup_is_used),
        ]
        kept = [(weight, event) for weight, event in weighted if weight]
        total, sums = 0.0, []
        for weight, _ in kept:
            total += weight
            sums.append(total)
        return [event for _, event in kept], sums

    def _somebody_asks(self) -> None:
        homes = [home for home in self.homes if home.process is not None]
        if homes:
            recent = self.chance.random() < 0.7
            self.citizens.ask(homes[-1] if recent else self.chance.choice(homes))

    def _embassies_look_around(self) -> None:
        """Those that miss a policy which another one has ask the others, as servers do in time."""
        newest = max(node.policy.version for node in self.embassies.values())
        for node in list(self.embassies.values()):
            if node.policy.version < newest:
                node.look_around()

    def _standby_steps(self) -> None:
        assert self.standby is not None
        self.standby.step()

    def _home_ticks(self) -> None:
        home = self.some_home()
        home.act(HomeProcess.tick)

    def _courier_steps(self) -> None:
        home = self.some_home()
        process = home.process
        if process is None:
            return
        ready = [name for name, courier in process.couriers.items() if not courier.idle]
        if ready:
            name = self.chance.choice(ready)
            if not self.embassies[name].slow or self.chance.random() < _SLOW_STEPS:
                home.carry(name)

    def some_home(self) -> Home:
        """A home, of those that there are or were; the newest more often."""
        if len(self.homes) == 1 or self.chance.random() < 0.6:
            return self.home
        return self.chance.choice(self.homes)

    def _something_starts(self) -> None:
        for home in self.homes:
            if self.chance.random() < 0.7:
                home.start()
        for node in self.embassies.values():
            if self.chance.random() < 0.5:
                node.start()
        if self.standby is not None and self.chance.random() < 0.7:
            self.standby.start()

    def new_home(self, name: str, folder: HomeFolder) -> None:
        """A site is to be home from now on, unless another one followed it already."""
        self.note("new home", name)
        home = Home(self, name, folder)
        self.homes.append(home)
        assert folder.log_key is not None
        if not self.judge.has_ended(folder.log_key.verifier.public):
            self.home = home
        home.start()

    def new_standby(self) -> None:
        """A site begins to follow the embassies, with empty disks."""
        self._standbys += 1
        self.standby = Standby(self, f"standby-{self._standbys}")

    def askers(self) -> list[str]:
        """The sites from which embassies are asked."""
        names = [home.name for home in self.homes]
        if self.standby is not None:
            names.append(self.standby.name)
        return names + [takeover.name for takeover in self.takeovers.under_way]

    # rest

    def _calm(self) -> None:
        """All faults are over: the country goes on, and everything is where it was promised."""
        self.note("calm")
        self.unrest = False
        self.network.weather = FAIR
        self.network.cut.clear()
        for clock in [node.clock for node in self.embassies.values()]:
            clock.off_ms = 0
        self._mend_disks()
        self.takeovers.insist()
        wish: Wish | None = None
        for turn in range(1, _CALM_TURNS_MAX + 1):
            self.turn()
            if turn % _PATIENCE_TURNS == 0:
                self.note("nothing moves")
                self.home.destroy()
            if wish is None and not self.citizens.waiting:
                wish = self.citizens.one_more(self.home)
            if wish is not None and wish.done and self.is_level and not self.takeovers.under_way:
                break
            self.citizens.ask_again(self.home)
        else:
            self.undecided = self._may_be_undecided()
            if not self.undecided:
                fault = self.takeovers.last_fault
                self.judge.fail("stuck", f"the country does not go on. {fault}")
            return
        look_at_the_end(self)

    def _may_be_undecided(self) -> bool:
        """Whether two histories are held by equally many, which only custodians can decide.

        Two sites that took over at once may have got a part of the embassies each. Two who have
        home's key can bring it about, too: the thief with a traitor, or an old home that came back.
        Nothing is lost by it, and receipts show which history was acknowledged.
        """
        if self.takeovers.are_split:
            self.met("two takeovers split the embassies")
            return True
        two_signers = self.mishaps.thief is not None or self.profile.restored
        # Of two sites that take over, the one that has the seals is the one that can't settle.
        waits = any(fault.startswith("NotSettled") for fault in self.takeovers.faults)
        return two_signers and waits

    def _mend_disks(self) -> None:
        for node in self.embassies.values():
            node.full = node.away = False
            node.start()
        standby = [self.standby] if self.standby is not None else []
        sites: list[Home | Standby] = [*self.homes, *standby]
        for site in sites:
            site.clock.off_ms = 0
        for folder in [site.folder for site in sites] + self.takeovers.folders:
            folder.registers.next_fault = ""
            for store in folder.stores.values():
                store.full = False

    def turn(self) -> None:
        """Everybody does a step, and what is dead starts again."""
        self.now_ms += 1000
        for node in self.embassies.values():
            node.start()
        self._embassies_look_around()
        if self.home.process is None:
            self.home.start()
        if self.home.process is None or self.takeovers.under_way:
            self.takeovers.rescue()
        for home in self.homes:
            home.act(HomeProcess.tick)
            for name in country.EMBASSIES:
                home.carry(name)
            home.act(HomeProcess.tick)
        if self.standby is not None:
            self.standby.start()
            self.standby.step()

    @property
    def is_level(self) -> bool:
        """Whether home lives, and a quorum holds all that it wrote."""
        process = self.home.process
        return process is not None and process.scribe.watermark >= process.writer.end

    def let_go(self) -> None:
        """Break the circles in which everything here holds everything; the world is of no use."""
        for home in self.homes:
            if home.process is not None:
                home.process.connection.close()
                vars(home.process).clear()
        if self.standby is not None:
            vars(self.standby).clear()
        vars(self).clear()

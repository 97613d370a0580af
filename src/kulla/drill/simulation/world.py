"""The world of one seed: who is there, what may happen next, and how it all comes to rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kulla.drill.chance import chance_of
from kulla.drill.simulation import country
from kulla.drill.simulation.citizens import Citizens, Wish
from kulla.drill.simulation.disks import HomeFolder
from kulla.drill.simulation.embassies import EmbassyNode
from kulla.drill.simulation.ending import look_at_the_end
from kulla.drill.simulation.home import Home, HomeProcess
from kulla.drill.simulation.judge import Judge
from kulla.drill.simulation.liars import LyingEmbassy, TraitorEmbassy
from kulla.drill.simulation.mortal import Life
from kulla.drill.simulation.network import FAIR, Network
from kulla.drill.simulation.plot import BUILDS, Build, Profile, profile_of
from kulla.drill.simulation.takeover import Takeover
from kulla.drill.simulation.thief import Thief
from kulla.journal.simulated import WriteFault

_DEPTH_MAX: Final = 2
_CALM_TURNS_MAX: Final = 60
_PATIENCE_TURNS: Final = 25
_KINDS: Final[dict[str, type[EmbassyNode]]] = {"liar": LyingEmbassy, "traitor": TraitorEmbassy}


class World:
    """One country. The same seed and build give the same world, event by event.

    unrest: faults happen. Once it is False the world is calm and must come to rest.
    """

    def __init__(
        self, seed: int, build: Build = BUILDS[""], profile: Profile | None = None
    ) -> None:
        self.seed = seed
        self.build = build
        self.profile = profile or profile_of(seed)
        self.chance = chance_of(seed, "world")
        self.now_ms = country.NOON_MS
        self.trace: list[str] = []
        self.unrest = False
        self._depth = 0
        self.network = Network(self, self.profile.weather)
        self.judge = Judge(self)
        self.citizens = Citizens(self)
        self.culprit = self.chance.choice(country.EMBASSIES) if self.profile.culprit else ""
        self.embassies = {name: self._embassy(name) for name in country.EMBASSIES}
        folder = HomeFolder(self.chance, syncs=build.syncs)
        folder.policy = country.policy_of_the_beginning()
        folder.log_key = country.key_of(country.origin_of(1))
        self.homes = [Home(self, "home-1", folder)]
        self.home = self.homes[0]
        self.takeover: Takeover | None = None
        self._takeovers_left = self.profile.takeovers
        self.takeovers = 0
        self.thief: Thief | None = None
        self.undecided = False
        self.policies: list[bytes] = []  # custodians keep every version that they signed
        self._backup: HomeFolder | None = None
        self._events, self._weights = self._possible()

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

    def meanwhile(self, most: int = 1) -> bool:
        """While somebody waits up to `most` things may happen; True where any did."""
        chance = self.network.weather.meanwhile
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
        profile = self.profile
        weighted: list[tuple[float, Callable[[], None]]] = [
            (14, self._somebody_asks),
            (18, self._home_ticks),
            (40, self._courier_steps),
            (profile.starts, self._something_starts),
            (profile.haste, self._take_over),
            (100 * profile.weather.late, self.network.arrive_late),
            (100 * profile.disk_faults, self._disk_fails),
            (100 * profile.full_disks, self._disk_fills_or_empties),
            (100 * profile.jumps, self._clock_jumps),
            (100 * profile.cuts, self._line_is_cut_or_mended),
            (2 * profile.deaths, self._something_dies),
            (1 if profile.culprit == "lost" else 0, self._embassy_is_lost),
            (2.5 if profile.thief else 0, self._thief_acts),
            (1 if profile.restored else 0, self._backup_is_used),
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

    def _home_ticks(self) -> None:
        self._some_home().act(HomeProcess.tick)

    def _courier_steps(self) -> None:
        home = self._some_home()
        process = home.process
        if process is None:
            return
        ready = [name for name, courier in process.couriers.items() if not courier.idle]
        if ready:
            home.carry(self.chance.choice(ready))

    def _some_home(self) -> Home:
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

    def _something_dies(self) -> None:
        power = self.chance.random() < 0.5
        if self.chance.random() < 0.5:
            self._some_home().kill(power=power)
        else:
            node = self.chance.choice(list(self.embassies.values()))
            if node.mirror is not None:
                node.end("loses power" if power else "is killed", power=power)

    def _disk_fails(self) -> None:
        chance = self.chance
        if chance.random() < 0.5:
            folder = self._some_home().folder
            if chance.random() < 0.5:
                folder.registers.next_fault = chance.choice(("lost", "persisted"))
            elif folder.stores:
                store = chance.choice(list(folder.stores.values()))
                store.fail_next(chance.choice(list(WriteFault)), chance.randrange(2))
            return
        node = chance.choice(list(self.embassies.values()))
        if chance.random() < 0.2:
            node.blobs.fail_next(kept=chance.random() < 0.5)
            return
        store = chance.choice(node.stores())
        store.fail_next(chance.choice(list(WriteFault)), chance.randrange(3))

    def _disk_fills_or_empties(self) -> None:
        if self.chance.random() < 0.4:
            node = self.chance.choice(list(self.embassies.values()))
            node.full = not node.full
            return
        folder = self._some_home().folder
        full = not folder.registers.next_fault
        folder.registers.next_fault = "full" if full else ""
        for store in folder.stores.values():
            store.full = full and self.chance.random() < 0.5

    def _clock_jumps(self) -> None:
        clocks = [node.clock for node in self.embassies.values()]
        clocks += [home.clock for home in self.homes]
        most_ms = self.chance.choice((1_000, 60_000, 3_600_000, 86_400_000))
        self.chance.choice(clocks).off_ms += self.chance.randrange(-most_ms, most_ms)

    def _line_is_cut_or_mended(self) -> None:
        cut = self.network.cut
        if cut and self.chance.random() < 0.5:
            cut.discard(self.chance.choice(sorted(cut)))
            return
        homes = [home.name for home in self.homes]
        if self.takeover is not None:
            homes.append(self.takeover.name)
        asker = self.chance.choice(homes)
        alone = self.chance.random() < 0.2
        names = country.EMBASSIES if alone else (self.chance.choice(country.EMBASSIES),)
        self.note("is cut off", asker, "from", *names)
        cut.update((asker, name) for name in names)

    def _embassy_is_lost(self) -> None:
        node = self.embassies[self.culprit]
        if not node.lost:
            node.destroy()

    def _thief_acts(self) -> None:
        if self.thief is None:
            self.thief = Thief.steals_from(self, self._some_home())
        else:
            self.thief.act()

    def _backup_is_used(self) -> None:
        """A backup of home is made; later, when home is dead, somebody starts from it."""
        if self._backup is None:
            if self.home.process is None:
                self._backup = self.home.folder.copy()
            return
        if self.home.process is None and self.chance.random() < 0.3:
            self.home.destroyed = True
            self._new_home(f"restored-{len(self.homes)}", self._backup)
            self._backup = None

    def _new_home(self, name: str, folder: HomeFolder) -> None:
        self.note("new home", name)
        self.home = Home(self, name, folder)
        self.homes.append(self.home)
        self.home.start()

    # takeovers

    def _take_over(self) -> None:
        """Somebody decides that home is gone, rightly or not, and goes on until it is done."""
        if self.takeover is None:
            if not self._takeovers_left or not self.citizens.wishes[0].done:
                return
            self._takeovers_left -= 1
            self._abandon_home()
            self.takeover = Takeover(self, f"home-{len(self.homes) + 1}")
        self._go_on_taking_over()

    def is_taking_over(self, name: str) -> bool:
        """Whether the site of this name is being made into a home."""
        return self.takeover is not None and self.takeover.name == name

    def _abandon_home(self) -> None:
        home = self.home
        if self.profile.zombie and self.chance.random() < 0.8:
            if self.chance.random() < 0.5:
                self.note("is cut off", home.name)
                self.network.cut.update((home.name, name) for name in country.EMBASSIES)
        else:
            home.destroy()

    def _go_on_taking_over(self) -> None:
        takeover = self.takeover
        assert takeover is not None
        takeover.run()
        if takeover.done and self.takeover is takeover:
            self.takeover = None
            self.takeovers += 1
            self._new_home(takeover.name, takeover.folder)

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
        if self.takeover is not None:
            self._wait_for_takeover()
        wish: Wish | None = None
        for turn in range(1, _CALM_TURNS_MAX + 1):
            self.turn()
            if turn % _PATIENCE_TURNS == 0:
                self.note("nothing moves")
                self.home.destroy()
            if wish is None and not self.citizens.waiting:
                wish = self.citizens.one_more(self.home)
            if wish is not None and wish.done and not self._under_way():
                break
            for waiting in self.citizens.waiting:
                self.citizens.send(waiting, self.home)
        else:
            self.undecided = self._may_be_undecided()
            if not self.undecided:
                fault = self.takeover.last_fault if self.takeover else ""
                self.judge.fail("stuck", f"the country does not go on. {fault}")
            return
        look_at_the_end(self)

    def _may_be_undecided(self) -> bool:
        """Whether two histories are held by equally many, which only custodians can decide.

        Two who have home's key can bring that about, the thief with a traitor or an old home that
        came back; nothing is lost by it, and receipts show which history was acknowledged.
        """
        two_signers = self.thief is not None or self.profile.restored
        fault = self.takeover.last_fault if self.takeover else ""
        return two_signers and fault.startswith("NotSettled")

    def _mend_disks(self) -> None:
        for node in self.embassies.values():
            node.full = False
            node.start()
        for home in self.homes:
            home.clock.off_ms = 0
            home.folder.registers.next_fault = ""
            for store in home.folder.stores.values():
                store.full = False

    def turn(self) -> None:
        """Everybody does a step, and what is dead starts again."""
        self.now_ms += 1000
        for node in self.embassies.values():
            node.start()
        if self.home.process is None:
            self.home.start()
        if self.home.process is None:
            self._last_takeover()
        for home in self.homes:
            home.act(HomeProcess.tick)
            for name in country.EMBASSIES:
                home.carry(name)
            home.act(HomeProcess.tick)

    def _under_way(self) -> bool:
        process = self.home.process
        return process is None or process.scribe.watermark < process.writer.end

    def _last_takeover(self) -> None:
        if self.takeover is None:
            self.takeover = Takeover(self, f"home-{len(self.homes) + 1}")
        self._wait_for_takeover()

    def _wait_for_takeover(self) -> None:
        for _ in range(3):
            if self.takeover is not None:
                self._go_on_taking_over()

    def let_go(self) -> None:
        """Break the circles in which everything here holds everything; the world is of no use."""
        for home in self.homes:
            if home.process is not None:
                home.process.connection.close()
                vars(home.process).clear()
        vars(self).clear()

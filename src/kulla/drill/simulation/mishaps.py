"""What breaks in a world, and who does harm: one event at a time, chosen by the seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kulla.drill.simulation import country
from kulla.drill.simulation.thief import Thief
from kulla.journal.simulated import WriteFault

if TYPE_CHECKING:
    from kulla.drill.simulation.disks import HomeFolder
    from kulla.drill.simulation.world import World

ABSENT_FOR_TAKEOVERS = 2
_AT_STANDBY = 0.4


class Mishaps:
    """The events of a world that nobody wished for."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._backup: HomeFolder | None = None
        self.thief: Thief | None = None

    def something_dies(self) -> None:
        """A process is killed, or a machine loses its power."""
        world, chance = self._world, self._world.chance
        power = chance.random() < 0.5
        if world.standby is not None and chance.random() < _AT_STANDBY:
            world.standby.kill(power=power)
            return
        if chance.random() < 0.5:
            world.some_home().kill(power=power)
            return
        node = chance.choice(list(world.embassies.values()))
        if node.mirror is not None:
            world.met("an embassy loses power" if power else "an embassy is killed")
            node.end("loses power" if power else "is killed", power=power)

    def disk_fails(self) -> None:
        """The next write to some disk will fail."""
        world, chance = self._world, self._world.chance
        if world.standby is not None and chance.random() < _AT_STANDBY:
            self._folder_fails(world.standby.folder, tiles=0.8, after_max=0)
            return
        if chance.random() < 0.5:
            self._folder_fails(world.some_home().folder, tiles=0.5, after_max=1)
            return
        node = chance.choice(list(world.embassies.values()))
        if chance.random() < 0.2:
            node.blobs.fail_next(kept=chance.random() < 0.5)
            return
        store = chance.choice(node.stores())
        store.fail_next(chance.choice(list(WriteFault)), chance.randrange(3))

    def _folder_fails(self, folder: HomeFolder, *, tiles: float, after_max: int) -> None:
        chance = self._world.chance
        if chance.random() >= tiles:
            folder.registers.next_fault = chance.choice(("lost", "persisted"))
        elif folder.stores:
            store = list(folder.stores.values())[-1 if chance.random() < 0.7 else 0]
            store.fail_next(chance.choice(list(WriteFault)), chance.randint(0, after_max))

    def disk_fills_or_empties(self) -> None:
        """A disk is full, or somebody makes room."""
        world, chance = self._world, self._world.chance
        if chance.random() < 0.4:
            node = chance.choice(list(world.embassies.values()))
            node.full = not node.full
            return
        folder = self._some_folder()
        full = not folder.registers.next_fault
        folder.registers.next_fault = "full" if full else ""
        for store in folder.stores.values():
            store.full = full and chance.random() < 0.5

    def _some_folder(self) -> HomeFolder:
        standby = self._world.standby
        if standby is not None and self._world.chance.random() < _AT_STANDBY:
            return standby.folder
        return self._world.some_home().folder

    def clock_jumps(self) -> None:
        """A site's clock jumps, by a second to a day, either way."""
        world, chance = self._world, self._world.chance
        clocks = [node.clock for node in world.embassies.values()]
        clocks += [home.clock for home in world.homes]
        most_ms = chance.choice((1_000, 60_000, 3_600_000, 86_400_000))
        by_ms = chance.randrange(-most_ms, most_ms)
        chance.choice(clocks).off_ms += by_ms
        world.met("a clock jumps back" if by_ms < 0 else "a clock jumps on")

    def line_is_cut_or_mended(self) -> None:
        """Nothing gets through between a site and an embassy, or all of them, for a while."""
        world, chance = self._world, self._world.chance
        cut = world.network.cut
        if cut and chance.random() < 0.5:
            cut.discard(chance.choice(sorted(cut)))
            return
        asker = chance.choice(world.askers())
        alone = chance.random() < 0.2
        names = country.EMBASSIES if alone else (chance.choice(country.EMBASSIES),)
        world.note("is cut off", asker, "from", *names)
        world.met("a site is cut off from all" if alone else "a line is cut")
        cut.update((asker, name) for name in names)

    def lines_change(self, asker: str) -> None:
        """When somebody tries again, perhaps other embassies answer than before."""
        world, chance = self._world, self._world.chance
        if not world.unrest or (chance.random() < 0.3 and not world.profile.harried):
            return
        name = chance.choice(country.EMBASSIES)
        world.network.cut -= {(asker, other) for other in country.EMBASSIES}
        world.network.cut.add((asker, name))
        world.met("a line is cut")

    def embassy_is_lost(self) -> None:
        """The culprit's site burns down."""
        node = self._world.embassies[self._world.culprit]
        if not node.lost:
            self._world.met("an embassy is lost")
            node.destroy()

    def embassy_goes_away(self) -> None:
        """The culprit is away until other sites took over twice, or all is calm."""
        world = self._world
        node = world.embassies[world.culprit]
        if not node.away and world.takeovers.done < ABSENT_FOR_TAKEOVERS:
            node.away = True
            if node.mirror is not None:
                node.end("goes away", power=False)

    def thief_acts(self) -> None:
        """Somebody steals home's key and journal; later he feeds what he made of them."""
        if self.thief is None:
            self.thief = Thief.steals_from(self._world, self._world.some_home())
        else:
            self.thief.act()

    def backup_is_used(self) -> None:
        """A backup of home is made; later, when home is dead, somebody starts from it."""
        world = self._world
        if self._backup is None:
            if world.home.process is None:
                self._backup = world.home.folder.copy()
            return
        if world.home.process is None and world.chance.random() < 0.3:
            world.home.destroyed = True
            world.met("an old backup of home is started")
            world.new_home(f"restored-{len(world.homes)}", self._backup)
            self._backup = None

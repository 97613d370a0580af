"""The takeovers of a world: when somebody decides on one, who else does, and how they end."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from kulla.drill.simulation import country
from kulla.drill.simulation.home import Home, HomeProcess
from kulla.drill.simulation.takeover import Takeover

if TYPE_CHECKING:
    from kulla.drill.simulation.disks import HomeFolder
    from kulla.drill.simulation.world import World
    from kulla.journal.policy_file import PolicyFile

_AGAIN = 0.2
_IN_A_ROUND = 0.5
_BY_STANDBY = 0.7
_DECIDE = 0.2


class Takeovers:
    """Those that are under way, and how many may still come.

    done: how many made a home. beaten: those that another site forestalled; somebody may try them
    again, and they must do no harm.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._left = world.profile.takeovers
        self.under_way: list[Takeover] = []
        self.beaten: list[Takeover] = []
        self.done = 0
        self._sites = 1
        self._by_standby: set[str] = set()

    def event(self) -> None:
        """Somebody decides that home is gone, rightly or not, or goes on with what was decided."""
        if self.beaten and self._world.chance.random() < _AGAIN:
            self._world.chance.choice(self.beaten).run()
            return
        if not self.under_way:
            if not self._left or not self._world.citizens.wishes[0].done:
                return
            self._left -= 1
            self._abandon_home()
            self.begin()
        self._go_on(self._world.chance.choice(self.under_way))

    def begin(self) -> None:
        """A site is to be the next home; where there is a race, another one, too."""
        world = self._world
        standby = world.standby
        if standby is not None and world.chance.random() < _BY_STANDBY:
            self.under_way.append(Takeover(world, standby.name, standby.give_up_folder()))
            self._by_standby.add(standby.name)
            world.new_standby()
        else:
            self._add()
        if world.profile.race and world.unrest and world.chance.random() < 0.7:
            world.met("two sites take over at once")
            self._add()

    def _add(self) -> None:
        self._sites += 1
        self.under_way.append(Takeover(self._world, f"home-{self._sites}"))

    def _abandon_home(self) -> None:
        world = self._world
        home = world.home
        if world.chance.random() < _IN_A_ROUND:
            self._begin_a_round(home)
        if world.profile.zombie and world.chance.random() < 0.8:
            if world.chance.random() < 0.5:
                world.note("is cut off", home.name)
                world.network.cut.update((home.name, name) for name in country.EMBASSIES)
        else:
            home.destroy()

    def _begin_a_round(self, home: Home) -> None:
        """Home is lost just then: what it wrote last has come to two embassies at most."""
        world = self._world
        world.citizens.ask(home)
        home.act(HomeProcess.tick)
        for name in world.chance.sample(country.EMBASSIES, 2):
            home.carry(name)

    def is_under_way(self, name: str) -> bool:
        """Whether the site of this name is being made into a home."""
        return any(takeover.name == name for takeover in (*self.under_way, *self.beaten))

    def _is_beaten(self, takeover: Takeover) -> bool:
        """Whether so many embassies follow another site that this one can't have a quorum."""
        new: PolicyFile | None = takeover.folder.decided.get("new")
        pinned = [node.policy for node in self._world.embassies.values() if node.honest]
        return new is not None and _excluding(pinned, new) > country.EMBASSIES_LOST_MAX

    def _go_on(self, takeover: Takeover) -> None:
        takeover.run()
        if takeover not in self.under_way:
            return
        if not takeover.done and self._is_beaten(takeover):
            self._world.note("gives way", takeover.name)
            self._world.met("of two sites that take over one gives way")
            self.under_way.remove(takeover)
            self.beaten.append(takeover)
        elif takeover.done:
            self.under_way.remove(takeover)
            self.done += 1
            if takeover.name in self._by_standby:
                self._world.met("a standby takes over")
            self._world.new_home(takeover.name, takeover.folder)
        elif self._is_stalemate and (
            not self._world.unrest or self._world.chance.random() < _DECIDE
        ):
            self._decide_between()

    @property
    def _is_stalemate(self) -> bool:
        """Whether each site waits for what another one holds."""
        sites = self.under_way
        return any(site.meets_another for site in sites) and all(
            site.meets_another or site.lacks_embassies for site in sites
        )

    def _decide_between(self) -> None:
        """No site can have a quorum: custodians give all up for lost, and a new one takes over."""
        world = self._world
        instead = dict.fromkeys(each for site in self.under_way for each in site.digests)
        world.note("custodians decide", *(site.name for site in self.under_way))
        world.met("custodians let a third site take over from two")
        for site in self.under_way:
            self._by_standby.discard(site.name)
        self._sites += 1
        third = Takeover(world, f"home-{self._sites}", instead=tuple(instead))
        self.under_way = [third]

    def insist(self) -> None:
        """All faults are over: whoever is at it tries until it is done or can't be."""
        for takeover in list(self.under_way):
            if takeover in self.under_way:
                self._go_on(takeover)

    def rescue(self) -> None:
        """There is no home any more: somebody must take over."""
        if not self.under_way:
            self.begin()
        self.insist()

    @property
    def folders(self) -> list[HomeFolder]:
        """The folders in which somebody takes over."""
        return [takeover.folder for takeover in (*self.under_way, *self.beaten)]

    @property
    def are_split(self) -> bool:
        """Whether two sites took over at once, and each is followed by embassies of its own."""
        nodes = self._world.embassies.values()
        logs = [node.policy.logs for node in nodes if node.honest and not node.lost]
        return any(one[: len(other)] != other[: len(one)] for one, other in combinations(logs, 2))

    @property
    def faults(self) -> list[str]:
        """Why those that are under way do not get on."""
        return [site.last_fault for site in self.under_way]

    @property
    def last_fault(self) -> str:
        """Why the last one that is under way does not get on."""
        return self.under_way[-1].last_fault if self.under_way else ""


def _excluding(pinned: list[PolicyFile], new: PolicyFile) -> int:
    """How many of these policies leave no way to `new`: they are as late, and not `new`."""
    return sum(policy.version >= new.version and policy.logs != new.logs for policy in pinned)

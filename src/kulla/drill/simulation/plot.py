"""What a seed is about: which faults it has, and how often. Each seed has some, few have all.

Faults that are drawn together hide each other; a seed with three kinds of them goes deeper than
one with all (swarm testing: Groce and others, 2012).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from kulla.drill.chance import chance_of
from kulla.drill.simulation.network import Weather


@dataclass(frozen=True, slots=True)
class Build:
    """How the simulated Kulla differs from the one that runs; the default does not.

    syncs: whether disks are asked to make things durable. quorum: how many embassies the scribe
    counts. early: answers go out before the watermark. repeats_early: only those to a command that
    was accepted before do. pending: a home that starts joins the entries that wait in its registers
    to its journal. asks: a home that starts asks whether it still is home. sealing: a takeover
    seals the old epoch. seals_first: before it reads the embassies' sizes. majority: it adopts what
    more than n-k of them hold, and not what is longest. settles_once: a takeover that is tried
    again adopts what it adopted first. certain: a standby replays what a quorum signed, not what
    any embassy shows.
    """

    syncs: bool = True
    quorum: int = 3
    early: bool = False
    repeats_early: bool = False
    pending: bool = True
    asks: bool = True
    sealing: bool = True
    seals_first: bool = True
    majority: bool = True
    settles_once: bool = True
    certain: bool = True


BUILDS: Final[dict[str, Build]] = {
    "": Build(),
    "no-fsync": Build(syncs=False),
    "quorum-1": Build(quorum=1),
    "answers-early": Build(early=True),
    "repeats-early": Build(repeats_early=True),
    "pending-dropped": Build(pending=False),
    "no-still-home": Build(asks=False),
    "no-sealing": Build(sealing=False),
    "sizes-before-seal": Build(seals_first=False),
    "adopts-the-longest": Build(majority=False),
    "settles-anew": Build(settles_once=False),
    "standby-ahead": Build(certain=False),
}
"""The build that runs, and known-bad ones that the simulator has to see through."""


Culprit = Literal["", "lost", "liar", "traitor", "absent"]
CULPRITS: Final[dict[Culprit, float]] = {
    "": 0.46,
    "lost": 0.22,
    "liar": 0.13,
    "traitor": 0.12,
    "absent": 0.07,
}
LONG_EVERY: Final = 25


@dataclass(frozen=True, slots=True)
class Profile:
    """One seed's faults. Rates are chances for one step of the world.

    steps: how many there are. streams: whether couriers may send on without waiting. deaths: the
    chance that a process has a last step at all. haste: how soon somebody takes over. starts: how
    soon what is dead is started again. culprit: one embassy is lost, lies, signs anything, or is
    away until two takeovers are over; at most one of them, as the design tolerates. slow: so
    many embassies answer long after the others. thief: somebody has home's log key and feeds one
    embassy. zombie: a home that was only cut off goes on living after the takeover. restored: an
    old backup of home is started. race: two sites take over at once. harried: a takeover dies
    more often than it gets on. long: the country has a past, and its log passes 256 entries: the
    first full tiles. standby: a site follows the embassies, and most takeovers are its.
    """

    steps: int
    weather: Weather
    streams: bool
    deaths: float
    disk_faults: float
    full_disks: float
    jumps: float
    cuts: float
    takeovers: int
    haste: float
    starts: float
    culprit: Culprit
    slow: int
    thief: bool
    zombie: bool
    restored: bool
    race: bool
    harried: bool
    long: bool
    standby: bool


def profile_of(seed: int) -> Profile:
    """The profile of a seed."""
    chance = chance_of(seed, "profile")

    def some(most: float, often: float = 0.5) -> float:
        return chance.random() * most if chance.random() < often else 0.0

    [culprit] = chance.choices(list(CULPRITS), list(CULPRITS.values()))
    harried = chance.random() < 0.25
    takeovers = chance.choice((0, 1, 1, 1, 2, 3)) if culprit != "absent" else chance.choice((2, 3))
    return Profile(
        steps=chance.randrange(40, 140),
        weather=Weather(
            lost=some(0.15),
            answer_lost=some(0.15),
            late=some(0.1),
            repeated=some(0.1),
            meanwhile=some(0.3, 0.7),
        ),
        streams=chance.random() < 0.5,
        deaths=some(1.0, 0.6),
        disk_faults=some(0.06),
        full_disks=some(0.02, 0.3),
        jumps=some(0.03, 0.3),
        cuts=some(0.04),
        takeovers=takeovers,
        haste=chance.choice((0.5, 1.5, 6.0)) * takeovers * (4 if harried else 1),
        starts=chance.choice((1.0, 4.0)),
        culprit=culprit,
        slow=chance.choice((0, 0, 0, 0, 0, 1, 2, 2)),
        thief=chance.random() < 0.3,
        zombie=takeovers > 0 and chance.random() < 0.5,
        restored=chance.random() < 0.2,
        race=takeovers > 0 and chance.random() < 0.25,
        harried=harried,
        long=seed % LONG_EVERY == LONG_EVERY - 1,
        standby=chance.random() < 0.4,
    )

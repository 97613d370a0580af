"""A country with a past: its log is about to pass 256 entries, or has its first full tiles.

It is lived through once a process, without a fault, and every long seed begins with a copy.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Final

from kulla.drill.simulation.citizens import appointment_of, slots
from kulla.drill.simulation.network import FAIR
from kulla.drill.simulation.plot import LONG_EVERY, Profile, profile_of
from kulla.drill.simulation.world import World

ENTRIES: Final = (255, 260)
"""So many are in the log when a long seed begins: one number or the other."""

_TURNS_MAX = 20


def world_of(seed: int, build: str = "", profile: Profile | None = None) -> World:
    """The world of a seed as it begins, in the named build; with another `profile` if given."""
    world = World(seed, build, profile)
    if world.profile.long:
        world.take_up(_past(ENTRIES[seed // LONG_EVERY % len(ENTRIES)]))
    return world


def faultless(seed: int) -> Profile:
    """The profile of a country in which nothing breaks."""
    return replace(
        profile_of(seed),
        weather=FAIR,
        streams=False,
        deaths=0.0,
        takeovers=0,
        culprit="",
        slow=0,
        thief=False,
        restored=False,
        race=False,
        harried=False,
        long=False,
        standby=False,
    )


@cache
def _past(entries: int) -> World:
    """A world at rest, of which only copies may be changed."""
    world = World(0, profile=faultless(0))
    world.turn()
    _wait(world)
    people, citizens = world.citizens.people, world.citizens
    while world.acts < entries:
        some = slots()[: min(len(slots()), entries - world.acts)]
        booked = [citizens.wish(people[0], "book", {"slot": slot}) for slot in some]
        _wait(world)
        for wish in booked[: entries - world.acts]:
            citizens.wish(people[0], "cancel", {"appointment": appointment_of(wish.command)})
        _wait(world)
    world.home.kill(power=False)
    return world


def _wait(world: World) -> None:
    """Let the world go on until everybody was told and a quorum holds all of it."""
    for wish in world.citizens.waiting:
        world.citizens.send(wish, world.home)
    for _ in range(_TURNS_MAX):
        world.turn()
        if not world.citizens.waiting and world.is_level:
            return
    raise AssertionError("the past does not come to rest")

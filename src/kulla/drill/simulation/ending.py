"""The last look at a world that came to rest: registers against a replay, and all that was told."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, cast

from kulla.drill.chance import chance_of
from kulla.drill.simulation import country
from kulla.drill.simulation.disks import RegisterFile
from kulla.drill.simulation.mortal import Life
from kulla.kernel.errors import KullaError
from kulla.rebuild.chain import rebuild_registers
from kulla.rebuild.history import plan_history, settle_log
from kulla.rebuild.sources import HttpSource

_TURNS_MAX = 12

if TYPE_CHECKING:
    from kulla.drill.simulation.world import World


def look_at_the_end(world: World) -> None:
    """Rebuild from the honest embassies, and compare with the home that serves. May be a Violation.

    Every command that was ever accepted must be in its registers, no slot taken twice, and a
    replay must give the same rows.
    """
    judge, home = world.judge, world.home
    process = home.process
    if process is None or home.folder.policy is None:
        judge.fail("stuck", "there is no home at the end.")
        return
    judge.check_accepted(process.connection.plain)
    judge.check_slots(process.connection.plain)
    life, policy, keys = Life(), home.folder.policy, country.journal_keys()
    for node in world.embassies.values():
        node.start()  # one may just have died: what it alone was fed by a thief was adopted
    sources = [
        HttpSource(world.network.client("rebuild", life, node))
        for node in world.embassies.values()
        if node.honest and not node.lost
    ]
    fresh = RegisterFile(country.empty_registers(), chance_of(world.seed, "end")).open(life)
    try:
        settlement = settle_log(sources, policy, process.origin)
        if settlement.checkpoint.size != process.journal.size:
            what = f"{settlement.checkpoint.size} of {process.journal.size} entries"
            judge.fail("lost", f"a rebuild at the end finds {what}")
        plans = plan_history(sources, policy, keys, settlement)
        rebuild_registers(
            plans, keys, cast("sqlite3.Connection", fresh), country.tables(), country.SERVICES
        )
    except KullaError as error:
        judge.fail("lost", f"there is no rebuild at the end: {error}")
    judge.check_equal(process.connection.plain, fresh.plain, home.name)
    fresh.close()
    _look_at_standby(world)


def _look_at_standby(world: World) -> None:
    """It comes level with home, has the same rows, and all the wrapped keys that were named."""
    standby = world.standby
    if standby is None:
        return
    for _ in range(_TURNS_MAX):
        home = world.home.process
        if home is not None and standby.position == home.writer.end and world.is_level:
            break
        world.turn()
    else:
        if world.takeovers.are_split:
            # It believes whom it asked first; the others are of the same version and never newer.
            world.met("two takeovers split the embassies")
            return
        if not _honest_quorum(world):
            # A liar or a traitor signed for home and shows the standby something else.
            world.met("a standby stays behind because of a liar")
            return
        what = f"{standby.name} stays at {standby.position}, home is at {world.acts}"
        world.judge.fail("stuck", what)
        return
    assert standby.registers is not None
    world.judge.check_equal(home.connection.plain, standby.registers, standby.name)
    world.met("a standby's registers are compared with home's")
    wanted = standby.folder.wanted
    if wanted.names.keys() != wanted.blobs.keys():
        world.judge.fail("keyless", f"{standby.name} lacks wrapped keys")


def _honest_quorum(world: World) -> bool:
    """Whether a quorum of honest embassies shows all that home wrote."""
    home = world.home.process
    if home is None:
        return True
    size, root = home.journal.size, home.journal.root_at(home.journal.size)
    holders = 0
    for node in world.embassies.values():
        log = node.mirror.log(home.origin) if node.honest and node.mirror is not None else None
        if log is not None and log.mirrored_size >= size:
            holders += log.tree.root_at(size) == root
    return holders >= country.QUORUM

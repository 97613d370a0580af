"""A disk is really full for a while: first home's, then that of one embassy."""

from __future__ import annotations

import asyncio
from typing import Final

from kulla.drill.chance import chance_of
from kulla.drill.disks import Disk
from kulla.drill.fault import HOME, Fault, Scene
from kulla.drill.throwaway import Arrangement, Throwaway
from kulla.embassy.folder import SETTINGS
from kulla.tower.up import EMBASSIES

_HOME_BYTES: Final = 256 << 20
_EMBASSY_BYTES: Final = 96 << 20
_FULL_S: Final = (2.0, 3.0)
_POLITE_FLOOR_BYTES: Final = 4 << 20
_NO_ROOM: Final = "no-room"
_BACK_S: Final = 60.0


class DiskFull(Fault):
    """Home's disk takes not one block more, and later an embassy's; each has room again then.

    Both lie on small disks of their own (disks.py), which are filled up. Citizens get a page that
    says 'no room'; what was acknowledged stays; all goes on by itself once there is room. By the
    seed the embassy either keeps a floor of free space, and refuses politely, or meets the end of
    the disk in the middle of a write, ends, and comes back.
    """

    name = "disk-full"
    minds = True

    def __init__(self, seed: int) -> None:
        """See Fault."""
        super().__init__(seed)
        self._embassy = self.chance.choice(EMBASSIES)
        self._disks: dict[str, Disk] = {}

    def arrangement(self) -> Arrangement:
        """See Fault."""
        return Arrangement(on_disks=frozenset({HOME, self._embassy}), made=self._set_floor)

    def prepare(self, tower: Throwaway) -> None:
        """See Fault."""
        more = tower.plan.people * 4096
        for who, size in ((HOME, _HOME_BYTES), (self._embassy, _EMBASSY_BYTES)):
            self._disks[who] = Disk(tower.plan.disk(who), size + more)

    def _set_floor(self, tower: Throwaway) -> None:
        """An embassy's own floor of free space is a GiB, more than this disk has."""
        polite = bool(self.seed % 2)
        floor = _POLITE_FLOOR_BYTES if polite else 0
        path = tower.plan.embassy(self._embassy) / SETTINGS
        path.write_text(f"{path.read_text()}free_disk_floor_bytes = {floor}\n")
        self.done["embassy"], self.done["embassy_has_floor"] = self._embassy, polite

    def doomed(self) -> tuple[str, ...]:
        """See Fault."""
        return HOME, chance_of(self.seed, "blow").choice(EMBASSIES)

    async def trouble(self, scene: Scene) -> None:
        """See Fault."""
        await scene.until_acknowledged(0.2)
        before = scene.answers.reasons[_NO_ROOM]
        await self._fill(scene, HOME)
        self.found["refused_no_room"] = scene.answers.reasons[_NO_ROOM] - before
        await scene.until_acknowledged(0.6)
        await self._fill(scene, self._embassy)

    async def _fill(self, scene: Scene, who: str) -> None:
        """Fill a disk, wait, make room again, and wait until an act is confirmed."""
        disk, answers = self._disks[who], scene.answers
        scene.say(f"the disk of {who} is full")
        self.done[f"filled_{'home' if who == HOME else 'embassy'}_bytes"] = disk.fill()
        full = answers.acknowledged_count
        await asyncio.sleep(self.chance.uniform(*_FULL_S))
        kind = "home" if who == HOME else "embassy"
        self.found[f"confirmed_with_{kind}_full"] = answers.acknowledged_count - full
        disk.make_room()
        room_s, room = scene.clock.monotonic_s(), answers.acknowledged_count
        while answers.acknowledged_count <= room:
            if scene.clock.monotonic_s() - room_s > _BACK_S:
                self.complaints.append(
                    f"nothing was confirmed for {_BACK_S:.0f} s after {who} had room"
                )
                return
            await asyncio.sleep(0.02)
        self.found[f"goes_on_after_{kind}_s"] = round(scene.clock.monotonic_s() - room_s, 3)

    def look(self, scene: Scene) -> None:
        """See Fault."""
        children = scene.tower.children.values()
        self.done["started_again"] = sum(child.starts - 1 for child in children)
        if not self.found.get("refused_no_room"):
            self.complaints.append("nobody was told that there is no room")

    def end(self) -> None:
        """See Fault."""
        for disk in self._disks.values():
            disk.unmount()

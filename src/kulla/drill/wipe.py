"""`kulla drill wipe`: citizens book; home and one embassy are wiped; what they were told must hold.

found       a live tower is made and filled
load        citizens come, and a fault makes its trouble; at a moment that the seed chooses, while
            they book, the blow falls
take over   a new home from the recovery kit and the embassies that are left
reopen      how soon is a booking of the last moment seen, and a new one confirmed (reopening.py)
reckon      answers, receipts, pages, registers and the journal are held against each other
            (reckoning.py)
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from kulla.drill.browser import Browser
from kulla.drill.chance import chance_of
from kulla.drill.citizens import Person
from kulla.drill.crowd import Crowd, Directory, read_directory
from kulla.drill.fault import HOME, Fault, Scene
from kulla.drill.faults import FAULTS
from kulla.drill.guard import Address, Guard, loopback
from kulla.drill.judge import Evidence, Verdict
from kulla.drill.notes import MORE, DrillFailed, Notes, Say, WipePlan
from kulla.drill.passkey import add_passkey
from kulla.drill.reckoning import keep_logs, reckon
from kulla.drill.reopening import OWN_HOST, Reopening
from kulla.drill.report import WipeReport
from kulla.drill.throwaway import Throwaway, processes_of
from kulla.drill.told import Answers
from kulla.embassy.errors import NotSettled
from kulla.kernel.edges import Clock, Entropy
from kulla.rebuild.takeover import TakeoverFailed
from kulla.tower.takeover.recover import TakeoverReport

_TICK_S: Final = 0.005
_JITTER_S: Final = 1.0
_GOING_S: Final = 3.0
_TAKEOVER_S: Final = 60.0
_TAKEOVER_PAUSE_S: Final = 0.5


@dataclass(slots=True)
class WipeRun:
    """A finished drill: its score, and all that it was judged by."""

    report: WipeReport
    answers: Answers
    evidence: Evidence
    verdict: Verdict


class WipeDrill:
    """One drill from beginning to end. `run` may be called once, from the main thread."""

    def __init__(self, plan: WipePlan, clock: Clock, entropy: Entropy, say: Say) -> None:
        self.plan = plan
        self._entropy = entropy
        self._say = say
        self._clock = clock
        self._notes = Notes(plan, clock, say)
        self._fault: Fault = FAULTS[plan.fault](plan.seed)

    @property
    def answers(self) -> Answers:
        """What citizens asked for and were told."""
        return self._notes.answers

    def run(self) -> WipeRun:
        """Carry the drill through. Whatever happens, nothing is left running or lying about.

        Raises DrillFailed, DrillRefused, or what the tower's own parts raise.
        """
        plan, fault, notes = self.plan, self._fault, self._notes
        if plan.keep is not None and plan.keep.exists():
            raise DrillFailed(
                "this folder is there already.",
                place=str(plan.keep),
                remedy="Name one that is not: a drill overwrites nothing but what it made.",
            )
        start_s = self._clock.monotonic_s()
        guard = Guard.begin(plan.folder, self._entropy)
        tower: Throwaway | None = None
        try:
            chance = chance_of(plan.seed, "ports")
            tower = Throwaway(
                guard,
                chance,
                people=plan.people,
                acts=plan.acts,
                journal=plan.journal,
                standby=plan.standby,
                arrangement=fault.arrangement(),
            )
            fault.prepare(tower)
            verdict, evidence = self._carry_through(tower)
        finally:
            with _undisturbed():
                if tower is not None:
                    tower.end()
                    fault.end()
                keep_logs(guard.root, plan.keep)
                guard.remove_all()
        report = notes.report
        report.total_s = round(self._clock.monotonic_s() - start_s, 3)
        return WipeRun(report, notes.answers, evidence, verdict)

    def _carry_through(self, tower: Throwaway) -> tuple[Verdict, Evidence]:
        notes, fault = self._notes, self._fault
        site = loopback(tower.start(lambda what: self._say(f"founding: {what}")))
        scene = asyncio.run(self._play(tower, site))
        policy = tower.policy()
        tower.end()
        fault.look(scene)
        folders = [path for path in tower.embassies_left if path.name not in fault.liars()]
        verdict, evidence = reckon(notes, tower, policy, folders)
        report = notes.report
        report.done, report.found = fault.done, fault.found
        report.journal_before, report.standby = tower.journal_before, self.plan.standby
        report.broken = len(fault.complaints)
        report.complaints = [*fault.complaints, *report.complaints]
        return verdict, evidence

    async def _play(self, tower: Throwaway, site: Address) -> Scene:
        """Load, blow, takeover and new home."""
        queue = enumerate(tower.people)
        scene, coming = await self._load(tower, site, queue)
        beside = asyncio.create_task(self._fault.meanwhile(scene))
        try:
            taken, url = await self._take_over(tower)
            self._note_takeover(taken)
            scene.taken.set()
            reopening = Reopening(self._notes, loopback(url), scene.crowd.directory, tower.people)
            await reopening.open(queue)
            await beside
        finally:
            beside.cancel()
            scene.crowd.is_over = True
            await _let_go(coming)
        await reopening.go_on(queue)
        return scene

    # -- load, and the blow

    async def _load(
        self, tower: Throwaway, site: Address, queue: Iterator[tuple[int, Person]]
    ) -> tuple[Scene, asyncio.Task[None]]:
        notes, plan = self._notes, self.plan
        directory = await self._directory(site)
        crowd = Crowd(site, directory, notes.answers, plan.seed, self._clock, plan.crowd)
        scene = Scene(tower, crowd, notes.answers, self._clock, self._say, plan.acts, queue)
        _, with_passkey = next(queue)
        await self._add_passkey(crowd, with_passkey)
        if self._fault.minds:
            await _in_minding(tower, lambda: tower.minding.watch(tower.children.values()))
        start_s = self._clock.monotonic_s()
        coming = asyncio.create_task(crowd.come(queue, until=lambda: False))
        trouble = asyncio.create_task(self._fault.trouble(scene))
        try:
            await self._wait_for_the_moment(coming, trouble, crowd)
            await self._brace(scene)
            self._strike(scene)
        except BaseException:
            crowd.is_over = True
            trouble.cancel()
            await _let_go(coming)
            raise
        if crowd.is_over:
            await _let_go(coming)
        self._note_load(crowd, start_s)
        return scene, coming

    def _note_load(self, crowd: Crowd, start_s: float) -> None:
        notes, report = self._notes, self._notes.report
        before = notes.answers.acknowledged(until_s=notes.wiped_s)
        report.acknowledged = notes.answers.acknowledged_count
        report.load_s = round(notes.wiped_s - start_s, 3)
        report.acts_per_s = round(len(before) / (notes.wiped_s - start_s), 1)
        report.citizens, report.at_once = crowd.visits, crowd.at_once
        report.faults = dict(crowd.faults)

    async def _directory(self, site: Address) -> Directory:
        visitor = Browser(site, OWN_HOST)
        found = await read_directory(visitor)
        await visitor.close()
        if self._fault.later_days:
            found = Directory(found.practitioners, found.days[len(found.days) // 2 :])
        return found

    async def _add_passkey(self, crowd: Crowd, person: Person) -> None:
        citizen = crowd.citizen(person, chance_of(self.plan.seed, "passkey"))
        await citizen.sign_in()
        await add_passkey(citizen.browser, self._notes.device, crowd.site)
        await citizen.leave()

    async def _wait_for_the_moment(
        self, coming: asyncio.Task[None], trouble: asyncio.Task[None], crowd: Crowd
    ) -> None:
        chance, answers = chance_of(self.plan.seed, "moment"), self.answers
        enough = self.plan.acts + chance.randrange(int(self.plan.acts * MORE) + 1)
        ticks = 0
        while answers.acknowledged_count < enough or not trouble.done():
            if trouble.done():
                trouble.result()  # raises what ended it, if anything did
            if coming.done():
                coming.result()
                raise DrillFailed(
                    f"{answers.acknowledged_count} acts were acknowledged, then there was "
                    f"nobody left; {enough} were wanted. {dict(crowd.faults)}",
                    remedy="Let more citizens come: --citizens.",
                )
            if ticks % 40 == 0:
                self._say(f"citizens book: {answers.acknowledged_count:,} of {enough:,}")
            ticks += 1
            await asyncio.sleep(_TICK_S)
        trouble.result()
        await asyncio.sleep(chance.uniform(0, _JITTER_S))

    async def _brace(self, scene: Scene) -> None:
        tower, doomed = scene.tower, self._fault.doomed()
        if self._fault.minds:
            names = processes_of(doomed)
            await _in_minding(tower, lambda: tower.minding.forget(names))
        await self._fault.brace(scene)

    def _strike(self, scene: Scene) -> None:
        """The blow. It blocks the citizens' own loop, so that none of them reacts half-way."""
        notes, report, fault = self._notes, self._notes.report, self._fault
        doomed = fault.doomed()
        notes.wiped_s = scene.wiped_s = self._clock.monotonic_s()
        killed = scene.tower.kill(doomed, dead=fault.minds)
        written = scene.tower.wipe(doomed, chance_of(self.plan.seed, "ruin"))
        fault.after_blow(scene)
        scene.crowd.is_over = HOME in doomed
        report.destroy_s = notes.since_wiped_s()
        report.embassy_destroyed = next((one for one in doomed if one != HOME), "")
        report.processes_killed, report.bytes_overwritten = len(killed), written
        self._say(f"{' and '.join(doomed) or 'nobody'} gone")

    async def _take_over(self, tower: Throwaway) -> tuple[TakeoverReport, str]:
        """Take over as an operator does: where it stops, type the same again a moment later."""
        end_s = self._clock.monotonic_s() + _TAKEOVER_S
        while True:
            try:
                taking = tower.take_over(lambda what: self._say(f"taking over: {what}"))
                return await asyncio.wrap_future(taking)
            except (TakeoverFailed, NotSettled) as error:
                if self._clock.monotonic_s() > end_s:
                    raise
                self._say(f"taking over: {error}")
                self._notes.report.takeover_tries += 1
                await asyncio.sleep(_TAKEOVER_PAUSE_S)

    def _note_takeover(self, taken: TakeoverReport) -> None:
        report = self._notes.report
        report.takeover_s = self._notes.since_wiped_s()
        report.adopted_size = taken.adopted_size
        report.tails = {name: size - taken.adopted_size for name, size in taken.tails}
        report.cases = len(taken.cases)


async def _in_minding(tower: Throwaway, do: object) -> None:
    await asyncio.wrap_future(tower.minding.submit(do))  # type: ignore[arg-type]


async def _let_go(coming: asyncio.Task[None]) -> None:
    """Give citizens some time to notice that it is over, then end what they do."""
    if not coming.done():
        await asyncio.wait([coming], timeout=_GOING_S)
    if coming.cancel():
        await asyncio.wait([coming])
    elif not coming.cancelled():
        coming.result()  # raises what ended it, if anything did


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let no second Ctrl-C cut off the tidying up, which takes some seconds at most."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_IGN) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)

"""`kulla drill wipe`: citizens book; home and one embassy are wiped; what they were told must hold.

found       a live tower is made and filled
load        citizens come; at a moment that the seed chooses, while they book, the blow falls
take over   a new home from the recovery kit and the embassies that are left
reopen      how soon is a booking of the last moment seen, and a new one confirmed; old commands
            are sent again; citizens go on; everybody looks at their page
judge       answers, receipts, pages, registers and the journal are held against each other
"""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from kulla.drill.browser import Browser, NoAnswer
from kulla.drill.chance import chance_of
from kulla.drill.citizens import Citizen, Person, PortalUnexpected
from kulla.drill.crowd import BOOKINGS_EACH, Crowd, Directory, read_directory
from kulla.drill.evidence import Journal, read_appointments, read_journal
from kulla.drill.guard import Address, Guard, loopback
from kulla.drill.judge import Evidence, Verdict, judge
from kulla.drill.passkey import Device, add_passkey, enter_with_passkey
from kulla.drill.reading import Shown
from kulla.drill.receipts import failed_by_command, failed_receipts, write_receipts
from kulla.drill.report import WipeReport, machine, version
from kulla.drill.throwaway import Throwaway
from kulla.drill.told import Answers, Verb, Wish
from kulla.journal.entries import JournalKey
from kulla.journal.policy_file import PolicyFile
from kulla.kernel.edges import Clock, Entropy
from kulla.kernel.errors import KullaError
from kulla.tower.recover import TakeoverReport
from kulla.tower.up import EMBASSIES

_TICK_S: Final = 0.005
_JITTER_S: Final = 1.0
_MORE: Final = 0.1
_REOPEN_S: Final = 30.0
_INSIST_S: Final = 0.05
_SPARE_CITIZENS: Final = 60
_REPEATS: Final = 200
_RECEIPTS_AGAIN: Final = 200
_BY_COMMAND: Final = 8
_COMPLAINTS_MAX: Final = 50
_SETTLING_LOOKS: Final = 50
_OWN_HOST: Final = "127.0.0.2"

Say = Callable[[str], None]


class DrillFailed(KullaError):
    """A drill that could not be carried through, so that it says nothing."""


@dataclass(frozen=True, slots=True)
class WipePlan:
    """One drill. `acts` must be acknowledged before the blow; `at_once` citizens are there.

    folder: where the drill makes its own. keep: a folder for what others may check, or None.
    """

    seed: int
    folder: Path
    acts: int = 10_000
    citizens: int = 0
    keep: Path | None = None
    at_once: int = 64

    @property
    def people(self) -> int:
        """How many citizens the demo country gets."""
        return self.citizens or _people_for(self.acts)


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
        self.answers = Answers()
        self._clock = clock
        self._entropy = entropy
        self._say = say
        self._report = WipeReport(seed=plan.seed, machine=machine(), version=version())
        self._wiped_s = 0.0
        self._pages: dict[str, dict[str, Shown]] = {}
        self._again: list[Wish] = []
        self._device = Device(chance_of(plan.seed, "device"))

    def run(self) -> WipeRun:
        """Carry the drill through. Whatever happens, nothing is left running or lying about.

        Raises DrillFailed, DrillRefused, or what the tower's own parts raise.
        """
        if self.plan.keep is not None and self.plan.keep.exists():
            raise DrillFailed(
                "this folder is there already.",
                place=str(self.plan.keep),
                remedy="Name one that is not: a drill overwrites nothing but what it made.",
            )
        start_s = self._clock.monotonic_s()
        guard = Guard.begin(self.plan.folder, self._entropy)
        tower: Throwaway | None = None
        try:
            chance = chance_of(self.plan.seed, "ports")
            tower = Throwaway(guard, chance, people=self.plan.people, acts=self.plan.acts)
            verdict, evidence = self._carry_through(tower)
        finally:
            with _undisturbed():
                if tower is not None:
                    tower.end()
                self._keep_logs(guard.root)
                guard.remove_all()
        self._report.total_s = round(self._clock.monotonic_s() - start_s, 3)
        return WipeRun(self._report, self.answers, evidence, verdict)

    def _carry_through(self, tower: Throwaway) -> tuple[Verdict, Evidence]:
        site = loopback(tower.start(lambda what: self._say(f"founding: {what}")))
        queue = enumerate(tower.people)
        directory = asyncio.run(self._load(tower, site, queue))
        unknown = [
            wish
            for wish in self.answers.wishes
            if not wish.acknowledged and not wish.certainly_not_done
        ]
        taken, url = tower.take_over(lambda what: self._say(f"taking over: {what}"))
        self._note_takeover(taken)
        asyncio.run(self._reopen(tower, loopback(url), directory, queue, unknown))
        policy = tower.policy()
        tower.end()
        return self._judge(tower, policy)

    # -- load, and the blow

    async def _load(
        self, tower: Throwaway, site: Address, queue: Iterator[tuple[int, Person]]
    ) -> Directory:
        visitor = Browser(site, _OWN_HOST)
        directory = await read_directory(visitor)
        await visitor.close()
        crowd = self._crowd(site, directory)
        _, with_passkey = next(queue)
        await self._add_passkey(crowd, with_passkey)
        start_s = self._clock.monotonic_s()
        coming = asyncio.create_task(crowd.come(queue, until=lambda: False))
        try:
            await self._wait_for_the_moment(coming, crowd)
            self._strike(tower, crowd)
        finally:
            crowd.is_over = True
            if not coming.done():
                await asyncio.wait([coming], timeout=30)
                coming.cancel()
        await coming
        before = self.answers.acknowledged(until_s=self._wiped_s)
        report = self._report
        report.acknowledged = self.answers.acknowledged_count
        report.load_s = round(self._wiped_s - start_s, 3)
        report.acts_per_s = round(len(before) / (self._wiped_s - start_s), 1)
        report.citizens, report.at_once = crowd.visits, self.plan.at_once
        report.faults = dict(crowd.faults)
        return directory

    async def _wait_for_the_moment(self, coming: asyncio.Task[None], crowd: Crowd) -> None:
        chance = chance_of(self.plan.seed, "moment")
        enough = self.plan.acts + chance.randrange(int(self.plan.acts * _MORE) + 1)
        ticks = 0
        while self.answers.acknowledged_count < enough:
            if coming.done():
                coming.result()  # raises what ended it, if anything did
                raise DrillFailed(
                    f"{self.answers.acknowledged_count} acts were acknowledged, then there was "
                    f"nobody left; {enough} were wanted. {dict(crowd.faults)}",
                    remedy="Let more citizens come: --citizens.",
                )
            if ticks % 40 == 0:
                self._say(f"citizens book: {self.answers.acknowledged_count:,} of {enough:,}")
            ticks += 1
            await asyncio.sleep(_TICK_S)
        await asyncio.sleep(chance.uniform(0, _JITTER_S))

    def _strike(self, tower: Throwaway, crowd: Crowd) -> None:
        """The blow. It blocks the citizens' own loop, so that none of them reacts half-way."""
        chance = chance_of(self.plan.seed, "blow")
        embassy = chance.choice(EMBASSIES)
        self._wiped_s = self._clock.monotonic_s()
        killed, written = tower.destroy(embassy, chance)
        crowd.is_over = True
        report = self._report
        report.destroy_s = round(self._clock.monotonic_s() - self._wiped_s, 3)
        report.embassy_destroyed = embassy
        report.processes_killed, report.bytes_overwritten = len(killed), written
        self._say(f"home and {embassy} are gone")

    def _note_takeover(self, taken: TakeoverReport) -> None:
        report = self._report
        report.takeover_s = round(self._clock.monotonic_s() - self._wiped_s, 3)
        report.adopted_size = taken.adopted_size
        report.tails = {name: size - taken.adopted_size for name, size in taken.tails}
        report.cases = len(taken.cases)

    # -- the new home

    async def _reopen(
        self,
        tower: Throwaway,
        site: Address,
        directory: Directory,
        queue: Iterator[tuple[int, Person]],
        unknown: list[Wish],
    ) -> None:
        crowd = self._crowd(site, directory)
        people = {person.subject: person for person in tower.people}
        last = self._last_booking()
        _, first = next(queue)
        self._say("the doors open again")
        await asyncio.gather(
            self._see_last(crowd, people[last.citizen], last), self._book_first(crowd, first)
        )
        await self._enter_with_passkey(site)
        self._report.unknown_at_wipe = len(unknown)
        await self._repeat(crowd, people, unknown)
        self._say("citizens go on")
        wanted = self.answers.acknowledged_count + max(10, self.plan.acts // 50)
        await crowd.come(
            islice(queue, _SPARE_CITIZENS), until=lambda: self.answers.acknowledged_count >= wanted
        )
        await self._look(crowd, people)
        self._report.acknowledged_after = (
            self.answers.acknowledged_count - self._report.acknowledged
        )
        for place, count in crowd.faults.items():
            self._report.faults[f"new home: {place}"] = count

    def _last_booking(self) -> Wish:
        """The booking that was confirmed last before the blow, and that nothing has changed."""
        expected = self.answers.expected()
        for wish in reversed(self.answers.acknowledged(until_s=self._wiped_s)):
            if wish.verb is Verb.BOOK:
                allowed = expected[wish.appointment].allowed
                if allowed == {("booked", wish.slot)}:
                    assert wish.confirmed_s is not None
                    self._report.last_told_s = round(self._wiped_s - wish.confirmed_s, 3)
                    return wish
        raise DrillFailed("no booking was confirmed before the blow.")

    async def _see_last(self, crowd: Crowd, person: Person, last: Wish) -> None:
        citizen = crowd.citizen(person, chance_of(self.plan.seed, "first page"))

        async def see() -> bool:
            shown = (await citizen.mine()).get(last.appointment)
            return shown is not None and shown.state == "booked"

        if await self._insist("first page", citizen.sign_in, see):
            self._report.first_page_s = round(self._clock.monotonic_s() - self._wiped_s, 3)
        await citizen.leave()

    async def _book_first(self, crowd: Crowd, person: Person) -> None:
        chance = chance_of(self.plan.seed, "first act")
        citizen = crowd.citizen(person, chance)

        async def book() -> bool:
            practitioner = chance.choice(crowd.directory.practitioners)
            times = await citizen.times(practitioner, chance.choice(crowd.directory.days))
            wish = await citizen.book(chance.choice(times)) if times else None
            return wish is not None and wish.acknowledged

        if await self._insist("first act", citizen.sign_in, book):
            self._report.first_act_s = round(self._clock.monotonic_s() - self._wiped_s, 3)
        await citizen.leave()

    async def _add_passkey(self, crowd: Crowd, person: Person) -> None:
        citizen = crowd.citizen(person, chance_of(self.plan.seed, "passkey"))
        await citizen.sign_in()
        await add_passkey(citizen.browser, self._device, crowd.site)
        await citizen.leave()

    async def _enter_with_passkey(self, site: Address) -> None:
        """The old passkey, and nothing else of its owner, must open the new home's door."""
        browser = Browser(site, _OWN_HOST)

        async def enter() -> bool:
            return await enter_with_passkey(browser, self._device, site)

        if await self._insist("passkey", enter):
            self._report.first_passkey_s = round(self._clock.monotonic_s() - self._wiped_s, 3)
        await browser.close()

    async def _insist(self, what: str, *steps: Callable[[], Awaitable[bool | None]]) -> bool:
        """Try each step until it is done (not False), as people do at a door that should open.

        False where it did not open in _REOPEN_S: that is a result too, and the drill goes on.
        """
        end_s = self._clock.monotonic_s() + _REOPEN_S
        for step in steps:
            pause_s = _INSIST_S
            while True:
                try:
                    if await step() is not False:
                        break
                except (NoAnswer, PortalUnexpected) as error:
                    self._say(f"{what}: {error}")
                if self._clock.monotonic_s() > end_s:
                    return False
                await asyncio.sleep(pause_s)
                pause_s = min(1.0, pause_s * 1.2)
        return True

    async def _repeat(self, crowd: Crowd, people: dict[str, Person], unknown: list[Wish]) -> None:
        """Send old commands again: all whose end nobody knows, and some that were confirmed."""
        chance = chance_of(self.plan.seed, "repeats")
        known = self.answers.acknowledged(until_s=self._wiped_s)
        wishes = [*unknown, *chance.sample(known, min(_REPEATS, len(known)))]
        by_citizen: dict[str, list[Wish]] = {}
        for wish in wishes:
            by_citizen.setdefault(wish.citizen, []).append(wish)
        self._say(f"{len(wishes)} old commands are sent again")

        async def send(citizen: Citizen) -> None:
            await citizen.sign_in()
            for wish in by_citizen[citizen.person.subject]:
                await citizen.repeat(wish)

        await crowd.each([people[subject] for subject in by_citizen], send)
        self._report.repeats = len(wishes)
        self._report.unknown_adopted = sum(
            wish.position is not None and wish.position < self._report.adopted_size
            for wish in unknown
        )

    async def _look(self, crowd: Crowd, people: dict[str, Person]) -> None:
        """Everybody looks at their own page, and fetches the receipts that they lack."""
        chance = chance_of(self.plan.seed, "receipts")
        acknowledged = self.answers.acknowledged()
        by_citizen: dict[str, list[Wish]] = {wish.citizen: [] for wish in self.answers.wishes}
        for wish in acknowledged:
            if not wish.receipt:
                by_citizen[wish.citizen].append(wish)
        for wish in chance.sample(acknowledged, min(_RECEIPTS_AGAIN, len(acknowledged))):
            self._again.append(replace(wish, receipt=b""))
            by_citizen[wish.citizen].append(self._again[-1])

        async def look(citizen: Citizen) -> None:
            await citizen.sign_in()
            for _ in range(_SETTLING_LOOKS):
                shown = await citizen.mine()
                if all(one.state != "pending" for one in shown.values()):
                    break
                await asyncio.sleep(10 * _TICK_S)
            self._pages[citizen.person.subject] = shown
            if len(self._pages) % 50 == 0:
                self._say(f"citizens look at their pages: {len(self._pages)} of {len(by_citizen)}")
            for wish in by_citizen[citizen.person.subject]:
                await citizen.fetch_receipt(wish)

        await crowd.each([people[subject] for subject in by_citizen], look)
        self._report.pages_checked = len(self._pages)

    def _crowd(self, site: Address, directory: Directory) -> Crowd:
        return Crowd(site, directory, self.answers, self.plan.seed, self._clock, self.plan.at_once)

    # -- the verdict

    def _judge(self, tower: Throwaway, policy: PolicyFile) -> tuple[Verdict, Evidence]:
        self._say("reading the journal")
        key = JournalKey((tower.plan.kit / "journal.key").read_bytes())
        journal = read_journal(tower.embassies_left, policy, key)
        rows = read_appointments(tower.new_home.registers)
        evidence = Evidence(journal.acts, rows, self._pages)
        verdict = judge(self.answers, evidence)
        verdict.receipts = self._check_receipts(tower, policy, journal)
        report = self._report
        report.journal_size = len(journal.acts)
        report.lost, report.doubled = len(verdict.lost), len(verdict.doubled)
        report.receipts_failed = len(verdict.receipts)
        report.refusals_unfounded = len(verdict.unfounded)
        report.answers_changed = len(verdict.changed)
        report.answers = self.answers.count_by_outcome()
        report.complaints = verdict.complaints[:_COMPLAINTS_MAX]
        if self.plan.keep is not None:
            self._keep(tower, self.plan.keep)
        return verdict, evidence

    def _check_receipts(self, tower: Throwaway, policy: PolicyFile, journal: Journal) -> list[str]:
        held = [wish for wish in self.answers.wishes if wish.receipt]
        total = len(held) + len(self._again)
        failed = dict(
            failed_receipts(
                [*held, *self._again],
                policy,
                journal.bases,
                lambda number: self._say(f"receipts: {number:,} of {total:,}"),
            )
        )
        for wish in (*self.answers.acknowledged(), *self._again):
            if not wish.receipt:
                why = f"receipt of position {wish.position}: the new home did not give it"
                failed.setdefault(wish.position or 0, why)
        sample = chance_of(self.plan.seed, "verify").sample(held, min(_BY_COMMAND, len(held)))
        self._say("receipts: kulla verify")
        files = write_receipts(tower.guard.root / "receipts", sample)
        for position, why in failed_by_command(files, tower.new_home.policy_file):
            failed.setdefault(position, why)
        self._report.receipts_checked = total
        self._report.receipts_checked_by_command = len(files)
        return list(failed.values())

    def _keep(self, tower: Throwaway, keep: Path) -> None:
        """Copy what others need to check the drill: no process writes to it any more."""
        self._say(f"keeping evidence in {keep}")
        keep.mkdir(mode=0o700, parents=True)
        for folder in tower.embassies_left:
            shutil.copytree(folder, keep / "embassies" / folder.name)
        shutil.copytree(tower.new_home.folder / "journal", keep / "journal")
        shutil.copytree(tower.plan.kit, keep / "kit")
        shutil.copyfile(tower.new_home.policy_file, keep / "policy")
        write_receipts(keep / "receipts", self.answers.wishes)

    def _keep_logs(self, root: Path) -> None:
        """Copy what the processes said, also where the drill broke off."""
        if self.plan.keep is not None:
            for name in ("logs", "new-logs"):
                if (root / name).exists():
                    shutil.copytree(root / name, self.plan.keep / name)


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


def _people_for(acts: int) -> int:
    """How many citizens do so many acts, each some less than they would like, and some to spare."""
    return int(acts * (1 + _MORE)) // (BOOKINGS_EACH - 1) + 2 * _SPARE_CITIZENS

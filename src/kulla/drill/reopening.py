"""The doors open elsewhere: how soon the last booking is seen, and a new one confirmed.

Then old commands are sent again, citizens go on, and everybody looks at their own page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from kulla.drill.browser import Browser, NoAnswer
from kulla.drill.chance import chance_of
from kulla.drill.citizens import Citizen, Person, PortalUnexpected
from kulla.drill.crowd import Crowd, Directory
from kulla.drill.guard import Address
from kulla.drill.notes import SPARE_CITIZENS, DrillFailed, Notes
from kulla.drill.passkey import enter_with_passkey
from kulla.drill.told import Verb, Wish

OWN_HOST: Final = "127.0.0.2"
_REOPEN_S: Final = 30.0
_INSIST_S: Final = 0.05
_REPEATS: Final = 200
_RECEIPTS_AGAIN: Final = 200
_SETTLING_LOOKS: Final = 50
_SETTLING_S: Final = 0.05


class Reopening:
    """The new home, as citizens meet it: `open`, then `go_on`."""

    def __init__(
        self, notes: Notes, site: Address, directory: Directory, people: Sequence[Person]
    ) -> None:
        self._notes = notes
        self._site = site
        self._people = {person.subject: person for person in people}
        self._acknowledged_before = 0
        plan = notes.plan
        self._crowd = Crowd(site, directory, notes.answers, plan.seed, notes.clock, plan.at_once)

    async def open(self, queue: Iterator[tuple[int, Person]]) -> None:
        """The doors open: the last booking is seen, a new one confirmed, the old passkey taken."""
        self._notes.say("the doors open again")
        self._acknowledged_before = self._notes.answers.acknowledged_count
        last = self._last_booking()
        _, first = next(queue)
        await asyncio.gather(self._see_last(last), self._book_first(first))
        await self._enter_with_passkey()

    async def go_on(self, queue: Iterator[tuple[int, Person]]) -> None:
        """Everyday life: old commands are sent again, citizens go on, everybody looks."""
        notes, crowd, report = self._notes, self._crowd, self._notes.report
        unknown = [
            wish
            for wish in notes.answers.wishes
            if not wish.acknowledged and not wish.certainly_not_done
        ]
        report.unknown_at_wipe = len(unknown)
        await self._repeat(unknown)
        notes.say("citizens go on")
        wanted = notes.answers.acknowledged_count + max(10, notes.plan.acts // 50)
        going_on = min(SPARE_CITIZENS, max(8, notes.plan.acts // 50))
        await crowd.come(
            islice(queue, going_on), until=lambda: notes.answers.acknowledged_count >= wanted
        )
        await self._look()
        report.acknowledged_after = notes.answers.acknowledged_count - self._acknowledged_before
        for place, count in crowd.faults.items():
            report.faults[f"new home: {place}"] = count

    def _last_booking(self) -> Wish:
        """The booking that was confirmed last before the blow, and that nothing has changed."""
        notes = self._notes
        expected = notes.answers.expected()
        for wish in reversed(notes.answers.acknowledged(until_s=notes.wiped_s)):
            if wish.verb is Verb.BOOK:
                allowed = expected[wish.appointment].allowed
                if allowed == {("booked", wish.slot)}:
                    assert wish.confirmed_s is not None
                    notes.report.last_told_s = round(notes.wiped_s - wish.confirmed_s, 3)
                    return wish
        raise DrillFailed("no booking was confirmed before the blow.")

    async def _see_last(self, last: Wish) -> None:
        person = self._people[last.citizen]
        citizen = self._crowd.citizen(person, chance_of(self._notes.plan.seed, "first page"))

        async def see() -> bool:
            shown = (await citizen.mine()).get(last.appointment)
            return shown is not None and shown.state == "booked"

        if await self._insist("first page", citizen.sign_in, see):
            self._notes.report.first_page_s = self._notes.since_wiped_s()
        await citizen.leave()

    async def _book_first(self, person: Person) -> None:
        chance, directory = chance_of(self._notes.plan.seed, "first act"), self._crowd.directory
        citizen = self._crowd.citizen(person, chance)

        async def book() -> bool:
            practitioner = chance.choice(directory.practitioners)
            times = await citizen.times(practitioner, chance.choice(directory.days))
            wish = await citizen.book(chance.choice(times)) if times else None
            return wish is not None and wish.acknowledged

        if await self._insist("first act", citizen.sign_in, book):
            self._notes.report.first_act_s = self._notes.since_wiped_s()
        await citizen.leave()

    async def _enter_with_passkey(self) -> None:
        """The old passkey, and nothing else of its owner, must open the new home's door."""
        browser = Browser(self._site, OWN_HOST)

        async def enter() -> bool:
            return await enter_with_passkey(browser, self._notes.device, self._site)

        if await self._insist("passkey", enter):
            self._notes.report.first_passkey_s = self._notes.since_wiped_s()
        await browser.close()

    async def _insist(self, what: str, *steps: Callable[[], Awaitable[bool | None]]) -> bool:
        """Try each step until it is done (not False), as people do at a door that should open.

        False where it did not open in _REOPEN_S: that is a result too, and the drill goes on.
        """
        clock = self._notes.clock
        end_s = clock.monotonic_s() + _REOPEN_S
        for step in steps:
            pause_s = _INSIST_S
            while True:
                try:
                    if await step() is not False:
                        break
                except (NoAnswer, PortalUnexpected) as error:
                    self._notes.say(f"{what}: {error}")
                if clock.monotonic_s() > end_s:
                    return False
                await asyncio.sleep(pause_s)
                pause_s = min(1.0, pause_s * 1.2)
        return True

    async def _repeat(self, unknown: Sequence[Wish]) -> None:
        """Send old commands again: all whose end nobody knows, and some that were confirmed."""
        notes = self._notes
        chance = chance_of(notes.plan.seed, "repeats")
        known = notes.answers.acknowledged(until_s=notes.wiped_s)
        wishes = [*unknown, *chance.sample(known, min(_REPEATS, len(known)))]
        by_citizen: dict[str, list[Wish]] = {}
        for wish in wishes:
            by_citizen.setdefault(wish.citizen, []).append(wish)
        notes.say(f"{len(wishes)} old commands are sent again")

        async def send(citizen: Citizen) -> None:
            await citizen.sign_in()
            for wish in by_citizen[citizen.person.subject]:
                await citizen.repeat(wish)

        await self._crowd.each([self._people[subject] for subject in by_citizen], send)
        notes.report.repeats = len(wishes)
        notes.report.unknown_adopted = sum(
            wish.position is not None and wish.position < notes.report.adopted_size
            for wish in unknown
        )

    async def _look(self) -> None:
        """Everybody looks at their own page, and fetches the receipts that they lack."""
        notes = self._notes
        chance = chance_of(notes.plan.seed, "receipts")
        acknowledged = notes.answers.acknowledged()
        by_citizen: dict[str, list[Wish]] = {wish.citizen: [] for wish in notes.answers.wishes}
        for wish in acknowledged:
            if not wish.receipt:
                by_citizen[wish.citizen].append(wish)
        for wish in chance.sample(acknowledged, min(_RECEIPTS_AGAIN, len(acknowledged))):
            notes.again.append(replace(wish, receipt=b""))
            by_citizen[wish.citizen].append(notes.again[-1])

        async def look(citizen: Citizen) -> None:
            await citizen.sign_in()
            for _ in range(_SETTLING_LOOKS):
                shown = await citizen.mine()
                if all(one.state != "pending" for one in shown.values()):
                    break
                await asyncio.sleep(_SETTLING_S)
            notes.pages[citizen.person.subject] = shown
            if len(notes.pages) % 50 == 0:
                notes.say(f"citizens look at their pages: {len(notes.pages)} of {len(by_citizen)}")
            for wish in by_citizen[citizen.person.subject]:
                await citizen.fetch_receipt(wish)

        await self._crowd.each([self._people[subject] for subject in by_citizen], look)
        notes.report.pages_checked = len(notes.pages)

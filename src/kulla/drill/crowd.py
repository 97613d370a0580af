"""Many citizens at once: each comes, books here and there, changes their mind, and goes.

What each of them wishes comes from the seed and their number, whoever else is there.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from kulla.drill.browser import Browser, NoAnswer
from kulla.drill.chance import Chance, chance_of
from kulla.drill.citizens import Citizen, Person, PortalUnexpected
from kulla.drill.guard import Address
from kulla.drill.reading import read_days, read_months, read_practitioners
from kulla.drill.told import Answers, Wish
from kulla.kernel.edges import Clock

BOOKINGS_EACH: Final = 8
_DAYS_EACH: Final = 2
_MOVE_CHANCE: Final = 0.4
_CANCEL_CHANCE: Final = 0.4
_REPEAT_CHANCE: Final = 0.2
_HANG_UP_CHANCE: Final = 0.04
_RACE_EVERY: Final = 48
_RACERS: Final = 6
_RACE_WAIT_S: Final = 1.5
_SEARCH_PAGES_MAX: Final = 100
_ENTER_TRIES: Final = 40
_ENTER_PAUSE_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Directory:
    """The practitioners that a search finds, and the days on which one of them has free times."""

    practitioners: Sequence[str]
    days: Sequence[str]


class Race:
    """A few citizens who go for one slot at the same moment."""

    def __init__(self, size: int) -> None:
        self._missing = size
        self._start = asyncio.Event()
        self._choosing = asyncio.Lock()
        self._slot: str | None = None
        self._chosen = False

    async def slot(self, choose: Callable[[], Awaitable[str | None]]) -> str | None:
        """The slot of this race, which the first one to come chooses."""
        async with self._choosing:
            if not self._chosen:
                self._slot, self._chosen = await choose(), True
            return self._slot

    async def meet(self) -> None:
        """Wait until all are there, but not long."""
        self._missing -= 1
        if self._missing <= 0:
            self._start.set()
        try:
            async with asyncio.timeout(_RACE_WAIT_S):
                await self._start.wait()
        except TimeoutError:
            self._start.set()


@dataclass
class Crowd:
    """Citizens who come to one site, `at_once` of them at any time.

    `faults` counts what went wrong with whole visits, by kind and place.
    """

    site: Address
    directory: Directory
    answers: Answers
    seed: int
    clock: Clock
    at_once: int
    faults: Counter[str] = field(default_factory=Counter)
    is_over: bool = False
    visits: int = 0
    _races: dict[int, Race] = field(default_factory=dict)

    async def come(self, people: Iterator[tuple[int, Person]], until: Callable[[], bool]) -> None:
        """Let people come, one after the other, until `until` or until there are no more."""

        async def one_after_the_other() -> None:
            while not until() and not self.is_over:
                following = next(people, None)
                if following is None:
                    return
                await self._visit(*following)

        await asyncio.gather(*(one_after_the_other() for _ in range(self.at_once)))

    async def each(
        self, people: Iterable[Person], do: Callable[[Citizen], Awaitable[None]]
    ) -> None:
        """Let each of these people do one thing, `at_once` at a time."""
        queue = iter(people)

        async def one_after_the_other() -> None:
            for person in queue:
                citizen = self.citizen(person, chance_of(self.seed, person.subject))
                await self._guarded(citizen, do(citizen))

        await asyncio.gather(*(one_after_the_other() for _ in range(self.at_once)))

    def citizen(self, person: Person, chance: Chance) -> Citizen:
        """A person at a fresh browser."""
        browser = Browser(self.site, person.own_host)
        return Citizen(person, browser, self.answers, chance, self.clock, lambda: self.is_over)

    async def _visit(self, number: int, person: Person) -> None:
        chance = chance_of(self.seed, f"citizen {number}")
        citizen = self.citizen(person, chance)
        citizen.hang_up_chance = _HANG_UP_CHANCE
        race = None
        if number % _RACE_EVERY < _RACERS:
            race = self._races.setdefault(number // _RACE_EVERY, Race(_RACERS))
        self.visits += 1
        await self._guarded(citizen, Visit(citizen, self.directory, chance, race).make())

    async def _guarded(self, citizen: Citizen, doing: Awaitable[None]) -> None:
        try:
            await doing
        except (NoAnswer, PortalUnexpected) as error:
            if not self.is_over:
                kind = "/".join(part for part in error.place.split("/")[:3] if not _is_id(part))
                self.faults[f"{kind or '/'}: {error.message}"] += 1
        finally:
            await citizen.leave()


@dataclass
class Visit:
    """One citizen's visit: where their appointments are now, and which times they saw free."""

    citizen: Citizen
    directory: Directory
    chance: Chance
    race: Race | None
    _mine: dict[str, tuple[Wish, str, list[str]]] = field(default_factory=dict)

    async def make(self) -> None:
        """Sign in, race if chosen to, book on some days, move and cancel, and repeat oneself."""
        await self._enter()
        if self.race is not None:
            await self._race(self.race)
        for day in self.chance.sample(self.directory.days, _DAYS_EACH):
            times = await self.citizen.times(self.chance.choice(self.directory.practitioners), day)
            wanted = self.chance.sample(times, min(BOOKINGS_EACH // _DAYS_EACH, len(times)))
            for slot in wanted:
                await self._book(slot, [time for time in times if time not in wanted])
        if self.chance.random() < _MOVE_CHANCE:
            await self._move()
        if self.chance.random() < _CANCEL_CHANCE:
            await self._cancel()
        if self.chance.random() < _REPEAT_CHANCE and self._mine:
            booking, _, _ = self._mine[self.chance.choice(sorted(self._mine))]
            await self.citizen.repeat(booking)

    async def _enter(self) -> None:
        """Sign in; where the site does not answer, try again some times before going away."""
        for _ in range(_ENTER_TRIES):
            try:
                return await self.citizen.sign_in()
            except NoAnswer:
                if self.citizen.is_over:
                    raise
                await asyncio.sleep(_ENTER_PAUSE_S)
        return await self.citizen.sign_in()

    async def _race(self, race: Race) -> None:
        async def choose() -> str | None:
            practitioner = self.chance.choice(self.directory.practitioners)
            times = await self.citizen.times(practitioner, self.chance.choice(self.directory.days))
            return self.chance.choice(times) if times else None

        slot = await race.slot(choose)
        if slot is not None:
            await self._note(await self.citizen.book(slot, before_sending=race.meet), [])

    async def _book(self, slot: str, others: list[str]) -> None:
        await self._note(await self.citizen.book(slot), others)

    async def _note(self, wish: Wish | None, others: list[str]) -> None:
        if wish is not None and wish.acknowledged:
            self._mine[wish.appointment] = (wish, wish.slot, others)

    async def _move(self) -> None:
        movable = sorted(key for key, (_, _, others) in self._mine.items() if others)
        if not movable:
            return
        appointment = self.chance.choice(movable)
        booking, _, others = self._mine[appointment]
        wish = await self.citizen.move(booking, self.chance.choice(others))
        if wish is not None and wish.acknowledged:
            self._mine[appointment] = (booking, wish.slot, [])

    async def _cancel(self) -> None:
        if self._mine:
            booking, slot, _ = self._mine[self.chance.choice(sorted(self._mine))]
            await self.citizen.cancel(booking, slot)


async def read_directory(browser: Browser) -> Directory:
    """Find all practitioners as anybody can, and the days of the first one's months.

    Raises NoAnswer; PortalUnexpected where nobody is found.
    """
    practitioners: dict[str, None] = {}
    for number in range(1, _SEARCH_PAGES_MAX):
        found = read_practitioners((await browser.get(f"/appointments/?place=&page={number}")).text)
        if not found or found[0] in practitioners:
            break
        practitioners.update(dict.fromkeys(found))
    days: dict[str, None] = {}
    for practitioner in list(practitioners)[:1]:
        first = (await browser.get(f"/appointments/doctors/{practitioner}")).text
        days.update(dict.fromkeys(read_days(first)))
        for month in read_months(first):
            path = f"/appointments/doctors/{practitioner}?month={month}"
            days.update(dict.fromkeys(read_days((await browser.get(path)).text)))
    # Not the first day: what is booked must not begin, and so be past, before the drill ends.
    later = sorted(days)[1:]
    if not practitioners or len(later) < _DAYS_EACH:
        raise PortalUnexpected("the search finds nobody with free times.", place="/appointments/")
    return Directory(sorted(practitioners), later)


def _is_id(part: str) -> bool:
    return any(character.isdecimal() for character in part)

"""One citizen at the portal's pages: finds times, books, moves, cancels, keeps receipts.

All of it goes the way a browser goes. Before a form is sent the wish is noted; whatever comes back,
or doesn't, is noted beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from kulla.drill.browser import Browser, NoAnswer, Page
from kulla.drill.chance import Chance
from kulla.drill.reading import (
    Shown,
    read_form,
    read_mine,
    read_people,
    read_reason,
    read_slots,
    read_standing,
)
from kulla.drill.told import Answers, Said, Verb, Wish
from kulla.kernel.edges import Clock
from kulla.kernel.errors import KullaError

MARK: Final = "csrfmiddlewaretoken"
_SENDS_MAX: Final = 12
_LOOKS_MAX: Final = 60
_PAUSE_S: Final = 0.1
_WAIT_MAX_S: Final = 5.0
_MINE: Final = "/appointments/mine"

_REASONS: Final = ("kontroll", "dhimbje koke", "recetë", "vaksinë", "temperaturë", "")


class PortalUnexpected(KullaError):
    """A page that is not what the portal should have answered here."""


@dataclass(frozen=True, slots=True)
class Person:
    """A made-up person of the demo country, and the address of loopback they come from."""

    subject: str
    name: str
    own_host: str


class Citizen:
    """A person at a browser. `over` says that home is gone, so that nothing is sent again."""

    def __init__(
        self,
        person: Person,
        browser: Browser,
        answers: Answers,
        chance: Chance,
        clock: Clock,
        over: Callable[[], bool] = lambda: False,
    ) -> None:
        self.person = person
        self._browser = browser
        self._answers = answers
        self._chance = chance
        self._clock = clock
        self._over = over
        self._mark = ""
        self.hang_up_chance = 0.0

    @property
    def browser(self) -> Browser:
        """The browser that this person sits at."""
        return self._browser

    @property
    def is_over(self) -> bool:
        """Whether home is gone."""
        return self._over()

    async def sign_in(self) -> None:
        """Sign in on the demo's page: look for one's name, press one's button.

        Raises NoAnswer; PortalUnexpected where one is not offered or not let in.
        """
        asked = urlencode({"name": self.person.name, "next": _MINE})
        page = await self._get(f"/sign-in?{asked}")
        form = read_form(page.text, "/sign-in")
        if form is None or self.person.subject not in read_people(page.text):
            raise PortalUnexpected("the sign-in page does not offer this person.", place=page.path)
        form["subject"] = self.person.subject
        page = await self._browser.post("/sign-in", form)
        if page.status != 302 or page.location != _MINE:
            raise PortalUnexpected(f"sign-in was answered {page.status}.", place="/sign-in")

    async def mine(self) -> dict[str, Shown]:
        """What the page of one's own acts shows, by appointment. Raises NoAnswer."""
        page = await self._get(_MINE)
        if page.status != 200:
            raise PortalUnexpected(f"it was answered {page.status}.", place=_MINE)
        self._mark = (read_form(page.text, "/sign-out") or {}).get(MARK, "")
        return read_mine(page.text)

    async def times(self, practitioner: str, day: str) -> list[str]:
        """The free times of a practitioner on a day, as slot ids."""
        page = await self._get(f"/appointments/doctors/{practitioner}?day={day}")
        return read_slots(page.text)

    async def book(
        self, slot: str, *, before_sending: Callable[[], Awaitable[object]] | None = None
    ) -> Wish | None:
        """Book a time; None where its page offers no form any more.

        `before_sending` is awaited between form and sending: for those who race. They send a form
        of their own making, since the portal shows its form of a time to one person at once.
        """
        chance = self._chance
        typed = {
            "phone": f"06{chance.randrange(7, 10)} {chance.randrange(10**6, 10**7)}",
            "reason": chance.choice(_REASONS),
        }
        path = f"/appointments/slots/{slot}"
        contested = before_sending is not None
        wish = await self._wish(Verb.BOOK, path, slot, typed, contested=contested)
        if before_sending is not None:
            await before_sending()
        if wish is not None:
            await self._carry_out(wish)
        return wish

    async def move(self, booking: Wish, slot: str) -> Wish | None:
        """Move the appointment of a booking to another time."""
        path = f"/appointments/{booking.appointment}/move/{slot}"
        wish = await self._wish(Verb.MOVE, path, slot, {}, appointment=booking.appointment)
        if wish is not None:
            await self._carry_out(wish)
        return wish

    async def cancel(self, booking: Wish, slot: str) -> Wish | None:
        """Cancel the appointment of a booking, which is in `slot` now."""
        path = f"/appointments/{booking.appointment}/cancel"
        wish = await self._wish(Verb.CANCEL, path, slot, {}, appointment=booking.appointment)
        if wish is not None:
            await self._carry_out(wish)
        return wish

    async def repeat(self, wish: Wish) -> None:
        """Send the form of a wish once more, as it was: same command, same words."""
        await self.mine()  # for the mark that forms need now
        await self._send_until_told(wish)

    async def fetch_receipt(self, wish: Wish) -> None:
        """Fetch the receipt of an act that was confirmed, if it is not at hand. Raises NoAnswer."""
        for _ in range(_LOOKS_MAX):
            if wish.receipt or wish.position is None:
                return
            page = await self._get(f"/receipts/{wish.position}/file")
            if page.status == 200:
                wish.receipt = page.body
            elif page.status != 202:
                raise PortalUnexpected(f"it was answered {page.status}.", place=page.path)
            else:
                await asyncio.sleep(_PAUSE_S)

    async def leave(self) -> None:
        """Close the browser."""
        await self._browser.close()

    async def _wish(
        self,
        verb: Verb,
        path: str,
        slot: str,
        typed: dict[str, str],
        *,
        appointment: str = "",
        contested: bool = False,
    ) -> Wish | None:
        """Open a form; the wish it makes, noted, or None where the page has no form."""
        if contested:
            await self.mine()  # for the mark that forms need
            command = f"{self._chance.getrandbits(128):032x}"
        else:
            form = read_form((await self._get(path)).text, path, here=path)
            if form is None:
                return None
            self._mark, command = form[MARK], form["command"]
        wish = Wish(
            citizen=self.person.subject,
            verb=verb,
            command=command,
            path=path,
            slot=slot,
            asked_s=self._clock.monotonic_s(),
            typed=typed,
            appointment=appointment,
            contested=contested,
            site=self._browser.site,
        )
        return self._answers.ask(wish)

    async def _carry_out(self, wish: Wish) -> None:
        if self._chance.random() < self.hang_up_chance:
            # A bad line: the form is sent, the answer is not waited for, and the form sent again.
            await self._browser.post_and_hang_up(
                wish.path, self._fields(wish), self._chance.uniform(0.0, 0.05)
            )
            self._tell(wish, Said.NO_ANSWER)
        await self._send_until_told(wish)

    async def _send_until_told(self, wish: Wish) -> None:
        """Send a form, again and again with the same command, until the answer is one to keep."""
        for _ in range(_SENDS_MAX):
            try:
                page = await self._browser.post(wish.path, self._fields(wish))
            except NoAnswer:
                self._tell(wish, Said.NO_ANSWER)
                if self._over():
                    raise
                await asyncio.sleep(_PAUSE_S)
                continue
            if page.status == 303:
                await self._look(wish, page.location.rsplit("/", 1)[-1])
                return
            said = _SAID.get(page.status, Said.UNEXPECTED)
            self._tell(wish, said)
            if said in {Said.UNAVAILABLE, Said.UNEXPECTED}:
                self._answers.reasons[read_reason(page.text) or str(page.status)] += 1
            if said in _FINAL or self._over():
                return
            await asyncio.sleep(min(_WAIT_MAX_S, max(page.retry_after_s, _PAUSE_S)))

    async def _look(self, wish: Wish, appointment: str) -> None:
        """Open the appointment that an answer led to, until its page says how it stands."""
        wanted = "cancelled" if wish.verb is Verb.CANCEL else "booked"
        for _ in range(_LOOKS_MAX):
            shown = read_standing((await self._get(f"/appointments/{appointment}")).text)
            if shown is None:
                self._tell(wish, Said.UNEXPECTED, appointment)
                return
            if shown.state != "pending" and shown.receipts:
                break
            await asyncio.sleep(_PAUSE_S)
        else:
            self._tell(wish, Said.BEING_CONFIRMED, appointment)
            return
        if shown.state != wanted and not wish.acknowledged and wish.verb is not Verb.BOOK:
            self._tell(wish, Said.UNEXPECTED, appointment)
            return
        if wish.position is None:
            wish.position = shown.receipts[0 if wish.verb is Verb.BOOK else -1]
        self._tell(wish, Said.CONFIRMED, appointment)
        await self.fetch_receipt(wish)

    async def _get(self, path: str) -> Page:
        """Fetch a page; where the portal asks to come back later, do."""
        for _ in range(_SENDS_MAX):
            page = await self._browser.get(path)
            if page.status not in {429, 503} or self._over():
                return page
            await asyncio.sleep(min(_WAIT_MAX_S, max(page.retry_after_s, _PAUSE_S)))
        return page

    def _fields(self, wish: Wish) -> dict[str, str]:
        return {MARK: self._mark, "command": wish.command, **wish.typed}

    def _tell(self, wish: Wish, said: Said, appointment: str = "") -> None:
        self._answers.tell(wish, said, self._clock.monotonic_s(), appointment)


_FINAL: Final = frozenset({Said.REFUSED, Said.BEING_TAKEN, Said.UNEXPECTED})
_SAID: Final = {
    202: Said.BEING_CONFIRMED,
    409: Said.REFUSED,
    423: Said.BEING_TAKEN,
    429: Said.TOO_MANY,
    503: Said.UNAVAILABLE,
}

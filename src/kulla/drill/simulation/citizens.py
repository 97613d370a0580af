"""Citizens: they book, move and cancel, repeat what was not answered, and keep what they heard."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from kulla.drill.simulation import country
from kulla.drill.simulation.home import Ask, Home
from kulla.kernel.service import Actor, Command
from kulla.kernel.tower import Answer
from kulla.services.appointments import zones

if TYPE_CHECKING:
    from kulla.drill.simulation.world import World

_ZONE = "Europe/Tirane"
_DOCTOR = "leka"
_FIRST = datetime.fromtimestamp(country.NOON_MS / 1000, UTC).date() + timedelta(days=2)
_SLOTS = 10
_SLOT_MINUTES = 30
_PEOPLE = 4


@dataclass(eq=False)
class Wish:
    """A command that a citizen wants done, and the last answer that reached them."""

    command: Command
    told: Answer | None = None

    @property
    def done(self) -> bool:
        """Whether they were told that it was accepted or refused."""
        return self.told is not None and self.told.status in ("accepted", "refused")


@cache
def first_commands() -> tuple[Command, ...]:
    """What a clerk asks for first: a clinic, a doctor, hours, and slots of one morning."""
    weekly = [[on, 480, 480 + _SLOTS * _SLOT_MINUTES, _SLOT_MINUTES] for on in range(1, 8)]
    place = {"name": "Klinika", "town": "Tirana", "county": "Tirana", "address": "Rruga"}
    day = _FIRST.isoformat()
    wishes: list[tuple[str, dict[str, Any]]] = [
        ("open_clinic", {"clinic": "one", **place}),
        (
            "add_practitioner",
            {"practitioner": _DOCTOR, "clinic": "one", "name": "L", "speciality": "gp"},
        ),
        (
            "set_schedule",
            {
                "practitioner": _DOCTOR,
                "weekly": weekly,
                "zone": _ZONE,
                "valid_from": day,
                "valid_to": "",
            },
        ),
        (
            "publish_slots",
            {
                "practitioner": _DOCTOR,
                "first_day": day,
                "last_day": day,
                "zone": _ZONE,
                "offsets": zones.offsets(_ZONE, _FIRST, _FIRST),
            },
        ),
    ]
    clerk = Actor("clerk", "f" * 32)
    return tuple(
        Command("appointments", name, hashlib.sha256(name.encode()).digest()[:16], clerk, data)
        for name, data in wishes
    )


@cache
def slots() -> tuple[str, ...]:
    """The ids of the slots of that morning."""
    [*_, (_, offset_s)] = [
        pair for pair in zones.offsets(_ZONE, _FIRST, _FIRST) if pair[0] <= _morning_s(_FIRST)
    ]
    first_s = _morning_s(_FIRST) - offset_s
    return tuple(f"{_DOCTOR}-{first_s + 60 * _SLOT_MINUTES * at}" for at in range(_SLOTS))


def _morning_s(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, 8, tzinfo=UTC).timestamp())


def appointment_of(command: Command) -> str:
    """The id that a booking gets (kernel.service.Asked.fresh_id)."""
    return hashlib.sha256(command.key() + bytes(4)).hexdigest()[:32]


class Citizens:
    """Four people and a clerk; each command may be sent any number of times, to any home."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.people = [f"{number:032x}" for number in range(1, _PEOPLE + 1)]
        self._registered: set[str] = set()
        self._blobs: dict[bytes, bytes] = {}
        self.wishes: list[Wish] = [Wish(command) for command in first_commands()]
        self._by_command = {id(wish.command): wish for wish in self.wishes}

    def ask(self, home: Home) -> None:
        """Somebody wishes for something new, or repeats themselves, at this home."""
        chance = self._world.chance
        waiting = [wish for wish in self.wishes if not wish.done]
        roll = chance.random()
        if waiting and roll < 0.45:
            self.send(chance.choice(waiting), home)
        elif roll < 0.55:
            self.send(chance.choice(self.wishes), home)
        else:
            self.send(self._fresh(), home)

    def send(self, wish: Wish, home: Home) -> None:
        """Send a wish to a home; its keeper makes the wrapped key that the wish names."""
        for name in wish.command.names:
            home.folder.blobs[name] = self._blobs[name]
        home.submit(wish.command)

    def begin(self, home: Home) -> None:
        """The clerk sends what was not done yet of the first commands."""
        for wish in self.wishes[: len(first_commands())]:
            if not wish.done:
                home.submit(wish.command)

    def ask_again(self, home: Home) -> None:
        """Who was not told the end sends the command again, once home did all it was sent."""
        if home.process is not None and not home.process.inbox:
            for wish in self.waiting:
                self.send(wish, home)

    @property
    def waiting(self) -> list[Wish]:
        """Wishes that nobody was told the end of."""
        return [wish for wish in self.wishes if not wish.done]

    def one_more(self, home: Home) -> Wish:
        """Somebody asks for one of the slots, to see whether the country goes on."""
        who = self._world.chance.choice(self.people)
        wish = self.wish(who, "book", {"slot": self._world.chance.choice(slots())})
        home.submit(wish.command)
        return wish

    def wish(self, who: str, name: str, data: dict[str, Any]) -> Wish:
        """Somebody wishes for something about an appointment; nobody is asked yet."""
        return self._wish(who, "appointments", name, data)

    def take_up(self, past: Citizens) -> None:
        """These are the same people, who remember what they wished for and heard."""
        self._registered, self._blobs = set(past._registered), dict(past._blobs)
        self.wishes = [Wish(wish.command, wish.told) for wish in past.wishes]
        self._by_command = {id(wish.command): wish for wish in self.wishes}

    def hear(self, ask: Ask, answer: Answer) -> None:
        """An answer comes from a home; it may be lost on its last way."""
        lost = self._world.unrest and self._world.chance.random() < 0.1
        wish = self._by_command[id(ask.command)]
        note = "is told, in vain," if lost else "is told"
        if lost:
            self._world.met("an answer does not reach whom it is for")
        what = f"{ask.command.name} {answer.status} {answer.code}{list(answer.positions)}"
        self._world.note(ask.command.actor.subject[-2:], note, what)
        if not lost:
            wish.told = answer

    def _fresh(self) -> Wish:
        chance = self._world.chance
        who = chance.choice(self.people)
        roll = chance.random()
        if who not in self._registered and roll < 0.3:
            self._registered.add(who)
            blob = chance.randbytes(40)
            name = hashlib.sha256(blob).digest()
            self._blobs[name] = blob
            data: dict[str, Any] = {"subject": who, "name": b"sealed", "key": name}
            return self._wish(who, "citizens", "register", data, (name,))
        booked = [
            wish.command
            for wish in self.wishes
            if wish.command.name == "book"
            and wish.command.actor.subject == who
            and wish.told
            and wish.told.status == "accepted"
        ]
        if booked and roll < 0.5:
            appointment = appointment_of(chance.choice(booked))
            if roll < 0.35:
                return self._wish(who, "appointments", "cancel", {"appointment": appointment})
            data = {"appointment": appointment, "slot": chance.choice(slots())}
            return self._wish(who, "appointments", "reschedule", data)
        return self._wish(who, "appointments", "book", {"slot": chance.choice(slots())})

    def _wish(
        self,
        who: str,
        service: str,
        name: str,
        data: dict[str, Any],
        names: tuple[bytes, ...] = (),
    ) -> Wish:
        number = self._world.chance.randbytes(16)
        command = Command(service, name, number, Actor("citizen", who), data, names)
        wish = Wish(command)
        self.wishes.append(wish)
        self._by_command[id(command)] = wish
        return wish

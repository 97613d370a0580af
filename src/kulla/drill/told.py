"""What each citizen asked for and was told: the book against which a drill checks a new home.

Kept outside every home and embassy, as citizens' memories are. Nothing here knows how Kulla works:
it holds answers, and what they allow to be true afterwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Verb(StrEnum):
    """What can be asked for."""

    BOOK = "book"
    MOVE = "move"
    CANCEL = "cancel"


class Said(StrEnum):
    """What a citizen was told, in the end, after one sending of a form."""

    CONFIRMED = "confirmed"
    BEING_CONFIRMED = "being confirmed"
    REFUSED = "refused"
    BEING_TAKEN = "being taken"
    UNAVAILABLE = "unavailable"
    TOO_MANY = "too many requests"
    NO_ANSWER = "no answer"
    UNEXPECTED = "unexpected page"


_NOTHING_DONE: Final = frozenset({Said.REFUSED, Said.BEING_TAKEN, Said.TOO_MANY})

Standing = tuple[str, str]
"""How an appointment may stand: ('booked', slot) or ('cancelled', '')."""


@dataclass(slots=True)
class Wish:
    """One command of one citizen, however often it was sent, and every answer to it.

    `command` is the id that its form held, `typed` what was typed; so it can be sent again as it
    was. `appointment` is '' until one is known. `contested` says that others went for the same slot
    at once, so that a refusal rests on one of them. Instants are seconds of one monotonic clock.
    """

    citizen: str
    verb: Verb
    command: str
    path: str
    slot: str
    asked_s: float
    typed: Mapping[str, str] = field(default_factory=dict)
    appointment: str = ""
    contested: bool = False
    site: str = ""
    told: list[tuple[Said, float]] = field(default_factory=list)
    appointments: set[str] = field(default_factory=set)
    position: int | None = None
    receipt: bytes = b""

    def tell(self, said: Said, at_s: float, appointment: str = "") -> None:
        """Note an answer, and the appointment that it named, if any."""
        self.told.append((said, at_s))
        if appointment:
            self.appointments.add(appointment)
            self.appointment = self.appointment or appointment

    @property
    def confirmed_s(self) -> float | None:
        """When they were first told that it is confirmed; None where they never were."""
        return next((at_s for said, at_s in self.told if said is Said.CONFIRMED), None)

    @property
    def acknowledged(self) -> bool:
        """Whether they were ever told that it is confirmed: then it must never be lost."""
        return self.confirmed_s is not None

    @property
    def certainly_not_done(self) -> bool:
        """Whether all that they were told says that nothing was done."""
        return bool(self.told) and all(said in _NOTHING_DONE for said, _ in self.told)

    @property
    def outcome(self) -> Said:
        """The answer that counts: 'confirmed' if it was ever given, else the last one."""
        if self.acknowledged:
            return Said.CONFIRMED
        return self.told[-1][0] if self.told else Said.NO_ANSWER


@dataclass(frozen=True, slots=True)
class Expected:
    """What one appointment's citizen may rely on.

    `allowed` are the standings that fit every answer they got; `last` is the newest of their wishes
    about it that was acknowledged.
    """

    citizen: str
    allowed: frozenset[Standing]
    last: Wish


class Answers:
    """All wishes of all citizens, in the order in which they were first sent.

    `reasons` counts why the portal said that nothing can be done now, by the code on its page, and
    pages that should not come, by their status.
    """

    def __init__(self) -> None:
        self.wishes: list[Wish] = []
        self.acknowledged_count = 0
        self.reasons: Counter[str] = Counter()

    def ask(self, wish: Wish) -> Wish:
        """Note a wish before its form is sent, so that it is known whatever happens then."""
        self.wishes.append(wish)
        return wish

    def tell(self, wish: Wish, said: Said, at_s: float, appointment: str = "") -> None:
        """Note an answer to a wish."""
        if said is Said.CONFIRMED and not wish.acknowledged:
            self.acknowledged_count += 1
        wish.tell(said, at_s, appointment)

    def acknowledged(self, until_s: float = float("inf")) -> list[Wish]:
        """Wishes told to be confirmed until an instant, in the order of being told."""
        found = [
            (one.confirmed_s, number)
            for number, one in enumerate(self.wishes)
            if one.confirmed_s is not None and one.confirmed_s <= until_s
        ]
        return [self.wishes[number] for _, number in sorted(found)]

    def count_by_outcome(self) -> dict[str, int]:
        """How many wishes came out how."""
        counted = Counter(one.outcome for one in self.wishes)
        return {said.value: counted[said] for said in Said if counted[said]}

    def expected(self) -> dict[str, Expected]:
        """What must be true of each appointment of which anything was acknowledged, by its id."""
        by_appointment: dict[str, list[Wish]] = {}
        for wish in self.wishes:
            if wish.appointment:
                by_appointment.setdefault(wish.appointment, []).append(wish)
        found: dict[str, Expected] = {}
        for appointment, wishes in by_appointment.items():
            confirmed = [one for one in wishes if one.acknowledged]
            if confirmed:
                last = confirmed[-1]
                found[appointment] = Expected(last.citizen, allowed_standings(wishes), last)
        return found


def allowed_standings(wishes: Iterable[Wish]) -> frozenset[Standing]:
    """How an appointment may stand after these wishes about it, in the order they were sent.

    A wish that was acknowledged leaves one standing; one that was refused changes nothing; after
    one of which nobody knows, both are possible.
    """
    allowed: frozenset[Standing] = frozenset()
    for wish in wishes:
        cancels = wish.verb is Verb.CANCEL
        after = frozenset({("cancelled", "") if cancels else ("booked", wish.slot)})
        if wish.acknowledged:
            allowed = after
        elif not wish.certainly_not_done:
            allowed |= after
    return allowed

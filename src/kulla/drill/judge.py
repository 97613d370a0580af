"""The verdict of a drill: what citizens were told, held against what a new home has.

Pure: answers and evidence come in, complaints go out, each in words that lead to the place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from kulla.drill.reading import Shown
from kulla.drill.told import Answers, Expected, Said, Verb, Wish
from kulla.kernel.rows import Row
from kulla.kernel.service import Act
from kulla.services.appointments.acts import BOOKED, CANCELLED, RESCHEDULED, SERVICE_NAME

ACT_OF: Final[Mapping[Verb, str]] = {
    Verb.BOOK: BOOKED,
    Verb.MOVE: RESCHEDULED,
    Verb.CANCEL: CANCELLED,
}
"""The act that each kind of wish becomes."""

_ONCE: Final = frozenset(ACT_OF.values())


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found after the takeover.

    acts:     the whole journal of all epochs, read from an embassy, in the order of positions.
    rows:     the new home's register of appointments, by id.
    pages:    what each citizen saw on the page of their own acts, by subject, then appointment.
    """

    acts: Sequence[Act]
    rows: Mapping[str, Row]
    pages: Mapping[str, Mapping[str, Shown]]


@dataclass(slots=True)
class Verdict:
    """Complaints; a drill passed when all five lists are empty.

    lost:      acknowledged acts that the journal, the register or the citizen's page lacks.
    doubled:   slots given to two, and commands that became two acts.
    receipts:  receipts that don't verify, or prove another act than their citizen's.
    unfounded: refusals that rest on nothing that was ever witnessed.
    changed:   acknowledged commands that got another answer when they were sent again.
    """

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)
    unfounded: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether there is no complaint."""
        return not self.complaints

    @property
    def complaints(self) -> list[str]:
        """All complaints."""
        return [*self.lost, *self.doubled, *self.receipts, *self.unfounded, *self.changed]


def judge(answers: Answers, evidence: Evidence) -> Verdict:
    """Hold the answers against the evidence; receipts are judged by `receipts.py`."""
    acts = [act for act in evidence.acts if act.service == SERVICE_NAME]
    verdict = Verdict()
    lost = _missing_in_journal(answers, acts)
    for wish, why in _wrong_standings(answers.expected(), evidence):
        lost.setdefault(id(wish), _complaint(wish, why))
    verdict.lost = list(lost.values())
    verdict.doubled = [
        *_slots_given_twice(acts),
        *_live_twice(evidence.rows),
        *_acts_twice(answers, acts),
    ]
    verdict.unfounded = list(_unfounded(answers, acts))
    verdict.changed = [
        _complaint(wish, f"was told {said.value} after it had been confirmed")
        for wish in answers.wishes
        for said in (said_after_confirmation(wish),)
        if said is not None
    ]
    return verdict


def said_after_confirmation(wish: Wish) -> Said | None:
    """A refusal that a citizen was given after a confirmation of the same command."""
    confirmed = False
    for said, _ in wish.told:
        if confirmed and said is Said.REFUSED:
            return said
        confirmed = confirmed or said is Said.CONFIRMED
    return None


def _missing_in_journal(answers: Answers, acts: Iterable[Act]) -> dict[int, str]:
    """Complaints about acknowledged wishes without their act, by the id() of the wish.

    The act must stand where the citizen's page said: one that was lost, and done again when the
    command was sent again, is another act, and the first receipt proves nothing any more.
    """
    at: dict[int, Act] = {}
    there: dict[tuple[str, str, str], Act] = {}
    for act in acts:
        at[act.position] = act
        if act.name in _ONCE:
            there[_key_of(act)] = act
    missing: dict[int, str] = {}
    for wish in answers.wishes:
        if not wish.acknowledged:
            continue
        wanted = _key(wish)
        found = at.get(wish.position) if wish.position is not None else there.get(wanted)
        elsewhere = there.get(wanted)
        if found is not None and found.name in _ONCE and _key_of(found) == wanted:
            if found.data["citizen"] != wish.citizen:
                missing[id(wish)] = _complaint(wish, "the journal has it as another citizen's")
        elif elsewhere is None:
            missing[id(wish)] = _complaint(wish, "the journal has no such act")
        else:
            missing[id(wish)] = _complaint(wish, f"the journal has it at {elsewhere.position}")
    return missing


def _key(wish: Wish) -> tuple[str, str, str]:
    return ACT_OF[wish.verb], wish.appointment, "" if wish.verb is Verb.CANCEL else wish.slot


def _key_of(act: Act) -> tuple[str, str, str]:
    return act.name, str(act.data["appointment"]), _slot(act)


def _slot(act: Act) -> str:
    return str(act.data["slot"]) if act.name in {BOOKED, RESCHEDULED} else ""


def _wrong_standings(
    expected: Mapping[str, Expected], evidence: Evidence
) -> Iterator[tuple[Wish, str]]:
    for appointment, wanted in expected.items():
        row = evidence.rows.get(appointment)
        if row is None:
            yield wanted.last, "the register has no such appointment"
            continue
        booked = row["state"] == "booked"
        standing = ("booked", str(row["slot"])) if booked else (str(row["state"]), "")
        if standing not in wanted.allowed or row["citizen"] != wanted.citizen:
            yield wanted.last, f"the register says {' '.join(standing)}"
            continue
        shown = evidence.pages.get(wanted.citizen, {}).get(appointment)
        if shown is None or shown.state != standing[0]:
            says = shown.state if shown else "nothing of it"
            yield wanted.last, f"the citizen's page says {says}"


def _slots_given_twice(acts: Iterable[Act]) -> Iterator[str]:
    """Follow who has which slot through the journal."""
    holder: dict[str, str] = {}
    slot_of: dict[str, str] = {}
    for act in acts:
        if act.name not in {BOOKED, RESCHEDULED, CANCELLED}:
            continue
        appointment = str(act.data["appointment"])
        old = slot_of.pop(appointment, "")
        if holder.get(old) == appointment:
            del holder[old]
        slot = _slot(act)
        if not slot:
            continue
        if slot in holder:
            yield f"slot {slot}: act {act.position} gave it away while {holder[slot]} had it"
        holder[slot] = appointment
        slot_of[appointment] = slot


def _live_twice(rows: Mapping[str, Row]) -> Iterator[str]:
    live = Counter(str(row["slot"]) for row in rows.values() if row["state"] == "booked")
    for slot, count in live.items():
        if count > 1:
            yield f"slot {slot}: the register has {count} appointments in it"


def _acts_twice(answers: Answers, acts: Sequence[Act]) -> Iterator[str]:
    """Commands that became more than one act.

    A command's own key stands in its act. But a form that is sent again may become another key, so
    acts are also counted against how many commands the citizen sent for the same thing.
    """
    for key, count in Counter(act.command for act in acts if act.name in _ONCE).items():
        if count > 1:
            yield f"command {key.hex()[:16]}: became {count} acts"
    perhaps_done = (wish for wish in answers.wishes if not wish.certainly_not_done)
    asked = Counter(_thing(wish.verb, wish) for wish in perhaps_done)
    done = Counter(_thing_of(act) for act in acts if act.name in _ONCE)
    citizens = {wish.citizen for wish in answers.wishes}
    known: set[tuple[str, str, str]] = set()
    for thing, count in done.items():
        if thing[1] in citizens and count > asked[thing]:
            known.add(thing)
            name, citizen, what = thing
            yield f"{name} {what} by {citizen}: {count} acts from {asked[thing]} commands"
    for wish in answers.wishes:
        if len(wish.appointments) > 1 and _thing(wish.verb, wish) not in known:
            yield _complaint(wish, f"led to {len(wish.appointments)} appointments")


def _thing(verb: Verb, wish: Wish) -> tuple[str, str, str]:
    what = wish.appointment if verb is Verb.CANCEL else wish.slot
    return ACT_OF[verb], wish.citizen, what


def _thing_of(act: Act) -> tuple[str, str, str]:
    what = act.data["appointment"] if act.name == CANCELLED else act.data["slot"]
    return act.name, str(act.data["citizen"]), str(what)


def _unfounded(answers: Answers, acts: Iterable[Act]) -> Iterator[str]:
    ever_given = {_slot(act) for act in acts}
    for wish in answers.wishes:
        refused = any(said is Said.REFUSED for said, _ in wish.told)
        if wish.contested and refused and wish.slot not in ever_given:
            yield _complaint(wish, "was refused, and no witnessed act ever took that slot")


def _complaint(wish: Wish, why: str) -> str:
    what = f"appointment {wish.appointment}" if wish.appointment else f"slot {wish.slot}"
    where = f" at position {wish.position}" if wish.position is not None else ""
    return f"{wish.verb.value} of {what}{where} by {wish.citizen}: {why}"

"""The drill's bookkeeping: a home that kept its word passes, and each broken word is found.

A model of a tower answers made-up wishes: truthfully, or with silence after which the act may stand
or not. Then one thing is broken, and the judge must name it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from hypothesis import assume, given
from hypothesis import strategies as st

from kulla.drill.judge import ACT_OF, Evidence, judge
from kulla.drill.reading import Shown
from kulla.drill.told import Answers, Said, Verb, Wish, allowed_standings
from kulla.kernel.service import Act, Actor

CITIZENS = ("a" * 32, "b" * 32, "c" * 32)
SLOTS = tuple(f"c00-p0-{1000 + number}" for number in range(6))


@dataclass
class Tower:
    """A model: who has which slot, and the journal. `lose` forgets a wish that nobody confirmed."""

    acts: list[Act] = field(default_factory=list)
    rows: dict[str, dict[str, str]] = field(default_factory=dict)

    def do(self, wish: Wish) -> str | None:
        """The appointment, or None where it is refused."""
        taken = {row["slot"] for row in self.rows.values() if row["state"] == "booked"}
        if wish.verb is Verb.BOOK:
            if wish.slot in taken:
                return None
            appointment = hashlib.sha256(wish.command.encode()).hexdigest()[:32]
        else:
            appointment = wish.appointment
            if self.rows[appointment]["state"] != "booked":
                return None
            if wish.verb is Verb.MOVE and wish.slot in taken:
                return None
        state = "cancelled" if wish.verb is Verb.CANCEL else "booked"
        row = {"slot": wish.slot, "state": state, "citizen": wish.citizen}
        self.rows[appointment] = row
        data = {"appointment": appointment, "slot": wish.slot, "citizen": wish.citizen}
        self.acts.append(
            Act(
                len(self.acts),
                "appointments",
                ACT_OF[wish.verb],
                1,
                0,
                Actor("citizen", wish.citizen),
                hashlib.sha256(b"key" + wish.command.encode()).digest(),
                data,
            )
        )
        return appointment

    def evidence(self) -> Evidence:
        pages: dict[str, dict[str, Shown]] = {}
        for appointment, row in self.rows.items():
            pages.setdefault(row["citizen"], {})[appointment] = Shown(row["state"], ())
        return Evidence(list(self.acts), dict(self.rows), pages)


@dataclass(frozen=True)
class Step:
    citizen: str
    verb: Verb
    slot: str
    which: int
    silent: bool
    done: bool
    repeated: bool


steps = st.builds(
    Step,
    st.sampled_from(CITIZENS),
    st.sampled_from([Verb.BOOK, Verb.BOOK, Verb.BOOK, Verb.MOVE, Verb.CANCEL]),
    st.sampled_from(SLOTS),
    st.integers(0, 20),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
histories = st.lists(steps, max_size=25)


def live_through(history: list[Step]) -> tuple[Answers, Tower]:
    """Citizens go on with what they know they have; those left in silence stop there."""
    answers, tower = Answers(), Tower()
    silent: set[str] = set()
    for number, step in enumerate(history):
        wish = wish_of(number, step, tower)
        if wish is None or step.citizen in silent:
            continue
        answers.ask(wish)
        if step.silent:
            silent.add(step.citizen)
            if step.done:
                tower.do(wish)
            answers.tell(wish, Said.NO_ANSWER, number)
            continue
        appointment = tower.do(wish)
        if appointment is None:
            answers.tell(wish, Said.REFUSED, number)
            continue
        wish.position = len(tower.acts) - 1
        answers.tell(wish, Said.CONFIRMED, number, appointment)
        if step.repeated:
            answers.tell(wish, Said.CONFIRMED, number, appointment)
    return answers, tower


def wish_of(number: int, step: Step, tower: Tower) -> Wish | None:
    wish = Wish(step.citizen, step.verb, f"{number:032x}", "/", step.slot, number)
    wish.contested = step.verb is Verb.BOOK
    if step.verb is Verb.BOOK:
        return wish
    mine = [key for key, row in tower.rows.items() if row["citizen"] == step.citizen]
    if not mine:
        return None
    wish.appointment = mine[step.which % len(mine)]
    if step.verb is Verb.CANCEL:
        wish.slot = tower.rows[wish.appointment]["slot"]
    return wish


@given(histories)
def test_a_home_that_kept_its_word_passes(history):
    answers, tower = live_through(history)
    assert judge(answers, tower.evidence()).complaints == []


@given(histories, st.integers(0, 30))
def test_an_acknowledged_act_that_is_gone_is_lost(history, which):
    answers, tower = live_through(history)
    acknowledged = answers.acknowledged()
    assume(acknowledged)
    wish = acknowledged[which % len(acknowledged)]
    evidence = tower.evidence()
    acts = [act for act in evidence.acts if act.position != wish.position]
    verdict = judge(answers, replace(evidence, acts=acts))
    assert len(verdict.lost) == 1
    assert wish.appointment in verdict.lost[0]


@given(histories, st.integers(0, 30))
def test_an_act_that_was_done_again_elsewhere_is_lost(history, which):
    """A command sent again heals what a new home lacks; the old receipt proves nothing then."""
    answers, tower = live_through(history)
    acknowledged = answers.acknowledged()
    assume(acknowledged)
    wish = acknowledged[which % len(acknowledged)]
    evidence = tower.evidence()
    acts = [
        replace(act, position=1000) if act.position == wish.position else act
        for act in evidence.acts
    ]
    verdict = judge(answers, replace(evidence, acts=acts))
    assert len(verdict.lost) == 1
    assert "the journal has it at 1000" in verdict.lost[0]


@given(histories)
def test_an_act_that_was_never_done_is_lost(history):
    answers, tower = live_through(history)
    forged = answers.ask(Wish(CITIZENS[0], Verb.BOOK, "f" * 32, "/", SLOTS[0], 99))
    answers.tell(forged, Said.CONFIRMED, 99, "e" * 32)
    assert len(judge(answers, tower.evidence()).lost) == 1


@given(histories, st.integers(0, 30), st.sampled_from(["row", "state", "slot", "page", "shown"]))
def test_a_register_or_page_that_says_otherwise_is_a_loss(history, which, broken):
    answers, tower = live_through(history)
    # Where a citizen was left in silence, more than one standing may be true.
    sure = [key for key, one in answers.expected().items() if len(one.allowed) == 1]
    assume(sure)
    appointment = sorted(sure)[which % len(sure)]
    evidence = tower.evidence()
    rows = {key: dict(row) for key, row in evidence.rows.items()}
    pages = {key: dict(shown) for key, shown in evidence.pages.items()}
    row = rows[appointment]
    other = "cancelled" if row["state"] == "booked" else "booked"
    if broken == "row":
        del rows[appointment]
    elif broken == "state":
        row["state"], row["slot"] = other, "nowhere-1"
    elif broken == "slot":
        assume(row["state"] == "booked")
        row["slot"] = "nowhere-1"
    elif broken == "page":
        del pages[row["citizen"]][appointment]
    else:
        pages[row["citizen"]][appointment] = Shown(other, ())
    verdict = judge(answers, replace(evidence, rows=rows, pages=pages))
    assert len(verdict.lost) == 1
    assert appointment in verdict.lost[0]


@given(histories, st.integers(0, 30))
def test_a_slot_given_to_two_is_doubled(history, which):
    answers, tower = live_through(history)
    live = [key for key, row in tower.rows.items() if row["state"] == "booked"]
    assume(live)
    slot = tower.rows[sorted(live)[which % len(live)]]["slot"]
    data = {"appointment": "d" * 32, "slot": slot, "citizen": "d" * 32}
    actor = Actor("citizen", "d" * 32)
    tower.acts.append(Act(len(tower.acts), "appointments", "booked", 1, 0, actor, b"d" * 32, data))
    tower.rows["d" * 32] = {"slot": slot, "state": "booked", "citizen": "d" * 32}
    doubled = judge(answers, tower.evidence()).doubled
    assert any("gave it away" in one for one in doubled)
    assert any("2 appointments" in one for one in doubled)


@given(histories, st.integers(0, 30), st.booleans())
def test_a_command_that_became_two_acts_is_doubled(history, which, same_key):
    """Also where the second act has another key, as a form has whose words are sealed anew."""
    # A command of which nobody knows may be the one that the second act came from.
    answers, tower = live_through([replace(step, silent=False) for step in history])
    assume(tower.acts)
    again = tower.acts[which % len(tower.acts)]
    key = again.command if same_key else b"k" * 32
    data = {**again.data, "appointment": "d" * 32}
    if again.name == "cancelled":
        data = again.data
    tower.acts.append(replace(again, position=len(tower.acts), command=key, data=data))
    doubled = judge(answers, tower.evidence()).doubled
    assert any("acts" in one for one in doubled)


@given(histories)
def test_a_refusal_that_rests_on_nothing_is_found(history):
    answers, tower = live_through(history)
    wish = Wish(CITIZENS[0], Verb.BOOK, "f" * 32, "/", "c09-p9-1", 99, contested=True)
    answers.tell(answers.ask(wish), Said.REFUSED, 99)
    assert len(judge(answers, tower.evidence()).unfounded) == 1


@given(histories)
def test_a_confirmed_command_that_is_refused_when_repeated_is_found(history):
    answers, tower = live_through(history)
    acknowledged = answers.acknowledged()
    assume(acknowledged)
    answers.tell(acknowledged[0], Said.REFUSED, 99)
    assert len(judge(answers, tower.evidence()).changed) == 1


@given(histories)
def test_a_command_that_led_to_two_appointments_is_doubled(history):
    answers, tower = live_through(history)
    acknowledged = answers.acknowledged()
    assume(acknowledged)
    answers.tell(acknowledged[0], Said.CONFIRMED, 99, "e" * 32)
    doubled = judge(answers, tower.evidence()).doubled
    assert any("led to 2 appointments" in one for one in doubled)


def wish(verb: Verb, slot: str, *told: Said) -> Wish:
    made = Wish(CITIZENS[0], verb, "0" * 32, "/", slot, 0, appointment="a" * 32)
    for said in told:
        made.tell(said, 0)
    return made


def test_standings_after_answers():
    booked = wish(Verb.BOOK, "s1", Said.CONFIRMED)
    unknown_move = wish(Verb.MOVE, "s2", Said.NO_ANSWER)
    unknown_cancel = wish(Verb.CANCEL, "s1", Said.BEING_CONFIRMED)
    refused = wish(Verb.CANCEL, "s1", Said.REFUSED)
    silent_then_refused = wish(Verb.CANCEL, "s1", Said.NO_ANSWER, Said.REFUSED)
    at_s1, at_s2, off = ("booked", "s1"), ("booked", "s2"), ("cancelled", "")
    assert allowed_standings([booked]) == {at_s1}
    assert allowed_standings([booked, refused]) == {at_s1}
    assert allowed_standings([booked, unknown_move]) == {at_s1, at_s2}
    assert allowed_standings([booked, unknown_cancel]) == {at_s1, off}
    assert allowed_standings([booked, silent_then_refused]) == {at_s1, off}
    cancelled = wish(Verb.CANCEL, "s1", Said.NO_ANSWER, Said.CONFIRMED)
    assert allowed_standings([booked, unknown_move, cancelled]) == {off}


def test_a_wish_without_any_answer_may_have_been_done():
    assert not wish(Verb.BOOK, "s1").certainly_not_done
    assert wish(Verb.BOOK, "s1").outcome is Said.NO_ANSWER
    assert wish(Verb.BOOK, "s1", Said.TOO_MANY, Said.REFUSED).certainly_not_done

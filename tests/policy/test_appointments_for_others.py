"""Who acts for another does what that person could: the rules count the person's appointments."""

from __future__ import annotations

import pytest

from fakes.desk import Desk
from kulla.services.appointments import policy
from policy import test_appointments as in_person
from policy.test_appointments import ANA, BEN, appointment, slot_id

CHILD = "d" * 32
DAY_S = 24 * 60 * 60
desk = in_person.desk


@pytest.fixture
def guardian(desk: Desk) -> Desk:
    """A desk at which whoever asks acts for the child; their authority was seen before."""
    desk.behalf = CHILD
    return desk


def test_an_appointment_is_the_persons_and_the_act_says_who_made_it(guardian: Desk) -> None:
    act = guardian.done("citizen", ANA, "book", slot=slot_id())
    assert act.data["citizen"] == CHILD
    assert act.actor.subject == ANA
    assert act.actor.whom == CHILD
    assert appointment(guardian, act.data["appointment"])["citizen"] == CHILD


def test_it_is_moved_and_cancelled_for_them_and_by_them(guardian: Desk) -> None:
    key = guardian.done("citizen", ANA, "book", slot=slot_id()).data["appointment"]
    guardian.done("citizen", ANA, "reschedule", appointment=key, slot=slot_id(1))
    guardian.behalf = ""
    guardian.done("citizen", CHILD, "cancel", appointment=key)


def test_without_acting_for_them_it_is_anothers(guardian: Desk) -> None:
    key = guardian.done("citizen", ANA, "book", slot=slot_id()).data["appointment"]
    guardian.behalf = ""
    assert guardian.refused("citizen", ANA, "cancel", appointment=key).code == "not-yours"
    guardian.behalf = CHILD
    own = guardian.done("citizen", BEN, "book", slot=slot_id(2)).data
    assert own["citizen"] == CHILD


def test_own_appointments_are_not_moved_while_one_acts_for_another(desk: Desk) -> None:
    key = desk.done("citizen", ANA, "book", slot=slot_id()).data["appointment"]
    desk.behalf = CHILD
    assert desk.refused("citizen", ANA, "cancel", appointment=key).code == "not-yours"


def test_the_limits_are_the_persons_own(guardian: Desk) -> None:
    every = [slot_id(number, day_s) for day_s in (0, DAY_S) for number in range(6)]
    wanted, one_more = every[: policy.UPCOMING_MAX], every[policy.UPCOMING_MAX]
    for slot in wanted:
        guardian.done("citizen", ANA, "book", slot=slot)
    refusal = guardian.refused("citizen", BEN, "book", slot=one_more)
    assert refusal.code == "too-many-upcoming"
    guardian.behalf = ""
    guardian.done("citizen", ANA, "book", slot=one_more)

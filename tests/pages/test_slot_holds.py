"""A time is kept while its form is filled in: for one person, for ten minutes, said in words."""

from __future__ import annotations

import re
import threading

import pytest

from fakes.portal import CLOCK, Visitor, command_of, token_of, words_of

MINUTE_MS = 60_000
TYPED = {"phone": "069 123 4567", "reason": "Dhimbje koke"}


@pytest.fixture
def holds(country):
    from kulla.portal.holds import SlotHolds

    return SlotHolds(CLOCK)


def _send(visitor: Visitor, address: str, form: str, **typed: str):
    hidden = {"csrfmiddlewaretoken": token_of(form), "command": command_of(form)}
    held = re.search(r'name="held_until" value="(\d+)"', form)
    if held:
        hidden["held_until"] = held[1]
    return visitor.client.post(address, {**hidden, **TYPED, **typed})


def test_one_person_keeps_a_time_and_asking_again_renews_nothing(holds):
    first = holds.take("a-1", "ana")
    assert first.ends_s == CLOCK.at_ms // 1000 + 600
    CLOCK.at_ms += 5 * MINUTE_MS
    assert holds.take("a-1", "ana") == first
    assert holds.take("a-1", "besim") is None
    assert holds.held_by_others(["a-1", "a-2"], "besim") == {"a-1"}
    assert holds.held_by_others(["a-1"], "ana") == frozenset()
    assert holds.held_by_others(["a-1"], "") == {"a-1"}


def test_a_hold_ends_by_itself_or_when_it_is_let_go(holds):
    holds.take("a-1", "ana")
    holds.let_go("a-1", "besim")
    assert holds.take("a-1", "besim") is None, "nobody lets go of another's"
    holds.let_go("a-1", "ana")
    assert holds.take("a-1", "besim")
    CLOCK.at_ms += 10 * MINUTE_MS
    assert holds.held_by_others(["a-1"], "ana") == frozenset()
    assert holds.take("a-1", "ana").ends_s == CLOCK.at_ms // 1000 + 600


def test_nobody_keeps_a_whole_morning(holds):
    for number in range(5):
        CLOCK.at_ms += 1000
        assert holds.take(f"a-{number}", "ana")
    kept = holds.held_by_others([f"a-{number}" for number in range(5)], "besim")
    assert kept == {"a-2", "a-3", "a-4"}


def test_holds_of_one_second_let_go_of_an_older_one_and_never_of_the_newest(holds):
    for number in (9, 8, 7, 6):
        holds.take(f"a-{number}", "ana")
    kept = holds.held_by_others([f"a-{number}" for number in range(10)], "besim")
    assert "a-6" in kept
    assert len(kept) == 3


def test_two_who_ask_at_once_never_both_keep_it(holds):
    from django.db import connections

    won: list[str] = []
    start = threading.Barrier(8)

    def ask(who: str) -> None:
        try:
            start.wait(10)
            if holds.take("a-1", who):
                won.append(who)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask, args=(f"citizen {n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(won) == 1


def test_the_form_says_until_when_the_time_is_kept(country, ana):
    page = words_of(ana.get(f"/appointments/slots/{country.slot()}"))
    assert "This time is kept for you until 08:10" in page
    assert "Until then nobody else can take it." in page


def test_others_see_that_a_time_is_being_taken(country, ana, besim):
    slot = country.slot()
    ana.get(f"/appointments/slots/{slot}")
    page = besim.get(f"/appointments/slots/{slot}").content.decode()
    assert "This time is being taken" in page
    assert f'action="/appointments/slots/{slot}"' not in page
    for visitor in (besim, Visitor()):
        month = visitor.get("/appointments/doctors/hoxha-a?day=2026-02-03")
        assert "10:00 being taken" in words_of(month)
        assert f'href="/appointments/slots/{slot}"' not in month.content.decode()
    own = ana.get("/appointments/doctors/hoxha-a?day=2026-02-03").content.decode()
    assert f'href="/appointments/slots/{slot}"' in own


def test_a_form_for_a_time_that_another_keeps_is_refused_politely(country, ana, besim):
    address = f"/appointments/slots/{country.slot()}"
    form = besim.get(address).content.decode()
    CLOCK.at_ms += 11 * MINUTE_MS
    ana.get(address)
    before = len(country.tower.submitted)
    answer = _send(besim, address, form)
    assert answer.status_code == 423
    said = words_of(answer)
    assert "It was kept for you until 08:10. That has passed, and somebody else" in said
    assert "Nothing was booked. What you typed is kept" in said
    assert "Dhimbje koke" in answer.content.decode()
    assert len(country.tower.submitted) == before
    assert ana.book(country.slot()).status_code == 303


def test_a_lapsed_hold_that_nobody_wanted_books_all_the_same(country, ana):
    address = f"/appointments/slots/{country.slot()}"
    form = ana.get(address).content.decode()
    CLOCK.at_ms += 30 * MINUTE_MS
    assert _send(ana, address, form).status_code == 303


def test_a_lapsed_hold_is_said_where_the_form_has_to_be_mended(country, ana):
    address = f"/appointments/slots/{country.slot()}"
    form = ana.get(address).content.decode()
    CLOCK.at_ms += 30 * MINUTE_MS
    answer = _send(ana, address, form, phone="")
    assert answer.status_code == 422
    said = words_of(answer)
    assert "The time was kept for you until 08:10, and that has passed." in said
    assert "it is kept for you again, until 08:40." in said


@pytest.mark.parametrize("odd", ["x", "-1", "9" * 40, "١٢٣"])
def test_an_end_that_was_made_up_changes_nothing(country, ana, odd):
    address = f"/appointments/slots/{country.slot()}"
    form = ana.get(address).content.decode().replace('name="held_until"', 'name="none"')
    assert _send(ana, address, form, held_until=odd).status_code == 303


def test_a_time_is_free_for_others_at_once_when_it_was_cancelled(country, ana, besim):
    booked = ana.book(country.slot())["Location"]
    assert ana.post(f"{booked}/cancel", {}).status_code == 303
    assert besim.book(country.slot()).status_code == 303


def test_moving_keeps_the_new_time_and_gives_the_old_one_back(country, ana, besim):
    booked = ana.book(country.slot())["Location"]
    new = country.slot(days=2)
    form = ana.get(f"{booked}/move/{new}")
    assert "This time is kept for you until 08:10" in words_of(form)
    assert "being taken" in words_of(besim.get(f"/appointments/slots/{new}"))
    assert ana.post(f"{booked}/move/{new}", {}).status_code == 303
    assert besim.book(country.slot()).status_code == 303
    theirs = besim.book(country.slot(days=3))["Location"]
    ana.get(f"/appointments/slots/{country.slot(days=4)}")
    waits = besim.get(f"{theirs}/move/{country.slot(days=4)}")
    assert "This time is being taken" in words_of(waits)
    assert 'action="' + waits.request["PATH_INFO"] not in waits.content.decode()


def test_a_move_to_a_time_that_another_keeps_is_refused_politely(country, ana, besim):
    booked = ana.book(country.slot())["Location"]
    address = f"{booked}/move/{country.slot(days=2)}"
    form = ana.get(address).content.decode()
    CLOCK.at_ms += 11 * MINUTE_MS
    besim.get(f"/appointments/slots/{country.slot(days=2)}")
    answer = _send(ana, address, form)
    assert answer.status_code == 423
    assert "This time is being taken" in words_of(answer)


def test_what_is_not_free_is_not_kept(country, ana, besim, holds):
    country.book(country.citizens[1], country.slot())
    ana.get(f"/appointments/slots/{country.slot()}")
    assert holds.held_by_others([country.slot()], "") == frozenset()


def test_whoever_is_refused_a_time_does_not_keep_it_from_others(country, ana, besim, holds):
    """Ana has an appointment at that hour with another doctor; the time stays open to others."""
    other = country.slot("gjoka-b")
    mine, theirs = country.slot(), other
    assert ana.book(mine).status_code == 303
    form = ana.get(f"/appointments/slots/{theirs}").content.decode()
    holds.let_go(theirs, country.citizens[0])
    assert _send(ana, f"/appointments/slots/{theirs}", form).status_code == 409
    assert holds.held_by_others([theirs], "") == frozenset()
    assert besim.book(theirs).status_code == 303

"""A child's result, everybody's page and the ministry's: what each shows, and to whom alone."""

from __future__ import annotations

import json

import pytest

from fakes.clinic_desk import NUMBERS
from fakes.enrolment_country import ROUND
from fakes.enrolment_outcome import MINISTRY, ROOT, Outcome
from fakes.portal import Visitor, words_of
from kulla.services.enrolment import tables


@pytest.fixture
def outcome(country, tmp_path) -> Outcome:
    return Outcome(country, tmp_path)


@pytest.fixture
def opened(outcome) -> Outcome:
    outcome.open()
    return outcome


def test_nobody_sees_a_result_before_it_is_opened(outcome, ana):
    assert ana.get(outcome.result()).status_code == 404
    outcome.allocate()
    assert ana.get(outcome.result()).status_code == 404
    assert ana.get(f"{ROOT}/results").status_code == 404
    assert ana.get(f"{ROOT}/transcript.json").status_code == 404
    outcome.country.tower.held = True
    outcome.school.ask("open_offers", round=ROUND)
    assert ana.get(outcome.result()).status_code == 404, "no quorum holds it yet"
    outcome.country.tower.let_go()
    assert ana.get(outcome.result()).status_code == 200


def test_the_offer_the_reason_and_the_place_in_the_list(opened, ana):
    page = words_of(ana.get(opened.result()))
    assert "Result for Çlirim Duka" in page
    assert "A place is offered Shkolla elm , Berat" in page
    assert "Please answer until" in page
    assert "Choice 1: Shkolla oak" in page
    assert "priority" in page
    assert "Place 1 of 2" in page or "Place 2 of 2" in page
    themself = words_of(Visitor().sign_in(opened.child).get(opened.result()))
    assert "Your result" in themself


def test_results_stay_while_a_move_of_days_waits_for_a_quorum(opened, ana):
    row = opened.country.tower._rows.get(tables.ROUND, ROUND)
    assert row is not None
    opened.country.tower._rows.put(tables.ROUND, row | {"position": 10**9})
    opened.country.tower._database.commit()
    assert ana.get(opened.result()).status_code == 200
    assert opened.result() in ana.get("/enrolment/results").content.decode()


@pytest.mark.parametrize("more", ["", "/answer/accepted", "/leave/oak", "/appeal", "/check"])
def test_a_foreign_child_is_not_found(opened, ana, besim, more):
    assert besim.get(opened.result(more=more)).status_code == 404
    assert ana.get(opened.result(opened.first, more)).status_code == 404
    answer = besim.post(opened.result(more=more), {}, form="/appointments/mine")
    assert answer.status_code == 404
    before = len(opened.country.tower.opened)
    besim.get(opened.result(more=more))
    assert len(opened.country.tower.opened) == before, "nothing was opened for a stranger"


def test_who_acts_for_children_finds_all_their_results(opened, ana, besim):
    page = ana.get("/enrolment/results")
    assert opened.result() in page.content.decode()
    assert opened.first not in page.content.decode()
    assert "Çlirim Duka" in words_of(page)
    assert opened.result(opened.first) in besim.get("/enrolment/results").content.decode()


def test_answers_are_asked_about_and_stand(opened, ana):
    address = opened.result(more="/answer/waiting")
    assert "Keep this place and wait?" in words_of(ana.get(address))
    answer = ana.post(address, {})
    assert answer.status_code == 303
    page = words_of(ana.get(answer["Location"]))
    assert "kept, while waiting for a higher choice" in page
    again = ana.post(address, {})
    assert again.status_code == 303, "the same answer again is fine"
    assert ana.get(opened.result(more="/answer/no")).status_code == 404
    declined = ana.post(opened.result(more="/answer/declined"), {})
    assert declined.status_code == 303
    refused = ana.post(
        opened.result(more="/answer/accepted"), {}, form=opened.result(more="/appeal")
    )
    assert refused.status_code == 409
    assert "It was not done" in words_of(refused)


def test_without_a_quorum_an_answer_can_be_sent_again(opened, ana):
    opened.country.tower.quorum = False
    refused = ana.post(opened.result(more="/answer/accepted"), {})
    assert refused.status_code == 503
    assert "Send it again in half a minute" in words_of(refused)


def test_a_list_that_moves_shows_on_the_page(opened, ana, besim):
    ana.post(opened.result(more="/answer/waiting"), {})
    besim.post(opened.result(opened.first, "/answer/declined"), {})
    opened.move_lists()
    row = opened.country.tower._rows.get(tables.RESULT, f"{ROUND}-{opened.child}")
    assert row is not None
    page = words_of(ana.get(opened.result()))
    if row["programme"] == "oak":
        assert "Shkolla oak" in page
        assert "accepted" in page
    else:
        assert "Place 1 of 1" in page


def test_lists_are_left(opened, ana):
    address = opened.result(more="/leave/oak")
    assert "at the end only" in words_of(ana.get(address))
    assert ana.post(address, {}).status_code == 303
    assert "Leave this list" not in words_of(ana.get(opened.result()))
    assert ana.get(address).status_code == 404


def test_a_family_checks_its_own_result(opened, ana):
    page = words_of(ana.get(opened.result(more="/check")))
    assert "Everything fits" in page
    path = opened.folder / "enrolment" / ROUND / "public.json"
    path.write_bytes(path.read_bytes().replace(b'"results":["', b'"results":["00'))
    gone = words_of(ana.get(opened.result(more="/check")))
    assert "being computed again" in gone, "a file that the journal does not name is not used"


def test_everybody_sees_how_far_schools_came_and_takes_the_transcript(opened):
    nobody = Visitor()
    page = words_of(nobody.get(f"{ROOT}/results"))
    assert "2 of 3 children had a place" in page
    assert "Shkolla oak" in page
    file = nobody.get(f"{ROOT}/transcript.json")
    assert file["Content-Disposition"].startswith("attachment")
    body = b"".join(file.streaming_content)
    found = json.loads(body)
    assert found["placed"] == 2
    for secret in ("sibling", opened.child):
        assert secret not in json.dumps(found["results"])


def test_an_appeal_is_written_decided_and_answered(opened, ana, country, tmp_path, request):
    address = opened.result(more="/appeal")
    empty = ana.post(address, {"text": " "})
    assert empty.status_code == 422
    assert ana.post(address, {"text": "Motra mëson atje."}).status_code == 303
    twice = ana.post(address, {"text": "Edhe një herë."})
    assert twice.status_code == 409
    assert "Edhe një herë." in twice.content.decode(), "what was typed is not lost"
    clerk = request.getfixturevalue("clerk")
    listed = clerk.get(f"{MINISTRY}/appeals")
    assert "Motra" not in words_of(listed)
    [row] = country.tower._rows.find(tables.APPEAL)
    page = f"{MINISTRY}/appeals/{row['id']}"
    assert "Motra mëson atje." in words_of(clerk.get(page))
    wrong = clerk.post(page, {"verdict": "granted", "reason": ""})
    assert wrong.status_code == 422
    fields = {"verdict": "granted", "reason": "E drejtë.", "programme": "oak"}
    ended = clerk.do(page, fields)
    assert "Done, signed and confirmed." in words_of(ended)
    told = words_of(ana.get(opened.result()))
    assert "A place by your appeal Shkolla oak" in told
    assert "E drejtë." in words_of(ana.get(address))


def test_the_ministry_asks_opens_and_sees_numbers(outcome, request):
    clerk = request.getfixturevalue("clerk")
    page = clerk.get(MINISTRY)
    assert "Allocate the round" in words_of(page)
    asked = clerk.sign(clerk.send(page, f"{MINISTRY}/step", {"step": "ask"}))
    assert "The allocation is on its way" in words_of(asked)
    outcome.move_lists()
    page = clerk.get(MINISTRY)
    assert "2 of 3 children placed" in words_of(page)
    opened = clerk.sign(clerk.send(page, f"{MINISTRY}/step", {"step": "open"}))
    assert "waiting for your answer 2" in words_of(opened)


def test_class_lists_open_names_and_log_it(opened, request, country):
    clerk = request.getfixturevalue("clerk")
    before = len(country.tower.opened)
    page = words_of(clerk.get(f"{MINISTRY}/classes/oak"))
    assert "Besim Kodra" in page
    assert len(country.tower.opened) > before
    file = clerk.get(f"{MINISTRY}/classes/oak.csv")
    text = b"".join(file.streaming_content).decode()
    assert text.splitlines()[0] == "number,name,child,state,choice,answer_by_s"
    assert f"1,Besim Kodra,{opened.first},open,1," in text
    assert clerk.get(f"{MINISTRY}/classes/none").status_code == 404


def test_the_auditors_transcript_needs_a_signed_reason_each_time(opened, request):
    clerk = request.getfixturevalue("clerk")
    file = clerk.get(f"{MINISTRY}/audit.json")
    assert file.status_code == 302, "without a reason there is no file"
    assert clerk.post(f"{MINISTRY}/audit", {"reason": ""}).status_code == 422
    taken = clerk.do(f"{MINISTRY}/audit", {"reason": "The court of audit asked for it."})
    assert taken["Content-Disposition"].startswith("attachment")
    found = json.loads(b"".join(taken.streaming_content))
    assert found["kind"] == "kulla-enrolment-audit"
    assert clerk.get(f"{MINISTRY}/audit.json").status_code == 302, "once"


def test_a_late_child_comes_to_the_end_by_number(opened, request, country):
    clerk = request.getfixturevalue("clerk")
    address = f"{MINISTRY}/late"
    wrong = clerk.post(address, {"number": "X", "choice-1": ""})
    assert wrong.status_code == 422
    assert "Nobody has this personal number." in words_of(wrong)
    unknown = clerk.post(address, {"number": NUMBERS[0], "choice-1": "oak"})
    assert "Enter the child first." in words_of(unknown)
    ended = clerk.do(address, {"number": NUMBERS[2], "choice-1": "elm"})
    assert "It was not done" in words_of(ended), "who has a place answers it first"


def test_a_complementary_round_takes_the_free_seats(opened, request):
    besim = Visitor(address="192.0.2.9").sign_in(opened.first)
    besim.post(opened.result(opened.first, "/answer/declined"), {})
    clerk = request.getfixturevalue("clerk")
    assert clerk.get(f"{MINISTRY}/complementary").status_code == 404
    row = opened.country.tower._rows.get(tables.ROUND, ROUND)
    assert row is not None
    opened.country.tower._rows.put(tables.ROUND, row | {"state": tables.ENDED})
    opened.country.tower._database.commit()
    address = f"{MINISTRY}/complementary"
    assert "Shkolla oak" in words_of(clerk.get(address))
    assert clerk.post(address, {"round": "No!", "title": ""}).status_code == 422
    fields = {"round": "r26b", "title": "Raundi i dytë"}
    fields |= {"opens_s": "2026-06-01T08:00", "closes_s": "2026-06-10T08:00"}
    fields |= {"results_s": "2026-06-12T08:00", "answer_by_s": "2026-06-20T08:00"}
    ended = clerk.do(address, fields)
    assert "Done, signed and confirmed." in words_of(ended)
    made = opened.country.tower._rows.get(tables.PROGRAMME, "r26b-oak")
    assert made is not None
    assert made["pools"] == '[["open",1]]'


@pytest.mark.parametrize("who", ["ana", "nobody"])
def test_the_ministrys_pages_are_the_ministrys(opened, ana, who):
    visitor = ana if who == "ana" else Visitor()
    for more in ("", "/audit", "/audit.json", "/late", "/appeals", "/classes/oak.csv"):
        answer = visitor.get(MINISTRY + more)
        assert answer.status_code in (302, 303, 403), more

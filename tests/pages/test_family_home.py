"""What a family finds of school enrolment on its own pages: results, acts, letters, its data."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from fakes.accounts import register
from fakes.portal import CLOCK, Visitor, words_of
from fakes.school_country import ANSWER_BY_S, CLOSES_S, ROUND, SchoolRound
from kulla.kernel.service import POST, Actor

SECRET_WORDS = (
    "Rruga e Fshehtë 7",
    "A child in public care",
    "vërtetim.pdf",
    "Nuk mjafton",
    "Lutemi shihni",
)


@pytest.fixture
def child(country) -> str:
    """A child in Ana's care, with a name."""
    subject = country.citizens[2]
    register(country, subject, "Çlirim Duka")
    data: dict[str, Any] = {"guardian": country.citizens[0], "ward": subject, "kind": "child"}
    answer = country.ask(
        Actor("clerk", country.clerk), "accounts", "relate", data | {"until_day": ""}
    )
    assert answer.status == "accepted"
    return subject


@pytest.fixture
def school(country) -> SchoolRound:
    return SchoolRound(country, CLOCK)


def test_a_round_that_is_open_stands_on_the_first_page_until_it_closes(country, school):
    school.at(CLOSES_S - 60)
    ana = _now(country)
    page = ana.get("/")
    assert "Regjistrimi 2026" in words_of(page)
    assert "You can apply until Thursday 12 February 2026, 09:00" in words_of(page)
    assert 'href="/enrolment/children"' in page.content.decode()
    assert ana.get(f"/enrolment/rounds/{ROUND}").status_code == 200
    school.at(CLOSES_S)
    assert "Regjistrimi 2026" not in words_of(ana.get("/"))


def test_an_application_that_stands_is_shown_while_it_can_be_changed(country, ana, school, child):
    school.at(CLOSES_S - 60)
    country.tower.held = True
    school.apply(child)
    said = words_of(_now(country).get("/"))
    assert "The application for Çlirim Duka Regjistrimi 2026 being confirmed" in said
    country.tower.let_go()
    page = _now(country).get("/")
    assert "The application for Çlirim Duka Regjistrimi 2026 confirmed" in words_of(page)
    assert f'href="/enrolment/rounds/{ROUND}/children/{child}"' in page.content.decode()
    school.clerk("withdraw", round=ROUND, child=child)
    assert "The application for" not in words_of(_now(country).get("/"))


def test_a_round_whose_publication_is_not_witnessed_is_told_to_nobody(country, ana):
    country.tower.held = True
    SchoolRound(country, CLOCK)
    assert "Regjistrimi 2026" not in words_of(ana.get("/"))
    country.tower.let_go()
    assert "Regjistrimi 2026" in words_of(ana.get("/"))


def test_the_result_of_a_child_and_until_when_to_answer(country, school, child):
    school.apply(child)
    school.allocate(**{child: "naim-1"})
    ana, besim = _now(country), _now(country, 1)
    page = ana.get("/")
    assert "The result for Çlirim Duka" in words_of(page)
    assert "Please answer by Tuesday 24 February 2026, 09:00" in words_of(page)
    assert "waits for your answer" in words_of(page)
    [address] = re.findall(r'href="(/enrolment/rounds/[^"]+/result)"', page.content.decode())
    assert address == f"/enrolment/rounds/{ROUND}/children/{child}/result"
    assert "Çlirim" not in words_of(besim.get("/"))
    country.tower.held = True
    mine = Actor("citizen", country.citizens[0], child)
    school.ask(mine, "answer_offer", round=ROUND, answer="accepted")
    said = words_of(ana.get("/"))
    assert "being confirmed" in said
    country.tower.let_go()
    said = words_of(ana.get("/"))
    assert "The result for Çlirim Duka" in said
    assert "Please answer by" not in said


def test_what_nobody_answered_is_not_asked_for_after_the_deadline(country, school, child):
    school.apply(child)
    school.allocate(**{child: "naim-1"})
    school.at(ANSWER_BY_S)
    said = words_of(_now(country).get("/"))
    assert "The result for Çlirim Duka" in said
    assert "waits for your answer" not in said


def _now(country, number: int = 0) -> Visitor:
    """A citizen, signed in after the clock went on by days, which ends older sessions."""
    return Visitor().sign_in(country.citizens[number])


def _acting(ana: Visitor, child: str) -> Visitor:
    """Ana chooses to act for her child."""
    page = ana.get("/").content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token is not None
    ana.client.post("/acting", {"csrfmiddlewaretoken": token[1], "whom": child, "next": "/"})
    return ana


def test_acts_on_a_child_are_listed_with_receipts_also_those_of_a_counter(country, school, child):
    application = school.apply(child)
    wish = {"round": ROUND, "child": child, "claim": 0, "verdict": "confirmed", "change": 1}
    school.clerk("decide_claim", reason=b"r" * 30, **wish)
    school.allocate(**{child: "naim-1"})
    mine = Actor("citizen", country.citizens[0], child)
    school.ask(mine, "answer_offer", round=ROUND, answer="accepted")
    ana, besim = _now(country), _now(country, 1)
    page = _acting(ana, child).get("/acts").content.decode()
    names = re.findall(r"<li><span>([^<]+)", page)
    assert names[:4] == [
        "An offer of a place at a school was answered",
        "A clerk decided on a priority in an application for school",
        "An application for school was filed or changed",
        "A child&#x27;s age and address were entered for school enrolment",
    ]
    assert application.endswith(child)
    shown = {}
    for name, position in zip(names, re.findall(r"/receipts/(\d+)", page)[:4], strict=False):
        receipt = ana.get(f"/receipts/{position}")
        assert receipt.status_code == 200
        shown[name] = words_of(receipt)
        assert besim.get(f"/receipts/{position}").status_code == 404
    applied = shown["An application for school was filed or changed"]
    assert "The list, best first naim-1 , sami-1" in applied
    assert "nothing that you wrote: that is sealed" in applied
    assert "Answer accepted" in shown["An offer of a place at a school was answered"]


def test_a_part_of_all_results_is_nobodys_receipt(country, school, child):
    """It names the other children of the part."""
    school.apply(child)
    school.allocate(**{child: "naim-1"})
    size = country.tower.witnessing().size
    said = [act.name for act, _ in country.tower._acts]
    position = said.index("results_posted")
    assert 0 < position < size
    assert _acting(_now(country), child).get(f"/receipts/{position}").status_code == 404


def test_letters_about_school_lead_to_the_application_or_the_result(country, ana, school, child):
    application = school.apply(child)
    for number, kind in enumerate(("school-applied", "school-result", "to-call", "not-yet-known")):
        about = application if kind != "to-call" else "ab" * 16
        letter = {"message": f"{number:032x}", "subject": country.citizens[0], "kind": kind}
        more = {"about": about, "channel": "mail"}
        answer = country.ask(POST, "messages", "record_sent", letter | more)
        assert answer.status == ("refused" if kind == "not-yet-known" else "accepted")
    page = ana.get("/messages").content.decode()
    assert f'href="/enrolment/rounds/{ROUND}/children/{child}"' in page
    assert f'href="/enrolment/rounds/{ROUND}/children/{child}/result"' in page
    assert f'href="/appointments/{"ab" * 16}"' in page
    assert "The result of school enrolment is there" in page


def _with_everything(country, school: SchoolRound, child: str) -> None:
    """An application with a claim, a file, a decision and an appeal, sealed as pages seal them."""
    seal = country.tower.seal
    facts = {"claims": [["looked-after", ""], ["sibling", "naim"]], "siblings": [], "area": ""}
    about = {"born": "2019-05-01", "address": "Rruga e Fshehtë 7", "area": "tirane"}
    school.apply(child, facts=json.dumps(facts), about=json.dumps(about))
    name = seal(child, {"name": json.dumps({"name": "vërtetim.pdf", "about": ""})})["name"]
    blob = country.tower.keep_file(child, b"%PDF-1.4", b"once")
    file = {"kind": "claim", "media_type": "application/pdf", "size": 8, "blob": blob}
    clerk = Actor("clerk", country.clerk)
    data = {"round": ROUND, "child": child, "name": name, **file}
    answer = country.ask(clerk, "enrolment", "add_document", data)
    assert answer.status == "accepted", answer
    reason = seal(child, {"reason": "Nuk mjafton"})["reason"]
    wish = {"round": ROUND, "child": child, "claim": 0, "verdict": "refused", "change": 1}
    school.clerk("decide_claim", reason=reason, **wish)
    school.allocate(**{child: ""})
    mine = Actor("citizen", country.citizens[0], child)
    text = seal(child, {"text": "Lutemi shihni prapë"})["text"]
    school.ask(mine, "appeal", round=ROUND, text=text)


def test_what_is_stored_about_a_child_is_opened_for_who_acts_for_it_on_request(
    country, school, child
):
    _with_everything(country, school, child)
    ana, besim = _now(country), _now(country, 1)
    closed = words_of(ana.get("/mine/stored"))
    assert "applications: 1, results: 1, files: 1" in closed
    assert not [word for word in SECRET_WORDS if word in closed]
    country.tower.opened.clear()
    said = words_of(ana.post("/mine/stored", {}))
    assert "School enrolment of Çlirim Duka" in said
    assert not [word for word in SECRET_WORDS if word not in said]
    assert "(Shkolla naim)" in said
    reasons = {reason for subject, reason in country.tower.opened if subject == child}
    assert "who acts for a child reads what is stored about it" in reasons
    other = words_of(besim.post("/mine/stored", {}))
    assert "School enrolment of Çlirim" not in other
    assert "applications: 0" in other


def test_who_acts_no_more_for_a_child_opens_nothing_of_it(country, school, child):
    _with_everything(country, school, child)
    [relation] = country.tower._rows.find("accounts_relation")
    ended = {"relation": relation["id"]}
    clerk = Actor("clerk", country.clerk)
    assert country.ask(clerk, "accounts", "end_relation", ended).status == "accepted"
    said = words_of(_now(country).post("/mine/stored", {}))
    assert not [word for word in SECRET_WORDS if word in said]


def test_no_robot_is_invited_to_pages_of_families():
    said = Visitor().get("/robots.txt").content.decode()
    assert "Disallow: /enrolment/children" in said
    assert "Disallow: /enrolment/rounds/*/children/" in said

"""A family applies in the browser: who the child is, the list and its buttons, claims, sending."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from fakes.enrolment import CLOSES_S, ROUND, settle_families
from fakes.portal import CLOCK, Visitor, command_of, token_of, words_of
from kulla.kernel.rows import Row
from kulla.services.enrolment.applications.commitment import commitment_of, facts_of


@pytest.fixture
def children(country) -> tuple[str, str, str]:
    return settle_families(country)


@pytest.fixture
def era(children) -> str:
    return children[0]


def page_of(child: str, more: str = "") -> str:
    return f"/enrolment/rounds/{ROUND}/children/{child}{more}"


def entered(visitor: Visitor, child: str) -> Any:
    """Confirm what the civil register says; gives the page of the draft."""
    answer = visitor.post(page_of(child, "/enter"), {})
    assert answer.status_code == 303, words_of(answer)
    return visitor.get(answer["Location"])


def form_of(page: Any) -> dict[str, list[str]]:
    """What the draft's form holds, as a browser would send it."""
    body = page.content.decode()
    fields: dict[str, list[str]] = {"csrfmiddlewaretoken": [token_of(body)]}
    for tag in re.findall(r"<input[^>]*>", body):
        name = re.search(r'name="([^"]+)"', tag)
        value = re.search(r'value="([^"]*)"', tag)
        box = 'type="checkbox"' in tag
        if name and name[1] != "csrfmiddlewaretoken" and (not box or " checked" in tag):
            fields.setdefault(name[1], []).append(value[1] if value else "")
    return fields


def press(visitor: Visitor, child: str, do: str, **more: Any) -> Any:
    """Press a button of the draft, with what stands in the form and `more`."""
    fields = form_of(visitor.get(page_of(child, "/apply")))
    answer = visitor.client.post(page_of(child, "/apply"), {**fields, **more, "do": do})
    if answer.status_code == 303:
        return visitor.get(answer["Location"].partition("#")[0])
    return answer


def send(visitor: Visitor, child: str) -> Any:
    """Send what was checked; gives the page of the child where it was accepted."""
    answer = visitor.post(page_of(child, "/check"), {})
    return visitor.get(answer["Location"]) if answer.status_code == 303 else answer


def applied(visitor: Visitor, child: str, *choices: str, claim: list[str] | None = None) -> Any:
    """Apply from the first page to the last."""
    entered(visitor, child)
    for choice in choices:
        press(visitor, child, f"add:{choice}")
    assert "Check it and send it" in words_of(press(visitor, child, "check", claim=claim or []))
    return send(visitor, child)


def row_of(country, child: str) -> Row:
    row = country.tower._rows.get("enrolment_application", f"{ROUND}-{child}")
    assert row is not None
    return row


def test_my_children_are_listed_with_their_rounds(country, ana, besim, children):
    page = words_of(ana.get("/enrolment/children"))
    assert "Era Prifti" in page
    assert "Tea Prifti" in page
    assert "Driton" not in page
    assert "nobody applied yet" in page
    assert "Tea" not in words_of(besim.get("/enrolment/children"))


def test_who_has_no_child_is_told_what_to_do(country):
    stranger = Visitor(address="192.0.2.9").sign_in(country.citizens[2])
    assert "No child is recorded" in words_of(stranger.get("/enrolment/children"))


def test_the_civil_register_says_who_the_child_is(country, ana, era):
    first = ana.get(page_of(era, "/apply"))
    assert first["Location"] == page_of(era, "/enter")
    page = words_of(ana.get(page_of(era, "/enter")))
    assert "Era Prifti" in page
    assert re.search(r"Born .* (2019|2020)", page)
    after = words_of(entered(ana, era))
    assert "First grade" in after
    command = country.tower.submitted[-1]
    assert (command.name, command.actor.behalf) == ("enter_child", era)
    row = country.tower._rows.get("enrolment_child", era)
    assert b"2020" not in row["facts_sealed"], "the day of birth is sealed"


def test_programmes_are_found_by_place_and_put_into_order_by_buttons(country, ana, era):
    entered(ana, era)
    found = words_of(press(ana, era, "search", place="Tiranë", q="frashëri"))
    assert "2 programmes found" in found
    assert "Shkolla Naim Frashëri" in found
    assert "Shkolla 1 Maji" not in found
    for programme in ("naim-1", "kamez-1", "sami-1"):
        press(ana, era, f"add:{programme}")
    assert form_of(ana.get(page_of(era, "/apply")))["choice"] == ["naim-1", "kamez-1", "sami-1"]
    press(ana, era, "up:sami-1")
    press(ana, era, "down:naim-1")
    press(ana, era, "remove:kamez-1")
    assert form_of(ana.get(page_of(era, "/apply")))["choice"] == ["sami-1", "naim-1"]


def test_what_the_register_says_for_the_child_is_ticked_from_the_start(country, ana, era):
    page = entered(ana, era)
    ticked = form_of(page)["claim"]
    assert len(ticked) == 1
    assert ticked[0].startswith("area:")
    press(ana, era, "add:naim-1", claim=[])
    assert "claim" not in form_of(ana.get(page_of(era, "/apply"))), "unticked it stays unticked"


def test_the_draft_is_kept_sealed_and_is_each_guardians_own(country, ana, besim, era, tmp_path):
    entered(ana, era)
    press(ana, era, "add:naim-1", claim=["looked-after:"])
    ana.post("/sign-out", {}, form="/status")
    ana.sign_in(country.citizens[0])
    again = ana.get(page_of(era, "/apply"))
    assert form_of(again)["choice"] == ["naim-1"]
    assert form_of(again)["claim"] == ["looked-after:"]
    assert "choice" not in form_of(besim.get(page_of(era, "/apply")))
    for path in tmp_path.glob("*sqlite*"):
        assert b"looked-after" not in path.read_bytes().replace(rules_bytes(country), b""), path


def rules_bytes(country) -> bytes:
    """The public rules name every kind: they may stand in the registers."""
    row = country.tower._rows.get("enrolment_rules", f"{ROUND}-1")
    return str(row["text"]).encode()


def test_an_application_commits_to_what_was_sent_and_seals_the_rest(country, ana, era):
    page = words_of(applied(ana, era, "naim-1", "sami-1", claim=["staff:naim", "area:"]))
    assert "The application is confirmed" in page
    assert "A document is missing" in page
    row = row_of(country, era)
    assert json.loads(str(row["choices"])) == ["naim-1", "sami-1"]
    sealed = {name: row[f"{name}_sealed"] for name in ("facts", "salt")}
    opened = country.tower.open(era, sealed, "a test")
    facts, salt = facts_of(opened["facts"]), bytes.fromhex(opened["salt"])
    assert [(claim.kind, claim.at) for claim in facts.claims] == [("staff", "naim")]
    assert row["commitment"] == commitment_of(salt, "1", ("naim-1", "sami-1"), False, facts)
    act = country.tower._acts[-1][0]
    assert b"staff" not in repr(act.data).encode()


def test_sent_twice_it_is_done_once(country, ana, era):
    entered(ana, era)
    press(ana, era, "add:naim-1")
    page = ana.get(page_of(era, "/check")).content.decode()
    fields = {"csrfmiddlewaretoken": token_of(page), "command": command_of(page)}
    country.tower.lost_answers = 1
    assert ana.client.post(page_of(era, "/check"), fields).status_code == 503
    answer = ana.client.post(page_of(era, "/check"), fields)
    assert answer.status_code == 303
    assert row_of(country, era)["changes"] == 1


def test_the_other_guardian_sees_the_change_and_overwrites_nothing_unseen(country, ana, besim, era):
    applied(ana, era, "naim-1")
    page = words_of(besim.get(page_of(era)))
    assert "Changed by the other guardian on" in page
    assert "Applied: the other guardian" in page
    press(besim, era, "add:sami-1")
    press(ana, era, "add:kamez-1")
    assert "Check it" in words_of(press(ana, era, "check"))
    assert "The application is confirmed" in words_of(send(ana, era))
    overtaken = words_of(besim.get(page_of(era, "/apply")))
    assert "The application was changed meanwhile" in overtaken
    refused = besim.post(page_of(era, "/check"), {})
    assert refused.status_code == 409
    assert "changed meanwhile" in words_of(refused)
    assert json.loads(str(row_of(country, era)["choices"])) == ["naim-1", "kamez-1"]
    press(besim, era, "mine")
    assert "The application is confirmed" in words_of(send(besim, era))
    assert json.loads(str(row_of(country, era)["choices"])) == ["naim-1", "sami-1"]


def test_dropping_the_draft_begins_from_what_stands(country, ana, besim, era):
    entered(ana, era)
    press(besim, era, "add:vlore-1")
    applied(ana, era, "naim-1")
    press(besim, era, "drop")
    assert form_of(besim.get(page_of(era, "/apply")))["choice"] == ["naim-1"]


def test_brothers_and_sisters_of_ones_own_can_be_named(country, ana, children):
    era, tea, driton = children
    entered(ana, era)
    page = words_of(ana.get(page_of(era, "/apply")))
    assert "Tea Prifti (nobody applied yet)" in page
    press(ana, era, "add:naim-1", sibling=[tea, driton, "no such"], together="1")
    press(ana, era, "check")
    assert "Tea Prifti: at the same school" in words_of(ana.get(page_of(era, "/check")))
    send(ana, era)
    opened = country.tower.open(era, {"facts": row_of(country, era)["facts_sealed"]}, "a test")
    assert facts_of(opened["facts"]).siblings == (tea,), "another's child is not taken"
    assert row_of(country, era)["together"] == 1


@pytest.mark.parametrize(
    ("posted", "said"),
    [
        ({}, "Put at least one programme on the list"),
        ({"choice": ["nowhere", "naim-10"]}, "Put at least one programme on the list"),
        ({"choice": ["naim-1"], "grade": "10"}, "Choose the grade"),
        ({"choice": ["naim-1"], "grade": "<script>"}, "Choose the grade"),
    ],
)
def test_what_is_missing_is_said_by_name(country, ana, era, posted, said):
    entered(ana, era)
    answer = press(ana, era, "check", **posted)
    assert answer.status_code == 422
    assert said in words_of(answer)


def test_more_programmes_than_the_rules_allow_are_refused_in_words(country, ana, era):
    country.tower._database.execute("BEGIN IMMEDIATE")
    rules = country.tower._rows.get("enrolment_rules", f"{ROUND}-1")
    fewer = str(rules["text"]).replace('"choices_max":5', '"choices_max":2')
    country.tower._rows.put("enrolment_rules", {**rules, "text": fewer})
    country.tower._database.execute("COMMIT")
    entered(ana, era)
    for programme in ("naim-1", "sami-1", "kamez-1"):
        press(ana, era, f"add:{programme}")
    answer = press(ana, era, "check")
    assert answer.status_code == 422
    assert "At most 2 programmes can be named" in words_of(answer)


def test_withdrawing_asks_first_and_one_can_apply_again(country, ana, era):
    applied(ana, era, "naim-1")
    assert "lose nothing by it" in words_of(ana.get(page_of(era, "/withdraw")))
    answer = ana.post(page_of(era, "/withdraw"), {})
    assert answer.status_code == 303
    page = words_of(ana.get(page_of(era)))
    assert "The application was withdrawn" in page
    assert "Apply again" in page
    press(ana, era, "add:sami-1")
    assert "The application is confirmed" in words_of(send(ana, era))
    assert row_of(country, era)["changes"] == 3


def test_after_the_deadline_nothing_changes_and_the_page_says_so(country, ana, era):
    applied(ana, era, "naim-1")
    CLOCK.at_ms = CLOSES_S * 1000
    ana = Visitor().sign_in(country.citizens[0])  # the session of that day is long over
    assert "Applying is over" in words_of(ana.get(page_of(era, "/apply")))
    answer = ana.post(page_of(era, "/check"), {}, form="/check")
    assert answer.status_code == 409
    page = words_of(ana.get(page_of(era)))
    assert "Change it" not in page
    assert "Shkolla Naim Frashëri" in page


def test_every_page_says_that_the_time_of_applying_never_matters(country, ana, era):
    entered(ana, era)
    press(ana, era, "add:naim-1")
    for more in ("", "/apply", "/check"):
        assert "The time of applying never matters" in words_of(ana.get(page_of(era, more))), more


def test_what_is_not_confirmed_yet_is_said_so(country, ana, era):
    entered(ana, era)
    press(ana, era, "add:naim-1")
    country.tower.held = True
    waiting = ana.post(page_of(era, "/check"), {})
    assert waiting.status_code == 202
    page = ana.get(page_of(era))
    assert "being confirmed" in words_of(page)
    assert page["Refresh"].startswith("4;")
    country.tower.let_go()
    assert "being confirmed" not in words_of(ana.get(page_of(era)))


def test_without_a_quorum_nothing_is_lost(country, ana, era):
    entered(ana, era)
    press(ana, era, "add:naim-1")
    country.tower.quorum = False
    answer = ana.post(page_of(era, "/check"), {})
    assert answer.status_code == 503
    assert "what you typed is still here" in words_of(answer)
    country.tower.quorum = True
    assert "The application is confirmed" in words_of(send(ana, era))


PAGES = ("", "/enter", "/apply", "/check", "/withdraw", "/files", f"/files/{'a' * 32}", "/claims/0")


@pytest.mark.parametrize("more", PAGES)
def test_anothers_child_is_not_found(country, ana, era, more):
    applied(ana, era, "naim-1")
    acts = len(country.tower.submitted)
    stranger = Visitor(address="192.0.2.9").sign_in(country.citizens[2])
    expected = 403 if "claims" in more else 404
    assert stranger.get(page_of(era, more)).status_code == expected
    assert stranger.post(page_of(era, more), {}, form="/check").status_code == expected
    signed_out = Visitor(address="192.0.2.8")
    assert signed_out.get(page_of(era, more))["Location"].startswith("/sign-in?next=")
    assert len(country.tower.submitted) == acts


def test_who_acts_by_a_power_of_attorney_is_no_guardian(country, ana, era):
    rows = country.tower._rows
    relation = next(
        row for row in rows.find("accounts_relation", ward=era, guardian=country.citizens[0])
    )
    rows.put("accounts_relation", {**relation, "kind": "attorney"})
    assert ana.get(page_of(era)).status_code == 404


def test_a_grade_that_the_child_is_too_old_for_is_not_offered(country, ana, era):
    country.tower._database.execute("BEGIN IMMEDIATE")
    rules = country.tower._rows.get("enrolment_rules", f"{ROUND}-1")
    later = (
        str(rules["text"]).replace("2019-09-01", "2021-09-01").replace("2020-08-31", "2022-08-31")
    )
    country.tower._rows.put("enrolment_rules", {**rules, "text": later})
    country.tower._database.execute("COMMIT")
    page = words_of(entered(ana, era))
    assert "that fits no grade of this round" in page
    assert "Find schools" not in page

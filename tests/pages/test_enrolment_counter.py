"""The counter: find a child, type a paper form in, enter one whom nobody knows, decide claims."""

from __future__ import annotations

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from fakes.clinic_desk import Clerk, staff_of
from fakes.enrolment import ROUND, apply_past_pages, settle_families
from fakes.portal import Visitor, words_of
from fakes.uploads import PDF
from kulla.services.enrolment.applications.child import child_of
from kulla.services.enrolment.applications.commitment import facts_of


@pytest.fixture
def children(country, tmp_path) -> tuple[str, str, str]:
    return settle_families(country, tmp_path)


@pytest.fixture
def clerk(country, children) -> Clerk:
    person = Clerk(address="192.0.2.3")
    person.sign_in(country.clerk)
    return person


def page_of(child: str, more: str = "") -> str:
    return f"/enrolment/rounds/{ROUND}/children/{child}{more}"


def test_a_child_is_found_by_number(country, clerk, children):
    answer = clerk.post("/enrolment/counter/", {"number": "c-0000 0001 k", "round": ROUND})
    assert answer["Location"] == page_of(children[0])
    assert "Era Prifti" in words_of(clerk.get(answer["Location"]))
    nobody = clerk.post("/enrolment/counter/", {"number": "C99999999K", "round": ROUND})
    assert nobody.status_code == 422
    assert "Nobody in the register has this number" in words_of(nobody)


def test_a_paper_form_is_typed_in_and_signed(country, clerk, children):
    era = children[0]
    entered = clerk.do(page_of(era, "/enter"), {})
    assert "First grade" in words_of(entered)
    for do in ("add:kamez-1", "add:naim-1", "up:naim-1"):
        page = clerk.get(page_of(era, "/apply"))
        choices = [
            one.split('"')[0] for one in page.content.decode().split('name="choice" value="')
        ]
        clerk.send(page, page_of(era, "/apply"), {"do": do, "grade": "1", "choice": choices[1:]})
    begun = clerk.send(clerk.get(page_of(era, "/check")), page_of(era, "/check"), {})
    summary = clerk.summary(begun)
    assert "Era Prifti" in summary
    assert "Shkolla Naim Frashëri" in summary
    done = words_of(clerk.sign(begun))
    assert "The application is confirmed" in done
    row = country.tower._rows.get("enrolment_application", f"{ROUND}-{era}")
    assert (row["by"], json.loads(row["choices"])) == ("counter", ["naim-1", "kamez-1"])
    ana = Visitor().sign_in(country.citizens[0])
    assert "Changed by a clerk at the counter on" in words_of(ana.get(page_of(era)))


def test_siblings_of_a_paper_form_are_found_by_number(country, clerk, children):
    era, tea, _ = children
    clerk.do(page_of(era, "/enter"), {})
    address = page_of(era, "/apply")
    form = {"do": "sibling", "grade": "1", "choice": "naim-1"}
    wrong = clerk.send(clerk.get(address), address, {**form, "sibling_number": "C00000001K"})
    assert wrong.status_code == 422, "the child is no sibling of its own"
    assert "Nobody else in the register" in words_of(wrong)
    found = clerk.send(clerk.get(address), address, {**form, "sibling_number": "C00000002K"})
    assert found.status_code == 303
    assert "Tea Prifti" in words_of(clerk.get(address))
    more = {"do": "check", "sibling": [tea, "f" * 32], "together": "1"}
    clerk.send(clerk.get(address), address, {**form, **more})
    assert "Tea Prifti: at the same school" in words_of(clerk.get(page_of(era, "/check")))
    clerk.do(page_of(era, "/check"), {})
    row = country.tower._rows.get("enrolment_application", f"{ROUND}-{era}")
    facts = country.tower.open(era, {"facts": row["facts_sealed"]}, "a test")["facts"]
    assert facts_of(facts).siblings == (tea,), "whom nobody registered is no sibling"


def test_a_child_whom_the_register_does_not_know_is_entered_by_a_document(country, clerk, children):
    era, by_hand = children[0], page_of(children[0], "/enter?by_hand=1")
    wrong = clerk.send(clerk.get(by_hand), by_hand, {"born": "31.12.2019", "document": ""})
    assert wrong.status_code == 422
    assert "Enter a day as it stands in the document" in words_of(wrong)
    assert "Say which document you saw" in words_of(wrong)
    typed = {"born": "2020-03-01", "address": "Rruga 1", "town": "Tiranë", "document": "passport"}
    clerk.do(by_hand, typed)
    row = country.tower._rows.get("enrolment_child", era)
    assert row["source"] == "counter"
    known = child_of(country.tower.open(era, {"facts": row["facts_sealed"]}, "a test")["facts"])
    assert (known.born, known.area) == ("2020-03-01", "tiranë")
    act = country.tower._acts[-1][0]
    assert act.data["document"] == "passport"


def handed_in(country, child: str) -> None:
    """Ana applied for the child and handed in a file for the claim."""
    apply_past_pages(country, country.citizens[0], child)
    ana = Visitor().sign_in(country.citizens[0])
    file = SimpleUploadedFile("work.pdf", PDF)
    answer = ana.post(page_of(child, "/files"), {"about": "claim:staff", "file": file})
    assert answer.status_code == 303


def test_a_clerk_looks_at_the_file_and_decides_and_the_family_reads_why(country, clerk, children):
    era = children[0]
    handed_in(country, era)
    assert "One child waits" in words_of(clerk.get("/enrolment/counter/"))
    assert "Era Prifti" in words_of(clerk.get(f"/enrolment/counter/{ROUND}"))
    page = words_of(clerk.get(page_of(era, "/claims/0")))
    assert "A parent works at the school" in page
    assert "work.pdf" in page
    [row] = country.tower._rows.find("enrolment_document")
    assert clerk.get(page_of(era, f"/files/{row['id']}")).content == PDF
    assert "clerk" in country.tower.opened[-1][1], "who looked stands in the log"
    empty = clerk.send(clerk.get(page_of(era, "/claims/0")), page_of(era, "/claims/0"), {})
    assert empty.status_code == 422
    assert "the family reads it" in words_of(empty)
    done = clerk.do(page_of(era, "/claims/0"), {"verdict": "confirmed", "reason": "Seen."})
    assert "confirmed" in words_of(done)
    assert "Nothing waits" in words_of(clerk.get(f"/enrolment/counter/{ROUND}"))
    ana = Visitor().sign_in(country.citizens[0])
    assert "Seen." in words_of(ana.get(page_of(era)))
    act = country.tower._acts[-1][0]
    assert b"Seen" not in repr(act.data).encode()


def test_a_refused_claim_says_why_and_no_claim_is_nothing(country, clerk, children):
    era = children[0]
    handed_in(country, era)
    done = clerk.do(page_of(era, "/claims/0"), {"verdict": "refused", "reason": "Not legible."})
    assert "refused" in words_of(done)
    assert clerk.get(page_of(era, "/claims/7")).status_code == 404
    assert clerk.get(page_of(children[2], "/claims/0")).status_code == 404


def test_nothing_of_the_counter_happens_without_a_signature(country, clerk, children):
    era = children[0]
    handed_in(country, era)
    before = len(country.tower._acts)
    address = page_of(era, "/claims/0")
    begun = clerk.send(clerk.get(address), address, {"verdict": "confirmed", "reason": "Seen."})
    assert begun.status_code == 302
    assert begun["Location"].startswith("/sign/")
    assert len(country.tower._acts) == before


@pytest.mark.parametrize("role", ["operator", "analyst"])
def test_other_staff_has_no_way_in(country, children, tmp_path, role):
    person = Visitor(address="192.0.2.4").sign_in(staff_of(tmp_path, role))
    for address in ("/enrolment/counter/", f"/enrolment/counter/{ROUND}", page_of(children[0])):
        assert person.get(address).status_code == 403, address


def test_families_have_no_way_to_the_counter(country, children):
    ana = Visitor().sign_in(country.citizens[0])
    for address in ("/enrolment/counter/", f"/enrolment/counter/{ROUND}"):
        assert ana.get(address).status_code == 403

"""Files of an application: what is taken, how it goes out, who gets it; and attacks on each."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from fakes.enrolment import CLOSES_S, ROUND, apply_past_pages, settle_families
from fakes.portal import CLOCK, Visitor, words_of
from fakes.uploads import JPEG, PDF, PNG
from kulla.services.enrolment.applications.policy import DOCUMENTS_MAX, HANDED_IN_MAX
from kulla.services.enrolment.applications.wishes import FILE_BYTES_MAX


@pytest.fixture
def children(country) -> tuple[str, str, str]:
    return settle_families(country)


@pytest.fixture
def era(country, children) -> str:
    """Era, for whom Ana applied with a claim that needs a document."""
    apply_past_pages(country, country.citizens[0], children[0])
    return children[0]


def page_of(child: str, more: str = "/files") -> str:
    return f"/enrolment/rounds/{ROUND}/children/{child}{more}"


def hand_in(
    visitor: Visitor, child: str, content: bytes = PDF, name: str = "dëshmi.pdf", **more: Any
) -> Any:
    file = SimpleUploadedFile(name, content, content_type=more.pop("said", "application/pdf"))
    return visitor.post(page_of(child), {"about": "claim:staff", "file": file, **more})


def documents(country) -> list[dict[str, Any]]:
    return country.tower._rows.find("enrolment_document")


def test_a_file_is_handed_in_named_by_its_act_and_comes_back_as_it_was(country, ana, era):
    assert hand_in(ana, era).status_code == 303
    [row] = documents(country)
    command = country.tower.submitted[-1]
    assert command.names == (row["blob"],)
    act = country.tower._acts[-1][0]
    assert act.data["blob"] == row["blob"]
    assert "staff" not in repr(act.data), "for which claim it is, is sealed"
    assert "mi.pdf" not in repr(act.data), "and so is its name"
    page = words_of(ana.get(page_of(era)))
    assert "dëshmi.pdf" in page
    assert "A parent works at the school" in page
    answer = ana.get(page_of(era, f"/files/{row['id']}"))
    assert answer.content == PDF


def test_what_goes_out_is_a_download_in_a_sandbox(country, ana, era):
    hand_in(ana, era)
    [row] = documents(country)
    answer = ana.get(page_of(era, f"/files/{row['id']}"))
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"].startswith("attachment; filename")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["Cache-Control"] == "private, no-store"
    assert answer["X-Frame-Options"] == "DENY"


def test_no_other_page_can_loosen_the_policy_of_the_site(country, ana, era):
    page = ana.get(page_of(era))
    assert "script-src 'self'" in page["Content-Security-Policy"]
    assert "sandbox" not in page["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("content", "name", "said", "words"),
    [
        (b"", "empty.pdf", "application/pdf", "The file is empty"),
        (b"<script>alert(1)</script>", "a.pdf", "application/pdf", "Only PDF, JPEG and PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.png", "image/png", "Only PDF"),
        (b"MZ" + bytes(99), "a.jpg", "image/jpeg", "Only PDF"),
        (PNG + b"PK\x03\x04" + bytes(50), "a.png", "image/png", "damaged"),
        (JPEG + b"<html>", "a.jpg", "image/jpeg", "damaged"),
        (PDF + b"<html><script>x</script>", "a.pdf", "application/pdf", "damaged"),
        (PDF.replace(b"/Pages", b"/JavaScript/Pages"), "a.pdf", "application/pdf", "a program"),
        (PDF.ljust(FILE_BYTES_MAX + 1, b"\n"), "a.pdf", "application/pdf", "at most 4 MB"),
    ],
)
def test_wrong_types_polyglots_and_giants_are_refused(
    country, ana, era, content, name, said, words
):
    answer = hand_in(ana, era, content, name, said=said)
    assert answer.status_code == 422
    assert words in words_of(answer)
    assert documents(country) == []
    assert country.tower.files == {}, "nothing is kept of what is refused"


def test_the_type_is_that_of_the_content_whatever_was_said(country, ana, era):
    hand_in(ana, era, PNG, "holiday.html", said="text/html")
    [row] = documents(country)
    answer = ana.get(page_of(era, f"/files/{row['id']}"))
    assert answer["Content-Type"] == "image/png"
    assert 'filename="holiday.png"' in answer["Content-Disposition"]


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "..\\..\\boot.ini", 'x"; filename="evil.html', "a\r\nX: y"]
)
def test_a_name_is_never_a_path_nor_a_header(country, ana, era, name, tmp_path):
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert hand_in(ana, era, PDF, name).status_code == 303
    assert {path for path in tmp_path.rglob("*") if path.is_file()} - before == set()
    [row] = documents(country)
    answer = ana.get(page_of(era, f"/files/{row['id']}"))
    said = answer["Content-Disposition"]
    assert "/" not in said.partition("''")[2]
    assert ".." not in said
    assert "html" not in said or said.endswith('.pdf"')
    assert "X" not in answer.headers


def test_a_body_beyond_the_bound_is_not_even_read(country, ana, era):
    from kulla.portal.middleware import FILE_BODY_BYTES_MAX

    answer = ana.client.post(
        page_of(era),
        b"x" * (FILE_BODY_BYTES_MAX + 1),
        content_type="multipart/form-data; boundary=x",
    )
    assert answer.status_code == 413
    answer = ana.client.post(
        page_of(era, "/withdraw"), b"x" * 1_100_000, content_type="multipart/form-data; boundary=x"
    )
    assert answer.status_code == 413, "other pages take no more than before"


def test_a_file_of_the_very_size_is_taken(country, ana, era):
    body = PDF[: PDF.rindex(b"trailer")]
    filled = body.ljust(FILE_BYTES_MAX - len(PDF) + len(body), b" ") + PDF[len(body) :]
    assert len(filled) == FILE_BYTES_MAX
    assert hand_in(ana, era, filled).status_code == 303


def test_another_guardian_gets_it_and_a_stranger_does_not(country, ana, besim, era, children):
    hand_in(ana, era)
    [row] = documents(country)
    assert besim.get(page_of(era, f"/files/{row['id']}")).content == PDF
    stranger = Visitor(address="192.0.2.9").sign_in(country.citizens[2])
    assert stranger.get(page_of(era, f"/files/{row['id']}")).status_code == 404
    apply_past_pages(country, country.citizens[2], children[2])
    own = page_of(children[2], f"/files/{row['id']}")
    assert stranger.get(own).status_code == 404, "nor below their own child"
    assert stranger.post(f"{own}/remove", {}, form="/check").status_code == 404
    assert Visitor().get(own)["Location"].startswith("/sign-in")


def test_an_opening_is_noted_with_its_reason(country, ana, era):
    hand_in(ana, era)
    [row] = documents(country)
    ana.get(page_of(era, f"/files/{row['id']}"))
    assert country.tower.opened[-1] == (era, "a file that was handed in is downloaded")


def test_the_same_file_twice_is_one_and_too_many_are_refused(country, ana, era):
    hand_in(ana, era)
    page = ana.get(page_of(era))
    for number in range(DOCUMENTS_MAX - 1):
        hand_in(ana, era, PDF.replace(b"99 99", b"%d 99" % (100 + number)))
    assert len(documents(country)) == DOCUMENTS_MAX
    assert page.status_code == 200
    assert "That is the most" in words_of(ana.get(page_of(era)))


def test_a_file_whose_act_is_refused_does_not_fill_the_disk(country, ana, era):
    hand_in(ana, era)
    [told] = country.tower._rows.find("enrolment_change", what="document_added")
    for number in range(HANDED_IN_MAX):
        country.tower._rows.put("enrolment_change", {**told, "id": f"{told['id']}-{number}"})
    kept = dict(country.tower.files)
    answer = hand_in(ana, era, PNG)
    assert answer.status_code == 409
    assert "40 files were handed in" in words_of(answer)
    assert country.tower.files == kept


def test_a_file_can_be_removed_and_is_then_not_found(country, ana, era):
    hand_in(ana, era)
    [row] = documents(country)
    address = page_of(era, f"/files/{row['id']}")
    assert "does not count any more" in words_of(ana.get(f"{address}/remove"))
    assert ana.post(f"{address}/remove", {}).status_code == 303
    assert ana.get(address).status_code == 404
    assert "Removed a file: you" in words_of(ana.get(page_of(era, "")))


def test_a_file_that_nobody_has_now_is_said_to_be_safe(country, ana, era):
    hand_in(ana, era)
    [row] = documents(country)
    country.tower.files.clear()
    answer = ana.get(page_of(era, f"/files/{row['id']}"))
    assert answer.status_code == 503
    assert "It is not lost" in words_of(answer)


def test_without_an_application_or_after_the_deadline_nothing_is_taken(country, ana, children, era):
    tea = children[1]
    assert ana.get(page_of(tea))["Location"] == page_of(tea, "")
    CLOCK.at_ms = CLOSES_S * 1000
    ana = Visitor().sign_in(country.citizens[0])
    file = SimpleUploadedFile("a.pdf", PDF)
    answer = ana.post(page_of(era), {"about": "other", "file": file}, form="/check")
    assert answer.status_code == 409
    assert documents(country) == []


@pytest.mark.parametrize("about", ["", "claim:looked-after", "paper", "<b>"])
def test_a_file_is_for_what_was_claimed(country, ana, era, about):
    answer = hand_in(ana, era, about=about)
    assert answer.status_code == 422
    assert "Say what the file is for" in words_of(answer)

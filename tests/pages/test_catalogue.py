"""The catalogue of services: public, and found with any letters, endings and language."""

from __future__ import annotations

import pytest

from fakes.portal import Visitor, words_of
from kulla.portal.catalogue import OFFERS, folded_words, same_word, search


def test_everybody_sees_what_each_service_needs_takes_and_costs(country):
    visitor = Visitor()
    listed = visitor.get("/services")
    for offer in OFFERS:
        assert f'href="/services/{offer.name}"' in listed.content.decode()
        said = words_of(visitor.get(f"/services/{offer.name}"))
        for text in (offer.title, offer.takes, offer.costs, *offer.needed, *offer.who):
            assert str(text) in said
    assert visitor.get("/services/nothing").status_code == 404


def test_each_service_begins_at_a_page_that_is_there(country):
    visitor = Visitor().sign_in(country.citizens[0])
    for offer in OFFERS:
        assert visitor.get(offer.begin).status_code == 200, offer.begin


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("doctor", "book-an-appointment"),
        ("MJEK", "book-an-appointment"),
        ("mjekun", "book-an-appointment"),
        ("takimin me mjekun", "book-an-appointment"),
        ("dua nje takim", "book-an-appointment"),
        ("anuloj takimin", "move-or-cancel-an-appointment"),
        ("femije", "act-for-a-child"),
        ("fëmijës", "act-for-a-child"),
        ("prokure", "power-of-attorney"),
        ("prokurën", "power-of-attorney"),
        ("attorney", "power-of-attorney"),
        ("privacy", "see-what-is-stored"),
        ("deshmi", "check-a-receipt"),
        ("receipt", "check-a-receipt"),
        ("shkollë", "apply-for-a-school"),
        ("school", "apply-for-a-school"),
        ("kopshti", "apply-for-a-school"),
        ("ankesë", "appeal-a-school-decision"),
    ],
)
@pytest.mark.parametrize("language", ["sq", "en"])
def test_it_is_found_in_both_languages_whatever_the_page_speaks(country, typed, first, language):
    page = Visitor(language=language).get("/services", QUERY_STRING=f"q={typed}")
    found = [one.name for one in search(typed)]
    assert found[0] == first
    assert f"/services/{first}" in page.content.decode()
    assert len(found) < len(OFFERS)


def test_what_fits_nothing_shows_everything_and_says_so(country):
    answer = Visitor().get("/services?q=xylophone")
    assert "No service fits all words of “xylophone”" in words_of(answer)
    assert all(offer.name in answer.content.decode() for offer in OFFERS)
    assert search("") == search("dua te nje") == []


def test_what_was_typed_is_text_and_never_markup(country):
    page = Visitor().get("/services?q=%3Cscript%3Ealert(1)%3C/script%3E").content.decode()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert len(Visitor().get(f"/services?q={'a' * 5000}").content) < 20_000


def test_words_lose_their_case_and_marks():
    assert folded_words("Fëmijë, ÇERDHE e-ID") == ["femije", "cerdhe", "e", "id"]


@pytest.mark.parametrize(
    ("typed", "known", "same"),
    [
        ("mjek", "mjeku", True),
        ("mjekun", "mjek", True),
        ("takimet", "takim", True),
        ("prokurat", "prokure", True),
        ("pass", "passkey", True),
        ("passport", "passkey", False),
        ("receta", "rezultat", False),
        ("da", "dua", False),
    ],
)
def test_forms_of_one_word(typed, known, same):
    assert same_word(typed, known) is same

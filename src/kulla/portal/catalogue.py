"""The catalogue of services: for everybody, without an account, searchable without a script.

People search in the language they think in and without the dots and hooks of the letters: `femije`
finds `fëmijë`, `takimin` finds `takim`, `doctor` finds the page also where it is in Albanian.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import translation

from kulla.portal.offers import OFFERS as PORTAL
from kulla.services.appointments.offers import OFFERS as APPOINTMENTS
from kulla.services.enrolment.offers import OFFERS as ENROLMENT
from kulla.services.pages import Offer, PageRequest, Text, open_to_all

OFFERS: Final[Sequence[Offer]] = (*APPOINTMENTS, *ENROLMENT, *PORTAL)
TYPED_CHARS_MAX: Final = 100

_WORDS_MAX: Final = 8
_PREFIX_MIN: Final = 4
_ENDING_MAX: Final = 2
_SCORES: Final = (4, 3, 1)
"""For a word in the title, in the summary or among the words people look for, and elsewhere."""

_WORD: Final = re.compile(r"\w+")
# Words that stand in every question and say nothing about which service is meant.
_EMPTY: Final = frozenset(
    {"dua", "te", "per", "nje", "ne", "nga", "me", "si", "ku", "i", "e", "the", "to", "for", "an"}
    | {"how", "do", "want", "my", "of", "in", "at", "or", "and", "a"}
)

Index = Mapping[str, tuple[frozenset[str], ...]]
"""By an offer's name: its words in all languages, in three groups as _SCORES has them."""


@open_to_all()
def services(request: PageRequest) -> HttpResponse:
    """All services, or with `?q=` those that fit the words."""
    typed = request.GET.get("q", "").strip()[:TYPED_CHARS_MAX]
    found = search(typed) if typed else list(OFFERS)
    context = {"offers": found or OFFERS, "typed": typed, "found_count": len(found)}
    return render(request, "portal/services.html", context)


@open_to_all()
def service(request: PageRequest, name: str) -> HttpResponse:
    """One service: what is needed, who may, how long it takes, and where it begins."""
    offer = next((one for one in OFFERS if one.name == name), None)
    if offer is None:
        raise Http404
    return render(request, "portal/service.html", {"offer": offer})


def search(typed: str) -> list[Offer]:
    """The offers that all words of `typed` fit, the best first; nothing for no words at all."""
    words = [word for word in folded_words(typed) if word not in _EMPTY][:_WORDS_MAX]
    if not words:
        return []
    scores = {offer.name: _score(words, _index()[offer.name]) for offer in OFFERS}
    fitting = [offer for offer in OFFERS if scores[offer.name]]
    return sorted(fitting, key=lambda offer: -scores[offer.name])


def folded_words(text: str) -> list[str]:
    """The words of a text without case and without marks: `Fëmijë` is `femije`."""
    bare = "".join(
        letter
        for letter in unicodedata.normalize("NFKD", text.casefold())
        if not unicodedata.combining(letter)
    )
    return _WORD.findall(bare)


def same_word(typed: str, known: str) -> bool:
    """Whether two folded words are forms of one: the one begins the other, or endings differ."""
    if known.startswith(typed):
        return True
    shared = 0
    for one, other in zip(typed, known, strict=False):
        if one != other:
            break
        shared += 1
    return shared >= max(_PREFIX_MIN, min(len(typed), len(known)) - _ENDING_MAX)


def _score(words: Sequence[str], groups: Sequence[frozenset[str]]) -> int:
    """How well the words fit; 0 where one of them fits nowhere."""
    total = 0
    for word in words:
        for score, group in zip(_SCORES, groups, strict=True):
            if any(same_word(word, known) for known in group):
                total += score
                break
        else:
            return 0
    return total


@cache
def _index() -> Index:
    """Made once a process: texts and translations don't change while it runs."""
    index = {}
    for offer in OFFERS:
        texts: tuple[Sequence[Text], ...] = (
            [offer.title],
            [offer.summary, offer.words],
            [*offer.needed, *offer.who, offer.begin_text],
        )
        index[offer.name] = tuple(_words_of(group) for group in texts)
    return index


def _words_of(texts: Sequence[Text]) -> frozenset[str]:
    found: set[str] = set()
    for code, _name in settings.LANGUAGES:
        with translation.override(code):
            for text in texts:
                found.update(folded_words(str(text)))
    return frozenset(found - _EMPTY)

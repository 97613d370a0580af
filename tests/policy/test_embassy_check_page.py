"""The check page: what it says about a receipt, in two languages, and that it is safe to serve."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from fakes.embassy import GrowingLog, SimulatedEmbassy
from fakes.signers import NOON_S, MadeUpTower, booked, receipt_of
from kulla.embassy.check_page import CheckPage, language_of
from kulla.embassy.check_words import ALBANIAN, ENGLISH, in_words
from kulla.embassy.replies import Reply
from kulla.journal.merkle import leaf_hash
from kulla.journal.receipts import parse_receipt

TOWER = MadeUpTower()
QUORUM = ("embassy-1", "embassy-2", "embassy-3")
RECEIPT = receipt_of(TOWER, QUORUM)


@pytest.fixture
def embassy() -> SimulatedEmbassy:
    """An embassy that mirrors the log in which the receipt's entry stands."""
    embassy = SimulatedEmbassy(TOWER)
    fresh = MadeUpTower()
    log = GrowingLog(TOWER.log_key, [fresh.sealer.seal(booked(number)) for number in range(3)])
    embassy.mirror.add_checkpoint(log.checkpoint_body(0))
    assert embassy.mirror.add_entries(log.entries_body(0)).status == 200
    return embassy


class Reading(HTMLParser):
    """The text of a page, and what it would load or run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._in_style = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        self.text += "" if self._in_style else " " + data


def read(reply: Reply) -> Reading:
    return Reading(reply.body.decode())


def test_a_sound_receipt_is_told_with_all_that_matters(embassy: SimulatedEmbassy):
    reply = CheckPage(embassy.mirror, "en").from_receipt(RECEIPT)
    text = read(reply).text
    assert reply.status == 200
    assert ENGLISH["sound"] in text
    for said in (
        "appointments: booked",
        "embassy-1, embassy-2, embassy-3",
        "9 October 2025, 10:53 (Tirana time)",
        "The entry stands here, at number 1.",
        "3 entries",
        "sealed (2 bytes)",
    ):
        assert said in text


def test_the_same_in_albanian(embassy: SimulatedEmbassy):
    text = read(CheckPage(embassy.mirror, "sq").from_receipt(RECEIPT)).text
    assert ALBANIAN["sound"] in text
    assert "9 tetor 2025, 10:53 (ora e Tiranës)" in text
    assert "Shënimi është këtu, me numrin 1." in text


def test_a_pasted_receipt_survives_the_line_ends_of_a_form(embassy: SimulatedEmbassy):
    pasted = b"\r\n " + RECEIPT.replace(b"\n", b"\r\n") + b"\r\n"
    assert CheckPage(embassy.mirror, "en").from_receipt(pasted).status == 200


def broken() -> dict[str, tuple[bytes, str]]:
    flipped = bytearray(RECEIPT)
    flipped[-10] = ord("A") if flipped[-10] != ord("A") else ord("B")
    return {
        "not a receipt": (b"hello", "not a whole receipt"),
        "cut": (RECEIPT[: len(RECEIPT) // 2], "not a whole receipt"),
        "two witnesses": (receipt_of(TOWER, QUORUM[:2]), "Too few embassies"),
        "another tower": (receipt_of(MadeUpTower(seed=2), QUORUM), "signed by a journal"),
        "a flipped signature": (bytes(flipped), "signature does not fit"),
        "another index": (RECEIPT.replace(b"index 1", b"index 2"), "not in the journal where"),
        "nothing": (b" \r\n", "No receipt came"),
    }


@pytest.mark.parametrize("name", broken())
def test_a_receipt_that_does_not_hold_says_why_and_what_to_do(embassy: SimulatedEmbassy, name: str):
    data, said = broken()[name]
    for language in ("en", "sq"):
        reply = CheckPage(embassy.mirror, language).from_receipt(data)
        assert reply.status in (400, 422)
        assert ENGLISH["sound"] not in read(reply).text
        assert ALBANIAN["sound"] not in read(reply).text
    assert said in read(CheckPage(embassy.mirror, "en").from_receipt(data)).text


def link(**changed: str) -> dict[str, str]:
    receipt = parse_receipt(RECEIPT)
    leaf = leaf_hash(receipt.entry).hex()
    return {"origin": TOWER.origin, "index": "1", "leaf": leaf, **changed}


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        (link(), 200, "stands here, at number 1"),
        (link(index="2"), 200, "Another entry stands here"),
        (link(index="3"), 200, "not among them yet"),
        (link(index="9" * 18), 200, "not among them yet"),
        (link(origin="elsewhere"), 200, "does not hold a journal of this name"),
        (link(origin=""), 400, "not complete"),
        (link(index="-1"), 400, "not complete"),
        (link(index="1e3"), 400, "not complete"),
        (link(leaf="zz"), 400, "not complete"),
        (link(leaf="00"), 400, "not complete"),
        ({"leaf": "00"}, 400, "not complete"),
    ],
)
def test_the_code_on_a_receipt_leads_to_an_answer(
    embassy: SimulatedEmbassy, query: dict[str, str], status: int, said: str
):
    reply = CheckPage(embassy.mirror, "en").from_link(query)
    assert reply.status == status
    assert said in read(reply).text


def test_what_is_saved_and_not_cosigned_is_not_there_yet(embassy: SimulatedEmbassy):
    new = SimulatedEmbassy(TOWER)
    assert "does not hold" in read(CheckPage(new.mirror, "en").from_link(link())).text


def test_nothing_is_loaded_run_or_framed_and_nothing_is_taken_as_markup(
    embassy: SimulatedEmbassy,
):
    evil = '"><script>alert(1)</script>'
    page = CheckPage(embassy.mirror, "en")
    for reply in (page.ask(), page.from_link(link(origin=evil, index=evil)), page.too_large()):
        reading = read(reply)
        assert {tag for tag, _ in reading.tags}.isdisjoint(
            {"script", "img", "link", "iframe", "object", "embed", "base", "font", "svg"}
        )
        assert not any(name.startswith("on") for _, attrs in reading.tags for name in attrs)
        policy = reply.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "frame-ancestors 'none'" in policy
        assert reply.headers["Cache-Control"] == "no-store"
        assert len(reply.body) < 10_000


def test_every_field_has_a_label_and_the_page_its_language(embassy: SimulatedEmbassy):
    for language in ("en", "sq"):
        reading = read(CheckPage(embassy.mirror, language).ask())
        ids = {attrs.get("id") for tag, attrs in reading.tags if tag in ("input", "textarea")}
        labels = {attrs.get("for") for tag, attrs in reading.tags if tag == "label"}
        assert ids == labels == {"file", "text"}
        assert ("html", {"lang": language}) in reading.tags


def test_both_languages_say_the_same_things():
    assert ALBANIAN.keys() == ENGLISH.keys()
    for key, text in ENGLISH.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", ALBANIAN[key])), key


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        ("", "", "sq"),
        ("", "en-GB,en;q=0.9", "en"),
        ("", "sq-AL,sq;q=0.9,en;q=0.5", "sq"),
        ("", "de", "sq"),
        ("en", "sq", "en"),
        ("sq", "en", "sq"),
        ("xx", "en", "en"),
    ],
)
def test_the_language_is_albanian_unless_english_is_asked_for(
    chosen: str, accepted: str, language: str
):
    assert language_of(chosen, accepted) == language


def test_times_are_in_words_with_their_zone():
    assert in_words(NOON_S, "en") == "9 October 2025, 10:53 (Tirana time)"
    assert in_words(1_767_222_000, "sq") == "1 janar 2026, 00:00 (ora e Tiranës)"

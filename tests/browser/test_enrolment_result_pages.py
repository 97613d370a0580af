"""Results on a real Chromium: parent and ministry, by keyboard, in both languages, under axe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from browser.serving import PHONE, Site, complaints, served, sign_in, tab_to
from fakes.clinic_desk import furnish
from fakes.country import Country
from fakes.enrolment_country import ROUND
from fakes.enrolment_outcome import MINISTRY, ROOT, Outcome
from kulla.kernel.service import Actor
from kulla.services.enrolment import tables

pytestmark = [pytest.mark.browser, pytest.mark.live]

DESKTOP = {"width": 1280, "height": 800}
ANA, ELIRA = "Ana Prifti", "Elira Meta"


class Stage:
    """The round behind a site that serves."""

    outcome: Outcome

    def __call__(self, country: Country, folder: Path) -> None:
        self.outcome = Outcome(country, folder)
        self.more()
        furnish(country, folder)

    def more(self) -> None:
        """What else happened before anybody looks."""


class Opened(Stage):
    def more(self) -> None:
        self.outcome.open()
        country, child = self.outcome.country, self.outcome.child
        text = country.tower.seal(child, {"text": "Motra mëson atje."})["text"]
        self.outcome.school.done("appeal", Actor("citizen", child), round=ROUND, text=text)


@pytest.fixture
def drawn(tmp_path: Path) -> Iterator[tuple[Site, Outcome]]:
    stage = Stage()
    with served(tmp_path, stage) as site:
        yield site, stage.outcome


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[tuple[Site, Outcome]]:
    stage = Opened()
    with served(tmp_path, stage) as site:
        yield site, stage.outcome


def _pages(outcome: Outcome) -> dict[str, list[str]]:
    [appeal] = outcome.country.tower._rows.find(tables.APPEAL)
    more = ("", "/answer/accepted", "/answer/waiting", "/answer/declined", "/leave/oak")
    return {
        ANA: [
            "/enrolment/results",
            *(outcome.result(more=one) for one in (*more, "/appeal", "/check")),
            f"{ROOT}/results",
        ],
        ELIRA: [
            MINISTRY,
            f"{MINISTRY}/classes/oak",
            f"{MINISTRY}/appeals",
            f"{MINISTRY}/appeals/{appeal['id']}",
            f"{MINISTRY}/audit",
            f"{MINISTRY}/late",
        ],
    }


@pytest.mark.parametrize(
    ("language", "scheme", "size"), [("sq", "light", PHONE), ("en", "dark", DESKTOP)]
)
def test_every_page_of_results_is_accessible_small_and_fits(
    browser: Browser, opened: tuple[Site, Outcome], language: str, scheme: Any, size: Any
) -> None:
    site, outcome = opened
    context = browser.new_context(viewport=size, color_scheme=scheme)
    page = context.new_page()
    found = []
    for who, addresses in _pages(outcome).items():
        sign_in(page, site, who, language)
        for address in addresses:
            answer = page.goto(f"{site.address}{address}")
            assert answer is not None
            assert answer.status == 200, address
            found += complaints(page, address)
    context.close()
    assert not found


def _press(page: Page, name: str, until: str) -> None:
    tab_to(page, name)
    page.keyboard.press("Enter")
    page.wait_for_url(until)


def test_a_parent_answers_by_keyboard_alone_in_albanian(
    page: Page, opened: tuple[Site, Outcome]
) -> None:
    site, outcome = opened
    page.set_viewport_size(PHONE)
    sign_in(page, site, ANA)
    page.goto(f"{site.address}/enrolment/results")
    _press(page, "Çlirim Duka: First grade 2026", f"**{outcome.result()}")
    assert page.get_by_text("Ju ofrohet një vend").is_visible()
    assert page.get_by_text("Pse jo një zgjedhje më e lartë").is_visible()
    _press(page, "Mbajeni dhe prisni një zgjedhje më të lartë", "**/answer/waiting")
    assert page.get_by_text("ky vend i kalon fëmijës tjetër").is_visible()
    _press(page, "Po, e mbaj dhe pres", f"**{outcome.result()}")
    assert page.get_by_text("i mbajtur, duke pritur një zgjedhje më të lartë").is_visible()
    _press(page, "Kontrolloni këtë rezultat me procesverbalin publik", "**/check")
    assert page.get_by_text("Gjithçka përputhet").is_visible()
    assert not complaints(page, "checked")


def test_the_ministry_allocates_and_opens_by_keyboard_alone(
    page: Page, drawn: tuple[Site, Outcome]
) -> None:
    site, outcome = drawn
    page.set_viewport_size(DESKTOP)
    sign_in(page, site, ELIRA, "en")
    page.goto(f"{site.address}{MINISTRY}")
    _press(page, "Allocate the round", "**/sign/**")
    _press(page, page.locator("button[name=demo]").inner_text(), f"**{MINISTRY}")
    assert page.get_by_text("The allocation is on its way").is_visible()
    site.run(outcome.move_lists)
    page.reload()
    assert page.get_by_text("2 of 3 children placed").is_visible()
    _press(page, "Open the results to families", "**/sign/**")
    _press(page, page.locator("button[name=demo]").inner_text(), f"**{MINISTRY}")
    assert page.get_by_text("waiting for the family's answer").is_visible()
    assert not complaints(page, "opened")

"""A family's first page, letters, acts and stored data of enrolment in a real Chromium.

axe, 320 px, dark, keyboard only, no script, both languages.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser.serving import PHONE, Site, complaints, served, sign_in, tab_to
from fakes.accounts import open_account, register
from fakes.portal import CLOCK
from fakes.school_country import ROUND, SchoolRound
from kulla.kernel.service import POST, Actor

pytestmark = [pytest.mark.browser, pytest.mark.live]

ANA = "Ana Prifti"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with served(tmp_path) as site:
        site.run(_furnish, site)
        yield site


def _furnish(site: Site) -> None:
    """Ana's child has an offer to answer, its letters came, and another round is open."""
    country = site.country
    ana, child = country.citizens[0], country.citizens[2]
    open_account(country, ana)
    register(country, ana, ANA)
    register(country, child, "Çlirim Duka")
    school = SchoolRound(country, CLOCK)
    school.relate(ana, child)
    facts = {"claims": [["sibling", "naim"]], "siblings": [], "area": ""}
    about = {"born": "2019-05-01", "address": "Rruga e Shkollës 7", "area": "tirane"}
    application = school.apply(child, facts=json.dumps(facts), about=json.dumps(about))
    school.allocate(**{child: "naim-1"})
    text = country.tower.seal(child, {"text": "Lutemi shihni prapë."})["text"]
    school.ask(Actor("citizen", ana, child), "appeal", round=ROUND, text=text)
    for number, kind in enumerate(("school-applied", "school-result", "school-answer")):
        letter: dict[str, Any] = {"message": f"{number:032x}", "subject": ana, "kind": kind}
        letter |= {"about": application, "channel": "mail"}
        assert country.ask(POST, "messages", "record_sent", letter).positions
    now_s = CLOCK.now_ms() // 1000
    days = {"opens_s": now_s - 60, "closes_s": now_s + 864_000, "results_s": now_s + 1_728_000}
    school.publish("kopshte-2026", "Regjistrimi në kopshte 2026", days)


def _walk(page: Any, site: Site) -> list[str]:
    """Open every page that says something of enrolment, then all that is stored."""
    found = []
    for address in ("/", "/messages", "/acts", "/mine/stored"):
        page.goto(f"{site.address}{address}")
        found += complaints(page, address)
    page.locator("form[action='/mine/stored'] button").click()
    page.locator(".panel.good").wait_for()
    assert page.get_by_text("Rruga e Shkollës 7").is_visible()
    found += complaints(page, "what is stored of a child, opened")
    page.goto(site.address)
    page.locator("form[action='/acting'] button").first.click()
    for number in range(2):
        page.goto(f"{site.address}/acts")
        page.locator("main a[href^='/receipts/']").nth(number).click()
        page.locator(".qr, h1").first.wait_for()
        found += complaints(page, f"receipt {number} of a child's acts")
    return found


@pytest.mark.parametrize("language", ["sq", "en"])
def test_they_are_accessible_and_fit_a_small_phone(page, site, language):
    sign_in(page, site, ANA, language)
    page.set_viewport_size(PHONE)
    page.goto(site.address)
    waits = {"sq": "pret përgjigjen tuaj", "en": "waits for your answer"}[language]
    assert page.get_by_text(waits, exact=True).is_visible()
    assert page.get_by_text("Regjistrimi në kopshte 2026").first.is_visible()
    assert not _walk(page, site)


def test_they_are_accessible_dark_and_zoomed_and_need_no_script(browser, site):
    context = browser.new_context(
        viewport={"width": 640, "height": 450}, device_scale_factor=2, color_scheme="dark"
    )
    page = context.new_page()
    sign_in(page, site, ANA, "sq")
    assert not _walk(page, site)
    context.close()


def test_from_the_first_page_to_the_result_with_the_keyboard_alone(page, site):
    sign_in(page, site, ANA, "en")
    page.goto(site.address)
    tab_to(page, "The result for Çlirim Duka")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/enrolment/rounds/{ROUND}/children/*/result")
    assert page.locator("h1").first.is_visible()

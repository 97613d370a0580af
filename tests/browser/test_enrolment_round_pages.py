"""The ministry's rounds and public pages on a real Chromium: keyboard, no script, axe, phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from browser.serving import PHONE, Site, complaints, served, sign_in, tab_to, too_wide
from fakes.clinic_desk import furnish
from fakes.country import MONDAY_MS, Country
from fakes.ministry import DAY_S, DAYS, a_round_and_the_next
from fakes.portal import CLOCK
from kulla.kernel.service import Actor

pytestmark = [pytest.mark.browser, pytest.mark.live]

DESKTOP: Any = {"width": 1280, "height": 800}
PUBLIC = "/enrolment"
MINISTRY = "/enrolment/ministry"
OPEN, NEXT = f"{MINISTRY}/rounds/first-2026", f"{MINISTRY}/rounds/next-2026"
ELIRA = "Elira Meta"
NEW_ROUND = {
    "round": "late-2026",
    "title": "Raundi i vonë",
    "school_year": "2026-27",
    "opens_s": "2026-02-10T08:00",
    "closes_s": "2026-03-10T16:00",
    "results_s": "2026-03-30T08:00",
    "answer_by_s": "2026-04-10T16:00",
}


def _furnish(country: Country, folder: Path) -> None:
    a_round_and_the_next(country)
    clerk, now_s = Actor("clerk", country.clerk), MONDAY_MS // 1000
    moved = {name: now_s + (at_s - DAYS["opens_s"]) for name, at_s in DAYS.items()}
    moved["answer_by_s"] += DAY_S
    data: Any = {"round": "first-2026", **moved, "why": "Përmbytje në veri të vendit."}
    assert country.ask(clerk, "enrolment", "move_round", data).status == "accepted"
    data = {"round": "empty-2026", "title": "I zbrazët", "school_year": "2026-27"}
    data |= {"zone": "Europe/Tirane", "parent": "first-2026", **moved}
    assert country.ask(clerk, "enrolment", "prepare_round", data).status == "accepted"
    furnish(country, folder)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with served(tmp_path, _furnish) as site:
        yield site


PUBLIC_PAGES = (
    f"{PUBLIC}/",
    f"{PUBLIC}/rounds/first-2026",
    f"{PUBLIC}/rounds/first-2026/schools",
    f"{PUBLIC}/rounds/first-2026/schools?grade=grade-1&place=Durrës",
    f"{PUBLIC}/rounds/first-2026/schools/naim",
)
MINISTRY_PAGES = (
    f"{MINISTRY}/",
    f"{MINISTRY}/new",
    f"{MINISTRY}/schools",
    f"{MINISTRY}/schools?q=nothing",
    f"{MINISTRY}/schools/new",
    f"{MINISTRY}/schools/in",
    f"{MINISTRY}/schools/of/naim",
    OPEN,
    f"{OPEN}/days",
    f"{OPEN}/programmes",
    NEXT,
    f"{NEXT}/days",
    f"{NEXT}/rules",
    f"{NEXT}/programmes",
    f"{NEXT}/programmes/new",
    f"{NEXT}/programmes/in",
    f"{NEXT}/programmes/of/naim-1",
    f"{MINISTRY}/rounds/empty-2026",
    f"{MINISTRY}/rounds/empty-2026/rules",
    f"{MINISTRY}/rounds/empty-2026/programmes/in",
)
LOOKS = [("sq", "light", PHONE), ("en", "dark", DESKTOP)]


@pytest.mark.parametrize(("language", "scheme", "size"), LOOKS)
def test_every_page_is_accessible_small_and_fits(
    browser: Browser, site: Site, language: str, scheme: Any, size: Any
) -> None:
    context = browser.new_context(viewport=size, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{site.address}/?lang={language}")
    found = _looked_at(page, site, PUBLIC_PAGES)
    sign_in(page, site, ELIRA, language)
    found += _looked_at(page, site, MINISTRY_PAGES)
    found += _after_faults(page, site)
    context.close()
    assert not found


def _looked_at(page: Page, site: Site, addresses: tuple[str, ...]) -> list[str]:
    found = []
    for address in addresses:
        answer = page.goto(f"{site.address}{address}")
        assert answer is not None
        assert answer.status == 200, address
        found += complaints(page, address)
    return found


def _after_faults(page: Page, site: Site) -> list[str]:
    """The forms as they come back with something wrong, and a file with rejected rows."""
    page.goto(f"{site.address}{MINISTRY}/new")
    page.locator("main form button").last.click()
    found = complaints(page, "round with faults")
    page.goto(f"{site.address}{NEXT}/rules")
    page.fill("#p0-kind", "NO")
    page.fill("#a0-first", "")
    page.locator("button[value=sign]").click()
    found += complaints(page, "rules with faults")
    page.goto(f"{site.address}{NEXT}/rules")
    page.locator("button[value=look]").click()
    found += complaints(page, "rules in sentences")
    page.goto(f"{site.address}{NEXT}/programmes/in")
    rows = b"school,grade,name,open\nnaim,grade-1,Mbasdite,9\nno,grade-1,X,1\n,,,\nnaim,x,X,1\n"
    page.set_input_files("#file", {"name": "a.csv", "mimeType": "text/csv", "buffer": rows})
    page.locator("main form button").last.click()
    page.wait_for_selector("[role=status]")
    return found + complaints(page, "file with rejected rows")


def _press(page: Page, name: str, until: str) -> None:
    tab_to(page, name)
    page.keyboard.press("Enter")
    page.wait_for_url(until)


def _signed(page: Page, until: str) -> None:
    """Sign what the page before led to."""
    page.wait_for_url("**/sign/**")
    _press(page, page.locator("button[name=demo]").inner_text(), until)


def test_a_round_by_keyboard_alone_in_albanian_without_a_script(
    browser: Browser, site: Site
) -> None:
    context = browser.new_context(viewport=DESKTOP, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, site, ELIRA)
    page.goto(f"{site.address}{PUBLIC}/")
    page.get_by_role("link", name="Raundet e ministrisë").click()
    page.get_by_role("link", name="Përgatitni një raund").click()
    for name, value in NEW_ROUND.items():
        page.fill(f"#{name}", value)
    page.get_by_role("button", name="Vazhdoni te nënshkrimi").click()
    _sign_by_click(page)
    assert page.get_by_text("Vendosni rregullat.").is_visible()
    page.get_by_role("link", name="Rregullat", exact=True).click()
    assert not too_wide(page, "rules")
    kinds = page.locator("input[name$=-kind]")
    assert [kinds.nth(n).input_value() for n in range(2)] == ["sibling", "catchment"]
    page.locator("button[value=up-p1]").press("Enter")
    assert kinds.nth(0).input_value() == "catchment"
    page.locator("button[value=add-a]").press("Enter")
    page.fill("#a0-grade", "grade-1")
    page.fill("#a0-first", "2020-01-01")
    page.fill("#a0-last", "2020-12-31")
    page.locator("#a0-last").press("Enter")  # the form comes back with what was typed in it
    assert page.locator("#a0-first").input_value() == "2020-01-01"
    assert kinds.nth(0).input_value() == "catchment"
    page.locator("button[value=sign]").press("Enter")
    assert page.get_by_text("Një familje emërton deri në 5 programe").is_visible()
    _sign_by_click(page)
    assert page.get_by_text("versioni 1").is_visible()
    page.goto(f"{site.address}{MINISTRY}/rounds/late-2026/programmes/new")
    for name, value in {"programme": "naim-1", "school": "naim", "name": "Turni"}.items():
        page.fill(f"#{name}", value)
    page.select_option("#grade", "grade-1")
    page.fill("#seats-open", "24")
    page.get_by_role("button", name="Vazhdoni te nënshkrimi").click()
    _sign_by_click(page)
    page.goto(f"{site.address}{MINISTRY}/rounds/late-2026")
    page.get_by_role("button", name="Botoni raundin").click()
    _sign_by_click(page)
    page.goto(f"{site.address}{PUBLIC}/rounds/late-2026")
    assert page.get_by_role("heading", name="Raundi i vonë").is_visible()
    context.close()


def _sign_by_click(page: Page) -> None:
    page.wait_for_url("**/sign/**")
    page.locator("button[name=demo]").click()
    page.wait_for_url(re.compile(r"/enrolment/"))


def test_the_rules_are_put_in_order_by_keyboard_alone(page: Page, site: Site) -> None:
    page.set_viewport_size(DESKTOP)
    sign_in(page, site, ELIRA, "en")
    page.goto(f"{site.address}{NEXT}")
    _press(page, "Rules", "**/rules")
    tab_to(page, "↓ Priority 1: Down")
    page.keyboard.press("Enter")
    page.wait_for_load_state()
    assert page.locator("#p0-kind").input_value() == "special-need"
    tab_to(page, "Go on to sign")
    page.keyboard.press("Enter")
    _signed(page, "**/rounds/next-2026")
    assert page.get_by_text("version 2").is_visible()


def test_a_parent_finds_a_school_on_a_phone(page: Page, site: Site) -> None:
    CLOCK.at_ms = MONDAY_MS + 3 * DAY_S * 1000
    page.set_viewport_size(PHONE)
    page.goto(f"{site.address}{PUBLIC}/?lang=sq")
    assert page.get_by_text("Koha e aplikimit nuk ka kurrë rëndësi").is_visible()
    page.get_by_role("link", name="Ditët dhe rregullat").click()
    assert page.get_by_text("Përmbytje në veri të vendit.").is_visible()
    page.select_option("#place", "Durrës")
    page.get_by_role("button", name="Gjeni shkolla").click()
    page.get_by_role("link", name="Shkolla Dora d'Istria").click()
    assert page.get_by_text("20 vende").is_visible()
    assert not complaints(page, "school")

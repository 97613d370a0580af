"""Tokens and the description of the API on a real Chromium: small phone, keyboard, axe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from browser.serving import PHONE, Site, complaints, served, sign_in
from fakes.clinic_desk import furnish

pytestmark = [pytest.mark.browser, pytest.mark.live]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with served(tmp_path, furnish) as site:
        yield site


class Person:
    """Somebody with a small phone; `complaints` is what axe finds on their way, and any script."""

    def __init__(self, browser: Browser, site: Site, name: str, language: str) -> None:
        context = browser.new_context(viewport=PHONE)
        self.page: Page = context.new_page()
        self.language = language
        self.complaints: list[str] = []
        sign_in(self.page, site, name, language)

    def look(self, name: str) -> None:
        """See that the open page is accessible, fits, is light, and has no script."""
        self.complaints += complaints(self.page, f"programs-{name}-{self.language}")
        if "/sign/" not in self.page.url:  # passkeys alone need one
            self.complaints += [f"{name}: a script"] * self.page.locator("script").count()

    def enter(self) -> None:
        """Press Enter on the button of the form that stands last: what a keyboard does."""
        self.page.locator("main form button").last.focus()
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")


@pytest.mark.parametrize("language", ["sq", "en"])
def test_a_citizen_makes_a_token_and_takes_it_back(browser: Browser, site: Site, language: str):
    ana = Person(browser, site, "Ana Prifti", language)
    ana.page.goto(f"{site.address}/api/")
    ana.look("api")
    ana.page.goto(f"{site.address}/mine/programs")
    ana.look("none")
    ana.enter()
    ana.look("problems")
    assert ana.page.locator(".fault").count() == 2
    ana.page.fill("#name", "Kalendari im")
    ana.page.locator("input[type=checkbox]").nth(1).check()
    ana.enter()
    ana.look("token")
    assert ana.page.locator(".panel.code").inner_text().startswith("kulla_")
    ana.page.locator("main a.button").click()
    ana.look("one")
    ana.page.locator("a[href$='/remove']").click()
    ana.look("question")
    ana.enter()
    assert ana.page.locator("a[href$='/remove']").count() == 0
    assert ana.complaints == []


@pytest.mark.parametrize("language", ["sq", "en"])
def test_an_operator_issues_a_token_and_takes_it_back(browser: Browser, site: Site, language: str):
    olsi = Person(browser, site, "Olsi Leka", language)
    olsi.page.goto(f"{site.address}/operator/tokens")
    olsi.look("tokens")
    olsi.enter()
    olsi.look("tokens-problems")
    olsi.page.fill("#name", "Qendra e Kërkimit")
    olsi.page.locator("input[type=checkbox]").check()
    olsi.enter()
    olsi.look("tokens-new")
    olsi.enter()
    olsi.page.locator("button[name=demo]").click()
    olsi.look("tokens-issued")
    assert "Qendra e Kërkimit" in olsi.page.content()
    olsi.page.locator("a[href$='/revoke']").click()
    olsi.look("tokens-revoke")
    olsi.enter()
    olsi.page.locator("button[name=demo]").click()
    assert olsi.page.locator("a[href$='/revoke']").count() == 0
    assert olsi.complaints == []

"""Two operators give a role on a real Chromium: small phone, both languages, axe on every page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from browser.serving import PHONE, Site, complaints, served, sign_in
from fakes.accounts import add_passkey, open_account
from fakes.clinic_desk import furnish
from fakes.country import Country
from fakes.device import Device

pytestmark = [pytest.mark.browser, pytest.mark.live]

MAIL = "ana@shembull.al"
WORDS = {
    "sq": {
        "see": "Shihni kush është",
        "go": "Vazhdoni te nënshkrimi",
        "approve": "Miratoni dhe vazhdoni te nënshkrimi",
        "done": "U krye dhe u konfirmua.",
    },
    "en": {
        "see": "See who this is",
        "go": "Go on to sign",
        "approve": "Approve, and go on to sign",
        "done": "It is done and confirmed.",
    },
}


def _people(country: Country, folder: Path) -> None:
    furnish(country, folder)
    open_account(country, country.citizens[0], MAIL)
    add_passkey(country, country.citizens[0], Device(5))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with served(tmp_path, _people) as site:
        yield site


class Operator:
    """An operator with a small phone; `complaints` is what axe finds on their way."""

    def __init__(self, browser: Browser, site: Site, name: str, language: str) -> None:
        context = browser.new_context(viewport=PHONE)
        self.page = context.new_page()
        self.complaints: list[str] = []
        self.language, self.words = language, WORDS[language]
        sign_in(self.page, site, name, language)
        self.page.goto(f"{site.address}/operator/staff")

    def look(self, name: str) -> None:
        """See that the open page is accessible, fits and is light."""
        self.complaints += complaints(self.page, f"roles-{name}-{self.language}")

    def press(self, name: str) -> None:
        """Press a button by its words."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def sign(self) -> None:
        """Sign what is asked, and see that it was done."""
        self.look("sign")
        self.page.locator("button[name=demo]").click()
        assert self.words["done"] in self.page.content()


@pytest.mark.parametrize("language", ["sq", "en"])
def test_one_proposes_another_approves_one_takes(
    browser: Browser, site: Site, language: str
) -> None:
    first = Operator(browser, site, "Olsi Leka", language)
    words = first.words
    first.look("staff")
    first.press(words["see"])
    first.look("problems")
    first.page.fill("#mail", MAIL)
    first.page.get_by_role("radio").first.check()
    first.press(words["see"])
    assert "Ana Prifti" in first.page.content()
    first.look("propose")
    first.press(words["go"])
    first.sign()
    first.look("proposed")

    second = Operator(browser, site, "Oriana Toska", language)
    second.page.locator("a[href*='/proposals/']").click()
    second.look("decide")
    second.press(words["approve"])
    second.sign()
    ana = site.country.citizens[0]
    second.page.locator(f"a[href='/operator/staff/{ana}/clerk/take']").click()
    second.look("take")
    second.press(words["go"])
    second.sign()
    assert second.page.locator(f"a[href*='{ana}']").count() == 0
    assert first.complaints + second.complaints == []

"""Two operators give a role on a real Chromium: small phone, both languages, axe on every page.

The portal serves from threads of this process in front of FakeTower; what operators sign is
verified by the real Authority.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from fakes.accounts import add_passkey, open_account
from fakes.clinic_desk import furnish
from fakes.country import Country
from fakes.device import Device
from fakes.portal import found

pytestmark = [pytest.mark.browser, pytest.mark.live]

PHONE: Any = {"width": 320, "height": 640}
MAIL = "ana@shembull.al"
SHOTS = os.environ.get("KULLA_SHOTS", "")
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


@dataclass
class Site:
    """A portal that serves, its address, and the country behind it."""

    address: str
    country: Country


def _people(country: Country, folder: Path) -> None:
    furnish(country, folder)
    open_account(country, country.citizens[0], MAIL)
    add_passkey(country, country.citizens[0], Device(5))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

    from kulla.services.accounts.authority import Authority

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    # Playwright's loop runs in this thread, and Django opens no database beside a loop.
    with ThreadPoolExecutor(1) as threads:
        country, application = threads.submit(found, tmp_path).result()
        threads.submit(_people, country, tmp_path).result()
        server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet, allow_reuse_address=False)
        server.daemon_threads = True
        server.set_app(application)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        country.tower.authority = Authority("kulla.example", (address,))
        yield Site(address, country)
        server.shutdown()
        thread.join(10)
        server.server_close()


class Operator:
    """An operator with a small phone; `complaints` is what axe finds on their way."""

    def __init__(self, browser: Browser, site: Site, name: str, language: str) -> None:
        context = browser.new_context(viewport=PHONE)
        self.page = context.new_page()
        self.complaints: list[str] = []
        self.site, self.words = site, WORDS[language]
        self.page.goto(f"{site.address}/sign-in?lang={language}")
        self.page.get_by_role("button", name=name).click()
        self.page.goto(f"{site.address}/operator/staff")

    def look(self, name: str) -> None:
        """Let axe look at the open page, see that it fits and is light."""
        self.complaints += [
            f"{name}: {one['id']}: {one['nodes'][0]['html'][:100]}"
            for one in Axe().run(self.page).response["violations"]
        ]
        wide = _width(self.page)
        self.complaints += [f"{name}: {wide} px wide"] if wide > PHONE["width"] else []
        kilobytes = len(self.page.content().encode()) / 1024
        self.complaints += [f"{name}: {kilobytes:.0f} KB"] if kilobytes > 60 else []
        if SHOTS:
            self.page.screenshot(path=f"{SHOTS}/roles-{name}.png", full_page=True)

    def press(self, name: str) -> None:
        """Press a button by its words."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def sign(self) -> None:
        """Sign what is asked, and see that it was done."""
        self.look("sign")
        self.page.locator("button[name=demo]").click()
        assert self.words["done"] in self.page.content()


def _width(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth"))


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

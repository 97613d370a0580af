"""Tokens and the description of the API on a real Chromium: small phone, keyboard, axe.

The portal serves from threads of this process in front of FakeTower; what an operator signs is
verified by the real Authority.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from fakes.clinic_desk import furnish
from fakes.portal import found

pytestmark = [pytest.mark.browser, pytest.mark.live]

PHONE: Any = {"width": 320, "height": 640}
SHOTS = os.environ.get("KULLA_SHOTS", "")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """The address of a portal that serves a country with a founded staff."""
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

    from kulla.services.accounts.authority import Authority

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    # Playwright's loop runs in this thread, and Django opens no database beside a loop.
    with ThreadPoolExecutor(1) as threads:
        country, application = threads.submit(found, tmp_path).result()
        threads.submit(furnish, country, tmp_path).result()
        server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet, allow_reuse_address=False)
        server.daemon_threads = True
        server.set_app(application)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        country.tower.authority = Authority("kulla.example", (address,))
        yield address
        server.shutdown()
        thread.join(10)
        server.server_close()


class Person:
    """Somebody with a small phone; `complaints` is what axe finds on their way, and any script."""

    def __init__(self, browser: Browser, site: str, name: str, language: str) -> None:
        context = browser.new_context(viewport=PHONE)
        self.page: Page = context.new_page()
        self.language, self.site = language, site
        self.complaints: list[str] = []
        self.page.goto(f"{site}/sign-in?lang={language}")
        self.page.get_by_role("button", name=name).click()

    def look(self, name: str) -> None:
        """Let axe look at the open page, see that it fits and is light."""
        self.complaints += [
            f"{name}: {one['id']}: {one['nodes'][0]['html'][:100]}"
            for one in Axe().run(self.page).response["violations"]
        ]
        if "/sign/" not in self.page.url:  # passkeys alone need one
            self.complaints += [f"{name}: a script"] * self.page.locator("script").count()
        wide = int(self.page.evaluate("document.documentElement.scrollWidth"))
        self.complaints += [f"{name}: {wide} px wide"] if wide > PHONE["width"] else []
        kilobytes = len(self.page.content().encode()) / 1024
        self.complaints += [f"{name}: {kilobytes:.0f} KB"] if kilobytes > 60 else []
        if SHOTS:
            path = f"{SHOTS}/programs-{name}-{self.language}.png"
            self.page.screenshot(path=path, full_page=True)

    def enter(self) -> None:
        """Press Enter on the button of the form that stands last: what a keyboard does."""
        self.page.locator("main form button").last.focus()
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")


@pytest.mark.parametrize("language", ["sq", "en"])
def test_a_citizen_makes_a_token_and_takes_it_back(browser: Browser, site: str, language: str):
    ana = Person(browser, site, "Ana Prifti", language)
    ana.page.goto(f"{site}/api/")
    ana.look("api")
    ana.page.goto(f"{site}/mine/programs")
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
def test_an_operator_issues_a_token_and_takes_it_back(browser: Browser, site: str, language: str):
    olsi = Person(browser, site, "Olsi Leka", language)
    olsi.page.goto(f"{site}/operator/tokens")
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

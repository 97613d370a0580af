"""The check page of an embassy in a real browser: usable by all, and nothing runs or loads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from fakes.embassy_process import EmbassyProcess, embassy_process

pytestmark = [pytest.mark.live, pytest.mark.browser]


@pytest.fixture
def embassy(tmp_path: Path) -> Iterator[EmbassyProcess]:
    with embassy_process(tmp_path) as embassy:
        yield embassy


def test_a_receipt_can_be_checked_by_anyone(page: Page, embassy: EmbassyProcess):
    """By keyboard, on a narrow screen, in both languages, with no violation that axe knows of."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": 320, "height": 640})
    for language, title, answer in (
        ("sq", "Kontrolloni një vërtetim", "Vërtetimi nuk qëndron"),
        ("en", "Check a receipt", "This receipt does not hold"),
    ):
        page.goto(f"{embassy.url}/check?lang={language}")
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        assert Axe().run(page).violations_count == 0
        for _ in range(3):
            page.keyboard.press("Tab")
        page.keyboard.type("this is no receipt")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text(answer)
        assert Axe().run(page).violations_count == 0
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 320
    page.get_by_role("link", name="Shqip").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Kontrolloni një vërtetim")
    # A refused receipt is an answer of 422, which Chromium notes; nothing else may be there.
    assert [text for text in complaints if "422" not in text] == []
    assert {url for url in asked if not url.startswith(embassy.url)} == set()

"""The page of a lottery in a real Chromium: axe, 320 px, keyboard only, no script, languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser.serving import PHONE, Site, complaints, served, tab_to
from fakes.country import Country
from fakes.lottery_portal import PAGE, LotteryPortal

pytestmark = [pytest.mark.browser, pytest.mark.live]


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[tuple[Site, LotteryPortal]]:
    made: list[LotteryPortal] = []

    def furnish(country: Country, folder: Path) -> None:
        made.append(LotteryPortal(country, folder))

    with served(tmp_path, furnish) as site:
        yield site, made[0]


@pytest.fixture
def phone(browser: Any) -> Iterator[Any]:
    """A page of 320 px."""
    context = browser.new_context(viewport=PHONE)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("language", ["sq", "en"])
def test_the_page_is_fit_for_everybody_at_every_step(shown, phone, language: str):
    site, portal = shown
    steps = ("nothing", "committed", "closed", "drawn")
    wrong = []
    position = 0
    for step in steps:
        if step == "committed":
            site.run(portal.commit)
        elif step == "closed":
            position = site.run(portal.close)
        elif step == "drawn":
            site.run(_draw, portal, position)
        phone.goto(f"{site.address}{PAGE}?lang={language}")
        wrong += complaints(phone, f"{PAGE}-{step}-{language}")
    assert not wrong


def _draw(portal: LotteryPortal, position: int) -> None:
    data = portal.beside.draw_data(opened=("embassy-4",))
    portal.ask("draw_seed", **(data | {"closed": position}))


def test_by_keyboard_and_without_script_one_gets_the_text(shown, browser: Any):
    site, portal = shown
    site.run(portal.commit)
    seed = site.run(portal.draw)
    context = browser.new_context(java_script_enabled=False, accept_downloads=True)
    page = context.new_page()
    page.goto(f"{site.address}{PAGE}?lang=en")
    assert seed.hex() in page.content()
    with page.expect_download() as told:
        page.get_by_role("link", name="Download the text").focus()
        page.keyboard.press("Enter")
    path = told.value.path()
    assert Path(path).read_text().startswith("kulla-lottery-seed/v1\n")
    context.close()


def test_the_downloads_are_reached_with_tab(shown, phone):
    site, portal = shown
    site.run(portal.commit)
    site.run(portal.draw)
    phone.goto(f"{site.address}{PAGE}?lang=en")
    tab_to(phone, "Download the whole proof")

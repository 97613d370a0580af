"""A mother applies for her daughter, a clerk decides: a real Chromium, keyboard, axe, a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from browser.serving import PHONE, Site, complaints, served, sign_in, tab_to, too_wide
from fakes.enrolment import CLOSES_S, ROUND, apply_past_pages, settle_families
from fakes.portal import CLOCK
from fakes.uploads import PDF

pytestmark = [pytest.mark.browser, pytest.mark.live]

DESKTOP = {"width": 1280, "height": 800}
CHILDREN: dict[str, str] = {}
"""The children of the country that serves, by first name."""


def furnish(country: Any, folder: Path) -> None:
    era, tea, driton = settle_families(country, folder)
    CHILDREN.update(era=era, tea=tea, driton=driton)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with served(tmp_path, furnish) as site:
        yield site


def of(child: str, more: str = "") -> str:
    return f"/enrolment/rounds/{ROUND}/children/{CHILDREN[child]}{more}"


def press(page: Page, name: str, until: str) -> None:
    tab_to(page, name)
    with page.expect_navigation(url=until):  # the address may stay as it is
        page.keyboard.press("Enter")


def tick(page: Page, name: str) -> None:
    """Reach a box by Tab and tick it by the space bar."""
    box = page.get_by_label(name).first
    box.focus()
    page.keyboard.press("Space")
    assert box.is_checked()


def test_a_mother_applies_without_a_script(browser: Browser, site: Site) -> None:
    context = browser.new_context(viewport=PHONE, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, site, "Ana Prifti", "en")
    page.goto(f"{site.address}{of('era', '/enter')}")
    for button in ("That is right, go on", "Find schools", "Shkolla 1 Maji"):
        page.get_by_role("button", name=button).click()
    page.get_by_role("button", name="Go on and check it").click()
    page.get_by_role("button", name="Send the application").click()
    page.get_by_role("heading", name="The application is confirmed").wait_for()
    context.close()


def test_a_mother_applies_on_a_phone_by_keyboard_alone_in_albanian(
    browser: Browser, site: Site
) -> None:
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    sign_in(page, site, "Ana Prifti")
    page.goto(f"{site.address}/enrolment/children")
    found = complaints(page, "children")
    press(page, "Aplikoni: Era Prifti, Enrolment 2026", f"**{of('era')}")
    press(page, "Aplikoni", "**/enter")
    found += complaints(page, "enter")
    press(page, "Është saktë, vazhdoni", "**/apply")
    found += complaints(page, "apply, empty")
    page.locator("#q").focus()
    page.keyboard.type("Frashëri")
    page.keyboard.press("Enter")
    page.wait_for_url("**find=1**")
    assert page.get_by_text("U gjetën 2 programe").is_visible()
    found += complaints(page, "apply, found")
    for school in ("Shkolla Naim Frashëri", "Shkolla Sami Frashëri"):
        press(page, f"Vendoseni në listë: {school}", "**#find")
    press(page, "Lart: Shkolla Sami Frashëri", "**#list")
    listed = page.locator("ol.lines .name").all_inner_texts()
    assert [one.partition(",")[0] for one in listed] == [
        "Shkolla Sami Frashëri",
        "Shkolla Naim Frashëri",
    ]
    tick(page, "Tea Prifti")
    found += complaints(page, "apply, listed")
    press(page, "Vazhdoni dhe kontrollojeni", "**/check")
    found += complaints(page, "check")
    press(page, "Dërgoni aplikimin", "**?sent=1")
    assert page.get_by_role("heading", name="Aplikimi u konfirmua").is_visible()
    found += complaints(page, "sent")
    context.close()
    assert not found


def test_a_file_is_handed_in_and_downloads(browser: Browser, site: Site, tmp_path: Path) -> None:
    site.run(apply_past_pages, site.country, site.country.citizens[0], CHILDREN["era"])
    context = browser.new_context(viewport=PHONE, accept_downloads=True)
    page = context.new_page()
    sign_in(page, site, "Ana Prifti", "en")
    page.goto(f"{site.address}{of('era', '/files')}")
    found = complaints(page, "files")
    paper = tmp_path / "a paper.pdf"
    paper.write_bytes(PDF)
    page.set_input_files("#file", paper)
    page.get_by_role("button", name="Hand it in").click()
    page.get_by_role("link", name="a paper.pdf", exact=True).wait_for()
    found += complaints(page, "files, one")
    with page.expect_download() as download:
        page.get_by_role("link", name="a paper.pdf", exact=True).click()
    assert Path(download.value.path()).read_bytes() == PDF
    assert download.value.suggested_filename == "a paper.pdf"
    wrong = tmp_path / "page.pdf"
    wrong.write_text("<script>alert(1)</script>")
    page.set_input_files("#file", wrong)
    page.get_by_role("button", name="Hand it in").click()
    page.get_by_role("alert").wait_for()
    assert page.get_by_text("Only PDF, JPEG and PNG").first.is_visible()
    found += complaints(page, "files, refused")
    context.close()
    assert not found


def _pages(site: Site) -> list[str]:
    """Each page of a family and of the counter that opens with what they have."""
    country = site.country
    country.tower.authority = None
    for child in ("era", "driton"):
        guardian = country.citizens[0 if child == "era" else 2]
        apply_past_pages(country, guardian, CHILDREN[child])
    return [
        of("era"),
        of("era", "/enter"),
        of("era", "/apply"),
        of("era", "/apply?find=1&place=&q="),
        of("era", "/check"),
        of("era", "/files"),
        of("era", "/withdraw"),
        of("tea"),
    ]


@pytest.mark.parametrize(
    ("language", "scheme", "size"),
    [("sq", "light", PHONE), ("en", "dark", DESKTOP), ("en", "light", PHONE)],
)
@pytest.mark.parametrize("who", ["Ana Prifti", "Elira Meta"])
def test_every_page_is_accessible_small_and_fits(
    browser: Browser, site: Site, language: str, scheme: Any, size: Any, who: str
) -> None:
    pages = site.run(_pages, site)
    if who == "Elira Meta":
        pages += [
            of("era", "/claims/0"),
            of("era", "/enter?by_hand=1"),
            "/enrolment/counter/",
            f"/enrolment/counter/{ROUND}",
        ]
    else:
        pages.append("/enrolment/children")
    context = browser.new_context(viewport=size, color_scheme=scheme)
    page = context.new_page()
    sign_in(page, site, who, language)
    found = []
    for address in pages:
        answer = page.goto(f"{site.address}{address}")
        assert answer is not None
        assert answer.status == 200, address
        found += complaints(page, address)
    context.close()
    assert not found


def test_after_the_deadline_the_pages_say_so(browser: Browser, site: Site) -> None:
    site.run(_pages, site)
    CLOCK.at_ms = CLOSES_S * 1000
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    sign_in(page, site, "Ana Prifti", "sq")
    found = []
    for address in (of("era"), of("era", "/apply"), of("era", "/withdraw"), of("era", "/files")):
        page.goto(f"{site.address}{address}")
        found += complaints(page, f"closed {address}")
    context.close()
    assert not found


def test_a_clerk_types_a_paper_form_in_and_decides_by_keyboard(page: Page, site: Site) -> None:
    page.set_viewport_size(DESKTOP)
    sign_in(page, site, "Elira Meta")
    page.goto(f"{site.address}/enrolment/counter/")
    tab_to(page, "number")
    page.keyboard.type("C00000001K")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{of('era')}")
    press(page, "Aplikoni", "**/enter")
    press(page, "Është saktë, vazhdoni", "**/sign/**")
    _sign(page, "**/apply")
    page.locator("#q").focus()
    page.keyboard.type("Naim")
    page.keyboard.press("Enter")
    page.wait_for_url("**find=1**")
    press(page, "Vendoseni në listë: Shkolla Naim Frashëri", "**#find")
    tick(page, "Shkolla Naim Frashëri")
    found = complaints(page, "counter apply")
    press(page, "Vazhdoni dhe kontrollojeni", "**/check")
    press(page, "Dërgoni aplikimin", "**/sign/**")
    found += complaints(page, "counter sign")
    _sign(page, "**?sent=1")
    assert page.get_by_role("heading", name="Aplikimi u konfirmua").is_visible()
    title = page.locator("ul.cards h3").first.inner_text().partition(":")[0]
    press(page, f"Vendosni: {title}", "**/claims/0")
    tab_to(page, "reason")
    page.keyboard.type("E pashë dëshminë.")
    press(page, "Vazhdoni dhe nënshkruani", "**/sign/**")
    _sign(page, f"**{of('era')}")
    assert page.get_by_text("E pashë dëshminë.").is_visible()
    found += complaints(page, "counter decided")
    found += too_wide(page, "counter decided")
    assert not found


def _sign(page: Page, until: str) -> None:
    press(page, page.locator("button[name=demo]").inner_text(), until)

"""The citizen's pages in a real Chromium: axe, 320 px, 200 % zoom, keyboard only, no JavaScript.

What is served, and how a page is looked at, is in browser/serving.py.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from browser.serving import PHONE, Site, complaints, served, sign_in, tab_to
from kulla.kernel.service import Actor

pytestmark = [pytest.mark.browser, pytest.mark.live]

ANA = "Ana Prifti"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with served(tmp_path) as site:
        yield site


def _hold(site: Site, slot: str) -> str:
    """Let somebody fill in the form of a time; returns its address."""
    with closing(sqlite3.connect(site.folder / "sessions.sqlite")) as sessions:
        sessions.execute("INSERT INTO slot_hold VALUES (?, 'somebody', 2e9)", [slot])
        sessions.commit()
    return f"/appointments/slots/{slot}"


def _relate(site: Site) -> None:
    """Let the first citizen act for the third."""
    country = site.country
    people = {"guardian": country.citizens[0], "ward": country.citizens[2]}
    data = {**people, "kind": "child", "until_day": ""}
    answer = country.ask(Actor("clerk", country.clerk), "accounts", "relate", data)
    assert answer.status == "accepted", answer


def _every_page(site: Site) -> list[str]:
    """Each kind of page, and each state of it that looks different."""
    country = site.country
    confirmed = f"/appointments/{country.book(country.citizens[0], country.slot())}"
    position = country.tower.witnessing().size - 1
    cancelled = country.book(country.citizens[0], country.slot(days=2))
    me = Actor("citizen", country.citizens[0])
    answer = country.ask(me, "appointments", "cancel", {"appointment": cancelled})
    assert answer.status == "accepted", answer
    _relate(site)
    held = _hold(site, country.slot(days=7))
    country.tower.held = True
    pending = country.book(country.citizens[0], country.slot(days=3))
    return [
        "/",
        "/status",
        "/check",
        f"/check?origin=o&index=1&leaf={'ab' * 32}",
        "/nowhere",
        "/appointments/",
        "/appointments/?place=Tiran%C3%AB&speciality=",
        "/appointments/?place=Vlor%C3%AB&speciality=Mjek%C3%ABsi+familjeje",
        "/appointments/?place=&from=x&part=afternoon",
        "/appointments/doctors/hoxha-a",
        "/appointments/doctors/hoxha-a?day=2026-02-09",
        "/appointments/doctors/hoxha-a?month=2027-01",
        f"/appointments/slots/{country.slot(days=4)}",
        f"/appointments/slots/{country.slot(days=3)}",
        f"/appointments/slots/{country.slot()}",
        held,
        "/appointments/mine",
        confirmed,
        f"/appointments/{pending}?again=1",
        f"/appointments/{cancelled}",
        f"{confirmed}/said",
        f"{confirmed}/cancel",
        f"{confirmed}/move",
        f"{confirmed}/move/{country.slot(days=4)}",
        f"/receipts/{position}",
        f"/receipts/{country.tower.witnessing().size - 1}",
        "/sign-in",
    ]


@pytest.mark.parametrize("language", ["sq", "en"])
def test_every_page_is_accessible_and_fits_a_small_phone(page, site, language):
    sign_in(page, site, ANA, language)
    page.set_viewport_size(PHONE)
    found = []
    for address in _every_page(site):
        page.goto(f"{site.address}{address}")
        found += complaints(page, address)
    assert not found
    assert page.locator("html").get_attribute("lang") == language


def test_forms_with_problems_and_refusals_are_accessible(page, site):
    sign_in(page, site, ANA, "en")
    page.set_viewport_size(PHONE)
    slot = f"{site.address}/appointments/slots/{site.country.slot()}"
    page.goto(slot)
    page.get_by_role("button", name="Book this time").click()
    found = complaints(page, "problem")
    page.get_by_role("link", name="Enter a telephone number").click()
    assert page.evaluate("document.activeElement.id") == "phone"
    site.country.tower.quorum = False
    page.get_by_label("Your telephone number").fill("069 123 4567")
    page.get_by_role("button", name="Book this time").click()
    assert page.get_by_role("alert").get_by_text("Too few embassies answer").is_visible()
    found += complaints(page, "no quorum")
    site.country.tower.quorum, site.country.tower.silent = True, True
    page.get_by_role("button", name="Send it again").click()
    found += complaints(page, "silent")
    site.country.tower.silent = False
    site.country.book(site.country.citizens[1], site.country.slot())
    page.get_by_role("button", name="Send it again").click()
    assert page.get_by_role("alert").get_by_text("Somebody was quicker").is_visible()
    assert page.get_by_label("Your telephone number").input_value() == "069 123 4567"
    found += complaints(page, "taken")
    assert not found


def test_dark_and_zoomed_pages_are_accessible(browser, site):
    # 200 % of a 1280 px window leaves 640 CSS px: that is what zooming does to a page's layout.
    context = browser.new_context(
        viewport={"width": 640, "height": 450}, device_scale_factor=2, color_scheme="dark"
    )
    page = context.new_page()
    sign_in(page, site, ANA, "sq")
    found = []
    for address in _every_page(site):
        page.goto(f"{site.address}{address}")
        found += complaints(page, address)
    context.close()
    assert not found


def test_a_booking_without_javascript_from_the_search_to_the_genuine_receipt(
    browser, site, tmp_path
):
    context = browser.new_context(java_script_enabled=False, accept_downloads=True)
    page = context.new_page()
    page.goto(f"{site.address}/appointments/?lang=en")
    page.get_by_label("Where?").select_option("Tiranë/Tiranë")
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name="Dr. Arta Hoxha").click()
    page.get_by_role("link", name="Tuesday 3 February 2026").click()
    page.get_by_role("link", name="10:20").click()
    page.get_by_role("button", name="Ana Prifti").click()
    page.get_by_label("Your telephone number").fill("069 123 4567")
    page.get_by_label("Reason for the visit").fill("Kontroll i përvitshëm")
    site.country.tower.held = True
    page.get_by_role("button", name="Book this time").click()
    assert page.get_by_text("Your booking is being confirmed").is_visible()
    site.country.tower.let_go()
    page.wait_for_url("**?again=1", timeout=15_000)  # by itself, without any script
    assert page.get_by_text("Your appointment is confirmed").is_visible()
    page.get_by_role("link", name="receipt of the booking").click()
    with page.expect_download() as downloaded:
        page.get_by_role("link", name="Download the receipt file").click()
    file = tmp_path / downloaded.value.suggested_filename
    downloaded.value.save_as(file)
    assert file.suffix == ".tlog-proof"
    page.goto(f"{site.address}/check")
    page.get_by_label("The receipt file").set_input_files(file)
    page.get_by_role("button", name="Check").click()
    assert page.get_by_role("heading", name="This receipt is genuine").is_visible()
    assert page.get_by_text("Tuesday 3 February 2026, 10:20 (Tirana time, UTC+1)").is_visible()
    context.close()


def test_booking_and_cancelling_with_the_keyboard_alone(page, site):
    sign_in(page, site, ANA, "en")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    tab_to(page, "Book an appointment with a doctor")
    page.keyboard.press("Enter")
    page.wait_for_url("**/appointments/")
    tab_to(page, "Find")
    page.keyboard.press("Enter")
    page.wait_for_url("**place=*")
    tab_to(page, "Dr. Arta Hoxha")
    page.keyboard.press("Enter")
    page.wait_for_url("**/doctors/**")
    tab_to(page, "10:40")
    page.keyboard.press("Enter")
    page.wait_for_url("**/slots/**")
    tab_to(page, "phone")
    page.keyboard.type("069 123 4567")
    page.keyboard.press("Tab")
    page.keyboard.type("Kontroll")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("Your appointment is confirmed").wait_for()
    tab_to(page, "Cancel it")
    page.keyboard.press("Enter")
    page.wait_for_url("**/cancel")
    tab_to(page, "Yes, cancel it")
    page.keyboard.press("Enter")
    page.get_by_text("Your appointment is cancelled").wait_for()


def test_nothing_on_the_pages_offends_their_own_security_policy(page, site):
    said = []
    page.on("console", lambda message: said.append(message.text))
    sign_in(page, site, ANA)
    addresses = _every_page(site)
    for address in addresses:
        page.goto(f"{site.address}{address}")
    # The one page that is not there says so on the console; nothing else may.
    assert [one for one in said if "404 (Not Found)" not in one] == []
    page.goto(f"{site.address}/receipts/{site.country.tower.witnessing().watermark - 3}")
    drawn = "document.querySelector('.qr')?.naturalWidth ?? 0"
    assert page.evaluate(drawn) > 0


def test_booking_for_a_child_with_the_keyboard_alone(page, site):
    _relate(site)
    sign_in(page, site, ANA, "en")
    page.goto(f"{site.address}/appointments/slots/{site.country.slot()}")
    assert page.get_by_text("This time is kept for you until").is_visible()
    page.get_by_label("I myself").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.type("069 123 4567")
    tab_to(page, "Book this time")
    page.keyboard.press("Enter")
    page.get_by_text("Your appointment is confirmed").wait_for()
    assert page.get_by_text("Çlirim Duka").is_visible()
    with page.expect_download() as downloaded:
        page.get_by_role("link", name="Put it into my calendar").click()
    assert downloaded.value.suggested_filename.endswith(".ics")


def test_what_was_typed_comes_back_after_the_session_ended(page, site):
    sign_in(page, site, ANA, "en")
    page.goto(f"{site.address}/appointments/slots/{site.country.slot()}")
    page.get_by_label("Your telephone number").fill("069 123 4567")
    page.get_by_label("Reason for the visit").fill("Dhimbje koke")
    with closing(sqlite3.connect(site.folder / "sessions.sqlite")) as sessions:
        sessions.execute("DELETE FROM session")
        sessions.commit()
    page.get_by_role("button", name="Book this time").click()
    assert page.get_by_role("heading", name="You are not signed in any more").is_visible()
    assert not complaints(page, "signed out")
    page.get_by_role("main").get_by_role("link", name="Sign in").click()
    page.get_by_role("button", name="Ana Prifti").click()
    assert page.get_by_text("What you typed before is here again").is_visible()
    assert page.get_by_label("Reason for the visit").input_value() == "Dhimbje koke"
    page.get_by_role("button", name="Book this time").click()
    page.get_by_text("Your appointment is confirmed").wait_for()

"""A clerk's day on a real Chromium: by keyboard alone, in Albanian, and every page under axe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from browser.serving import PHONE, Site, complaints, served, sign_in, tab_to
from fakes.clinic_desk import NUMBERS, furnish
from fakes.country import MONDAY_MS
from fakes.portal import CLOCK
from kulla.kernel.canonical import Value
from kulla.kernel.service import Actor

pytestmark = [pytest.mark.browser, pytest.mark.live]

DESKTOP = {"width": 1280, "height": 800}
DESK = "/appointments/desk"
ELIRA = "Elira Meta"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with served(tmp_path, furnish) as site:
        yield site


def _every_page(site: Site) -> list[str]:
    """Each page of the desk, with all that a line can look like."""
    country = site.country
    CLOCK.at_ms = MONDAY_MS + 100 * 60_000
    ana, besim, clirim = country.citizens
    keys = [
        country.book(who, country.slot(hour=hour))
        for who, hour in ((ana, 8), (besim, 9), (clirim, 10))
    ]
    here = country.book(ana, country.slot(days=0, hour=9))
    later = country.book(besim, country.slot(days=0, hour=10))
    country.book(clirim, country.slot("gjoka-b", days=0, hour=9))
    country.tower.authority = None

    def note(name: str, **data: Value) -> None:
        answer = country.ask(Actor("clerk", country.clerk), "appointments", name, data)
        assert answer.status == "accepted", (name, answer)

    for name in ("note_arrival", "end_visit"):
        note(name, appointment=here)
    note("note_arrival", appointment=later)
    note("walk_in", practitioner="hoxha-a", citizen=clirim, minutes=15, zone="Europe/Tirane")
    note("set_exception", practitioner="hoxha-a", day="2026-02-05", kind="closed")
    called = country.book(ana, country.slot(days=4))
    note("set_exception", practitioner="hoxha-a", day="2026-02-06", kind="closed")
    doctor = f"{DESK}/doctors/hoxha-a"
    return [
        f"{DESK}/",
        f"{DESK}/clinics/poliklinika-8",
        f"{DESK}/clinics/poliklinika-8?person={ana}&day=2026-02-03",
        f"{DESK}/clinics/poliklinika-8/to-call",
        doctor,
        f"{doctor}?day=2026-02-03",
        f"{doctor}?day=2026-02-07",
        f"{doctor}/week",
        f"{doctor}/hours",
        f"{doctor}/close?day=2026-02-03",
        f"{doctor}/close?day=2026-02-11",
        f"{doctor}/walk-in?person={ana}",
        f"{DESK}/slots/{country.slot(days=2)}?person={ana}",
        f"{DESK}/slots/{country.slot(hour=8)}?person={ana}",
        f"{DESK}/people",
        f"{DESK}/people/new",
        f"{DESK}/people/{ana}",
        f"{DESK}/people/{ana}/number",
        f"{DESK}/appointments/{keys[0]}",
        f"{DESK}/appointments/{here}?open=1",
        f"{DESK}/appointments/{called}",
        f"{DESK}/appointments/{keys[0]}/move",
        f"{DESK}/appointments/{keys[0]}/cancel",
    ]


@pytest.mark.parametrize(
    ("language", "scheme", "size"),
    [("sq", "light", PHONE), ("en", "dark", DESKTOP)],
)
def test_every_page_of_the_desk_is_accessible_small_and_fits(
    browser: Browser, site: Site, language: str, scheme: Any, size: Any
) -> None:
    context = browser.new_context(viewport=size, color_scheme=scheme)
    page = context.new_page()
    sign_in(page, site, ELIRA, language)
    found = []
    for address in _every_page(site):
        answer = page.goto(f"{site.address}{address}")
        assert answer is not None
        assert answer.status == 200, address
        found += complaints(page, address)
    context.close()
    assert not found


def _access_key(page: Page, key: str) -> None:
    """Press Alt with the key. Chromium looks at the key's text, which Playwright leaves out."""
    keyboard = page.context.new_cdp_session(page)
    pressed = {"modifiers": 1, "key": key, "text": key, "unmodifiedText": key}
    pressed |= {"windowsVirtualKeyCode": ord(key.upper())}
    keyboard.send("Input.dispatchKeyEvent", {"type": "keyDown", **pressed})
    keyboard.send("Input.dispatchKeyEvent", {"type": "keyUp", **pressed})


def _press(page: Page, name: str, until: str) -> None:
    tab_to(page, name)
    page.keyboard.press("Enter")
    page.wait_for_url(until)


def _signed(page: Page, until: str) -> None:
    """Sign what the page before led to."""
    page.wait_for_url("**/sign/**")
    _press(page, page.locator("button[name=demo]").inner_text(), until)


def test_a_clerks_day_by_keyboard_alone_in_albanian(page: Page, site: Site) -> None:
    page.set_viewport_size(DESKTOP)
    sign_in(page, site, ELIRA)
    found = _clinic_to_booking(page)
    assert page.get_by_text("Ana Prifti").first.is_visible()
    found += complaints(page, "booked")
    CLOCK.at_ms = MONDAY_MS + 24 * 3600 * 1000 + 130 * 60_000  # the next day, 10:10 in Tirana
    sign_in(page, site, ELIRA)
    found += _somebody_comes(page, site)
    found += _day_closed(page, site)
    assert not found


def _clinic_to_booking(page: Page) -> list[str]:
    """From the menu to the clinic, to tomorrow, to a time, for a caller."""
    _press(page, "Sporteli", f"**{DESK}/")
    found = complaints(page, "desk")
    _press(page, "Poliklinika nr. 8", "**/clinics/poliklinika-8")
    _access_key(page, "n")
    page.wait_for_url("**day=2026-02-03")
    _access_key(page, "1")
    assert page.evaluate("document.activeElement.hash || location.hash") == "#lane-hoxha-a"
    _press(page, "lirë 10:00", "**/people?slot=**")
    assert page.evaluate("document.activeElement.id") == "number"
    page.keyboard.type(NUMBERS[0])
    page.keyboard.press("Enter")
    page.wait_for_url("**/slots/**")
    tab_to(page, "phone")
    page.keyboard.type("069 123 4567")
    page.keyboard.press("Tab")
    page.keyboard.type("Kontroll i përvitshëm")
    tab_to(page, "Në telefon u përgjigj për atë që e di vetëm vetë")
    page.keyboard.press("Enter")
    page.wait_for_url("**/sign/**")
    found += complaints(page, "sign")
    _signed(page, "**/desk/appointments/**")
    assert page.get_by_role("status").get_by_text("u konfirmua").is_visible()
    return found


def _somebody_comes(page: Page, site: Site) -> list[str]:
    """The person arrives and is seen; somebody else walks in."""
    page.goto(f"{site.address}{DESK}/doctors/hoxha-a")
    _press(page, "Erdhi: Ana Prifti 10:00", "**/sign/**")
    _signed(page, "**/doctors/hoxha-a?day=2026-02-03#at-*")
    found = complaints(page, "arrived")
    _press(page, "Vizita mbaroi: Ana Prifti 10:00", "**/sign/**")
    _signed(page, "**/doctors/hoxha-a?day=2026-02-03#at-*")
    assert page.get_by_text("mbaroi").first.is_visible()
    _access_key(page, "i")
    page.wait_for_url("**/people?walk_in=hoxha-a")
    page.keyboard.type(NUMBERS[1])
    page.keyboard.press("Enter")
    page.wait_for_url("**/walk-in**")
    tab_to(page, "U pa një dokument")
    page.keyboard.press("Enter")
    _signed(page, "**/desk/appointments/**")
    return found + complaints(page, "walked in")


def _day_closed(page: Page, site: Site) -> list[str]:
    """Two people of Wednesday: one is moved, the other is left to be called."""
    country = site.country
    first, second = (
        country.book(citizen, country.slot(days=2, hour=hour))
        for citizen, hour in zip(country.citizens[:2], (8, 9), strict=True)
    )
    page.goto(f"{site.address}{DESK}/doctors/hoxha-a?day=2026-02-04")
    _press(page, "Mbyll këtë ditë", "**/close?day=2026-02-04")
    found = complaints(page, "closing")
    tab_to(page, f"to-{second}")
    page.keyboard.press("End")  # the last choice is 'to be called'
    tab_to(page, "Mbyll ditën dhe zhvendosi të gjithë")
    page.keyboard.press("Enter")
    _signed(page, "**/to-call")
    assert page.get_by_role("link", name="Besim Kodra", exact=True).is_visible()
    assert not page.get_by_text("Ana Prifti").is_visible()
    row = country.tower._rows.get("appointments_appointment", first)
    assert row is not None
    assert row["slot"] != country.slot(days=2, hour=8)
    return found + complaints(page, "to call")

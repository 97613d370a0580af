"""A clerk's day on a real Chromium: by keyboard alone, in Albanian, and every page under axe.

The portal serves from threads of this process in front of FakeTower; what staff sign is verified by
the real Authority.
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

from fakes.clinic_desk import NUMBERS, furnish
from fakes.country import MONDAY_MS, Country
from fakes.portal import CLOCK, found

pytestmark = [pytest.mark.browser, pytest.mark.live]

PHONE = {"width": 320, "height": 640}
DESKTOP = {"width": 1280, "height": 800}
DESK = "/appointments/desk"
SHOTS = os.environ.get("KULLA_SHOTS", "")


@dataclass
class Site:
    """A portal that serves, its address, and the country behind it."""

    address: str
    country: Country


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
        threads.submit(furnish, country, tmp_path).result()
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


def _sign_in(page: Page, site: Site, language: str = "sq") -> None:
    page.goto(f"{site.address}/sign-in?lang={language}")
    page.get_by_role("button", name="Elira Meta").click()
    page.wait_for_load_state()


def _complaints(page: Page, where: str) -> list[str]:
    results = Axe().run(page).response
    found_by_axe = [
        f"{where}: {one['id']}: {one['help']}: {one['nodes'][0]['html'][:120]}"
        for one in results["violations"]
    ]
    wide = page.evaluate("document.documentElement.scrollWidth")
    width = page.viewport_size["width"] if page.viewport_size else 0
    if SHOTS:
        name = where.strip("/").translate(str.maketrans("/?&", "---"))[-60:]
        page.screenshot(path=f"{SHOTS}/{name}-{width}.png", full_page=True)
    return found_by_axe + ([f"{where}: {wide} px wide"] if wide > width else [])


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
    from kulla.kernel.service import Actor

    country.tower.authority = None
    clerk = Actor("clerk", country.clerk)
    for name in ("note_arrival", "end_visit"):
        country.ask(clerk, "appointments", name, {"appointment": here})
    country.ask(clerk, "appointments", "note_arrival", {"appointment": later})
    walk_in = {"practitioner": "hoxha-a", "citizen": clirim, "minutes": 15, "zone": "Europe/Tirane"}
    country.ask(clerk, "appointments", "walk_in", walk_in)
    country.ask(
        clerk,
        "appointments",
        "set_exception",
        {"practitioner": "hoxha-a", "day": "2026-02-05", "kind": "closed"},
    )
    called = country.book(ana, country.slot(days=4))
    closing = {"practitioner": "hoxha-a", "day": "2026-02-06", "kind": "closed"}
    country.ask(clerk, "appointments", "set_exception", closing)
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
    _sign_in(page, site, language)
    complaints = []
    for address in _every_page(site):
        answer = page.goto(f"{site.address}{address}")
        assert answer is not None
        assert answer.status == 200, address
        kilobytes = len(answer.body()) / 1024
        complaints += [f"{address}: {kilobytes:.0f} KB"] if kilobytes > 60 else []
        complaints += _complaints(page, address)
    context.close()
    assert not complaints


_FOCUSED = """() => {
  const one = document.activeElement, style = getComputedStyle(one);
  return {name: one.id || one.innerText.trim(), outline: parseFloat(style.outlineWidth)};
}"""


def _tab_to(page: Page, name: str) -> None:
    """Press Tab until the thing of this name is focused; each step must show where the focus is."""
    for _ in range(120):
        page.keyboard.press("Tab")
        focused = page.evaluate(_FOCUSED)
        if focused["name"]:
            assert focused["outline"] >= 2, focused
        if " ".join(focused["name"].split()).replace(" :", ":") == name:
            return
    raise AssertionError(f"{name!r} can't be reached with Tab")


def _access_key(page: Page, key: str) -> None:
    """Press Alt with the key. Chromium looks at the key's text, which Playwright leaves out."""
    keyboard = page.context.new_cdp_session(page)
    pressed = {"modifiers": 1, "key": key, "text": key, "unmodifiedText": key}
    pressed |= {"windowsVirtualKeyCode": ord(key.upper())}
    keyboard.send("Input.dispatchKeyEvent", {"type": "keyDown", **pressed})
    keyboard.send("Input.dispatchKeyEvent", {"type": "keyUp", **pressed})


def _press(page: Page, name: str, until: str) -> None:
    _tab_to(page, name)
    page.keyboard.press("Enter")
    page.wait_for_url(until)


def _signed(page: Page, until: str) -> None:
    """Sign what the page before led to."""
    page.wait_for_url("**/sign/**")
    _press(page, page.locator("button[name=demo]").inner_text(), until)


def test_a_clerks_day_by_keyboard_alone_in_albanian(page: Page, site: Site) -> None:
    page.set_viewport_size(DESKTOP)
    _sign_in(page, site)
    complaints = _clinic_to_booking(page)
    assert page.get_by_text("Ana Prifti").first.is_visible()
    complaints += _complaints(page, "booked")
    CLOCK.at_ms = MONDAY_MS + 24 * 3600 * 1000 + 130 * 60_000  # the next day, 10:10 in Tirana
    _sign_in(page, site)
    complaints += _somebody_comes(page, site)
    complaints += _day_closed(page, site)
    assert not complaints


def _clinic_to_booking(page: Page) -> list[str]:
    """From the menu to the clinic, to tomorrow, to a time, for a caller."""
    _press(page, "Sporteli", f"**{DESK}/")
    complaints = _complaints(page, "desk")
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
    _tab_to(page, "phone")
    page.keyboard.type("069 123 4567")
    page.keyboard.press("Tab")
    page.keyboard.type("Kontroll i përvitshëm")
    _tab_to(page, "Në telefon u përgjigj për atë që e di vetëm vetë")
    page.keyboard.press("Enter")
    page.wait_for_url("**/sign/**")
    complaints += _complaints(page, "sign")
    _signed(page, "**/desk/appointments/**")
    assert page.get_by_role("status").get_by_text("u konfirmua").is_visible()
    return complaints


def _somebody_comes(page: Page, site: Site) -> list[str]:
    """The person arrives and is seen; somebody else walks in."""
    page.goto(f"{site.address}{DESK}/doctors/hoxha-a")
    _press(page, "Erdhi: Ana Prifti 10:00", "**/sign/**")
    _signed(page, "**/doctors/hoxha-a?day=2026-02-03#at-*")
    complaints = _complaints(page, "arrived")
    _press(page, "Vizita mbaroi: Ana Prifti 10:00", "**/sign/**")
    _signed(page, "**/doctors/hoxha-a?day=2026-02-03#at-*")
    assert page.get_by_text("mbaroi").first.is_visible()
    _access_key(page, "i")
    page.wait_for_url("**/people?walk_in=hoxha-a")
    page.keyboard.type(NUMBERS[1])
    page.keyboard.press("Enter")
    page.wait_for_url("**/walk-in**")
    _tab_to(page, "U pa një dokument")
    page.keyboard.press("Enter")
    _signed(page, "**/desk/appointments/**")
    return complaints + _complaints(page, "walked in")


def _day_closed(page: Page, site: Site) -> list[str]:
    """Two people of Wednesday: one is moved, the other is left to be called."""
    country = site.country
    first, second = (
        country.book(citizen, country.slot(days=2, hour=hour))
        for citizen, hour in zip(country.citizens[:2], (8, 9), strict=True)
    )
    page.goto(f"{site.address}{DESK}/doctors/hoxha-a?day=2026-02-04")
    _press(page, "Mbyll këtë ditë", "**/close?day=2026-02-04")
    complaints = _complaints(page, "closing")
    _tab_to(page, f"to-{second}")
    page.keyboard.press("End")  # the last choice is 'to be called'
    _tab_to(page, "Mbyll ditën dhe zhvendosi të gjithë")
    page.keyboard.press("Enter")
    _signed(page, "**/to-call")
    assert page.get_by_role("link", name="Besim Kodra", exact=True).is_visible()
    assert not page.get_by_text("Ana Prifti").is_visible()
    row = country.tower._rows.get("appointments_appointment", first)
    assert row is not None
    assert row["slot"] != country.slot(days=2, hour=8)
    return complaints + _complaints(page, "to call")

"""The citizen's home, the settings and the catalogue in a real Chromium, without any script.

axe, 320 px, dark, keyboard only, both languages.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from browser.serving import PHONE, Site, complaints, served, sign_in, tab_to
from fakes.accounts import add_passkey, open_account, register
from fakes.device import Device
from fakes.oidc_provider import CLIENT_ID, CLIENT_SECRET, running_provider
from fakes.portal import CLOCK
from kulla.kernel.service import Actor
from kulla.portal.configuration import Oidc

pytestmark = [pytest.mark.browser, pytest.mark.live]

ANA = "Ana Prifti"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with served(tmp_path) as site:
        yield site


def _lived_in(site: Site) -> dict[str, str]:
    """A first citizen with all that the pages can show; returns addresses that depend on it."""
    country, subject = site.country, site.country.citizens[0]
    open_account(country, subject)
    register(country, subject, "Ana Prifti")
    register(country, country.citizens[2], "Çlirim Duka")
    device = Device()
    add_passkey(country, subject, device)
    for number in range(14):
        language = ("sq", "en")[number % 2]
        _ask(site, "set_preferences", language=language, reminders="mail")
    relation = {"guardian": subject, "ward": country.citizens[2], "kind": "child", "until_day": ""}
    assert country.ask(Actor("clerk", country.clerk), "accounts", "relate", relation).positions
    token = country.tower.token("oidc", "https://e-id.example 7")
    _ask(site, "link_identity", issuer="https://e-id.example", token=token)
    _ask(site, "grant_attorney", secret_hash=b"h" * 32, until_day="")
    booked = country.book(subject, country.slot(days=1))
    for days in (2, 3, 4):
        country.book(subject, country.slot(days=days))
    for number, name in enumerate(("record_sent", "record_failed")):
        letter = {"message": f"{number:032x}", "subject": subject, "kind": "booked"}
        letter |= {"about": booked, "channel": "mail"}
        more = {"why": "given-up"} if name == "record_failed" else {}
        answer = country.ask(Actor("operator", "post"), "messages", name, letter | more)
        assert answer.status == "accepted", answer
    country.tower.held = True
    country.book(subject, country.slot(days=1, hour=10))
    return {
        "passkey": f"/mine/keys/{device.credential}/remove",
        "e-id": f"/mine/e-id/{token.hex()}/unlink",
        "address": f"/mine/addresses/{country.tower.token('mail', 'ana@shembull.al').hex()}/remove",
        "offer": f"/mine/offers/{(b'h' * 32).hex()}/withdraw",
    }


def _ask(site: Site, name: str, **data: Any) -> None:
    actor = Actor("citizen", site.country.citizens[0])
    answer = site.country.ask(actor, "accounts", name, data)
    assert answer.status == "accepted", answer


def _addresses(site: Site) -> list[str]:
    return [
        "/",
        "/acts",
        "/acts?before=30",
        "/messages",
        "/services",
        "/services?q=femije",
        "/services?q=xylophone",
        "/services/book-an-appointment",
        "/services/power-of-attorney",
        "/mine",
        "/mine?done=20",
        "/mine/addresses",
        "/mine/keys",
        "/mine/people",
        "/mine/stored",
        "/status",
        *_lived_in(site).values(),
    ]


def _walk(page, site: Site) -> list[str]:
    """Open every page, then the forms that answer with a page of their own."""
    found = []
    for address in _addresses(site):
        page.goto(f"{site.address}{address}")
        found += complaints(page, address)
    site.country.tower.let_go()
    page.goto(f"{site.address}/mine/people")
    page.locator("form[action='/mine/people/grant'] button").click()
    page.locator(".big-code").wait_for()
    found += complaints(page, "the code of an offer")
    page.goto(f"{site.address}/mine/people")
    page.locator("#code").fill("x")
    page.locator("form[action='/mine/people/accept'] button").click()
    page.locator("#code-fault").wait_for()
    found += complaints(page, "a code that is none")
    page.goto(f"{site.address}/mine/stored")
    page.locator("form[action='/mine/stored'] button").click()
    page.locator(".panel.good").wait_for()
    found += complaints(page, "what is stored, opened")
    page.goto(f"{site.address}/mine/addresses")
    page.locator("#address").fill("x")
    page.locator("form[action='/mine/addresses'] button").click()
    page.locator("#address-fault").wait_for()
    found += complaints(page, "an address that is none")
    page.locator("#address").fill("dy@shembull.al")
    page.locator("form[action='/mine/addresses'] button").click()
    page.locator("#code").wait_for()
    found += complaints(page, "the code of an address")
    page.goto(f"{site.address}/mine/people")
    page.locator("form[action='/acting'] button").first.click()
    page.locator(".acting").wait_for()
    found += complaints(page, "acting for another")
    site.country.tower.quorum = False
    page.goto(f"{site.address}/status")
    return found + complaints(page, "no quorum")


@pytest.mark.parametrize("language", ["sq", "en"])
def test_the_pages_are_accessible_and_fit_a_small_phone(page, site, language):
    sign_in(page, site, ANA, language)
    page.set_viewport_size(PHONE)
    assert not _walk(page, site)
    assert page.locator("html").get_attribute("lang") == language


def test_they_are_accessible_dark_and_zoomed_and_need_no_script(browser, site):
    context = browser.new_context(
        viewport={"width": 640, "height": 450}, device_scale_factor=2, color_scheme="dark"
    )
    page = context.new_page()
    sign_in(page, site, ANA, "sq")
    assert not _walk(page, site)
    context.close()


def test_a_power_of_attorney_without_javascript_and_a_booking_by_it(browser, site):
    country = site.country
    for number in (0, 1):
        open_account(country, country.citizens[number], f"{number}@shembull.al")
    contexts = [browser.new_context(java_script_enabled=False) for _ in range(2)]
    ana, besim = (context.new_page() for context in contexts)
    sign_in(ana, site, ANA, "en")
    sign_in(besim, site, "Besim Kodra", "en")
    ana.get_by_role("link", name="Settings").first.click()
    ana.get_by_role("link", name="People you act for").click()
    ana.get_by_role("button", name="Make a code").click()
    code = ana.locator(".big-code").inner_text()
    besim.goto(f"{site.address}/services?q=prokur")
    besim.get_by_role("link", name="Let somebody act for you, or act for somebody").click()
    besim.get_by_role("link", name="Give or accept a power of attorney").click()
    besim.get_by_label("The code that you were told").fill(code.lower())
    besim.get_by_role("button", name="Accept").click()
    assert besim.get_by_role("status").get_by_text("It is done and confirmed").is_visible()
    besim.get_by_role("button", name="Act for Ana Prifti").click()
    assert besim.get_by_text("You act for Ana Prifti").is_visible()
    besim.goto(f"{site.address}/appointments/slots/{country.slot()}")
    besim.get_by_label(re.compile("telephone number")).fill("069 123 4567")
    besim.locator("main form[method=post] button").last.click()
    assert besim.get_by_text("appointment is confirmed").is_visible()
    ana.goto(site.address)
    assert ana.get_by_role("heading", name="What comes next").is_visible()
    assert ana.get_by_text("Dr. Arta Hoxha").first.is_visible()
    for context in contexts:
        context.close()


def test_from_home_to_the_settings_with_the_keyboard_alone(page, site):
    open_account(site.country, site.country.citizens[0])
    sign_in(page, site, ANA, "en")
    tab_to(page, "q")
    page.keyboard.type("stored")
    page.keyboard.press("Enter")
    page.wait_for_url("**/services?q=stored")
    tab_to(page, "See what is stored about you")
    page.keyboard.press("Enter")
    page.wait_for_url("**/services/see-what-is-stored")
    tab_to(page, "Open it")
    page.keyboard.press("Enter")
    page.wait_for_url("**/mine/stored")
    tab_to(page, "Open all of it")
    page.keyboard.press("Enter")
    page.get_by_text("ana@shembull.al").wait_for()
    tab_to(page, "← Settings")
    page.keyboard.press("Enter")
    page.wait_for_url("**/mine")
    tab_to(page, "Save")
    page.keyboard.press("Enter")
    page.wait_for_url("**/mine?done=*")
    assert page.locator("html").get_attribute("lang") == "sq"  # the language of the account
    assert page.get_by_role("status").get_by_text("U krye dhe u konfirmua").is_visible()


def test_signing_in_with_the_e_id_in_a_browser_without_javascript(browser, site, tmp_path):
    """The page's own security policy lets the browser go to the provider and come back."""
    from django.conf import settings

    subject = site.country.citizens[0]
    open_account(site.country, subject)
    with running_provider(tmp_path, f"{site.address}/sign-in/e-id/back") as e_id:
        CLOCK.at_ms = time.time_ns() // 1_000_000  # the provider has the machine's clock
        oidc = Oidc(e_id.issuer, CLIENT_ID, "e-Albania", CLIENT_SECRET)
        settings.KULLA = replace(settings.KULLA, oidc=oidc, public_url=site.address)
        token = site.country.tower.token("oidc", f"{e_id.issuer} 1")
        _ask(site, "link_identity", issuer=e_id.issuer, token=token)
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        page.goto(f"{site.address}/sign-in?lang=en&next=/acts")
        page.get_by_role("button", name="Sign in with e-Albania").click()
        page.wait_for_url(f"{site.address}/acts")
        assert page.get_by_text("An e-ID was linked").is_visible()
        context.close()

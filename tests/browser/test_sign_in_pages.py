"""Signing in on a real Chromium: a code without JavaScript, passkeys with a virtual device."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.sync_api import Browser, Page

from browser.serving import PHONE, Site, complaints, served, sign_in, too_wide
from fakes.accounts import found_staff, open_account, register
from fakes.country import Country
from fakes.device import Device
from kulla.journal.policy_file import parse_policy

pytestmark = [pytest.mark.browser, pytest.mark.live]

MAIL = "drita@shembull.al"


def _on_localhost(_: Country, folder: Path) -> None:
    """Bind passkeys to localhost, the one name for which Chromium makes them without TLS."""
    policy = folder / "policy"
    here = replace(parse_policy(policy.read_bytes()), relying_party="localhost")
    policy.write_bytes(here.render())


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with served(tmp_path, _on_localhost, "localhost") as site:
        yield site


def _code(site: Site) -> str:
    """The code in the newest letter."""

    def newest() -> str:
        from kulla.portal import letters

        return letters.newest_for_demo(1)[0].subject

    match = re.match(r"[\d ]+", site.run(newest))
    assert match
    return match[0].strip()


def _virtual_device(page: Page, *, verified: bool = True) -> Any:
    """Chromium's own authenticator, as a telephone has one; gives the protocol's session."""
    devices = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": verified,
        "automaticPresenceSimulation": True,
    }
    added = devices.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return devices, added["authenticatorId"]


@pytest.mark.parametrize("language", ["en", "sq"])
def test_a_code_and_an_account_without_javascript_on_a_small_phone(
    browser: Browser, site: Site, language: str
) -> None:
    """From nothing to an account of one's own. (axe itself needs scripts: see the next test.)"""
    plain = browser.new_context(java_script_enabled=False, viewport=PHONE)
    page = plain.new_page()
    page.goto(f"{site.address}/sign-in?lang={language}&next=/mine")
    assert not too_wide(page, page.url)
    page.locator("#address").fill("nobody")
    page.locator("main form").first.get_by_role("button").click()
    page.get_by_role("alert").wait_for()
    page.locator("#address").fill(MAIL)
    page.locator("main form").first.get_by_role("button").click()
    page.wait_for_url("**/sign-in/code**")
    page.locator("#code").fill("000 000")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    assert not too_wide(page, page.url)
    code = _code(site)
    assert page.get_by_text(code).first.is_visible()  # the demo country shows its letters
    page.locator("#code").fill(code)
    page.keyboard.press("Enter")
    page.wait_for_url("**/sign-up**")
    assert not too_wide(page, page.url)
    page.locator("#name").fill("Drita Provë")
    page.keyboard.press("Enter")
    page.wait_for_url("**/mine")
    assert page.get_by_text("Drita Provë").first.is_visible()
    page.goto(f"{site.address}/sign-in/passkey")  # says why nothing can be pressed here
    assert page.get_by_text("JavaScript").is_visible()
    assert not page.locator("[data-ask]").is_visible()
    assert not too_wide(page, page.url)
    plain.close()


@pytest.mark.parametrize("language", ["en", "sq"])
def test_the_pages_of_signing_in_are_accessible_and_fit(
    page: Page, site: Site, language: str
) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.set_viewport_size(PHONE)
    page.goto(f"{site.address}/sign-in?lang={language}")
    found = complaints(page, "sign-in")
    page.locator("#address").fill("x")
    page.locator("main form").first.get_by_role("button").click()
    found += complaints(page, "no address")
    page.locator("#address").fill(MAIL)
    page.locator("main form").first.get_by_role("button").click()
    found += complaints(page, "code")
    page.locator("#code").fill("000000")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    found += complaints(page, "wrong code")
    page.locator("#code").fill(_code(site))
    page.keyboard.press("Enter")
    page.wait_for_url("**/sign-up**")
    found += complaints(page, "sign-up")
    page.keyboard.press("Tab")
    page.locator("#name").fill("")
    page.locator("main form").first.get_by_role("button").click()
    page.get_by_role("alert").wait_for()
    found += complaints(page, "no name")
    site.country.tower.held = True
    page.locator("#name").fill("Drita Provë")
    page.keyboard.press("Enter")
    page.get_by_role("heading", level=1).wait_for()
    found += complaints(page, "joining")
    site.country.tower.let_go()
    page.wait_for_url(f"{site.address}/")
    page.goto(f"{site.address}/passkeys/add")
    found += complaints(page, "add a passkey")
    _virtual_device(page)  # it holds no passkey, so it says no at once
    page.goto(f"{site.address}/sign-in/passkey")
    page.locator("[data-said=cancelled]").wait_for()
    found += complaints(page, "passkey")
    assert not found
    assert [one for one in said if "422" not in one and "202" not in one] == []


def test_a_passkey_is_added_and_opens_the_door(page: Page, site: Site) -> None:
    citizen = site.country.citizens[0]
    site.run(register, site.country, citizen, "Ana Prifti")
    site.run(open_account, site.country, citizen)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    devices, device = _virtual_device(page)
    sign_in(page, site, "Ana Prifti", "en")
    page.goto(f"{site.address}/passkeys/add")
    page.get_by_label("What do you call this device?").fill("Telefoni im")
    page.get_by_role("button", name="Make a passkey").click()
    page.wait_for_url("**/mine/keys**")
    assert page.get_by_text("Telefoni im").first.is_visible()
    [made] = devices.send("WebAuthn.getCredentials", {"authenticatorId": device})["credentials"]
    assert made["rpId"] == "localhost"
    assert made["userHandle"]

    page.goto(f"{site.address}/passkeys/add")  # a device holds one of an account
    page.get_by_role("button", name="Make a passkey").click()
    page.get_by_text("This device has a passkey of your account already").wait_for()

    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{site.address}/sign-in?next=/appointments/mine")
    page.get_by_role("link", name="Sign in with a passkey").click()
    page.wait_for_url("**/appointments/mine")
    assert page.get_by_text("Ana Prifti").first.is_visible()
    assert said == []


def test_staff_sign_in_choose_a_role_and_sign_a_command(page: Page, site: Site) -> None:
    first, second = site.country.citizens[:2]
    devices, device = _virtual_device(page)
    key = Device(1)
    pkcs8 = key.passkey.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    credential = {
        "credentialId": _base64(key.passkey.credential_id),
        "isResidentCredential": True,
        "rpId": "localhost",
        "privateKey": _base64(pkcs8),
        "userHandle": _base64(bytes.fromhex(first)),
        "signCount": 1,
    }
    devices.send("WebAuthn.addCredential", {"authenticatorId": device, "credential": credential})
    site.run(register, site.country, first, "Ana Prifti")
    site.run(open_account, site.country, first)
    staff = ((first, "operator", key), (second, "operator", Device(2)))
    site.run(found_staff, site.country, *staff)
    page.set_viewport_size(PHONE)
    page.goto(f"{site.address}/sign-in/passkey?lang=en&next=/passkeys")
    page.wait_for_url("**/sign-in/role**")
    found = complaints(page, "role")
    page.get_by_role("button", name="As an operator").click()
    page.wait_for_url("**/passkeys")
    found += complaints(page, "passkeys")
    page.get_by_role("link", name="Remove").click()
    found += complaints(page, "remove")
    page.get_by_role("button", name="Yes, remove it").click()
    page.wait_for_url("**/sign/**")
    assert page.get_by_text("Remove this passkey").is_visible()
    found += complaints(page, "sign")
    page.get_by_role("button", name="Sign with my passkey").click()
    page.wait_for_url("**/passkeys")
    # The signature held; what it asked for is refused, since nothing would be left to sign with.
    assert page.get_by_text("This is the last way into your account").is_visible()
    assert site.country.tower.submitted[-1].assertion
    assert not found


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()

"""Signing in on a real Chromium: a code without JavaScript, passkeys with a virtual device."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from fakes.accounts import found_staff, open_account, register
from fakes.country import Country
from fakes.device import Device, data_of
from fakes.portal import found
from kulla.journal.policy_file import parse_policy

pytestmark = [pytest.mark.browser, pytest.mark.live]

PHONE = {"width": 320, "height": 640}
MAIL = "drita@shembull.al"


@dataclass
class Site:
    """A portal that serves on localhost, to which passkeys are bound, and the country behind it."""

    address: str
    country: Country
    threads: ThreadPoolExecutor

    def code(self) -> str:
        """The code in the newest letter."""

        def newest() -> str:
            from kulla.portal import letters

            return letters.newest_for_demo(1)[0].subject

        match = re.match(r"[\d ]+", self.threads.submit(newest).result())
        assert match
        return match[0].strip()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    # Playwright's loop runs in this thread, and Django opens no database beside a loop.
    with ThreadPoolExecutor(1) as threads:
        country, application = threads.submit(found, tmp_path).result()
        policy = tmp_path / "policy"
        here = replace(parse_policy(policy.read_bytes()), relying_party="localhost")
        policy.write_bytes(here.render())
        server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet, allow_reuse_address=False)
        server.daemon_threads = True
        server.set_app(application)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield Site(f"http://localhost:{server.server_port}", country, threads)
        server.shutdown()
        thread.join(10)
        server.server_close()


def _complaints(page: Page, where: str) -> list[str]:
    results = Axe().run(page).response
    found_by_axe = [
        f"{where}: {one['id']}: {one['help']}: {one['nodes'][0]['html'][:120]}"
        for one in results["violations"]
    ]
    wide = page.evaluate("document.documentElement.scrollWidth")
    return found_by_axe + ([f"{where}: {wide} px wide"] if wide > PHONE["width"] else [])


def _fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


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
    _fits(page)
    page.locator("#address").fill("nobody")
    page.locator("main form").first.get_by_role("button").click()
    page.get_by_role("alert").wait_for()
    page.locator("#address").fill(MAIL)
    page.locator("main form").first.get_by_role("button").click()
    page.wait_for_url("**/sign-in/code**")
    page.locator("#code").fill("000 000")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    _fits(page)
    code = site.code()
    assert page.get_by_text(code).first.is_visible()  # the demo country shows its letters
    page.locator("#code").fill(code)
    page.keyboard.press("Enter")
    page.wait_for_url("**/sign-up**")
    _fits(page)
    page.locator("#name").fill("Drita Provë")
    page.keyboard.press("Enter")
    page.wait_for_url("**/mine")
    assert page.get_by_text("Drita Provë").first.is_visible()
    page.goto(f"{site.address}/sign-in/passkey")  # says why nothing can be pressed here
    assert page.get_by_text("JavaScript").is_visible()
    assert not page.locator("[data-ask]").is_visible()
    _fits(page)
    plain.close()


@pytest.mark.parametrize("language", ["en", "sq"])
def test_the_pages_of_signing_in_are_accessible_and_fit(
    page: Page, site: Site, language: str
) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.set_viewport_size(PHONE)
    page.goto(f"{site.address}/sign-in?lang={language}")
    complaints = _complaints(page, "sign-in")
    page.locator("#address").fill("x")
    page.locator("main form").first.get_by_role("button").click()
    complaints += _complaints(page, "no address")
    page.locator("#address").fill(MAIL)
    page.locator("main form").first.get_by_role("button").click()
    complaints += _complaints(page, "code")
    page.locator("#code").fill("000000")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    complaints += _complaints(page, "wrong code")
    page.locator("#code").fill(site.code())
    page.keyboard.press("Enter")
    page.wait_for_url("**/sign-up**")
    complaints += _complaints(page, "sign-up")
    page.keyboard.press("Tab")
    page.locator("#name").fill("")
    page.locator("main form").first.get_by_role("button").click()
    page.get_by_role("alert").wait_for()
    complaints += _complaints(page, "no name")
    site.country.tower.held = True
    page.locator("#name").fill("Drita Provë")
    page.keyboard.press("Enter")
    page.get_by_role("heading", level=1).wait_for()
    complaints += _complaints(page, "joining")
    site.country.tower.let_go()
    page.wait_for_url(f"{site.address}/")
    page.goto(f"{site.address}/passkeys/add")
    complaints += _complaints(page, "add a passkey")
    _virtual_device(page)  # it holds no passkey, so it says no at once
    page.goto(f"{site.address}/sign-in/passkey")
    page.locator("[data-said=cancelled]").wait_for()
    complaints += _complaints(page, "passkey")
    assert complaints == []
    assert [one for one in said if "422" not in one and "202" not in one] == []


def test_a_passkey_is_added_and_opens_the_door(page: Page, site: Site) -> None:
    citizen = site.country.citizens[0]
    site.threads.submit(register, site.country, citizen, "Ana Prifti").result()
    site.threads.submit(open_account, site.country, citizen).result()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    devices, device = _virtual_device(page)
    page.goto(f"{site.address}/sign-in?lang=en")
    page.get_by_role("button", name="Ana Prifti").click()
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
    pem = key._key().private_bytes(*_pkcs8())
    credential = {
        "credentialId": _base64(data_of(key.credential)),
        "isResidentCredential": True,
        "rpId": "localhost",
        "privateKey": _base64(pem),
        "userHandle": _base64(bytes.fromhex(first)),
        "signCount": 1,
    }
    devices.send("WebAuthn.addCredential", {"authenticatorId": device, "credential": credential})
    site.threads.submit(register, site.country, first, "Ana Prifti").result()
    site.threads.submit(open_account, site.country, first).result()
    staff = ((first, "operator", key), (second, "operator", Device(2)))
    site.threads.submit(found_staff, site.country, *staff).result()
    from kulla.services.accounts.authority import Authority

    site.country.tower.authority = Authority("localhost", (site.address,))
    page.set_viewport_size(PHONE)
    page.goto(f"{site.address}/sign-in/passkey?lang=en&next=/passkeys")
    page.wait_for_url("**/sign-in/role**")
    complaints = _complaints(page, "role")
    page.get_by_role("button", name="As an operator").click()
    page.wait_for_url("**/passkeys")
    complaints += _complaints(page, "passkeys")
    page.get_by_role("link", name="Remove").click()
    complaints += _complaints(page, "remove")
    page.get_by_role("button", name="Yes, remove it").click()
    page.wait_for_url("**/sign/**")
    assert page.get_by_text("Remove this passkey").is_visible()
    complaints += _complaints(page, "sign")
    page.get_by_role("button", name="Sign with my passkey").click()
    page.wait_for_url("**/passkeys")
    # The signature held; what it asked for is refused, since nothing would be left to sign with.
    assert page.get_by_text("This is the last way into your account").is_visible()
    assert site.country.tower.submitted[-1].assertion
    assert complaints == []


def _pkcs8() -> tuple[Any, Any, Any]:
    from cryptography.hazmat.primitives import serialization

    return (
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _base64(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode()

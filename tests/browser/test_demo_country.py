"""A citizen books a doctor on the demo country's own pages, and strangers can check the receipt.

Everything is real here: portal, scribe, keeper, four embassies, Chromium.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from fakes.demo import running_demo
from kulla.journal.policy_file import parse_policy
from kulla.journal.receipts import verify_receipt
from kulla.tower.up import DemoPlan

pytestmark = [pytest.mark.browser, pytest.mark.live]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoPlan]:
    with running_demo(tmp_path_factory.mktemp("demo")) as (plan, _):
        yield plan


def _book(page: Any, plan: DemoPlan, person: int) -> None:
    page.goto(f"http://localhost:{plan.port}/sign-in?lang=en")
    page.locator("button[name=subject]").nth(person).click()
    page.goto(f"http://localhost:{plan.port}/appointments/?place=Tiran%C3%AB")
    page.locator("a[href^='/appointments/doctors/']").first.click()
    page.locator("a[href*='day=']").first.click()
    page.locator("a[href^='/appointments/slots/']").nth(person).click()
    page.locator("input[name=phone]").fill("069 123 4567")
    page.locator("textarea").fill("Dhimbje koke")
    page.locator("main form button").last.click()
    page.get_by_role("heading", name="confirmed").wait_for()


def test_a_booking_is_confirmed_and_its_receipt_checks_at_home_abroad_and_off_line(
    page: Any, plan: DemoPlan, tmp_path: Path
) -> None:
    _book(page, plan, 0)
    page.locator("a[href^='/receipts/']").first.click()
    assert Axe().run(page).response["violations"] == []
    abroad = page.locator("a[href*='/check?']").first.get_attribute("href")
    with page.expect_download() as coming:
        page.locator("a[href$='/file']").click()
    receipt = tmp_path / "receipt.tlog-proof"
    coming.value.save_as(receipt)
    policy = parse_policy(plan.home.policy_file.read_bytes())
    assert verify_receipt(receipt.read_bytes(), policy).act["act"] == "booked"

    page.goto(f"http://localhost:{plan.port}/check?lang=en")
    page.locator("input[type=file]").set_input_files(receipt)
    page.locator("main form button").click()
    page.get_by_role("heading").first.wait_for()
    assert "proves" in page.locator("main").inner_text().lower()

    assert abroad is not None
    assert f":{plan.port}/" not in abroad
    page.goto(abroad)
    assert Axe().run(page).response["violations"] == []
    shown = page.locator("body").inner_text()
    assert "The entry stands here" in shown


def test_a_page_works_by_keyboard_on_a_small_screen_without_scripts(
    browser: Any, plan: DemoPlan
) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 320, "height": 640})
    page = context.new_page()
    page.set_default_timeout(15_000)
    _book(page, plan, 1)
    page.get_by_role("link", name="Cancel").focus()
    page.keyboard.press("Enter")
    page.locator("main form button").last.focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="cancelled").wait_for()
    context.close()


def test_somebody_new_signs_up_with_a_code_and_comes_back_with_a_passkey(
    page: Any, plan: DemoPlan
) -> None:
    """On the real tower: the code's letter, the account's two acts, the passkey's act."""
    home = f"http://localhost:{plan.port}"
    devices = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    telephone = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": telephone})
    page.goto(f"{home}/sign-in?lang=en&next=/mine")
    page.get_by_label("Your mail address").fill("e.re@shembull.al")
    page.get_by_role("button", name="Send me a code").click()
    shown = page.get_by_text("is your code for Kulla").first.inner_text()
    page.get_by_label("Code").fill(shown.removesuffix("is your code for Kulla").strip())
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Full name").fill("Erë Provë")
    page.get_by_role("button", name="Open the account").click()
    page.wait_for_url("**/mine")
    page.goto(f"{home}/passkeys/add")
    page.get_by_role("button", name="Make a passkey").click()
    page.wait_for_url("**/mine/keys**")
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.goto(f"{home}/sign-in?next=/mine")
    page.get_by_role("link", name="Sign in with a passkey").click()
    page.wait_for_url("**/mine")
    assert page.get_by_text("Erë Provë").first.is_visible()


def test_the_made_up_staff_sign_with_the_key_that_the_demos_portal_holds(
    browser: Any, plan: DemoPlan
) -> None:
    """Without a script; the real scribe takes the signature, and the policy then says no."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    home = f"http://localhost:{plan.port}"
    page.goto(f"{home}/sign-in?lang=en&name=Lindita&next=/passkeys")
    page.locator("button[name=subject]").click()
    page.get_by_role("link", name="Remove").click()
    page.get_by_role("button", name="Yes, remove it").click()
    page.wait_for_url("**/sign/**")
    page.get_by_role("button", name="Sign with the demo key").click()
    page.wait_for_url("**/passkeys")
    assert page.get_by_text("This is the last way into your account").is_visible()
    context.close()

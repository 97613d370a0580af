"""A made-up country's portal on a port of loopback, and a look at its pages in a real Chromium.

The portal serves from threads of this process in front of FakeTower, so that a test can hold the
watermark or silence the tower while the browser looks. Fault model: FakeTower's; the server, the
portal and the Authority that verifies what staff sign are the real ones.

KULLA_SHOTS   a folder for a picture of every page that is looked at (default: none are taken)
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from fakes.country import Country
from fakes.portal import found
from kulla.journal.policy_file import parse_policy

PHONE: Final[Any] = {"width": 320, "height": 640}
PAGE_KILOBYTES_MAX: Final = 60
_SHOTS: Final = os.environ.get("KULLA_SHOTS", "")
_STOP_S: Final = 10
_TABS_MAX: Final = 120
_FOCUSED: Final = """() => {
  const one = document.activeElement, style = getComputedStyle(one);
  return {name: one.id || one.innerText.trim(), outline: parseFloat(style.outlineWidth)};
}"""


@dataclass(frozen=True)
class Site:
    """A portal that serves: its address, the country behind it, and that country's folder."""

    address: str
    country: Country
    folder: Path
    _threads: ThreadPoolExecutor

    def run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Do work that reads or writes the portal's databases, and give what it gives.

        Playwright's loop runs in the test's thread, and Django opens no database beside a loop.
        """
        return self._threads.submit(work, *arguments).result()


@contextmanager
def served(
    folder: Path, furnish: Callable[[Country, Path], object] | None = None, host: str = "127.0.0.1"
) -> Iterator[Site]:
    """Found a country in `folder`, let `furnish` add to it and to its files, serve its portal.

    The site is found under the name `host`, and what staff sign there is verified for the relying
    party of the country's policy.
    """
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

    from kulla.services.accounts.authority import Authority

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    with ThreadPoolExecutor(1) as threads:
        country, application = threads.submit(found, folder).result()
        if furnish is not None:
            threads.submit(furnish, country, folder).result()
        server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet, allow_reuse_address=False)
        server.daemon_threads = True
        server.set_app(application)
        address = f"http://{host}:{server.server_port}"
        policy = parse_policy((folder / "policy").read_bytes())
        country.tower.authority = Authority(policy.relying_party, (address,))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield Site(address, country, folder, threads)
        finally:
            server.shutdown()
            thread.join(_STOP_S)
            server.server_close()


def sign_in(page: Page, site: Site, name: str, language: str = "sq") -> None:
    """Choose a made-up person on the sign-in page, in this language."""
    page.goto(f"{site.address}/sign-in?lang={language}")
    page.get_by_role("button", name=name).click()
    page.wait_for_url(lambda url: "/sign-in" not in url)


def complaints(page: Page, where: str) -> list[str]:
    """What is wrong with the open page, called `where`: axe's violations, its width, its weight."""
    found_by_axe = [
        f"{where}: {one['id']}: {one['help']}: {one['nodes'][0]['html'][:120]}"
        for one in Axe().run(page).response["violations"]
    ]
    assert page.viewport_size
    width = page.viewport_size["width"]
    if _SHOTS:
        name = where.strip("/").translate(str.maketrans("/?& ", "----"))[-60:]
        page.screenshot(path=f"{_SHOTS}/{name}-{width}.png", full_page=True)
    return found_by_axe + too_wide(page, where) + _too_heavy(page, where)


def too_wide(page: Page, where: str) -> list[str]:
    """Whether the open page is wider than its window; it can be asked without JavaScript too."""
    assert page.viewport_size
    wide = page.evaluate("document.documentElement.scrollWidth")
    return [f"{where}: {wide} px wide"] if wide > page.viewport_size["width"] else []


def _too_heavy(page: Page, where: str) -> list[str]:
    kilobytes = len(page.content().encode()) / 1024
    return [f"{where}: {kilobytes:.0f} KB"] if kilobytes > PAGE_KILOBYTES_MAX else []


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the thing of this name is focused; each step must show where the focus is."""
    for _ in range(_TABS_MAX):
        page.keyboard.press("Tab")
        focused = page.evaluate(_FOCUSED)
        if focused["name"]:
            assert focused["outline"] >= 2, focused
        if " ".join(focused["name"].split()).replace(" :", ":") == name:
            return
    raise AssertionError(f"{name!r} can't be reached with Tab")

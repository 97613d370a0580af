"""The portal in this process, in front of a made-up country that each test founds anew.

Django takes its settings and the portal its tower once a process, so what is installed here stands
for whichever country is current. Fault model: that of FakeTower; the portal itself is the real one.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from fakes.country import MONDAY_MS, Country, environment, settle
from fakes.tower import SetClock

CLOCK = SetClock(MONDAY_MS)


class _Current:
    """Hands every call to the tower of the country that is current."""

    tower: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tower, name)


_CURRENT = _Current()


def found(folder: Path, **more: str) -> tuple[Country, Any]:
    """A country in `folder` and the WSGI application in front of it; `more` are KULLA_ settings."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kulla.portal.settings")
    CLOCK.at_ms = MONDAY_MS
    country = settle(folder, CLOCK)
    _CURRENT.tower = country.tower
    return country, open_portal({**environment(folder), **more})


def open_portal(variables: dict[str, str]) -> Any:
    """The application under these settings, as if this process had just started with them."""
    from django.conf import settings
    from django.db import connections

    from kulla.portal import doors, edge
    from kulla.portal.configuration import read_configuration
    from kulla.portal.wsgi import make_application

    try:
        edge.installed()
    except edge.EdgeFault:
        edge.install(_CURRENT, clock=CLOCK)  # type: ignore[arg-type]
    settings.KULLA = read_configuration(variables)
    settings.ALLOWED_HOSTS = list(settings.KULLA.hosts)
    settings.LOCALE_PATHS = [Path(variables["KULLA_RUN"]) / "locale"]
    names = {
        "default": f"file:{settings.KULLA.registers}?mode=ro",
        "sessions": str(settings.KULLA.sessions),
    }
    for alias, name in names.items():
        connections[alias].close()
        connections[alias].settings_dict["NAME"] = connections.settings[alias]["NAME"] = name
    doors.forget_limits()
    return make_application()


def token_of(page: str) -> str:
    """The mark that a page's form carries to show that it is ours."""
    match = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert match, "no form on this page"
    return match[1]


def command_of(page: str) -> str:
    """The hidden command id of a page's form."""
    match = re.search(r'name="command" value="([0-9a-f]{32})"', page)
    assert match, "no command on this page"
    return match[1]


class Visitor:
    """A person with a browser that runs no script: keeps cookies, fills in forms, follows links."""

    def __init__(self, *, address: str = "192.0.2.1", language: str = "en") -> None:
        from django.test import Client

        self.client = Client(
            SERVER_NAME="localhost",
            REMOTE_ADDR=address,
            enforce_csrf_checks=True,
            raise_request_exception=False,
        )
        self.client.cookies["kulla-language"] = language

    def get(self, address: str, **headers: str) -> Any:
        """Open a page."""
        return self.client.get(address, **headers)

    def post(self, address: str, fields: dict[str, Any], *, form: str = "", **more: Any) -> Any:
        """Send a form as its page gives it: with the mark, and the command id if it has one."""
        page = self.get(form or address).content.decode()
        hidden = {"csrfmiddlewaretoken": token_of(page)}
        if 'name="command"' in page:
            hidden["command"] = command_of(page)
        return self.client.post(address, {**hidden, **fields}, **more)

    def sign_in(self, subject: str) -> Visitor:
        """Choose a made-up person on the sign-in page."""
        answer = self.post("/sign-in", {"subject": subject})
        assert answer.status_code == 302, answer.content.decode()
        return self

    def book(self, slot: str, **fields: str) -> Any:
        """Fill in the booking form and send it."""
        typed = {"phone": "069 123 4567", "reason": "Dhimbje koke", **fields}
        return self.post(f"/appointments/slots/{slot}", typed)


def words_of(response: Any) -> str:
    """What a page says: its text without tags, entities resolved, spaces in one."""
    import html

    body = response.content.decode().partition("<main")[2].partition("</main>")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", f"<main{body}")).split())

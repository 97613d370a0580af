"""A citizen's passkey in a drill: made at the old home, asked for at the new one.

It does what a device does (W3C WebAuthn Level 3: attestation 'none', ES256), in software, so that a
thousand drills need no browser. The key never leaves it; what the new home has of it came by acts.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Mapping
from typing import Any, Final

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from kulla.drill.browser import Browser, Page
from kulla.drill.chance import Chance
from kulla.drill.citizens import PortalUnexpected
from kulla.drill.guard import Address
from kulla.drill.reading import read_form
from kulla.services.accounts.ceremony import (
    ATTESTED,
    USER_PRESENT,
    USER_VERIFIED,
    authenticator_head,
    base64url,
    client_data,
)

ADD: Final = "/passkeys/add"
ENTER: Final = "/sign-in/passkey"
_MINE: Final = "/appointments/mine"
_OPTIONS: Final = re.compile(r'data-options="([^"]+)"')
_PRESENT_AND_VERIFIED: Final = USER_PRESENT | USER_VERIFIED
_ID_BYTES: Final = 32


class Device:
    """One person's device with one passkey, for the site at the address that it is shown."""

    def __init__(self, chance: Chance) -> None:
        self._id = chance.randbytes(_ID_BYTES)
        self._key = ec.derive_private_key(chance.getrandbits(255) + 1, ec.SECP256R1())

    def make(self, options: Mapping[str, Any], site: str) -> str:
        """The answer to `navigator.credentials.create`, as JSON."""
        point = self._key.public_key().public_numbers()
        x, y = (value.to_bytes(32, "big") for value in (point.x, point.y))
        cose = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})
        made = bytes(16) + len(self._id).to_bytes(2, "big") + self._id + cose
        data = authenticator_head(options["rp"]["id"], _PRESENT_AND_VERIFIED | ATTESTED) + made
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        said = client_data("webauthn.create", options["challenge"], site)
        return self._answer({"clientDataJSON": said, "attestationObject": attestation})

    def sign(self, options: Mapping[str, Any], site: str) -> str:
        """The answer to `navigator.credentials.get`, as JSON."""
        data = authenticator_head(options["rpId"], _PRESENT_AND_VERIFIED)
        said = client_data("webauthn.get", options["challenge"], site)
        signature = self._key.sign(data + hashlib.sha256(said).digest(), ec.ECDSA(SHA256()))
        return self._answer(
            {"clientDataJSON": said, "authenticatorData": data, "signature": signature}
        )

    def _answer(self, response: Mapping[str, bytes]) -> str:
        name = base64url(self._id)
        given = {key: base64url(value) for key, value in response.items()}
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": given})


async def add_passkey(browser: Browser, device: Device, site: Address) -> None:
    """Have a signed-in person add a passkey. Raises NoAnswer, PortalUnexpected."""
    page = await browser.get(ADD)
    form = read_form(page.text, ADD, here=ADD)
    if form is None:
        raise PortalUnexpected(f"no form for a passkey ({page.status}).", place=ADD)
    form["credential"] = device.make(_options(page), _origin(site))
    page = await browser.post(ADD, form)
    if page.status not in {302, 303}:
        raise PortalUnexpected(f"a passkey was answered {page.status}.", place=ADD)


async def enter_with_passkey(browser: Browser, device: Device, site: Address) -> bool:
    """Sign in with a passkey alone; whether one's own page opened. Raises NoAnswer."""
    page = await browser.get(ENTER)
    form = read_form(page.text, ENTER)
    if form is None:
        return False
    form["credential"], form["next"] = device.sign(_options(page), _origin(site)), _MINE
    page = await browser.post(ENTER, form)
    if page.status not in {302, 303}:
        return False
    return (await browser.get(_MINE)).status == 200


def _options(page: Page) -> dict[str, Any]:
    found = _OPTIONS.search(page.text)
    if found is None:
        raise PortalUnexpected("the page asks for no passkey.", place=page.path)
    options: dict[str, Any] = json.loads(html.unescape(found[1]))
    return options


def _origin(site: Address) -> str:
    host = f"[{site.host}]" if ":" in site.host else site.host
    return f"http://{host}:{site.port}"

"""A made-up country whose staff is founded and whose citizens have numbers, and a clerk at a desk.

Fault model: that of FakeTower. Staff sign with the demo country's keys, which the real Authority
verifies; nothing of signing is faked.
"""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any, Final

from fakes.accounts import found_staff, register
from fakes.country import Country
from fakes.portal import Visitor, command_of, token_of
from fakes.signers import SeededEntropy
from kulla.kernel.canonical import Value
from kulla.kernel.service import Actor, Role
from kulla.services.accounts.demo_passkey import DemoPasskey

NAMES: Final = ("Ana Prifti", "Besim Kodra", "Çlirim Duka")
NUMBERS: Final = ("J50101001A", "K61212002B", "L70303003C")


def furnish(country: Country, folder: Path) -> dict[Role, str]:
    """Register and number the citizens, found the staff; returns one subject of each role."""

    for subject, name, number in zip(country.citizens, NAMES, NUMBERS, strict=True):
        register(country, subject, name)
        data: dict[str, Value] = {
            "subject": subject,
            "number": country.tower.token("number", number),
            "document": "id-card",
        }
        answer = country.ask(Actor("clerk", country.clerk), "accounts", "identify", data)
        assert answer.status == "accepted", answer
    operator, other, analyst = (subject for subject, _ in country.tower.enrol(3))
    roles: list[tuple[str, Role, str]] = [
        (country.clerk, "clerk", "Elira Meta"),
        (operator, "operator", "Olsi Leka"),
        (other, "operator", "Oriana Toska"),
        (analyst, "analyst", "Anila Marku"),
    ]
    entropy = SeededEntropy(7)
    keys = [DemoPasskey.make(entropy) for _ in roles]
    found_staff(
        country,
        *((subject, role, key) for (subject, role, _), key in zip(roles, keys, strict=True)),  # type: ignore[arg-type]
    )
    path = folder / "people.json"
    people = [row for row in json.loads(path.read_text()) if row["role"] == "citizen"]
    for (subject, role, name), key in zip(roles, keys, strict=True):
        people.append({"subject": subject, "name": name, "role": role, "passkey": key.fields()})
    path.write_text(json.dumps(people))
    return {"clerk": country.clerk, "operator": operator, "analyst": analyst}


def staff_of(folder: Path, role: Role) -> str:
    """The first member of staff with this role."""
    people = json.loads((folder / "people.json").read_text())
    return str(next(row["subject"] for row in people if row["role"] == role))


class Clerk(Visitor):
    """A visitor who is a clerk: sends forms and signs what comes of them."""

    def send(self, page: Any, action: str, fields: dict[str, str]) -> Any:
        """Send the form of an open page; gives what comes back, signed or not."""
        body = page.content.decode()
        hidden = {"csrfmiddlewaretoken": token_of(body)}
        if 'name="command"' in body:
            hidden["command"] = command_of(body)
        return self.client.post(action, {**hidden, **fields})

    def sign(self, answer: Any) -> Any:
        """Sign what a form led to; gives the page where that ends."""
        assert answer.status_code == 302, answer.content.decode()
        address = answer["Location"]
        assert address.startswith("/sign/"), address
        signed = self.post(address, {"demo": "1"})
        assert signed.status_code == 303, signed.content.decode()
        self.ended = signed["Location"]
        return self.get(self.ended.partition("#")[0])

    def summary(self, answer: Any) -> str:
        """What the signing page says that will be signed."""
        body = self.get(answer["Location"]).content.decode()
        facts = body.partition('<dl class="facts">')[2].partition("</dl>")[0]
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", facts)).split())

    def do(self, address: str, fields: dict[str, str], *, action: str = "") -> Any:
        """Open a page, send its form, sign it; gives the page where that ends."""
        return self.sign(self.send(self.get(address), action or address, fields))

"""A country in which Ana has one of everything, and somebody of every role to visit its pages."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fakes.accounts import add_passkey, open_account, register
from fakes.country import Country
from fakes.device import Device
from fakes.ministry import a_round_and_the_next
from fakes.portal import CLOCK, Visitor, found
from fakes.program import issue
from fakes.school_country import with_results
from kulla.kernel.canonical import Value
from kulla.kernel.service import Actor

LIMITS: Final = ",".join(
    f"{name}=1000000:1000000" for name in ("address", "person", "acts", "sign_in", "check", "token")
)
COLUMNS: Final = ("nobody", "ana", "besim", "clerk", "operator", "analyst", "custodian")
STAFF: Final = ("operator", "analyst", "custodian")


@dataclass
class Everybody:
    """The country, who signs in as whom, and what each part of an address stands for."""

    country: Country
    subjects: dict[str, str]
    parts: dict[str, str]
    visitors: dict[str, Visitor] = field(default_factory=dict)

    def visitor(self, who: str) -> Visitor:
        """The person of this column, signed in (also after a page signed them out)."""
        visitor = self.visitors.get(who) or Visitor(address=f"192.0.2.{COLUMNS.index(who) + 1}")
        self.visitors[who] = visitor
        if who != "nobody" and "/sign-out" not in visitor.get("/check").content.decode():
            visitor.sign_in(self.subjects[who])
        return visitor

    def address(self, route: str) -> str:
        """An address of this route: each part is Ana's, or there for everybody."""

        def part(match: re.Match[str]) -> str:
            name = match[0][1:-1]
            return self.parts.get(f"{route} {name}") or self.parts[name]

        return re.sub(r"<[^>]+>", part, route)


def settle_everybody(folder: Path) -> Everybody:
    """Found the country, with all that is Ana's and somebody of every role."""

    country, _ = found(folder, KULLA_LIMITS=LIMITS)
    ana, besim = country.citizens[:2]
    people = json.loads((folder / "people.json").read_text())
    subjects = {"ana": ana, "besim": besim, "clerk": country.clerk}
    for role in STAFF:
        subjects[role] = hashlib.sha256(role.encode()).hexdigest()[:32]
        people.append({"subject": subjects[role], "name": role.title(), "role": role})
    (folder / "people.json").write_text(json.dumps(people))
    return Everybody(country, subjects, _one_of_everything(country, ana, besim))


def _one_of_everything(country: Country, ana: str, besim: str) -> dict[str, str]:
    from kulla.portal.look import script_address, style_address

    me, tower = Actor("citizen", ana), country.tower
    for subject, name in ((ana, "Ana Prifti"), (besim, "Besim Kodra")):
        register(country, subject, name)
    open_account(country, ana)
    open_account(country, besim, "besim@shembull.al")
    device = Device(11)
    add_passkey(country, ana, device)
    appointment = country.book(ana, country.slot())
    position = tower.witnessing().size - 1
    second, e_id = tower.token("mail", "ana2@shembull.al"), tower.token("oidc", "made-up ana")
    sealed = tower.seal(ana, {"mail": "ana2@shembull.al"})["mail"]
    _do(country, me, "add_address", kind="mail", token=second, sealed=sealed)
    _do(country, me, "link_identity", issuer="https://e-id.shembull.al", token=e_id)
    offer = hashlib.sha256(b"offer").digest()
    _do(country, me, "grant_attorney", secret_hash=offer, until_day="")
    clerk = Actor("clerk", country.clerk)
    child = country.citizens[2]
    register(country, child, "Çlirim Duka")
    _do(country, clerk, "relate", guardian=ana, ward=child, kind="child", until_day="")
    relation = str(tower._rows.find("accounts_relation")[0]["id"])
    issue(country, me, "appointments:read")
    issue(country, Actor("operator", "arkitekti"), "slots:read")
    tokens = {
        str(row["holder"]): row["token_hash"] for row in tower._rows.find("accounts_api_token")
    }
    operator = Actor("operator", "arkitekti")
    _do(country, operator, "propose_role", subject=ana, role="clerk", add=True)
    proposal = str(tower._rows.find("accounts_proposal")[0]["id"])
    return {
        "appointment": appointment,
        "slot": country.slot(days=2),
        "practitioner": "hoxha-a",
        "clinic": "poliklinika-8",
        "position": str(position),
        "person": ana,
        "role": "clerk",
        "token": second.hex(),
        "credential": device.credential,
        "relation": relation,
        "offer": offer.hex(),
        "proposal": proposal,
        "pending_id": "0" * 32,
        **a_round_and_the_next(country),
        **with_results(country, CLOCK, child),
        "id": "hoxha-a",
        "/services/<name> name": "act-for-a-child",
        "/style/<name>.css name": Path(style_address()).stem,
        "/script/<name>.js name": Path(script_address()).stem,
        "/mine/e-id/<token>/unlink token": e_id.hex(),
        "/mine/programs/<key>/remove key": _hex(tokens[ana]),
        "/operator/tokens/<key>/revoke key": _hex(tokens[""]),
        "/api/clinics/<id> id": "poliklinika-8",
        "/api/fhir/Location/<id> id": "poliklinika-8",
        "/api/fhir/Slot/<id> id": country.slot(),
        "/api/fhir/Appointment/<id> id": appointment,
    }


def _do(country: Country, actor: Actor, name: str, **data: Value) -> None:
    answer = country.ask(actor, "accounts", name, data)
    assert answer.status == "accepted", (name, answer)


def _hex(cell: Any) -> str:
    return bytes(cell).hex()


def routes() -> list[str]:
    """Every address of the URL conf, parts in angle brackets without their kinds."""
    from django.urls import get_resolver
    from django.urls.resolvers import URLPattern

    found: list[str] = []

    def walk(patterns: Any, prefix: str) -> None:
        for pattern in patterns:
            route = prefix + re.sub(r"<\w+:", "<", str(pattern.pattern))
            if isinstance(pattern, URLPattern):
                found.append(route)
            else:
                walk(pattern.url_patterns, route)

    walk(get_resolver().url_patterns, "/")
    return found

"""Accounts and staff of a made-up country, opened by the real policies past the pages."""

from __future__ import annotations

from fakes.country import Country
from fakes.device import Device
from kulla.kernel.canonical import Value
from kulla.kernel.service import Actor, Role
from kulla.services.accounts.authority import Authority

MAIL = "ana@shembull.al"


def register(country: Country, subject: str, name: str) -> None:
    """Put a person into the register of citizens."""
    sealed = country.tower.seal(subject, {"name": name})["name"]
    data: dict[str, Value] = {"subject": subject, "name": sealed}
    answer = country.ask(Actor("citizen", subject), "citizens", "register", data)
    assert answer.status == "accepted", answer


def open_account(country: Country, subject: str, mail: str = MAIL) -> None:
    """Open the person's account with this address."""
    data: dict[str, Value] = {
        "subject": subject,
        "mail": country.tower.seal(subject, {"mail": mail})["mail"],
        "mail_token": country.tower.token("mail", mail),
        "language": "sq",
    }
    answer = country.ask(Actor("citizen", subject), "accounts", "open", data)
    assert answer.status in ("accepted", "waiting"), answer


def add_passkey(country: Country, subject: str, device: Device) -> None:
    """Put the device's passkey to the person's account."""
    device.handle = bytes.fromhex(subject)
    data: dict[str, Value] = {
        "credential": device.credential,
        "public_key": device.public_key,
        "transports": "internal",
        "backed_up": False,
    }
    answer = country.ask(Actor("citizen", subject), "accounts", "add_passkey", data)
    assert answer.status == "accepted", answer


def found_staff(country: Country, *staff: tuple[str, Role, Device]) -> None:
    """Found the staff, and let the tower ask an Authority from then on, if it asks none yet."""
    rows: list[Value] = [
        {
            "subject": subject,
            "role": role,
            "credential": device.credential,
            "public_key": device.public_key,
        }
        for subject, role, device in staff
    ]
    answer = country.ask(Actor("custodian", "founding"), "accounts", "found_staff", {"staff": rows})
    assert answer.status == "accepted", answer
    if country.tower.authority is None:
        country.tower.authority = Authority("kulla.example", ("http://localhost",))

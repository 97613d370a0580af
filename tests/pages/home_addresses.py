"""Who may open the citizen's home, settings, catalogue and e-ID: rows of test_permissions."""

from __future__ import annotations

EVERYBODY = ("page", "page", "page", "page")
CITIZENS = ("sign-in", "forbidden", "page", "page")
NOBODYS = ("sign-in", "forbidden", "nothing", "nothing")
WITHOUT_E_ID = ("nothing", "nothing", "nothing", "nothing")

TABLE = {
    "services": EVERYBODY,
    "service": EVERYBODY,
    "acts": CITIZENS,
    "messages": CITIZENS,
    "acting": CITIZENS,
    "mine": CITIZENS,
    "mine-preferences": CITIZENS,
    "mine-addresses": CITIZENS,
    "mine-address-code": CITIZENS,
    "mine-address-remove": NOBODYS,
    "mine-keys": CITIZENS,
    "mine-passkey-remove": NOBODYS,
    "mine-e-id-unlink": NOBODYS,
    "mine-session-end": CITIZENS,
    "mine-people": CITIZENS,
    "mine-people-grant": CITIZENS,
    "mine-people-accept": CITIZENS,
    "mine-people-end": NOBODYS,
    "mine-offer-withdraw": NOBODYS,
    "mine-stored": CITIZENS,
    "e-id": WITHOUT_E_ID,
    "e-id-back": WITHOUT_E_ID,
    "e-id-link": WITHOUT_E_ID,
}

KWARGS = {
    "service": {"name": "act-for-a-child"},
    "mine-address-remove": {"token": "ab" * 32},
    "mine-passkey-remove": {"credential": "AAAA"},
    "mine-e-id-unlink": {"token": "ab" * 32},
    "mine-people-end": {"relation": "ab" * 16},
    "mine-offer-withdraw": {"offer": "ab" * 32},
}

POSTED = (
    "acting",
    "mine-preferences",
    "mine-people-grant",
    "mine-people-accept",
    "mine-session-end",
    "mine-stored",
)

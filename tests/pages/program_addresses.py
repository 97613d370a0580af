"""The addresses of tokens for programs: rows of test_permissions. Calls are in test_every_role."""

from __future__ import annotations

CITIZENS = ("sign-in", "forbidden", "page", "page")
NOBODYS = ("sign-in", "forbidden", "nothing", "nothing")
OPERATORS = ("sign-in", "forbidden", "forbidden", "forbidden")
KEY = {"key": "ab" * 32}

TABLE = {
    "mine-programs": CITIZENS,
    "mine-program-remove": NOBODYS,
    "operator-tokens": OPERATORS,
    "operator-token-issue": OPERATORS,
    "operator-token-revoke": OPERATORS,
}
KWARGS = {"mine-program-remove": KEY, "operator-token-revoke": KEY}
POSTED = tuple(TABLE)

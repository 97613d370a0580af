"""The operators' addresses of the staff: what each is made of, and that nobody else opens them."""

from __future__ import annotations

OPERATORS = ("sign-in", "forbidden", "forbidden", "forbidden")
_PERSON = {"person": "0" * 32, "role": "clerk"}

KWARGS: dict[str, dict[str, str]] = {
    "operator-staff": {},
    "operator-proposal": {"proposal": "0" * 32},
    "operator-propose": _PERSON,
    "operator-take": _PERSON,
}
TABLE = dict.fromkeys(KWARGS, OPERATORS)
POSTED = tuple(KWARGS)

"""The addresses of enrolment's rounds: what each is made of, and who may expect what there.

The small country of these tests has no round: who may look finds nothing.
"""

from __future__ import annotations

_EVERYBODY = ("page", "page", "page", "page")
_NOTHING = ("nothing", "nothing", "nothing", "nothing")
_CLERKS = ("sign-in", "page", "forbidden", "forbidden")
_CLERKS_NOTHING = ("sign-in", "nothing", "forbidden", "forbidden")
_ROUND = {"round_id": "first-2026"}
_SCHOOL = {"school": "naim"}

KWARGS: dict[str, dict[str, str]] = {
    "enrolment:rounds": {},
    "enrolment:round": _ROUND,
    "enrolment:round-schools": _ROUND,
    "enrolment:round-school": _ROUND | _SCHOOL,
    "enrolment:lottery": _ROUND,
    "enrolment:lottery-seed": _ROUND,
    "enrolment:lottery-proof": _ROUND,
    "enrolment:ministry": {},
    "enrolment:ministry-new": {},
    "enrolment:ministry-schools": {},
    "enrolment:ministry-school-new": {},
    "enrolment:ministry-schools-in": {},
    "enrolment:ministry-schools-out": {},
    "enrolment:ministry-school": _SCHOOL,
    "enrolment:ministry-round": _ROUND,
    "enrolment:ministry-days": _ROUND,
    "enrolment:ministry-step": _ROUND,
    "enrolment:ministry-rules": _ROUND,
    "enrolment:ministry-programmes": _ROUND,
    "enrolment:ministry-programme-new": _ROUND,
    "enrolment:ministry-programmes-in": _ROUND,
    "enrolment:ministry-programmes-out": _ROUND,
    "enrolment:ministry-programme": _ROUND | {"programme": "naim-1"},
}


def _expected(name: str, parts: dict[str, str]) -> tuple[str, str, str, str]:
    if "ministry" in name:
        return _CLERKS_NOTHING if parts else _CLERKS
    return _NOTHING if parts else _EVERYBODY


TABLE = {name: _expected(name, parts) for name, parts in KWARGS.items()}
POSTED = tuple(name for name in KWARGS if "ministry" in name)

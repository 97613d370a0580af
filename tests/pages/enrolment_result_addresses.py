"""The addresses of enrolment's results: what each is made of, and who may expect what there.

The small country of these tests has no round: who may look finds nothing.
"""

from __future__ import annotations

_NOTHING = ("nothing", "nothing", "nothing", "nothing")
_CITIZENS = ("sign-in", "forbidden", "nothing", "nothing")
_CLERKS = ("sign-in", "nothing", "forbidden", "forbidden")
_ROUND = {"round_id": "first-2026"}
_CHILD = _ROUND | {"child": "a" * 32}
_CLASS = _ROUND | {"programme": "naim-1"}

KWARGS: dict[str, dict[str, str]] = {
    "enrolment:results-mine": {},
    "enrolment:round-results": _ROUND,
    "enrolment:round-transcript": _ROUND,
    "enrolment:result": _CHILD,
    "enrolment:result-answer": _CHILD | {"answer": "accepted"},
    "enrolment:result-leave": _CHILD | {"programme": "naim-1"},
    "enrolment:result-appeal": _CHILD,
    "enrolment:result-check": _CHILD,
    "enrolment:ministry-results": _ROUND,
    "enrolment:ministry-results-step": _ROUND,
    "enrolment:ministry-audit": _ROUND,
    "enrolment:ministry-audit-file": _ROUND,
    "enrolment:ministry-late": _ROUND,
    "enrolment:ministry-complementary": _ROUND,
    "enrolment:ministry-appeals": _ROUND,
    "enrolment:ministry-appeal": _ROUND | {"appeal": "b" * 32},
    "enrolment:ministry-class": _CLASS,
    "enrolment:ministry-class-csv": _CLASS,
}


def _expected(name: str) -> tuple[str, str, str, str]:
    if "ministry" in name:
        return _CLERKS
    if not KWARGS[name]:
        return ("sign-in", "forbidden", "page", "page")
    return _CITIZENS if ":result" in name else _NOTHING


TABLE = {name: _expected(name) for name in KWARGS}
POSTED = tuple(name for name in KWARGS if "ministry" in name or name == "enrolment:result-answer")

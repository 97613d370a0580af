"""The addresses of enrolment's applications: what each is made of, and who may expect what there.

The small country of these tests has no round: who may look finds nothing.
"""

from __future__ import annotations

_CLERKS = ("sign-in", "page", "forbidden", "forbidden")
_CLERKS_NOTHING = ("sign-in", "nothing", "forbidden", "forbidden")
_CITIZENS = ("sign-in", "forbidden", "page", "page")
_NOBODYS = ("sign-in", "nothing", "nothing", "nothing")
_ROUND = {"round_id": "first-2026"}
_CHILD = _ROUND | {"child": "a" * 32}
_FILE = _CHILD | {"document": "b" * 32}

KWARGS: dict[str, dict[str, str]] = {
    "enrolment:children": {},
    "enrolment:child": _CHILD,
    "enrolment:child-enter": _CHILD,
    "enrolment:child-apply": _CHILD,
    "enrolment:child-check": _CHILD,
    "enrolment:child-withdraw": _CHILD,
    "enrolment:child-files": _CHILD,
    "enrolment:child-file": _FILE,
    "enrolment:child-file-remove": _FILE,
    "enrolment:claim": _CHILD | {"number": "0"},
    "enrolment:counter": {},
    "enrolment:counter-waiting": _ROUND,
}
_OTHERS = {
    "enrolment:children": _CITIZENS,
    "enrolment:counter": _CLERKS,
    "enrolment:counter-waiting": _CLERKS_NOTHING,
    "enrolment:claim": _CLERKS_NOTHING,
}
TABLE = {name: _OTHERS.get(name, _NOBODYS) for name in KWARGS}
POSTED = tuple(name for name, who in TABLE.items() if who is _NOBODYS)

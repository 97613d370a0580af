"""Detections as OCSF Detection Findings (class 2004, schema 1.4.0), one JSON object a line."""

from __future__ import annotations

import hashlib
import json
from importlib import metadata
from typing import Any, Final, TextIO

from kulla.kernel.edges import Clock
from kulla.watch.findings import Account, AnyRule, Detection, tactics, techniques

VERSION: Final = "1.4.0"
_CLASS: Final = 2004
_CREATE: Final = 1
_SEVERITY: Final = {"informational": 1, "low": 2, "medium": 3, "high": 4, "critical": 5}
_RULE: Final = 1


class OcsfFile:
    """Writes each detection as a finding that was created when the scan saw it."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._product = {
            "name": "Kulla",
            "vendor_name": "Kulla",
            "version": metadata.version("kulla"),
        }

    def take(self, found: Detection) -> None:
        """See Sink."""
        finding = self._finding(found)
        self._stream.write(json.dumps(finding, ensure_ascii=False) + "\n")

    def end(self, account: Account) -> None:
        """See Sink."""
        del account
        self._stream.flush()

    def _finding(self, found: Detection) -> dict[str, Any]:
        rule = found.rule
        finding: dict[str, Any] = {
            "activity_id": _CREATE,
            "activity_name": "Create",
            "category_uid": 2,
            "category_name": "Findings",
            "class_uid": _CLASS,
            "class_name": "Detection Finding",
            "type_uid": _CLASS * 100 + _CREATE,
            "type_name": "Detection Finding: Create",
            "time": self._clock.now_ms(),
            "severity_id": _SEVERITY.get(rule.level, 0),
            "severity": rule.level.capitalize() if rule.level in _SEVERITY else "Unknown",
            "status_id": 1,
            "status": "New",
            "message": rule.title,
            "count": found.count,
            "metadata": {"version": VERSION, "product": self._product, "log_name": _log(found)},
            "finding_info": _info(found),
            "evidences": [{"data": _data(found)}],
        }
        for name, at_us in (("start_time", found.at_us), ("end_time", found.until_us)):
            if at_us is not None:
                finding[name] = at_us // 1000
        return finding


def _info(found: Detection) -> dict[str, Any]:
    rule = found.rule
    info: dict[str, Any] = {
        "uid": _uid(found),
        "title": rule.title,
        "analytic": {"type_id": _RULE, "type": "Rule", "uid": rule.id, "name": rule.title},
        "attacks": _attacks(rule),
    }
    if rule.description:
        info["desc"] = rule.description
    if found.at_us is not None:
        info["first_seen_time"] = found.at_us // 1000
    if found.until_us is not None:
        info["last_seen_time"] = found.until_us // 1000
    return {name: value for name, value in info.items() if value != []}


def _uid(found: Detection) -> str:
    """The same for the same detection, so that a second scan of a file adds nothing new."""
    parts = [found.rule.id, str(found.at_us)]
    parts += [f"{one.file}:{one.number}" for one in found.events]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _attacks(rule: AnyRule) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in techniques(rule):
        technique, _, _ = name.partition(".")
        one: dict[str, Any] = {"technique": {"uid": technique}}
        if technique != name:
            one["sub_technique"] = {"uid": name}
        found.append(one)
    if not found:
        found = [{"tactic": {"name": name.replace("-", " ").title()}} for name in tactics(rule)]
    return found


def _log(found: Detection) -> str:
    return str(found.fields.get("Channel") or found.place.file)


def _data(found: Detection) -> dict[str, Any]:
    return {
        "file": found.place.file,
        "number": found.place.number,
        "events": [{"file": one.file, "number": one.number} for one in found.events],
        "fields": dict(found.fields),
    }

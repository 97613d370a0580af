"""Detections as one JSON document, and as CSV; written as they come, so that any number fits."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from typing import Any, Final, TextIO

from kulla.watch.findings import Account, AnyRule, Detection, Tally, tactics, techniques
from kulla.watch.outputs.instants import written
from kulla.watch.sigma.rule import Unfit

FORMAT: Final = "kulla-watch-1"
_COLUMNS: Final = (
    "time", "level", "rule", "rule_id", "techniques", "file", "number", "count", "computer",
    "fields",
)  # fmt: skip


class JsonFile:
    """One JSON object: detections, then summary, techniques, rules, unfit and rejects."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._any = False
        stream.write(f'{{"format": "{FORMAT}", "detections": [')

    def take(self, found: Detection) -> None:
        """See Sink."""
        self._stream.write(",\n" if self._any else "\n")
        self._any = True
        self._stream.write(json.dumps(detection(found), ensure_ascii=False))

    def end(self, account: Account) -> None:
        """See Sink."""
        rest = summary(account)
        self._stream.write("\n],\n" + json.dumps(rest, ensure_ascii=False, indent=1)[2:] + "\n")
        self._stream.flush()


def detection(found: Detection) -> dict[str, Any]:
    """A detection as an object of JSON."""
    plain: dict[str, Any] = {
        "rule": found.rule.title,
        "rule_id": found.rule.id,
        "level": found.rule.level,
        "techniques": techniques(found.rule),
        "time": written(found.at_us) or None,
        "file": found.place.file,
        "number": found.place.number,
        "fields": dict(found.fields),
    }
    if found.until_us != found.at_us:
        plain["until"] = written(found.until_us)
    if found.count > 1 or len(found.events) > 1:
        plain["count"] = found.count
        plain["events"] = [{"file": one.file, "number": one.number} for one in found.events]
    return plain


def summary(account: Account) -> dict[str, Any]:
    """What a scan did, and what each rule found, for a program to read."""
    tallies = account.in_order()
    return {
        "summary": {
            "files": len(account.files),
            "events": account.events,
            "bytes": account.bytes,
            "seconds": round(account.seconds, 3),
            "events_per_s": round(account.events / account.seconds) if account.seconds else None,
            "detections": account.detections,
            "rules": account.rules,
            "correlations": account.correlations,
            "rules_unfit": len(account.unfit),
            "rules_unreached": len(account.unreached),
            "rejected": account.rejected,
            "own_rules_only": account.own_only,
        },
        "techniques": by_technique(tallies),
        "rules": [_tally(one) for one in tallies],
        "unfit": [_named(one) for one in account.unfit],
        "unreached": [_named(one) for one in account.unreached],
        "rejects": [
            {"file": one.file, "number": one.number, "reason": one.reason}
            for one in account.rejects
        ],
    }


def _named(one: Unfit) -> dict[str, str]:
    return {"rule": one.title, "rule_id": one.id, "file": one.file, "reason": one.reason}


def by_technique(tallies: list[Tally]) -> dict[str, int]:
    """Detections of each ATT&CK technique, in the order of their ids; a rule may name several."""
    found: dict[str, int] = {}
    for one in tallies:
        for name in techniques(one.rule) or ["none"]:
            found[name] = found.get(name, 0) + one.count
    return dict(sorted(found.items()))


def _tally(one: Tally) -> dict[str, Any]:
    return {
        **_about(one.rule),
        "count": one.count,
        "files": len(one.files),
        "first": written(one.first_us) or None,
        "last": written(one.last_us) or None,
    }


def _about(rule: AnyRule) -> dict[str, Any]:
    return {
        "rule": rule.title,
        "rule_id": rule.id,
        "level": rule.level,
        "status": rule.status,
        "techniques": techniques(rule),
        "tactics": tactics(rule),
        "file": rule.file,
        "author": rule.author,
    }


class CsvFile:
    """One row a detection; the event's fields as JSON in the last column."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rows = csv.writer(stream)
        self._rows.writerow(_COLUMNS)

    def take(self, found: Detection) -> None:
        """See Sink."""
        row = (
            written(found.at_us), found.rule.level, found.rule.title, found.rule.id,
            " ".join(techniques(found.rule)), found.place.file, found.place.number, found.count,
            found.fields.get("Computer", ""), json.dumps(dict(found.fields), ensure_ascii=False),
        )  # fmt: skip
        self._rows.writerow([_harmless(value) for value in row])

    def end(self, account: Account) -> None:
        """See Sink."""
        del account
        self._stream.flush()


def _harmless(value: Any) -> Any:
    """A spreadsheet would run what begins like a formula; what is in logs, attackers wrote."""
    text = str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def plain_fields(fields: Mapping[str, Any], most: int) -> list[tuple[str, str]]:
    """The first fields of an event as text, long ones cut."""
    return [(name, str(value)[:400]) for name, value in list(fields.items())[:most]]

"""Compares what `kulla watch scan --json` and Zircolite found in the same EVTX files, rule by rule.

    kulla watch scan evtx/ --rules rules/ --only --json kulla.json
    python3 zircolite.py -e evtx/ -r rules/ -p sysmon -p windows-logsources -o sysmon.json
    python3 zircolite.py -e evtx/ -r rules/ -p windows-audit -p windows-logsources -o audit.json
    python3 tools/compare_zircolite.py kulla.json sysmon.json audit.json

Zircolite takes one pipeline a run, so its runs are put together. An event is a file's name, a
channel and a record's number. Prints each rule that differs, with the events; exit code 1 where
Zircolite found something that Kulla did not.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

Event = tuple[str, str, str]
Found = dict[str, set[Event]]
SHOWN = 3


def kulla(path: Path, titles: dict[str, str]) -> Found:
    """Events by rule, out of a scan's JSON."""
    found: Found = defaultdict(set)
    for one in json.loads(path.read_text("utf-8"))["detections"]:
        titles[one["rule_id"]] = one["rule"]
        found[one["rule_id"]].add(_event(one["file"], one["fields"]))
    return found


def zircolite(paths: list[Path], titles: dict[str, str]) -> Found:
    """Events by rule, out of Zircolite's JSON of several runs."""
    found: Found = defaultdict(set)
    for path in paths:
        for one in json.loads(path.read_text("utf-8")):
            titles.setdefault(one["id"], one["title"])
            for match in one["matches"]:
                found[one["id"]].add(_event(match["OriginalLogfile"], match))
    return found


def say(line: str) -> None:
    """One line on standard output."""
    sys.stdout.write(f"{line}\n")


def _event(file: str, fields: dict[str, Any]) -> Event:
    return Path(file).name, str(fields.get("Channel")), str(fields.get("EventRecordID"))


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kulla", type=Path)
    parser.add_argument("zircolite", type=Path, nargs="+")
    given = parser.parse_args()
    titles: dict[str, str] = {}
    ours, theirs = kulla(given.kulla, titles), zircolite(given.zircolite, titles)
    pairs = sum(map(len, ours.values())), sum(map(len, theirs.values()))
    both = sum(len(ours[rule] & theirs[rule]) for rule in set(ours) & set(theirs))
    say(f"Kulla: {len(ours)} rules, {pairs[0]} pairs of rule and event.")
    say(f"Zircolite: {len(theirs)} rules, {pairs[1]} pairs. Both: {both}.")
    missed = 0
    for rule in sorted(set(ours) | set(theirs), key=lambda rule: titles[rule]):
        only_ours, only_theirs = ours[rule] - theirs[rule], theirs[rule] - ours[rule]
        missed += len(only_theirs)
        for who, events in (("Kulla", only_ours), ("Zircolite", only_theirs)):
            if events:
                say(f"{titles[rule]} ({rule}): {len(events)} by {who} alone")
                for event in sorted(events)[:SHOWN]:
                    say(f"    {' | '.join(event)}")
    say(f"{missed} by Zircolite alone.")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()

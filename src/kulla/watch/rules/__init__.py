"""Kulla's own rules: Sigma files for its own logs, the attack of 2022 and industrial protocols.

Each file stands alone: a correlation's rules are in the file with it. docs/watch-sources.md lists
them; tests/policy/test_watch_rules.py holds for each what it must find and what it must leave.
"""

from __future__ import annotations

from importlib.resources import files


def own_rules() -> dict[str, str]:
    """The text of each rule file by its name, in the order of the names."""
    folder = files(__name__)
    found = {entry.name: entry for entry in folder.iterdir() if entry.name.endswith(".yml")}
    return {name: found[name].read_text("utf-8") for name in sorted(found)}

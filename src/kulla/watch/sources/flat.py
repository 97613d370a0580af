"""Nested objects of JSON as one flat one, with dotted names as Sigma's cloud rules write them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

DEPTH_MAX: Final = 32


def flattened(record: Mapping[str, Any]) -> dict[str, Any]:
    """{'a': {'b': 1}} becomes {'a.b': 1, 'a': '{"b":1}'}; a list becomes text, items by commas.

    The object itself stays as text under its own name, since rules look into it with `contains`.
    A null stays one. Objects deeper than 32 stay text.
    """
    event: dict[str, Any] = {}
    _flatten(event, "", record, 0)
    return event


def _flatten(event: dict[str, Any], prefix: str, record: Mapping[str, Any], depth: int) -> None:
    for name, value in record.items():
        if isinstance(value, dict):
            event[prefix + name] = _as_text(value)
            if depth < DEPTH_MAX:
                _flatten(event, f"{prefix}{name}.", value, depth + 1)
        elif isinstance(value, list):
            event[prefix + name] = listed(value)
        else:
            event[prefix + name] = value


def listed(values: list[Any]) -> str:
    """A list as text: plain items with commas between, others as JSON."""
    if any(isinstance(item, dict | list) for item in values):
        return _as_text(values)
    return ",".join(_plain(item) for item in values)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _as_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

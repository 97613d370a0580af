"""Rules, correlations and events for the hand-worked correlation cases, in few words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

Expected = tuple[str, tuple[str, ...], int, int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Case:
    """Rules as YAML, events, and what fires."""

    name: str
    rules: str
    events: list[dict[str, Any]]
    expected: list[Expected]


def at(second: int, what: str, **fields: Any) -> dict[str, Any]:
    """An event at a second."""
    return {"_at_us": second * 1_000_000, "what": what, **fields}


def rule(name: str, what: str | list[str] = "", **extra: Any) -> str:
    """A plain rule that matches events by `what`."""
    return yaml.safe_dump(
        {
            "title": name,
            "name": name,
            "logsource": {"product": "test"},
            "detection": {"selection": {"what": what or name}, "condition": "selection"},
            **extra,
        }
    )


def correlation(
    name: str, kind: str, rules: list[str], timespan: str, by: list[str] | None = None, **extra: Any
) -> str:
    """A correlation document; extra: condition, aliases, generate."""
    section: dict[str, Any] = {"type": kind, "rules": rules, "timespan": timespan}
    if by is not None:
        section["group-by"] = by
    return yaml.safe_dump({"title": name, "name": name, "correlation": section | extra})


def together(*documents: str) -> str:
    """Documents as one YAML."""
    return "---\n".join(documents)


FAIL, OK, SEND = rule("fail"), rule("ok"), rule("send")
A, B, C = rule("a"), rule("b"), rule("c")


def count(name: str = "many", *, timespan: str = "10s", **condition: int) -> str:
    """Failures of one user, counted."""
    return together(
        correlation(name, "event_count", ["fail"], timespan, ["user"], condition=condition), FAIL
    )


def fails(*seconds: int, user: str = "eva") -> list[dict[str, Any]]:
    """A failure of one user at each second."""
    return [at(second, "fail", user=user) for second in seconds]


def values(kind: str, **condition: Any) -> str:
    """A correlation over the field n (unless another is named) of `send`, for each host, 10 s."""
    wanted = {"field": "n"} | condition
    return together(correlation("much", kind, ["send"], "10s", ["host"], condition=wanted), SEND)


def sends(*pairs: tuple[int, Any], host: str = "h") -> list[dict[str, Any]]:
    """Sendings of one host: (second, n)."""
    return [at(second, "send", host=host, n=n) for second, n in pairs]


def temporal(kind: str, rules: list[str], *, by: list[str] | None = None, **extra: Any) -> str:
    """A correlation of some of the rules a, b, c within 10 s, for each user or `by`."""
    texts = {"a": A, "b": B, "c": C}
    grouped = ["user"] if by is None else by
    return together(
        correlation("seq", kind, rules, "10s", grouped, **extra), *(texts[name] for name in rules)
    )


def steps(*pairs: tuple[int, str], user: str = "eva") -> list[dict[str, Any]]:
    """Events of one user: (second, what)."""
    return [at(second, what, user=user) for second, what in pairs]

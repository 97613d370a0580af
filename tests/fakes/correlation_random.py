"""Random correlations and events for Hypothesis, small enough that windows fill and slide."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from fakes.correlation_building import A, B, C, correlation, rule, together

KINDS = [
    "event_count",
    "value_count",
    "temporal",
    "temporal_ordered",
    "value_sum",
    "value_avg",
    "value_percentile",
    "value_median",
]
OPERATORS = ["gt", "gte", "lt", "lte", "eq", "neq"]
AB = rule("ab", ["a", "b"])
RULES = {"a": A, "b": B, "c": C, "ab": AB}


def events() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Up to twelve events within sixteen seconds, many at one instant, some without a field."""
    one = st.fixed_dictionaries(
        {
            "_at_us": st.integers(0, 15).map(lambda second: second * 1_000_000),
            "what": st.sampled_from(["a", "a", "b", "c", "x"]),
        },
        optional={
            "user": st.sampled_from(["eva", "eva", "EVA", "ben"]),
            "host": st.sampled_from(["h1", "h2"]),
            "n": st.sampled_from([0, 1, 2, 5, -1, 0.5, "3", "many", True]),
        },
    )
    return st.lists(one, min_size=2, max_size=12)


@st.composite
def correlations(draw: st.DrawFn) -> str:
    """One correlation over some of four rules, or a chain of two, as YAML of many documents."""
    inner, names = draw(_correlation("inner", sorted(RULES)))
    texts = [RULES[name] for name in sorted(RULES)]
    if draw(st.booleans()):
        return together(inner, *(RULES[name] for name in sorted(set(names))))
    outer, _ = draw(_correlation("outer", ["inner", "a", "b"], must="inner"))
    return together(outer, inner, *texts)


@st.composite
def _correlation(
    draw: st.DrawFn, name: str, known: list[str], must: str = ""
) -> tuple[str, list[str]]:
    kind = draw(st.sampled_from(KINDS))
    names = draw(st.lists(st.sampled_from(known), min_size=1, max_size=3, unique=True))
    if must and must not in names:
        names = [must, *names][:3]
    extra: dict[str, Any] = {}
    condition: dict[str, Any] = {}
    ordering = kind.startswith("temporal")
    if not ordering or draw(st.booleans()):
        condition[draw(st.sampled_from(OPERATORS))] = draw(st.integers(0, 4))
    if kind == "value_count":
        condition["field"] = draw(st.sampled_from(["n", "user", ["user", "host"]]))
    elif kind.startswith("value"):
        condition["field"] = "n"
    if kind == "value_percentile":
        condition["percentile"] = draw(st.sampled_from([0, 10, 50, 90, 100]))
    if condition:
        extra["condition"] = condition
    by = draw(st.sampled_from([None, ["user"], ["user"], ["user", "host"]]))
    if by == ["user"] and draw(st.booleans()):
        by = ["who"]
        extra["aliases"] = {"who": {one: draw(st.sampled_from(["user", "host"])) for one in names}}
    span = draw(st.sampled_from(["1s", "3s", "5s", "1m"]))
    return correlation(name, kind, names, span, by, **extra), names

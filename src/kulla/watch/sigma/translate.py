"""pySigma's condition objects into our tree; what has no place there is named."""

from __future__ import annotations

from typing import Final

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.types import (
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
)

from kulla.watch.errors import RuleUnfit
from kulla.watch.sigma.tree import ANY, ONE, All, Either, How, Node, Not, Pattern, Test

_MARKS: Final = {SpecialChars.WILDCARD_MULTI: ANY, SpecialChars.WILDCARD_SINGLE: ONE}
_OPERATORS: Final[dict[str, How]] = {"LT": "lt", "LTE": "lte", "GT": "gt", "GTE": "gte"}

_FLAGS: Final = {"IGNORECASE": "i", "MULTILINE": "m", "DOTALL": "s"}


def tree_of(condition: object) -> Node:
    """The tree of a parsed pySigma condition, in the smallest form.

    Raises RuleUnfit where a placeholder was not filled or pySigma gives something unknown.
    """
    if condition is None:
        return All(())
    if isinstance(condition, ConditionNOT):
        return Not(tree_of(condition.args[0]))
    if isinstance(condition, ConditionAND):
        return _flat(All, [tree_of(part) for part in condition.args])
    if isinstance(condition, ConditionOR):
        return _flat(Either, [tree_of(part) for part in condition.args])
    if isinstance(condition, ConditionFieldEqualsValueExpression):
        return _tests(condition.field, condition.value)
    if isinstance(condition, ConditionValueExpression):
        return _tests("", condition.value)
    raise RuleUnfit(f"A condition of the kind {type(condition).__name__} is not known here.")


def _flat(kind: type[All] | type[Either], parts: list[Node]) -> Node:
    if len(parts) == 1:
        return parts[0]
    flat: list[Node] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, kind) else [part])
    return kind(tuple(dict.fromkeys(flat)))


def _tests(field: str, value: SigmaType) -> Node:
    if isinstance(value, SigmaExpansion):
        return _flat(Either, [_tests(field, one) for one in value.values])
    if field == "":
        return _keyword(value)
    if isinstance(value, SigmaString):
        cased = isinstance(value, SigmaCasedString)
        return Test(field, "text", _pattern(value), cased=cased)
    if isinstance(value, SigmaTimestampPart):
        unit = value.timestamp_part.name.lower()
        return Test(field, "part", value=str(value.number), flags=unit)
    return _plain(field, value)


def _plain(field: str, value: SigmaType) -> Node:
    if isinstance(value, SigmaNumber | SigmaBool):
        return Test(field, "text", (str(value).lower(),))
    if isinstance(value, SigmaRegularExpression):
        return _regex(field, value)
    if isinstance(value, SigmaCIDRExpression):
        return Test(field, "cidr", value=str(value.network))
    if isinstance(value, SigmaCompareExpression):
        if isinstance(value.number, SigmaTimestampPart):
            raise RuleUnfit("A comparison of a part of a time is not known here.")
        return Test(field, _OPERATORS[value.op.name], value=str(value.number))
    if isinstance(value, SigmaExists):
        return Test(field, "exists", value=str(value.exists).lower())
    if isinstance(value, SigmaNull):
        return Test(field, "null")
    if isinstance(value, SigmaFieldReference):
        ends = (value.starts_with, value.ends_with)
        where = {(True, True): "contains", (True, False): "starts", (False, True): "ends"}
        return Test(field, "fieldref", value=value.field, flags=where.get(ends, ""))
    raise RuleUnfit(f"A value of the kind {type(value).__name__} is not known here.")


def _keyword(value: SigmaType) -> Node:
    """A keyword is looked for anywhere in a value, whether or not it stands between wildcards."""
    if isinstance(value, SigmaRegularExpression):
        return _regex("", value)
    if isinstance(value, SigmaString):
        pattern = _merged((ANY, *_pattern(value), ANY))
        return Test("", "text", pattern, cased=isinstance(value, SigmaCasedString))
    if isinstance(value, SigmaNumber):
        return Test("", "text", (ANY, str(value), ANY))
    raise RuleUnfit(f"A keyword of the kind {type(value).__name__} is not known here.")


def _regex(field: str, value: SigmaRegularExpression) -> Test:
    if any(isinstance(part, Placeholder) for part in value.regexp.s):
        raise RuleUnfit("Its regular expression has a placeholder.", remedy=_FILL)
    text = "".join(_regex_part(part) for part in value.regexp.s)
    flags = "".join(sorted(_FLAGS[flag.name] for flag in value.flags))
    return Test(field, "regex", value=text, flags=flags)


def _regex_part(part: object) -> str:
    if isinstance(part, str):
        return part
    return "*" if part is SpecialChars.WILDCARD_MULTI else "?"


_FILL: Final = "Give the values in a pySigma pipeline with --pipeline."


def _pattern(value: SigmaString) -> Pattern:
    parts: list[str | int] = []
    for part in value.s:
        if isinstance(part, Placeholder):
            raise RuleUnfit(f"The placeholder %{part.name}% needs a list of values.", remedy=_FILL)
        parts.append(part if isinstance(part, str) else _MARKS[part])
    return _merged(tuple(parts)) or ("",)


def _merged(pattern: Pattern) -> Pattern:
    """Adjacent literals joined, and several ANY in a row made one."""
    merged: list[str | int] = []
    for part in pattern:
        if part == "":
            continue
        if merged and part == ANY and merged[-1] == ANY:
            continue
        if merged and isinstance(part, str) and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    return tuple(merged)

"""Correlations out of their documents, joined to the rules that they speak of.

They are read from the YAML itself: pySigma 1.5 knows one operator a condition, Sigma 2.1 allows
several (`gt: 1` and `lte: 3` is a range).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

from kulla.watch.errors import RuleUnfit
from kulla.watch.sigma.rule import Rule, Unfit

KINDS: Final = (
    "event_count", "value_count", "temporal", "temporal_ordered",
    "value_sum", "value_avg", "value_percentile", "value_median",
)  # fmt: skip
OPERATORS: Final = ("gt", "gte", "lt", "lte", "eq", "neq")
_SECONDS: Final = {
    "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "M": 2_629_746, "y": 31_556_952,
}  # fmt: skip
_WORDS: Final = re.compile(r"[()]|[^\s()]+")


@dataclass(frozen=True, slots=True)
class Correlation:
    """A correlation rule of Sigma 2.1.

    rules: the names or ids that it refers to, in order. span_us: its timespan. aliases: for a name
    of group-by, the field in each rule's events. limits: operator and number, all of which must
    hold. fields: what is counted or measured. expression: for a temporal one, the words of a
    condition of rules' names, with and, or, not and brackets; else empty.
    """

    id: str
    title: str
    name: str
    level: str
    status: str
    tags: tuple[str, ...]
    file: str
    description: str
    author: str
    references: tuple[str, ...]
    false_positives: tuple[str, ...]
    kind: str
    rules: tuple[str, ...]
    span_us: int
    group_by: tuple[str, ...]
    aliases: Mapping[str, Mapping[str, str]]
    limits: tuple[tuple[str, Fraction], ...]
    fields: tuple[str, ...]
    percentile: int
    expression: tuple[str, ...]
    generate: bool
    quiet: bool = False


def correlation_of(document: Mapping[str, Any], file: str) -> Correlation:
    """The correlation of a YAML document. Raises RuleUnfit that says which part is wrong."""
    body = document["correlation"]
    if not isinstance(body, Mapping):
        raise RuleUnfit("Its part 'correlation' is not a mapping.")
    kind = str(body.get("type", ""))
    if kind not in KINDS:
        raise RuleUnfit(f"{kind!r} is no type of correlation; there are {', '.join(KINDS)}.")
    rules = _texts(body.get("rules"), "rules")
    condition = body.get("condition")
    expression: tuple[str, ...] = ()
    if isinstance(condition, str):
        expression = _expression(condition, kind)
        rules = rules or tuple(dict.fromkeys(w for w in expression if w not in _GRAMMAR))
        condition = {}
    if not rules:
        raise RuleUnfit("It names no rules.")
    condition = condition or {}
    if not isinstance(condition, Mapping):
        raise RuleUnfit("Its condition is neither a mapping nor an expression.")
    return Correlation(
        **_about(document, file),
        kind=kind,
        rules=rules,
        span_us=_span_us(body.get("timespan", body.get("timeframe"))),
        group_by=_texts(body.get("group-by"), "group-by"),
        aliases=_aliases(body.get("aliases")),
        limits=_limits(condition, kind, len(rules), bool(expression)),
        fields=_fields(condition, kind),
        percentile=_percentile(condition, kind),
        expression=expression,
        generate=bool(body.get("generate", document.get("generate", False))),
    )


def _about(document: Mapping[str, Any], file: str) -> dict[str, Any]:
    name = str(document.get("name") or "")
    title = str(document.get("title") or name or file)

    def listed(key: str) -> tuple[str, ...]:
        value = document.get(key) or ()
        return (value,) if isinstance(value, str) else tuple(str(one) for one in value)

    return {
        "id": str(document.get("id") or name or file),
        "title": title,
        "name": name,
        "level": str(document.get("level") or "").lower(),
        "status": str(document.get("status") or "").lower(),
        "tags": listed("tags"),
        "file": file,
        "description": str(document.get("description") or ""),
        "author": str(document.get("author") or ""),
        "references": listed("references"),
        "false_positives": listed("falsepositives"),
    }


_GRAMMAR: Final = {"and", "or", "not", "(", ")"}


def _texts(value: Any, what: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Sequence) and all(isinstance(one, str) for one in value):
        return tuple(value)
    raise RuleUnfit(f"Its part {what!r} is not a list of names.")


def _expression(text: str, kind: str) -> tuple[str, ...]:
    if kind not in ("temporal", "temporal_ordered"):
        raise RuleUnfit(f"A condition of rules' names does not go with {kind}.")
    if kind == "temporal_ordered":
        raise RuleUnfit("An order of rules in a condition of names is not defined by Sigma 2.1.")
    return tuple(_WORDS.findall(text))


def _span_us(text: Any) -> int:
    found = re.fullmatch(r"(\d+)([smhdwMy])", str(text))
    if found is None or not int(found[1]):
        raise RuleUnfit(f"{text!r} is no timespan; one is a number and one of s m h d w M y.")
    return int(found[1]) * _SECONDS[found[2]] * 1_000_000


def _aliases(value: Any) -> dict[str, dict[str, str]]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(v, Mapping) for v in value.values()):
        raise RuleUnfit("Its aliases are not a mapping of names to rules and fields.")
    return {str(k): {str(rule): str(name) for rule, name in v.items()} for k, v in value.items()}


def _limits(
    condition: Mapping[str, Any], kind: str, rules: int, expressed: bool
) -> tuple[tuple[str, Fraction], ...]:
    unknown = set(condition) - set(OPERATORS) - {"field", "percentile"}
    if unknown:
        raise RuleUnfit(f"Its condition has {', '.join(sorted(unknown))}, which nothing knows.")
    limits = []
    for name in OPERATORS:
        if name in condition:
            try:
                limits.append((name, Fraction(str(condition[name]))))
            except ValueError:
                raise RuleUnfit(f"{condition[name]!r} is no number for {name}.") from None
    if limits or expressed:
        return tuple(limits)
    if kind in ("temporal", "temporal_ordered"):
        return (("gte", Fraction(rules)),)
    raise RuleUnfit("Its condition compares with nothing.")


def _fields(condition: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    fields = _texts(condition.get("field"), "field")
    if kind.startswith("value_") and not fields:
        raise RuleUnfit(f"{kind} needs a field.")
    if len(fields) > 1 and kind != "value_count":
        raise RuleUnfit(f"{kind} takes one field.")
    return fields


def _percentile(condition: Mapping[str, Any], kind: str) -> int:
    if kind != "value_percentile":
        return 50
    value = condition.get("percentile")
    if not isinstance(value, int) or not 0 <= value <= 100:
        raise RuleUnfit("value_percentile needs a percentile from 0 to 100.")
    return value


def link(
    rules: list[Rule], correlations: list[Correlation], unfit: list[Unfit]
) -> tuple[list[Rule], list[Correlation], list[Unfit]]:
    """Rules and correlations, inner before outer, those marked that are silent; and what is unfit.

    A correlation is unfit where a rule that it names is not there or does not run: it would wait
    for ever.
    """
    lost = {word: one.reason for one in unfit for word in (one.id, one.title) if word}
    known: set[str] = {word for rule in rules for word in (rule.id, rule.name) if word}
    ordered: list[Correlation] = []
    waiting = list(correlations)
    while waiting:
        ready = [one for one in waiting if all(name in known for name in one.rules)]
        if not ready:
            break
        for one in ready:
            known |= {word for word in (one.id, one.name) if word}
            ordered.append(one)
            waiting.remove(one)
    wrong = [Unfit(one.id, one.title, one.file, _why(one, known, lost, waiting)) for one in waiting]
    silent = _silent(ordered)
    return (
        [replace(one, quiet=True) if {one.id, one.name} & silent else one for one in rules],
        [replace(one, quiet=True) if {one.id, one.name} & silent else one for one in ordered],
        wrong,
    )


def _silent(correlations: list[Correlation]) -> set[str]:
    """Names of rules that speak only through correlations: none of theirs asks for `generate`."""
    speaking = {name for one in correlations if one.generate for name in one.rules}
    return {name for one in correlations for name in one.rules} - speaking


def _why(
    one: Correlation, known: set[str], lost: Mapping[str, str], waiting: list[Correlation]
) -> str:
    for name in one.rules:
        if name in known:
            continue
        if name in lost:
            return f"The rule {name!r} that it names does not run: {lost[name]}"
        if any(name in (other.id, other.name) for other in waiting):
            return f"It and the correlation {name!r} refer to one another, or to one that is unfit."
        return f"The rule {name!r} that it names is not there."
    raise AssertionError("a correlation that is ready does not wait")

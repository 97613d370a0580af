"""A slow, obvious interpreter of Sigma 2.1, written from the text of its specification alone.

It exists to be compared with: it reads a rule's YAML itself, looks at one event after another, and
nothing in it is clever. Where the specification is silent, what it takes is said here:

- A comparison with a field that is missing, or null, is false; `null` and `exists: false` are true
  for a missing one, and `exists: true` is true for a null too. A negation turns all that around, so
  `neq` is true for a missing field, as `not` of the same comparison is.
- Values compare as text: 1 and '1' are the same, true is 'true'. Case is ignored letter by letter.
- A keyword is looked for inside each value of the event, not across two and not in names of fields.
  What the sources add about time (_at_us, _at_how) is no value of the event.
- `windash` changes dashes and slashes that begin a word, as the reference implementation has it; of
  the five forms only - and / are looked for in a rule.
- A rule's `filter` documents are joined to its condition with `and`.
- lt, lte, gt and gte look at numbers and at text that is one; everything else is false.
"""

from __future__ import annotations

import base64
import ipaddress
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import yaml

from fakes.sigma_oracle_correlations import Fired, fired, number_of

__all__ = ["Fired", "Unfit", "correlates", "matches"]

Event = Mapping[str, Any]
Says = Callable[[Event], bool]

ANY, ONE = object(), object()
NO_VALUES = {"_at_us", "_at_how"}
DASHES = ("-", "/", "\N{EN DASH}", "\N{EM DASH}", "\N{HORIZONTAL BAR}")
ENCODINGS = {"utf16le": "utf-16-le", "wide": "utf-16-le", "utf16be": "utf-16-be", "utf16": "utf-16"}
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "lt": lambda value, limit: value < limit,
    "lte": lambda value, limit: value <= limit,
    "gt": lambda value, limit: value > limit,
    "gte": lambda value, limit: value >= limit,
}
PARTS: dict[str, Callable[[datetime], int]] = {
    "minute": lambda when: when.minute,
    "hour": lambda when: when.hour,
    "day": lambda when: when.day,
    "week": lambda when: when.isocalendar().week,
    "month": lambda when: when.month,
    "year": lambda when: when.year,
}


class Unfit(Exception):
    """A rule that Sigma 2.1 does not allow, or that has a placeholder nobody filled."""


def matches(rule_yaml: str, events: list[dict[str, Any]]) -> set[int]:
    """Which events (by index) the rule matches; documents with `filter` apply to it.

    The log source is not looked at: the events are those of the rule's.
    """
    documents = [document for document in yaml.safe_load_all(rule_yaml) if document]
    (rule,) = (document for document in documents if "detection" in document)
    says = rule_says(rule, [document for document in documents if "filter" in document])
    return {index for index, event in enumerate(events) if says(event)}


def correlates(rules_yaml: str, events: list[dict[str, Any]]) -> list[Fired]:
    """What the rules and correlations of many documents give; see sigma_oracle_correlations."""
    documents = [document for document in yaml.safe_load_all(rules_yaml) if document]
    filters = [document for document in documents if "filter" in document]
    found = {}
    for number, document in enumerate(documents):
        if "detection" in document:
            says = rule_says(document, filters)
            found[number] = {index for index, event in enumerate(events) if says(event)}
    return fired(documents, found, events)


def rule_says(rule: Mapping[str, Any], filters: list[Mapping[str, Any]]) -> Says:
    """Whether an event matches the rule and every filter that names it."""
    says = _detection_says(rule["detection"])
    for document in filters:
        named = document["filter"].get("rules", "any")
        same = all(
            rule.get("logsource", {}).get(key) == value
            for key, value in document.get("logsource", {}).items()
        )
        if same and (named == "any" or {rule.get("id"), rule.get("name")} & set(named)):
            says = _all([says, _detection_says(document["filter"])])
    return says


def _all(parts: list[Says]) -> Says:
    return lambda event: all(part(event) for part in parts)


def _any(parts: list[Says]) -> Says:
    return lambda event: any(part(event) for part in parts)


def _not(part: Says) -> Says:
    return lambda event: not part(event)


# Conditions


def _detection_says(detection: Mapping[str, Any]) -> Says:
    parts = {
        name: _searched(search)
        for name, search in detection.items()
        if name not in {"condition", "timeframe", "rules"}
    }
    conditions = detection["condition"]
    if isinstance(conditions, str):
        conditions = [conditions]
    return _any([_condition(condition, parts) for condition in conditions])


def _condition(text: str, parts: Mapping[str, Says]) -> Says:
    tokens = re.findall(r"[()]|[^\s()]+", text)
    says, rest = _or(tokens, parts)
    if rest:
        raise Unfit(f"the condition does not end: {rest}")
    return says


def _or(tokens: list[str], parts: Mapping[str, Says]) -> tuple[Says, list[str]]:
    says, rest = _and(tokens, parts)
    found = [says]
    while rest[:1] == ["or"]:
        says, rest = _and(rest[1:], parts)
        found.append(says)
    return _any(found), rest


def _and(tokens: list[str], parts: Mapping[str, Says]) -> tuple[Says, list[str]]:
    says, rest = _one(tokens, parts)
    found = [says]
    while rest[:1] == ["and"]:
        says, rest = _one(rest[1:], parts)
        found.append(says)
    return _all(found), rest


def _one(tokens: list[str], parts: Mapping[str, Says]) -> tuple[Says, list[str]]:
    match tokens:
        case ["not", *rest]:
            says, rest = _one(rest, parts)
            return _not(says), rest
        case ["(", *rest]:
            says, rest = _or(rest, parts)
            if rest[:1] != [")"]:
                raise Unfit("a bracket stays open")
            return says, rest[1:]
        case [("1" | "any" | "all") as how, "of", pattern, *rest]:
            chosen = [parts[name] for name in _names(pattern, parts)]
            return (_all if how == "all" else _any)(chosen), rest
        case [name, *rest] if name in parts:
            return parts[name], rest
    raise Unfit(f"no part of a condition: {tokens[:3]}")


def _names(pattern: str, parts: Mapping[str, Says]) -> list[str]:
    if pattern == "them":
        pattern = "*"
    regex = ".*".join(re.escape(piece) for piece in pattern.split("*"))
    return [
        name
        for name in parts
        if re.fullmatch(regex, name) and (pattern.startswith("_") or not name.startswith("_"))
    ]


# Searches


def _searched(search: Any) -> Says:
    if isinstance(search, dict):
        return _all([_item(key, value) for key, value in search.items()])
    if isinstance(search, list):
        return _any([_searched(one) for one in search])
    return _item("", search)


def _item(key: str, value: Any) -> Says:
    field, *modifiers = key.split("|")
    values = value if isinstance(value, list) else [value]
    modifiers_left = [name for name in modifiers if name not in {"all", "neq"}]
    each = [_value(field, modifiers_left, one) for one in values]
    says = (_all if "all" in modifiers else _any)(each)
    return _not(says) if "neq" in modifiers else says


def _value(field: str, modifiers: list[str], value: Any) -> Says:
    """One value of a rule, with its modifiers in their order."""
    match modifiers:
        case ["exists"]:
            return lambda event: (field in event) == bool(value)
        case ["re", *flags]:
            return _texts(field, _regex(value, flags))
        case ["cidr"]:
            return _texts(field, _in_network(ipaddress.ip_network(value, strict=False)))
        case [("lt" | "lte" | "gt" | "gte") as how]:
            return lambda event: _compared(event.get(field), COMPARISONS[how], float(value))
        case [part] if part in PARTS:
            return lambda event: _part_of(event.get(field), PARTS[part]) == int(value)
        case _ if "fieldref" in modifiers:
            return _same_as(field, [name for name in modifiers if name != "fieldref"], value)
    if value is None:
        return lambda event: event.get(field) is None
    cased = "cased" in modifiers
    patterns = _patterns(str(_text(value)), [name for name in modifiers if name != "cased"])
    if field == "":
        patterns = [[ANY, *pattern, ANY] for pattern in patterns]
    return _texts(field, _like(patterns, cased))


def _texts(field: str, says: Callable[[str], bool]) -> Says:
    """Asks a field, or every value of the event where there is no field (a keyword)."""

    def asked(event: Event) -> bool:
        if field:
            values = [event.get(field)]
        else:
            values = [value for name, value in event.items() if name not in NO_VALUES]
        return any(says(text) for text in map(_text, values) if text is not None)

    return asked


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _lower(text: str) -> str:
    return "".join(char.lower() if len(char.lower()) == 1 else char for char in text)


def _like(patterns: list[list[Any]], cased: bool) -> Callable[[str], bool]:
    def says(text: str) -> bool:
        for pattern in patterns:
            regex = "".join(_as_regex(part, cased) for part in pattern)
            if re.fullmatch(regex, text if cased else _lower(text), re.DOTALL):
                return True
        return False

    return says


def _as_regex(part: Any, cased: bool) -> str:
    if part is ANY:
        return ".*"
    if part is ONE:
        return "."
    return re.escape(part if cased else _lower(part))


def _regex(value: str, flags: list[str]) -> Callable[[str], bool]:
    known = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}
    wanted = re.RegexFlag(0)
    for flag in flags:
        if flag not in known:
            raise Unfit(f"no flag of a regular expression: {flag}")
        wanted |= known[flag]
    compiled = re.compile(str(value), wanted)
    return lambda text: compiled.search(text) is not None


def _in_network(network: Any) -> Callable[[str], bool]:
    def says(text: str) -> bool:
        try:
            return ipaddress.ip_address(text) in network
        except ValueError:
            return False

    return says


def _compared(value: Any, compare: Callable[[float, float], bool], limit: float) -> bool:
    number = number_of(value)
    return number is not None and compare(float(number), limit)


def _part_of(value: Any, part: Callable[[datetime], int]) -> int | None:
    try:
        return part(datetime.fromisoformat(str(value)))
    except ValueError:
        return None


def _same_as(field: str, where: list[str], other: str) -> Says:
    def says(event: Event) -> bool:
        mine, theirs = _text(event.get(field)), _text(event.get(other))
        if mine is None or theirs is None:
            return False
        mine, theirs = _lower(mine), _lower(theirs)
        match where:
            case ["contains"]:
                return theirs in mine
            case ["startswith"]:
                return mine.startswith(theirs)
            case ["endswith"]:
                return mine.endswith(theirs)
            case []:
                return mine == theirs
        raise Unfit(f"fieldref with {where}")

    return says


# Values: text with wildcards, and the modifiers that change it


def _patterns(value: str, modifiers: list[str]) -> list[list[Any]]:
    """Every form of the value that the modifiers allow, each a list of letters and wildcards."""
    found = [_letters(value)]
    bytes_of = "utf-8"
    for name in modifiers:
        if name in ENCODINGS:
            found = [list(_encoded(pattern, ENCODINGS[name])) for pattern in found]
            bytes_of = "latin-1"  # from here on each letter stands for one byte
        else:
            found = list(itertools.chain(*(_changed(name, one, bytes_of) for one in found)))
    return found


def _letters(value: str) -> list[Any]:
    """A backslash before *, ? or a backslash takes its meaning away; any other is just one."""
    found: list[Any] = []
    letters = iter(range(len(value)))
    for at in letters:
        letter = value[at]
        if letter == "\\" and value[at + 1 : at + 2] in {"*", "?", "\\"}:
            found.append(value[next(letters)])
        else:
            found.append({"*": ANY, "?": ONE}.get(letter, letter))
    return found


def _changed(name: str, pattern: list[Any], bytes_of: str) -> Iterator[list[Any]]:
    if name == "contains":
        yield [ANY, *pattern, ANY]
    elif name == "startswith":
        yield [*pattern, ANY]
    elif name == "endswith":
        yield [ANY, *pattern]
    elif name == "windash":
        yield from _dashed(pattern)
    elif name == "base64":
        yield list(base64.b64encode(_plain(pattern, bytes_of)).decode())
    elif name == "base64offset":
        yield from _shifted(_plain(pattern, bytes_of))
    elif name == "expand":
        text = "".join(part if isinstance(part, str) else "*" for part in pattern)
        if re.search(r"%[^%]+%", text):
            raise Unfit("a placeholder was not filled beforehand")
        yield pattern
    else:
        raise Unfit(f"no modifier of Sigma 2.1: {name}")


def _plain(pattern: list[Any], bytes_of: str) -> bytes:
    if ANY in pattern or ONE in pattern:
        raise Unfit("a value with wildcards can't be encoded")
    return "".join(pattern).encode(bytes_of)


def _encoded(pattern: list[Any], encoding: str) -> Iterator[Any]:
    """UTF-16, each byte as the letter of its number; only 'utf16' itself has a byte order mark."""
    if encoding == "utf-16":
        yield from ("\xff", "\xfe")
        encoding = "utf-16-le"
    for part in pattern:
        if isinstance(part, str):
            yield from part.encode(encoding).decode("latin-1")
        else:
            yield part


def _shifted(raw: bytes) -> Iterator[list[Any]]:
    """Base64 of the value behind 0, 1 or 2 other bytes, without the letters those touch."""
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + raw).decode().rstrip("=")
        first = (shift * 8 + 5) // 6  # letters in front that hold a bit of what stands before
        last = (shift + len(raw)) * 8 // 6  # letters that hold nothing but the value's own bits
        yield list(encoded[first:last])


def _dashed(pattern: list[Any]) -> Iterator[list[Any]]:
    """Every mix of the five dashes where a - or / begins a word."""
    choices = []
    for at, part in enumerate(pattern):
        before = pattern[at - 1] if at else " "
        after = pattern[at + 1] if at + 1 < len(pattern) else " "
        begins = part in ("-", "/") and not _in_word(before) and _in_word(after)
        choices.append(DASHES if begins else (part,))
    for choice in itertools.product(*choices):
        yield list(choice)


def _in_word(part: Any) -> bool:
    return isinstance(part, str) and re.fullmatch(r"\w", part) is not None

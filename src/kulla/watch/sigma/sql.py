"""A tree as a ClickHouse expression that is 1 where an event matches and 0 where it does not.

Columns of a field: the value as it came, Nullable(String), NULL where the field is missing; and the
value in lower case, '' where it is missing. Every test is 0 for a missing field (but `null` and
`exists: false`), never NULL, so that a Not around it is 1: three-valued logic would let some slip.
"""

from __future__ import annotations

from typing import Final

from kulla.watch.sigma.tree import ANY, All, Either, Node, Not, Pattern, Test, tests_of

VALUES: Final = ""
"""The field name of keywords: the columns of all values of an event, as arrays."""

_PARTS: Final = {
    "minute": "toMinute",
    "hour": "toHour",
    "day": "toDayOfMonth",
    "week": "toISOWeek",
    "month": "toMonth",
    "year": "toYear",
}
_COMPARE: Final = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


def quoted(text: str) -> str:
    """The text as a string of ClickHouse SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0")
    return f"'{escaped}'"


def named(name: str) -> str:
    """The name as an identifier of ClickHouse SQL."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def as_is(field: str) -> str:
    """The column of the field's value as it came."""
    return named(f"is {field}")


def lowered(field: str) -> str:
    """The column of the field's value in lower case."""
    return named(f"lower {field}")


def there(field: str) -> str:
    """The column that is 1 where the event has the field, be it null."""
    return named(f"has {field}")


def lower(text: str) -> str:
    """The text in lower case as ClickHouse's lowerUTF8 has it (Unicode's full mapping)."""
    return text.lower()


def expression(node: Node) -> str:
    """The condition as ClickHouse SQL over the columns `as_is` and `lowered` name."""
    if isinstance(node, Test):
        return _test(node)
    if isinstance(node, Not):
        return f"NOT ({expression(node.part)})"
    if isinstance(node, Either):
        return _either(node)
    if not node.parts:
        return "1"
    return "(" + " AND ".join(expression(part) for part in node.parts) + ")"


def columns(node: Node) -> tuple[set[str], set[str], set[str]]:
    """The fields that a condition asks for.

    Those whose value it wants as it came, those in lower case, and those of which it asks whether
    they are there.
    """
    plain: set[str] = set()
    low: set[str] = set()
    asked = {test.field for test in tests_of(node) if test.how == "exists"}
    _columns(node, plain, low)
    return plain, low, asked


def _columns(node: Node, plain: set[str], low: set[str]) -> None:
    if isinstance(node, All | Either):
        for part in node.parts:
            _columns(part, plain, low)
    elif isinstance(node, Not):
        _columns(node.part, plain, low)
    elif node.how == "fieldref":
        plain |= {node.field, node.value}
        low |= {node.field, node.value}
    elif node.how == "text" and not node.cased and _has_text(node.pattern):
        low.add(node.field)
    elif node.how != "exists":
        plain.add(node.field)


def _has_text(pattern: Pattern) -> bool:
    return any(isinstance(part, str) and part for part in pattern)


def _either(node: Either) -> str:
    """An OR; plain equalities of one field become one lookup."""
    if not node.parts:
        return "0"
    equal: dict[str, list[str]] = {}
    rest = []
    for part in node.parts:
        if isinstance(part, Test) and _is_plain(part):
            equal.setdefault(part.field, []).append(quoted(lower(str(part.pattern[0]))))
        else:
            rest.append(expression(part))
    looked_up = [f"{lowered(field)} IN ({', '.join(values)})" for field, values in equal.items()]
    return "(" + " OR ".join(looked_up + rest) + ")"


def _is_plain(test: Test) -> bool:
    return (
        test.how == "text"
        and not test.cased
        and bool(test.field)
        and len(test.pattern) == 1
        and isinstance(test.pattern[0], str)
        and test.pattern[0] != ""
    )


def _test(test: Test) -> str:
    column = as_is(test.field)
    if test.how == "text":
        return _text(test)
    if test.field == VALUES:
        return f"arrayExists(v -> {_match('v', test)}, {column})"
    if test.how == "regex":
        return f"ifNull({_match(column, test)}, 0)"
    if test.how == "null":
        return f"isNull({column})"
    if test.how == "exists":
        return there(test.field) if test.value == "true" else f"NOT {there(test.field)}"
    if test.how == "cidr":
        return _cidr(column, test.value)
    if test.how == "fieldref":
        return _fieldref(test)
    if test.how == "part":
        moment = f"parseDateTime64BestEffortOrNull(ifNull({column}, ''), 6, 'UTC')"
        return f"ifNull({_PARTS[test.flags]}({moment}) = {test.value}, 0)"
    return f"ifNull(toFloat64OrNull({column}) {_COMPARE[test.how]} {test.value}, 0)"


def _text(test: Test) -> str:
    if test.field == VALUES:
        column = as_is(VALUES) if test.cased else lowered(VALUES)
        return f"arrayExists(v -> {_pattern('v', test)}, {column})"
    if not _has_text(test.pattern):
        if test.pattern == (ANY,):
            return f"isNotNull({as_is(test.field)})"
        return f"ifNull({_pattern(as_is(test.field), test)}, 0)"
    if test.cased:
        return f"ifNull({_pattern(as_is(test.field), test)}, 0)"
    return _pattern(lowered(test.field), test)


def _pattern(column: str, test: Test) -> str:
    """One comparison of a column with a pattern, by the plainest function that does it."""
    parts = test.pattern if test.cased else tuple(_low(part) for part in test.pattern)
    match parts:
        case (str(text),):
            return f"{column} = {quoted(text)}"
        case (0, str(text), 0):
            return f"position({column}, {quoted(text)}) > 0"
        case (str(text), 0):
            return f"startsWith({column}, {quoted(text)})"
        case (0, str(text)):
            return f"endsWith({column}, {quoted(text)})"
    like = "".join(_like(part) for part in parts)
    return f"{column} LIKE {quoted(like)}"


def _low(part: str | int) -> str | int:
    return lower(part) if isinstance(part, str) else part


def _like(part: str | int) -> str:
    if isinstance(part, str):
        return part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return "%" if part == ANY else "_"


def _match(column: str, test: Test) -> str:
    return f"match({column}, {quoted(re2(test.value, test.flags))})"


def re2(pattern: str, flags: str) -> str:
    r"""The expression as RE2 must have it to mean what Sigma's PCRE means.

    ClickHouse lets `.` match a line's end unless told otherwise; RE2's `$` is only the very end,
    where PCRE's may stand before a last newline; `\Z` is known as `\z` alone.
    """
    out = []
    inside = False  # of a [class]
    position = 0
    while position < len(pattern):
        letter = pattern[position]
        if letter == "\\":
            pair = pattern[position : position + 2]
            out.append("(?:\\n?\\z)" if pair == "\\Z" and not inside else pair)
            position += 2
            continue
        if inside and letter == "]" and pattern[position - 1] not in "[^":
            inside = False
        elif not inside and letter == "[":
            inside = True
        elif not inside and letter == "$" and "m" not in flags:
            letter = "(?:\\n?\\z)"
        out.append(letter)
        position += 1
    on = "".join(sorted(set(flags) & set("ims")))
    off = "" if "s" in flags else "-s"
    return f"(?{on}{off})" * bool(on or off) + "".join(out)


def _cidr(column: str, network: str) -> str:
    """Only addresses reach isIPAddressInRange: it throws on all else, and '-' is common."""
    text = f"ifNull({column}, '')"
    kind = "isIPv6String" if ":" in network else "isIPv4String"
    stand_in = "'::'" if ":" in network else "'0.0.0.0'"
    safe = f"if({kind}({text}), {text}, {stand_in})"
    return f"({kind}({text}) AND isIPAddressInRange({safe}, {quoted(network)}))"


def _fieldref(test: Test) -> str:
    mine, other = lowered(test.field), lowered(test.value)
    both = f"isNotNull({as_is(test.field)}) AND isNotNull({as_is(test.value)})"
    compared = {
        "": f"{mine} = {other}",
        "starts": f"startsWith({mine}, {other})",
        "ends": f"endsWith({mine}, {other})",
        "contains": f"position({mine}, {other}) > 0",
    }[test.flags]
    return f"({both} AND {compared})"

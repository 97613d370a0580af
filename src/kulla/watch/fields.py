"""Fields out of lines of JSON, as columns: where Sigma's names stand in what each source gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from kulla.watch.plan import Search, Source
from kulla.watch.sigma.sql import VALUES, as_is, lowered, named, quoted, there

# Where the parts of a Windows record that are not EventData stand, below Event.System.
_SYSTEM: Final = {
    "Channel": "Channel",
    "EventID": "EventID",
    "Computer": "Computer",
    "Version": "Version",
    "Level": "Level",
    "Task": "Task",
    "Opcode": "Opcode",
    "Keywords": "Keywords",
    "EventRecordID": "EventRecordID",
    "Provider_Name": "Provider.#attributes.Name",
    "Provider_Guid": "Provider.#attributes.Guid",
    "UserID": "Security.#attributes.UserID",
}
_ALWAYS_SYSTEM: Final = {"Channel", "EventID", "Computer", "Provider_Name"}
_OWN_KEYS: Final = "'_at_us', '_at_how'"


def selection(
    source: Source, plain: Iterable[str], low: Iterable[str], asked: Iterable[str], where: str
) -> str:
    """A SELECT of the row's number and the columns that are asked for, from the lines of `raw`.

    plain, low: fields whose value is wanted as it came, and in lower case; asked: those of which
    is asked whether they are there. where: a condition on `raw`. The JSON of each line is parsed
    once for all fields.
    """
    plain, low = set(plain), set(low)
    parsed, values = extraction(source, (plain | low) - {VALUES})
    chosen = ["n"]
    chosen += [f"{values[name]} AS {as_is(name)}" for name in sorted(plain - {VALUES})]
    chosen += [f"{small(values[name])} AS {lowered(name)}" for name in sorted(low - {VALUES})]
    chosen += [f"{_is_there(source, name)} AS {there(name)}" for name in sorted(asked)]
    inner = ["n", "line", parsed]
    if VALUES in plain | low:
        inner.append(f"{_all_values(source)} AS v")
        chosen += [f"v AS {as_is(VALUES)}", f"arrayMap(x -> lowerUTF8(x), v) AS {lowered(VALUES)}"]
    return f"SELECT {', '.join(chosen)} FROM (SELECT {', '.join(inner)} FROM raw WHERE {where})"


def _is_there(source: Source, name: str) -> str:
    """SQL that is 1 where the event has the field, be it null."""
    if not source.nested:
        return f"JSONHas(line, {quoted(name)})"
    found = [f"JSONHas(line, 'Event', 'EventData', {quoted(name)})"]
    if name in _SYSTEM:
        path = ", ".join(quoted(part) for part in _SYSTEM[name].split("."))
        found.append(f"JSONHas(line, 'Event', 'System', {path})")
    return f"({' OR '.join(found)})"


def searching(source: Source, searches: Sequence[Search], where: str) -> str:
    """A SELECT of the row's number and, for the search number i, the column `h{i}` of its finds."""
    parsed, values = extraction(source, {one.field for one in searches} - {VALUES})
    chosen = ["n"]
    for place, one in enumerate(searches):
        text = "line" if one.field == VALUES else small(values[one.field])
        chosen.append(f"multiMatchAllIndices({text}, {one.patterns}) AS h{place}")
    return f"SELECT {', '.join(chosen)} FROM (SELECT n, line, {parsed} FROM raw WHERE {where})"


def kind_of(source: Source) -> str:
    """SQL of an event's number and channel in lower case, with a space between, out of `line`."""
    parsed, values = extraction(source, {"Channel", "EventID"})
    event, channel = small(values["EventID"]), small(values["Channel"])
    kind = f"toLowCardinality(concat({event}, ' ', {channel}))"
    return f"{kind} AS kind FROM (SELECT n, assumeNotNull(line) AS line, {parsed}"


def small(value: str) -> str:
    """SQL of a value in lower case, '' where it is missing."""
    return f"lowerUTF8(ifNull({value}, ''))"


def extraction(source: Source, fields: Iterable[str]) -> tuple[str, dict[str, str]]:
    """SQL that parses `line` into `t`, and for each field the SQL of its value in it."""
    kind, values = _nested(sorted(fields)) if source.nested else _flat(sorted(fields))
    return f"JSONExtract(line, '{kind}') AS t", values


def _text(names: Iterable[str]) -> str:
    # The type stands inside a string of SQL, so its quoting is quoted once more.
    body = ", ".join(f"{named(name)} Nullable(String)" for name in names)
    return body.replace("\\", "\\\\").replace("'", "\\'")


def _flat(fields: list[str]) -> tuple[str, dict[str, str]]:
    names = fields or ["Channel"]
    return f"Tuple({_text(names)})", {
        name: f"tupleElement(t, {place})" for place, name in enumerate(names, start=1)
    }


def _nested(fields: list[str]) -> tuple[str, dict[str, str]]:
    data = [name for name in fields if name not in _ALWAYS_SYSTEM] or ["Image"]
    system = [name for name in fields if name in _SYSTEM] or ["Channel"]
    kinds = [_system_kind(_SYSTEM[name]) for name in system]
    kind = f"Tuple(Event Tuple(System Tuple({_joined(kinds)}), EventData Tuple({_text(data)})))"
    event = "tupleElement(t, 1)"
    values = {
        name: f"tupleElement(tupleElement({event}, 2), {place})"
        for place, name in enumerate(data, start=1)
    }
    for name in system:
        at = _system_value(f"tupleElement({event}, 1)", _SYSTEM[name])
        values[name] = f"ifNull({values[name]}, {at})" if name in values else at
    return kind, values


def _joined(kinds: list[tuple[str, str]]) -> str:
    """Members of one tuple; those of one name (Provider) are put together."""
    together: dict[str, list[str]] = {}
    for name, kind in kinds:
        together.setdefault(name, []).append(kind)
    parts = []
    for name, inner in together.items():
        if inner == [""]:
            parts.append(f"{named(name)} Nullable(String)")
        else:
            parts.append(f"{named(name)} Tuple(`#attributes` Tuple({', '.join(inner)}))")
    return ", ".join(parts)


def _system_kind(path: str) -> tuple[str, str]:
    top, _, rest = path.partition(".#attributes.")
    return top, f"{named(rest)} Nullable(String)" if rest else ""


def _system_value(system: str, path: str) -> str:
    top, _, rest = path.partition(".#attributes.")
    value = f"tupleElement({system}, '{top}')"
    if not rest:
        return value
    return f"tupleElement(tupleElement({value}, '#attributes'), '{rest}')"


def _all_values(source: Source) -> str:
    """Every value of the event, for keywords: an array of strings."""
    if source.nested:
        data = "JSONExtractKeysAndValues(line, 'Event', 'EventData', 'String')"
        system = "JSONExtractKeysAndValues(line, 'Event', 'System', 'String')"
        return f"arrayMap(x -> x.2, arrayConcat({data}, {system}))"
    pairs = "JSONExtractKeysAndValues(line, 'String')"
    return f"arrayMap(x -> x.2, arrayFilter(x -> x.1 NOT IN ({_OWN_KEYS}), {pairs}))"

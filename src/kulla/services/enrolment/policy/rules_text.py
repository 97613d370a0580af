"""Rules in and out: canonical JSON for acts and transcripts, TOML for people. Pure.

The JSON of one value is one text: keys in order, no spaces, and what stands at its default is left
out. Errors name the place as in `priorities[2].kind`.
"""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

from kulla.kernel.errors import KullaError
from kulla.services.enrolment.policy.rules import OPEN_POOL, Pool, Priority, Rules, Where

_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_GRADE: Final = re.compile(r"[a-z0-9-]{1,16}")
LONGEST: Final = 64


class RulesInvalid(KullaError):
    """Rules that can't be used; `place` is the key, as in priorities[2].kind."""


def rules_to_json(rules: Rules) -> str:
    """The one text of these rules."""
    return json.dumps(to_plain(rules), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def rules_from_json(text: str) -> Rules:
    """The rules of a JSON text, canonical or not. Raises RulesInvalid."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise RulesInvalid(f"this is not JSON ({error}).", place="rules") from error
    return rules_of(found)


def rules_from_toml(text: str) -> Rules:
    """The rules of a TOML text with the same keys. Raises RulesInvalid."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RulesInvalid(f"this is not TOML ({error}).", place="rules") from error
    return rules_of(found)


def rules_to_toml(rules: Rules) -> str:
    """The rules as TOML, for people to read and to change."""
    plain = to_plain(rules)
    lines = [
        f"{key} = {_toml(value)}" for key, value in sorted(plain.items()) if not _is_tables(value)
    ]
    for key, tables in sorted(plain.items()):
        if not _is_tables(tables):
            continue
        for table in tables:
            lines += ["", f"[[{key}]]"]
            lines += [f"{name} = {_toml(value)}" for name, value in table.items()]
    return "\n".join(lines) + "\n"


def to_plain(rules: Rules) -> dict[str, Any]:
    """Dicts, lists, text, numbers: what JSON and TOML hold. Defaults are left out."""
    plain: dict[str, Any] = {}
    for field in dataclasses.fields(Rules):
        value = getattr(rules, field.name)
        if field.name in {"priorities", "pools"}:
            plain[field.name] = [_table(one) for one in value]
        elif value != field.default:
            plain[field.name] = _listed(value)
    return plain


def rules_of(found: Any) -> Rules:
    """The rules of what JSON or TOML gave. Raises RulesInvalid with the key."""
    if not isinstance(found, Mapping):
        raise RulesInvalid("rules are a table of keys.", place="rules")
    known = {field.name for field in dataclasses.fields(Rules)}
    for key in found:
        if key not in known:
            raise RulesInvalid("no such rule.", place=str(key), remedy=f"Known: {_words(known)}.")
    default = Rules()
    rules = Rules(
        priorities=tuple(
            _priority(one, f"priorities[{at}]")
            for at, one in enumerate(_list(found, "priorities", []))
        ),
        pools=tuple(
            _pool(one, f"pools[{at}]")
            for at, one in enumerate(_list(found, "pools", [_table(default.pools[0])]))
        ),
        tie_break=_one_of(found, "tie_break", ("single", "multiple"), "single"),
        choices_max=_count(found, "choices_max"),
        siblings_together=_flag(found, "siblings_together", True),
        ages=_rows(found, "ages", 3),
        titles=_rows(found, "titles", 2),
        grades=tuple(_text(one, "grades", _GRADE) for one in _list(found, "grades", [])),
    )
    _check_whole(rules)
    return rules


def _check_whole(rules: Rules) -> None:
    _unique([one.kind for one in rules.priorities], "priorities", "kind")
    _unique([one.pool for one in rules.pools], "pools", "pool")
    _unique(list(rules.grades), "grades", "name")
    if len(rules.priorities) > LONGEST or len(rules.pools) > LONGEST:
        raise RulesInvalid(f"more than {LONGEST} of them.", place="priorities, pools")
    for at, pool in enumerate(rules.pools):
        if (pool.pool == OPEN_POOL) != (pool.priority == ""):
            raise RulesInvalid(
                f"pool {pool.pool!r} and its priority do not fit.",
                place=f"pools[{at}].priority",
                remedy=f"The pool '{OPEN_POOL}' has none, and every other pool names one.",
            )
    for at, (grade, first, last) in enumerate(rules.ages):
        if not (_DAY.fullmatch(first) and _DAY.fullmatch(last) and first <= last):
            raise RulesInvalid(
                f"the days of birth of {grade} are not two days in order.", place=f"ages[{at}]"
            )


def _priority(found: Any, place: str) -> Priority:
    _keys(found, place, Priority)
    return Priority(
        kind=_text(found.get("kind"), f"{place}.kind", _ID),
        title=_text(found.get("title"), f"{place}.title"),
        where=_one_of(found, "where", get_args(Where), "school", place),
        private=_flag(found, "private", False, place),
        document=_flag(found, "document", False, place),
    )


def _pool(found: Any, place: str) -> Pool:
    _keys(found, place, Pool)
    priority = found.get("priority", "")
    return Pool(
        pool=_text(found.get("pool"), f"{place}.pool", _ID),
        title=_text(found.get("title"), f"{place}.title"),
        priority=_text(priority, f"{place}.priority", _ID) if priority != "" else "",
        unfilled=_one_of(found, "unfilled", ("open", "stay"), "open", place),
    )


def _keys(found: Any, place: str, kind: type[Priority | Pool]) -> None:
    if not isinstance(found, Mapping):
        raise RulesInvalid("this is a table of keys.", place=place)
    known = {field.name for field in dataclasses.fields(kind)}
    for key in found:
        if key not in known:
            raise RulesInvalid("no such key.", place=f"{place}.{key}", remedy=_words(known))


def _text(found: Any, place: str, shape: re.Pattern[str] | None = None) -> str:
    if not isinstance(found, str) or not found.strip() or not found.isprintable():
        raise RulesInvalid("this is a line of text.", place=place)
    if len(found) > 200:
        raise RulesInvalid("this is longer than 200 characters.", place=place)
    if shape is not None and not shape.fullmatch(found):
        raise RulesInvalid(
            f"{found!r} is no id.", place=place, remedy="Use small letters, digits and hyphens."
        )
    return found


def _one_of(
    found: Mapping[str, Any], key: str, known: Sequence[str], default: str, place: str = ""
) -> Any:
    value = found.get(key, default)
    if value not in known:
        where = f"{place}.{key}" if place else key
        raise RulesInvalid(f"this is one of {_words(known)}.", place=where)
    return value


def _count(found: Mapping[str, Any], key: str) -> int:
    value = found.get(key, 0)
    if type(value) is not int or not 0 <= value <= 1000:
        raise RulesInvalid("this is a whole number from 0 to 1,000.", place=key)
    return value


def _flag(found: Mapping[str, Any], key: str, default: bool, place: str = "") -> bool:
    value = found.get(key, default)
    if not isinstance(value, bool):
        raise RulesInvalid("this is true or false.", place=f"{place}.{key}" if place else key)
    return value


def _list(found: Mapping[str, Any], key: str, default: list[Any]) -> list[Any]:
    value = found.get(key, default)
    if not isinstance(value, list):
        raise RulesInvalid("this is a list.", place=key)
    return value


def _rows(found: Mapping[str, Any], key: str, width: int) -> Any:
    rows = _list(found, key, [])
    for at, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != width:
            raise RulesInvalid(f"this is a list of {width} texts.", place=f"{key}[{at}]")
        for cell in row:
            _text(cell, f"{key}[{at}]")
    return tuple(tuple(row) for row in rows)


def _unique(names: list[str], place: str, key: str) -> None:
    for at, name in enumerate(names):
        if name in names[:at]:
            raise RulesInvalid(f"{name!r} stands here twice.", place=f"{place}[{at}].{key}")


def _table(one: Priority | Pool) -> dict[str, Any]:
    """A priority or a pool without what stands at its default."""
    return {
        field.name: getattr(one, field.name)
        for field in dataclasses.fields(one)
        if getattr(one, field.name) != field.default
    }


def _listed(value: Any) -> Any:
    return [_listed(one) for one in value] if isinstance(value, tuple) else value


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _toml(value: Any) -> str:
    """A JSON text is a TOML value for text, whole numbers, flags and lists of them."""
    return json.dumps(value, ensure_ascii=False)


def _words(known: Any) -> str:
    return ", ".join(sorted(known))

"""Random Sigma rules and events for Hypothesis: small alphabets, so that rules do match events.

`rules()` gives YAML; `events()` gives what they are held against. Values are made of few pieces
that rules and events share. `plain` leaves out what pySigma's SQLite backend does otherwise:
keywords, flags of regular expressions, text that is no ASCII, networks of IPv6 (it compares text,
and puts no brackets around the alternatives).
"""

from __future__ import annotations

import base64
import random
from typing import Any

import yaml
from hypothesis import strategies as st

FIELDS = ["Image", "CommandLine", "User", "Port", "SourceIp", "When"]
TEXT_FIELDS = ["Image", "CommandLine", "User"]
PIECES = [
    "cmd",
    "CMD",
    "power",
    "shell",
    ".exe",
    " ",
    "/c",
    " -enc",
    "a",
    "b",
    "\\",
    "%",
    "_",
    "*",
    "?",
]
FOREIGN = ["ë", "Ë", "ß", "\n", "é", "Ω"]
NUMBERS = [0, 1, 22, 443, 502, 65535, -3]
ADDRESSES = ["10.0.0.1", "10.0.5.9", "192.168.1.1", "::1", "fe80::1", "-", "host"]
NETWORKS = ["10.0.0.0/8", "10.0.0.0/24", "192.168.0.0/16", "fe80::/10", "::1/128"]
TIMES = ["2022-07-15 09:30:00", "2022-07-15 23:59:59", "2021-01-04 00:00:00", "soon"]
ENCODED = ["IEX", "cmd", "a b"]
REGEXES = ["cmd", "^cmd", "exe$", "c.d", "po(wer|sh)", "[a-c]+ ", "a{2,3}", "sh?ell", "^$"]


def _pool(pieces: list[str], most: int, count: int) -> list[str]:
    """Texts of up to `most` pieces, always the same: one draw for each keeps this quick."""
    chance = random.Random(repr(pieces))
    some = {"".join(chance.choices(pieces, k=chance.randint(0, most))) for _ in range(count)}
    return sorted(some | set(pieces), key=lambda text: (len(text), text))


def _literal(text: str) -> str:
    """The text as a rule must write it to mean itself."""
    return text.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")


def _carriers() -> list[str]:
    """Texts that carry a word in base64, at each offset and in each encoding."""
    return [
        "x " + base64.b64encode((before + word + "!").encode(encoding)).decode()
        for word in ENCODED
        for before in ("", "q", "qq", "qqq")
        for encoding in ("utf-8", "utf-16-le", "utf-16-be")
    ]


_TYPED = ["\\*", "\\\\", "\\\\*"]
_TEXTS = {True: _pool(PIECES + FOREIGN, 4, 1500), False: _pool(PIECES, 4, 1000)}
_PATTERNS = {
    foreign: _pool([*map(_literal, pieces), *pieces, *_TYPED], 4, 1500)
    for foreign, pieces in ((True, PIECES + FOREIGN), (False, PIECES))
}


def texts(*, foreign: bool = True) -> st.SearchStrategy[str]:
    """Text of up to four pieces."""
    return st.sampled_from(_TEXTS[foreign])


def patterns(*, foreign: bool = True) -> st.SearchStrategy[str]:
    """Text of a rule: pieces that mean themselves, wildcards, backslashes as typed."""
    return st.sampled_from(_PATTERNS[foreign])


def events(*, foreign: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    """One event: each field may be missing; some text carries base64 or UTF-16 in base64."""
    text = st.sampled_from(_TEXTS[foreign] + _carriers() * 8)
    return st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(TEXT_FIELDS, text),
            "Port": st.sampled_from(NUMBERS),
            "SourceIp": st.sampled_from(ADDRESSES),
            "When": st.sampled_from(TIMES),
        },
    )


@st.composite
def _items(draw: st.DrawFn, *, plain: bool) -> tuple[str, Any]:
    """A field with its modifiers, and its value or values."""
    kinds = ["text", "number", "compare", "cidr", "exists", "null", "encoded", "fieldref"]
    kinds += ["re", "windash", "time", "text", "text"]
    kind = draw(st.sampled_from(kinds))
    text = patterns(foreign=not plain)
    field = draw(st.sampled_from(TEXT_FIELDS))
    negated = draw(st.sampled_from(["", "", "", "|neq"]))
    match kind:
        case "number":
            return "Port", draw(st.sampled_from(NUMBERS))
        case "compare":
            how = draw(st.sampled_from(["lt", "lte", "gt", "gte"]))
            return f"Port|{how}", draw(st.sampled_from(NUMBERS))
        case "cidr":
            return f"SourceIp|cidr{negated}", draw(
                st.sampled_from(NETWORKS[:3] if plain else NETWORKS)
            )
        case "exists":
            return f"{draw(st.sampled_from(FIELDS))}|exists", draw(st.booleans())
        case "null":
            return draw(st.sampled_from(FIELDS)), None
        case "encoded":
            return draw(_encoded(field))
        case "fieldref":
            where = draw(st.sampled_from(["", "|contains", "|startswith", "|endswith"]))
            return f"{field}|fieldref{where}", draw(st.sampled_from(TEXT_FIELDS))
        case "re":
            flags = "" if plain else draw(st.sampled_from(["", "|i", "|m", "|s", "|i|s"]))
            return f"{field}|re{flags}", draw(st.sampled_from(REGEXES))
        case "windash":
            return f"{field}|windash|contains", draw(st.sampled_from([" -enc", "/c", "cmd /c -e"]))
        case "time":
            part = draw(st.sampled_from(["minute", "hour", "day", "month", "year"]))
            return f"When|{part}", draw(st.sampled_from([0, 1, 4, 7, 9, 15, 23, 30, 59, 2022]))
    return draw(_text_item(field, text, negated))


@st.composite
def _text_item(
    draw: st.DrawFn, field: str, text: st.SearchStrategy[str], negated: str
) -> tuple[str, Any]:
    where = draw(st.sampled_from(["", "|contains", "|startswith", "|endswith"]))
    cased = draw(st.sampled_from(["", "", "|cased"]))
    if draw(st.booleans()):
        return f"{field}{where}{cased}{negated}", draw(text)
    values = draw(st.lists(text, min_size=2, max_size=3))
    every = draw(st.sampled_from(["", "|all"]))
    return f"{field}{where}{cased}{every}{negated}", values


@st.composite
def _encoded(draw: st.DrawFn, field: str) -> tuple[str, Any]:
    wide = draw(st.sampled_from(["", "|wide", "|utf16be"]))
    how = draw(st.sampled_from(["base64", "base64offset"]))
    return f"{field}{wide}|{how}|contains", draw(st.sampled_from(ENCODED))


def _maps(*, plain: bool) -> st.SearchStrategy[dict[str, Any]]:
    return st.lists(_items(plain=plain), min_size=1, max_size=2).map(dict)


def _searches(*, plain: bool) -> st.SearchStrategy[Any]:
    one = _maps(plain=plain)
    shapes = [one, one, st.lists(one, min_size=1, max_size=3)]
    if not plain:
        keyword = patterns().filter(lambda text: text.strip("*") != "")
        shapes.append(st.lists(keyword, min_size=1, max_size=2))
        shapes.append(st.lists(keyword, min_size=2, max_size=2).map(lambda words: {"|all": words}))
    return st.one_of(shapes)


NAMES = ["selection_a", "selection_b", "filter_c", "_hidden"]
ATOMS = [
    "selection_a",
    "selection_b",
    "filter_c",
    "_hidden",
    "1 of selection_*",
    "all of selection_*",
    "1 of them",
    "all of them",
    "not filter_c",
    "not 1 of filter_*",
]


def _conditions() -> st.SearchStrategy[str]:
    return st.recursive(
        st.sampled_from(ATOMS),
        lambda inner: st.one_of(
            st.builds("{} and {}".format, inner, inner),
            st.builds("{} or {}".format, inner, inner),
            inner.map("({})".format),
            inner.map("not ({})".format),
        ),
        max_leaves=4,
    )


@st.composite
def rules(draw: st.DrawFn, *, plain: bool = False) -> str:
    """A rule as YAML, with two or three searches and a condition over them."""
    detection: dict[str, Any] = {name: draw(_searches(plain=plain)) for name in NAMES}
    detection["condition"] = draw(_conditions())
    document = {
        "title": "random",
        "id": "00000000-0000-4000-8000-000000000000",
        "status": "test",
        "logsource": {"category": "process_creation", "product": "test"},
        "detection": detection,
    }
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False)

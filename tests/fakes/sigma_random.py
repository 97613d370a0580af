"""Random Sigma rules and events for Hypothesis: small alphabets, so that rules do match events.

`rules()` gives YAML; `events()` gives what they are held against. Values are made of few pieces
that rules and events share. `plain` leaves out what pySigma's SQLite backend does otherwise:
keywords, flags of regular expressions, text that is no ASCII, networks of IPv6 (it compares text,
and puts no brackets around the alternatives).
"""

from __future__ import annotations

import base64
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


def texts(*, foreign: bool = True) -> st.SearchStrategy[str]:
    """Text of up to four pieces."""
    pieces = PIECES + (FOREIGN if foreign else [])
    return st.lists(st.sampled_from(pieces), max_size=4).map("".join)


def _literal(text: str) -> str:
    """The text as a rule must write it to mean itself."""
    return text.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")


def patterns(*, foreign: bool = True) -> st.SearchStrategy[str]:
    """Text of a rule: pieces that mean themselves, wildcards, backslashes as typed."""
    pieces = PIECES + (FOREIGN if foreign else [])
    piece = st.one_of(
        st.sampled_from(pieces).map(_literal), st.sampled_from([*pieces, "\\*", "\\\\", "\\\\*"])
    )
    return st.lists(piece, max_size=4).map("".join)


@st.composite
def events(draw: st.DrawFn, *, foreign: bool = True) -> dict[str, Any]:
    """One event: each field may be missing; some text carries base64 or UTF-16 in base64."""
    event: dict[str, Any] = {}
    for field in TEXT_FIELDS:
        if draw(st.integers(0, 4)):
            event[field] = draw(st.one_of(texts(foreign=foreign), _carriers()))
    if draw(st.booleans()):
        event["Port"] = draw(st.sampled_from(NUMBERS))
    if draw(st.booleans()):
        event["SourceIp"] = draw(st.sampled_from(ADDRESSES))
    if draw(st.booleans()):
        event["When"] = draw(st.sampled_from(TIMES))
    return event


def _carriers() -> st.SearchStrategy[str]:
    def carry(word: str, before: str, encoding: str) -> str:
        return "x " + base64.b64encode((before + word + "!").encode(encoding)).decode()

    return st.builds(
        carry,
        st.sampled_from(ENCODED),
        st.sampled_from(["", "q", "qq", "qqq"]),
        st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"]),
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
    return st.lists(_items(plain=plain), min_size=1, max_size=3).map(dict)


def _searches(*, plain: bool) -> st.SearchStrategy[Any]:
    one = _maps(plain=plain)
    shapes = [one, one, st.lists(one, min_size=1, max_size=2)]
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

"""Which tests a multi-pattern search decides by itself, and what the others can't do without.

A search over a field in lower case decides every plain comparison: equals, contains, starts or ends
with. Of the rest (regular expressions, wildcards in the middle, letters with case) it says at least
where they can't be true, by literal strings that every match contains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from kulla.watch.sigma.check import parsed_regex
from kulla.watch.sigma.sql import VALUES, lower
from kulla.watch.sigma.tree import ANY, All, Either, Node, Test

_SAFE_IN_JSON: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789 _-.:;=,@#$%*(){}[]|!?~^")
"""Letters that no writer of JSON writes in another way; of those below 128, in lower case."""


@dataclass(frozen=True, slots=True, order=True)
class Anchor:
    """A literal in lower case in a field, at its start or end where so said.

    The field '' is the whole line of JSON, for keywords.
    """

    field: str
    text: str
    at_start: bool = False
    at_end: bool = False


def anchor_of(test: Test) -> Anchor | None:
    """The anchor that is there exactly where the test is true; None where there is no such.

    A single letter from a to z stands in nearly every event: to find it costs more than it decides.
    """
    if test.how != "text" or test.cased:
        return None
    if test.field == VALUES:
        return _in_line(test)
    match test.pattern:
        case (str(text),) if text:
            return Anchor(test.field, lower(text), True, True)
        case (0, str(text), 0) if not _everywhere(text):
            return Anchor(test.field, lower(text))
        case (str(text), 0):
            return Anchor(test.field, lower(text), True, False)
        case (0, str(text)) if text:
            return Anchor(test.field, lower(text), False, True)
    return None


def _in_line(test: Test) -> Anchor | None:
    """Only for the tests that `needed` makes: a run of a keyword, as it stands in the line."""
    match test.pattern:
        case (0, str(text), 0) if test.flags == _LINE:
            return Anchor(VALUES, text)
    return None


_LINE: Final = "line"


def needed(test: Test) -> Node:
    """A tree of tests with anchors that is true wherever the test is; always true where unknown."""
    if test.how == "text":
        return _all([_contains(test.field, part) for part in test.pattern if isinstance(part, str)])
    if test.how == "regex":
        return _regex(test.field, parsed_regex(test))
    return All(())


def _contains(field: str, text: str) -> Node:
    if field == VALUES:
        run = max(_runs(lower(text)), key=len, default="")
        return Test(VALUES, "text", (ANY, run, ANY), flags=_LINE) if len(run) > 1 else All(())
    return All(()) if _everywhere(text) else Test(field, "text", (ANY, text, ANY))


def _everywhere(text: str) -> bool:
    return len(text) < 2 and text.isascii() and (text.isalnum() or not text)


def _runs(text: str) -> list[str]:
    return "".join(letter if letter in _SAFE_IN_JSON else "\0" for letter in text).split("\0")


def _all(parts: list[Node]) -> Node:
    known = tuple(part for part in parts if part != All(()))
    return known[0] if len(known) == 1 else All(known)


def _regex(field: str, parsed: Any) -> Node:
    """What a regular expression can't do without; its letters may stand in either case."""
    parts: list[Node] = []
    run: list[str] = []
    for operator, arguments in parsed.data:
        name = str(operator)
        if name == "LITERAL" and _folds_simply(chr(arguments)):
            run.append(chr(arguments))
            continue
        parts.append(_contains(field, "".join(run)))
        run.clear()
        parts.append(_inner(field, name, arguments))
    parts.append(_contains(field, "".join(run)))
    return _all(parts)


def _folds_simply(letter: str) -> bool:
    """Not so for letters that match another one without its case: Kelvin's sign, the long s."""
    return letter.isascii() and letter not in "kKsS"


def _inner(field: str, name: str, arguments: Any) -> Node:
    if name == "SUBPATTERN":
        return _regex(field, arguments[-1])
    if name in ("MAX_REPEAT", "MIN_REPEAT") and arguments[0] >= 1:
        return _regex(field, arguments[2])
    if name == "BRANCH":
        found = tuple(_regex(field, branch) for branch in arguments[1])
        return All(()) if All(()) in found else Either(found)
    return All(())


def vectorscan(anchor: Anchor) -> str:
    r"""The anchor as a pattern for ClickHouse's multi-pattern search (Vectorscan, PCRE's words).

    `\z` and not `$`, which would also match before a last line's end.
    """
    body = "".join(_escaped(letter) for letter in anchor.text)
    if anchor.field == VALUES:
        return "(?i)" + body  # the line is searched as it is, not in lower case
    return ("^" if anchor.at_start else "") + body + ("\\z" if anchor.at_end else "")


def _escaped(letter: str) -> str:
    if not letter.isascii() or letter.isalnum():
        return letter
    return f"\\x{ord(letter):02x}"

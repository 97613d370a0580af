"""Is a tree one that ClickHouse can run? Sigma's regular expressions are those of RE2."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any, Final

from kulla.watch.errors import RuleUnfit
from kulla.watch.sigma.tree import Node, Test, tests_of

# What `re` itself parses with; it has no public name and no types.
parser: Any = import_module("re._parser")
opcodes: Any = import_module("re._constants")
_FLAGS: Final = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}
_NOT_IN_RE2: Final = {
    "ASSERT": "looks ahead or behind",
    "ASSERT_NOT": "looks ahead or behind",
    "GROUPREF": "refers back to a group",
    "GROUPREF_EXISTS": "asks whether a group matched",
    "ATOMIC_GROUP": "has an atomic group",
    "POSSESSIVE_REPEAT": "has a possessive repeat",
}
_REPEATS_MAX: Final = 1000


def check(node: Node) -> None:
    """Raise RuleUnfit where a regular expression is one that Sigma 2.1 and RE2 do not have."""
    for test in tests_of(node):
        if test.how == "regex":
            _walk(parsed_regex(test), test)


def parsed_regex(test: Test) -> Any:
    """What Python's own parser makes of the test's expression; raises RuleUnfit where it can't."""
    flags = re.RegexFlag(0)
    for letter in test.flags:
        flags |= _FLAGS[letter]
    try:
        return parser.parse(test.value, flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise RuleUnfit(f"The regular expression {test.value!r} is not one: {error}.") from None


def _walk(part: Any, test: Test) -> None:
    if isinstance(part, parser.SubPattern):
        for operator, arguments in part.data:
            if str(operator) in _NOT_IN_RE2:
                raise RuleUnfit(
                    f"The regular expression {test.value!r} {_NOT_IN_RE2[str(operator)]},"
                    " which Sigma does not allow and RE2 does not know."
                )
            if operator in (opcodes.MAX_REPEAT, opcodes.MIN_REPEAT):
                _repeats(arguments, test)
            _walk(arguments, test)
    elif isinstance(part, list | tuple):
        for inner in part:
            _walk(inner, test)


def _repeats(arguments: Any, test: Test) -> None:
    least, most, _ = arguments
    unbounded = most is opcodes.MAXREPEAT
    if least > _REPEATS_MAX or (not unbounded and most > _REPEATS_MAX):
        raise RuleUnfit(
            f"The regular expression {test.value!r} repeats more than {_REPEATS_MAX} times,"
            " which RE2 does not know."
        )

"""Every text of the pages that has to be translated, read from templates and Python sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import kulla

SOURCE = Path(kulla.__file__).parent
_ONE = {"_", "gettext", "gettext_lazy"}
_MANY = {"ngettext", "ngettext_lazy"}
_TAG = re.compile(
    r"\{%\s*translate\s+\"(?P<plain>[^\"]+)\""
    r"|\{%\s*blocktranslate(?P<options>[^%]*?)%\}(?P<block>.*?)\{%\s*endblocktranslate\s*%\}",
    re.DOTALL,
)
_PLURAL = re.compile(r"\{%\s*plural\s*%\}")
_VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def texts() -> dict[str, str]:
    """Catalogue keys (plurals joined by NUL) and the file where each stands."""
    found: dict[str, str] = {}
    for path in sorted(SOURCE.rglob("*.html")):
        found.update(dict.fromkeys(_of_template(path.read_text("utf-8")), path.name))
    for part in ("portal", "services"):
        for path in sorted((SOURCE / part).rglob("*.py")):
            found.update(dict.fromkeys(_of_python(path.read_text("utf-8")), path.name))
    return found


def _of_template(source: str) -> Iterator[str]:
    for match in _TAG.finditer(source):
        if match["plain"] is not None:
            yield match["plain"]
            continue
        assert "trimmed" in match["options"], match[0]
        yield "\0".join(_message(part) for part in _PLURAL.split(match["block"]))


def _message(part: str) -> str:
    lines = [line.strip() for line in _VARIABLE.sub(r"%(\1)s", part).strip().splitlines()]
    return " ".join(lines)


def _of_python(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id in _ONE and isinstance(node.args[0], ast.Constant):
            yield node.args[0].value
        elif node.func.id in _MANY:
            yield f"{ast.literal_eval(node.args[0])}\0{ast.literal_eval(node.args[1])}"

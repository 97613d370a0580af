"""Habits of STYLE that a reader relies on: sizes, names, docstrings, words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from style.project_files import Function, name_of, project_files, python_files, text_of, tree_of

FUNCTION_LINES_MAX = 70
FILE_LINES_END = 500
CODE_SUFFIXES = {".py", ".sh", ".html", ".css", ".js", ".toml", ".md"}
EMPTY_NAMES = {
    "utils",
    "util",
    "helpers",
    "helper",
    "manager",
    "managers",
    "base",
    "misc",
    "common",
}

# Put together from parts, so that this file does not hold the words itself.
REGISTRY_HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
        ("maven", "org"),
        ("maven", "apache", "org"),
        ("deb", "debian", "org"),
        ("archive", "ubuntu", "com"),
        ("security", "ubuntu", "com"),
    )
]
WORKPLACE_WORDS = [
    r"\b" + "A" + "I" + r"\b",
    r"\b" + "LL" + "Ms?" + r"\b",
    "(?i:" + "|".join(("clau" + "de", "anthro" + "pic", "open" + "ai", "chat" + "gpt")) + ")",
    "(?i:co-authored" + "-by)",
    "(?i:coding " + "agent|coding " + "assistant|sub" + "agent|language " + "model)",
    r"\bthis " + "session of" + r"\b",
    r"/work/(?:" + "main|shared)",
    r"/tmp/(?:" + "kulla/|probe|c2sp)",
    r"\bissues " + r"show\b",
]


def _functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, Function):
            yield node


def test_functions_fit_on_a_screen():
    long = [
        f"{name_of(path)}:{node.lineno}: {node.name} has {lines} lines"
        for path in python_files("src", "tests", "tools")
        for node in _functions(path)
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]
    assert not long, f"functions over {FUNCTION_LINES_MAX} lines; split them by what they do"


def test_files_stay_short():
    long = [
        f"{name_of(path)}: {lines} lines"
        for path in project_files()
        if path.suffix in CODE_SUFFIXES
        and (lines := len((text_of(path) or "").splitlines())) >= FILE_LINES_END
    ]
    assert not long, f"files of {FILE_LINES_END} lines and more; split them by what they know"


def test_no_file_has_a_name_that_says_nothing():
    empty = [name_of(path) for path in project_files() if _says_nothing(path)]
    assert not empty, "name the file by what it does for whom"


def _says_nothing(path: Path) -> bool:
    return any(part.split(".")[0].strip("_") in EMPTY_NAMES for part in name_of(path).split("/"))


def _undocumented(body: list[ast.stmt], owner: str) -> Iterator[tuple[int, str]]:
    for node in body:
        if not isinstance(node, Function | ast.ClassDef):
            continue
        if node.name.startswith("_") or node.name == "Meta" or _is_overload(node):
            continue
        if ast.get_docstring(node) is None:
            yield node.lineno, f"{owner}{node.name}"
        if isinstance(node, ast.ClassDef):
            yield from _undocumented(node.body, f"{owner}{node.name}.")


def _is_overload(node: Function | ast.ClassDef) -> bool:
    return any(isinstance(item, ast.Name) and item.id == "overload" for item in node.decorator_list)


def test_what_is_public_has_a_docstring():
    bare = [
        f"{name_of(path)}:{line}: {name}"
        for path in python_files("src")
        for line, name in _undocumented(tree_of(path).body, "")
    ]
    assert not bare, "say what comes in and out, what it raises, and the standard it follows"


def test_every_module_says_what_it_is():
    bare = [
        name_of(path)
        for path in python_files("src")
        if text_of(path) and ast.get_docstring(tree_of(path)) is None
    ]
    assert not bare, "begin each file with a sentence on what it is for"


def _lines_with(pattern: str) -> list[str]:
    found = re.compile(pattern)
    return [
        f"{name_of(path)}:{number}: {line.strip()[:80]}"
        for path in project_files()
        for number, line in enumerate((text_of(path) or "").splitlines(), start=1)
        if found.search(line)
    ]


def test_no_package_registry_is_named():
    named = _lines_with("|".join(re.escape(host) for host in REGISTRY_HOSTS))
    assert not named, "where packages come from is each machine's own setting"


def test_the_project_speaks_of_itself_alone():
    foreign = _lines_with("|".join(WORKPLACE_WORDS))
    assert not foreign, "these words are about how the project was made, not about the project"

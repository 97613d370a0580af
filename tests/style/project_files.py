"""The project's own files, as the style tests read them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
SOURCE = TOP / "src" / "kulla"
_NOT_OURS = {".git", ".venv", "__pycache__", "demo", "dist", "node_modules"}
_CACHES = (".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".import_linter_cache")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def project_files() -> tuple[Path, ...]:
    """All files that are, or are about to be, in the repository; in order.

    Without git (a source archive, another owner's folder) all files but caches and .venv.
    """
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=TOP,
            capture_output=True,
            check=True,
        ).stdout.decode()
        paths = [TOP / name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        paths = [path for path in TOP.rglob("*") if not _ignored(path.relative_to(TOP))]
    return tuple(sorted(path for path in paths if path.is_file()))


def _ignored(relative: Path) -> bool:
    return any(part in _NOT_OURS or part in _CACHES for part in relative.parts)


def text_of(path: Path) -> str | None:
    """The file's text, or None where it is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def name_of(path: Path) -> str:
    """The file's name as messages show it: from the top of the project."""
    return path.relative_to(TOP).as_posix()


def python_files(*folders: str) -> list[Path]:
    """The Python files under these folders of the project."""
    return [
        path
        for path in project_files()
        if path.suffix == ".py" and name_of(path).startswith(tuple(f"{name}/" for name in folders))
    ]


@cache
def tree_of(path: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def module_of(path: Path) -> str:
    """The dotted name of a file under src/."""
    parts = path.relative_to(TOP / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of each import in a file; `from a import b` gives a.b."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def exists_as_module(dotted: str) -> bool:
    """Whether this dotted name is a module or package of Kulla."""
    path = TOP / "src" / Path(*dotted.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()

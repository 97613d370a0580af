"""Import directions that import-linter can't express, and a proof that those it can do bite."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from style.project_files import (
    SOURCE,
    TOP,
    exists_as_module,
    imports_of,
    module_of,
    name_of,
    python_files,
    tree_of,
)

# What a policy, and what changes a register, may know of the kernel; besides pure files of their
# own service. A policy is given rows, so it knows their type, but not how to look for them.
POLICY_KERNEL = ("canonical", "errors", "money", "service", "rows.Row", "rows.Cell")
APPLY_KERNEL = ("canonical", "errors", "money", "service", "rows")
# Enrolment's allocation computes with arrays, and its transcripts have the root of a Merkle tree.
ALLOCATION = (*POLICY_KERNEL, "escrow", "lottery")
ALLOCATION_FOLDER = SOURCE / "services" / "enrolment" / "policy"
ALLOCATION_ALSO = ("numpy.", "kulla.journal.merkle.")
EFFECTS = {
    "asyncio", "builtins", "concurrent", "ctypes", "fcntl", "fileinput", "getpass", "glob", "http",
    "importlib", "io", "locale", "logging", "mmap", "multiprocessing", "os", "pathlib", "pickle",
    "platform", "random", "secrets", "select", "shutil", "signal", "smtplib", "socket",
    "socketserver", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time",
    "urllib", "uuid",
}  # fmt: skip
CALLS_WITH_EFFECTS = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint"}

# The files that may name a module of Kulla in a string: there is no import for the check to see.
MAY_NAME_MODULES = ("src/kulla/portal/settings.py", "src/kulla/portal/urls.py")
MAY_NAME_MODULES_FOLDERS = ("src/kulla/tower/", "src/kulla/cli/")
DOTTED = re.compile(r"(kulla(?:\.[a-z_][a-z0-9_]*)+)(?:[.:][A-Za-z_]\w*)?")


def _pure_files() -> list[tuple[Path, tuple[str, ...]]]:
    services = SOURCE / "services"
    return [
        *((path, POLICY_KERNEL) for path in sorted(services.glob("*/*policy.py"))),
        *((path, POLICY_KERNEL) for path in sorted(services.glob("*/*/*policy.py"))),
        *((path, APPLY_KERNEL) for path in sorted(services.glob("*/*apply.py"))),
        *((path, APPLY_KERNEL) for path in sorted(services.glob("*/*/*apply.py"))),
        *((path, ALLOCATION) for path in sorted(services.glob("enrolment/policy/*.py"))),
    ]


def _complaints(path: Path, kernel: tuple[str, ...], seen: set[Path]) -> Iterator[str]:
    """What in this file, or in a file of its service that it imports, is not pure."""
    if path in seen:
        return
    seen.add(path)
    kernel = ALLOCATION if path.parent == ALLOCATION_FOLDER else kernel
    for line, name in imports_of(path):
        if (sibling := _sibling(path, name)) is not None:
            yield from _complaints(sibling, kernel, seen)
        elif not _is_pure(name, kernel):
            yield f"{name_of(path)}:{line}: imports {name}"
    for node in ast.walk(tree_of(path)):
        match node:
            case ast.Call(func=ast.Name(id=called)) if called in CALLS_WITH_EFFECTS:
                yield f"{name_of(path)}:{node.lineno}: calls {called}()"


def _is_pure(name: str, kernel: tuple[str, ...]) -> bool:
    if kernel is ALLOCATION and f"{name}.".startswith(ALLOCATION_ALSO):
        return True
    library = name.split(".", maxsplit=1)[0]
    if library != "kulla":
        return library in sys.stdlib_module_names and library not in EFFECTS
    allowed = tuple(f"kulla.kernel.{part}." for part in kernel)
    return f"{name}.".startswith(allowed)


def _sibling(path: Path, name: str) -> Path | None:
    """The file of the same service, in whatever room, that the import of `name` reads."""
    service = module_of(path).split(".")[:3]
    if name.split(".")[:3] != service:
        return None
    found = SOURCE.parent.joinpath(*name.split("."))
    for file in (found.with_suffix(".py"), found.parent.with_suffix(".py")):
        if file.is_file():
            return file
    return None


def test_policies_and_apply_are_pure():
    complaints = [
        complaint
        for path, kernel in _pure_files()
        for complaint in _complaints(path, kernel, set())
    ]
    assert not complaints, "what it needs is handed to it: no clock, disk, network, randomness"


def test_a_service_package_imports_nothing():
    """Else the package of a policy would pull in at run time what no import of the policy shows."""
    found = [
        f"{name_of(path)}:{line}: imports {name}"
        for path in [SOURCE / "services" / "__init__.py", *SOURCE.glob("services/*/__init__.py")]
        for line, name in imports_of(path)
    ]
    assert not found, "import the file that has it, not the service's folder"


def test_services_open_no_connection():
    """http and urllib have harmless parts too, and import-linter sees whole libraries only."""
    connecting = ("http.client", "http.server", "urllib.request", "socketserver")
    found = [
        f"{name_of(path)}:{line}: imports {name}"
        for folder in ("kernel", "journal", "registers", "services")
        for path in python_files(f"src/kulla/{folder}")
        for line, name in imports_of(path)
        if name.startswith(connecting)
    ]
    assert not found, "talking to others is the work of scribe, rebuild, embassy and portal"


def test_modules_are_named_in_strings_only_where_parts_are_joined():
    found = [
        f"{name_of(path)}:{node.lineno}: {node.value!r}"
        for path in python_files("src")
        if name_of(path) not in MAY_NAME_MODULES
        and not name_of(path).startswith(MAY_NAME_MODULES_FOLDERS)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and (match := DOTTED.fullmatch(node.value))
        and _names_another_part(match[1], module_of(path))
    ]
    assert not found, "import it, or let tower/ hand it in: a string escapes the check of layers"


def _names_another_part(dotted: str, own: str) -> bool:
    return exists_as_module(dotted) and _part_of(dotted) != _part_of(own)


def _part_of(dotted: str) -> list[str]:
    """The part of Kulla that a module belongs to; each service is a part of its own."""
    names = dotted.split(".")
    return names[:3] if names[1:2] == ["services"] else names[:2]


PLANTS = {
    "a lower row imports a higher one": ("journal/planted.py", "import kulla.scribe"),
    "two parts of one row": ("keeper/planted.py", "import kulla.embassy"),
    "a service imports another": (
        "services/appointments/planted.py",
        "import kulla.services.citizens",
    ),
    "a folder without a row": ("newcomer/__init__.py", ""),
    "a policy knows Django": ("services/planted/policy.py", "import django.utils.timezone"),
    "a register speaks to the network": ("registers/planted.py", "import socket"),
}


@pytest.mark.parametrize(("place", "line"), PLANTS.values(), ids=PLANTS.keys())
def test_the_import_contracts_bite(tmp_path, place, line):
    shutil.copytree(SOURCE, tmp_path / "kulla", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TOP / "pyproject.toml", tmp_path)
    planted = tmp_path / "kulla" / place
    planted.parent.mkdir(exist_ok=True)
    (planted.parent / "__init__.py").touch()
    planted.write_text(f"{line}\n")
    check = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN" in done.stdout
    name = place.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    assert f"kulla.{name}" in done.stdout

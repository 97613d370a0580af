"""What README and docs/ say is there is there: commands, targets, settings, links, decisions."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from style.project_files import (
    SOURCE,
    TOP,
    name_of,
    project_files,
    python_files,
    text_of,
    tree_of,
)

OPERATE = TOP / "docs" / "OPERATE.md"
README = TOP / "README.md"
DECISION_HEADINGS = ("Question", "Choice", "What it costs")
FENCE = re.compile(r"^```.*?\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SETTING = re.compile(r"KULLA_[A-Z0-9_]+")


def _pages() -> list[Path]:
    return [path for path in project_files() if path.suffix == ".md"]


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text).strip().lower().replace(" ", "-") for text in headings}


def test_links_lead_somewhere():
    broken = []
    for page in _pages():
        for target in LINK.findall(FENCE.sub("", page.read_text())):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            there = (page.parent / name) if name else page
            if not there.exists() or (anchor and anchor not in _anchors(there)):
                broken.append(f"{name_of(page)}: {target}")
    assert not broken, "links that lead nowhere"


def test_each_make_target_is_documented():
    rules = re.findall(r"^([a-z][a-z-]*):", (TOP / "Makefile").read_text(), re.MULTILINE)
    assert "run" in rules
    told = README.read_text() + OPERATE.read_text()
    missing = [rule for rule in rules if not re.search(rf"\bmake {rule}(?![\w-])", told)]
    assert not missing, "say in README.md or docs/OPERATE.md what these make targets do"


def test_each_documented_make_target_exists():
    rules = set(re.findall(r"^([a-z][a-z-]*):", (TOP / "Makefile").read_text(), re.MULTILINE))
    unknown = [
        f"{name_of(page)}: make {target}"
        for page in _pages()
        for snippet in _snippets(page)
        for target in re.findall(r"^(?:\$ )?make ([a-z][a-z-]*)", snippet)
        if target not in rules
    ]
    assert not unknown, "the Makefile has no such target"


def test_decisions_have_a_question_a_choice_and_a_cost():
    decisions = sorted((TOP / "docs" / "decisions").glob("*.md"))
    assert decisions
    for page in decisions:
        assert re.match(r"\d{3}-[a-z0-9-]+\.md$", page.name), f"{page.name}: name it 001-topic.md"
        parts = re.split(r"^## (.+)$", page.read_text(), flags=re.MULTILINE)
        sections = dict(zip(parts[1::2], parts[2::2], strict=True))
        for heading in DECISION_HEADINGS:
            assert sections.get(heading, "").strip(), f"{name_of(page)}: '## {heading}' is missing"


def _settings_in_source() -> set[str]:
    return {
        node.value
        for path in python_files("src")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and SETTING.fullmatch(node.value)
    }


def _documented_settings() -> set[str]:
    rows = re.findall(r"^\| `(KULLA_[A-Z0-9_]+)` \|", OPERATE.read_text(), re.MULTILINE)
    return set(rows)


def test_each_setting_is_documented():
    missing = _settings_in_source() - _documented_settings()
    assert not missing, "add a row to the settings of docs/OPERATE.md"


def test_each_documented_setting_is_read():
    read: set[str] = set()
    for path in project_files():
        if path.suffix in {".py", ".sh"} or path.name == "Makefile":
            read |= set(SETTING.findall(text_of(path) or ""))
    stale = _documented_settings() - read
    assert not stale, "docs/OPERATE.md has settings that nothing reads"


def _snippets(page: Path) -> Iterator[str]:
    """Each line of a code block, continued lines joined, and each piece of inline code."""
    text = page.read_text()
    for block in FENCE.findall(text):
        yield from (line.strip() for line in block.replace("\\\n", " ").splitlines())
    yield from (code.strip() for code in INLINE.findall(FENCE.sub("", text)))


def _kulla_commands() -> list[tuple[str, list[str]]]:
    """(page, words after 'kulla') of each command that the pages show."""
    found = []
    for page in _pages():
        for snippet in _snippets(page):
            match = re.match(r"(?:\$ )?(?:\.venv/bin/)?kulla\s+([a-z-].*)", snippet)
            if match:
                words = shlex.split(re.split(r"\s(?:[|>#]|&&|\\)", match[1])[0], comments=True)
                found.append((name_of(page), words))
    return found


def _complaint(command: click.Command, words: list[str]) -> str | None:
    """What is wrong with a command as a page shows it; None where all of it exists."""
    context = click.Context(command)
    options = {opt for item in command.params for opt in (*item.opts, *item.secondary_opts)}
    for position, word in enumerate(words):
        if word.startswith("-"):
            if word.split("=")[0] not in options | {"--help"}:
                return f"no option {word}"
        elif isinstance(command, click.Group):
            below = command.get_command(context, word)
            if below is None:
                return f"no command {word}"
            return _complaint(below, words[position + 1 :])
    return None


def _cli() -> click.Command:
    if not (SOURCE / "cli" / "main.py").is_file():
        pytest.skip("src/kulla/cli/main.py is not there yet: no commands to compare with")
    from kulla.cli.main import main

    return main


def test_each_command_shown_exists():
    if not (SOURCE / "cli" / "main.py").is_file():
        pytest.skip(
            "src/kulla/cli/main.py is not there yet, so there is no command to compare with"
        )
    from kulla.cli.main import main

    wrong = [
        f"{page}: kulla {' '.join(words)}: {complaint}"
        for page, words in _kulla_commands()
        if (complaint := _complaint(main, words)) is not None
    ]
    assert not wrong, "pages show commands or options that kulla does not have"


def test_the_make_targets_call_commands_that_exist():
    if not (SOURCE / "cli" / "main.py").is_file():
        pytest.skip(
            "src/kulla/cli/main.py is not there yet, so there is no command to compare with"
        )
    from kulla.cli.main import main

    called = re.findall(r"\$\(BIN\)/kulla (.+)", (TOP / "Makefile").read_text())
    assert called
    wrong = [
        f"kulla {line}: {complaint}"
        for line in called
        if (complaint := _complaint(main, shlex.split(line))) is not None
    ]
    assert not wrong, "the Makefile calls commands or options that kulla does not have"

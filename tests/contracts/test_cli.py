"""What an operator types: every mistake is a sentence, and nothing is overwritten."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kulla.cli.main import LazyGroup, main
from kulla.journal.policy_file import parse_policy, verify_policy_signatures
from kulla.tower.home import Home


def _kulla(*words: object) -> Result:
    mask = os.umask(0o022)
    try:
        return CliRunner().invoke(main, [str(word) for word in words])
    finally:
        os.umask(mask)


def _cards(folder: Path, count: int) -> list[object]:
    words: list[object] = []
    for number in range(count):
        made = folder / f"e{number}"
        result = _kulla("embassy", "init", made, "--name", f"e{number}", "--url", "http://x:1")
        assert result.exit_code == 0, result.output
        words += ["--embassy", made / f"e{number}.card"]
    return words


def _init(folder: Path, *words: object) -> Result:
    home, kit = folder / "home", folder / "kit"
    named = ("--name", "t.example", "--url", "https://t.example", "--kit", kit)
    return _kulla("init", home, *named, *words)


def test_a_country_begins_with_a_signed_policy_and_secrets_for_their_owner_alone(
    tmp_path: Path,
) -> None:
    result = _init(tmp_path, *_cards(tmp_path, 4))
    assert result.exit_code == 0, result.output
    policy = parse_policy((tmp_path / "home" / "policy").read_bytes())
    assert len(verify_policy_signatures(policy)) == 2
    assert (policy.n, policy.quorum_k, policy.relying_party) == (4, 3, "t.example")
    assert all(embassy.statement_key for embassy in policy.embassies)
    for path in (*(tmp_path / "home").rglob("*"), *(tmp_path / "kit").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert Home(tmp_path / "home").settings().demo is False
    secrets = {path.read_bytes() for path in (tmp_path / "kit" / "custodians").iterdir()}
    at_home = {path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file()}
    assert len(secrets) == 6, "a key and a share each"
    assert not secrets & at_home
    assert not (tmp_path / "kit" / "recovery.key").exists()


def test_the_recovery_key_may_be_left_whole(tmp_path: Path) -> None:
    assert _init(tmp_path, *_cards(tmp_path, 4), "--whole-recovery-key").exit_code == 0
    recovery = (tmp_path / "kit" / "recovery.key").read_bytes()
    at_home = {path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file()}
    assert recovery not in at_home
    assert not list((tmp_path / "kit").rglob("*.share"))


def test_a_country_begins_once(tmp_path: Path) -> None:
    cards = _cards(tmp_path, 4)
    assert _init(tmp_path, *cards).exit_code == 0
    before = (tmp_path / "home" / "policy").read_bytes()
    again = _init(tmp_path, *cards)
    assert again.exit_code == 1
    assert "not empty" in again.output
    assert (tmp_path / "home" / "policy").read_bytes() == before


@pytest.mark.parametrize(("count", "quorum"), [(4, 2), (2, 3), (1, 0), (3, 1)])
def test_a_quorum_that_two_histories_could_find_is_refused(
    tmp_path: Path, count: int, quorum: int
) -> None:
    result = _init(tmp_path, *_cards(tmp_path, count), "--quorum", quorum)
    assert result.exit_code == 1
    assert "no quorum" in result.output
    assert not (tmp_path / "home").exists()


def test_more_signatures_than_custodians_are_refused(tmp_path: Path) -> None:
    cards = _cards(tmp_path, 4)
    result = _init(tmp_path, *cards, "--custodian", "one", "--custodians-sign", 2)
    assert result.exit_code == 1
    assert "--custodian" in result.output


@pytest.mark.parametrize("cut", [0, 10, 60, 150])
def test_a_card_that_is_cut_short_names_the_line(tmp_path: Path, cut: int) -> None:
    cards = _cards(tmp_path, 4)
    card = Path(str(cards[1]))
    card.write_text(card.read_text()[:cut])
    result = _init(tmp_path, *cards)
    assert result.exit_code == 1
    assert str(card) in result.output


@pytest.mark.parametrize("name", sorted(LazyGroup.places))
def test_every_command_has_help_with_an_example(name: str) -> None:
    result = _kulla(name, "--help")
    assert result.exit_code == 0
    command = main.get_command(None, name)  # type: ignore[arg-type]
    for each in getattr(command, "commands", {name: command}).values():
        assert each.hidden or "Example: kulla " in (each.help or ""), each.name

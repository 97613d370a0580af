"""Sign-in codes from the sessions' file into the mail: quickly, once, and never too late."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.carrier import ScriptedCarrier
from fakes.portal import CLOCK, found
from fakes.signers import SeededEntropy
from kulla.portal.letters import LIFE_S, newest_for_demo, send_later
from kulla.tower.post.codes import KEPT_MS, CodePost

SECRET = "5" * 64


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found(tmp_path)
    return tmp_path


@pytest.fixture
def mail() -> ScriptedCarrier:
    return ScriptedCarrier()


@pytest.fixture
def post(folder: Path, mail: ScriptedCarrier) -> Iterator[CodePost]:
    made = _post(folder, mail)
    yield made
    made.close()


def _post(folder: Path, mail: ScriptedCarrier, *, demo: bool = False) -> CodePost:
    return CodePost(
        folder / "sessions.sqlite", SECRET, {"mail": mail}, CLOCK, SeededEntropy(5), demo=demo
    )


def _rows(folder: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(folder / "sessions.sqlite") as rows:
        return rows.execute("SELECT state, said, sealed, tries FROM letter").fetchall()


def test_a_code_goes_at_once_and_leaves_nothing_behind(
    folder: Path, mail: ScriptedCarrier, post: CodePost
) -> None:
    send_later("mail", "ana@example.al", "418 203 është kodi juaj", "Kodi: 418 203", once="1")
    assert (post.turn(), post.turn()) == (1, 0)
    [letter] = mail.taken
    assert (letter.address, letter.body) == ("ana@example.al", "Kodi: 418 203")
    assert _rows(folder) == [("sent", "", b"", 1)]


def test_the_demo_country_keeps_its_letters_to_show_them(
    folder: Path, mail: ScriptedCarrier
) -> None:
    post = _post(folder, mail, demo=True)
    send_later("mail", "ana@example.al", "s", "418 203", once="1")
    post.turn()
    assert [letter.body for letter in newest_for_demo(5)] == ["418 203"]
    CLOCK.at_ms += LIFE_S * 1000 + 1
    post.turn()
    assert _rows(folder) == [("sent", "", b"", 1)]
    post.close()


@pytest.mark.parametrize("word", ["not-now", "down", "dark"])
def test_what_did_not_go_is_tried_again_under_the_same_id(
    mail: ScriptedCarrier, post: CodePost, word: str
) -> None:
    mail.script = [word, word]
    send_later("mail", "ana@example.al", "s", "b", once="1")
    for _ in range(60):
        post.turn()
        CLOCK.at_ms += 500
    assert mail.attempts == 3
    assert len({letter.id for letter in mail.taken}) == 1
    assert post.waiting() == 0


def test_a_crash_between_sending_and_noting_repeats_it_once(
    folder: Path, mail: ScriptedCarrier, post: CodePost
) -> None:
    send_later("mail", "ana@example.al", "s", "b", once="1")
    post._end = lambda *_: None  # type: ignore[method-assign] # died before it could note it
    post.turn()
    second = _post(folder, mail)
    assert (second.turn(), second.turn()) == (1, 0)
    second.close()
    assert len(mail.taken) == 2
    assert len({letter.id for letter in mail.taken}) == 1


def test_a_refusal_for_good_is_noted_without_the_address(
    folder: Path, mail: ScriptedCarrier, post: CodePost, capsys: pytest.CaptureFixture[str]
) -> None:
    mail.script = ["never"]
    send_later("mail", "ana@example.al", "s", "b", once="1")
    post.turn()
    CLOCK.at_ms += 120_000
    post.turn()
    assert mail.attempts == 1
    assert _rows(folder) == [("failed", "never-450", b"", 1)]
    printed = capsys.readouterr()
    assert "ana@" not in printed.out + printed.err


def test_a_code_that_has_ended_is_not_sent_any_more(
    folder: Path, mail: ScriptedCarrier, post: CodePost
) -> None:
    mail.script = ["not-now"] * 1000
    send_later("mail", "ana@example.al", "s", "b", once="1")
    for _ in range(LIFE_S + 5):
        post.turn()
        CLOCK.at_ms += 1000
    attempts = mail.attempts
    assert 8 < attempts < 40
    assert _rows(folder)[0][:3] == ("failed", "given-up", b"")
    CLOCK.at_ms += KEPT_MS
    post.turn()
    assert (mail.attempts, _rows(folder)) == (attempts, [])


def test_a_letter_of_another_key_or_channel_stops_nothing(
    folder: Path, mail: ScriptedCarrier
) -> None:
    send_later("mail", "ana@example.al", "s", "b", once="1")
    stranger = CodePost(
        folder / "sessions.sqlite", "6" * 64, {"mail": mail}, CLOCK, SeededEntropy(5)
    )
    stranger.turn()
    stranger.close()
    post = _post(folder, mail)
    send_later("phone", "+355690000000", "", "b", once="2")
    send_later("mail", "ben@example.al", "s", "b", once="3")
    post.turn()
    post.close()
    assert [letter.address for letter in mail.taken] == ["ben@example.al"]
    said = sorted(str(row[1]) for row in _rows(folder))
    assert said == ["", "no-carrier", "not-ours"]

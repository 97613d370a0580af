"""Who may act in a role is seen before a policy hears of it, and again when acts are replayed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.counters import COUNTER, counters
from fakes.home import TABLES, HomeInProcess
from kulla.kernel.rows import Rows, RowsByKey
from kulla.kernel.service import Act, Actor, Asked, Command, NewAct, Refusal
from kulla.rebuild.chain import rebuild_registers
from kulla.rebuild.history import plan_history, settle_log
from kulla.rebuild.replay import Replayed
from kulla.rebuild.sources import HttpSource
from kulla.registers.sqlite import create_tables, dump, open_registers

CLERK = Actor("clerk", "c" * 32)


class SignedByKey:
    """Allows staff whose assertion is the command's key turned round; nobody acts for another.

    No fault model: it is an authority as simple as can be, for a test that can sign by hand.
    """

    def refuse(self, rows: Rows, asked: Asked, service: str) -> Refusal | None:
        """See Authority."""
        return None if asked.assertion == asked.key[::-1] else Refusal("not-signed")

    def doubt(self, rows: RowsByKey, act: Act) -> str:
        """See Authority."""
        signed = act.assertion == act.command[::-1]
        meant = hashlib.sha256(act.wish).digest() == act.command
        return "" if signed and meant else "nobody signed this act."


def _by(home: HomeInProcess, actor: Actor, *, signed: bool, **data: object) -> Command:
    command = replace(home.command(most=40, times=3, **data), actor=actor)
    return replace(command, assertion=command.key()[::-1]) if signed else command


def _rebuilt(home: HomeInProcess, path: Path) -> tuple[Replayed, list[tuple[object, ...]]]:
    sources = [HttpSource(embassy.client()) for embassy in home.embassies.values()]
    keys = {home.tower.journal_key.key_id: home.tower.journal_key}
    settlement = settle_log(sources, home.tower.policy, home.tower.origin)
    plans = plan_history(sources, home.tower.policy, keys, settlement)
    connection = open_registers(path, create=True)
    create_tables(connection, TABLES)
    known = {"counters": counters()}
    report = rebuild_registers(plans, keys, connection, TABLES, known, authority=SignedByKey())
    return report, dump(connection, COUNTER)


def test_staff_act_only_with_what_they_signed(tmp_path: Path) -> None:
    home = HomeInProcess(tmp_path, authority=SignedByKey())
    home.deliver()
    home.take(_by(home, CLERK, signed=False), _by(home, CLERK, signed=True), tokens="ab")
    home.deliver()
    assert (home.answers["a"].status, home.answers["a"].code) == ("refused", "not-signed")
    assert home.answers["b"].status == "accepted"


def test_a_citizen_needs_no_signature_but_for_another_person(tmp_path: Path) -> None:
    home = HomeInProcess(tmp_path, authority=SignedByKey())
    home.deliver()
    for_child = Actor("citizen", "a", behalf="child")
    home.take(
        _by(home, Actor("citizen", "a"), signed=False),
        _by(home, for_child, signed=False),
        tokens="ab",
    )
    home.deliver()
    assert [home.answers[token].status for token in "ab"] == ["accepted", "refused"]


def test_another_assertion_is_the_same_command(tmp_path: Path) -> None:
    home = HomeInProcess(tmp_path, authority=SignedByKey())
    home.deliver()
    command = _by(home, CLERK, signed=True)
    home.take(command, replace(command, assertion=b"again"), tokens="ab")
    home.deliver()
    assert home.answers["a"].status == "accepted"
    assert home.answers["a"] == home.answers["b"]


def test_a_replay_sees_the_same_signatures(tmp_path: Path) -> None:
    home = HomeInProcess(tmp_path, authority=SignedByKey())
    home.deliver()
    home.take(_by(home, CLERK, signed=True), home.command(most=9), tokens="ab")
    home.deliver()
    report, counted = _rebuilt(home, tmp_path / "new")
    assert report.case_count == 0
    assert counted == dump(home.connection, COUNTER)


def test_all_acts_of_a_signed_command_are_taken(tmp_path: Path) -> None:
    home = HomeInProcess(tmp_path, authority=SignedByKey())
    home.deliver()
    home.take(_by(home, CLERK, signed=True), tokens="a")
    home.deliver()
    assert len(home.answers["a"].positions) == 3
    report, counted = _rebuilt(home, tmp_path / "new")
    assert report.case_count == 0
    assert counted == dump(home.connection, COUNTER)


@pytest.mark.parametrize("whose", ["a citizen", "the clerk"])
def test_an_act_behind_anothers_command_borrows_no_signature(tmp_path: Path, whose: str) -> None:
    """A thief with the log's key adds an act in the clerk's name under a key that was used."""
    home = HomeInProcess(tmp_path, authority=SignedByKey())
    home.deliver()
    by_clerk = whose == "the clerk"
    command = _by(home, CLERK, signed=True) if by_clerk else home.command(most=9)
    home.take(command, tokens="a")
    home.deliver()
    first, *_, last = *home.answers["a"].positions, home.answers["a"].positions[-1]
    noted = home.connection.execute("SELECT count FROM kulla_command").fetchall()
    thief = replace(command, actor=CLERK, assertion=b"")
    home.connection.execute("BEGIN")
    forged = home.writer._accept(thief, command.key(), NewAct("raised", {"counter": "forged"}), 1)
    home.writer._keep_pending([forged], last + 1)
    home.connection.execute("COMMIT")
    home.restart()
    home.deliver()
    assert noted
    report, counted = _rebuilt(home, tmp_path / "new")
    assert [position for position, _ in report.cases] == [last + 1]
    assert {row[0] for row in counted} == {"c"}
    assert first == 0


def test_an_act_that_nobody_signed_is_a_case_and_changes_nothing(tmp_path: Path) -> None:
    home = HomeInProcess(tmp_path)  # a scribe with another will: it believes everybody
    home.deliver()
    home.take(_by(home, CLERK, signed=False, counter="forged"), home.command(most=9), tokens="ab")
    home.deliver()
    report, counted = _rebuilt(home, tmp_path / "new")
    assert [position for position, _ in report.cases] == list(home.answers["a"].positions)
    assert all("nobody signed" in reason for _, reason in report.cases)
    assert {row[0] for row in counted} == {"c"}

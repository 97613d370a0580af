"""The scribe from command to answer, over real registers and real embassies in this process."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.counters import counters
from fakes.home import HomeInProcess
from kulla.journal.entries import parse_act
from kulla.journal.notes import NoteSignature
from kulla.journal.receipts import verify_receipt
from kulla.kernel.service import Actor, Command
from kulla.kernel.tower import Answer
from kulla.scribe.quorum import CosignatureRefused
from kulla.scribe.receipts import EpochShelf, NoReceipt, ReceiptDesk


@pytest.fixture
def home(tmp_path: Path) -> HomeInProcess:
    home = HomeInProcess(tmp_path)
    home.deliver()
    return home


def test_nobody_is_told_before_a_quorum_holds_the_act(home: HomeInProcess) -> None:
    home.take(home.command())
    home.deliver("embassy-1", "embassy-2")
    assert home.answers == {}
    home.take(home.command(), tokens="b")
    home.deliver("embassy-1", "embassy-2", "embassy-3")
    assert home.answers["b"] == Answer("accepted", (1,))
    assert home.answers["0"] == Answer("accepted", (0,))


def test_two_embassies_are_not_a_quorum_however_often_they_answer(home: HomeInProcess) -> None:
    home.take(home.command())
    rounds = list(home.rounds)
    for _ in range(3):
        home.rounds = list(rounds)
        home.deliver("embassy-1", "embassy-2")
    assert home.answers == {}


def test_a_refusal_waits_for_what_it_rests_on(home: HomeInProcess) -> None:
    home.take(home.command(most=1), home.command(most=1))
    assert home.answers == {}
    home.deliver()
    assert home.answers["0"].status == "accepted"
    assert home.answers["1"] == Answer("refused", code="full", detail={"most": 1})


def test_a_repeat_gets_the_old_answer_and_only_below_the_watermark(home: HomeInProcess) -> None:
    command = home.command(times=2)
    home.take(command, tokens="a")
    home.take(command, tokens="b")
    assert home.answers == {}
    home.deliver()
    assert home.answers["a"] == home.answers["b"] == Answer("accepted", (0, 1))
    home.take(command, tokens="c")
    assert home.answers["c"] == Answer("accepted", (0, 1))
    assert home.rows()["c"]["value"] == 2


def test_a_repeat_within_one_batch_is_one_act(home: HomeInProcess) -> None:
    command = home.command()
    home.take(command, command)
    home.deliver()
    assert home.answers["0"] == home.answers["1"] == Answer("accepted", (0,))


def test_nobody_fetches_another_persons_answer(home: HomeInProcess) -> None:
    mine = home.command(who="mine")
    theirs = Command(mine.service, mine.name, mine.id, Actor("citizen", "theirs"), mine.data)
    home.take(mine, theirs)
    home.deliver()
    assert home.answers["0"].positions == (0,)
    assert home.answers["1"].positions == (1,)


def test_the_same_id_with_another_wish_is_another_command(home: HomeInProcess) -> None:
    one = home.command()
    other = Command(one.service, one.name, one.id, one.actor, {"counter": "other"})
    home.take(one, other)
    home.deliver()
    assert home.answers["1"] == Answer("accepted", (1,))


@pytest.mark.parametrize("where", ["policy", "apply"])
def test_a_service_that_raises_is_set_aside_and_the_others_go_on(
    tmp_path: Path, where: str
) -> None:
    home = HomeInProcess(tmp_path, counters(), counters("others"))
    home.deliver()
    home.take(
        home.command(),
        home.command("fault", where=where),
        home.command(),
        home.command(service="others"),
    )
    home.deliver()
    assert home.answers["0"] == Answer("accepted", (0,))
    assert home.answers["1"] == Answer("unavailable", code="set-aside")
    assert home.answers["2"] == Answer("unavailable", code="set-aside")
    assert home.answers["3"] == Answer("accepted", (1,))
    assert home.rows()["c"]["value"] == 2
    assert list(home.scribe.set_aside) == ["counters"]


def test_an_unknown_service_or_command_is_refused(home: HomeInProcess) -> None:
    home.take(home.command(service="nothing"), home.command("nothing"))
    assert {answer.code for answer in home.answers.values()} == {"unknown-command"}


def test_without_a_quorum_a_service_refuses_or_holds_as_its_settings_say(tmp_path: Path) -> None:
    home = HomeInProcess(
        tmp_path, counters(), counters("holding", without_quorum="hold", hold_max=2)
    )
    home.deliver()
    home.scribe.quorum_reachable(False)
    home.take(home.command(), *(home.command(service="holding") for _ in range(2)))
    assert home.answers == {"0": Answer("unavailable", code="no-quorum")}
    home.take(home.command(service="holding"), tokens="x")
    assert home.answers["x"] == Answer("unavailable", code="no-quorum")
    home.scribe.quorum_reachable(True)
    home.deliver()
    assert home.answers["1"] == Answer("accepted", (0,))


def test_a_repeat_is_answered_even_where_new_acts_are_refused(home: HomeInProcess) -> None:
    command = home.command()
    home.take(command)
    home.deliver()
    home.scribe.quorum_reachable(False)
    home.take(command, tokens="z")
    assert home.answers["z"] == Answer("accepted", (0,))


def test_a_blob_that_home_does_not_hold_never_gets_into_the_journal(home: HomeInProcess) -> None:
    blob = b"a wrapped key"
    name = hashlib.sha256(blob).digest()
    home.take(home.command("blob", blob=name), tokens="a")
    assert home.answers["a"] == Answer("refused", code="unknown-blob")
    home.blobs[name] = blob
    home.take(home.command("blob", blob=name), tokens="b")
    home.deliver()
    assert home.answers["b"] == Answer("accepted", (0,))
    for embassy in home.embassies.values():
        assert embassy.mirror.blobs.get(name) == blob


def test_a_laggard_is_brought_level_with_its_blobs(home: HomeInProcess) -> None:
    blob = b"a wrapped key"
    home.blobs[hashlib.sha256(blob).digest()] = blob
    late = home.embassies["embassy-4"]
    late.down = True
    for number in range(30):
        home.take(home.command(times=20), tokens=chr(97 + number))
        home.deliver()
    home.take(home.command("blob", blob=hashlib.sha256(blob).digest()), tokens="Y")
    home.deliver()
    late.down = False
    home.take(home.command(), tokens="Z")
    home.deliver()
    assert late.mirror.health()["logs"][0]["size"] == 602  # type: ignore[index]


def test_an_answer_that_was_lost_on_the_way_is_asked_for_again(home: HomeInProcess) -> None:
    for embassy in home.embassies.values():
        embassy.mute = True
    home.take(home.command())
    rounds = list(home.rounds)
    home.deliver()
    assert home.answers == {}
    for embassy in home.embassies.values():
        embassy.mute = False
    home.rounds = rounds
    home.deliver()
    assert home.answers["0"] == Answer("accepted", (0,))


def test_a_restart_before_anything_was_sent_confirms_it_afterwards(home: HomeInProcess) -> None:
    command = home.command()
    home.take(command)
    home.answers.clear()
    home.restart()
    home.take(command, tokens="z")
    assert home.answers == {}
    home.deliver()
    assert home.answers["z"] == Answer("accepted", (0,))
    assert home.rows()["c"]["value"] == 1


def test_a_crash_of_the_tile_store_after_the_commit_changes_nothing(home: HomeInProcess) -> None:
    for number in range(5):
        home.take(home.command(times=70), tokens=str(number))
    home.store.crash()
    home.restart()
    home.deliver()
    assert home.journal.size == 350
    assert home.scribe.watermark == 350


def test_a_false_cosignature_is_refused_and_counts_for_nobody(home: HomeInProcess) -> None:
    home.take(home.command())
    [parcel] = home.rounds
    true = home.deliveries["embassy-1"].bring(parcel)
    with pytest.raises(CosignatureRefused):
        home.scribe.held("embassy-2", parcel.size, true)
    forged = NoteSignature(true.name, true.key_id, bytes(72))
    with pytest.raises(CosignatureRefused):
        home.scribe.held("embassy-1", parcel.size, forged)
    assert home.scribe.watermark == 0


def test_a_receipt_is_given_to_who_is_party_and_to_nobody_else(home: HomeInProcess) -> None:
    home.take(home.command(who="mine"))
    shelf = EpochShelf(0, None, home.journal, home.tower.opener, lambda: home.scribe.cosigned)
    desk = ReceiptDesk([shelf])
    with pytest.raises(NoReceipt):
        desk.receipt(0, "mine")
    home.deliver()
    proven = verify_receipt(desk.receipt(0, "mine"), home.tower.policy)
    assert proven.act["act"] == "raised"
    for position, who in ((0, "theirs"), (1, "mine"), (-1, "mine"), (99, "mine")):
        with pytest.raises(NoReceipt):
            desk.receipt(position, who)


@pytest.mark.parametrize("value", [1.5, 2**80, {1: 2}, {"set"}])
def test_data_without_a_canonical_form_is_refused_and_the_rest_goes_on(
    home: HomeInProcess, value: object
) -> None:
    home.take(home.command(value=value), home.command())
    home.deliver()
    assert home.answers["0"] == Answer("refused", code="malformed")
    assert home.answers["1"] == Answer("accepted", (0,))


def test_too_many_who_wait_are_told_so(home: HomeInProcess) -> None:
    home.scribe._limits = replace(home.scribe._limits, waiting_max=2)
    home.take(home.command(), home.command(), tokens="ab")
    home.take(home.command(), tokens="c")
    assert home.answers["c"] == Answer("unavailable", code="busy")
    home.deliver()
    assert home.answers["a"].status == home.answers["b"].status == "accepted"


def test_a_commands_own_fault_sets_no_service_aside(home: HomeInProcess) -> None:
    """An act that names what its command did not bring, and one too large for the journal."""
    unnamed = home.command("blob", blob=b"n" * 32)
    too_large = home.command(counter="c" * 70_000)
    home.take(replace(unnamed, names=()), too_large, home.command(), tokens="abc")
    home.deliver()
    assert home.answers["a"] == Answer("refused", code="malformed")
    assert home.answers["b"] == Answer("refused", code="too-large")
    assert home.answers["c"] == Answer("accepted", (0,))
    assert not home.writer.set_aside


def test_what_a_citizen_signed_does_not_enter_the_journal(home: HomeInProcess) -> None:
    home.take(replace(home.command(), assertion=b"bytes of anybody"), tokens="a")
    home.deliver()
    [entry] = home.journal.entries(0, 1)
    assert parse_act(home.tower.opener.open(entry).plaintext, 0).assertion == b""

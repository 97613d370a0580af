"""A takeover from the first seal to the first act of the new epoch, with embassies in process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fakes.home import HomeInProcess
from fakes.signers import NOON_MS, SeededEntropy
from fakes.taking_over import LOST, TakingOver
from kulla.embassy.errors import EmbassyError
from kulla.journal.checkpoints import parse_checkpoint
from kulla.journal.entries import Opener, Sealer
from kulla.journal.epochs import EPOCH_OPENED, EpochOpened, epoch_opened_data, parse_succession
from kulla.journal.errors import ReceiptUnwitnessed
from kulla.journal.notes import SigningKey, parse_note
from kulla.journal.policy_file import PolicyFile, verify_successor
from kulla.journal.receipts import build_receipt, parse_receipt, verify_receipt
from kulla.journal.simulated import SimulatedTileStore
from kulla.kernel.service import NewAct
from kulla.kernel.tower import Answer
from kulla.rebuild.history import HistoryUnclear, opening_of, plan_history, settle_log
from kulla.rebuild.sources import HttpSource
from kulla.rebuild.takeover import (
    TakeoverFailed,
    bring_up_to_date,
    hand_over_policy,
    newest_policy,
    next_policy,
    seal,
    succession_of,
)
from kulla.scribe.batch import BatchWriter
from kulla.scribe.courier import Delivery
from kulla.scribe.log import Log
from kulla.scribe.quorum import Quorum
from kulla.scribe.receipts import EpochShelf, ReceiptDesk
from kulla.scribe.scribe import Scribe


@pytest.fixture
def home(tmp_path: Path) -> HomeInProcess:
    home = HomeInProcess(tmp_path)
    home.deliver()
    for number in range(5):
        home.take(home.command(who="mine"), tokens=str(number))
        home.deliver()
    return home


def test_after_the_seal_the_old_home_confirms_nothing_more(home: HomeInProcess) -> None:
    taking = TakingOver(home)
    home.embassies[LOST].down = True
    taking.seal()
    assert len(taking.sealed) == 3
    home.embassies[LOST].down = False
    home.take(home.command(), tokens="z")
    home.deliver()
    assert "z" not in home.answers


def test_a_seal_that_too_few_embassies_gave_is_no_takeover(home: HomeInProcess) -> None:
    taking = TakingOver(home)
    for name in ("embassy-1", "embassy-2"):
        home.embassies[name].down = True
    with pytest.raises(TakeoverFailed, match="1 embassies sealed"):
        taking.seal()
    home.embassies["embassy-1"].down = False
    taking.seal()
    assert set(taking.sealed) == {"embassy-1", "embassy-4"}


def test_the_new_epoch_goes_on_and_the_lost_embassy_joins_when_it_is_back(
    home: HomeInProcess,
) -> None:
    taking = TakingOver(home)
    home.embassies[LOST].down = True
    taking.seal()
    scribe = taking.go_on()
    home.deliver()
    home.take(home.command(), tokens="n")
    home.deliver()
    assert home.answers["n"].positions == (6,)
    assert scribe.watermark == 7
    home.embassies[LOST].down = False
    with pytest.raises(EmbassyError):
        home.deliveries[LOST].bring(home_round(taking))
    home.embassies[LOST].client().set_policy(taking.following.render())
    assert home.deliveries[LOST].bring(home_round(taking)).name.startswith("embassy-3")


def home_round(taking: TakingOver):  # type: ignore[no-untyped-def]
    return taking.journal.join(())


def test_a_succession_needs_enough_custodians(home: HomeInProcess) -> None:
    taking = TakingOver(home)
    taking.note = succession_of(
        taking.policy, taking.new_key.verifier, "", "alone", NOON_MS, taking.custodians[:1]
    )
    with pytest.raises(TakeoverFailed):
        taking.seal()
    home.take(home.command(), tokens="z")
    home.deliver()
    assert home.answers["z"].status == "accepted"


def test_the_newest_policy_needs_the_kits_custodians(home: HomeInProcess) -> None:
    taking = TakingOver(home)
    verify_successor(taking.policy, taking.following)
    assert newest_policy(taking.policy, [taking.following.render()]) == taking.following
    forged = next_policy(taking.policy, taking.new_key.verifier, "", taking.custodians[:1])
    assert newest_policy(taking.policy, [forged.render()]) == taking.policy
    assert newest_policy(taking.following, [taking.policy.render()]) == taking.following


def test_acts_whose_checkpoint_had_no_quorum_get_receipts_by_adoption(
    home: HomeInProcess,
) -> None:
    home.take(home.command(who="mine"), tokens="x")
    home.deliver("embassy-1", "embassy-2")
    home.embassies[LOST].down = True
    old = home.journal
    taking = TakingOver(home)
    taking.seal()
    assert taking.settlement.checkpoint.size == 6
    [note] = {found.checkpoint for name, found in taking.sealed.items() if name == "embassy-1"}
    assert parse_checkpoint(parse_note(note).text).size == 6
    scribe = taking.go_on()
    home.deliver()
    keys = {home.tower.journal_key.key_id: home.tower.journal_key}
    desk = ReceiptDesk(
        [
            EpochShelf(0, 6, old, home.tower.opener, lambda: (6, note), adopted=True),
            EpochShelf(
                6, None, taking.journal, Opener(taking.new_key.name, keys), lambda: scribe.cosigned
            ),
        ]
    )
    receipt = desk.receipt(5, "mine")
    proven = verify_receipt(receipt, taking.following)
    assert proven.act["by"] == "mine"
    assert len(proven.cosigners) == 3
    parsed = parse_receipt(receipt)
    alone = build_receipt(
        parsed.entry, parsed.salt, parsed.plaintext, parsed.index, parsed.proof, note
    )
    other = desk._build(6, lambda _: True)
    wrong = replace(parsed, adoption=alone)
    with pytest.raises(ReceiptUnwitnessed):
        verify_receipt(alone, taking.following)
    with pytest.raises(ReceiptUnwitnessed):
        verify_receipt(wrong, taking.following)
    earlier = home.tower.checkpoint_note(5, old.root_at(5), ["embassy-1"])
    entry, proof = old.entry_with_proof(3, 5)
    opened = home.tower.opener.open(entry)
    forged = build_receipt(entry, opened.salt, opened.plaintext, 3, proof, earlier, adoption=other)
    with pytest.raises(ReceiptUnwitnessed, match="does not adopt"):
        verify_receipt(forged, taking.following)


def test_what_an_epoch_adopted_is_not_confirmed_before_a_quorum_holds_its_first_act(
    home: HomeInProcess,
) -> None:
    """Another takeover, of fewer embassies, might adopt less of the old epoch until then."""
    command = home.command(who="mine")
    home.take(command, tokens="x")
    home.deliver("embassy-1", "embassy-2")
    home.embassies[LOST].down = True
    taking = TakingOver(home)
    taking.seal()
    scribe = taking.go_on()
    home.take(command, tokens="y")
    assert "y" not in home.answers
    assert scribe.watermark == 0
    home.deliver()
    assert home.answers["y"] == Answer("accepted", (5,))
    assert scribe.watermark == 7


def test_an_embassy_that_was_away_learns_of_the_new_log_from_its_home(home: HomeInProcess) -> None:
    taking = TakingOver(home)
    home.embassies[LOST].down = True
    taking.seal()
    taking.go_on()
    home.embassies[LOST].down = False
    key = home.tower.mirror_keys[LOST].verifier
    policy = taking.following.render()
    delivery = Delivery(home.embassies[LOST].client(), key, taking.journal, home, policies=[policy])
    with pytest.raises(EmbassyError):
        delivery.bring(home_round(taking))
    assert delivery.bring(home_round(taking)).name.startswith("embassy-3")


def test_an_embassy_that_missed_a_takeover_takes_part_in_the_next(home: HomeInProcess) -> None:
    first = TakingOver(home)
    home.embassies[LOST].down = True
    first.seal()
    first.go_on()
    home.deliver()
    home.embassies[LOST].down = False
    for name in ("embassy-1", "embassy-2"):
        home.embassies[name].down = True
    clients = {name: embassy.client() for name, embassy in home.embassies.items()}
    newest, third = first.following, home.tower.key("journal.kulla.example/3")
    note = succession_of(newest, third.verifier, "", "again", NOON_MS, first.custodians[:2])
    with pytest.raises(TakeoverFailed, match="1 embassies sealed"):
        seal(clients, note, parse_succession(note), newest)
    bring_up_to_date(clients, newest, [])
    sealed = seal(clients, note, parse_succession(note), newest)
    assert set(sealed) == {LOST, "embassy-4"}


def test_bringing_policies_goes_version_by_version(home: HomeInProcess) -> None:
    custodians = list(home.tower.custodian_keys.values())[:2]
    second = next_policy(home.tower.policy, home.tower.key("two").verifier, "", custodians)
    third = next_policy(second, home.tower.key("three").verifier, "", custodians)
    clients = {name: embassy.client() for name, embassy in home.embassies.items()}
    bring_up_to_date(clients, third, [])
    assert home.embassies[LOST].mirror.policy.version == 1
    bring_up_to_date(clients, third, [b"no policy", second.render()])
    assert {embassy.mirror.policy for embassy in home.embassies.values()} == {third}


def test_nobody_is_brought_the_policy_of_a_takeover_that_came_to_nothing(
    home: HomeInProcess,
) -> None:
    """Two sites took over at once; the one that lost left its policy at one embassy."""
    custodians = list(home.tower.custodian_keys.values())[:2]
    lost = next_policy(home.tower.policy, home.tower.key("lost").verifier, "", custodians)
    second = next_policy(home.tower.policy, home.tower.key("two").verifier, "", custodians)
    third = next_policy(second, home.tower.key("three").verifier, "", custodians)
    clients = {name: embassy.client() for name, embassy in home.embassies.items()}
    bring_up_to_date(clients, third, [lost.render(), second.render()])
    assert {embassy.mirror.policy for embassy in home.embassies.values()} == {third}


def test_where_an_epoch_was_left_empty_the_next_says_what_stood_before_it(
    home: HomeInProcess,
) -> None:
    """Else each rebuild would settle the first epoch anew, and a late embassy would move it."""
    home.embassies[LOST].down = True
    home.take(home.command(), tokens="x")
    home.deliver("embassy-1")
    first = TakingOver(home)
    first.seal()
    hand_over_policy(first.clients, first.following)  # and its home is lost before it opens
    third = home.tower.key("journal.kulla.example/3")
    custodians = first.custodians[:2]
    note = succession_of(first.following, third.verifier, "", "again", NOON_MS, custodians)
    newest = next_policy(first.following, third.verifier, "", custodians)
    seal(first.clients, note, parse_succession(note), first.following)
    sources = [HttpSource(client) for client in first.clients.values()]
    keys = {home.tower.journal_key.key_id: home.tower.journal_key}
    empty = settle_log(sources, first.following, "journal.kulla.example/2")
    plans = plan_history(sources, first.following, keys, empty)
    assert [(plan.size, plan.base) for plan in plans] == [(5, 0), (0, 5)]
    opened = opening_of(plans, note)
    assert opened.before == ((home.tower.origin, 5, plans[0].root),)
    hand_over_policy(first.clients, newest)
    scribe = _opened(home, third, newest, opened)
    assert scribe.watermark == 6
    # Embassies hold different sizes of the old epoch; who answers must not matter any more.
    for names in (("embassy-1", "embassy-2", "embassy-4"), ("embassy-1", "embassy-2")):
        some = [HttpSource(first.clients[name]) for name in names]
        settled = settle_log(some, newest, third.name)
        found = plan_history(some, newest, keys, settled)
        assert [(plan.size, plan.base) for plan in found] == [(5, 0), (0, 5), (1, 5)]


def test_an_empty_epoch_is_not_skipped_on_the_word_of_too_few(home: HomeInProcess) -> None:
    first = TakingOver(home)
    first.seal()
    hand_over_policy(first.clients, first.following)
    keys = {home.tower.journal_key.key_id: home.tower.journal_key}
    two = [HttpSource(first.clients[name]) for name in ("embassy-1", "embassy-2")]
    empty = settle_log(two, first.following, "journal.kulla.example/2")
    with pytest.raises(HistoryUnclear, match="too few"):
        plan_history(two, first.following, keys, empty)


def _opened(
    home: HomeInProcess, key: SigningKey, policy: PolicyFile, opened: EpochOpened
) -> Scribe[str]:
    """An epoch with its first act held by all embassies that are up."""
    journal = Log(key, SimulatedTileStore(6), 0)
    seals = Sealer(key.name, home.tower.journal_key, SeededEntropy(6))
    rows, base = home.writer._rows, opened.before[0][1]
    writer = BatchWriter(home.connection, rows, home.services, seals, home.clock, base=base, size=0)
    keys = {known.name: known.key for known in policy.embassies}
    quorum = Quorum(keys, policy.is_quorum)
    scribe: Scribe[str] = Scribe(writer, journal, quorum, home.services, home, home.clock)
    home.scribe, home.journal, home.rounds = scribe, journal, []
    home.deliveries = {
        name: Delivery(embassy.client(), keys[name], journal, home)
        for name, embassy in home.embassies.items()
    }
    scribe.start(home.rounds.append, NewAct(EPOCH_OPENED, epoch_opened_data(opened)))
    home.deliver()
    return scribe

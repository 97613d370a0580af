"""A takeover from the first seal to the first act of the new epoch, with embassies in process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fakes.home import HomeInProcess
from fakes.signers import NOON_MS, SeededEntropy
from kulla.embassy.errors import EmbassyError
from kulla.journal.checkpoints import parse_checkpoint
from kulla.journal.entries import Opener, Sealer
from kulla.journal.epochs import EPOCH_OPENED, EpochOpened, epoch_opened_data, parse_succession
from kulla.journal.errors import ReceiptUnwitnessed
from kulla.journal.notes import parse_note
from kulla.journal.policy_file import verify_successor
from kulla.journal.receipts import build_receipt, parse_receipt, verify_receipt
from kulla.journal.simulated import SimulatedTileStore
from kulla.kernel.service import NewAct
from kulla.rebuild.history import settle_log
from kulla.rebuild.sources import HttpSource
from kulla.rebuild.takeover import (
    TakeoverFailed,
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

LOST = "embassy-3"


class TakingOver:
    """The steps of a takeover of `home`, whose embassy-3 was lost with it."""

    def __init__(self, home: HomeInProcess) -> None:
        self.home = home
        self.policy = home.tower.policy
        self.custodians = list(home.tower.custodian_keys.values())
        self.new_key = home.tower.key("journal.kulla.example/2")
        self.clients = {
            name: embassy.client() for name, embassy in home.embassies.items() if name != LOST
        }
        self.note = succession_of(
            self.policy, self.new_key.verifier, "", "drill", NOON_MS, self.custodians[:2]
        )
        self.following = next_policy(self.policy, self.new_key.verifier, "", self.custodians[:2])

    def seal(self) -> None:
        self.sealed = seal(self.clients, self.note, parse_succession(self.note), self.policy)
        sources = [HttpSource(client) for client in self.clients.values()]
        self.settlement = settle_log(
            sources, self.policy, self.home.tower.origin, only=list(self.sealed)
        )

    def go_on(self) -> Scribe[str]:
        """Hand over the policy and open the new epoch on the old registers."""
        home = self.home
        hand_over_policy(self.clients, self.following)
        checkpoint = self.settlement.checkpoint
        opened = EpochOpened(checkpoint.origin, checkpoint.size, checkpoint.root, self.note)
        self.journal = Log(self.new_key, SimulatedTileStore(5), 0)
        keys = {known.name: known.key for known in self.following.embassies}
        seals = Sealer(self.new_key.name, home.tower.journal_key, SeededEntropy(5))
        writer = BatchWriter(
            home.connection,
            home.writer._rows,
            home.services,
            seals,
            home.clock,
            base=checkpoint.size,
            size=0,
        )
        quorum = Quorum(keys, self.following.is_quorum)
        scribe: Scribe[str] = Scribe(writer, self.journal, quorum, home.services, home, home.clock)
        home.scribe, home.journal, home.rounds = scribe, self.journal, []
        home.deliveries = {
            name: Delivery(embassy.client(), keys[name], self.journal, home)
            for name, embassy in home.embassies.items()
        }
        scribe.start(home.rounds.append, NewAct(EPOCH_OPENED, epoch_opened_data(opened)))
        return scribe


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

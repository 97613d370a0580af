"""What an embassy answers to add-checkpoint, as C2SP tlog-witness says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fakes.embassy import GrowingLog, SimulatedEmbassy
from fakes.embassy_steps import decode_json, entries, follow, refused, said
from fakes.signers import MadeUpTower
from kulla.embassy.errors import ForkRefused, SizeConflict
from kulla.embassy.replies import Reply
from kulla.journal.checkpoints import (
    Checkpoint,
    sign_checkpoint,
)
from kulla.journal.merkle import EMPTY_ROOT
from kulla.journal.notes import Note, SigningKey, parse_note

TOWER = MadeUpTower()


@pytest.fixture
def embassy() -> SimulatedEmbassy:
    return SimulatedEmbassy(TOWER)


@pytest.fixture
def log() -> GrowingLog:
    return GrowingLog(TOWER.log_key, entries(10))


def test_a_good_checkpoint_is_taken_and_not_signed(embassy: SimulatedEmbassy, log: GrowingLog):
    assert embassy.mirror.add_checkpoint(log.checkpoint_body(0)) == Reply(200)
    assert embassy.mirror.checkpoint("0" * 64).status == 404
    [held] = embassy.mirror.health()["logs"]
    assert (held["pending"], held["size"]) == (10, 0)
    embassy.crash()
    [held] = embassy.mirror.health()["logs"]
    assert (held["pending"], held["size"]) == (10, 0)


def test_the_same_checkpoint_again_is_no_error(embassy: SimulatedEmbassy, log: GrowingLog):
    embassy.mirror.add_checkpoint(log.checkpoint_body(0))
    assert embassy.mirror.add_checkpoint(log.checkpoint_body(10)).status == 200


MALFORMED: dict[str, Callable[[GrowingLog], bytes]] = {
    "empty": lambda log: b"",
    "no old line": lambda log: log.note(),
    "no empty line": lambda log: b"old 0\n" + log.note(),
    "old with a zero in front": lambda log: log.checkpoint_body(0).replace(b"old 0", b"old 00"),
    "old negative": lambda log: log.checkpoint_body(0).replace(b"old 0", b"old -1"),
    "old not a number": lambda log: log.checkpoint_body(0).replace(b"old 0", b"old x"),
    "old with a space": lambda log: log.checkpoint_body(0).replace(b"old 0", b"old 0 "),
    "old above the new size": lambda log: b"old 11\n\n" + log.note(),
    "a proof line that is no base64": lambda log: b"old 0\n%%%\n\n" + log.note(),
    "a short hash": lambda log: b"old 0\nAAAA\n\n" + log.note(),
    "64 proof lines": lambda log: b"old 0\n" + (b"A" * 43 + b"=\n") * 64 + b"\n" + log.note(),
    "no signature": lambda log: b"old 0\n\n" + log.note().split(b"\n\n")[0] + b"\n",
    "cut": lambda log: log.checkpoint_body(0)[:-3],
    "not UTF-8": lambda log: b"old 0\n\n\xff\xfe" + log.note(),
    "no checkpoint": lambda log: (
        b"old 0\n\n" + Note("hello\n", (log.key.sign_note("hello\n"),)).render()
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_checkpoint_is_400(embassy: SimulatedEmbassy, log: GrowingLog, name: str):
    status, text = said(embassy.mirror.add_checkpoint(MALFORMED[name](log)))
    assert status == 400
    assert text.endswith("\n")
    assert embassy.mirror.health()["logs"][0]["pending"] == 0


def test_an_unknown_log_is_404(embassy: SimulatedEmbassy):
    stranger = GrowingLog(TOWER.key("journal.elsewhere.example"), entries(3))
    assert embassy.mirror.add_checkpoint(stranger.checkpoint_body(0)).status == 404
    assert embassy.mirror.add_entries(stranger.entries_body(0)).status == 404


def test_a_wrong_signature_is_403(embassy: SimulatedEmbassy, log: GrowingLog):
    thief = SigningKey(TOWER.origin, 1, b"x" * 32)
    forged = sign_checkpoint(Checkpoint(TOWER.origin, 10, log.tree.root()), thief)
    assert embassy.mirror.add_checkpoint(b"old 0\n\n" + forged).status == 403
    other = Checkpoint(TOWER.origin, 11, log.tree.root())
    moved = Note(other.text(), parse_note(log.note()).signatures).render()
    assert embassy.mirror.add_checkpoint(b"old 0\n\n" + moved).status == 403
    custodian = TOWER.custodian_keys["arta"].sign_note(other.text())
    unsigned = Note(other.text(), (custodian,)).render()
    assert embassy.mirror.add_checkpoint(b"old 0\n\n" + unsigned).status == 403


def test_signatures_of_strangers_are_ignored_and_not_kept(
    embassy: SimulatedEmbassy, log: GrowingLog
):
    note = parse_note(log.note())
    stranger = TOWER.custodian_keys["arta"].sign_note(note.text)
    body = b"old 0\n\n" + Note(note.text, (stranger, *note.signatures)).render()
    assert embassy.mirror.add_checkpoint(body).status == 200
    assert embassy.log_store(TOWER.origin).get("pending") == log.note()


def test_another_old_size_is_409_with_the_size(embassy: SimulatedEmbassy, log: GrowingLog):
    embassy.mirror.add_checkpoint(log.checkpoint_body(0, 7))
    for old in (0, 3, 8, 10):
        reply = embassy.mirror.add_checkpoint(log.checkpoint_body(old))
        assert said(reply) == (409, "7\n")
        assert reply.media_type == "text/x.tlog.size"
        error = refused(reply)
        assert isinstance(error, SizeConflict)
        assert error.size == 7


def test_a_proof_that_does_not_verify_is_422(embassy: SimulatedEmbassy, log: GrowingLog):
    embassy.mirror.add_checkpoint(log.checkpoint_body(0, 7))
    good = log.tree.consistency_proof(7, 10)
    flipped = [bytes([good[0][0] ^ 1]) + good[0][1:], *good[1:]]
    for proof in (flipped, good[:-1], [*good, good[0]], []):
        assert embassy.mirror.add_checkpoint(log.checkpoint_body(7, proof=proof)).status == 422
    assert embassy.mirror.health()["logs"][0]["pending"] == 7
    assert embassy.mirror.health()["forks_refused"] == 0
    assert embassy.mirror.health()["unproven_refused"] == 1
    assert embassy.mirror.add_checkpoint(log.checkpoint_body(7)).status == 200


def test_a_proof_where_none_may_be_is_422(embassy: SimulatedEmbassy, log: GrowingLog):
    assert embassy.mirror.add_checkpoint(log.checkpoint_body(0, proof=[b"p" * 32])).status == 422
    embassy.mirror.add_checkpoint(log.checkpoint_body(0))
    assert embassy.mirror.add_checkpoint(log.checkpoint_body(10, proof=[b"p" * 32])).status == 422


def test_a_log_may_begin_with_size_zero_and_the_empty_root(embassy: SimulatedEmbassy):
    key = TOWER.log_key
    wrong = sign_checkpoint(Checkpoint(TOWER.origin, 0, b"r" * 32), key)
    assert embassy.mirror.add_checkpoint(b"old 0\n\n" + wrong).status == 422
    empty = GrowingLog(key)
    assert empty.tree.root() == EMPTY_ROOT
    assert follow(embassy, empty).status == 200
    assert said(embassy.mirror.add_entries(empty.entries_body(0)))[0] == 200


def test_two_roots_of_one_size_are_a_fork_and_kept_as_evidence(
    embassy: SimulatedEmbassy, log: GrowingLog
):
    embassy.mirror.add_checkpoint(log.checkpoint_body(0))
    fork = log.fork(5)
    fork.grow([b"forged %d" % number for number in range(5)])
    error = refused(embassy.mirror.add_checkpoint(fork.checkpoint_body(10)))
    assert isinstance(error, ForkRefused)
    assert (error.status, error.held) == (422, log.note())
    assert embassy.mirror.health()["forks_refused"] == 1
    embassy.crash()
    [record] = decode_json(embassy.mirror.evidence())
    assert record["held"] == log.note().decode()
    assert record["refused"] == fork.note().decode()
    assert record["kind"] == "fork"


def test_a_rollback_that_grew_anew_is_refused_whatever_old_size_it_names(
    embassy: SimulatedEmbassy, log: GrowingLog
):
    follow(embassy, log)
    fork = log.fork(5)
    fork.grow([b"forged"])
    assert embassy.mirror.add_checkpoint(fork.checkpoint_body(0)).status == 409
    error = refused(embassy.mirror.add_checkpoint(b"old 10\n\n" + fork.note()))
    assert isinstance(error, ForkRefused)
    assert error.status == 400
    fork.grow(entries(9, first=100))
    error = refused(embassy.mirror.add_checkpoint(fork.checkpoint_body(10)))
    assert error.status == 422
    assert embassy.mirror.health()["forks_refused"] == 1
    assert embassy.mirror.health()["unproven_refused"] == 1
    log.grow(entries(1, first=10))
    assert follow(embassy, log).status == 200


def test_evidence_is_bounded(embassy: SimulatedEmbassy, log: GrowingLog):
    embassy.mirror.add_checkpoint(log.checkpoint_body(0))
    for number in range(260):
        root = number.to_bytes(32, "big")
        note = sign_checkpoint(Checkpoint(TOWER.origin, 10, root), TOWER.log_key)
        embassy.mirror.add_checkpoint(b"old 10\n\n" + note)
    assert embassy.mirror.health()["forks_refused"] == 200

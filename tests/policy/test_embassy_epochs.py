"""What an embassy answers to custodians: seals, and the next policy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fakes.embassy import NAME, GrowingLog, SimulatedEmbassy
from fakes.embassy_steps import entries, follow, refused
from fakes.signers import MadeUpTower
from kulla.embassy.errors import LogSealed, SealedForAnother
from kulla.embassy.mirror import origin_hash
from kulla.journal.epochs import Succession, sign_succession, verify_seal
from kulla.journal.merkle import EMPTY_ROOT
from kulla.journal.policy_file import Log

TOWER = MadeUpTower()


@pytest.fixture
def embassy() -> SimulatedEmbassy:
    return SimulatedEmbassy(TOWER)


@pytest.fixture
def log() -> GrowingLog:
    return GrowingLog(TOWER.log_key, entries(10))


def succession(origin: str = "journal.kulla.example/2", reason: str = "fire") -> Succession:
    new = TOWER.key(origin).verifier
    return Succession(TOWER.policy.tower, 2, TOWER.origin, new, "", reason, 1_760_000_000_000)


def signed(statement: Succession, *custodians: str) -> bytes:
    keys = [TOWER.custodian_keys[name] for name in custodians or ("arta", "besa")]
    return sign_succession(statement, keys)


def test_a_sealed_log_is_refused_for_good(embassy: SimulatedEmbassy, log: GrowingLog):
    follow(embassy, log)
    log.grow(entries(5, first=10))
    embassy.mirror.add_checkpoint(log.checkpoint_body(10))
    statement = signed(succession())
    reply = embassy.mirror.seal(statement)
    assert reply.status == 200
    seal = verify_seal(reply.body, succession(), TOWER.policy)
    assert (seal.embassy, seal.size, seal.root) == (NAME, 10, log.tree.root_at(10))
    for _ in range(2):
        for answer in (
            embassy.mirror.add_entries(log.entries_body(10)),
            embassy.mirror.add_entries(log.entries_body(10, 10)),
            embassy.mirror.add_checkpoint(log.checkpoint_body(15)),
        ):
            error = refused(answer)
            assert isinstance(error, LogSealed)
            assert (answer.status, error.statement) == (403, statement)
        assert embassy.mirror.seal(statement).body == reply.body
        embassy.crash()
    assert embassy.mirror.health()["logs"][0]["sealed"] is True


def test_an_upload_under_way_when_the_seal_comes_is_refused(
    embassy: SimulatedEmbassy, log: GrowingLog
):
    embassy.mirror.add_checkpoint(log.checkpoint_body(0))
    upload = embassy.mirror.upload()
    body = log.entries_body(0)
    assert upload.feed(body[:-1]) is None
    embassy.mirror.seal(signed(succession()))
    assert upload.feed(body[-1:]).status == 403
    assert upload.finish().status == 403


def test_an_upload_under_way_when_the_next_policy_comes_is_refused(
    embassy: SimulatedEmbassy, log: GrowingLog
):
    embassy.mirror.add_checkpoint(log.checkpoint_body(0))
    upload = embassy.mirror.upload()
    body = log.entries_body(0)
    upload.feed(body[:-1])
    logs = (*TOWER.policy.logs, Log(TOWER.key("journal.kulla.example/2").verifier))
    new = replace(TOWER.unsigned_policy, version=2, logs=logs)
    assert embassy.mirror.set_policy(TOWER.signed(new, ("arta", "besa")).render()).status == 200
    assert upload.feed(body[-1:]).status == 403
    assert embassy.mirror.health()["logs"][0]["size"] == 0


def test_an_embassy_that_holds_nothing_seals_too(embassy: SimulatedEmbassy, log: GrowingLog):
    seal = verify_seal(embassy.mirror.seal(signed(succession())).body, succession(), TOWER.policy)
    assert (seal.size, seal.root) == (0, EMPTY_ROOT)
    assert embassy.mirror.add_checkpoint(log.checkpoint_body(0)).status == 403


@pytest.mark.parametrize(
    "statement",
    [
        b"",
        b"seal it",
        signed(succession(), "arta"),
        sign_succession(succession(), [TOWER.log_key, TOWER.key("x")]),
        signed(replace(succession(), number=3)),
        signed(replace(succession(), tower="elsewhere.example")),
        signed(replace(succession(), old_origin="journal.kulla.example/0")),
        signed(succession()).replace(b"fire", b"file"),
    ],
)
def test_a_seal_that_custodians_did_not_sign_is_403(
    embassy: SimulatedEmbassy, log: GrowingLog, statement: bytes
):
    assert embassy.mirror.seal(statement).status == 403
    assert follow(embassy, log).status == 200


def test_a_second_succession_is_refused_and_shown_the_first(
    embassy: SimulatedEmbassy, log: GrowingLog
):
    follow(embassy, log)
    first = signed(succession())
    embassy.mirror.seal(first)
    other = succession("journal.kulla.example/2b", reason="me too")
    for _ in range(2):
        error = refused(embassy.mirror.seal(signed(other)))
        assert isinstance(error, SealedForAnother)
        assert (error.status, error.statement) == (409, first)
        assert verify_seal(embassy.mirror.seal(first).body, succession(), TOWER.policy).size == 10
        embassy.crash()
    assert embassy.mirror.add_checkpoint(log.checkpoint_body(10)).status == 403
    assert embassy.mirror.succession(origin_hash(TOWER.origin)).body == first


def test_a_succession_in_the_place_of_a_lost_one_is_taken_and_that_one_no_more(
    embassy: SimulatedEmbassy, log: GrowingLog
):
    follow(embassy, log)
    lost = succession()
    embassy.mirror.seal(signed(lost))
    stranger = replace(succession("journal.kulla.example/2b"), instead=(b"s" * 32,))
    assert embassy.mirror.seal(signed(stranger)).status == 409
    after = replace(stranger, instead=(b"s" * 32, lost.digest()))
    seal = verify_seal(embassy.mirror.seal(signed(after)).body, after, TOWER.policy)
    assert seal.size == 10
    embassy.crash()
    assert isinstance(refused(embassy.mirror.seal(signed(lost))), SealedForAnother)
    assert embassy.mirror.add_checkpoint(log.checkpoint_body(10)).status == 403


def test_a_sealed_log_lets_no_change_of_the_policy_through_but_its_successor(
    embassy: SimulatedEmbassy,
):
    embassy.mirror.seal(signed(succession()))
    change = replace(TOWER.unsigned_policy, version=2, custodian_threshold=3)
    everybody = TOWER.signed(change, TOWER.custodian_keys)
    assert embassy.mirror.set_policy(everybody.render()).status == 409
    logs = (*TOWER.policy.logs, Log(succession().new_log))
    new = TOWER.signed(replace(TOWER.unsigned_policy, version=2, logs=logs), ("arta", "besa"))
    assert embassy.mirror.set_policy(new.render()).status == 200
    later = TOWER.signed(replace(change, version=3, logs=logs), TOWER.custodian_keys)
    assert embassy.mirror.set_policy(later.render()).status == 200
    assert embassy.mirror.pinned_policy("2").body == new.render()
    assert embassy.mirror.pinned_policy("1").body == TOWER.policy.render()
    for version in ("0", "4", "x", "1" * 40):
        assert embassy.mirror.pinned_policy(version).status == 404


def test_the_next_log_is_taken_once_a_policy_names_it(embassy: SimulatedEmbassy, log: GrowingLog):
    follow(embassy, log)
    new_log = GrowingLog(TOWER.key("journal.kulla.example/2"), entries(3))
    embassy.mirror.seal(signed(succession()))
    assert embassy.mirror.add_checkpoint(new_log.checkpoint_body(0)).status == 404
    new = replace(
        TOWER.unsigned_policy,
        version=2,
        logs=(*TOWER.policy.logs, Log(new_log.key.verifier)),
    )
    unsigned = TOWER.signed(new, ["arta"]).render()
    assert embassy.mirror.set_policy(unsigned).status == 403
    assert embassy.mirror.set_policy(b"policy").status == 400
    skipped = TOWER.signed(replace(new, version=3), ("arta", "besa")).render()
    assert embassy.mirror.set_policy(skipped).status == 409
    policy = TOWER.signed(new, ("arta", "besa")).render()
    for _ in range(2):
        assert embassy.mirror.set_policy(policy).status == 200
        embassy.crash()
        assert embassy.mirror.pinned_policy().body == policy
    assert embassy.mirror.set_policy(TOWER.policy.render()).status == 409
    assert follow(embassy, new_log).status == 200
    assert embassy.mirror.add_checkpoint(log.checkpoint_body(10)).status == 403


def test_a_log_that_the_policy_has_a_successor_for_is_closed_without_a_seal(
    embassy: SimulatedEmbassy, log: GrowingLog
):
    follow(embassy, log)
    new_key = TOWER.key("journal.kulla.example/2")
    new = replace(
        TOWER.unsigned_policy, version=2, logs=(*TOWER.policy.logs, Log(new_key.verifier))
    )
    embassy.mirror.set_policy(TOWER.signed(new, ("arta", "besa")).render())
    log.grow(entries(1, first=10))
    reply = embassy.mirror.add_checkpoint(log.checkpoint_body(10))
    assert reply.status == 403
    assert b"later log" in reply.body
    seal = verify_seal(
        embassy.mirror.seal(signed(succession())).body, succession(), embassy.mirror.policy
    )
    assert seal.size == 10

"""Takeovers: who may follow whom, who must sign, and what an embassy's seal is worth."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.signers import NOON_MS, MadeUpTower
from kulla.journal.epochs import (
    EpochOpened,
    SealReceipt,
    Succession,
    epoch_opened_data,
    make_seal,
    parse_epoch_opened,
    parse_succession,
    sign_succession,
    verify_listed_succession,
    verify_seal,
    verify_succession,
)
from kulla.journal.errors import (
    CustodiansMissing,
    JournalError,
    NoteInvalid,
    SealInvalid,
    SignatureInvalid,
    SuccessionInvalid,
)
from kulla.journal.merkle import EMPTY_ROOT
from kulla.journal.policy_file import Log, PolicyFile, verify_successor
from kulla.kernel.canonical import decode, encode

TOWER = MadeUpTower()
NEXT = MadeUpTower(origin="journal.kulla.example/2")
OTHER = MadeUpTower(origin="journal.kulla.example/other")
ROOT = bytes(range(32))
TAKEOVER = Succession(
    tower="kulla.example",
    number=2,
    old_origin=TOWER.origin,
    new_log=NEXT.log_key.verifier,
    new_url="https://new.kulla.example/",
    reason="The ministry's hall burned down.",
    at_ms=NOON_MS,
)
CUSTODIANS = [TOWER.custodian_keys["arta"], TOWER.custodian_keys["drita"]]
NOTE = sign_succession(TAKEOVER, CUSTODIANS)


def policy_of_epoch_two() -> PolicyFile:
    logs = (*TOWER.policy.logs, Log(NEXT.log_key.verifier))
    new = replace(TOWER.policy, version=2, logs=logs, signatures=())
    return TOWER.signed(new, ["arta", "drita"])


def seal_of(name: str, size: int = 9, cosigners: tuple[str, ...] | None = None) -> SealReceipt:
    note = TOWER.checkpoint_note(size, ROOT, (name,) if cosigners is None else cosigners)
    return make_seal(TAKEOVER, name, note, TOWER.statement_keys[name])


def test_custodians_sign_a_succession_that_the_policy_accepts():
    assert parse_succession(NOTE) == TAKEOVER
    assert verify_succession(NOTE, TOWER.policy) == TAKEOVER
    one_by_one = sign_succession(sign_succession(TAKEOVER, CUSTODIANS[:1]), CUSTODIANS[1:])
    assert one_by_one == NOTE
    assert TAKEOVER.digest() == parse_succession(one_by_one).digest()


def test_too_few_custodians_cannot_take_over():
    one = sign_succession(TAKEOVER, CUSTODIANS[:1])
    with pytest.raises(CustodiansMissing, match=r"need 2 of 3, have 1 \(arta\)"):
        verify_succession(one, TOWER.policy)
    stranger = MadeUpTower(seed=3).custodian_keys.values()
    with pytest.raises(CustodiansMissing, match="have 0"):
        verify_succession(sign_succession(TAKEOVER, stranger), TOWER.policy)
    with pytest.raises(CustodiansMissing):
        verify_succession(sign_succession(TAKEOVER, [TOWER.log_key]), TOWER.policy)


def test_a_policy_s_signatures_are_not_a_succession_s():
    """Custodians sign both with the same keys; the texts keep them apart."""
    policy = TOWER.policy
    with pytest.raises(SuccessionInvalid):
        parse_succession(
            policy.unsigned_text().encode()
            + b"\n"
            + b"".join(line.line().encode() for line in policy.signatures)
        )
    moved = NOTE.split(b"\n\n")[0] + b"\n\n" + policy.signatures[0].line().encode()
    with pytest.raises(SignatureInvalid):
        verify_succession(moved, policy)


@pytest.mark.parametrize(
    "wrong",
    [
        {"tower": "other.example"},
        {"number": 3},
        {"old_origin": "journal.kulla.example/0"},
        {"new_log": TOWER.custodian_keys["besa"].verifier},
        {"new_log": TOWER.key("standby.example").verifier},
        {"new_log": TOWER.statement_keys["embassy-1"].verifier},
    ],
)
def test_a_succession_must_fit_the_policy(wrong: dict):
    with pytest.raises(SuccessionInvalid):
        verify_succession(sign_succession(replace(TAKEOVER, **wrong), CUSTODIANS), TOWER.policy)


def test_once_a_successor_is_listed_no_other_may_follow_the_same_log():
    listed = policy_of_epoch_two()
    verify_successor(TOWER.policy, listed)
    assert verify_succession(NOTE, listed) == TAKEOVER
    signed_by_nobody_left = sign_succession(TAKEOVER, [TOWER.key("old.example")])
    assert verify_listed_succession(signed_by_nobody_left, listed) == TAKEOVER
    rival = sign_succession(replace(TAKEOVER, new_log=OTHER.log_key.verifier), CUSTODIANS)
    assert verify_succession(rival, TOWER.policy).new_log == OTHER.log_key.verifier
    for verify in (verify_succession, verify_listed_succession):
        with pytest.raises(SuccessionInvalid, match="another log"):
            verify(rival, listed)
    third = replace(
        TAKEOVER, number=3, old_origin=NEXT.origin, new_log=OTHER.log_key.verifier, new_url=""
    )
    assert verify_succession(sign_succession(third, CUSTODIANS), listed) == third
    back = replace(third, new_log=TOWER.log_key.verifier)
    with pytest.raises(SuccessionInvalid, match="in use"):
        verify_succession(sign_succession(back, CUSTODIANS), listed)
    with pytest.raises(SuccessionInvalid, match="lists no log after"):
        verify_listed_succession(sign_succession(third, CUSTODIANS), listed)


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": "two\nlines"},
        {"reason": ""},
        {"reason": "x" * 501},
        {"reason": "a\ttab"},
        {"number": 1},
        {"number": -2},
        {"new_log": TOWER.log_key.verifier},
        {"new_log": TOWER.mirror_keys["embassy-1"].verifier},
        {"new_url": "https://a b"},
        {"new_url": "-"},
        {"tower": ""},
        {"old_origin": ""},
        {"at_ms": -1},
    ],
)
def test_a_succession_that_would_not_read_back_is_not_signed(wrong: dict):
    with pytest.raises((SuccessionInvalid, NoteInvalid)):
        sign_succession(replace(TAKEOVER, **wrong), CUSTODIANS)


@given(st.text(max_size=60), st.integers(2, 10**6), st.integers(0, 2**62))
def test_a_succession_reads_back_or_is_not_written(reason: str, number: int, at_ms: int):
    succession = replace(TAKEOVER, reason=reason, number=number, at_ms=at_ms)
    try:
        note = sign_succession(succession, CUSTODIANS)
    except (SuccessionInvalid, NoteInvalid):
        return
    assert parse_succession(note) == succession


def test_every_cut_and_every_changed_byte_is_refused_by_type():
    for end in range(len(NOTE)):
        with pytest.raises(JournalError):
            verify_succession(NOTE[:end], TOWER.policy)
    for at in range(len(NOTE)):
        changed = NOTE[:at] + bytes([NOTE[at] ^ (1 << at % 8)]) + NOTE[at + 1 :]
        with pytest.raises(JournalError):
            verify_succession(changed, TOWER.policy)


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_by_type(data: bytes):
    for start in (b"", NOTE[:200]):
        with pytest.raises(SuccessionInvalid):
            parse_succession(start + data)
    with pytest.raises(SealInvalid):
        SealReceipt.parse(data)
    for seal in (SealReceipt(data, b""), replace(seal_of("embassy-1"), checkpoint=data or b"x")):
        with pytest.raises(JournalError):
            verify_seal(seal.render(), TAKEOVER, TOWER.policy)


def test_an_embassy_s_seal_says_what_it_holds():
    for name in TOWER.mirror_keys:
        seal = verify_seal(seal_of(name).render(), TAKEOVER, TOWER.policy)
        assert (seal.embassy, seal.size, seal.root) == (name, 9, ROOT)
    nothing = make_seal(TAKEOVER, "embassy-2", b"", TOWER.statement_keys["embassy-2"])
    seal = verify_seal(nothing, TAKEOVER, policy_of_epoch_two())
    assert (seal.size, seal.root) == (0, EMPTY_ROOT)


def test_a_seal_with_a_flipped_byte_is_refused_by_type():
    data = seal_of("embassy-1").render()
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :]
        with pytest.raises(JournalError):
            verify_seal(changed, TAKEOVER, TOWER.policy)


def test_a_seal_of_another_takeover_or_by_another_key_does_not_count():
    rival = replace(TAKEOVER, new_log=OTHER.log_key.verifier)
    with pytest.raises(SealInvalid, match="another takeover"):
        verify_seal(seal_of("embassy-1"), rival, TOWER.policy)
    forged = make_seal(
        TAKEOVER,
        "embassy-1",
        TOWER.checkpoint_note(9, ROOT, ("embassy-1",)),
        TOWER.statement_keys["embassy-2"],
    )
    with pytest.raises(SignatureInvalid):
        verify_seal(forged, TAKEOVER, TOWER.policy)
    with pytest.raises(NoteInvalid):
        make_seal(TAKEOVER, "embassy-1", b"", TOWER.mirror_keys["embassy-1"])
    with pytest.raises(SealInvalid):
        make_seal(
            TAKEOVER,
            "embassy-1",
            NEXT.checkpoint_note(9, ROOT, ("embassy-1",)),
            TOWER.statement_keys["embassy-1"],
        )


def test_a_seal_must_show_the_checkpoint_that_it_states():
    with pytest.raises(SignatureInvalid, match="did not cosign"):
        verify_seal(seal_of("embassy-1", cosigners=()), TAKEOVER, TOWER.policy)
    with pytest.raises(SignatureInvalid, match="did not cosign"):
        verify_seal(seal_of("embassy-1", cosigners=("embassy-2",)), TAKEOVER, TOWER.policy)
    nine, eight = seal_of("embassy-1"), seal_of("embassy-1", size=8)
    with pytest.raises(SealInvalid, match="another size"):
        verify_seal(replace(nine, checkpoint=eight.checkpoint), TAKEOVER, TOWER.policy)
    with pytest.raises(SealInvalid, match="no checkpoint"):
        verify_seal(replace(nine, checkpoint=b""), TAKEOVER, TOWER.policy)
    without_key = replace(
        TOWER.policy,
        embassies=tuple(replace(e, statement_key=None) for e in TOWER.policy.embassies),
    )
    with pytest.raises(SealInvalid, match="no statement key"):
        verify_seal(nine, TAKEOVER, without_key)


def test_the_first_act_of_an_epoch_reads_back():
    opened = EpochOpened(TOWER.origin, 9, ROOT, NOTE)
    data = decode(encode(epoch_opened_data(opened)))
    assert set(data) == {"old_origin", "adopted_size", "adopted_root", "succession"}
    assert parse_epoch_opened(data) == opened


def test_a_first_act_behind_an_empty_epoch_says_what_was_before_it():
    before = (("journal.kulla.example/0", 7, ROOT), ("journal.kulla.example/00", 0, EMPTY_ROOT))
    opened = EpochOpened(TOWER.origin, 0, EMPTY_ROOT, NOTE, before)
    data = decode(encode(epoch_opened_data(opened)))
    assert parse_epoch_opened(data) == opened
    assert opened.adopted["journal.kulla.example/0"] == (7, ROOT)


@pytest.mark.parametrize(
    "wrong",
    [
        {"before": []},
        {"before": [["journal.kulla.example/0", 7]]},
        {"before": [["journal.kulla.example/0", -7, ROOT]]},
        {"before": [["journal.kulla.example/0", 7, b"short"]]},
        {"before": {"journal.kulla.example/0": 7}},
        {"adopted_size": -1},
        {"adopted_size": True},
        {"adopted_root": b"short"},
        {"old_origin": "journal.kulla.example/0"},
        {"succession": b"no note"},
        {"more": 1},
    ],
)
def test_a_first_act_that_makes_no_sense_is_refused(wrong: dict):
    data = epoch_opened_data(EpochOpened(TOWER.origin, 9, ROOT, NOTE)) | wrong
    with pytest.raises(SuccessionInvalid):
        parse_epoch_opened(data)

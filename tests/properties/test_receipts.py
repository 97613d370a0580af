"""Receipts: proven with the policy file alone; a changed or cut one is refused at its step."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.signers import NOON_S, MadeUpTower, booked, receipt_of
from kulla.journal import merkle
from kulla.journal.errors import (
    ReceiptCommitmentWrong,
    ReceiptCosignatureWrong,
    ReceiptInclusionWrong,
    ReceiptInvalid,
    ReceiptLogUnsigned,
    ReceiptMalformed,
    ReceiptUnwitnessed,
)
from kulla.journal.notes import decode_base64, encode_base64
from kulla.journal.policy_file import parse_policy
from kulla.journal.receipts import Receipt, build_receipt, parse_receipt, verify_receipt
from kulla.journal.simulated import SimulatedTileStore
from kulla.journal.tree import Tree
from kulla.kernel.canonical import decode, encode

TOWER = MadeUpTower()
QUORUM = ("embassy-1", "embassy-2", "embassy-4")
RECEIPT = receipt_of(TOWER, QUORUM)


def lines_of(data: bytes) -> list[str]:
    return data.decode().split("\n")


def with_line(data: bytes, number: int, line: str) -> bytes:
    lines = lines_of(data)
    lines[number - 1] = line
    return "\n".join(lines).encode()


def with_extra(change: dict) -> bytes:
    extra = decode(decode_base64(lines_of(RECEIPT)[1].removeprefix("extra ")))
    return with_line(RECEIPT, 2, f"extra {encode_base64(encode(extra | change))}")


def test_a_receipt_proves_its_act_off_line_with_the_policy_alone():
    policy = parse_policy(TOWER.policy.render())
    proven = verify_receipt(RECEIPT, policy)
    assert proven.act == decode(booked(1))
    assert (proven.act["service"], proven.act["act"]) == ("appointments", "booked")
    assert proven.index == 1
    assert (proven.checkpoint.origin, proven.checkpoint.size) == (TOWER.origin, 3)
    assert proven.cosigners == QUORUM
    assert proven.witnessed_at_s == (NOON_S, NOON_S + 2)


@given(st.data())
def test_any_receipt_reads_back(data: st.DataObject):
    size = data.draw(st.integers(1, 600))
    index = data.draw(st.integers(0, size - 1))
    store = SimulatedTileStore(1)
    tree = Tree(store)
    entries = [b"entry %d" % number for number in range(size)]
    entries[index] = TOWER.sealer.seal(booked(index))
    store.put(tree.grow(entries))
    opened = TOWER.opener.open(entries[index])
    proof = tree.inclusion_proof(index, size)
    note = TOWER.checkpoint_note(size, tree.root(), QUORUM)
    receipt = build_receipt(entries[index], opened.salt, opened.plaintext, index, proof, note)
    assert parse_receipt(receipt) == Receipt(
        opened.plaintext, opened.salt, entries[index], index, tuple(proof), note
    )
    assert verify_receipt(receipt, TOWER.policy).act == decode(booked(index))


def test_a_receipt_cut_at_any_byte_is_refused_by_type():
    for end in range(len(RECEIPT)):
        with pytest.raises(ReceiptInvalid) as refused:
            verify_receipt(RECEIPT[:end], TOWER.policy)
        assert refused.value.remedy


def test_a_receipt_with_any_byte_changed_is_refused_by_type(seed: int):
    chance = random.Random(seed)
    for at in range(len(RECEIPT)):
        flip = 1 << chance.randrange(8)
        changed = RECEIPT[:at] + bytes([RECEIPT[at] ^ flip]) + RECEIPT[at + 1 :]
        with pytest.raises(ReceiptInvalid):
            verify_receipt(changed, TOWER.policy)


def test_a_changed_act_does_not_fit_its_commitment():
    with pytest.raises(ReceiptCommitmentWrong):
        verify_receipt(with_extra({"act": booked(2)}), TOWER.policy)
    with pytest.raises(ReceiptCommitmentWrong):
        verify_receipt(with_extra({"salt": bytes(32)}), TOWER.policy)


def test_another_entry_is_not_in_the_journal():
    """An act made up by a thief who holds the journal key, under true signatures."""
    entry = TOWER.sealer.seal(booked(9))
    opened = TOWER.opener.open(entry)
    made_up = with_extra({"act": opened.plaintext, "entry": entry, "salt": opened.salt})
    with pytest.raises(ReceiptInclusionWrong):
        verify_receipt(made_up, TOWER.policy)


@pytest.mark.parametrize("index", ["0", "2", "3", str(2**62)])
def test_another_index_is_a_wrong_inclusion(index: str):
    with pytest.raises(ReceiptInclusionWrong):
        verify_receipt(with_line(RECEIPT, 3, f"index {index}"), TOWER.policy)


def test_a_wrong_or_missing_hash_is_a_wrong_inclusion():
    wrong = with_line(RECEIPT, 4, encode_base64(bytes(32)))
    short = "\n".join(line for at, line in enumerate(lines_of(RECEIPT)) if at != 3).encode()
    for data in (wrong, short):
        with pytest.raises(ReceiptInclusionWrong):
            verify_receipt(data, TOWER.policy)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_cosignatures_are_counted(count: int):
    few = receipt_of(TOWER, QUORUM[:count])
    with pytest.raises(ReceiptUnwitnessed, match=f"need 3 of 4, have {count}"):
        verify_receipt(few, TOWER.policy)


def test_strangers_cosignatures_do_not_count():
    strangers = MadeUpTower(seed=2, origin=TOWER.origin)
    with pytest.raises(ReceiptLogUnsigned):
        verify_receipt(receipt_of(strangers, QUORUM), TOWER.policy)
    own_log = replace(strangers.unsigned_policy, logs=TOWER.policy.logs)
    with pytest.raises(ReceiptUnwitnessed):
        verify_receipt(RECEIPT, own_log)


def test_a_log_that_the_policy_does_not_name_is_said_so():
    other = MadeUpTower(origin="journal.kulla.example/2")
    with pytest.raises(ReceiptLogUnsigned, match="names no log") as refused:
        verify_receipt(receipt_of(other, QUORUM), TOWER.policy)
    assert "newest policy" in refused.value.remedy


def test_a_forged_cosignature_rejects_even_beside_a_quorum():
    receipt = receipt_of(TOWER, tuple(TOWER.mirror_keys)).decode()
    line = receipt.splitlines()[-1]
    name, body = line.split(" ")[1:]
    forged = decode_base64(body)[:12] + bytes(64)
    changed = receipt.replace(line, f"\N{EM DASH} {name} {encode_base64(forged)}")
    assert verify_receipt(receipt.encode(), TOWER.policy).cosigners == tuple(TOWER.mirror_keys)
    with pytest.raises(ReceiptCosignatureWrong, match="embassy-4"):
        verify_receipt(changed.encode(), TOWER.policy)


@pytest.mark.parametrize(
    ("number", "line", "place"),
    [
        (1, "c2sp.org/tlog-proof@v2", "file, line 1"),
        (1, "", "file, line 1"),
        (2, "extra AAA", "file, line 2"),
        (2, "extra ", "file, line 2"),
        (2, "extra oA==", "file, line 2"),
        (2, "index 1", "file, line 2"),
        (3, "index 01", "file, line 3"),
        (3, "index -1", "file, line 3"),
        (3, "index ", "file, line 3"),
        (3, f"index {2**63}", "file, line 3"),
        (4, "AAAA", "file, line 4"),
        (5, "not base64!", "file, line 5"),
        (5, "AAAA\n" * 70 + "AAAA", "file"),
        (7, "", "file"),
        (8, "three", "file"),
    ],
)
def test_a_malformed_line_is_refused_at_its_place(number: int, line: str, place: str):
    with pytest.raises(ReceiptMalformed) as refused:
        verify_receipt(with_line(RECEIPT, number, line), TOWER.policy, place="file")
    assert refused.value.place == place


def test_extra_of_another_form_is_refused():
    for change in ({"more": 1}, {"salt": b"short"}, {"entry": "text"}, {"entry": b"none"}):
        with pytest.raises(ReceiptMalformed):
            verify_receipt(with_extra(change), TOWER.policy)
    fields = decode(decode_base64(lines_of(RECEIPT)[1].removeprefix("extra ")))
    unsorted = b"\xa3" + b"".join(
        encode(name) + encode(fields[name]) for name in ("salt", "act", "entry")
    )
    with pytest.raises(ReceiptMalformed):
        verify_receipt(with_line(RECEIPT, 2, f"extra {encode_base64(unsorted)}"), TOWER.policy)


@given(st.binary(max_size=400))
def test_random_bytes_are_refused_by_type(data: bytes):
    head = b"\n".join(RECEIPT.split(b"\n")[:3]) + b"\n"
    for start in (b"", b"c2sp.org/tlog-proof@v1\n", head, RECEIPT[:-30], RECEIPT):
        if start + data != RECEIPT:
            with pytest.raises(ReceiptInvalid):
                verify_receipt(start + data, TOWER.policy)


def test_a_huge_file_is_refused_unread():
    with pytest.raises(ReceiptMalformed, match="over"):
        parse_receipt(RECEIPT + b"x" * 1_000_000)


def test_nobody_is_handed_a_receipt_that_would_fail():
    read = parse_receipt(RECEIPT)
    fields = [read.entry, read.salt, read.plaintext, read.index, read.proof, read.checkpoint_note]
    assert build_receipt(*fields) == RECEIPT
    for at, wrong, error in (
        (1, bytes(32), ReceiptCommitmentWrong),
        (2, booked(7), ReceiptCommitmentWrong),
        (3, 2, ReceiptInclusionWrong),
        (4, (), ReceiptInclusionWrong),
        (5, b"no note", ReceiptMalformed),
    ):
        with pytest.raises(error):
            build_receipt(*[wrong if at == number else old for number, old in enumerate(fields)])


def test_a_sound_receipt_of_an_act_that_nobody_can_read_says_so():
    entry = TOWER.sealer.seal(b"\xff not an act")
    opened = TOWER.opener.open(entry)
    note = TOWER.checkpoint_note(1, merkle.leaf_hash(entry), QUORUM)
    receipt = build_receipt(entry, opened.salt, opened.plaintext, 0, (), note)
    with pytest.raises(ReceiptMalformed, match="its act can't be read"):
        verify_receipt(receipt, TOWER.policy)

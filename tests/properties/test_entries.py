"""Sealed entries: what is sealed opens, nothing else does, and lengths tell little."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.signers import NOON_MS, MadeUpTower, SeededEntropy, booked
from kulla.journal.entries import (
    BUCKETS,
    ENTRY_BYTES_MAX,
    NAMES_MAX,
    PLAINTEXT_BYTES_MAX,
    JournalKey,
    Opener,
    Sealer,
    act_plaintext,
    commitment_of,
    parse_act,
    parse_entry,
)
from kulla.journal.errors import EntryInvalid, JournalError
from kulla.kernel.canonical import decode, encode
from kulla.kernel.service import Act, Actor

TOWER = MadeUpTower()
NAME = hashlib.sha256(b"a blob").digest()

name_lists = st.lists(st.binary(min_size=32, max_size=32), max_size=30)


@given(st.binary(max_size=5000), name_lists)
def test_what_is_sealed_opens(plaintext: bytes, names: list[bytes]):
    entry = TOWER.sealer.seal(plaintext, names)
    opened = TOWER.opener.open(entry)
    assert (opened.plaintext, opened.names) == (plaintext, tuple(names))
    assert opened.commitment == commitment_of(opened.salt, plaintext)
    head = parse_entry(entry)
    assert (head.commitment, head.names) == (opened.commitment, opened.names)
    assert head.key_id == TOWER.journal_key.key_id


@given(st.binary(max_size=2000), name_lists)
def test_an_entry_is_the_canonical_list_that_the_format_says(plaintext: bytes, names: list[bytes]):
    entry = TOWER.sealer.seal(plaintext, names)
    version, commitment, key_id, blobs, nonce, ciphertext = decode(entry)
    assert (version, key_id, blobs) == (1, TOWER.journal_key.key_id, names)
    aad = encode([1, TOWER.origin, commitment, key_id, blobs])
    padded = TOWER.journal_key.cipher.decrypt(nonce, ciphertext, aad)
    assert len(padded) in BUCKETS
    inner = padded.rstrip(b"\0")
    assert inner.endswith(b"\x80")
    salt, sealed = decode(inner[:-1])
    assert (len(salt), sealed) == (32, plaintext)


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_length_shows_its_bucket_and_no_more(bucket: int):
    head = 35 + (2 if bucket == 256 else 3)
    largest = bucket - head - 1
    lengths = [len(TOWER.sealer.seal(bytes(size))) for size in (largest - 40, largest)]
    assert lengths[0] == lengths[1] == bucket + 78
    if bucket != BUCKETS[-1]:
        assert len(TOWER.sealer.seal(bytes(largest + 1))) > lengths[1]


def test_the_longest_act_fits_and_a_longer_one_is_refused():
    entry = TOWER.sealer.seal(bytes(PLAINTEXT_BYTES_MAX), [NAME] * 200)
    assert len(entry) <= ENTRY_BYTES_MAX
    assert TOWER.opener.open(entry).plaintext == bytes(PLAINTEXT_BYTES_MAX)
    with pytest.raises(EntryInvalid, match="too long"):
        TOWER.sealer.seal(bytes(PLAINTEXT_BYTES_MAX + 1))
    with pytest.raises(EntryInvalid, match="fewer files"):
        TOWER.sealer.seal(bytes(PLAINTEXT_BYTES_MAX), [NAME] * NAMES_MAX)
    with pytest.raises(EntryInvalid):
        TOWER.sealer.seal(b"", [NAME] * (NAMES_MAX + 1))
    with pytest.raises(EntryInvalid):
        TOWER.sealer.seal(b"", [NAME[:-1]])


@pytest.mark.parametrize("count", [0, 1, 23, 24, NAMES_MAX])
def test_any_number_of_names_reads_back(count: int):
    names = [hashlib.sha256(b"%d" % number).digest() for number in range(count)]
    entry = TOWER.sealer.seal(b"act", names)
    assert parse_entry(entry).names == tuple(names) == TOWER.opener.open(entry).names
    assert encode(decode(entry)) == entry


def test_every_cut_and_every_changed_byte_is_refused():
    entry = TOWER.sealer.seal(booked(1), [NAME])
    for end in range(len(entry)):
        for read in (TOWER.opener.open, parse_entry):
            with pytest.raises(EntryInvalid):
                read(entry[:end])
    for at in range(len(entry)):
        for flip in (0x01, 0x80):
            with pytest.raises(EntryInvalid):
                TOWER.opener.open(entry[:at] + bytes([entry[at] ^ flip]) + entry[at + 1 :])
    with pytest.raises(EntryInvalid):
        TOWER.opener.open(entry + b"\0")


def test_an_entry_opens_in_its_own_log_and_with_its_own_key_alone():
    entry = TOWER.sealer.seal(b"act")
    key = TOWER.journal_key
    with pytest.raises(EntryInvalid):
        Opener("other.example", {key.key_id: key}).open(entry)
    with pytest.raises(EntryInvalid, match="journal key") as refused:
        Opener(TOWER.origin, {}).open(entry, place="entry 7")
    assert refused.value.place == "entry 7"
    assert key.secret.hex() not in repr(key)
    with pytest.raises(EntryInvalid):
        JournalKey(b"short")


def test_a_scribe_that_commits_to_another_act_is_found_out():
    """A thief who holds the journal key seals an act that does not fit its commitment."""
    key, salt, nonce = TOWER.journal_key, bytes(32), bytes(12)
    commitment = commitment_of(salt, b"what the citizen was shown")
    aad = encode([1, TOWER.origin, commitment, key.key_id, []])
    padded = (encode([salt, b"what was kept"]) + b"\x80").ljust(256, b"\0")
    sealed = key.cipher.encrypt(nonce, padded, aad)
    entry = encode([1, commitment, key.key_id, [], nonce, sealed])
    with pytest.raises(EntryInvalid, match="commitment"):
        TOWER.opener.open(entry)


@pytest.mark.parametrize("end", [b"\x80", b"\x81", b"", b"\x80\x80", b"\0\x80", b"\x80\0\x01"])
def test_padding_is_a_mark_and_zeros(end: bytes):
    """Bytes after the act would be a place to hide things in that no receipt shows."""
    key, salt, nonce = TOWER.journal_key, bytes(32), bytes(12)
    commitment = commitment_of(salt, b"act")
    aad = encode([1, TOWER.origin, commitment, key.key_id, []])
    padded = (encode([salt, b"act"]) + end).ljust(256, b"\0")
    sealed = key.cipher.encrypt(nonce, padded, aad)
    entry = encode([1, commitment, key.key_id, [], nonce, sealed])
    if end == b"\x80":
        assert TOWER.opener.open(entry).plaintext == b"act"
        return
    with pytest.raises(EntryInvalid):
        TOWER.opener.open(entry)


@given(st.binary(min_size=256, max_size=600))
def test_what_a_thief_sealed_is_refused_by_type(inside: bytes):
    key, nonce = TOWER.journal_key, bytes(12)
    for start in (b"", b"\x82\x58\x20" + bytes(32), b"\x82\x58\x20" + bytes(32) + b"\x43abc"):
        aad = encode([1, TOWER.origin, bytes(32), key.key_id, []])
        sealed = key.cipher.encrypt(nonce, start + inside, aad)
        entry = encode([1, bytes(32), key.key_id, [], nonce, sealed])
        with pytest.raises(EntryInvalid):
            TOWER.opener.open(entry)


@given(st.binary(max_size=400))
def test_random_bytes_are_refused_by_type(data: bytes):
    for start in (b"", b"\x86\x01\x58\x20" + bytes(32) + b"\x48" + bytes(8)):
        with pytest.raises(EntryInvalid):
            parse_entry(start + data)
    with pytest.raises(JournalError):
        parse_act(data, 0)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), values, max_size=5), st.integers(0, 2**40))
def test_an_act_reads_back(data: dict, position: int):
    plaintext = act_plaintext(
        "appointments", "booked", 3, NOON_MS, "clerk", "ab" * 16, b"k" * 32, data
    )
    assert parse_act(plaintext, position) == Act(
        position, "appointments", "booked", 3, NOON_MS, Actor("clerk", "ab" * 16), b"k" * 32, data
    )


@given(
    behalf=st.text(max_size=32),
    assertion=st.binary(max_size=9),
    wish=st.binary(max_size=9),
    via=st.just(b"") | st.binary(min_size=8, max_size=8),
)
def test_whom_it_was_for_by_what_and_what_staff_signed_read_back(
    behalf: str, assertion: bytes, wish: bytes, via: bytes
):
    plaintext = act_plaintext(
        *("appointments", "booked", 3, NOON_MS, "clerk", "ab" * 16, b"k" * 32, {}),
        behalf=behalf,
        assertion=assertion,
        wish=wish,
        via=via,
    )
    act = parse_act(plaintext, 7)
    assert (act.actor.behalf, act.assertion, act.wish, act.via) == (behalf, assertion, wish, via)
    assert decode(plaintext).keys() >= {"act", "by"}
    assert ("for" in decode(plaintext)) == bool(behalf)


@pytest.mark.parametrize(
    "change",
    [
        {"role": "king"},
        {"for": b"bytes"},
        {"signed": "text"},
        {"wish": None},
        {"via": "text of 8"},
        {"via": b"short"},
        {"via": b""},
        {"role": []},
        {"at": "noon"},
        {"at": True},
        {"v": None},
        {"command": b"short"},
        {"data": []},
        {"by": b"bytes"},
        {"more": 1},
    ],
)
def test_an_act_with_a_wrong_field_is_refused(change: dict):
    fields = decode(booked(1)) | change
    with pytest.raises(EntryInvalid):
        parse_act(encode(fields), 0)


def test_the_same_act_sealed_twice_looks_unlike():
    first, second = (TOWER.sealer.seal(booked(1)) for _ in range(2))
    assert parse_entry(first).commitment != parse_entry(second).commitment
    again = Sealer(TOWER.origin, TOWER.journal_key, SeededEntropy(7))
    same = Sealer(TOWER.origin, TOWER.journal_key, SeededEntropy(7))
    assert again.seal(booked(1)) == same.seal(booked(1))

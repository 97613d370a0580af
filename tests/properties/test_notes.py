"""Signed notes and keys: what is written reads back, and what is not a note is refused by type."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.signers import MadeUpTower
from kulla.journal.errors import JournalError, NoteInvalid, SignatureInvalid
from kulla.journal.notes import (
    SIGNATURES_MAX,
    Note,
    NoteSignature,
    SigningKey,
    VerifierKey,
    decode_base64,
    encode_base64,
    open_note,
    parse_note,
    parse_signature_line,
    parse_signature_lines,
    verified_keys,
)

TOWER = MadeUpTower()

# The examples of the specification itself (C2SP signed-note).
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = (
    "This is an example message.\n\n"
    "\N{EM DASH} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjO"
    "BH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
POEM = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\n"
    "ed è subito sera.\n\n"
    "\N{EM DASH} quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9o"
    "JKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
)

# Any text that a note may hold: whole lines, no control characters, no surrogates.
lines = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)
texts = st.lists(lines, min_size=1, max_size=6).map(lambda parts: "".join(f"{p}\n" for p in parts))
names = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="+"),
    min_size=1,
    max_size=20,
)
signatures = st.builds(
    NoteSignature, names, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=80)
)
notes = st.builds(Note, texts, st.lists(signatures, min_size=1, max_size=20).map(tuple))
keys = st.builds(SigningKey, names, st.sampled_from([1, 4]), st.binary(min_size=32, max_size=32))


def test_the_example_of_the_specification_verifies():
    key = VerifierKey.parse(EXAMPLE_KEY)
    assert key.text() == EXAMPLE_KEY
    assert open_note(parse_note(EXAMPLE_NOTE), [key]) == [key]
    assert parse_note(EXAMPLE_NOTE.encode()).render() == EXAMPLE_NOTE.encode()


def test_the_last_empty_line_ends_the_text():
    note = parse_note(POEM)
    assert note.text.endswith("sole:\n\ned è subito sera.\n")
    assert [signature.name for signature in note.signatures] == ["quasimodo.example/salvatore"]


@given(notes)
def test_a_note_reads_back(note: Note):
    assert parse_note(note.render()) == note


@given(keys, texts)
def test_what_a_key_signed_it_verifies_and_no_other_text(key: SigningKey, text: str):
    if key.kind == 1:
        signature = key.sign_note(text)
        with pytest.raises(NoteInvalid):
            key.sign_cosignature(text, 1)
    else:
        signature = key.sign_cosignature(text, 1_700_000_000)
        with pytest.raises(NoteInvalid):
            key.sign_note(text)
    note = parse_note(Note(text, (signature,)).render())
    assert open_note(note, [key.verifier]) == [key.verifier]
    with pytest.raises(SignatureInvalid):
        open_note(Note("x" + text, note.signatures), [key.verifier])


@given(keys)
def test_keys_read_back_and_show_no_secret(key: SigningKey):
    assert VerifierKey.parse(key.verifier.text()) == key.verifier
    again = SigningKey.parse(key.secret_text() + "\n")
    assert again.verifier == key.verifier
    assert encode_base64(key._seed)[:20] not in repr(key)
    key.verifier.verifies("x\n", bytes(72))  # so that the cached key object is there
    assert pickle.loads(pickle.dumps(key.verifier)) == copy.deepcopy(key.verifier) == key.verifier


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8")))
def test_random_bytes_are_refused_by_type(data: bytes):
    for start in (b"", EXAMPLE_NOTE.encode()[:-40], b"text\n\n\xe2\x80\x94 "):
        with pytest.raises(NoteInvalid):
            parse_note(start + data)
    text = data.decode("utf-8", "surrogateescape")
    for parse in (VerifierKey.parse, SigningKey.parse, parse_signature_line):
        with pytest.raises(NoteInvalid):
            parse(text)


def test_every_cut_and_every_changed_byte_of_a_note_is_refused():
    key, whole = VerifierKey.parse(EXAMPLE_KEY), EXAMPLE_NOTE.encode()
    for end in range(len(whole)):
        with pytest.raises(JournalError):
            open_note(parse_note(whole[:end]), [key])
    for at in range(len(whole)):
        for flip in (0x01, 0x20, 0x80):
            changed = whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :]
            with pytest.raises(JournalError):
                open_note(parse_note(changed), [key])


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"one\ntwo\x00\n\n\xe2\x80\x94 a AAAAAAAA\n", "line 2"),
        (b"one\r\n\n\xe2\x80\x94 a AAAAAAAA\n", "line 1"),
        (b"tab\there\n\n\xe2\x80\x94 a AAAAAAAA\n", "line 1"),
        (b"one\n\xff\n\n\xe2\x80\x94 a AAAAAAAA\n", "line 2"),
        (b"one\n\n\xe2\x80\x94 a AAAAAAAA\n- b AAAAAAAA\n", "line 4"),
        (b"one\n\n\xe2\x80\x94 a\xc2\xa0b AAAAAAAA\n", "line 3"),
        (b"one\n\n\xe2\x80\x94 a\xe2\x80\xa8b AAAAAAAA\n", "line 3"),
        (b"one\n\n\xe2\x80\x94 a+b AAAAAAAA\n", "line 3"),
        (b"one\n\n\xe2\x80\x94  AAAAAAAA\n", "line 3"),
        (b"one\n\n\xe2\x80\x94 a AAAAAAA\n", "line 3"),
        (b"one\n\n\xe2\x80\x94 a AAAAAAB=\n", "line 3"),
        (b"one\n\n\xe2\x80\x94 a AAAAAA==\n", "line 3"),
        (b"one\n\n\xe2\x80\x94 a AAAA AAAA\n", "line 3"),
        (b"one\n\n\xe2\x80\x94 a AAAAA-AA\n", "line 3"),
        (b"one\n\n\xe2\x80\x94 a AAAAAAAA", ""),
        (b"one\n\n", ""),
        (b"one\n", ""),
        (b"", ""),
    ],
)
def test_a_malformed_note_is_refused_at_its_line(data: bytes, place: str):
    with pytest.raises(NoteInvalid) as refused:
        parse_note(data, place="checkpoint")
    assert refused.value.place == (f"checkpoint, {place}" if place else "checkpoint")


def test_sixteen_signatures_and_more_are_read_and_a_flood_is_not():
    line = "\N{EM DASH} a.example AAAAAAAA\n"
    assert len(parse_note("text\n\n" + line * SIGNATURES_MAX).signatures) == SIGNATURES_MAX >= 16
    assert len(parse_signature_lines(line * 16)) == 16
    with pytest.raises(NoteInvalid):
        parse_note("text\n\n" + line * (SIGNATURES_MAX + 1))
    with pytest.raises(NoteInvalid):
        parse_note("x" * 600_000 + "\n\n" + line)


def test_unknown_keys_are_skipped_even_with_a_known_name_or_a_known_id():
    key, text = TOWER.key("a.example"), "text\n"
    good = key.sign_note(text)
    other_id = NoteSignature("a.example", b"\0\0\0\0", good.payload)
    other_name = NoteSignature("b.example", good.key_id, bytes(64))
    note = Note(text, (other_id, other_name, good, good))
    assert open_note(note, [key.verifier]) == [key.verifier]
    with pytest.raises(SignatureInvalid):
        open_note(Note(text, (other_id, other_name)), [key.verifier])
    assert verified_keys(Note(text, (other_id,)), [key.verifier]) == []


def test_one_bad_signature_of_a_known_key_rejects_the_whole_note():
    a, b, text = TOWER.key("a.example"), TOWER.key("b.example"), "text\n"
    bad = NoteSignature("b.example", b.verifier.key_id, bytes(64))
    note = Note(text, (a.sign_note(text), bad))
    assert open_note(note, [a.verifier]) == [a.verifier]
    with pytest.raises(SignatureInvalid, match=r"b\.example"):
        open_note(note, [a.verifier, b.verifier])
    again = Note(text, (b.sign_note(text), bad))
    with pytest.raises(SignatureInvalid):
        open_note(again, [b.verifier])


def test_a_key_of_a_kind_that_cannot_be_checked_counts_as_unknown():
    later = VerifierKey("pq.example", 6, bytes(1312))
    assert VerifierKey.parse(later.text()) == later
    note = Note("text\n", (NoteSignature("pq.example", later.key_id, bytes(2428)),))
    assert verified_keys(note, [later]) == []


@pytest.mark.parametrize(
    "text",
    [
        EXAMPLE_KEY.replace("530d", "530D"),
        EXAMPLE_KEY.replace("530d", "530e"),
        EXAMPLE_KEY.replace("foo", "bar"),
        EXAMPLE_KEY[:-4],
        EXAMPLE_KEY + "\n",
        "example.com/foo+530d903a",
        "example.com/foo+530d903a+",
        "a b" + EXAMPLE_KEY,
        "",
    ],
)
def test_a_damaged_key_is_refused(text: str):
    with pytest.raises(NoteInvalid):
        VerifierKey.parse(text, place="policy, line 3")


@given(st.binary(max_size=40), st.text("AB/+=\n -_", max_size=9))
def test_base64_has_one_spelling(data: bytes, text: str):
    assert decode_base64(encode_base64(data)) == data
    for other in (encode_base64(data) + text, text):
        try:
            assert encode_base64(decode_base64(other)) == other
        except NoteInvalid:
            continue


@pytest.mark.parametrize(
    "text", ["AAAAAAB=", "AAA", "AA==\n", " AAAA", "AAAA=", "AA=A", "AA-_", "A A="]
)
def test_other_spellings_of_base64_are_refused(text: str):
    with pytest.raises(NoteInvalid):
        decode_base64(text)

"""Checkpoints and cosignatures: one spelling, one log, and times that are signed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.signers import NOON_S, MadeUpTower
from kulla.journal.checkpoints import (
    Checkpoint,
    add_signatures,
    cosign,
    cosignature_time_s,
    parse_checkpoint,
    sign_checkpoint,
    verified_cosigners,
    verify_signed,
)
from kulla.journal.errors import CheckpointInvalid, JournalError, NoteInvalid, SignatureInvalid
from kulla.journal.notes import Note, NoteSignature, cosignature_message, parse_note

TOWER = MadeUpTower()
ROOT = bytes(range(32))
ROOT_TEXT = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

line = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)
checkpoints = st.builds(
    Checkpoint,
    line,
    st.integers(0, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
    st.lists(line, max_size=3).map(tuple),
)


@given(checkpoints)
def test_a_checkpoint_reads_back(checkpoint: Checkpoint):
    text = checkpoint.text()
    assert parse_checkpoint(text) == checkpoint
    assert parse_checkpoint(text).text() == text


@given(st.text(max_size=120))
def test_random_text_is_refused_by_type(text: str):
    for start in ("", "log.example\n", "log.example\n12\n"):
        with pytest.raises(CheckpointInvalid):
            parse_checkpoint(start + text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"log\n012\n{ROOT_TEXT}\n", "c, line 2"),
        (f"log\n-1\n{ROOT_TEXT}\n", "c, line 2"),
        (f"log\n+1\n{ROOT_TEXT}\n", "c, line 2"),
        (f"log\n1_0\n{ROOT_TEXT}\n", "c, line 2"),
        (f"log\n١\n{ROOT_TEXT}\n", "c, line 2"),
        (f"log\n²\n{ROOT_TEXT}\n", "c, line 2"),
        (f"log\n 1\n{ROOT_TEXT}\n", "c, line 2"),
        (f"log\n{2**63}\n{ROOT_TEXT}\n", "c, line 2"),
        (f"log\n{'9' * 5000}\n{ROOT_TEXT}\n", "c, line 2"),
        (f"log\n1\n{ROOT_TEXT[:-4]}\n", "c, line 3"),
        (f"log\n1\n{ROOT_TEXT[:-2]}9=\n", "c, line 3"),
        (f"log\n1\n{ROOT_TEXT}\n\nmore\n", "c, line 4"),
        (f"\n1\n{ROOT_TEXT}\n", "c, line 1"),
        ("log\n1\n", "c"),
        (f"log\n1\n{ROOT_TEXT}", "c"),
    ],
)
def test_a_malformed_checkpoint_is_refused_at_its_line(text: str, place: str):
    with pytest.raises(CheckpointInvalid) as refused:
        parse_checkpoint(text, place="c")
    assert refused.value.place == place


def test_a_log_signs_its_own_checkpoints_alone():
    note = sign_checkpoint(Checkpoint(TOWER.origin, 7, ROOT), TOWER.log_key)
    assert verify_signed(note, TOWER.log_key.verifier) == Checkpoint(TOWER.origin, 7, ROOT)
    with pytest.raises(CheckpointInvalid):
        sign_checkpoint(Checkpoint("other.example", 7, ROOT), TOWER.log_key)
    with pytest.raises(CheckpointInvalid):
        sign_checkpoint(Checkpoint(TOWER.origin, 7, b"short"), TOWER.log_key)
    with pytest.raises(CheckpointInvalid):
        verify_signed(note, TOWER.key("other.example").verifier)
    stranger = MadeUpTower(seed=2)
    with pytest.raises(SignatureInvalid):
        verify_signed(note, stranger.log_key.verifier)
    with pytest.raises(NoteInvalid):
        verify_signed(note[:-1], TOWER.log_key.verifier)


def test_extension_lines_are_signed_with_the_rest():
    checkpoint = Checkpoint(TOWER.origin, 7, ROOT, ("more", "lines"))
    note = sign_checkpoint(checkpoint, TOWER.log_key)
    assert verify_signed(note, TOWER.log_key.verifier) == checkpoint
    cut = note.replace(b"lines\n", b"")
    with pytest.raises(SignatureInvalid):
        verify_signed(cut, TOWER.log_key.verifier)


def test_cosignatures_name_who_and_when():
    note = TOWER.checkpoint_note(7, ROOT, ["embassy-1", "embassy-3"])
    keys = [key.verifier for key in TOWER.mirror_keys.values()]
    assert verified_cosigners(note, keys) == [keys[0], keys[2]]
    assert verified_cosigners(note, keys[1:2]) == []
    times = [cosignature_time_s(line) for line in parse_note(note).signatures[1:]]
    assert times == [NOON_S, NOON_S + 1]


def test_a_log_key_never_counts_as_a_cosigner():
    note = TOWER.checkpoint_note(7, ROOT, [])
    assert verified_cosigners(note, [TOWER.log_key.verifier]) == []


@pytest.mark.parametrize("at", range(72))
def test_any_changed_byte_of_a_cosignature_is_noticed(at: int):
    checkpoint, key = Checkpoint(TOWER.origin, 7, ROOT), TOWER.mirror_keys["embassy-1"]
    good = cosign(checkpoint, key, NOON_S)
    payload = bytearray(good.payload)
    payload[at] ^= 1
    bad = NoteSignature(good.name, good.key_id, bytes(payload))
    with pytest.raises(SignatureInvalid):
        verified_cosigners(Note(checkpoint.text(), (bad,)), [key.verifier])


def test_a_cosignature_of_another_checkpoint_does_not_count():
    key = TOWER.mirror_keys["embassy-1"]
    of_six = cosign(Checkpoint(TOWER.origin, 6, ROOT), key, NOON_S)
    with pytest.raises(SignatureInvalid):
        verified_cosigners(
            Note(Checkpoint(TOWER.origin, 7, ROOT).text(), (of_six,)), [key.verifier]
        )


def test_a_time_that_does_not_fit_is_refused():
    key, checkpoint = TOWER.mirror_keys["embassy-1"], Checkpoint(TOWER.origin, 7, ROOT)
    for at_s in (-1, 2**63):
        with pytest.raises(NoteInvalid):
            cosign(checkpoint, key, at_s)
    with pytest.raises(NoteInvalid):
        cosignature_time_s(TOWER.log_key.sign_note(checkpoint.text()))


def test_a_signed_time_beyond_63_bits_does_not_verify():
    """As tlog-cosignature says, though the signature itself is by the right key."""
    key, text = TOWER.mirror_keys["embassy-1"], Checkpoint(TOWER.origin, 7, ROOT).text()
    for at_s, good in ((2**63 - 1, True), (2**63, False)):
        signature = key._secret.sign(cosignature_message(at_s, text))
        assert key.verifier.verifies(text, at_s.to_bytes(8, "big") + signature) == good


def test_a_newer_signature_of_the_same_key_replaces_the_older():
    key, checkpoint = TOWER.mirror_keys["embassy-1"], Checkpoint(TOWER.origin, 7, ROOT)
    note = TOWER.checkpoint_note(7, ROOT, ["embassy-1"])
    later = add_signatures(note, [cosign(checkpoint, key, NOON_S + 60)])
    assert [cosignature_time_s(s) for s in parse_note(later).signatures[1:]] == [NOON_S + 60]
    assert parse_note(later).text == parse_note(note).text
    assert add_signatures(note, []) == note


def test_every_cut_of_a_cosigned_checkpoint_is_refused_or_lacks_the_cosigner():
    note, key = TOWER.checkpoint_note(7, ROOT, ["embassy-1"]), TOWER.mirror_keys["embassy-1"]
    for end in range(len(note)):
        try:
            assert verified_cosigners(note[:end], [key.verifier]) == []
        except JournalError:
            continue

"""What custodians sign for an undo: one spelling, bound to its parts, and nothing else counts."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.signers import MadeUpTower
from kulla.journal.annulment import (
    Annulment,
    CaseAct,
    Item,
    RestingAct,
    RowChange,
    UndoneAct,
    digest_of,
    hash_of,
    items_of,
    merged,
    parse_annulment,
    parts_of,
    sign_annulment,
    verify_annulment,
)
from kulla.journal.errors import AnnulmentInvalid, JournalError, PolicyMissing
from kulla.kernel.canonical import encode
from kulla.kernel.errors import KullaError

TOWER = MadeUpTower()
ARTA, BESA, DRITA = TOWER.custodian_keys.values()

cells = st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=9) | st.binary(max_size=9)
rows = st.dictionaries(st.text(min_size=1, max_size=5), cells, min_size=1, max_size=4)
at = st.integers(0, 2**40)
rests = st.lists(at, max_size=3).map(tuple)
text = st.text(max_size=9)
items = st.lists(
    st.builds(UndoneAct, at, st.binary(min_size=32, max_size=32))
    | st.builds(CaseAct, at, st.binary(max_size=32), text, text, at, text, text, rests)
    | st.builds(RestingAct, at, text, text, rests)
    | st.builds(RowChange, text, cells, rows, st.none() | rows, at)
    | st.builds(RowChange, text, cells, st.none(), rows, at),
    max_size=8,
)


def _stated(parts: list[bytes], **more: object) -> Annulment:
    stated = Annulment(
        tower="kulla.example",
        policy=1,
        log=TOWER.origin,
        size=9,
        root=hashlib.sha256(b"root").digest(),
        position=9,
        undone=2,
        cases=1,
        resting=0,
        rows=4,
        parts=len(parts),
        digest=digest_of([hash_of(part) for part in parts]),
        selected="session=0011223344556677",
        reason="a stolen session",
    )
    return replace(stated, **more)  # type: ignore[arg-type]


PARTS = parts_of([UndoneAct(3, b"c" * 32), UndoneAct(5, b"d" * 32)])
HASHES = [hash_of(part) for part in PARTS]
NOTE = sign_annulment(_stated(PARTS), [ARTA, BESA])


@given(items)
def test_the_items_of_a_plan_come_back_as_they_went(some: list[Item]) -> None:
    parts = parts_of(some)
    assert [item for part in parts for item in items_of(part)] == some


def test_many_items_make_several_parts_and_too_large_a_row_none() -> None:
    wide: list[Item] = [RowChange("t", n, None, {"k": n, "v": b"x" * 9000}, 1) for n in range(12)]
    parts = parts_of(wide)
    assert len(parts) == 3
    assert max(map(len, parts)) < 57_000
    with pytest.raises(AnnulmentInvalid, match="does not fit"):
        parts_of([RowChange("t", 1, None, {"k": 1, "v": b"x" * 60_000}, 1)])


@given(st.binary(max_size=99))
def test_random_bytes_are_no_part(data: bytes) -> None:
    for part in (b"\xff" + data, encode([data]), encode([["row", "t", 1, None, None, 1]])):
        with pytest.raises(AnnulmentInvalid):
            items_of(part)


def test_enough_custodians_together_undo_whoever_signed_first() -> None:
    stated = _stated(PARTS)
    assert verify_annulment(NOTE, HASHES, [TOWER.policy]) == stated
    apart = [sign_annulment(stated, [key]) for key in (DRITA, ARTA, DRITA)]
    assert verify_annulment(merged(apart), HASHES, [TOWER.policy]) == stated
    one_after_the_other = sign_annulment(sign_annulment(stated, [BESA]), [DRITA])
    assert verify_annulment(one_after_the_other, HASHES, [TOWER.policy]) == stated


def test_too_few_or_strangers_undo_nothing() -> None:
    stated = _stated(PARTS)
    for keys in ([], [ARTA], [ARTA, TOWER.log_key], [TOWER.key("a.example"), TOWER.key("b")]):
        note = sign_annulment(stated, keys) if keys else b"no note"
        with pytest.raises(AnnulmentInvalid):
            verify_annulment(note, HASHES, [TOWER.policy])


def test_only_the_parts_that_were_signed_count() -> None:
    other = [hash_of(part) for part in parts_of([UndoneAct(4, b"c" * 32)])]
    for hashes in (other, [*HASHES, *other], []):
        with pytest.raises(AnnulmentInvalid, match="not the parts"):
            verify_annulment(NOTE, hashes, [TOWER.policy])


def test_another_tower_and_another_version_are_told_apart() -> None:
    stranger = sign_annulment(_stated(PARTS, tower="other.example"), [ARTA, BESA])
    with pytest.raises(AnnulmentInvalid, match="is of 'other"):
        verify_annulment(stranger, HASHES, [TOWER.policy])
    later = sign_annulment(_stated(PARTS, policy=7), [ARTA, BESA])
    assert verify_annulment(later, HASHES, [TOWER.policy]).policy == 7, "the same custodians"
    by_others = sign_annulment(_stated(PARTS, policy=7), [TOWER.key("new.example")])
    with pytest.raises(PolicyMissing, match="version 7"):
        verify_annulment(by_others, HASHES, [TOWER.policy])
    with pytest.raises(PolicyMissing):
        verify_annulment(by_others, HASHES, [])


def test_signatures_of_two_plans_do_not_add_up() -> None:
    one = sign_annulment(_stated(PARTS), [ARTA])
    other = sign_annulment(_stated(PARTS, reason="another"), [BESA])
    with pytest.raises(AnnulmentInvalid, match="one plan"):
        merged([one, other])
    with pytest.raises(AnnulmentInvalid):
        merged([])


@pytest.mark.parametrize("reason", ["", "two\nlines", "x" * 501])
def test_a_reason_is_one_line(reason: str) -> None:
    with pytest.raises(JournalError):
        sign_annulment(_stated(PARTS, reason=reason), [ARTA])


@given(cut=st.integers(0, len(NOTE) - 1), flip=st.integers(0, 7))
def test_a_damaged_statement_never_counts(cut: int, flip: int) -> None:
    changed = bytearray(NOTE)
    changed[cut] ^= 1 << flip
    for damaged in (bytes(changed), NOTE[:cut]):
        with pytest.raises(KullaError):
            verify_annulment(damaged, HASHES, [TOWER.policy])


def test_no_other_statement_of_custodians_is_one() -> None:
    for note in (TOWER.policy.render(), b""):
        with pytest.raises(AnnulmentInvalid):
            parse_annulment(note)

"""At the scribe's door whole commands come through; anything else is named and refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kulla.kernel.canonical import encode
from kulla.kernel.errors import KullaError
from kulla.kernel.service import Actor, Command
from kulla.kernel.tower import Answer
from kulla.scribe.wire import (
    MalformedAsk,
    answer_map,
    command_map,
    parse_answer,
    parse_command,
    parse_map,
)

GOOD = Command(
    "appointments", "book", b"i" * 16, Actor("citizen", "a" * 32), {"slot": "x"}, via=b"v" * 8
)


def test_a_command_and_its_answer_come_back_as_they_went() -> None:
    assert parse_command(parse_map(encode(command_map(GOOD)))) == GOOD
    answer = Answer("refused", (), "slot-taken", {"slot": "x"})
    assert parse_answer(parse_map(encode(answer_map(answer)))) == answer


KINDS = {
    "service": str,
    "name": str,
    "id": bytes,
    "role": str,
    "subject": str,
    "data": dict,
    "names": list,
    "via": bytes,
}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (field, value)
        for field, kind in KINDS.items()
        for value in (None, 7, [], "no", {}, b"")
        if not isinstance(value, kind)
    ],
)
def test_a_field_of_the_wrong_kind_is_named(field: str, value: object) -> None:
    with pytest.raises(MalformedAsk) as caught:
        parse_command({**command_map(GOOD), field: value})
    assert caught.value.place == field


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", b"short"),
        ("role", "king"),
        ("names", [b"short"]),
        ("names", [b"n" * 32] * 601),
        ("via", b"v" * 7),
    ],
)
def test_a_value_out_of_its_bounds_is_named(field: str, value: object) -> None:
    with pytest.raises(MalformedAsk) as caught:
        parse_command({**command_map(GOOD), field: value})
    assert caught.value.place == field


@given(frame=st.binary(max_size=200))
def test_random_bytes_raise_typed_errors_only(frame: bytes) -> None:
    try:
        parse_command(parse_map(frame))
    except KullaError:
        return


@given(cut=st.integers(0, 80), flip=st.integers(0, 7))
def test_a_damaged_command_raises_typed_errors_only(cut: int, flip: int) -> None:
    frame = bytearray(encode(command_map(GOOD)))
    frame[cut] ^= 1 << flip
    for damaged in (bytes(frame), bytes(frame[:cut])):
        try:
            parse_command(parse_map(damaged))
        except KullaError:
            continue


def test_the_key_of_a_command_is_of_this_person_and_this_wish_alone() -> None:
    others = [
        Command("appointments", "book", b"i" * 16, Actor("citizen", "b" * 32), {"slot": "x"}),
        Command("appointments", "book", b"i" * 16, Actor("clerk", "a" * 32), {"slot": "x"}),
        Command("appointments", "book", b"j" * 16, Actor("citizen", "a" * 32), {"slot": "x"}),
        Command("appointments", "book", b"i" * 16, Actor("citizen", "a" * 32), {"slot": "y"}),
        Command("appointments", "cancel", b"i" * 16, Actor("citizen", "a" * 32), {"slot": "x"}),
        Command("bills", "book", b"i" * 16, Actor("citizen", "a" * 32), {"slot": "x"}),
        Command(
            "appointments",
            "book",
            b"i" * 16,
            Actor("citizen", "a" * 32),
            {"slot": "x"},
            (b"n" * 32,),
        ),
    ]
    assert len({each.key() for each in (GOOD, *others)}) == 8
    assert GOOD.key() == Command(*[getattr(GOOD, name) for name in Command.__slots__]).key()

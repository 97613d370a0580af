"""What every Keeper promises: the one in this process, and the one behind its socket."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from kulla.keeper import errors, folder
from kulla.keeper.client import KeeperClient
from kulla.keeper.local import LocalKeeper
from kulla.keeper.port import ENROL_MAX, FIELDS_MAX, NAMES_MAX, Keeper
from kulla.keeper.process import KeeperProcess
from kulla.keeper.sealing import VALUE_MAX_BYTES
from kulla.keeper.wrapping import new_recovery_key
from kulla.kernel.edges import SystemClock, SystemEntropy

PRIVATE, PUBLIC = new_recovery_key(SystemEntropy())
WHY = ("appointments", "portal", "a test looks")

INDEX_KEY = bytes(range(32))


class Home(NamedTuple):
    """A keeper and its folder."""

    keeper: Keeper
    folder: Path


@contextmanager
def in_process(place: Path) -> Iterator[Keeper]:
    keeper = LocalKeeper(place, SystemClock(), SystemEntropy())
    yield keeper
    keeper.close()


@contextmanager
def over_ipc(place: Path) -> Iterator[Keeper]:
    run_folder = place.parent / f"run-{place.name}"
    run_folder.mkdir(mode=0o700)
    keeper = LocalKeeper(place, SystemClock(), SystemEntropy())
    process = KeeperProcess(keeper, run_folder)
    thread = threading.Thread(target=process.run)
    thread.start()
    yield KeeperClient(run_folder)
    process.stop()
    thread.join(5)
    assert not thread.is_alive()
    keeper.close()


IMPLEMENTATIONS = {"in process": in_process, "over ipc": over_ipc}


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def opening(request: pytest.FixtureRequest) -> object:
    return IMPLEMENTATIONS[request.param]


@pytest.fixture
def home(opening, tmp_path: Path) -> Iterator[Home]:
    folder.init(tmp_path / "keeper", PUBLIC, INDEX_KEY, SystemEntropy())
    with opening(tmp_path / "keeper") as keeper:
        yield Home(keeper, tmp_path / "keeper")


def openings(home: Home) -> list[dict[str, object]]:
    return [json.loads(line) for line in (home.folder / folder.OPENINGS).read_text().splitlines()]


def test_new_subjects_differ_and_their_blobs_are_named_by_hash(home: Home) -> None:
    made = home.keeper.enrol(3)
    assert len({each.subject for each in made}) == 3
    for subject, name, blob in made:
        assert len(subject) == 32
        assert bytes.fromhex(subject)
        assert name == hashlib.sha256(blob).digest()


@pytest.mark.parametrize("count", [0, -1, ENROL_MAX + 1, 2**63])
def test_only_so_many_are_made_at_once(home: Home, count: int) -> None:
    with pytest.raises(errors.AskMalformed):
        home.keeper.enrol(count)


def test_what_was_sealed_opens_again(home: Home) -> None:
    [(subject, _, _)] = home.keeper.enrol(1)
    fields = {"reason": "dhimbje koke, që prej së hënës", "contact": "", "note": "x" * 4095}
    sealed = home.keeper.seal(subject, fields, "appointments")
    assert set(sealed) == set(fields)
    assert home.keeper.open(subject, sealed, *WHY) == fields
    part = {"contact": sealed["contact"]}
    assert home.keeper.open(subject, part, *WHY) == {"contact": ""}
    assert home.keeper.seal(subject, {}, "appointments") == {}


def test_a_value_sealed_twice_looks_different_and_of_one_length(home: Home) -> None:
    [(subject, _, _)] = home.keeper.enrol(1)
    seals = [
        home.keeper.seal(subject, {"name": name}, "citizens")["name"]
        for name in ("Ana", "Ana", "Përparim Gjergj Kastrioti i Krujës")
    ]
    assert len(set(seals)) == 3
    assert len({len(sealed) for sealed in seals}) == 1


def test_a_form_that_is_posted_again_is_sealed_to_the_same_bytes(home: Home) -> None:
    [(subject, _, _), (other, _, _)] = home.keeper.enrol(2)
    fields = {"reason": "gju", "contact": "gju"}
    sealed = home.keeper.seal(subject, fields, "appointments", b"command 1")
    assert home.keeper.seal(subject, fields, "appointments", b"command 1") == sealed
    assert home.keeper.open(subject, sealed, *WHY) == fields
    others = [
        home.keeper.seal(subject, fields, "appointments", b"command 2"),
        home.keeper.seal(other, fields, "appointments", b"command 1"),
        home.keeper.seal(subject, {"reason": "sy", "contact": "sy"}, "appointments", b"command 1"),
    ]
    seen = [value[1:13] for each in (sealed, *others) for value in each.values()]
    assert len(set(seen)) == len(seen)


def test_a_field_opens_for_its_subject_purpose_and_name_only(home: Home) -> None:
    (ana, _, _), (ben, _, _) = home.keeper.enrol(2)
    sealed = home.keeper.seal(ana, {"reason": "knee"}, "appointments")
    with pytest.raises(errors.SealBroken):
        home.keeper.open(ben, sealed, *WHY)
    with pytest.raises(errors.SealBroken):
        home.keeper.open(ana, sealed, "bills", *WHY[1:])
    with pytest.raises(errors.SealBroken) as caught:
        home.keeper.open(ana, {"contact": sealed["reason"]}, *WHY)
    assert caught.value.place == "contact"
    assert home.keeper.open(ana, sealed, *WHY) == {"reason": "knee"}


def test_one_broken_field_opens_nothing(home: Home) -> None:
    [(subject, _, _)] = home.keeper.enrol(1)
    sealed = home.keeper.seal(subject, {"reason": "knee", "contact": "069"}, "appointments")
    with pytest.raises(errors.SealBroken):
        home.keeper.open(subject, sealed | {"contact": sealed["contact"][:-1]}, *WHY)
    assert openings(home) == []


def test_an_unknown_subject_is_said_to_be_unknown(home: Home) -> None:
    for subject in ("0" * 32, "", "x\x00y"):
        with pytest.raises(errors.UnknownSubject):
            home.keeper.seal(subject, {"reason": "knee"}, "appointments")
        with pytest.raises(errors.UnknownSubject):
            home.keeper.open(subject, {"reason": b""}, *WHY)


def test_each_opening_is_logged_without_the_value(home: Home) -> None:
    [(subject, _, _)] = home.keeper.enrol(1)
    sealed = home.keeper.seal(subject, {"reason": "knee", "contact": "069 20"}, "appointments")
    before_ms = SystemClock().now_ms()
    home.keeper.open(subject, sealed, "appointments", "clerk 7", "the person stands at the desk")
    [line] = openings(home)
    assert before_ms <= int(str(line.pop("at_ms"))) <= SystemClock().now_ms()
    assert line == {
        "subject": subject,
        "purpose": "appointments",
        "asker": "clerk 7",
        "reason": "the person stands at the desk",
        "fields": ["contact", "reason"],
    }


@pytest.mark.parametrize(("asker", "reason"), [("", "why"), ("who", ""), ("who", "w" * 201)])
def test_an_opening_says_who_and_why(home: Home, asker: str, reason: str) -> None:
    [(subject, _, _)] = home.keeper.enrol(1)
    sealed = home.keeper.seal(subject, {"reason": "knee"}, "appointments")
    with pytest.raises(errors.AskMalformed):
        home.keeper.open(subject, sealed, "appointments", asker, reason)
    assert openings(home) == []


def test_too_much_is_refused(home: Home) -> None:
    [(subject, _, _)] = home.keeper.enrol(1)
    with pytest.raises(errors.ValueTooLong) as caught:
        home.keeper.seal(subject, {"reason": "ë" * (VALUE_MAX_BYTES // 2 + 1)}, "appointments")
    assert caught.value.place == "reason"
    assert "ë" not in str(caught.value)
    many = {str(number): "" for number in range(FIELDS_MAX + 1)}
    with pytest.raises(errors.AskMalformed):
        home.keeper.seal(subject, many, "appointments")
    with pytest.raises(errors.AskMalformed):
        home.keeper.wrapped([b"n" * 32] * (NAMES_MAX + 1))
    with pytest.raises(errors.AskMalformed):
        home.keeper.seal(subject, {"reason": "\ud800"}, "appointments")


def test_blobs_are_given_by_name(home: Home) -> None:
    made = home.keeper.enrol(3)
    names = [each.name for each in made]
    assert home.keeper.wrapped(names[:2]) == {each.name: each.blob for each in made[:2]}
    assert home.keeper.wrapped([b"\0" * 32, names[2]]) == {names[2]: made[2].blob}
    assert home.keeper.wrapped([]) == {}


def test_a_new_home_opens_what_the_old_one_sealed(home: Home, opening, tmp_path: Path) -> None:
    made = home.keeper.enrol(5)
    sealed = [
        home.keeper.seal(each.subject, {"name": str(number)}, "citizens")
        for number, each in enumerate(made)
    ]
    folder.init(tmp_path / "new", PUBLIC, INDEX_KEY, SystemEntropy())
    with opening(tmp_path / "new") as keeper:
        with pytest.raises(errors.UnknownSubject):
            keeper.open(made[0].subject, sealed[0], *WHY)
        blobs = [each.blob for each in made]
        assert keeper.adopt(PRIVATE, blobs) == (5, ())
        assert keeper.adopt(PRIVATE, blobs[:2]) == (5, ())
        for number, each in enumerate(made):
            opened = keeper.open(each.subject, sealed[number], "citizens", *WHY[1:])
            assert opened == {"name": str(number)}
        assert keeper.wrapped([made[0].name]) == {made[0].name: made[0].blob}
        assert keeper.seal(made[0].subject, {"name": "x"}, "citizens")


def test_blobs_that_do_not_unwrap_are_named_and_the_others_adopted(
    home: Home, opening, tmp_path: Path
) -> None:
    good, flipped, cut = home.keeper.enrol(3)
    _, elsewhere = new_recovery_key(SystemEntropy())
    folder.init(tmp_path / "other", elsewhere, INDEX_KEY, SystemEntropy())
    with opening(tmp_path / "other") as other:
        [foreign] = other.enrol(1)
    bad = [
        flipped.blob[:-1] + bytes([flipped.blob[-1] ^ 1]),
        cut.blob[:-1],
        foreign.blob,
        b"",
        b"\xff",
    ]
    folder.init(tmp_path / "new", PUBLIC, INDEX_KEY, SystemEntropy())
    with opening(tmp_path / "new") as keeper:
        adopted = keeper.adopt(PRIVATE, [*bad, good.blob])
        assert adopted.subjects == 1
        assert set(adopted.refused) == {hashlib.sha256(blob).digest() for blob in bad}
        assert keeper.seal(good.subject, {"name": "x"}, "citizens")


def test_the_first_blob_of_a_subject_counts(home: Home, opening, tmp_path: Path) -> None:
    """Somebody who knows the public recovery key may offer another key for the same subject."""
    from kulla.keeper.wrapping import RecoveryPublic

    [true] = home.keeper.enrol(1)
    sealed = home.keeper.seal(true.subject, {"name": "Ana"}, "citizens")
    forged = RecoveryPublic(PUBLIC).wrap(true.subject, b"k" * 32)
    for number, blobs in enumerate(([[true.blob, forged]], [[true.blob], [forged]])):
        folder.init(tmp_path / f"new{number}", PUBLIC, INDEX_KEY, SystemEntropy())
        with opening(tmp_path / f"new{number}") as keeper:
            refused = [name for some in blobs for name in keeper.adopt(PRIVATE, some).refused]
            assert refused == [hashlib.sha256(forged).digest()]
            assert keeper.open(true.subject, sealed, "citizens", *WHY[1:]) == {"name": "Ana"}


@pytest.mark.parametrize(
    "private",
    [b"", b"\x01", PRIVATE[:-1], b"\x02" + PRIVATE[1:], PUBLIC],
    ids=["empty", "no key", "cut short", "another suite", "the public half"],
)
def test_what_is_no_recovery_key_is_refused(home: Home, private: bytes) -> None:
    with pytest.raises(errors.RecoveryKeyInvalid):
        home.keeper.adopt(private, [])


def test_many_threads_may_ask_at_once(home: Home) -> None:
    made = home.keeper.enrol(8)
    failures: list[Exception] = []

    def work(number: int) -> None:
        try:
            for turn in range(20):
                fields = {"name": f"{number} {turn}"}
                sealed = home.keeper.seal(made[number].subject, fields, "appointments")
                assert home.keeper.open(made[number].subject, sealed, *WHY) == fields
                if turn % 10 == 0:
                    [(subject, name, blob)] = home.keeper.enrol(1)
                    assert home.keeper.wrapped([name]) == {name: blob}
                    assert home.keeper.seal(subject, fields, "appointments")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert len(openings(home)) == 8 * 20


def test_a_restart_keeps_every_key(opening, tmp_path: Path) -> None:
    place = tmp_path / "keeper"
    folder.init(place, PUBLIC, INDEX_KEY, SystemEntropy())
    with opening(place) as keeper:
        [(subject, name, blob)] = keeper.enrol(1)
        sealed = keeper.seal(subject, {"name": "Ana"}, "citizens")
    place = place.rename(tmp_path / "moved")
    with opening(place) as keeper:
        assert keeper.open(subject, sealed, "citizens", *WHY[1:]) == {"name": "Ana"}
        assert keeper.wrapped([name]) == {name: blob}


def test_a_token_stands_for_one_value_of_one_column(home: Home) -> None:
    token = home.keeper.token("mail", "arta@shembull.example")
    assert len(token) == 32
    assert home.keeper.token("mail", "arta@shembull.example") == token
    assert home.keeper.token("mail", "beni@shembull.example") != token
    assert home.keeper.token("phone", "arta@shembull.example") != token


def test_a_new_home_has_the_same_tokens_and_another_country_has_others(
    home: Home, opening, tmp_path: Path
) -> None:
    token = home.keeper.token("mail", "arta@shembull.example")
    for name, key, same in (("next", INDEX_KEY, True), ("abroad", bytes(32), False)):
        folder.init(tmp_path / name, PUBLIC, key, SystemEntropy())
        with opening(tmp_path / name) as keeper:
            assert (keeper.token("mail", "arta@shembull.example") == token) is same


@pytest.mark.parametrize(("column", "value"), [("", "x"), ("mail", ""), ("mail", "x" * 1001)])
def test_a_token_needs_a_column_and_a_value(home: Home, column: str, value: str) -> None:
    with pytest.raises(errors.KeeperError):
        home.keeper.token(column, value)


def test_an_index_key_has_32_bytes(tmp_path: Path) -> None:
    with pytest.raises(errors.KeeperFolderInvalid, match="32 bytes"):
        folder.init(tmp_path / "short", PUBLIC, b"short", SystemEntropy())

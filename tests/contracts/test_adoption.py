"""A new home's keeper adopts keys beside its work, on demand first, and goes on after a kill."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from kulla.keeper import errors, folder
from kulla.keeper.adoption import LOT, adopt_all
from kulla.keeper.local import LocalKeeper
from kulla.keeper.port import Enrolled
from kulla.keeper.waiting import WAITING, WaitingKeys
from kulla.keeper.wrapping import RecoveryPublic, blob_name, new_recovery_key
from kulla.kernel.edges import SystemClock, SystemEntropy

PRIVATE, PUBLIC = new_recovery_key(SystemEntropy())
INDEX_KEY = bytes(range(32))
COUNT = 2 * LOT + 7


def _keeper(place: Path) -> LocalKeeper:
    if not place.exists():
        folder.init(place, PUBLIC, INDEX_KEY, SystemEntropy())
    return LocalKeeper(place, SystemClock(), SystemEntropy())


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Enrolled, bytes]]:
    """People of the old home, each with their name sealed."""
    keeper = _keeper(tmp_path_factory.mktemp("old") / "keeper")
    made = keeper.enrol(COUNT)
    sealed = [keeper.seal(one.subject, {"name": one.subject[:5]}, "p")["name"] for one in made]
    keeper.close()
    return list(zip(made, sealed, strict=True))


def _wait(place: Path, *named: tuple[bytes, str, bytes]) -> None:
    folder.init(place, PUBLIC, INDEX_KEY, SystemEntropy())
    shelf = WaitingKeys(place / WAITING, create=True)
    shelf.note([(name, subject) for name, subject, _ in named])
    shelf.put({name: blob for name, _, blob in named if blob})
    shelf.close()


def _named(people: list[tuple[Enrolled, bytes]]) -> list[tuple[bytes, str, bytes]]:
    return [(one.name, one.subject, one.blob) for one, _ in people]


def _opens(keeper: LocalKeeper, people: list[tuple[Enrolled, bytes]]) -> None:
    for one, sealed in people:
        assert keeper.open(one.subject, {"name": sealed}, "p", "test", "looks") == {
            "name": one.subject[:5]
        }


def test_a_key_opens_before_it_was_adopted_and_all_are_adopted_in_the_end(
    old: list[tuple[Enrolled, bytes]], tmp_path: Path
) -> None:
    place = tmp_path / "keeper"
    _wait(place, *_named(old))
    folder.let_adopt(place, PRIVATE, SystemEntropy())
    keeper = _keeper(place)
    _opens(keeper, [old[-1], old[0]])
    assert keeper.wrapped([old[-1][0].name]) == {old[-1][0].name: old[-1][0].blob}
    adopt_all(keeper.go_on_adopting, threading.Event(), pause_s=0, after_s=0)
    _opens(keeper, old)
    assert sorted(path.name for path in place.iterdir() if "-" not in path.name) == [
        "index.key",
        "keeper.lock",
        "keeper.sqlite",
        "master.key",
        "openings.log",
        "recovery.pub",
    ]
    assert keeper.wrapped([old[5][0].name]) == {old[5][0].name: old[5][0].blob}
    keeper.close()


@pytest.mark.parametrize("lots", [0, 1, 2])
def test_a_keeper_that_is_killed_goes_on(
    old: list[tuple[Enrolled, bytes]], tmp_path: Path, lots: int
) -> None:
    place = tmp_path / "keeper"
    _wait(place, *_named(old))
    folder.let_adopt(place, PRIVATE, SystemEntropy())
    keeper = _keeper(place)
    for _ in range(lots):
        assert keeper.go_on_adopting()
    keeper.close()
    assert PRIVATE[1:] not in (place / folder.RECOVERY_SEALED).read_bytes()
    keeper = _keeper(place)
    _opens(keeper, [old[3], old[-1]])
    while keeper.go_on_adopting():
        pass
    assert not (place / folder.RECOVERY_SEALED).exists()
    _opens(keeper, old)
    keeper.close()


def test_the_first_true_blob_of_a_subject_counts_on_demand_and_later(
    old: list[tuple[Enrolled, bytes]], tmp_path: Path
) -> None:
    """Forged ones come behind, claim another's blob, or claim nobody's."""
    (ana, sealed), (ben, _) = old[0], old[1]
    forged = RecoveryPublic(PUBLIC).wrap(ana.subject, b"k" * 32)
    nameless = RecoveryPublic(PUBLIC).wrap(ana.subject, b"n" * 32)
    wrong = RecoveryPublic(PUBLIC).wrap(ben.subject, b"w" * 32)
    blobs = [
        (blob_name(nameless), "", nameless),
        (blob_name(wrong), ana.subject, wrong),
        (blob_name(b"no blob"), ana.subject, b"no blob"),
        (ana.name, ana.subject, ana.blob),
        (blob_name(forged), ana.subject, forged),
    ]
    for number, on_demand in enumerate((True, False)):
        place = tmp_path / str(number)
        _wait(place, *blobs)
        folder.let_adopt(place, PRIVATE, SystemEntropy())
        keeper = _keeper(place)
        if on_demand:
            _opens(keeper, [(ana, sealed)])
        while keeper.go_on_adopting():
            pass
        _opens(keeper, [(ana, sealed)])
        with pytest.raises(errors.UnknownSubject):
            keeper.seal(ben.subject, {"name": "x"}, "p")
        keeper.close()


def test_a_blob_of_which_no_act_says_whose_it_is_is_adopted_last(
    old: list[tuple[Enrolled, bytes]], tmp_path: Path
) -> None:
    place = tmp_path / "keeper"
    _wait(place, (old[0][0].name, "", old[0][0].blob), *_named(old[1:]))
    folder.let_adopt(place, PRIVATE, SystemEntropy())
    keeper = _keeper(place)
    with pytest.raises(errors.UnknownSubject):
        _opens(keeper, old[:1])
    while keeper.go_on_adopting():
        pass
    _opens(keeper, old)
    keeper.close()


def test_blobs_that_nobody_gave_stay_noted_for_another_try(
    old: list[tuple[Enrolled, bytes]], tmp_path: Path
) -> None:
    place = tmp_path / "keeper"
    late, *others = _named(old[:3])
    _wait(place, (*late[:2], b""), *others)
    folder.let_adopt(place, PRIVATE, SystemEntropy())
    keeper = _keeper(place)
    while keeper.go_on_adopting():
        pass
    _opens(keeper, old[1:3])
    with pytest.raises(errors.UnknownSubject):
        _opens(keeper, old[:1])
    keeper.close()
    shelf = WaitingKeys(place / WAITING)
    assert shelf.counts() == (1, 1)
    shelf.put({late[0]: late[2]})
    shelf.close()
    folder.let_adopt(place, PRIVATE, SystemEntropy())
    keeper = _keeper(place)
    _opens(keeper, old[:3])
    keeper.close()


def test_another_recovery_key_is_refused(tmp_path: Path) -> None:
    _wait(tmp_path / "keeper")
    other, _ = new_recovery_key(SystemEntropy())
    with pytest.raises(errors.RecoveryKeyInvalid):
        folder.let_adopt(tmp_path / "keeper", other, SystemEntropy())
    assert not (tmp_path / "keeper" / folder.RECOVERY_SEALED).exists()


def test_what_is_noted_keeps_its_place_and_its_first_claim(tmp_path: Path) -> None:
    shelf = WaitingKeys(tmp_path / WAITING, create=True)
    one, two = b"one", b"two"
    shelf.note([(blob_name(one), ""), (blob_name(two), "b" * 32)])
    shelf.settle()
    shelf.note([(blob_name(two), "c" * 32), (blob_name(one), "a" * 32)])
    shelf.close()
    shelf = WaitingKeys(tmp_path / WAITING)
    shelf.put({blob_name(two): two, blob_name(b"unknown"): b"unknown"})
    assert shelf.counts() == (2, 1)
    assert [name for _, name in shelf.missing(9)] == [blob_name(one)]
    assert [each.subject for each in shelf.of_subject("b" * 32)] == ["b" * 32]
    shelf.note([(blob_name(one), "a" * 32)])
    shelf.put({blob_name(one): one})
    assert [each.blob for each in shelf.after(0, 9, claimed=True)] == [one, two]
    shelf.close()

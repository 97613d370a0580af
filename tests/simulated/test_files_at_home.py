"""Files that people hand in: sealed, at a quorum before their act counts, found again, never read.

The real keeper, folder, scribe and mirrors in one process; a file is a blob that no round carries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.home import HomeInProcess
from kulla.embassy.blob_folder import FolderBlobs
from kulla.embassy.errors import BlobMissing
from kulla.keeper import folder
from kulla.keeper.errors import SealBroken, UnknownSubject
from kulla.keeper.local import LocalKeeper
from kulla.keeper.sealed_files import PADDED_TO_BYTES
from kulla.keeper.wrapping import new_recovery_key
from kulla.kernel.edges import SystemClock, SystemEntropy
from kulla.kernel.service import Act, Actor
from kulla.kernel.tower import FileGone
from kulla.rebuild.replay import files_of
from kulla.rebuild.sources import HttpSource
from kulla.scribe.scribe import CARRIED_BYTES_MAX
from kulla.tower.files import FREE_BYTES_MIN, HomeBlobs, HomeFiles, NoRoomForFiles, Shelf

_, PUBLIC = new_recovery_key(SystemEntropy())
PDF = b"%PDF-1.7 " + bytes(range(256)) * 1000
ONCE = b"o" * 16
WHY = ("portal", "a test looks")


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[LocalKeeper]:
    folder.init(tmp_path / "keeper", PUBLIC, bytes(32), SystemEntropy())
    keeper = LocalKeeper(tmp_path / "keeper", SystemClock(), SystemEntropy())
    yield keeper
    keeper.close()


@pytest.fixture
def home(tmp_path: Path) -> HomeInProcess:
    return HomeInProcess(tmp_path)


class Site:
    """A home's files beside the embassies of a home in this process."""

    def __init__(self, place: Path, keeper: LocalKeeper, home: HomeInProcess) -> None:
        self.place, self.room = place, 2**40
        self.home, self.keeper = home, keeper
        self.own = FolderBlobs(place)
        self.files = HomeFiles(keeper, self.own, self.sources, lambda: self.room)

    def sources(self) -> Iterator[HttpSource]:
        for embassy in self.home.embassies.values():
            yield HttpSource(embassy.client())

    def path(self, name: bytes) -> Path:
        return self.place / name.hex()[:2] / name.hex()


@pytest.fixture
def site(tmp_path: Path, keeper: LocalKeeper, home: HomeInProcess) -> Site:
    return Site(tmp_path / "files", keeper, home)


def test_a_file_is_sealed_and_opens_for_its_person_alone(site: Site) -> None:
    (child, *_), (other, *_) = site.keeper.enrol(2)
    name = site.files.keep(child, PDF, ONCE)
    kept = site.path(name).read_bytes()
    assert hashlib.sha256(kept).digest() == name
    assert b"PDF" not in kept
    assert (len(kept) - len(PDF)) < PADDED_TO_BYTES + 400
    assert site.files.read(child, name, *WHY) == PDF
    with pytest.raises(SealBroken):
        site.files.read(other, name, *WHY)
    with pytest.raises(UnknownSubject):
        site.files.keep("f" * 32, PDF, ONCE)


def test_the_same_upload_again_is_the_same_file_and_no_other_is(site: Site) -> None:
    (child, *_), (other, *_) = site.keeper.enrol(2)
    name = site.files.keep(child, PDF, ONCE)
    assert site.files.keep(child, PDF, ONCE) == name
    others = {
        site.files.keep(child, PDF, b"p" * 16),
        site.files.keep(child, PDF + b"x", ONCE),
        site.files.keep(other, PDF, ONCE),
    }
    assert len(others | {name}) == 4


@pytest.mark.parametrize("content", [b"", b"x", bytes(PADDED_TO_BYTES), bytes(4 * 2**20)])
def test_any_length_comes_back_as_it_was(site: Site, content: bytes) -> None:
    [(child, *_)] = site.keeper.enrol(1)
    name = site.files.keep(child, content, ONCE)
    assert site.files.read(child, name, *WHY) == content


def test_a_disk_that_is_nearly_full_takes_no_file(site: Site) -> None:
    [(child, *_)] = site.keeper.enrol(1)
    site.room = FREE_BYTES_MIN
    with pytest.raises(NoRoomForFiles):
        site.files.keep(child, PDF, ONCE)


def test_a_file_that_no_act_may_name_is_dropped(site: Site) -> None:
    [(child, *_)] = site.keeper.enrol(1)
    name = site.files.keep(child, PDF, ONCE)
    site.files.drop(name)
    site.files.drop(name)
    assert site.own.usage() == (0, 0)
    with pytest.raises(FileGone):
        site.files.read(child, name, *WHY)


def brought(site: Site, *only: str) -> tuple[str, bytes]:
    """A file of a person that an accepted act names, brought to these embassies; all for none."""
    [(child, *_)] = site.keeper.enrol(1)
    name = site.files.keep(child, PDF, ONCE)
    sealed = site.path(name).read_bytes()
    assert len(sealed) > CARRIED_BYTES_MAX, "else a round would carry it along"
    site.home.blobs[name] = sealed
    site.home.take(site.home.command("blob", blob=name), tokens="f")
    site.home.deliver(*only)
    return child, name


def test_the_act_counts_once_a_quorum_holds_the_file(site: Site) -> None:
    names = list(site.home.embassies)
    _, name = brought(site, *names[:2])
    assert "f" not in site.home.answers
    assert [len(parcel.blobs) for parcel in site.home.rounds] == []
    held = [not site.home.embassies[each].mirror.blobs.missing([name]) for each in names]
    assert held == [True, True, False, False]
    site.home.take(site.home.command(who="b"), tokens="g")
    site.home.deliver(*names[:3])
    assert site.home.answers["f"].status == "accepted"
    assert not site.home.embassies[names[2]].mirror.blobs.missing([name])


def test_what_home_does_not_hold_is_no_act(site: Site) -> None:
    site.home.take(site.home.command("blob", blob=b"n" * 32), tokens="f")
    site.home.deliver()
    assert site.home.answers["f"].code == "unknown-blob"


def test_a_file_that_home_lost_comes_back_from_an_embassy(site: Site) -> None:
    child, name = brought(site)
    site.path(name).unlink()
    down = list(site.home.embassies.values())[:2]
    for embassy in down:
        embassy.down = True
    assert site.files.read(child, name, *WHY) == PDF
    assert site.path(name).exists()
    for embassy in site.home.embassies.values():
        embassy.down = True
    assert site.files.read(child, name, *WHY) == PDF, "it is kept here again"
    site.path(name).unlink()
    with pytest.raises(FileGone):
        site.files.read(child, name, *WHY)


def test_a_damaged_file_is_never_given_and_mends_itself(site: Site) -> None:
    child, name = brought(site)
    whole = site.path(name).read_bytes()
    site.path(name).write_bytes(whole[:-1] + b"?")
    blobs = HomeBlobs(site.keeper, site.own)
    assert name not in blobs.fetch([name]), "no act may name what nobody could bring"
    assert site.files.read(child, name, *WHY) == PDF
    assert site.path(name).read_bytes() == whole


def test_couriers_bring_keys_and_files_also_those_that_home_lost(site: Site) -> None:
    _, name = brought(site)
    site.path(name).unlink()
    [(_, key, wrapped)] = site.keeper.enrol(1)
    for_embassies = HomeBlobs(site.keeper, Shelf(site.own, site.sources))
    assert set(for_embassies.fetch([key, name, b"x" * 32])) == {key, name}
    assert for_embassies.fetch([key])[key] == wrapped
    with pytest.raises(BlobMissing):
        site.own.get(b"x" * 32)


def test_an_embassy_that_comes_late_is_brought_all_files(site: Site) -> None:
    """More than memory should hold at once: they come lot by lot."""
    names = list(site.home.embassies)
    for number in range(12):
        content = bytes([number]) * 3 * 2**20
        blob = hashlib.sha256(content).digest()
        site.home.blobs[blob] = content
        site.home.take(site.home.command("blob", blob=blob), tokens="abcdefghijkl"[number])
        site.home.deliver(*names[:3])
    site.home.take(site.home.command(who="late"), tokens="z")
    site.home.deliver()
    late = site.home.embassies[names[3]].mirror.blobs
    assert late.missing(site.home.blobs) == []


def test_a_new_home_does_not_take_a_file_for_a_persons_key() -> None:
    data = {"blob": b"f" * 32, "escrow": b"e" * 32, "key": b"k" * 32, "size": 3}
    act = Act(0, "enrolment", "document_added", 1, 0, Actor("citizen", "a"), b"", data)
    assert files_of(act) == (b"f" * 32, b"e" * 32)

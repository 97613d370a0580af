"""What an embassy answers about blobs, and where it takes no more."""

from __future__ import annotations

import hashlib

import pytest

from fakes.embassy import GrowingLog, SimulatedEmbassy
from fakes.embassy_steps import entries, follow, follow_entries
from fakes.signers import MadeUpTower
from kulla.embassy.quota import Limits
from kulla.journal.checkpoints import (
    cosignature_time_s,
)
from kulla.journal.notes import parse_signature_line
from kulla.kernel.canonical import decode, encode

TOWER = MadeUpTower()


@pytest.fixture
def embassy() -> SimulatedEmbassy:
    return SimulatedEmbassy(TOWER)


@pytest.fixture
def log() -> GrowingLog:
    return GrowingLog(TOWER.log_key, entries(10))


SMALL = Limits(body_bytes_max=40_000, blob_bytes_max=1000, checkpoint_body_bytes_max=5000)


def leaf_name(blob: bytes) -> bytes:
    return hashlib.sha256(blob).digest()


def test_blobs_are_kept_listed_and_fetched(embassy: SimulatedEmbassy):
    blobs = [b"%d" % number for number in range(5)]
    assert embassy.mirror.add_blobs(encode(blobs)).status == 200
    names = sorted(map(leaf_name, blobs))
    assert embassy.mirror.blob_names().body.decode().split() == [name.hex() for name in names]
    rest = embassy.mirror.blob_names(names[2].hex(), 1).body.decode()
    assert rest.split() == [names[3].hex()]
    lost = leaf_name(b"lost")
    assert decode(embassy.mirror.fetch_blobs(encode([leaf_name(b"3"), lost])).body) == [b"3", None]
    assert embassy.mirror.blob(lost.hex()).status == 404
    assert embassy.mirror.blob("AB" * 32).status == 404


@pytest.mark.parametrize("body", [b"", b"\x80\x80", encode({}), encode(["text"]), b"\xff"])
def test_malformed_blobs_are_400(embassy: SimulatedEmbassy, body: bytes):
    assert embassy.mirror.add_blobs(body).status == 400
    assert embassy.mirror.fetch_blobs(body).status == 400


def test_an_oversize_blob_is_413():
    embassy = SimulatedEmbassy(TOWER, SMALL)
    assert embassy.mirror.add_blobs(encode([bytes(1001)])).status == 413
    assert embassy.mirror.add_blobs(encode([bytes(1000)] * 50)).status == 413
    assert embassy.mirror.fetch_blobs(encode([bytes(32)] * 5000)).status == 413


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        (Limits(entries_per_day=15), 429),
        (Limits(bytes_per_day=100), 429),
        (Limits(entries_total=15), 507),
        (Limits(bytes_total=100), 507),
    ],
)
def test_a_full_quota_refuses_and_loses_nothing(limits: Limits, status: int):
    embassy = SimulatedEmbassy(TOWER, limits)
    log = GrowingLog(TOWER.log_key, entries(10))
    assert follow(embassy, log).status == 200
    log.grow(entries(10, first=10))
    reply = follow(embassy, log)
    assert reply.status == status
    assert b"takes no more" in reply.body
    assert ("Retry-After" in reply.headers) == (status == 429)
    embassy.mirror.save_usage()
    embassy.crash()
    assert follow_entries(embassy, log).status == status
    embassy.clock.at_ms += 86_400_000
    assert follow_entries(embassy, log).status == (200 if status == 429 else 507)


def test_a_clock_that_goes_back_gives_no_second_quota():
    embassy = SimulatedEmbassy(TOWER, Limits(entries_per_day=15))
    log = GrowingLog(TOWER.log_key, entries(10))
    follow(embassy, log)
    log.grow(entries(10, first=10))
    embassy.clock.at_ms -= 2 * 86_400_000
    assert follow(embassy, log).status == 429


def test_a_disk_that_is_nearly_full_refuses():
    limits = Limits(free_disk_floor_bytes=1000)
    embassy = SimulatedEmbassy(TOWER, limits, free_bytes=1050)
    log = GrowingLog(TOWER.log_key, entries(10))
    reply = follow(embassy, log)
    assert reply.status == 507
    assert b"free_disk_floor_bytes" in reply.body
    assert embassy.mirror.add_blobs(encode([bytes(51)])).status == 507
    embassy.free_bytes = 5000
    assert follow_entries(embassy, log).status == 200


def test_a_clock_that_goes_back_does_not_make_a_cosignature_older(
    embassy: SimulatedEmbassy, log: GrowingLog
):
    first = follow(embassy, log)
    log.grow(entries(5, first=10))
    embassy.clock.at_ms -= 3_600_000
    second = follow(embassy, log)
    times = [
        cosignature_time_s(parse_signature_line(reply.body.decode()[:-1]))
        for reply in (first, second)
    ]
    assert times[0] <= times[1]

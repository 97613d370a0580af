"""What an embassy answers to add-entries, as C2SP tlog-mirror says."""

from __future__ import annotations

import gzip
import hashlib

import pytest

from fakes.embassy import GrowingLog, SimulatedEmbassy
from fakes.embassy_steps import entries, follow, follow_entries, refused
from fakes.signers import MadeUpTower, SeededEntropy
from kulla.embassy.errors import Conflict, MissingBlobs
from kulla.embassy.packages import encode_header
from kulla.embassy.quota import Limits
from kulla.embassy.replies import parse_mirror_info
from kulla.journal.checkpoints import (
    Checkpoint,
    cosignature_time_s,
    parse_checkpoint,
    sign_checkpoint,
)
from kulla.journal.merkle import leaf_hash
from kulla.journal.notes import open_note, parse_note, parse_signature_line
from kulla.kernel.canonical import encode

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


def test_a_round_is_cosigned_and_served(embassy: SimulatedEmbassy, log: GrowingLog):
    reply = follow(embassy, log)
    assert reply.status == 200
    line = parse_signature_line(reply.body.decode()[:-1])
    text = parse_note(log.note()).text
    assert embassy.mirror_key.verifies(text, line.payload)
    assert cosignature_time_s(line) == embassy.clock.at_ms // 1000
    [log_hash] = embassy.mirror._by_hash
    served = embassy.mirror.checkpoint(log_hash)
    signed = open_note(parse_note(served.body), [TOWER.log_key.verifier, embassy.mirror_key])
    assert len(signed) == 2
    assert embassy.mirror.tile(log_hash, "tile/0/000.p/10").body[:32] == leaf_hash(b"entry 0")
    assert embassy.mirror.tile(log_hash, "tile/entries/000.p/10").status == 200
    for path in ("tile/0/000", "tile/0/000.p/11", "checkpoint", "pending", "../keys/mirror.key"):
        assert embassy.mirror.tile(log_hash, path).status == 404


def test_a_repeat_gets_the_same_answer(embassy: SimulatedEmbassy, log: GrowingLog):
    first = follow(embassy, log)
    assert embassy.mirror.add_entries(log.entries_body(0)) == first
    assert embassy.mirror.add_entries(log.entries_body(10)) == first
    embassy.restart()
    assert embassy.mirror.add_entries(log.entries_body(4)) == first
    embassy.clock.at_ms += 61_000
    later = embassy.mirror.add_entries(log.entries_body(10))
    assert later.status == 200
    assert later != first


def test_without_a_pending_checkpoint_it_is_422(embassy: SimulatedEmbassy, log: GrowingLog):
    assert embassy.mirror.add_entries(log.entries_body(0)).status == 422


def test_a_size_that_was_never_pending_is_409(embassy: SimulatedEmbassy, log: GrowingLog):
    embassy.mirror.add_checkpoint(log.checkpoint_body(0, 7))
    reply = embassy.mirror.add_entries(log.entries_body(0))
    assert (reply.status, reply.media_type) == (409, "text/x.tlog.mirror-info")
    size, next_entry, ticket = parse_mirror_info(reply.body)
    assert (size, next_entry) == (7, 0)
    assert embassy.mirror.add_entries(log.entries_body(0, 7, ticket=ticket)).status == 200


def test_a_gap_is_409_and_says_where_to_go_on(embassy: SimulatedEmbassy, log: GrowingLog):
    embassy.mirror.add_checkpoint(log.checkpoint_body(0))
    error = refused(embassy.mirror.add_entries(log.entries_body(1)))
    assert isinstance(error, Conflict)
    assert (error.size, error.next_entry) == (10, 0)


def test_a_size_below_the_mirror_checkpoint_is_409(embassy: SimulatedEmbassy, log: GrowingLog):
    embassy.mirror.add_checkpoint(log.checkpoint_body(0, 7))
    follow_up = log.checkpoint_body(7)
    embassy.mirror.add_checkpoint(follow_up)
    assert embassy.mirror.add_entries(log.entries_body(0)).status == 200
    error = refused(embassy.mirror.add_entries(log.entries_body(0, 7)))
    assert isinstance(error, Conflict)
    assert (error.size, error.next_entry) == (10, 10)


def test_earlier_pending_sizes_stay_good_and_partial_tiles_come_with_them(
    embassy: SimulatedEmbassy,
):
    log = GrowingLog(TOWER.log_key, entries(700))
    embassy.mirror.add_checkpoint(log.checkpoint_body(0, 100))
    embassy.mirror.add_checkpoint(log.checkpoint_body(100, 600))
    embassy.mirror.add_checkpoint(log.checkpoint_body(600, 700))
    # All entries come with the largest size, then the smaller ones are asked to be signed first.
    cut = log.entries_body(0, 700, packages_max=2)
    assert embassy.mirror.add_entries(cut).status == 202
    assert embassy.mirror.add_entries(log.entries_body(300, 600)).status == 200
    [log_hash] = embassy.mirror._by_hash
    assert embassy.mirror.tile(log_hash, "tile/0/002.p/88").status == 200
    assert embassy.mirror.add_entries(log.entries_body(600, 700)).status == 200


def test_a_ticket_outlives_a_restart(embassy: SimulatedEmbassy):
    log = GrowingLog(TOWER.log_key, entries(700))
    embassy.mirror.add_checkpoint(log.checkpoint_body(0, 600))
    reply = embassy.mirror.add_entries(log.entries_body(0, 600, packages_max=1))
    size, next_entry, ticket = parse_mirror_info(reply.body)
    assert (reply.status, size, next_entry) == (202, 600, 256)
    embassy.mirror.add_checkpoint(log.checkpoint_body(600))
    embassy.restart()
    assert embassy.mirror.add_entries(log.entries_body(256, 600)).status == 409
    broken = ticket[:-1] + bytes([ticket[-1] ^ 1])
    assert embassy.mirror.add_entries(log.entries_body(256, 600, ticket=broken)).status == 409
    assert embassy.mirror.add_entries(log.entries_body(256, 600, ticket=ticket)).status == 200


def test_progress_outlives_a_restart(embassy: SimulatedEmbassy):
    log = GrowingLog(TOWER.log_key, entries(700))
    embassy.mirror.add_checkpoint(log.checkpoint_body(0))
    embassy.mirror.add_entries(log.entries_body(0, packages_max=2))
    embassy.crash()
    assert embassy.mirror.health()["logs"][0]["next_entry"] == 512
    assert embassy.mirror.add_entries(log.entries_body(512)).status == 200


def test_too_many_entries_sent_again_are_409(embassy: SimulatedEmbassy):
    log = GrowingLog(TOWER.log_key, entries(700))
    follow(embassy, log)
    assert embassy.mirror.add_entries(log.entries_body(188)).status == 200
    assert embassy.mirror.add_entries(log.entries_body(187)).status == 409


def test_a_flipped_bit_is_422_and_what_was_proven_before_is_kept(embassy: SimulatedEmbassy):
    log = GrowingLog(TOWER.log_key, entries(700))
    embassy.mirror.add_checkpoint(log.checkpoint_body(0))
    body = bytearray(log.entries_body(0))
    body[-100] ^= 1
    assert embassy.mirror.add_entries(bytes(body)).status == 422
    assert embassy.mirror.health()["logs"][0]["next_entry"] == 512
    first = bytearray(log.entries_body(512))
    first[len(encode_header(log.origin, 0, 0)) + 3] ^= 1
    assert embassy.mirror.add_entries(bytes(first)).status == 422
    assert embassy.mirror.add_entries(log.entries_body(512)).status == 200


def test_a_proof_of_another_branch_is_422(embassy: SimulatedEmbassy, log: GrowingLog):
    embassy.mirror.add_checkpoint(log.checkpoint_body(0))
    fork = log.fork(5)
    fork.grow(entries(5, first=50))
    assert embassy.mirror.add_entries(fork.entries_body(0)).status == 422
    assert follow_entries(embassy, log).status == 200


def test_a_body_cut_in_its_first_package_is_400(embassy: SimulatedEmbassy, log: GrowingLog):
    embassy.mirror.add_checkpoint(log.checkpoint_body(0))
    body = log.entries_body(0)
    header = len(encode_header(log.origin, 0, 0))
    for cut in (0, 1, 2, 10, header - 1, header, header + 1, header + 5, len(body) - 1):
        assert embassy.mirror.add_entries(body[:cut]).status == 400, cut
    assert embassy.mirror.health()["logs"][0]["next_entry"] == 0


def test_a_body_cut_later_is_202(embassy: SimulatedEmbassy):
    log = GrowingLog(TOWER.log_key, entries(700))
    embassy.mirror.add_checkpoint(log.checkpoint_body(0))
    reply = embassy.mirror.add_entries(log.entries_body(0)[:-1])
    assert (reply.status, reply.media_type) == (202, "text/x.tlog.mirror-info")
    assert parse_mirror_info(reply.body)[:2] == (700, 512)


@pytest.mark.parametrize(
    ("start", "end"), [(5, 4), (0, 2**63), (2**64 - 1, 2**64 - 1), (2**63, 2**64 - 1)]
)
def test_a_header_that_can_not_be_is_400(
    embassy: SimulatedEmbassy, log: GrowingLog, start: int, end: int
):
    embassy.mirror.add_checkpoint(log.checkpoint_body(0))
    assert embassy.mirror.add_entries(encode_header(log.origin, start, end)).status == 400
    assert embassy.mirror.add_entries(b"\x00\x01\xff" + bytes(18)).status == 400


def test_a_proof_of_64_hashes_is_400(embassy: SimulatedEmbassy, log: GrowingLog):
    embassy.mirror.add_checkpoint(log.checkpoint_body(0))
    body = log.entries_body(0)
    assert body[-1] == 0
    assert embassy.mirror.add_entries(body[:-1] + b"\x40" + bytes(64 * 32)).status == 400


def test_bytes_after_the_last_package_are_ignored(embassy: SimulatedEmbassy, log: GrowingLog):
    embassy.mirror.add_checkpoint(log.checkpoint_body(0))
    assert embassy.mirror.add_entries(log.entries_body(0) + b"more").status == 200


def test_gzip_is_read_and_a_bomb_is_413():
    embassy = SimulatedEmbassy(TOWER, SMALL)
    log = GrowingLog(TOWER.log_key, entries(600))
    embassy.mirror.add_checkpoint(log.checkpoint_body(0))
    bomb = gzip.compress(encode_header(log.origin, 0, 600) + b"\xff" * 10_000_000)
    assert len(bomb) < 20_000
    assert embassy.mirror.add_entries(bomb, gzip=True).status == 413
    body = log.entries_body(0)
    half = len(body) // 2
    parts = gzip.compress(body[:half]) + gzip.compress(body[half:])
    assert embassy.mirror.add_entries(b"not gzip", gzip=True).status == 400
    assert embassy.mirror.add_entries(parts, gzip=True).status == 200


def test_a_body_cut_within_gzip_keeps_what_was_proven(embassy: SimulatedEmbassy):
    log = GrowingLog(TOWER.log_key, [SeededEntropy(n).random_bytes(300) for n in range(700)])
    embassy.mirror.add_checkpoint(log.checkpoint_body(0))
    body = gzip.compress(log.entries_body(0))
    assert embassy.mirror.add_entries(body[:-2000], gzip=True).status == 202
    broken = body[:120_000] + bytes(50) + body[120_050:]
    assert embassy.mirror.add_entries(broken, gzip=True).status == 400
    assert embassy.mirror.health()["logs"][0]["next_entry"] == 512


def test_an_oversize_body_is_413_or_202_where_a_package_was_proven():
    embassy = SimulatedEmbassy(TOWER, SMALL)
    log = GrowingLog(TOWER.log_key, [bytes([n % 251]) * 200 for n in range(300)])
    embassy.mirror.add_checkpoint(log.checkpoint_body(0))
    reply = embassy.mirror.add_entries(log.entries_body(0))
    assert reply.status == 413
    assert b"body_bytes_max" in reply.body
    upload = embassy.mirror.upload()
    body = log.entries_body(0)
    replies = [upload.feed(body[at : at + 9000]) for at in range(0, len(body), 9000)]
    assert next(reply.status for reply in replies if reply) == 413
    long = GrowingLog(TOWER.log_key, [b"%d" % n for n in range(8000)])
    other = SimulatedEmbassy(TOWER, SMALL)
    other.mirror.add_checkpoint(long.checkpoint_body(0))
    upload = other.mirror.upload()
    body = long.entries_body(0)
    pieces = [body[at : at + 9000] for at in range(0, len(body), 9000)]
    reply = next(reply for piece in pieces if (reply := upload.feed(piece)))
    assert reply.status == 202
    assert parse_mirror_info(reply.body)[1] > 0
    assert other.mirror.add_checkpoint(b"old 0\n\n" + b"x" * 6000).status == 413


def test_no_more_than_the_allowed_packages_are_read():
    embassy = SimulatedEmbassy(TOWER, Limits(packages_max=2))
    log = GrowingLog(TOWER.log_key, entries(2000))
    embassy.mirror.add_checkpoint(log.checkpoint_body(0))
    reply = embassy.mirror.add_entries(log.entries_body(0))
    assert (reply.status, parse_mirror_info(reply.body)[1]) == (202, 512)


def test_missing_blobs_are_422_with_their_names_and_nothing_is_lost(embassy: SimulatedEmbassy):
    blobs = [b"wrapped key 1", b"wrapped key 2"]
    names = [leaf_name(blob) for blob in blobs]
    log = GrowingLog(TOWER.log_key, [TOWER.sealer.seal(b"act", [name]) for name in names])
    embassy.mirror.add_checkpoint(log.checkpoint_body(0))
    reply = embassy.mirror.add_entries(log.entries_body(0))
    assert (reply.status, reply.media_type) == (422, "text/x.kulla.missing-blobs")
    error = refused(reply)
    assert isinstance(error, MissingBlobs)
    assert list(error.names) == names
    assert embassy.mirror.add_blobs(encode(blobs[:1])).status == 200
    assert list(refused(embassy.mirror.add_entries(log.entries_body(0))).names) == names[1:]
    assert embassy.mirror.add_blobs(encode(blobs)).status == 200
    assert embassy.mirror.add_entries(log.entries_body(0)).status == 200
    embassy.crash()
    assert [embassy.mirror.blob(name.hex()).body for name in names] == blobs


def test_entries_that_are_not_ours_are_mirrored_too(embassy: SimulatedEmbassy):
    log = GrowingLog(TOWER.log_key, [b"", b"\x86\x01", bytes(65_535)])
    assert follow(embassy, log).status == 200


def test_the_checkpoint_that_is_served_keeps_the_log_s_own_text(
    embassy: SimulatedEmbassy, log: GrowingLog
):
    """Extension lines are signed by the log, so they are cosigned and served as they came."""
    checkpoint = Checkpoint(TOWER.origin, 10, log.tree.root(), ("an extension",))
    note = sign_checkpoint(checkpoint, TOWER.log_key)
    assert embassy.mirror.add_checkpoint(b"old 0\n\n" + note).status == 200
    reply = embassy.mirror.add_entries(log.entries_body(0))
    line = parse_signature_line(reply.body.decode()[:-1])
    assert embassy.mirror_key.verifies(checkpoint.text(), line.payload)
    [log_hash] = embassy.mirror._by_hash
    served = parse_note(embassy.mirror.checkpoint(log_hash).body)
    assert parse_checkpoint(served.text) == checkpoint

"""Logs are known by content in files, folders, archives; damage costs only what it hit."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import zipfile
from datetime import UTC, datetime

import pytest

from fakes import log_lines
from fakes.log_lines import events_of, write
from kulla.watch.sources import lines
from kulla.watch.sources.batch import EVENTS_MAX, Batch
from kulla.watch.sources.mapping import own_mappings
from kulla.watch.sources.opening import Stream
from kulla.watch.sources.reading import read_all
from kulla.watch.sources.recognise import Readers, recognise

MAPPINGS = own_mappings()
READERS = Readers(mappings=MAPPINGS)
KINDS = {
    "auditd": log_lines.AUDIT,
    "syslog": log_lines.AUTH,
    "access-log": log_lines.ACCESS,
    "w3c": log_lines.IIS,
    "zeek-tsv": log_lines.ZEEK_TSV,
    "zeek-json": log_lines.ZEEK_JSON,
    "journald-export": log_lines.JOURNAL,
    "kulla": log_lines.KULLA,
    "json:cloudtrail": log_lines.CLOUDTRAIL,
    "json:json": b'{"some":"thing"}\n',
    "windows-json": b'{"EventID":1,"Channel":"Security"}\n',
    "evtx": b"ElfFile\x00rest",
    "windows-xml": b"<Event xmlns='x'>",
    "": b"Dear reader,\nthis is a letter.\n",
}


def zstd(raw: bytes) -> bytes:
    arrow = pytest.importorskip("pyarrow")
    packed = io.BytesIO()
    with arrow.CompressedOutputStream(arrow.PythonFile(packed, mode="w"), "zstd") as out:
        out.write(raw)
        out.flush()
        return _closed(out, packed)


def _closed(out, packed: io.BytesIO) -> bytes:
    kept = packed.getvalue
    packed.close = lambda: None  # Arrow closes what it wrote to, and its bytes would be gone
    out.close()
    return kept()


def zipped(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in members.items():
            archive.writestr(name, raw)
    return packed.getvalue()


MIXED = b"[INFO] Starting the server\n[INFO] Started worker-1\n[INFO] Started worker-2\n"

PACKERS = {"gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress, "zst": zstd}


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_is_known_by_its_content(kind):
    assert recognise(KINDS[kind], MAPPINGS) == kind


def test_one_foreign_line_does_not_decide():
    assert recognise(b"logrotate was here\n" + log_lines.AUDIT, MAPPINGS) == "auditd"


def test_a_servers_own_lines_do_not_hide_whose_log_it_is(tmp_path):
    assert recognise(MIXED + log_lines.KULLA, MAPPINGS) == "kulla"
    assert recognise(MIXED + b'{"some":"thing"}\n', MAPPINGS) == ""
    write(tmp_path, portal=MIXED + log_lines.KULLA)
    events, rejects = events_of(read_all([tmp_path], READERS))
    assert len(events) == 1
    assert [reject.number for reject in rejects] == [1, 2, 3]


@pytest.mark.parametrize("packer", PACKERS)
def test_packed_logs_read_as_plain_ones_do_whatever_they_are_called(packer, tmp_path):
    write(tmp_path, plain=log_lines.ACCESS)
    plain, _ = events_of(read_all([tmp_path / "plain"], READERS))
    # Two archives one behind the other are what logrotate and `cat` make.
    packed = PACKERS[packer](log_lines.ACCESS) + PACKERS[packer](log_lines.ACCESS)
    write(tmp_path, packed=packed)
    events, rejects = events_of(read_all([tmp_path / "packed"], READERS))
    assert not rejects
    assert len(plain) == 3
    assert [event for _, _, event in events] == [event for _, _, event in plain] * 2


def test_an_archive_in_a_zip_on_standard_input():
    packed = zipped(one=gzip.compress(log_lines.AUDIT), two=log_lines.AUTH)
    items = list(read_all(["-"], READERS, standard_input=io.BytesIO(packed)))
    assert {item.file for item in items} == {"standard input!/one", "standard input!/two"}
    assert {item.service for item in items if isinstance(item, Batch)} >= {"auditd", "sshd"}


@pytest.mark.parametrize("packer", PACKERS)
def test_what_stands_before_a_damage_is_read_and_the_rest_goes_on(packer, tmp_path):
    noise = os.urandom(400_000).hex().encode()
    raw = b"".join(log_lines.KULLA.replace(b"desk", noise[i : i + 900]) for i in range(2_000))
    packed = PACKERS[packer](raw)
    write(tmp_path, a=packed[: len(packed) * 2 // 3], b=log_lines.KULLA)
    events, rejects = events_of(read_all([tmp_path], READERS))
    assert 100 < len(events) < 2_001
    assert any(reject.file.endswith("a") and "damaged" in reject.reason for reject in rejects)
    assert len(rejects) <= 2  # the damage, and the line that it cut


def test_a_large_first_record_over_many_lines_is_known(tmp_path):
    record = {"Records": [json.loads(log_lines.CLOUDTRAIL)["Records"][0] | {"x": ["y" * 90] * 300}]}
    write(tmp_path, ct=json.dumps(record, indent=1).encode())
    events, rejects = events_of(read_all([tmp_path], READERS))
    assert not rejects
    assert [source[2] for source, _, _ in events] == ["cloudtrail"]


def test_a_pipe_is_known_by_what_is_there():
    reader, writer = os.pipe()
    os.write(writer, log_lines.KULLA)
    with os.fdopen(reader, "rb") as inner:
        stream = Stream(inner)
        assert recognise(stream.source.look(65_536), MAPPINGS) == "kulla"
        os.write(writer, log_lines.KULLA)
        os.close(writer)
        assert stream.read() == log_lines.KULLA * 2


def test_a_zip_that_is_a_file_and_one_in_another(tmp_path):
    inside = zipped(one=log_lines.AUTH, two=log_lines.KULLA)
    write(tmp_path, outer=zipped(inside=inside, three=log_lines.ACCESS))
    items = list(read_all([tmp_path / "outer"], READERS))
    assert {item.file.removeprefix(str(tmp_path)) for item in items} == {
        "/outer!/inside!/one",
        "/outer!/inside!/two",
        "/outer!/three",
    }


def test_a_zip_with_a_password_is_rejected_by_name(tmp_path):
    packed = bytearray(zipped(secret=log_lines.KULLA, plain=log_lines.KULLA))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        packed[packed.index(signature) + at] |= 1  # says: this member is encrypted
    write(tmp_path, z=bytes(packed))
    events, rejects = events_of(read_all([tmp_path / "z"], READERS))
    assert len(events) == 1
    assert [reject.file.rpartition("/")[2] for reject in rejects] == ["secret"]


def test_a_damaged_member_costs_that_member_alone(tmp_path):
    noise = b"".join(log_lines.KULLA for _ in range(50))
    packed = bytearray(zipped(first=noise, second=log_lines.AUTH))
    packed[60] ^= 0xFF
    write(tmp_path, z=bytes(packed))
    events, rejects = events_of(read_all([tmp_path / "z"], READERS))
    assert {source[2] for source, _, _ in events} >= {"sshd", "sudo"}
    assert any("first" in reject.file for reject in rejects)


@pytest.mark.parametrize("raw", [b"PK\x03\x04 no zip", b"\x1f\x8b", b"\xfd7zXZ\x00", b"(\xb5/\xfd"])
def test_what_only_begins_like_an_archive_is_rejected(raw, tmp_path):
    write(tmp_path, x=raw, y=log_lines.KULLA)
    events, rejects = events_of(read_all([tmp_path], READERS))
    assert len(events) == 1
    assert [reject.file for reject in rejects] == [str(tmp_path / "x")]


def test_what_is_not_known_or_not_there_is_said(tmp_path):
    write(tmp_path, letter=KINDS[""], record=KINDS["evtx"], empty=b"")
    _, rejects = events_of(read_all([tmp_path, tmp_path / "nothing"], READERS))
    assert [reject.reason for reject in rejects] == [
        "no source that is known",
        "no reader for evtx",
        "there is no such file",
    ]


def test_another_reader_is_used_for_its_kind(tmp_path):
    write(tmp_path, record=KINDS["evtx"])

    def read(stream, file):
        yield Batch("windows", "", "security", file, [1], [b"{}"])

    (batch,) = read_all([tmp_path], Readers(others={"evtx": read}))
    assert batch.service == "security"


def test_a_folder_that_links_to_itself_is_walked_once(tmp_path):
    (tmp_path / "a").mkdir()
    write(tmp_path / "a", log=log_lines.KULLA)
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    events, rejects = events_of(read_all([tmp_path], READERS))
    assert (len(events), rejects) == (1, [])


def test_the_files_date_gives_the_year(tmp_path):
    write(tmp_path, log=log_lines.AUTH)
    os.utime(tmp_path / "log", (1_672_700_000, 1_672_700_000))  # 2 January 2023
    events, _ = events_of(read_all([tmp_path], READERS))
    years = {datetime.fromtimestamp(event["_at_us"] / 1e6, UTC).year for _, _, event in events}
    assert years == {2022, 2023}


def test_batches_are_bounded_and_lines_too(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "LINE_MAX", 1_000)
    many = log_lines.KULLA * (EVENTS_MAX + 1) + b"x" * 5_000 + b"\n" + log_lines.KULLA
    write(tmp_path, log=many)
    items = list(read_all([tmp_path], READERS))
    sizes = [len(item.numbers) for item in items if isinstance(item, Batch)]
    assert sizes == [EVENTS_MAX, 2]
    (reject,) = [item for item in items if not isinstance(item, Batch)]
    assert reject.number == EVENTS_MAX + 2
    assert len(reject.raw) <= 1_001

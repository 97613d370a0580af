"""No source fails on any bytes: each line becomes an event or a Reject with its place."""

from __future__ import annotations

import gzip
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fakes import log_lines
from fakes.log_lines import events_of, stream
from kulla.watch.sources import (
    access_log,
    auditd,
    journald,
    json_lines,
    kulla_log,
    syslog,
    w3c,
    zeek,
)
from kulla.watch.sources.mapping import own_mappings
from kulla.watch.sources.reading import read_all
from kulla.watch.sources.recognise import Readers

LINE_SOURCES = {
    "access": (access_log.read, log_lines.ACCESS),
    "auditd": (auditd.read, log_lines.AUDIT),
    "syslog": (syslog.read, log_lines.AUTH),
    "kulla": (kulla_log.read, log_lines.KULLA),
    "zeek-json": (zeek.read_json, log_lines.ZEEK_JSON),
    "journald-json": (journald.read, b'{"__REALTIME_TIMESTAMP":"1","MESSAGE":[1,2],"_PID":"x"}\n'),
}
OTHERS = {
    "w3c": (w3c.read, log_lines.IIS),
    "zeek-tsv": (zeek.read, log_lines.ZEEK_TSV),
    "journald": (journald.read_exported, log_lines.JOURNAL),
    "json": (json_lines.read, log_lines.CLOUDTRAIL),
}
READERS = Readers(mappings=own_mappings())


@st.composite
def damaged(draw, raw: bytes) -> bytes:
    """Bytes of a real log, some of them changed, cut out or doubled."""
    found = bytearray(raw)
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, max(0, len(found) - 1)))
        how = draw(st.sampled_from(["change", "cut", "double", "line", "put"]))
        if how == "change" and found:
            found[at] = draw(st.integers(0, 255))
        elif how == "cut":
            del found[at : at + draw(st.integers(1, 40))]
        elif how == "double":
            found[at:at] = found[at : at + draw(st.integers(1, 40))]
        elif how == "line":
            found[at:at] = b"\n"
        else:
            found[at:at] = draw(
                st.sampled_from([b'"', b"{", b"[", b"\\", b"\x00", b"\xff", b"=", b"{" * 3])
            )
    return bytes(found)


@pytest.mark.parametrize("kind", LINE_SOURCES)
def test_every_line_is_an_event_or_a_reject(kind):
    read, sample = LINE_SOURCES[kind]

    @given(st.one_of(damaged(sample * 2), st.binary(max_size=300)))
    @example(b'{"a":' * 5_000)
    @example(b'{"ts":1e999,"id.orig_h":"\\ud800","event":NaN,"__REALTIME_TIMESTAMP":-Infinity}')
    @example(b'{"ts":' + b"9" * 5_000 + b"}")
    @example(b'{"timestamp":"2022-02-30T00:00:00Z","event":1,"level":[],"process":null}')
    def check(raw):
        events, rejects = events_of(read(stream(raw), "f"))
        told = {number for _, number, _ in events} | {reject.number for reject in rejects}
        lines = enumerate(raw.split(b"\n"), start=1)
        expected = {number for number, line in lines if line.strip()}
        if kind == "auditd":  # 'end of event' says nothing by itself
            expected -= {n for n, line in enumerate(raw.split(b"\n"), 1) if b"type=EOE" in line}
        assert told - {1} == expected - {1}

    check()


@pytest.mark.parametrize("kind", OTHERS)
def test_other_sources_take_anything(kind):
    read, sample = OTHERS[kind]

    @given(st.one_of(damaged(sample), st.binary(max_size=300)))
    @example(b"[" * 10_000)
    @example(b'{"Records":[' * 1_000)
    def check(raw):
        events_of(read(stream(raw), "f"))

    check()


@given(
    st.sampled_from(sorted({**LINE_SOURCES, **OTHERS})).flatmap(
        lambda kind: damaged(({**LINE_SOURCES, **OTHERS})[kind][1])
    ),
    st.booleans(),
)
def test_a_whole_file_that_is_damaged_is_read_or_rejected(raw, packed):
    given_bytes = gzip.compress(raw)[: -len(raw) % 50 or None] if packed else raw
    events, rejects = events_of(read_all(["-"], READERS, standard_input=io.BytesIO(given_bytes)))
    assert events or rejects or not raw.strip()

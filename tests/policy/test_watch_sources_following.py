"""A log that is being written is followed: over growth, rotation, cutting, and our own restart."""

from __future__ import annotations

import pytest

from fakes import log_lines
from fakes.log_lines import events_of
from kulla.watch.sources import auditd, kulla_log, zeek
from kulla.watch.sources.batch import Batch
from kulla.watch.sources.following import Following, Place
from kulla.watch.sources.lines import PAUSE


class Script:
    """What happens to the log while the reader waits: one step a wait, then the end."""

    def __init__(self, *steps):
        self._steps = list(steps)

    def __call__(self, seconds):
        assert seconds >= 0
        if not self._steps:
            return False
        self._steps.pop(0)()
        return True


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    return path


def put(path, raw):
    def step():
        with path.open("ab") as log:
            log.write(raw)

    return step


def lines_of(following):
    found = []
    while line := following.readline():
        if line is not PAUSE:
            found.append(line)
    following.close()
    return found


def test_what_is_written_later_comes_in_whole_lines(path):
    script = Script(put(path, b"tw"), put(path, b"o\nthr"), put(path, b"ee\n"))
    assert lines_of(Following(path, script)) == [b"one\n", b"two\n", b"three\n"]


def test_it_pauses_once_where_nothing_more_is_there(path):
    following = Following(path, Script(lambda: None, put(path, b"two\n")))
    assert [following.readline() for _ in range(5)] == [b"one\n", PAUSE, b"two\n", PAUSE, b""]
    following.close()


def test_a_renamed_log_is_read_to_its_end_before_the_new_one(path):
    def rotate():
        path.rename(path.with_suffix(".1"))
        put(path.with_suffix(".1"), b"two\nlast without end")()

    script = Script(rotate, put(path, b"new\n"), lambda: None)
    following = Following(path, script)
    assert lines_of(following) == [b"one\n", b"two\n", b"last without end", b"new\n"]
    assert following.place == Place(path.stat().st_ino, 4, 1)


def test_a_log_that_is_cut_off_is_read_from_its_start(path):
    put(path, b"two and more\n")()
    script = Script(lambda: path.write_bytes(b"new\n"))
    assert lines_of(Following(path, script)) == [b"one\n", b"two and more\n", b"new\n"]


def test_after_a_restart_it_goes_on_where_it_was(path):
    first = Following(path, Script())
    assert lines_of(first) == [b"one\n"]
    put(path, b"two\n")()
    second = Following(path, Script(), first.place)
    assert second.lines_before == 1
    assert lines_of(second) == [b"two\n"]
    path.rename(path.with_suffix(".1"))
    path.write_bytes(b"other\n")
    assert lines_of(Following(path, Script(), second.place)) == [b"other\n"]


def test_half_a_line_is_read_again_after_a_restart(path):
    put(path, b"ha")()
    first = Following(path, Script())
    assert lines_of(first) == [b"one\n"]
    put(path, b"lf\n")()
    assert lines_of(Following(path, Script(), first.place)) == [b"half\n"]


def test_sources_hand_on_what_they_have_at_each_pause(path):
    path.write_bytes(log_lines.KULLA * 3)
    following = Following(path, Script(put(path, log_lines.KULLA * 2)))
    batches = [item for item in kulla_log.read(following, "f") if isinstance(item, Batch)]
    following.close()
    assert [list(batch.numbers) for batch in batches] == [[1, 2, 3], [4, 5]]


def test_a_busy_log_pauses_too_and_then_all_was_handed_on(path, monkeypatch):
    monkeypatch.setattr("kulla.watch.sources.following.LINES_MAX", 10)
    path.write_bytes(log_lines.KULLA * 25)
    kept, handed = [], []

    def wait(seconds):
        kept.append((following.place.lines, sum(handed), seconds))
        return seconds == 0

    following = Following(path, wait)
    for batch in kulla_log.read(following, "f"):
        handed.append(len(batch.numbers))
    following.close()
    assert kept == [(10, 10, 0), (20, 20, 0), (25, 25, 0.25)]


def test_audit_events_are_joined_at_a_pause(path):
    path.write_bytes(log_lines.AUDIT)
    following = Following(path, Script(put(path, log_lines.AUDIT.replace(b":471", b":971"))))
    events, rejects = events_of(auditd.read(following, "f"))
    following.close()
    assert not rejects
    assert sum(source == auditd.PROCESS_CREATION for source, _, _ in events) == 2


def test_a_log_with_a_header_is_understood_from_its_middle(path):
    path.write_bytes(log_lines.ZEEK_TSV)
    first = Following(path, Script())
    events_of(zeek.read(first, "dns.log"))
    first.close()
    put(path, log_lines.ZEEK_TSV.splitlines(keepends=True)[-3])()
    second = Following(path, Script(), first.place)
    ((source, number, event),), rejects = events_of(zeek.read(second, "dns.log"))
    second.close()
    assert not rejects
    assert (source[2], number, event["query"]) == ("dns", 11, "example.al")

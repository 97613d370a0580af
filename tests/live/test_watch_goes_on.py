"""`kulla watch run` as a process: killed at any moment, rotated under, refused; nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from kulla.watch.store import Store

pytestmark = pytest.mark.live

RULES = """
title: failed
name: failed
level: low
logsource: {product: linux, service: sshd}
detection: {s: {message|contains: 'Failed password'}, condition: s}
---
title: guessing
name: guessing
level: high
correlation:
  type: event_count
  rules: [failed]
  group-by: [src_ip]
  timespan: 5m
  condition: {gte: 3}
  generate: true
"""


def line(number, source="203.0.113.9"):
    when = f"2026-01-02T03:{number // 60 % 60:02}:{number % 60:02}Z"
    return f"{when} gate sshd[{number}]: Failed password for root from {source} port 22\n"


class Watch:
    """A watch on a folder of logs, and what it found."""

    def __init__(self, folder):
        self.folder = folder
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.log = self.logs / "auth.log"
        self.state = folder / "state"
        (folder / "rule.yml").write_text(RULES)

    def start(self, *options):
        words = [sys.executable, "-m", "kulla", "watch", "run", str(self.state), *options]
        words += ["--rules", str(self.folder / "rule.yml"), "--only", "--quiet", "--every", "0.05"]
        if "--journal" not in options:
            words.append(str(self.logs))
        settings = os.environ | {"XDG_CACHE_HOME": str(self.folder / "cache")}
        return subprocess.Popen(words, env=settings, stdout=subprocess.DEVNULL)

    def once(self, *options):
        process = self.start("--once", *options)
        assert process.wait(60) == 0

    def add(self, text):
        with self.log.open("a") as log:
            log.write(text)

    def found(self, rule="failed"):
        path = self.state / "detections.jsonl"
        lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
        whole = [json.loads(one) for one in lines if one.endswith(b"\n")]
        return [one for one in whole if one["rule"] == rule]

    def numbers(self):
        return [one["fields"]["pid"] for one in self.found()]

    def status(self):
        words = [sys.executable, "-m", "kulla", "watch", "status", str(self.state), "--json"]
        return json.loads(subprocess.run(words, check=True, capture_output=True).stdout)

    def until(self, ready, process=None):
        for _ in range(600):
            if ready():
                return
            assert process is None or process.poll() is None, "the watch ended by itself"
            time.sleep(0.05)
        raise AssertionError("it did not come to pass")


@pytest.fixture
def watch(tmp_path):
    return Watch(tmp_path)


def ended(process):
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def test_what_is_written_is_found_and_a_stop_loses_nothing(watch):
    watch.add(line(1))
    process = watch.start()
    watch.until(lambda: watch.numbers() == [1], process)
    watch.add(line(2) + line(3)[:20])
    watch.until(lambda: watch.numbers() == [1, 2], process)
    assert watch.status()["running"]
    (watch.logs / "later.log").write_text(line(7))
    watch.until(lambda: watch.numbers() == [1, 2, 7], process)
    ended(process)
    assert not watch.status()["running"]
    watch.add(line(3)[20:])
    watch.once()
    assert watch.numbers() == [1, 2, 7, 3]


def test_correlations_remember_over_a_restart_and_tell_once(watch):
    for number in range(1, 6):
        watch.add(line(number))
        watch.once()
        assert len(watch.found("guessing")) == (number >= 3)
    assert [one["number"] for one in watch.found("guessing")[0]["events"]] == [1, 2, 3]
    watch.add(line(6, "198.51.100.1") + line(7, "198.51.100.1") + line(8, "198.51.100.1"))
    watch.once()
    groups = [one["fields"]["src_ip"] for one in watch.found("guessing")]
    assert groups == ["203.0.113.9", "198.51.100.1"]


@pytest.mark.long
@pytest.mark.timeout(300)
def test_killed_again_and_again_each_line_is_found_exactly_once(watch):
    written = 0
    for attempt in range(8):
        process = watch.start()
        for _ in range(40):
            watch.add("".join(line(written + n, f"10.0.{attempt}.{n}") for n in range(25)))
            written += 25
            time.sleep(0.01 * (attempt % 4))
        if attempt % 2:
            seen = len(watch.found())
            watch.until(lambda seen=seen: len(watch.found()) > seen, process)
        process.kill()
        process.wait()
        if attempt == 3:
            watch.log.rename(watch.logs / "auth.log.1")
    watch.once()
    assert sorted(watch.numbers()) == list(range(written))
    assert watch.status()["behind_bytes"] == 0


def test_what_was_rotated_while_nobody_read_is_read_first(watch):
    watch.add(line(1))
    watch.once()
    watch.add(line(2))
    watch.log.rename(watch.logs / "auth.log.1")
    watch.add(line(3))
    assert watch.status()["behind_bytes"] == len(line(2)) + len(line(3))
    watch.once()
    assert watch.numbers() == [1, 2, 3]
    assert watch.status()["rejects"] == []


def test_what_was_rotated_out_of_reach_is_said(watch):
    watch.add(line(1))
    watch.once()
    watch.log.unlink()
    watch.add(line(2))
    watch.once()
    assert watch.numbers() == [1, 2]
    (lost,) = watch.status()["rejects"]
    assert "rotated away" in lost["reason"]


def test_a_new_file_under_an_old_inode_is_read_from_its_start(watch):
    watch.add(line(1))
    watch.once()
    watch.log.write_text(line(2, "198.51.100.1") + line(3))
    watch.once()
    assert watch.numbers() == [1, 2, 3]


def test_a_log_that_cant_be_followed_is_named(watch):
    (watch.logs / "what").write_bytes(b"ElfFile\x00\n" * 9000)
    watch.add(line(1))
    watch.once()
    assert watch.numbers() == [1]
    assert watch.status()["troubled"] == 1
    assert "kulla watch scan" in watch.status()["rejects"][0]["reason"]


def test_a_second_watch_on_the_folder_is_refused(watch):
    watch.add(line(1))
    process = watch.start()
    watch.until(lambda: watch.numbers() == [1], process)
    assert watch.start("--once").wait(60) == 1
    ended(process)


def test_detections_that_were_rotated_go_on_in_a_fresh_file(watch):
    watch.add(line(1))
    process = watch.start()
    watch.until(lambda: watch.numbers() == [1], process)
    (watch.state / "detections.jsonl").rename(watch.state / "old")
    watch.add(line(2))
    watch.until(lambda: watch.numbers() == [2], process)
    ended(process)
    watch.add(line(3))
    watch.once()
    assert watch.numbers() == [2, 3]


def test_events_are_kept_and_those_of_a_round_that_died_are_undone(watch):
    watch.add(line(1))
    watch.once("--keep-hours", "24")
    with Store(watch.state / "events") as store:
        store.run("INSERT INTO event SELECT * REPLACE (99 AS round) FROM event")
    watch.add(line(2))
    watch.once("--keep-hours", "24")
    with Store(watch.state / "events") as store:
        rows = store.rows("SELECT number, round FROM event ORDER BY number").to_pylist()
    assert [one["number"] for one in rows] == [1, 2]


def test_the_journal_goes_on_at_its_cursor(watch, monkeypatch):
    journal = watch.folder / "entries"
    program = watch.folder / "journalctl"
    # A journal that holds the lines of a file; a cursor is the number of a line.
    program.write_text(
        "#!/bin/sh\nafter=0\n"
        'for word in "$@"; do case $word in --after-cursor=*) after=${word#*=c};; esac; done\n'
        f'tail -n +$((after + 1)) "{journal}"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{watch.folder}:{os.environ['PATH']}")

    def entries(count):
        found = []
        for number in range(1, count + 1):
            found.append(
                {
                    "__CURSOR": f"c{number}",
                    "__REALTIME_TIMESTAMP": str(1_767_322_800_000_000 + number * 1_000_000),
                    "SYSLOG_IDENTIFIER": "sshd",
                    "_PID": str(number),
                    "MESSAGE": "Failed password for root from 203.0.113.9 port 22",
                }
            )
        journal.write_text("".join(json.dumps(one) + "\n" for one in found))

    entries(2)
    watch.once("--journal")
    entries(4)
    watch.once("--journal")
    assert watch.numbers() == [1, 2, 3, 4]
    assert len(watch.found("guessing")) == 1

"""A reader that fails says so and reads again; nothing of it counts twice. Room in the inbox."""

from __future__ import annotations

import json
import threading

import pytest

from fakes.clock import HandClock
from kulla.watch.live.inbox import Inbox, Mark
from kulla.watch.live.tail import Tail
from kulla.watch.sources.batch import Batch
from kulla.watch.sources.lines import numbered
from kulla.watch.sources.recognise import WINDOWS_JSON, Readers

EVENT = json.dumps({"EventID": 1, "Channel": "Security", "n": 1}).encode() + b"\n"


@pytest.mark.timeout(30)
def test_a_reader_that_fails_says_so_and_its_lines_come_again(tmp_path, monkeypatch):
    monkeypatch.setattr("kulla.watch.live.tail.AGAIN_S", 0.01)
    failed, stop, inbox = [], threading.Event(), Inbox()

    def read(stream, file):
        for item in numbered(stream, file):
            if isinstance(item, tuple):
                yield Batch("windows", "", "", file, [item[0]], [item[1]])
                if item[0] == 2 and not failed:
                    failed.append(True)
                    raise KeyError("a fault of ours")

    log = tmp_path / "log"
    log.write_bytes(EVENT * 3)
    readers = Readers({WINDOWS_JSON: read})
    tail = Tail(log, inbox, readers, HandClock(), stop, {})
    counted, waiting, troubles = [], [], []
    tail.start()
    while not stop.is_set():
        found = inbox.get(1.0)
        assert found is not None
        item = found[1]
        if isinstance(item, Batch):
            waiting += item.numbers
            continue
        troubles.append(item.trouble)
        counted += [] if item.undone else waiting
        waiting = []
        if item.caught_up:
            stop.set()
    tail.join()
    assert counted == [1, 2, 3]
    assert any("a fault of ours" in one for one in troubles)
    assert not troubles[-1]


@pytest.mark.timeout(30)
def test_a_log_that_is_not_there_yet_is_said(tmp_path):
    stop, inbox = threading.Event(), Inbox()
    tail = Tail(tmp_path / "log", inbox, Readers(), HandClock(), stop, {}, once=True)
    tail.start()
    tail.join()
    found = inbox.get(0.0)
    assert found is not None
    assert found[1] == Mark({}, True, "there is no such file yet")


@pytest.mark.timeout(30)
def test_who_puts_too_much_waits_until_there_is_room():
    inbox = Inbox(bytes_max=10)
    batch = Batch("", "", "", "log", [1], [b"x" * 8])
    done = []

    def put():
        for _ in range(5):
            inbox.put("log", batch)
            done.append(1)

    thread = threading.Thread(target=put)
    thread.start()
    thread.join(0.3)
    assert len(done) == 2  # the first leaves room; after the second there is too much
    for _ in range(5):
        assert inbox.get(5.0) is not None
    thread.join()
    assert len(done) == 5

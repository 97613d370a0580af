"""A process of Kulla's logs lines that the watch reads as its own, from every thread."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from fakes.log_lines import events_of
from kulla.watch.sources import kulla_log

pytestmark = pytest.mark.live

PROGRAM = """
import threading
import structlog
from kulla.tower.logs import set_up_logs
set_up_logs("portal")
log = structlog.get_logger()
log.info("first")
thread = threading.Thread(target=lambda: log.warning("of a thread", source="x"))
thread.start()
thread.join()
log.error("process died", process="scribe", code=1)
"""


def test_lines_of_all_threads_say_whose_they_are():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, check=True, timeout=60
    )
    events, rejects = events_of(kulla_log.read(io.BytesIO(done.stderr), "log"))
    assert not rejects
    assert [(source[2], event["event"]) for source, _, event in sorted(events, key=_number)] == [
        ("portal", "first"),
        ("portal", "of a thread"),
        ("scribe", "process died"),
    ]
    assert all("_at_us" in event for _, _, event in events)


def _number(item):
    return item[1]

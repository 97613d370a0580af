"""Lines between processes: whole messages in both directions, whatever happens to a connection."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kulla.kernel.edges import SystemClock
from kulla.lines.door import Door
from kulla.lines.frames import FRAME_BYTES_MAX, FrameTooLong, Gathering, framed
from kulla.lines.line import Line


class Answering:
    """A door in a thread of its own that answers each message with `answer` of it."""

    def __init__(self, path: Path, answer: Callable[[bytes], bytes | None]) -> None:
        self.path = path
        self._answer = answer
        self.open()

    def open(self) -> None:
        """Listen, as a process does that was started."""
        self.door = Door(self.path)
        self._ended = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End, as a process does that was killed."""
        self._ended = True
        self.door.wake()
        self._thread.join(10)
        self.door.close()

    def _serve(self) -> None:
        while not self._ended:
            for token, message in self.door.take(1.0):
                answer = self._answer(message)
                if answer is not None:
                    self.door.send(token, answer)


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[Answering]:
    answering = Answering(
        tmp_path / "door", lambda message: None if message == b"mute" else message
    )
    yield answering
    answering.close()


@given(st.lists(st.binary(max_size=300), max_size=8), st.lists(st.integers(1, 40), max_size=60))
def test_messages_come_out_whole_wherever_the_stream_is_cut(
    messages: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(map(framed, messages))
    gathering, found = Gathering(), []
    for cut in [*cuts, len(stream)]:
        found += gathering.feed(stream[:cut])
        stream = stream[cut:]
    assert found == messages


def test_a_message_beyond_bounds_is_refused() -> None:
    with pytest.raises(FrameTooLong):
        Gathering().feed((FRAME_BYTES_MAX + 1).to_bytes(4, "big"))
    with pytest.raises(FrameTooLong):
        framed(bytes(FRAME_BYTES_MAX + 1))


def test_many_threads_each_get_their_own_answer(echo: Answering) -> None:
    line, wrong = Line(echo.path, SystemClock()), []

    def ask(number: int) -> None:
        for turn in range(50):
            message = b"%d %d" % (number, turn)
            if line.ask(message, 10) != message:
                wrong.append(message)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []


def test_a_large_message_goes_through_in_both_directions(echo: Answering) -> None:
    message = bytes(range(256)) * 40_000
    assert Line(echo.path, SystemClock()).ask(message, 20) == message


def test_an_answer_that_comes_too_late_is_never_taken_for_the_next_one(tmp_path: Path) -> None:
    gate = threading.Event()

    def slow(message: bytes) -> bytes:
        if message == b"slow":
            gate.wait(10)
        return message

    answering = Answering(tmp_path / "door", slow)
    line = Line(answering.path, SystemClock())
    assert line.ask(b"slow", 0.2) is None
    gate.set()
    assert line.ask(b"quick", 10) == b"quick"
    answering.close()


def test_who_was_away_is_asked_again_once_it_is_back(echo: Answering) -> None:
    line = Line(echo.path, SystemClock())
    assert line.ask(b"1", 5) == b"1"
    echo.close()
    assert line.ask(b"2", 0.3) is None
    threading.Timer(0.3, echo.open).start()
    assert line.ask(b"3", 10) == b"3"


def test_a_silent_door_costs_no_more_than_the_wait(echo: Answering) -> None:
    assert Line(echo.path, SystemClock()).ask(b"mute", 0.1) is None


def test_a_guest_who_sends_garbage_or_leaves_hurts_nobody(echo: Answering) -> None:
    for sent in (b"\xff\xff\xff\xff", b"\0\0", b"", framed(b"left before the answer")):
        with socket.socket(socket.AF_UNIX) as guest:
            guest.connect(str(echo.path))
            guest.sendall(sent)
    assert Line(echo.path, SystemClock()).ask(b"still there", 5) == b"still there"


def test_a_reader_who_does_not_read_is_not_waited_for(tmp_path: Path) -> None:
    answering = Answering(tmp_path / "door", lambda _: bytes(3 * 2**20))
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.connect(str(answering.path))
        deaf.sendall(framed(b"?") * 3)
        assert len(Line(answering.path, SystemClock()).ask(b"?", 10) or b"") == 3 * 2**20
        gathering, found = Gathering(), []
        while len(found) < 3:
            found += gathering.feed(deaf.recv(2**20))
    answering.close()


def test_news_come_until_the_other_side_ends(tmp_path: Path) -> None:
    door = Door(tmp_path / "door")
    heard: list[bytes] = []
    line = Line(tmp_path / "door", SystemClock())
    listener = threading.Thread(target=lambda: heard.extend(line.listen(b"news")))
    listener.start()
    taken: list[tuple[int, bytes]] = []
    while not taken:
        taken = door.take(5.0)
    [(token, message)] = taken
    assert message == b"news"
    assert door.send(token, b"one")
    assert door.send(token, b"two")
    door.close()
    listener.join(10)
    assert heard == [b"one", b"two"]


def test_a_wake_ends_a_rest(tmp_path: Path) -> None:
    door = Door(tmp_path / "door")
    threading.Timer(0.1, door.wake).start()
    before_s = SystemClock().monotonic_s()
    door.rest(30)
    assert SystemClock().monotonic_s() - before_s < 20
    door.close()

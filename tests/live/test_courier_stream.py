"""Rounds that are sent on without waiting: in order, each cosigned, and never lost by a fault."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlsplit

import pytest

from fakes.embassy_process import EmbassyProcess, embassy_process
from kulla.embassy.client import EmbassyClient
from kulla.embassy.errors import AnswerInvalid, EmbassyError, Unreachable
from kulla.journal.filestore import FileTileStore
from kulla.journal.notes import NoteSignature
from kulla.kernel.edges import SystemClock
from kulla.scribe.courier import Courier, Delivery
from kulla.scribe.log import Log, Round
from kulla.scribe.stream import Stream

pytestmark = pytest.mark.live

WAIT_S = 30


class NoBlobs:
    def fetch(self, names: Sequence[bytes]) -> Mapping[bytes, bytes]:
        return {}


@pytest.fixture
def embassy(tmp_path: Path) -> Iterator[EmbassyProcess]:
    with embassy_process(tmp_path, "") as embassy:
        yield embassy


@pytest.fixture
def log(embassy: EmbassyProcess, tmp_path: Path) -> Log:
    return Log(embassy.tower.log_key, FileTileStore(tmp_path / "home", create=True), 0)


def delivery_to(embassy: EmbassyProcess, log: Log, url: str = "") -> Delivery:
    stream = Stream(url or embassy.url, SystemClock(), timeout_s=5)
    client = EmbassyClient(embassy.url, name=embassy.keys.name)
    return Delivery(client, embassy.keys.mirror, log, NoBlobs(), stream)


def rounds(log: Log, count: int, entries: int = 3) -> list[Round]:
    return [
        log.join([b"entry %d of %d" % (number, log.size) for number in range(entries)])
        for _ in range(count)
    ]


def send_and_wait(delivery: Delivery, parcel: Round) -> None:
    """Where the line broke, either the sending shows it or the answer that does not come."""
    delivery.send_on(parcel)
    delivery.arrived()


def ask(stream: Stream) -> None:
    stream.send(("/add-checkpoint", b"old 0\n"))
    stream.answer()


def test_rounds_are_sent_before_the_first_is_answered(embassy: EmbassyProcess, log: Log):
    delivery = delivery_to(embassy, log)
    first, *later = rounds(log, 6, entries=200)
    assert not delivery.send_on(first), "where the embassy stands is not known yet"
    delivery.bring(first)
    assert [delivery.send_on(parcel) for parcel in later] == [True] * 5
    assert delivery.under_way == 5
    for parcel in later:
        answered, cosignature = delivery.arrived()
        assert answered is parcel
        text = parcel.checkpoint.partition(b"\n\n")[0].decode() + "\n"
        assert embassy.keys.mirror.verifies(text, cosignature.payload)
    assert embassy.client().checkpoint(log.origin).startswith(later[-1].checkpoint)


def test_a_round_with_blobs_and_one_of_the_same_size_are_brought_step_by_step(
    embassy: EmbassyProcess, log: Log
):
    delivery = delivery_to(embassy, log)
    [first] = rounds(log, 1)
    delivery.bring(first)
    assert not delivery.send_on(log.join([])), "nothing is new"
    assert not delivery.send_on(log.join([b"entry"], (b"a wrapped key",)))


def test_an_embassy_that_another_brought_further_is_found_out(embassy: EmbassyProcess, log: Log):
    delivery, other = delivery_to(embassy, log), delivery_to(embassy, log)
    first, second, third = rounds(log, 3)
    delivery.bring(first)
    other.bring(third)
    assert delivery.send_on(second)
    with pytest.raises(AnswerInvalid):
        delivery.arrived()
    assert delivery.under_way == 0
    [fourth] = rounds(log, 1)
    assert delivery.bring(fourth)


def test_an_embassy_that_is_started_anew_gets_what_was_under_way(embassy: EmbassyProcess, log: Log):
    delivery = delivery_to(embassy, log)
    first, second, third = rounds(log, 3)
    delivery.bring(first)
    assert delivery.send_on(second)
    delivery.arrived()
    embassy.kill()
    with pytest.raises(Unreachable):
        send_and_wait(delivery, third)
    assert delivery.under_way == 0


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """A server that answers every connection with these bytes, whatever it is asked."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(WAIT_S)


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (b"", Unreachable),
        (b"HTTP/1.1 200 OK\r\nContent-Le", Unreachable),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", Unreachable),
        (b"HTTP/1.1 200 OK\r\n\r\n", AnswerInvalid),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", AnswerInvalid),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", AnswerInvalid),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", AnswerInvalid),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", AnswerInvalid),
        (b"x" * 70_000, AnswerInvalid),
    ],
)
def test_what_is_no_answer_ends_the_stream(answer: bytes, wrong: type[EmbassyError]):
    with answering(answer) as url:
        stream = Stream(url, SystemClock(), timeout_s=5)
        with pytest.raises(wrong):
            ask(stream)
        stream.close()


def test_silence_is_noticed_however_often_the_bell_rings():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        stream = Stream(f"http://127.0.0.1:{silent.getsockname()[1]}", SystemClock(), 0.3)
        stream.send(("/add-checkpoint", b""))
        bell = os.eventfd(1, os.EFD_NONBLOCK)
        assert not stream.answered(bell)
        os.eventfd_read(bell)
        with pytest.raises(Unreachable):
            stream.answered(bell)
        os.close(bell)


def test_a_stream_that_never_works_is_given_up(embassy: EmbassyProcess, log: Log):
    with answering(b"HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n" * 2) as url:
        delivery = delivery_to(embassy, log, url)
        sent = []
        for parcel in rounds(log, 12):
            sent.append(delivery.send_on(parcel))
            if sent[-1]:
                with pytest.raises(EmbassyError):
                    delivery.arrived()
            delivery.bring(parcel)
    assert sent.count(True) == 5
    assert not any(sent[-3:])


def test_a_courier_brings_all_rounds_although_the_embassy_dies(embassy: EmbassyProcess, log: Log):
    held: SimpleQueue[tuple[str, int, NoteSignature]] = SimpleQueue()
    broken: list[Exception] = []

    def told(*what: Any) -> None:
        held.put(what)

    courier = Courier("e", delivery_to(embassy, log), told, lambda *_: None, broken.append)
    courier.start()
    sizes = []
    for parcel in rounds(log, 4):
        courier.send(parcel)
    while not sizes or sizes[-1] < log.size:
        sizes.append(held.get(timeout=WAIT_S)[1])
    assert sizes == [3, 6, 9, 12]
    embassy.kill()
    for parcel in rounds(log, 3):
        courier.send(parcel)
    settings = embassy.folder / "embassy.toml"
    settings.write_text(settings.read_text().replace("127.0.0.1:0", urlsplit(embassy.url).netloc))
    embassy.start()
    while sizes[-1] < log.size:
        sizes.append(held.get(timeout=WAIT_S)[1])
    courier.stop()
    courier.join(WAIT_S)
    assert sizes[-1] == 21
    assert not broken

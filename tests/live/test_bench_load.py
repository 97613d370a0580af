"""The bench's own tools: what they measure must be what a citizen would wait."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

from kulla.bench.delay import DelayProxy
from kulla.bench.errors import BenchFailed
from kulla.bench.exchange import AnswerReader, request
from kulla.bench.load import ClosedLoop, Done, OpenLoop, Request, drive, percentile

pytestmark = pytest.mark.live

ANSWER = b"HTTP/1.1 303 See Other\r\ncontent-length: 2\r\nLocation: /there\r\n\r\nok"
STALL_S = 0.5
DELAY_S = 0.05


@contextmanager
def stalling(stall_at: int) -> Iterator[int]:
    """A server that answers one request at a time, at once, but the `stall_at`-th after STALL_S.

    It reads requests of 4 bytes. Fault model: nothing else goes wrong.
    """
    turn = threading.Lock()
    count = 0

    def serve(connection: socket.socket) -> None:
        nonlocal count
        with connection:
            while connection.recv(4):
                with turn:
                    count += 1
                    if count == stall_at:
                        time.sleep(STALL_S)
                    connection.sendall(ANSWER)

    def listen() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        threading.Thread(target=listen, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def asks(count: int) -> list[Request]:
    return [Request(number, b"ask!") for number in range(count)]


def slow(done: list[Done]) -> list[Done]:
    return [one for one in done if one.took_s > STALL_S / 10]


def test_an_open_loop_counts_from_when_a_request_was_due():
    with stalling(stall_at=50) as port:
        pace = OpenLoop(asks(200), [number / 200 for number in range(200)])
        done = drive(("127.0.0.1", port), 4, pace, time.monotonic)
    assert sorted(one.tag for one in done) == list(range(200))
    assert {(one.status, one.location) for one in done} == {(303, "/there")}
    # About a hundred were due during the stall; each waited for what was left of it.
    late = slow(done)
    assert 60 <= len(late) <= 130
    assert max(one.took_s for one in late) >= STALL_S * 0.9
    by_due = [one.took_s for one in sorted(late, key=lambda one: one.due_s)]
    assert by_due[5] > by_due[-5], "who was due later waited less"


def test_a_closed_loop_leaves_out_those_who_would_have_come():
    with stalling(stall_at=50) as port:
        pace = ClosedLoop(asks(100_000), 1.2)
        done = drive(("127.0.0.1", port), 4, pace, time.monotonic)
    assert len(done) > 200
    assert 1 <= len(slow(done)) <= 8, "one for each connection, whatever the stall kept away"


def test_a_closed_loop_ends_when_its_time_is_over_or_nothing_is_left():
    with stalling(stall_at=-1) as port:
        begin_s = time.monotonic()
        done = drive(("127.0.0.1", port), 2, ClosedLoop(asks(10), 60), time.monotonic)
        assert len(done) == 10
        assert time.monotonic() - begin_s < 30
        drive(("127.0.0.1", port), 2, ClosedLoop(asks(1_000_000), 0.2), time.monotonic)
        assert time.monotonic() - begin_s < 30


def test_a_connection_that_breaks_counts_as_no_answer_and_is_made_again():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def rude() -> None:
            for _ in range(6):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(4)

        threading.Thread(target=rude, daemon=True).start()
        address = ("127.0.0.1", listener.getsockname()[1])
        done = drive(address, 1, ClosedLoop(asks(5), 60), time.monotonic)
    assert [one.status for one in done] == [0] * 5


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_an_answer_is_put_together_from_pieces_of_any_length(piece: int):
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    empty = b"HTTP/1.1 204 No Content\r\nX-Y: z\r\n\r\n"
    for data, status, end in [
        (ANSWER, 303, b"ok"),
        (chunked, 200, b"0\r\n\r\n"),
        (empty, 204, b""),
    ]:
        reader = AnswerReader()
        pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
        *first, last = [reader.feed(part) for part in pieces]
        assert first == [None] * len(first)
        assert last is not None
        assert last.status == status
        assert last.body.endswith(end)
    assert AnswerReader().feed(ANSWER).header("location") == "/there"  # type: ignore[union-attr]


def test_what_is_not_http_is_said_to_be():
    with pytest.raises(BenchFailed):
        AnswerReader().feed(b"220 smtp.example ESMTP\r\n\r\n")


def test_a_request_is_a_browser_s():
    data = request("POST", "/x", "localhost:1", cookies="a=b", body=b"c=d").decode()
    head, _, body = data.partition("\r\n\r\n")
    assert body == "c=d"
    for line in ("POST /x HTTP/1.1", "Host: localhost:1", "Cookie: a=b", "Content-Length: 3"):
        assert line in head.split("\r\n")


def test_percentiles_are_values_that_were_measured():
    values = [float(number) for number in range(1, 101)]
    assert percentile(values[::-1], 0.5) == 50
    assert percentile(values, 0.99) == 99
    assert percentile(values, 1) == 100
    assert percentile([7.0], 0.01) == 7
    with pytest.raises(BenchFailed):
        percentile([], 0.5)


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def with_proxy(serve: Talk, talk: Talk) -> None:
    """Let `talk` speak to `serve` through a proxy that delays by DELAY_S each way."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy = DelayProxy(DELAY_S)
    port = await proxy.listen(server.sockets[0].getsockname()[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(30):
            await talk(reader, writer)
    finally:
        writer.close()
        await proxy.close()
        server.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()


def test_the_delay_is_paid_each_way_and_by_all_that_is_under_way_together():
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(3):
            begin_s = time.monotonic()
            writer.write(b"ping")
            assert await reader.readexactly(4) == b"ping"
            assert 2 * DELAY_S <= time.monotonic() - begin_s < 20 * DELAY_S
        begin_s = time.monotonic()
        for _ in range(40):
            writer.write(b"ping")
            await asyncio.sleep(0.001)
        await reader.readexactly(160)
        assert time.monotonic() - begin_s < 40 * 2 * DELAY_S / 2

    asyncio.run(with_proxy(echo, talk))


def test_all_bytes_come_through_in_order():
    data = b"".join(number.to_bytes(4, "big") for number in range(500_000))

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        assert await reader.readexactly(len(data)) == data

    asyncio.run(with_proxy(echo, talk))


def test_an_end_comes_through_after_what_was_said_before():
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"goodbye")
        writer.close()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begin_s = time.monotonic()
        assert await reader.read() == b"goodbye"
        assert time.monotonic() - begin_s >= DELAY_S * 0.9

    asyncio.run(with_proxy(serve, talk))


def test_a_target_that_is_away_looks_like_a_broken_connection():
    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            nobody = taken.getsockname()[1]
        proxy = DelayProxy(DELAY_S)
        port = await proxy.listen(nobody)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()
        await proxy.close()

    asyncio.run(run())

"""Load on one server over kept connections, in a closed or in an open loop.

Closed: each connection sends its next request once the last was answered; it finds how much a
server can take. Open: requests are due at instants that were drawn beforehand, whatever the server
does, and how long one took counts from the instant when it was due. A loop that waits for a slow
answer before it sends the next one would leave out just the requests that would have waited
('coordinated omission', Gil Tene).
"""

from __future__ import annotations

import gc
import select
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple, Protocol

from kulla.bench.errors import BenchFailed
from kulla.bench.exchange import Answer, AnswerReader

Address = tuple[str, int]

SILENCE_S: Final = 60.0
_RECEIVE_BYTES: Final = 1 << 18


class Request(NamedTuple):
    """A request that is ready to send; `tag` is the caller's number for it."""

    tag: int
    data: bytes


class Done(NamedTuple):
    """What became of a request. `status` 0: the connection ended without an answer.

    `due_s` and `done_s` are on the monotonic clock: when it was due (in a closed loop, when it was
    sent) and when its answer was there whole.
    """

    tag: int
    status: int
    location: str
    due_s: float
    done_s: float

    @property
    def took_s(self) -> float:
        """How long whoever sent it waited."""
        return self.done_s - self.due_s


class Pace(Protocol):
    """Says when requests are due."""

    def begin(self, now_s: float) -> None:
        """The clock runs from here."""
        ...

    def due_s(self, now_s: float) -> float | None:
        """When the next request is due; None where none is left or the time is over."""
        ...

    def take(self) -> Request:
        """The next request, which now counts as sent."""
        ...


class ClosedLoop:
    """The next request as soon as a connection is idle, for `seconds`."""

    def __init__(self, requests: Iterable[Request], seconds: float) -> None:
        self._requests = iter(requests)
        self._next = next(self._requests, None)
        self._seconds = seconds
        self._end_s = 0.0

    def begin(self, now_s: float) -> None:
        """See Pace."""
        self._end_s = now_s + self._seconds

    def due_s(self, now_s: float) -> float | None:
        """See Pace."""
        return now_s if self._next is not None and now_s < self._end_s else None

    def take(self) -> Request:
        """See Pace."""
        taken = self._next
        assert taken is not None
        self._next = next(self._requests, None)
        return taken


class OpenLoop:
    """Requests at given instants (seconds from the begin, ascending), whatever the server does."""

    def __init__(self, requests: Iterable[Request], instants_s: Iterable[float]) -> None:
        self._plan: Iterator[tuple[float, Request]] = zip(instants_s, requests, strict=False)
        self._next = next(self._plan, None)
        self._begin_s = 0.0

    def begin(self, now_s: float) -> None:
        """See Pace."""
        self._begin_s = now_s

    def due_s(self, now_s: float) -> float | None:
        """See Pace."""
        del now_s
        return None if self._next is None else self._begin_s + self._next[0]

    def take(self) -> Request:
        """See Pace."""
        assert self._next is not None
        _, taken = self._next
        self._next = next(self._plan, None)
        return taken


class _Line:
    """One kept connection, and the request that is under way on it."""

    __slots__ = ("due_s", "reader", "socket", "tag")

    def __init__(self, address: Address) -> None:
        self.socket = connect(address)
        self.socket.setblocking(False)
        self.reader = AnswerReader()
        self.tag = -1
        self.due_s = 0.0

    def send(self, request: Request, due_s: float) -> None:
        """Send a request; what is under a few kilobytes always fits an idle connection."""
        self.tag, self.due_s = request.tag, due_s
        if self.socket.send(request.data) != len(request.data):
            raise BenchFailed("a request did not fit a connection.")

    def receive(self) -> Answer | None:
        """The answer once it is whole; raises ConnectionError where the server hung up."""
        data = self.socket.recv(_RECEIVE_BYTES)
        if not data:
            raise ConnectionResetError
        return self.reader.feed(data)


def connect(address: Address, source: str = "", timeout_s: float = 30.0) -> socket.socket:
    """A connection, from the loopback address `source` where one is named."""
    bound = (source, 0) if source else None
    made = socket.create_connection(address, timeout=timeout_s, source_address=bound)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def drive(
    address: Address, connections: int, pace: Pace, monotonic_s: Callable[[], float]
) -> list[Done]:
    """Send what `pace` says over `connections` kept connections, until all is answered.

    Raises BenchFailed where nothing is answered for a minute.
    """
    lines = {line.socket.fileno(): line for line in (_Line(address) for _ in range(connections))}
    try:
        with _no_collection(), select.epoll() as poller:
            for number in lines:
                poller.register(number, select.EPOLLIN)
            return _drive(address, lines, pace, monotonic_s, poller)
    finally:
        for line in lines.values():
            line.socket.close()


def _drive(
    address: Address,
    lines: dict[int, _Line],
    pace: Pace,
    monotonic_s: Callable[[], float],
    poller: select.epoll,
) -> list[Done]:
    idle = deque(lines.values())
    done: list[Done] = []
    heard_s = monotonic_s()
    pace.begin(heard_s)
    while True:
        now_s = monotonic_s()
        due_s = pace.due_s(now_s)
        while idle and due_s is not None and due_s <= now_s:
            idle.popleft().send(pace.take(), due_s)
            due_s = pace.due_s(now_s)
        if due_s is None and len(idle) == len(lines):
            return done
        wait_s = 1.0 if due_s is None or not idle else min(1.0, due_s - now_s)
        for number, _ in poller.poll(max(0.0, wait_s)):
            line = lines[number]
            try:
                answer = line.receive()
            except ConnectionError:
                answer = Answer(0, b"", b"")
                poller.unregister(number)
                line = _again(address, lines, number)
                poller.register(line.socket.fileno(), select.EPOLLIN)
            if answer is None:
                continue
            heard_s = monotonic_s()
            location = answer.header("location") if 300 <= answer.status < 400 else ""
            done.append(Done(line.tag, answer.status, location, line.due_s, heard_s))
            idle.append(line)
        if len(idle) < len(lines) and monotonic_s() - heard_s > SILENCE_S:
            raise BenchFailed(
                f"{len(lines) - len(idle)} requests were not answered for {SILENCE_S:.0f} s.",
                place=f"{address[0]}:{address[1]}",
                remedy="The logs of the throwaway tower say why; keep them with --keep.",
            )


def _again(address: Address, lines: dict[int, _Line], number: int) -> _Line:
    """A fresh connection in the place of one that the server closed."""
    old = lines.pop(number)
    old.socket.close()
    fresh = _Line(address)
    fresh.tag, fresh.due_s = old.tag, old.due_s
    lines[fresh.socket.fileno()] = fresh
    return fresh


@contextmanager
def _no_collection() -> Iterator[None]:
    """No pauses of our own garbage collection in what others' latency is read from."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of `values` that at least `share` (0 to 1) of them do not exceed."""
    if not values:
        raise BenchFailed("there is nothing to take a percentile of.")
    ordered = sorted(values)
    rank = -(-len(ordered) * round(share * 1_000_000) // 1_000_000)
    return ordered[max(0, min(rank, len(ordered)) - 1)]

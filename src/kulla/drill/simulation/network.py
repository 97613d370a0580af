"""Lines between whoever asks and the embassies: they delay, drop, repeat, reorder, and are cut.

Fault model, by the chances of the seed's `Weather`:

- A request is lost on its way, or its answer is; the asker can't tell which (Unreachable).
- A request comes late: the asker has given up, and it arrives some time afterwards, behind others.
- A request is done twice, as by a client that sends again on a fresh connection.
- A line is cut for a while, in both directions.
- While a request or an answer is under way the world goes on: others act, processes die.

A stream (scribe.stream) keeps its order and breaks as a whole; what was sent before it broke may
still arrive.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kulla.drill.simulation.mortal import Life
from kulla.embassy.client import Answer, EmbassyClient
from kulla.embassy.errors import Unreachable
from kulla.embassy.replies import Reply
from kulla.scribe.stream import StreamAnswer

if TYPE_CHECKING:
    from kulla.drill.simulation.embassies import EmbassyNode
    from kulla.drill.simulation.world import World

LATE_MAX = 12
_SLOW_EVENTS = 20


@dataclass(frozen=True, slots=True)
class Weather:
    """How bad the lines are: the chance of each mishap for one request, 0.0 to 1.0."""

    lost: float = 0.0
    answer_lost: float = 0.0
    late: float = 0.0
    repeated: float = 0.0
    meanwhile: float = 0.0


FAIR = Weather()


@dataclass(frozen=True, slots=True)
class Request:
    """One request that is under way."""

    embassy: EmbassyNode
    method: str
    path: str
    body: bytes


class Network:
    """All lines of one world."""

    def __init__(self, world: World, weather: Weather) -> None:
        self._world = world
        self.weather = weather
        self.cut: set[tuple[str, str]] = set()
        self.late: deque[Request] = deque()

    def client(self, asker: str, life: Life, embassy: EmbassyNode) -> EmbassyClient:
        """A client of `embassy` for the process that lives this `life` at the site `asker`."""
        line = Line(self._world, self, asker, life, embassy)
        return EmbassyClient("http://in-process", name=embassy.name, transport=line)

    def is_cut(self, asker: str, embassy: str) -> bool:
        """Whether nothing gets through between the two now."""
        return (asker, embassy) in self.cut

    def put_late(self, request: Request) -> None:
        """It arrives some time, or is dropped where too many others wait."""
        if len(self.late) < LATE_MAX:
            self.late.append(request)

    def note_broken_stream(self) -> None:
        """A stream breaks, and some of what was sent on it was not answered."""
        self._world.met("a stream breaks with rounds under way")

    def arrive_late(self) -> None:
        """One of the requests that were given up arrives; its answer goes nowhere."""
        if not self.late:
            return
        self.late.rotate(-self._world.chance.randrange(len(self.late)))
        request = self.late.popleft()
        self._world.met("a request comes late")
        self._world.note("late", request.embassy.name, request.path)
        request.embassy.serve(request.method, request.path, request.body)

    def carry(self, asker: str, life: Life, request: Request) -> Reply:
        """Bring a request there and its answer back. Raises Unreachable."""
        weather, chance = self.weather, self._world.chance
        # What a takeover asks is followed by people, and goes to another country.
        slow = request.embassy.slow
        most = _SLOW_EVENTS if slow or self._world.takeovers.is_under_way(asker) else 1
        name = request.embassy.name
        roll = chance.random()
        if self.is_cut(asker, name) or roll < weather.lost:
            self._world.met("a request is lost")
            raise Unreachable("lost on the way.", place=name)
        roll -= weather.lost
        if roll < weather.late:
            self.put_late(request)
            raise Unreachable("too slow.", place=name)
        if self._world.meanwhile(most):
            life.check()
        if roll - weather.late < weather.repeated:
            self._world.met("a request comes twice")
            request.embassy.serve(request.method, request.path, request.body)
        reply = request.embassy.serve(request.method, request.path, request.body)
        if self._world.meanwhile(most, surely=slow):
            life.check()
            if slow:
                self._world.met("an embassy answers long after the others")
        lost = chance.random() < weather.answer_lost
        if reply is None or lost or self.is_cut(asker, name):
            self._world.met("an answer is lost")
            raise Unreachable("no answer came.", place=name)
        return reply


class Line:
    """A client's way to one embassy (embassy.client.Transport)."""

    def __init__(
        self, world: World, network: Network, asker: str, life: Life, embassy: EmbassyNode
    ) -> None:
        self._world = world
        self._network = network
        self._asker = asker
        self._life = life
        self._embassy = embassy

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:  # noqa: ARG002
        """See Transport. A request is one step of its process's life."""
        request = Request(self._embassy, method, path, body)
        reply = self._life.step(lambda: self._network.carry(self._asker, self._life, request))
        return Answer(reply.status, reply.media_type, reply.body)

    def close(self) -> None:
        """See Transport."""


class SimulatedStream:
    """A pipelined line to one embassy (scribe.stream.Stream)."""

    def __init__(self, network: Network, asker: str, life: Life, embassy: EmbassyNode) -> None:
        self._network = network
        self._asker = asker
        self._life = life
        self._embassy = embassy
        self._sent: deque[Request] = deque()
        self._answers: deque[StreamAnswer] = deque()

    def send(self, *requests: tuple[str, bytes]) -> None:
        """See Stream."""
        for path, body in requests:
            self._sent.append(Request(self._embassy, "POST", path, body))

    def answered(self, bell: int) -> bool:  # noqa: ARG002
        """Whether an answer is there. Raises Unreachable where the stream broke."""
        if not self._answers:
            self._move()
        return bool(self._answers)

    def answer(self) -> StreamAnswer:
        """See Stream."""
        if not self._answers:
            self._move()
        return self._answers.popleft()

    def _move(self) -> None:
        if not self._sent:
            raise Unreachable("nothing is under way.", place=self._embassy.name)
        request = self._sent.popleft()
        try:
            reply = self._life.step(lambda: self._network.carry(self._asker, self._life, request))
        except Unreachable:
            self.close()
            raise
        self._answers.append(StreamAnswer(reply.status, reply.body))

    def close(self) -> None:
        """See Stream. What was sent may still arrive."""
        if self._sent:
            self._network.note_broken_stream()
        for request in self._sent:
            self._network.put_late(request)
        self._sent.clear()
        self._answers.clear()

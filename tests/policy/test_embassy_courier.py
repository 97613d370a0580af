"""Bringing an embassy level, from wherever it stands, through the client that a scribe uses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import pytest

from fakes.embassy import NAME, GrowingLog, SimulatedEmbassy
from fakes.signers import MadeUpTower
from kulla.embassy.client import Answer, EmbassyClient
from kulla.embassy.courier import Standing, bring_level
from kulla.embassy.errors import (
    AnswerInvalid,
    Conflict,
    ForkRefused,
    MissingBlobs,
    Refused,
    SizeConflict,
    Unreachable,
)
from kulla.embassy.quota import Limits
from kulla.journal.notes import NoteSignature, parse_note

TOWER = MadeUpTower()


class Line:
    """The way to an embassy in this process.

    Fault model: the request number `lost_at` is lost, or its answer is where `answered` is True;
    `changed` rewrites an answer's body.
    """

    def __init__(self, embassy: SimulatedEmbassy) -> None:
        self.embassy = embassy
        self.asked: list[str] = []
        self.lost_at = -1
        self.answered = False
        self.changed: Mapping[str, bytes] = {}

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.asked.append(path)
        lost = len(self.asked) - 1 == self.lost_at
        if lost and not self.answered:
            raise Unreachable("lost", place=NAME)
        mirror = self.embassy.mirror
        reply = {
            "/add-checkpoint": mirror.add_checkpoint,
            "/add-entries": mirror.add_entries,
            "/add-blobs": mirror.add_blobs,
        }[path](body)
        if lost:
            raise Unreachable("lost", place=NAME)
        return Answer(reply.status, reply.media_type, self.changed.get(path, reply.body))

    def close(self) -> None:
        pass


class Shelf:
    """Blobs at home."""

    def __init__(self, *blobs: bytes) -> None:
        self.blobs = {hashlib.sha256(blob).digest(): blob for blob in blobs}

    def read(self, names: Iterable[bytes]) -> Sequence[bytes]:
        return [self.blobs[name] for name in names]


def entries(count: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(count)]


@pytest.fixture
def embassy() -> SimulatedEmbassy:
    return SimulatedEmbassy(TOWER)


@pytest.fixture
def line(embassy: SimulatedEmbassy) -> Line:
    return Line(embassy)


def bring(
    line: Line, log: GrowingLog, standing: Standing | None = None, shelf: Shelf | None = None
) -> NoteSignature:
    client = EmbassyClient("http://here", name=NAME, transport=line)
    at = Standing() if standing is None else standing
    return bring_level(client, log.tree, log.note(), line.embassy.mirror_key, at, shelf)


def held(embassy: SimulatedEmbassy) -> int:
    return embassy.mirror._logs[TOWER.origin].mirrored_size


def test_a_round_costs_two_requests(line: Line, embassy: SimulatedEmbassy):
    log, standing = GrowingLog(TOWER.log_key, entries(10)), Standing()
    for _ in range(5):
        line.asked.clear()
        signature = bring(line, log, standing)
        assert embassy.mirror_key.verifies(parse_note(log.note()).text, signature.payload)
        assert line.asked == ["/add-checkpoint", "/add-entries"]
        log.grow(entries(30))
    assert held(embassy) == 130


def test_a_new_embassy_is_filled_in_requests_of_32_packages(line: Line, embassy: SimulatedEmbassy):
    log = GrowingLog(TOWER.log_key, entries(20_000))
    bring(line, log)
    assert line.asked == ["/add-checkpoint", *["/add-entries"] * 3]
    assert held(embassy) == 20_000


def test_a_courier_that_forgot_everything_finds_out_where_the_embassy_stands(
    line: Line, embassy: SimulatedEmbassy
):
    log = GrowingLog(TOWER.log_key, entries(1000))
    bring(line, log)
    log.grow(entries(700))
    embassy.crash()
    bring(line, log, Standing())
    assert held(embassy) == 1700


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("lost_at", range(5))
def test_whatever_is_lost_on_the_way_a_second_try_succeeds(
    line: Line, embassy: SimulatedEmbassy, lost_at: int, answered: bool
):
    """A lost request and a lost answer, at each step of filling a new embassy."""
    embassy.mirror.limits = Limits(packages_max=1)
    log, standing = GrowingLog(TOWER.log_key, entries(900)), Standing()
    line.lost_at, line.answered = lost_at, answered
    with pytest.raises(Unreachable):
        bring(line, log, standing)
    bring(line, log, standing)
    assert held(embassy) == 900


def test_blobs_are_sent_when_the_embassy_misses_them(line: Line, embassy: SimulatedEmbassy):
    shelf = Shelf(b"wrapped key", b"a file")
    log = GrowingLog(TOWER.log_key, [TOWER.sealer.seal(b"act", list(shelf.blobs))])
    with pytest.raises(MissingBlobs) as missing:
        bring(line, log)
    assert list(missing.value.names) == list(shelf.blobs)
    bring(line, log, shelf=shelf)
    assert embassy.blobs.missing(shelf.blobs) == []
    assert held(embassy) == 1


def test_a_long_journal_may_name_more_blobs_than_answers_list(
    line: Line, embassy: SimulatedEmbassy
):
    shelf = Shelf(*(b"key %d" % number for number in range(72_000)))
    names = list(shelf.blobs)
    acts = [TOWER.sealer.seal(b"act", names[at : at + 240]) for at in range(0, 72_000, 240)]
    bring(line, GrowingLog(TOWER.log_key, acts), shelf=shelf)
    assert embassy.blobs.missing(names) == []
    assert held(embassy) == 300


def test_a_fork_is_told_apart_from_a_lost_answer(line: Line, embassy: SimulatedEmbassy):
    log = GrowingLog(TOWER.log_key, entries(10))
    bring(line, log)
    fork = log.fork(5)
    fork.grow([b"forged"] * 5)
    with pytest.raises(ForkRefused) as refused:
        bring(line, fork)
    assert refused.value.held == log.note()
    fork.grow([b"forged"])
    with pytest.raises(Refused) as grown:
        bring(line, fork)
    assert grown.value.status == 422


def test_an_embassy_that_is_further_says_so(line: Line, embassy: SimulatedEmbassy):
    log = GrowingLog(TOWER.log_key, entries(10))
    old = log.note()
    log.grow(entries(10))
    bring(line, log)
    client = EmbassyClient("http://here", name=NAME, transport=line)
    with pytest.raises(SizeConflict) as conflict:
        bring_level(client, log.tree, old, embassy.mirror_key, Standing())
    assert conflict.value.size == 20


def test_a_signature_that_does_not_fit_is_not_accepted(line: Line, embassy: SimulatedEmbassy):
    log = GrowingLog(TOWER.log_key, entries(10))
    text = parse_note(log.note()).text
    other = TOWER.mirror_keys["embassy-2"].sign_cosignature(text, 5)
    forged = TOWER.mirror_keys[NAME].sign_cosignature(text.replace("10", "11"), 5)
    for body in (other.line().encode(), forged.line().encode(), b"", b"hello\n", b"\xff"):
        line.changed = {"/add-entries": body}
        with pytest.raises(AnswerInvalid):
            bring(line, log)
    unknown_too = TOWER.mirror_keys[NAME].sign_cosignature(text, 5)
    line.changed = {"/add-entries": (other.line() + unknown_too.line()).encode()}
    assert bring(line, log) == unknown_too


@pytest.mark.parametrize("body", [b"", b"10\n", b"x\n0\n\n", b"10\n0\n%%\n", b"10\n0\n\nmore"])
def test_a_conflict_that_can_not_be_read_is_an_invalid_answer(
    line: Line, embassy: SimulatedEmbassy, body: bytes
):
    log = GrowingLog(TOWER.log_key, entries(10))
    bring(line, log)
    log.grow(entries(10))
    line.changed = {"/add-entries": body}
    with pytest.raises(AnswerInvalid):
        bring(line, log, Standing(pending_size=10, next_entry=15))


def test_an_embassy_that_gets_no_further_is_given_up(line: Line, embassy: SimulatedEmbassy):
    log = GrowingLog(TOWER.log_key, entries(10))
    bring(line, log)
    log.grow(entries(10))
    line.changed = {"/add-entries": b"20\n12\n\n"}
    with pytest.raises(Conflict):
        bring(line, log, Standing(pending_size=10, next_entry=15))
    assert len(line.asked) < 20

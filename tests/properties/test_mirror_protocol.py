"""An embassy under random logs, forks, cut and broken uploads, failing disks, kills and power cuts.

Whatever happens: all that it ever cosigned is one history; every entry below a cosigned size is
there, verifies, and its blobs are there; nothing is ever taken back; and the log whose checkpoint
it holds can always go on.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from fakes.embassy import NAME, GrowingLog, SimulatedEmbassy
from fakes.signers import MadeUpTower
from kulla.embassy.client import Answer, EmbassyClient
from kulla.embassy.courier import Standing, bring_level
from kulla.embassy.errors import BlobsFailed
from kulla.embassy.mirror import origin_hash
from kulla.embassy.packages import encode_header
from kulla.embassy.replies import MIRROR_INFO, Reply, parse_mirror_info
from kulla.embassy.upload import names_of
from kulla.journal.checkpoints import parse_checkpoint, verify_signed
from kulla.journal.epochs import Succession, sign_succession, verify_seal
from kulla.journal.errors import StoreFailed
from kulla.journal.notes import open_note, parse_note, parse_signature_line
from kulla.journal.simulated import WriteFault
from kulla.journal.tree import Tree, verified_bundles
from kulla.kernel.canonical import encode

TOWER = MadeUpTower()
ORIGIN = TOWER.origin
ENTRIES_MAX = 1100
FAULTS_LEFT_MAX = 3
COUNTS = st.sampled_from([1, 2, 3, 30, 55, 100, 256, 300, 513])


class Direct:
    """The transport of a client that calls a mirror in this process. Fault model: none."""

    def __init__(self, embassy: SimulatedEmbassy) -> None:
        self.embassy = embassy

    def ask(self, method: str, path: str, headers: object, body: bytes) -> Answer:
        mirror = self.embassy.mirror
        ask: dict[str, Callable[[bytes], Reply]] = {
            "/add-checkpoint": mirror.add_checkpoint,
            "/add-entries": mirror.add_entries,
            "/add-blobs": mirror.add_blobs,
        }
        reply = ask[path](body)
        return Answer(reply.status, reply.media_type, reply.body)

    def close(self) -> None:
        pass


class EmbassyUnderFire(RuleBasedStateMachine):
    logs = Bundle("logs")

    def __init__(self) -> None:
        super().__init__()
        self.embassy = SimulatedEmbassy(TOWER, seed=1)
        self.honest = GrowingLog(TOWER.log_key)
        self.all_logs = [self.honest]
        self.cosigned: dict[int, bytes] = {}
        self.size = 0
        self.tickets = [b""]
        self.blobs: dict[bytes, bytes] = {}
        self.sealed = False
        self.number = 0

    @initialize(target=logs, count=st.sampled_from([0, 1, 200, 256, 300]))
    def home(self, count: int) -> GrowingLog:
        if count:
            self.live(self.honest, count, 0, False, 1000)
        return self.honest

    # what happens at home and at thieves'

    @rule(log=logs, count=COUNTS, names=st.sampled_from([0, 0, 1, 2]))
    def grow(self, log: GrowingLog, count: int, names: int) -> None:
        count = max(0, min(count, ENTRIES_MAX - log.size))
        entries = [b"entry %d %d" % (self.number, at) for at in range(count)]
        if count and names:
            blobs = [b"wrapped key %d %d" % (self.number, at) for at in range(names)]
            self.blobs |= {hashlib.sha256(blob).digest(): blob for blob in blobs}
            wanted = [hashlib.sha256(blob).digest() for blob in blobs]
            entries[-1] = TOWER.sealer.seal(b"act %d" % self.number, wanted)
        self.number += 1
        log.grow(entries)

    @rule(target=logs, log=logs, part=st.sampled_from([0, 50, 90, 100]), more=COUNTS)
    def steal_the_key_and_fork(self, log: GrowingLog, part: int, more: int) -> GrowingLog:
        fork = log.fork(log.size * part // 100)
        fork.grow([b"forged %d %d" % (self.number, at) for at in range(more)])
        self.number += 1
        self.all_logs.append(fork)
        return fork

    @rule(target=logs, log=consumes(logs))
    def forget_a_log(self, log: GrowingLog) -> object:
        return multiple(log) if log is self.honest else multiple()

    # what is sent

    @rule(
        log=logs,
        count=COUNTS,
        names=st.sampled_from([0, 0, 1, 2]),
        blobs=st.booleans(),
        packages=st.sampled_from([1, 2, 1000]),
    )
    def live(self, log: GrowingLog, count: int, names: int, blobs: bool, packages: int) -> None:
        """A round as a scribe sends it; several requests where packages are few."""
        self.grow(log, count, names)
        if blobs:
            self.send_blobs(True)
        old_size = min(self._pending, log.size)
        self._ask(lambda: self.embassy.mirror.add_checkpoint(log.checkpoint_body(old_size)))
        for _ in range(1 + count // packages // 256):
            start = min(self._next_entry, log.size)
            body = log.entries_body(start, packages_max=packages)
            self._ask(lambda body=body: self.embassy.mirror.add_entries(body))

    @rule(
        log=logs,
        part=st.sampled_from([0, 33, 66, 100, 100]),
        old=st.sampled_from(["right", "right", "right", "zero", "wrong"]),
    )
    def send_checkpoint(self, log: GrowingLog, part: int, old: str) -> None:
        size = log.size * part // 100
        old_size = {"right": min(self._pending, size), "zero": 0, "wrong": size // 2}[old]
        self._ask(lambda: self.embassy.mirror.add_checkpoint(log.checkpoint_body(old_size, size)))

    @rule(
        log=logs,
        back=st.sampled_from([0, 0, 0, 1, 5, 300]),
        end=st.sampled_from(["pending", "mirrored", "log", "ticket"]),
        packages=st.sampled_from([1, 2, 1000, 1000]),
        ticket=st.integers(0, 3),
        zipped=st.booleans(),
    )
    def send_entries(
        self, log: GrowingLog, back: int, end: str, packages: int, ticket: int, zipped: bool
    ) -> None:
        stop = {
            "pending": self._pending,
            "mirrored": self.size,
            "log": log.size,
            "ticket": self._pending * 2 // 3,
        }[end]
        stop = min(stop, log.size)
        start = max(0, min(self._next_entry, stop) - back)
        shown = self.tickets[ticket % len(self.tickets)]
        body = log.entries_body(start, stop, ticket=shown, packages_max=packages)
        body = gzip.compress(body, 1) if zipped else body
        self._ask(lambda: self.embassy.mirror.add_entries(body, gzip=zipped))

    @rule(log=logs, at=st.integers(0, 10_000), how=st.sampled_from(["cut", "flip", "pieces"]))
    def send_broken_entries(self, log: GrowingLog, at: int, how: str) -> None:
        stop = min(self._pending, log.size)
        body = bytearray(log.entries_body(min(self._next_entry, stop), stop))
        at = len(body) * at // 10_001
        if how == "cut":
            del body[at:]
        elif how == "flip":
            body[at] ^= 1 << at % 8
        step = max(1, at) if how == "pieces" else len(body) or 1
        self._ask(lambda: self._in_pieces(bytes(body), step))

    def _in_pieces(self, body: bytes, step: int) -> Reply:
        upload = self.embassy.mirror.upload()
        for first in range(0, len(body), step):
            if reply := upload.feed(body[first : first + step]):
                return reply
        return upload.finish()

    @rule(log=logs, other=logs)
    def send_two_uploads_at_once(self, log: GrowingLog, other: GrowingLog) -> None:
        one, two = (self.embassy.mirror.upload() for _ in range(2))
        start = self._next_entry
        bodies = [
            each.entries_body(min(start, stop), stop)
            for each in (log, other)
            for stop in [min(self._pending, each.size)]
        ]
        half = len(encode_header(ORIGIN, 0, 0)) + 7
        steps = (
            lambda: one.feed(bodies[0][:half]) or Reply(0),
            lambda: two.feed(bodies[1]) or two.finish(),
            lambda: one.feed(bodies[0][half:]) or one.finish(),
        )
        # A fault ends the process, and with it both uploads.
        all(self._ask(step) is not None for step in steps)

    @rule(all_of_them=st.booleans())
    def send_blobs(self, all_of_them: bool) -> None:
        blobs = list(self.blobs.values())
        some = blobs if all_of_them else blobs[-2:]
        self._ask(lambda: self.embassy.mirror.add_blobs(encode(some)))

    @rule()
    def seal_and_unseal_never(self) -> None:
        """Only late, since afterwards little can happen."""
        if self.number < 8:
            return
        new = TOWER.key("journal.kulla.example/2").verifier
        statement = Succession(TOWER.policy.tower, 2, ORIGIN, new, "", "fire", 1)
        keys = [TOWER.custodian_keys[name] for name in ("arta", "besa")]
        reply = self._ask(lambda: self.embassy.mirror.seal(sign_succession(statement, keys)))
        if reply:
            seal = verify_seal(reply.body, statement, TOWER.policy)
            assert seal.size == self.size
            self.sealed = True

    # what breaks

    @rule(fault=st.sampled_from(WriteFault), after=st.integers(0, 2))
    def break_the_disk(self, fault: WriteFault, after: int) -> None:
        self.embassy.log_store(ORIGIN).fail_next(fault, after)

    @rule(kept=st.booleans())
    def break_the_blobs(self, kept: bool) -> None:
        self.embassy.blobs.fail_next(kept=kept)

    @rule(power=st.booleans())
    def end_the_process(self, power: bool) -> None:
        (self.embassy.crash if power else self.embassy.restart)()

    @rule(seconds=st.integers(-3600, 3600))
    def set_the_clock(self, seconds: int) -> None:
        self.embassy.clock.at_ms += seconds * 1000

    def _ask(self, ask: Callable[[], Reply]) -> Reply | None:
        """Send one request; a fault ends the process, and the next one starts."""
        try:
            reply = ask()
        except (StoreFailed, BlobsFailed):
            self.embassy.crash()
            return None
        assert reply.status in (0, 200, 202, 400, 403, 404, 409, 422), reply
        if reply.media_type == MIRROR_INFO:
            _, next_entry, ticket = parse_mirror_info(reply.body)
            assert next_entry <= self._next_entry
            self.tickets = [*self.tickets[-3:], ticket]
        if self.sealed:
            assert reply.status in (0, 200, 400, 403, 404)
        if reply.body.startswith("\N{EM DASH} ".encode()):
            self._check_cosignature(reply)
        return reply

    def _check_cosignature(self, reply: Reply) -> None:
        note = self.embassy.mirror.checkpoint(origin_hash(ORIGIN)).body
        line = parse_signature_line(reply.body.decode()[:-1])
        text = parse_note(note).text
        assert self.embassy.mirror_key.verifies(text, line.payload)

    @property
    def _pending(self) -> int:
        pending = self.embassy.mirror._logs[ORIGIN].pending
        return pending.checkpoint.size if pending else 0

    @property
    def _next_entry(self) -> int:
        return self.embassy.mirror._logs[ORIGIN].next_entry

    # what always holds

    @invariant()
    def all_that_was_cosigned_is_one_history_and_is_there(self) -> None:
        store = self.embassy.log_store(ORIGIN)
        reply = self.embassy.mirror.checkpoint(origin_hash(ORIGIN))
        if reply.status == 404:
            assert not self.cosigned
            return
        note = parse_note(reply.body)
        checkpoint = verify_signed(note, TOWER.log_key.verifier)
        assert open_note(note, [self.embassy.mirror_key])
        assert checkpoint.size >= self.size, "a cosigned size was taken back"
        if self.sealed:
            assert checkpoint.size == self.size, "a sealed log grew"
        self.size = checkpoint.size
        self.cosigned[checkpoint.size] = checkpoint.root
        entries: list[bytes] = []
        for _, some in verified_bundles(store, checkpoint.size, checkpoint.root):
            entries += some
        assert len(entries) == checkpoint.size
        tree = Tree.load(store, checkpoint.size)
        for size, root in self.cosigned.items():
            assert tree.root_at(size) == root, "two histories were cosigned"
        assert self.embassy.blobs.missing(names_of(entries)) == []

    @invariant()
    def the_pending_checkpoint_is_never_behind(self) -> None:
        assert self._pending >= self._next_entry >= self.size

    def teardown(self) -> None:
        """The log that the embassy follows can always be brought to its end."""
        self.embassy.crash()
        log = self.embassy.mirror._logs[ORIGIN]
        if log.pending is None or log.sealed is not None:
            return
        held = parse_checkpoint(parse_note(log.pending.note).text)
        followed = next(
            one
            for one in self.all_logs
            if one.size >= held.size and one.tree.root_at(held.size) == held.root
        )
        client = EmbassyClient("http://here", name=NAME, transport=Direct(self.embassy))
        for _ in range(FAULTS_LEFT_MAX):
            try:
                client.add_blobs(list(self.blobs.values()))
                key = self.embassy.mirror_key
                bring_level(client, followed.tree, followed.note(), key, Standing())
                break
            except (StoreFailed, BlobsFailed):
                self.embassy.crash()
        self.all_that_was_cosigned_is_one_history_and_is_there()
        assert self.size == followed.size


TestEmbassyUnderFire = EmbassyUnderFire.TestCase
TestEmbassyUnderFire.settings = settings(stateful_step_count=40)

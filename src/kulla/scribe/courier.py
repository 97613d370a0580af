"""Step 5 of an act's life, seen from home: a courier brings every round to one embassy.

Rounds go out in order, so that every signed size is cosigned and some size always reaches the
quorum. An embassy that fell behind is brought level from the journal, step by step; one that is
level is sent rounds without waiting for its answers (`scribe.stream`), so that distance costs one
way there and back and not two for each round.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import structlog

from kulla.embassy.client import EmbassyClient, cosignature_of
from kulla.embassy.courier import Standing, bring_level
from kulla.embassy.errors import (
    AnswerInvalid,
    EmbassyError,
    ForkRefused,
    LogSealed,
    Refused,
    Unreachable,
)
from kulla.journal.errors import JournalError
from kulla.journal.notes import (
    NoteSignature,
    VerifierKey,
    encode_base64,
    parse_note,
    parse_signature_lines,
)
from kulla.journal.policy_file import parse_policy
from kulla.scribe.log import Log, Round
from kulla.scribe.stream import Stream

log = structlog.get_logger()

_BACKLOG_MAX = 8
_RETRY_S = (0.05, 0.2, 0.5, 1.0, 2.0)
_BLOBS_PER_REQUEST = 256
# Files among them fill memory soon: so many names are read at a time, until so many bytes came.
_READ_AT_ONCE = 16
_READ_BYTES = 16 * 2**20
_UNDER_WAY_MAX = 8
_STREAM_FAULTS_MAX = 5


class Blobs(Protocol):
    """Where blobs lie at home (see scribe.BlobSource)."""

    def fetch(self, names: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Those of the named blobs that are there."""
        ...


class Delivery:
    """The steps that bring one embassy to a round's size; remembers where the embassy stands.

    With a `stream` rounds may be under way there; without one each is brought by itself. `policies`
    are the versions of the policy that home has, the oldest first: an embassy that was away during
    a takeover, or several, learns from them which log is the one that counts now.
    """

    def __init__(
        self,
        client: EmbassyClient,
        mirror_key: VerifierKey,
        journal: Log,
        blobs: Blobs,
        stream: Stream | None = None,
        policies: Sequence[bytes] = (),
    ) -> None:
        self._client = client
        self._policies = {parse_policy(data).version: data for data in policies}
        self._mirror_key = mirror_key
        self._journal = journal
        self._blobs = blobs
        self._stream = stream
        self._stream_faults = 0
        self._standing = Standing()
        self._level = 0  # the size that the embassy has, or will have after what is under way
        self._under_way: deque[Round] = deque()

    @property
    def full(self) -> bool:
        """Whether so much is under way that no more may be sent now."""
        return len(self._under_way) >= _UNDER_WAY_MAX

    @property
    def under_way(self) -> int:
        """How many rounds were sent on and not answered yet."""
        return len(self._under_way)

    def bring(self, parcel: Round) -> NoteSignature:
        """The embassy's cosignature of the round's checkpoint, verified; waits for it.

        Nothing may be under way. Raises EmbassyError where it can't be had now; the next try asks
        where the embassy stands.
        """
        assert not self._under_way
        try:
            for start in range(0, len(parcel.blobs), _BLOBS_PER_REQUEST):
                self._client.add_blobs(parcel.blobs[start : start + _BLOBS_PER_REQUEST])
            cosignature = bring_level(
                self._client,
                self._journal,
                parcel.checkpoint,
                self._mirror_key,
                self._standing,
                blobs=self,
            )
        except Refused as error:
            self._forget()
            if error.status == 404 and self._policies:
                # It names no such log; the next try shows whether it does now.
                self._bring_policies()
            raise
        except EmbassyError:
            self._forget()
            raise
        self._level = parcel.size
        return cosignature

    def _bring_policies(self) -> None:
        """The versions after the one that the embassy is pinned to, one by one, as it takes them.

        Those that home never had come from other embassies: kulla embassy fill.
        """
        try:
            pinned = parse_policy(self._client.policy(), place=self._client.name).version
        except JournalError as error:
            raise AnswerInvalid(error.message, place=self._client.name) from error
        for version in sorted(self._policies):
            if version > pinned:
                self._client.set_policy(self._policies[version])

    def send_on(self, parcel: Round) -> bool:
        """Send a round behind those under way; False where it has to be brought (`bring`).

        Raises EmbassyError; then nothing is under way any more.
        """
        stream, old_size = self._stream, self._level
        simple = not (parcel.blobs or parcel.asks) and 0 < old_size < parcel.size
        if stream is None or not simple or self.full:
            return False
        proof = self._journal.consistency_proof(old_size, parcel.size)
        lines = "".join(f"{encode_base64(node)}\n" for node in proof)
        offer = f"old {old_size}\n{lines}\n".encode() + parcel.checkpoint
        try:
            stream.send(
                ("/add-checkpoint", offer),
                ("/add-entries", self._journal.upload(old_size, parcel.size)),
            )
        except EmbassyError:
            self._stream_failed()
            raise
        self._under_way.append(parcel)
        self._level = parcel.size
        return True

    def answered(self, bell: int) -> bool:
        """Wait for an answer to what is under way (True) or for the `bell`, an eventfd (False).

        Raises EmbassyError; then nothing is under way any more.
        """
        assert self._stream is not None
        try:
            return self._stream.answered(bell)
        except EmbassyError:
            self._stream_failed()
            raise

    def arrived(self) -> tuple[Round, NoteSignature]:
        """The oldest round under way and its cosignature, verified.

        Raises EmbassyError where another answer came; then nothing is under way any more.
        """
        assert self._stream is not None
        parcel = self._under_way[0]
        try:
            offered, uploaded = self._stream.answer(), self._stream.answer()
            if (offered.status, uploaded.status) != (200, 200):
                raise AnswerInvalid(
                    f"the embassy answered {offered.status} and {uploaded.status}.",
                    place=self._client.name,
                )
            lines = parse_signature_lines(uploaded.body.decode("utf-8", "replace"))
            text = parse_note(parcel.checkpoint).text
            cosignature = cosignature_of(lines, text, self._mirror_key)
        except JournalError as error:
            self._stream_failed()
            raise AnswerInvalid(error.message, place=self._client.name) from error
        except EmbassyError:
            self._stream_failed()
            raise
        self._under_way.popleft()
        self._stream_faults = 0
        self._standing.pending_size = self._standing.next_entry = parcel.size
        self._standing.ticket = b""
        return parcel, cosignature

    def _stream_failed(self) -> None:
        self._forget()
        self._stream_faults += 1
        if self._stream_faults >= _STREAM_FAULTS_MAX:
            # Something between us and the embassy can't do it: step by step it goes, too.
            log.warning("embassy takes no stream", embassy=self._client.name)
            self._stream = None

    def _forget(self) -> None:
        """Start anew: the embassy says where it stands."""
        if self._stream is not None:
            self._stream.close()
        self._under_way.clear()
        self._standing, self._level = Standing(), 0

    def read(self, names: Iterable[bytes]) -> Sequence[bytes]:
        """The first of the blobs that the embassy misses (embassy.courier.BlobSource)."""
        wanted, read = list(names), list[bytes]()
        room = _READ_BYTES
        for start in range(0, len(wanted), _READ_AT_ONCE):
            some = wanted[start : start + _READ_AT_ONCE]
            found = self._blobs.fetch(some)
            lost = [name for name in some if name not in found]
            if lost:
                raise Unreachable(
                    f"home does not hold {len(lost)} blobs that the embassy asks for, "
                    f"the first is {lost[0].hex()}.",
                    place=self._client.name,
                    remedy="Bring them from another embassy.",
                )
            read += [found[name] for name in some]
            room -= sum(map(len, found.values()))
            if room <= 0:
                break
        return read


class Courier(threading.Thread):
    """Runs one embassy's delivery in a thread of its own; the scribe hears of it by callbacks.

    `on_held(embassy, size, cosignature)` and `on_state(embassy, reachable)` are called from this
    thread; `on_broken(error)` where it can't go on (the journal can't be read): the process ends.
    `on_sealed(embassy, statement)`: it says that the epoch is over, and shows why; nothing of that
    is verified here.
    """

    def __init__(
        self,
        embassy: str,
        delivery: Delivery,
        on_held: Callable[[str, int, NoteSignature], None],
        on_state: Callable[[str, bool], None],
        on_broken: Callable[[Exception], None],
        on_sealed: Callable[[str, bytes], None] = lambda *_: None,
    ) -> None:
        super().__init__(name=f"courier-{embassy}", daemon=True)
        self._on_sealed = on_sealed
        self._embassy = embassy
        self._delivery = delivery
        self._on_held = on_held
        self._on_state = on_state
        self._on_broken = on_broken
        self._rounds: deque[Round] = deque()
        self._lock = threading.Lock()
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._stopped = threading.Event()
        self._newest: Round | None = None

    def send(self, parcel: Round) -> None:
        """Queue a round. An embassy that is far behind jumps to the newest one."""
        with self._lock:
            if len(self._rounds) >= _BACKLOG_MAX:
                self._rounds.clear()
            self._rounds.append(parcel)
        os.eventfd_write(self._bell, 1)

    def stop(self) -> None:
        """Ask the thread to end after the request at hand."""
        self._stopped.set()
        os.eventfd_write(self._bell, 1)

    def run(self) -> None:
        """The thread: bring each round, and try again until it is there."""
        try:
            self._carry()
        except Exception as error:
            self._on_broken(error)

    def _carry(self) -> None:
        failures = 0
        while not self._stopped.is_set():
            try:
                if self._step():
                    failures = 0
            except EmbassyError as error:
                if failures == 0 or failures % 60 == 0:
                    self._alarm(error)
                self._on_state(self._embassy, False)
                if isinstance(error, LogSealed):
                    self._on_sealed(self._embassy, error.statement)
                with self._lock:
                    if not self._rounds and self._newest is not None:
                        self._rounds.append(self._newest)
                self._stopped.wait(_RETRY_S[min(failures, len(_RETRY_S) - 1)])
                failures += 1

    def _step(self) -> bool:
        """Send a round on its way, take an answer, or wait for either; True: an answer was good."""
        delivery = self._delivery
        parcel = None if delivery.full else self._next()
        if parcel is not None:
            self._newest = parcel
            if delivery.send_on(parcel):
                return False
            while delivery.under_way:
                self._take_answer()
            self._on_held(self._embassy, parcel.size, delivery.bring(parcel))
            return True
        if not delivery.under_way:
            self._await_bell()
            return False
        if delivery.answered(self._bell):
            self._take_answer()
            return True
        self._hush()
        return False

    def _take_answer(self) -> None:
        parcel, cosignature = self._delivery.arrived()
        self._on_held(self._embassy, parcel.size, cosignature)

    def _next(self) -> Round | None:
        with self._lock:
            return self._rounds.popleft() if self._rounds else None

    def _await_bell(self) -> None:
        poller = select.poll()
        poller.register(self._bell, select.POLLIN)
        poller.poll()
        self._hush()

    def _hush(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._bell)

    def _alarm(self, error: EmbassyError) -> None:
        if isinstance(error, LogSealed):
            what = "this epoch is sealed: another site took over"
        elif isinstance(error, ForkRefused):
            what = "the embassy holds another history under this home's key"
        else:
            log.warning("embassy behind", embassy=self._embassy, error=str(error))
            return
        log.critical(what, embassy=self._embassy, error=str(error))

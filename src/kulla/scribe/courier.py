"""Step 5 of an act's life, seen from home: a courier brings every round to one embassy.

Rounds go out in order, so that every signed size is cosigned and some size always reaches the
quorum. An embassy that fell behind is brought level from the journal, then follows the rounds.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import structlog

from kulla.embassy.client import EmbassyClient
from kulla.embassy.courier import Standing, bring_level
from kulla.embassy.errors import EmbassyError, ForkRefused, LogSealed, Unreachable
from kulla.journal.notes import NoteSignature, VerifierKey
from kulla.scribe.log import Log, Round

log = structlog.get_logger()

_BACKLOG_MAX = 8
_RETRY_S = (0.05, 0.2, 0.5, 1.0, 2.0)
_BLOBS_PER_REQUEST = 256


class Blobs(Protocol):
    """Where blobs lie at home (see scribe.BlobSource)."""

    def fetch(self, names: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Those of the named blobs that are there."""
        ...


class Delivery:
    """The steps that bring one embassy to a round's size; remembers where the embassy stands."""

    def __init__(
        self, client: EmbassyClient, mirror_key: VerifierKey, journal: Log, blobs: Blobs
    ) -> None:
        self._client = client
        self._mirror_key = mirror_key
        self._journal = journal
        self._blobs = blobs
        self._standing = Standing()

    def bring(self, parcel: Round) -> NoteSignature:
        """The embassy's cosignature of the round's checkpoint, verified.

        Raises EmbassyError where it can't be had now; the next try asks where the embassy stands.
        """
        try:
            for start in range(0, len(parcel.blobs), _BLOBS_PER_REQUEST):
                self._client.add_blobs(parcel.blobs[start : start + _BLOBS_PER_REQUEST])
            return bring_level(
                self._client,
                self._journal,
                parcel.checkpoint,
                self._mirror_key,
                self._standing,
                blobs=self,
            )
        except EmbassyError:
            self._standing = Standing()
            raise

    def read(self, names: Iterable[bytes]) -> Sequence[bytes]:
        """The blobs that the embassy misses (embassy.courier.BlobSource)."""
        wanted = list(names)
        found = self._blobs.fetch(wanted)
        lost = [name for name in wanted if name not in found]
        if lost:
            raise Unreachable(
                f"home does not hold {len(lost)} blobs that the embassy asks for, "
                f"the first is {lost[0].hex()}.",
                place=self._client.name,
                remedy="Bring them from another embassy.",
            )
        return [found[name] for name in wanted]


class Courier(threading.Thread):
    """Runs one embassy's delivery in a thread of its own; the scribe hears of it by callbacks.

    `on_held(embassy, size, cosignature)` and `on_state(embassy, reachable)` are called from this
    thread; `on_broken(error)` where it can't go on (the journal can't be read): the process ends.
    """

    def __init__(
        self,
        embassy: str,
        delivery: Delivery,
        on_held: Callable[[str, int, NoteSignature], None],
        on_state: Callable[[str, bool], None],
        on_broken: Callable[[Exception], None],
    ) -> None:
        super().__init__(name=f"courier-{embassy}", daemon=True)
        self._embassy = embassy
        self._delivery = delivery
        self._on_held = on_held
        self._on_state = on_state
        self._on_broken = on_broken
        self._rounds: deque[Round] = deque()
        self._wake = threading.Condition()
        self._stopped = False

    def send(self, parcel: Round) -> None:
        """Queue a round. An embassy that is far behind jumps to the newest one."""
        with self._wake:
            if len(self._rounds) >= _BACKLOG_MAX:
                self._rounds.clear()
            self._rounds.append(parcel)
            self._wake.notify()

    def stop(self) -> None:
        """Ask the thread to end after the request at hand."""
        with self._wake:
            self._stopped = True
            self._wake.notify()

    def run(self) -> None:
        """The thread: bring each round, and try again until it is there."""
        try:
            self._carry()
        except Exception as error:
            self._on_broken(error)

    def _carry(self) -> None:
        failures = 0
        while (parcel := self._next()) is not None:
            try:
                cosignature = self._delivery.bring(parcel)
            except EmbassyError as error:
                if failures == 0 or failures % 60 == 0:
                    self._alarm(error)
                self._on_state(self._embassy, False)
                with self._wake:
                    if not self._rounds:
                        self._rounds.appendleft(parcel)
                    self._wake.wait_for(
                        lambda: self._stopped, _RETRY_S[min(failures, len(_RETRY_S) - 1)]
                    )
                failures += 1
            else:
                failures = 0
                self._on_held(self._embassy, parcel.size, cosignature)

    def _alarm(self, error: EmbassyError) -> None:
        if isinstance(error, LogSealed):
            what = "this epoch is sealed: another site took over"
        elif isinstance(error, ForkRefused):
            what = "the embassy holds another history under this home's key"
        else:
            log.warning("embassy behind", embassy=self._embassy, error=str(error))
            return
        log.critical(what, embassy=self._embassy, error=str(error))

    def _next(self) -> Round | None:
        with self._wake:
            self._wake.wait_for(lambda: self._stopped or bool(self._rounds))
            return None if self._stopped else self._rounds.popleft()

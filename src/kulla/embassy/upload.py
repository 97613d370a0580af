"""One add-entries request, read piece by piece (C2SP tlog-mirror).

Each package is proven before the next is read; proven ones are saved together once there are 4 MiB
of them, or at the end of the body. Several uploads of one log may be under way: the log's lock is
held only while one piece is worked on, and what another upload has saved already is skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Protocol

from kulla.embassy.blobs import BlobStore
from kulla.embassy.errors import (
    BodyInvalid,
    BodyTooLarge,
    EmbassyError,
    MissingBlobs,
    QuotaFull,
    Refused,
)
from kulla.embassy.mirrored_log import MirroredLog
from kulla.embassy.packages import BodyReader, Header, Inflater, Package
from kulla.embassy.replies import MIRROR_INFO, TEXT, Reply, mirror_info, refusal
from kulla.embassy.signed import SignedCheckpoint
from kulla.journal.entries import parse_entry
from kulla.journal.errors import EntryInvalid
from kulla.kernel.edges import Clock

SAVE_BYTES: Final = 4 * 2**20


class UploadEdge(Protocol):
    """What an upload needs of the mirror it is for."""

    @property
    def blobs(self) -> BlobStore:
        """The blobs that entries may name."""
        ...

    @property
    def clock(self) -> Clock:
        """The embassy's clock."""
        ...

    def count(self, entries: int, size: int) -> None:
        """Count what is about to be saved. Raises QuotaFull."""
        ...

    def current_log(self, origin: str) -> MirroredLog:
        """The open log of this origin. Raises Refused (404) or LogSealed."""
        ...


class Upload:
    """Feed it the body; it answers as soon as it can. Not for two threads at once."""

    def __init__(
        self, edge: UploadEdge, *, gzip: bool, body_bytes_max: int, packages_max: int
    ) -> None:
        self._edge = edge
        self._inflater = Inflater() if gzip else None
        self._bytes_left = body_bytes_max
        self._packages_left = packages_max
        self._reader = BodyReader()
        self._log: MirroredLog | None = None
        self._target: SignedCheckpoint | None = None
        self._waiting: list[bytes] = []
        self._waiting_from = 0
        self._waiting_bytes = 0
        self._saved = False
        self._reply: Reply | None = None

    def feed(self, data: bytes) -> Reply | None:
        """Take the next bytes; a Reply means: answer it now, read no more."""
        if self._reply:
            return self._reply
        try:
            pieces = self._inflater.pieces(data) if self._inflater else (data,)
            for piece in pieces:
                self._take_piece(piece)
                if self._reply:
                    break
        except EmbassyError as error:
            self._reply = self._stopped_by(error)
        return self._reply

    def finish(self) -> Reply:
        """The body has ended, or was cut: save what was proven and answer."""
        if self._reply is None:
            try:
                if self._log is None:
                    raise BodyInvalid("the body ends before its header.", place="add-entries")
                with self._log.lock:
                    self._reply = self._end(self._log)
            except EmbassyError as error:
                self._reply = self._stopped_by(error)
        return self._reply

    def _take_piece(self, piece: bytes) -> None:
        self._bytes_left -= len(piece)
        if self._bytes_left < 0:
            raise BodyTooLarge(
                "the body is over this embassy's limit.",
                place="limits, body_bytes_max",
                remedy="Send fewer packages in one request.",
            )
        self._reader.feed(piece)
        if self._log is None:
            header = self._reader.read_header()
            if header is None:
                return
            self._begin(header)
        if self._log is not None:
            with self._log.lock:
                self._take_packages(self._log)

    def _begin(self, header: Header) -> None:
        log = self._edge.current_log(header.origin)
        with log.lock:
            self._target = log.begin_upload(header)
        self._log = log
        self._waiting_from = header.start

    def _take_packages(self, log: MirroredLog) -> None:
        log.check_open()
        while self._packages_left and (package := self._reader.read_package()):
            assert self._target is not None
            log.authenticate(package, self._target)
            self._hold(package)
            self._packages_left -= 1
            if self._waiting_bytes >= SAVE_BYTES:
                self._save(log)
        if self._reader.complete or not self._packages_left:
            self._reply = self._end(log)

    def _hold(self, package: Package) -> None:
        self._waiting.extend(package.entries)
        self._waiting_bytes += sum(map(len, package.entries))

    def _take_waiting(self, log: MirroredLog) -> list[bytes]:
        """What waits and is not saved yet, its blobs seen and the quota charged; else it stays."""
        held = max(log.next_entry - self._waiting_from, 0)
        entries = self._waiting[held:] if held else self._waiting
        if entries:
            missing = self._edge.blobs.missing(names_of(entries))
            if missing:
                raise MissingBlobs(missing, place=log.origin)
            size = sum(map(len, entries)) if held else self._waiting_bytes
            self._edge.count(len(entries), size)
        self._waiting_from += len(self._waiting)
        self._saved = self._saved or bool(self._waiting)
        self._waiting, self._waiting_bytes = [], 0
        return entries

    def _save(self, log: MirroredLog) -> None:
        """Make the proven packages durable; all or none of what waits."""
        log.save(self._take_waiting(log))

    def _end(self, log: MirroredLog) -> Reply:
        """Save, then answer 200 with our cosignature, 202 with how far it is, or 400."""
        assert self._target is not None
        if self._reader.complete:
            now_s = self._edge.clock.now_ms() // 1000
            signature = log.commit(self._target, now_s, self._take_waiting(log))
            return Reply(200, signature.line().encode(), TEXT)
        self._save(log)
        if not self._saved:
            raise BodyInvalid("the body ends before its first package does.", place="add-entries")
        return self._partly(log)

    def _partly(self, log: MirroredLog) -> Reply:
        assert self._target is not None
        log.note_progress()
        info = log.conflict(self._target)
        return Reply(202, mirror_info(info.size, info.next_entry, info.ticket), MIRROR_INFO)

    def _stopped_by(self, error: EmbassyError) -> Reply:
        """The answer to a body that went wrong: what was proven before that point is kept."""
        log = self._log
        if log is None:
            return refusal(error)
        try:
            with log.lock:
                log.check_open()
                with suppress(MissingBlobs, QuotaFull):
                    self._save(log)
                if self._saved and isinstance(error, BodyInvalid | BodyTooLarge):
                    return self._partly(log)
                log.note_progress()
        except Refused as closed:
            return refusal(closed)
        return refusal(error)


def names_of(entries: Sequence[bytes]) -> list[bytes]:
    """The blobs that these entries name.

    An entry that is none of ours names nothing: the log signed it, so it is mirrored, and a rebuild
    will report it with its index.
    """
    names: list[bytes] = []
    for entry in entries:
        try:
            names.extend(parse_entry(entry).names)
        except EntryInvalid:
            continue
    return names

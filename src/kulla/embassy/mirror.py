"""The embassy without HTTP: a C2SP tlog-mirror, its blobs, the end of epochs, what readers fetch.

Every method takes bytes and returns a Reply; nothing here opens a socket, starts a thread or reads
a clock of its own, so a simulator can drive it as the server does. Methods may be called from any
thread. What they raise (StoreFailed, StoreConflict, BlobsFailed, MirrorBroken) ends the process:
nothing was answered, and the next start loads what is durable.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from kulla.embassy.access import check_authorization
from kulla.embassy.blobs import BlobStore
from kulla.embassy.bodies import (
    blob_name_of,
    byte_strings,
    read_checkpoint_body,
    verified_checkpoint,
)
from kulla.embassy.errors import (
    BlobMissing,
    BodyTooLarge,
    EmbassyError,
    Refused,
    SealedForAnother,
    SizeConflict,
)
from kulla.embassy.evidence import EvidenceShelf
from kulla.embassy.lottery import Urn
from kulla.embassy.mirrored_log import MirroredLog, fork_refused
from kulla.embassy.pinned import (
    keep_versions,
    kept_versions,
    move_on,
    read_pinned,
    version_of,
)
from kulla.embassy.quota import SAVE_EVERY_S, Limits, Quota, Usage, read_usage
from kulla.embassy.replies import BYTES, JSON, TEXT, Reply, refusal
from kulla.embassy.signed import SignedCheckpoint
from kulla.embassy.tickets import Tickets
from kulla.embassy.upload import Upload
from kulla.journal.epochs import make_seal, parse_succession, verify_succession
from kulla.journal.errors import JournalError, PathInvalid, TileMissing
from kulla.journal.notes import SigningKey
from kulla.journal.policy_file import PolicyFile
from kulla.journal.store import TileStore
from kulla.journal.tiles import parse_tile_path
from kulla.kernel.canonical import Value, encode
from kulla.kernel.edges import Clock, Entropy, SystemEntropy

BLOBS_LISTED_MAX: Final = 10_000
BLOBS_FETCHED_MAX: Final = 4_096

_IMMUTABLE: Final = {"Cache-Control": "private, max-age=31536000, immutable"}
_FRESH: Final = {"Cache-Control": "no-store"}
_log = structlog.get_logger("kulla.embassy")


@dataclass(frozen=True)
class Identity:
    """Who an embassy is: its name in the policy, and its secrets.

    mirror_key: kind 4, cosigns checkpoints and nothing else. statement_key: kind 1, signs seals.
    ticket_key: 32 bytes that never leave the embassy.
    """

    name: str
    mirror_key: SigningKey
    statement_key: SigningKey
    ticket_key: bytes = field(repr=False)


@dataclass(frozen=True)
class Stores:
    """Where an embassy keeps things.

    desk: policy, evidence and counts. open_log: gives the store of the log with this origin hash,
    made where it is new. free_bytes: room on the disk; None where there is no end to it.
    """

    desk: TileStore
    open_log: Callable[[str], TileStore]
    blobs: BlobStore
    free_bytes: Callable[[], int] | None = None
    entropy: Entropy = field(default_factory=SystemEntropy)


@dataclass(frozen=True, slots=True)
class Standing:
    """What an embassy says about a leaf of a log.

    stands: whether it is the one at the index that was asked for; None where `size` is not so far.
    size, at_s: what the embassy cosigned last, and when, in seconds since 1970.
    """

    origin: str
    size: int
    at_s: int
    stands: bool | None


def origin_hash(origin: str) -> str:
    """The SHA-256 of a log's origin in hex: its folder, and its part of a URL."""
    return hashlib.sha256(origin.encode()).hexdigest()


class Mirror:
    """An embassy over its stores.

    Raises SettingsInvalid where no policy is pinned, MirrorBroken where what is stored contradicts
    itself.
    """

    def __init__(
        self, identity: Identity, stores: Stores, clock: Clock, limits: Limits | None = None
    ) -> None:
        self.identity = identity
        self.limits = limits or Limits()
        self.clock = clock
        self.blobs = stores.blobs
        self._stores = stores
        self._tickets = Tickets(identity.ticket_key)
        # Taken in this order: the policy's lock, a log's, the desk's.
        self._policy_lock = threading.Lock()
        self._desk_lock = threading.Lock()
        self._evidence = EvidenceShelf(stores.desk)
        self.urn = Urn(identity, stores.desk, self._desk_lock, clock, stores.entropy)
        self.policy, self._policy_data = read_pinned(stores.desk)
        self._usage_saved = read_usage(stores.desk)
        self._usage_saved_s = clock.monotonic_s()
        usage = Usage.parse(self._usage_saved) if self._usage_saved else Usage()
        self.quota = Quota(self.limits, usage, stores.free_bytes)
        self._logs: dict[str, MirroredLog] = {}
        self._by_hash: dict[str, MirroredLog] = {}
        self._open_logs()

    def _open_logs(self) -> None:
        for log in self.policy.logs:
            origin = log.key.name
            if origin not in self._logs:
                store = self._stores.open_log(origin_hash(origin))
                opened = MirroredLog(log.key, store, self.identity.mirror_key, self._tickets)
                self._logs[origin] = self._by_hash[origin_hash(origin)] = opened
            if log.key != self.policy.current_log.key:
                # Under the lock, so that no upload that is under way is signed after this.
                with self._logs[origin].lock:
                    self._logs[origin].superseded = True

    def current_log(self, origin: str) -> MirroredLog:
        """The log of this origin if it may grow. Raises Refused (404, 403) or LogSealed."""
        log = self._logs.get(origin)
        if log is None:
            raise Refused(404, "the policy of this embassy names no such log.", place=origin)
        log.check_open()
        return log

    def log(self, origin: str) -> MirroredLog | None:
        """The log of this origin, open or not; None where the policy names no such log."""
        return self._logs.get(origin)

    # the mirror protocol

    def add_checkpoint(self, body: bytes) -> Reply:
        """POST /add-checkpoint (C2SP tlog-witness): take a pending checkpoint; signs nothing."""
        try:
            if len(body) > self.limits.checkpoint_body_bytes_max:
                raise BodyTooLarge("this body is too long for a checkpoint and its proof.")
            old_size, proof, note, origin = read_checkpoint_body(body)
            log = self.current_log(origin)
            signed = verified_checkpoint(note, log.key)
            with log.lock:
                self._take(log, old_size, proof, signed)
            return Reply(200)
        except EmbassyError as error:
            return refusal(error)

    def _take(
        self, log: MirroredLog, old_size: int, proof: Sequence[bytes], signed: SignedCheckpoint
    ) -> None:
        log.check_open()
        try:
            log.take_checkpoint(old_size, proof, signed)
        except Refused as error:
            held = log.contradiction(signed)
            unproven = error.status == 422 and log.pending
            if held or unproven:
                self._keep_evidence(held, held or log.pending, signed, proof)
            if held and not isinstance(error, SizeConflict):
                raise fork_refused(error.status, held) from error
            raise

    def _keep_evidence(
        self,
        contradicted: SignedCheckpoint | None,
        held: SignedCheckpoint | None,
        refused: SignedCheckpoint,
        proof: Sequence[bytes],
    ) -> None:
        if held is None:
            return
        kind = "fork" if contradicted else "unproven"
        with self._desk_lock:
            fresh = self._evidence.keep(
                "fork" if contradicted else "unproven", held, refused, proof, self.clock.now_ms()
            )
        origin, sizes = held.checkpoint.origin, (held.checkpoint.size, refused.checkpoint.size)
        _log.warning("checkpoint refused", kind=kind, origin=origin, sizes=sizes, kept=fresh)

    def upload(self, *, gzip: bool = False) -> Upload:
        """POST /add-entries, piece by piece: feed it the body, then `finish`."""
        limits = self.limits
        return Upload(
            self,
            gzip=gzip,
            body_bytes_max=limits.body_bytes_max,
            packages_max=limits.packages_max,
        )

    def add_entries(self, body: bytes, *, gzip: bool = False) -> Reply:
        """POST /add-entries with the whole body at hand."""
        upload = self.upload(gzip=gzip)
        return upload.feed(body) or upload.finish()

    def count(self, entries: int, size: int) -> None:
        """Count what is about to be saved. Raises QuotaFull."""
        self.quota.take(entries, size, self.clock.now_ms())
        if self.clock.monotonic_s() - self._usage_saved_s >= SAVE_EVERY_S:
            self.save_usage()

    def save_usage(self) -> None:
        """Make the counts of the quota durable; the server also calls this when it ends."""
        with self._desk_lock:
            self._usage_saved_s = self.clock.monotonic_s()
            new = self.quota.usage.render()
            if new != self._usage_saved:
                self._stores.desk.swap("usage", self._usage_saved, new)
                self._usage_saved = new

    def settle(self) -> None:
        """Put what the logs' stores hold in write logs into plain files, where it has waited.

        For a server to call about once a second: a log that is quiet for a second is settled, and
        a busy one every ten.
        """
        now_s = self.clock.monotonic_s()
        for log in list(self._logs.values()):
            with log.lock:
                log.settle(now_s)

    # blobs

    def add_blobs(self, body: bytes) -> Reply:
        """POST /add-blobs: a canonical list of byte strings, put if absent, durable on answer."""
        try:
            if len(body) > self.limits.body_bytes_max:
                raise BodyTooLarge("the body is over this embassy's limit.")
            blobs = byte_strings(body)
            if any(len(blob) > self.limits.blob_bytes_max for blob in blobs):
                raise BodyTooLarge("a blob is over this embassy's limit.", place="blob_bytes_max")
            absent = set(self.blobs.missing([hashlib.sha256(blob).digest() for blob in blobs]))
            fresh = [blob for blob in blobs if hashlib.sha256(blob).digest() in absent]
            if fresh:
                self.count(0, sum(map(len, fresh)))
                self.blobs.put(fresh)
            return Reply(200)
        except EmbassyError as error:
            return refusal(error)

    def blob(self, name: str) -> Reply:
        """GET /blobs/<sha256 in hex>."""
        try:
            return Reply(200, self.blobs.get(blob_name_of(name)), BYTES, _IMMUTABLE)
        except EmbassyError as error:
            return refusal(error)

    def blob_names(self, after: str = "", limit: int = 1000) -> Reply:
        """GET /blobs: at most `limit` names greater than `after`, one a line in hex."""
        try:
            start = blob_name_of(after) if after else b""
            names = self.blobs.names(start, max(1, min(limit, BLOBS_LISTED_MAX)))
            return Reply(200, "".join(f"{name.hex()}\n" for name in names).encode(), TEXT, _FRESH)
        except EmbassyError as error:
            return refusal(error)

    def fetch_blobs(self, body: bytes) -> Reply:
        """POST /fetch-blobs: a canonical list of names; the answer is the list of their blobs.

        None stands for a blob that is not here. The list ends early after 32 MiB: ask again for the
        rest.
        """
        try:
            names = byte_strings(body)
            if len(names) > BLOBS_FETCHED_MAX:
                raise BodyTooLarge(f"ask for at most {BLOBS_FETCHED_MAX} blobs at once.")
            found: list[Value] = []
            room = 32 * 2**20
            for name in names:
                blob = self._blob_or_none(name)
                room -= len(blob or b"")
                if room < 0 and found:
                    break
                found.append(blob)
            return Reply(200, encode(found), BYTES, _FRESH)
        except EmbassyError as error:
            return refusal(error)

    def _blob_or_none(self, name: bytes) -> bytes | None:
        try:
            return self.blobs.get(name)
        except BlobMissing:
            return None

    # what custodians sign

    def set_policy(self, body: bytes) -> Reply:
        """POST /policy: the next version, signed by custodians of the old one and of the new."""
        try:
            with self._policy_lock:
                if body != self._policy_data:
                    with self._desk_lock:
                        desk = self._stores.desk
                        sealed = self._logs[self.policy.current_log.key.name].sealed is not None
                        self.policy = move_on(
                            desk, self.policy, self._policy_data, body, sealed=sealed
                        )
                    self._policy_data = body
                    self._open_logs()
                    _log.info("policy replaced", version=self.policy.version)
            return Reply(200)
        except EmbassyError as error:
            return refusal(error)

    def pinned_policy(self, version: str = "") -> Reply:
        """GET /policy, and /policy?version=N: an earlier version, for those who missed it."""
        data: bytes | None = self._policy_data
        if version and version != str(self.policy.version):
            good = version.isascii() and version.isdigit() and len(version) < 10
            data = version_of(self._stores.desk, int(version)) if good else None
        if data is None:
            return refusal(Refused(404, "this embassy was never pinned to that version."))
        return Reply(200, data, TEXT, _FRESH)

    def keep_policies(self, earlier: Iterable[PolicyFile]) -> None:
        """Keep earlier versions that the caller trusts by the pinned one; durable on return."""
        with self._policy_lock, self._desk_lock:
            keep_versions(self._stores.desk, earlier)

    def policies(self) -> Iterator[PolicyFile]:
        """The pinned policy, then the earlier ones that are kept, the newest first."""
        newest = self.policy
        yield newest
        yield from kept_versions(self._stores.desk, newest.version)

    def seal(self, body: bytes) -> Reply:
        """POST /seal: end a log's epoch with a succession that custodians signed.

        From the moment it is durable the log's key is refused. The answer is a SealReceipt, for a
        repeat too. Another succession of the same log is refused and shown the first one, unless
        it says that it takes that one's place; so at most one can come to a quorum.
        """
        with self._policy_lock:
            try:
                succession = verify_succession(body, self.policy, place="succession")
            except JournalError as error:
                return refusal(Refused(403, str(error)))
            log = self._logs[succession.old_origin]
            with log.lock:
                try:
                    log.check_seal(succession)
                except SealedForAnother as error:
                    return refusal(error)
                path = f"seals/{succession.digest().hex()}"
                log.store.put({path: succession.text().encode()})
                if log.sealed is None or parse_succession(log.sealed) != succession:
                    log.seal(body)
                    _log.warning("log sealed", origin=log.origin, size=log.mirrored_size)
                mirrored = log.mirrored.note if log.mirrored else b""
        name, key = self.identity.name, self.identity.statement_key
        return Reply(200, make_seal(succession, name, mirrored, key).render(), BYTES, _FRESH)

    def succession(self, log_hash: str) -> Reply:
        """GET /<origin hash>/succession: what the log is sealed for, as custodians signed it."""
        log = self._by_hash.get(log_hash)
        if log is None or log.sealed is None:
            return refusal(Refused(404, "this embassy sealed no such log."))
        return Reply(200, log.sealed, TEXT, _FRESH)

    # what readers fetch

    def check_reader(self, header: str, method: str, path: str, body: bytes = b"") -> str:
        """The name of the reader of the policy file who signed this request; see access.py.

        The other embassies are known by their statement keys: a new one must be filled. Raises
        AccessDenied.
        """
        readers = [reader.key for reader in self.policy.readers]
        if path != "/add-blobs":
            known = [embassy.statement_key for embassy in self.policy.embassies]
            readers += [key for key in known if key]
        return check_authorization(
            header,
            readers,
            method=method,
            path=path,
            embassy=self.identity.name,
            now_s=self.clock.now_ms() // 1000,
            body=body,
        )

    def checkpoint(self, log_hash: str) -> Reply:
        """GET /<origin hash>/checkpoint: the mirror checkpoint, with our cosignature.

        Of a closed log that we never cosigned, the one that we were filled with (see `filled`).
        """
        log = self._by_hash.get(log_hash)
        if log is None or log.shown is None:
            return refusal(Refused(404, "this embassy has cosigned no such log."))
        return Reply(200, log.shown, TEXT, _FRESH)

    def filled(self, log_hash: str) -> Reply:
        """GET /<origin hash>/filled: how far others filled a closed log, as they cosigned it."""
        log = self._by_hash.get(log_hash)
        if log is None or log.filled is None:
            return refusal(Refused(404, "no other embassy filled such a log here."))
        return Reply(200, log.filled.note, TEXT, _FRESH)

    def tile(self, log_hash: str, path: str) -> Reply:
        """GET /<origin hash>/tile/...: a hash tile or an entry bundle."""
        log = self._by_hash.get(log_hash)
        try:
            if log is None:
                raise Refused(404, "this embassy mirrors no such log.")
            parse_tile_path(path)
            return Reply(200, log.store.get(path), BYTES, _IMMUTABLE)
        except (PathInvalid, TileMissing):
            return refusal(Refused(404, "there is no such tile."))
        except Refused as error:
            return refusal(error)

    def evidence(self) -> Reply:
        """GET /evidence: what was refused and kept, a JSON list."""
        with self._desk_lock:
            records = self._evidence.records()
        return Reply(200, b"[" + b",\n".join(records) + b"]\n", JSON, _FRESH)

    def standing(self, origin: str, index: int, leaf: bytes) -> Standing | None:
        """What stands at `index` of a log, for the check page; None for a log not cosigned here.

        `leaf` is a leaf hash of 32 bytes. Only entries below the mirror checkpoint count.
        """
        log = self._logs.get(origin)
        if log is None or log.mirrored is None:
            return None
        with log.lock:
            mirrored = log.mirrored
            size = mirrored.checkpoint.size
            stands = log.tree.leaf_hash(index) == leaf if 0 <= index < size else None
        return Standing(origin, size, mirrored.at_s, stands)

    def health(self) -> dict[str, Value]:
        """Sizes and counts for /healthz and `kulla status`; nothing personal, nothing secret."""
        logs: list[Value] = [
            {
                "origin": log.origin,
                "size": log.mirrored_size,
                "cosigned_at_s": log.mirrored.at_s if log.mirrored else 0,
                "pending": log.pending.checkpoint.size if log.pending else 0,
                "next_entry": log.next_entry,
                "sealed": log.sealed is not None,
                "filled": log.filled_size,
            }
            for log in list(self._logs.values())
        ]
        with self._desk_lock:
            forks, unproven = self._evidence.count("fork"), self._evidence.count("unproven")
        return {
            "name": self.identity.name,
            "policy_version": self.policy.version,
            "logs": logs,
            "forks_refused": forks,
            "unproven_refused": unproven,
        }

"""Talking to an embassy: what couriers, rebuilds and takeovers ask of it, with typed errors.

One EmbassyClient a thread. Every request may be repeated without harm, so one whose kept
connection turned out to be closed is sent again, once, on a fresh one.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import structlog

from kulla.embassy.access import WITHIN_S, authorization
from kulla.embassy.errors import AnswerInvalid, Refused, SettingsInvalid, Unreachable
from kulla.embassy.mirror import origin_hash
from kulla.embassy.replies import parse_mirror_info, parse_refusal
from kulla.journal.errors import JournalError
from kulla.journal.notes import (
    NoteSignature,
    SigningKey,
    VerifierKey,
    encode_base64,
    parse_signature_lines,
)
from kulla.kernel.canonical import NotCanonical, Value, decode, encode
from kulla.kernel.edges import Clock, SystemClock

ANSWER_BYTES_MAX: Final = 2**27
BLOBS_AT_ONCE: Final = 1000
BLOB_BYTES_AT_ONCE: Final = 16 * 2**20

_log = structlog.get_logger("kulla.embassy")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over the wire; `date` is the Date header, '' where there is none."""

    status: int
    media_type: str
    body: bytes
    date: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """A 202: go on at `next_entry` up to `size`, and show the ticket."""

    size: int
    next_entry: int
    ticket: bytes


class Transport(Protocol):
    """Carries one request at a time to one embassy; not for two threads at once."""

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The embassy's answer, whatever its status. Raises Unreachable."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class _Gathering:
    """Sends head and body of a request in one piece, so that the other side wakes once."""

    _held: list[bytes] | None = None

    def send(self, data: Any) -> None:
        if self._held is None:
            super().send(data)  # type: ignore[misc]
        else:
            self._held.append(data)

    def ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> None:
        held: list[bytes] = []
        self._held = held
        try:
            self.request(method, path, body or None, headers)  # type: ignore[attr-defined]
        finally:
            self._held = None
        self.send(b"".join(held))


class _Plain(_Gathering, http.client.HTTPConnection):
    pass


class _Tls(_Gathering, http.client.HTTPSConnection):
    pass


class HttpTransport:
    """HTTP/1.1 with one kept connection; `timeout_s` bounds each wait for the other side."""

    def __init__(self, url: str, timeout_s: float, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsInvalid(f"{url!r} is no URL of an embassy.", remedy="http(s)://host:port")
        self._url = url
        self._prefix = parts.path.rstrip("/")
        self._used = False
        self._connection: _Plain | _Tls
        if parts.scheme == "https":
            context = tls or ssl.create_default_context()
            self._connection = _Tls(parts.hostname, parts.port, timeout=timeout_s, context=context)
        else:
            self._connection = _Plain(parts.hostname, parts.port, timeout=timeout_s)

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """See Transport."""
        try:
            try:
                return self._ask(method, path, headers, body)
            except (http.client.RemoteDisconnected, ConnectionError):
                if not self._used:
                    raise
                self.close()
                return self._ask(method, path, headers, body)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(
                f"the embassy does not answer ({type(error).__name__}: {error}).",
                place=self._url,
                remedy="See whether it runs and its address is right; what was asked may be done.",
            ) from error

    def _ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        connection = self._connection
        connection.ask(method, self._prefix + path, body, headers)
        response = connection.getresponse()
        data = response.read(ANSWER_BYTES_MAX)
        if not response.isclosed():
            raise http.client.HTTPException("the answer is too long")
        self._used = not response.will_close
        said = response.headers
        return Answer(response.status, said.get("Content-Type", ""), data, said.get("Date", ""))

    def close(self) -> None:
        """See Transport; the next request opens a new connection."""
        self._used = False
        self._connection.close()


class EmbassyClient:
    """One embassy, as one thread of a scribe, a rebuild or a takeover sees it.

    `name` is the embassy's name in the policy file; `reader` signs what only readers may ask. Every
    method raises Unreachable, Refused or one of its children (SizeConflict, Conflict, MissingBlobs,
    ForkRefused, LogSealed), or AnswerInvalid.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str = "",
        reader: SigningKey | None = None,
        clock: Clock | None = None,
        timeout_s: float = 10.0,
        tls: ssl.SSLContext | None = None,
        transport: Transport | None = None,
    ) -> None:
        self.url = url
        self.name = name
        self._reader = reader
        self._clock = clock or SystemClock()
        self._timeout_s = timeout_s
        self._ahead_s = 0  # how far the embassy's clock is ahead of ours, as far as it matters
        self._own_ways = transport is not None or tls is not None
        self._transport = transport or HttpTransport(url, timeout_s, tls)

    def close(self) -> None:
        """Let go of the connection."""
        self._transport.close()

    def described(self) -> dict[str, Value] | None:
        """What another process needs to ask as this client does, the reader's key included.

        None where it goes ways that only this process knows.
        """
        if self._own_ways:
            return None
        reader = self._reader.secret_text() if self._reader else ""
        timeout_ms = round(self._timeout_s * 1000)
        return {"url": self.url, "name": self.name, "reader": reader, "timeout_ms": timeout_ms}

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> EmbassyClient:
        """The client that `described` describes."""
        reader = SigningKey.parse(described["reader"]) if described["reader"] else None
        name, timeout_s = described["name"], described["timeout_ms"] / 1000
        return cls(described["url"], name=name, reader=reader, timeout_s=timeout_s)

    # growing the log

    def add_checkpoint(self, old_size: int, proof: Sequence[bytes], note: bytes) -> None:
        """Make the signed checkpoint `note` the pending one; it was `old_size` before."""
        lines = "".join(f"{encode_base64(value)}\n" for value in proof)
        self._post("/add-checkpoint", f"old {old_size}\n{lines}\n".encode() + note)

    def add_entries(
        self, body: bytes, *, gzip: bool = False
    ) -> tuple[NoteSignature, ...] | Progress:
        """Upload what `packages.build_body` made: the embassy's signature lines, or a Progress.

        The lines are not verified; see `cosignature_of`.
        """
        headers = {"Content-Type": "application/octet-stream"}
        if gzip:
            headers["Content-Encoding"] = "gzip"
        answer = self._ask("POST", "/add-entries", body, headers)
        if answer.status == 202:
            return Progress(*parse_mirror_info(answer.body, place=self._place))
        try:
            return parse_signature_lines(answer.body.decode("utf-8", "replace"))
        except JournalError as error:
            raise AnswerInvalid(error.message, place=self._place) from error

    def add_blobs(self, blobs: Sequence[bytes]) -> None:
        """Put blobs if absent; durable on return. Big ones go in several requests."""
        some: list[bytes] = []
        size = 0
        for blob in blobs:
            if some and size + len(blob) > BLOB_BYTES_AT_ONCE:
                self._post("/add-blobs", encode(some), signed=True)
                some, size = [], 0
            some.append(blob)
            size += len(blob)
        self._post("/add-blobs", encode(some), signed=True)

    # what custodians send

    def seal(self, succession: bytes) -> bytes:
        """End an epoch: the embassy's SealReceipt as bytes, for `epochs.verify_seal`."""
        return self._post("/seal", succession).body

    def set_policy(self, policy: bytes) -> None:
        """Hand over the policy file's next version."""
        self._post("/policy", policy)

    # lotteries

    def commit_secret(self, round_id: str, closes_s: int) -> tuple[bytes, bytes]:
        """Let the embassy hold a secret for a round: its signed statement and its deal."""
        answer = self._post("/lottery/commit", encode([round_id, closes_s]), signed=True)
        try:
            found = decode(answer.body, place=self._place)
        except NotCanonical as error:
            raise AnswerInvalid(error.message, place=self._place) from error
        match found:
            case [bytes(statement), bytes(deal)]:
                return statement, deal
        raise AnswerInvalid("this is no commitment.", place=self._place)

    def reveal_secret(self, receipt: bytes) -> bytes:
        """The embassy's signed reveal, for the receipt of the act that closed the round's list."""
        return self._post("/lottery/reveal", receipt).body

    def lottery(self, round_id: str) -> bytes | None:
        """What the embassy signed for a round, as JSON; None where it made no secret."""
        return self._get_if_there(f"/lottery/{round_id}")

    # reading

    def policy(self, version: int | None = None) -> bytes:
        """The policy file that the embassy is pinned to, or was: an earlier `version`."""
        return self._get("/policy" if version is None else f"/policy?version={version}")

    def succession(self, origin: str) -> bytes | None:
        """What the embassy sealed a log for, as custodians signed it; None where it did not."""
        return self._get_if_there(f"/{origin_hash(origin)}/succession")

    def filled(self, origin: str) -> bytes | None:
        """The checkpoint up to which others filled a closed log there, or None; verify it."""
        return self._get_if_there(f"/{origin_hash(origin)}/filled")

    def _get_if_there(self, path: str) -> bytes | None:
        try:
            return self._get(path)
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def checkpoint(self, origin: str) -> bytes:
        """The mirror checkpoint of a log: a note by the log and this embassy."""
        return self._get(f"/{origin_hash(origin)}/checkpoint")

    def tile(self, origin: str, path: str) -> bytes:
        """A hash tile or entry bundle, `path` as `tiles.tile_path` spells it."""
        return self._get(f"/{origin_hash(origin)}/{path}", signed=True)

    def blob(self, name: bytes) -> bytes:
        """One blob by its name."""
        return self._get(f"/blobs/{name.hex()}", signed=True)

    def blob_names(self) -> Iterator[bytes]:
        """All names, sorted, page by page."""
        after = ""
        while True:
            page = self._get(f"/blobs?after={after}&limit=10000", signed=True).decode().split()
            if not page:
                return
            try:
                yield from [bytes.fromhex(name) for name in page]
            except ValueError as error:
                raise AnswerInvalid("this is no list of blobs.", place=self._place) from error
            after = page[-1]

    def fetch_blobs(self, names: Iterable[bytes]) -> Iterator[tuple[bytes, bytes | None]]:
        """(name, blob) for each name, in order; None where this embassy does not hold it.

        The caller checks that SHA-256(blob) is the name.
        """
        wanted = list(names)
        at = 0
        while at < len(wanted):
            some = wanted[at : at + BLOBS_AT_ONCE]
            answer = self._post("/fetch-blobs", encode(some), signed=True)
            try:
                found = decode(answer.body, place=self._place)
            except NotCanonical as error:
                raise AnswerInvalid(error.message, place=self._place) from error
            if not isinstance(found, list) or not 0 < len(found) <= len(some):
                raise AnswerInvalid("this is no list of blobs.", place=self._place)
            for name, blob in zip(some, found, strict=False):
                if blob is not None and not isinstance(blob, bytes):
                    raise AnswerInvalid("this is no list of blobs.", place=self._place)
                yield name, blob
            at += len(found)

    def evidence(self) -> bytes:
        """What the embassy refused and kept, as a JSON list."""
        return self._get("/evidence", signed=True)

    def health(self) -> bytes:
        """The JSON of /healthz."""
        return self._get("/healthz")

    @property
    def _place(self) -> str:
        return self.name or self.url

    def _get(self, path: str, *, signed: bool = False) -> bytes:
        return self._ask("GET", path, b"", {}, signed=signed).body

    def _post(self, path: str, body: bytes, *, signed: bool = False) -> Answer:
        headers = {"Content-Type": "application/octet-stream"}
        return self._ask("POST", path, body, headers, signed=signed)

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes,
        headers: dict[str, str],
        *,
        signed: bool = False,
    ) -> Answer:
        if signed and self._reader:
            headers["Authorization"] = self._authorization(self._reader, method, path, body)
        answer = self._transport.ask(method, path, headers, body)
        if answer.status == 401 and signed and self._reader and self._learn_clock(answer.date):
            # Its clock is wrong, or ours is. In a takeover what it holds must count all the same.
            headers["Authorization"] = self._authorization(self._reader, method, path, body)
            answer = self._transport.ask(method, path, headers, body)
        if answer.status >= 300:
            raise parse_refusal(answer.status, answer.media_type, answer.body, place=self._place)
        return answer

    def _authorization(self, reader: SigningKey, method: str, path: str, body: bytes) -> str:
        at_s = self._clock.now_ms() // 1000 + self._ahead_s
        return authorization(reader, method, path, self.name, at_s, body)

    def _learn_clock(self, date: str) -> bool:
        """Go by the embassy's clock from now on, as its answer tells it; False: we did already."""
        try:
            its_s = int(parsedate_to_datetime(date).timestamp())
        except (ValueError, OverflowError):
            return False
        ahead_s = its_s - self._clock.now_ms() // 1000
        if abs(ahead_s - self._ahead_s) < WITHIN_S // 2:
            return False
        _log.warning("clocks differ", embassy=self._place, ahead_s=ahead_s)
        self._ahead_s = ahead_s
        return True


def cosignature_of(
    lines: Sequence[NoteSignature], checkpoint_text: str, mirror_key: VerifierKey
) -> NoteSignature:
    """The embassy's own cosignature among `lines`, verified; others are ignored.

    Raises AnswerInvalid where it is missing or does not fit the checkpoint.
    """
    for line in lines:
        if (line.name, line.key_id) == (mirror_key.name, mirror_key.key_id):
            if mirror_key.verifies(checkpoint_text, line.payload):
                return line
            raise AnswerInvalid("the mirror's signature does not fit.", place=mirror_key.name)
    raise AnswerInvalid("the mirror's signature is missing.", place=mirror_key.name)

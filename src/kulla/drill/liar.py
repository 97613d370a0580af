"""An embassy that lies, as a real process: it has its keys and its place in the policy.

It can sign what it likes as itself, show what it was given, and say anything; it has nobody else's
key. Each kind of liar does one thing, and always:

forgets           cosigns every checkpoint that it is offered, and keeps not one entry
shows-falsely     mirrors as it should, and serves flipped, cut and missing tiles, old checkpoints
                  and false blobs
rewinds           cosigns as it should, and then shows, and seals, what it held long ago, as if the
                  rest had never been
denies            takes a hundred requests as it should, then refuses all: sizes nobody ever had,
                  an epoch that is sealed, a policy that it never took
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any, Final

from kulla.drill.chance import Chance, chance_of
from kulla.embassy.errors import EmbassyError, LogSealed, SizeConflict
from kulla.embassy.mirror import Mirror, origin_hash
from kulla.embassy.packages import BodyReader
from kulla.embassy.replies import TEXT, Reply, refusal
from kulla.embassy.upload import Upload
from kulla.journal.checkpoints import add_signatures, cosign, parse_checkpoint
from kulla.journal.epochs import make_seal, parse_succession
from kulla.journal.errors import JournalError
from kulla.journal.notes import parse_note
from kulla.kernel.canonical import Value, encode

COUNTS: Final = "lies.json"
_ABSURD: Final = 10**9
_DENIES_AFTER: Final = 100
_SHOWN_OLD: Final = 40


class LyingMirror(Mirror):
    """Takes the place of an honest mirror, and of all that it holds. See this file's beginning."""

    kind = ""

    def __init__(self, honest: Mirror, chance: Chance, counts: Path) -> None:
        """`counts` is a file for how often it lied, and about what."""
        self.__dict__.update(honest.__dict__)
        self._chance = chance
        self._counts_file = counts
        self._counts: dict[str, int] = {}
        self._counting = threading.Lock()

    def lied(self, what: str) -> None:
        """Count a lie; whoever reads the file later sees all of them but perhaps the last ones."""
        with self._counting:
            self._counts[what] = self._counts.get(what, 0) + 1
            if sum(self._counts.values()) % 16 == 1:
                self._counts_file.write_text(json.dumps(self._counts), encoding="ascii")

    def save_usage(self) -> None:
        """See Mirror; the last thing that a process does."""
        super().save_usage()
        self._counts_file.write_text(json.dumps(self._counts), encoding="ascii")


class Forgets(LyingMirror):
    """Cosigns everything, keeps nothing."""

    kind = "forgets"

    def __init__(self, honest: Mirror, chance: Chance, counts: Path) -> None:
        """See LyingMirror."""
        super().__init__(honest, chance, counts)
        self._offered: dict[tuple[str, int], bytes] = {}
        self._newest: dict[str, bytes] = {}

    def add_checkpoint(self, body: bytes) -> Reply:
        """See Mirror."""
        note = body.partition(b"\n\n")[2]
        try:
            found = parse_checkpoint(parse_note(note).text)
            self.current_log(found.origin)
        except (JournalError, EmbassyError):
            return super().add_checkpoint(body)
        self._offered[found.origin, found.size] = note
        self._newest[origin_hash(found.origin)] = note
        return Reply(200)

    def upload(self, *, gzip: bool = False) -> Upload:
        """See Mirror."""
        del gzip
        return _ForgottenUpload(self)

    def signed(self, origin: str, size: int) -> Reply:
        """A cosignature of what was offered, without a look."""
        note = self._offered.get((origin, size))
        if note is None:
            return refusal(SizeConflict(0))
        self.lied("signed_unkept")
        checkpoint = parse_checkpoint(parse_note(note).text)
        line = cosign(checkpoint, self.identity.mirror_key, self.clock.now_ms() // 1000)
        return Reply(200, line.line().encode(), TEXT)

    def checkpoint(self, log_hash: str) -> Reply:
        """See Mirror: all that it was offered, as if it had it."""
        note = self._newest.get(log_hash)
        if note is None:
            return super().checkpoint(log_hash)
        self.lied("checkpoint")
        checkpoint = parse_checkpoint(parse_note(note).text)
        line = cosign(checkpoint, self.identity.mirror_key, self.clock.now_ms() // 1000)
        return Reply(200, add_signatures(note, [line]), TEXT)

    def seal(self, body: bytes) -> Reply:
        """See Mirror: a true seal of what it does not have."""
        reply = super().seal(body)
        if reply.status != 200:
            return reply
        succession = parse_succession(body)
        shown = self.checkpoint(origin_hash(succession.old_origin))
        key = self.identity.statement_key
        note = shown.body if shown.status == 200 else b""
        made = make_seal(succession, self.identity.name, note, key)
        return Reply(200, made.render(), reply.media_type)


class _ForgottenUpload(Upload):
    """Reads who sends what up to where, and no further."""

    def __init__(self, mirror: Forgets) -> None:
        self._mirror = mirror
        self._body = BodyReader()

    def feed(self, data: bytes) -> Reply | None:
        """See Upload."""
        if self._body.header is None:
            self._body.feed(data)
            self._body.read_header()
        return None

    def finish(self) -> Reply:
        """See Upload."""
        header = self._body.header
        return self._mirror.signed(header.origin, header.end) if header else Reply(400)


class ShowsFalsely(LyingMirror):
    """Mirrors truly, shows falsely."""

    kind = "shows-falsely"

    def tile(self, log_hash: str, path: str) -> Reply:
        """See Mirror."""
        reply, chance = super().tile(log_hash, path), self._chance
        if reply.status != 200:
            return reply
        self.lied("tile")
        data, roll = bytearray(reply.body), chance.random()
        if roll < 0.3 or not data:
            return Reply(404)
        if roll < 0.6:
            return Reply(200, bytes(data[: chance.randrange(len(data))]), reply.media_type)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        return Reply(200, bytes(data), reply.media_type)

    def fetch_blobs(self, body: bytes) -> Reply:
        """See Mirror."""
        del body
        self.lied("blobs")
        return Reply(200, encode([b"another blob"]))

    def blob(self, name: str) -> Reply:
        """See Mirror."""
        self.lied("blobs")
        return Reply(200, name.encode())


class Rewinds(LyingMirror):
    """Shows and seals what it held long ago."""

    kind = "rewinds"

    def __init__(self, honest: Mirror, chance: Chance, counts: Path) -> None:
        """See LyingMirror."""
        super().__init__(honest, chance, counts)
        self._old: dict[str, list[bytes]] = {}

    def checkpoint(self, log_hash: str) -> Reply:
        """See Mirror."""
        reply = super().checkpoint(log_hash)
        if reply.status != 200:
            return reply
        shown = self._old.setdefault(log_hash, [])
        if not shown or (shown[-1] != reply.body and len(shown) < _SHOWN_OLD):
            shown.append(reply.body)
        self.lied("checkpoint")
        return Reply(200, shown[0], reply.media_type)

    def seal(self, body: bytes) -> Reply:
        """See Mirror: a true seal of an old checkpoint."""
        reply = super().seal(body)
        if reply.status != 200:
            return reply
        self.lied("seal")
        succession = parse_succession(body)
        old = self.checkpoint(origin_hash(succession.old_origin))
        name, key = self.identity.name, self.identity.statement_key
        note = old.body if old.status == 200 else b""
        return Reply(200, make_seal(succession, name, note, key).render(), reply.media_type)

    def upload(self, *, gzip: bool = False) -> Upload:
        """See Mirror; it looks at what it holds at the beginning, to show that later."""
        for log_hash in list(self._by_hash):
            if not self._old.get(log_hash):
                self.checkpoint(log_hash)
        return super().upload(gzip=gzip)


class Denies(LyingMirror):
    """Refuses what it took, and tells stories."""

    kind = "denies"

    def __init__(self, honest: Mirror, chance: Chance, counts: Path) -> None:
        """See LyingMirror."""
        super().__init__(honest, chance, counts)
        self._requests = 0

    def add_checkpoint(self, body: bytes) -> Reply:
        """See Mirror."""
        self._requests += 1
        if self._requests < _DENIES_AFTER:
            return super().add_checkpoint(body)
        self.lied("refusal")
        sizes = (0, 1, _ABSURD)
        stories: tuple[EmbassyError, ...] = (
            SizeConflict(self._chance.choice(sizes)),
            LogSealed(b"an epoch is over when I say so\n"),
        )
        return refusal(self._chance.choice(stories))

    def checkpoint(self, log_hash: str) -> Reply:
        """See Mirror."""
        if self._requests < _DENIES_AFTER:
            return super().checkpoint(log_hash)
        self.lied("checkpoint")
        return Reply(404)

    def set_policy(self, body: bytes) -> Reply:
        """See Mirror: it says that it took it."""
        del body
        self.lied("policy")
        return Reply(200)

    def health(self) -> dict[str, Value]:
        """See Mirror."""
        found: dict[str, Any] = dict(super().health())
        if self._requests >= _DENIES_AFTER:
            self.lied("health")
            found["policy_version"] = _ABSURD
            found["logs"] = [{**log, "sealed": True} for log in found["logs"]]
        return found


KINDS: Final[dict[str, type[LyingMirror]]] = {
    liar.kind: liar for liar in (Forgets, ShowsFalsely, Rewinds, Denies)
}


def serve_lies(folder: Path, kind: str, seed: int, ready: Any) -> None:
    """Serve the embassy of `folder` as a liar of one kind until SIGTERM. See embassy.server."""
    from kulla.embassy.server import serve

    chance = chance_of(seed, f"liar {folder.name}")
    counts = folder.with_name(f"{folder.name}-{COUNTS}")
    serve(folder, ready=ready, change=lambda honest: KINDS[kind](honest, chance, counts))

"""Embassies that do not keep to the protocol: one that lies, and one that signs anything."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from kulla.drill.simulation import country
from kulla.drill.simulation.embassies import EmbassyNode
from kulla.embassy.mirror import Mirror, origin_hash
from kulla.embassy.packages import BodyReader
from kulla.embassy.replies import JSON, MIRROR_INFO, SIZE, TEXT, Reply, mirror_info
from kulla.journal.checkpoints import add_signatures, cosign, parse_checkpoint
from kulla.journal.epochs import SealReceipt, make_seal, parse_succession
from kulla.journal.errors import JournalError, TileMissing
from kulla.journal.notes import NoteSignature, parse_note
from kulla.kernel.canonical import encode

if TYPE_CHECKING:
    from kulla.drill.simulation.world import World
    from kulla.journal.simulated import SimulatedTileStore

_ABSURD = 10**9
_SUBJECTS = ("/checkpoint", "/tile/", "/add-checkpoint", "/add-entries", "/seal", "/policy")


class LyingEmbassy(EmbassyNode):
    """It mirrors as it should, and answers wrongly as often as not.

    Fault model: older checkpoints than it signed last, in answers and in seals; tiles with a bit
    flipped, cut short, or gone; sizes that nobody ever had; signatures of something else; things
    called done that were not. It never shows what its keys can't sign. Some lie now and then about
    everything, others always about a few things, also about whether home is home.
    """

    honest = False

    def __init__(self, world: World, name: str) -> None:
        self._shown: dict[str, list[bytes]] = {}
        self._always = {word for word in _SUBJECTS if world.chance.random() < 0.3}
        self._rate = world.chance.choice((0.0, 0.4))
        super().__init__(world, name)

    def _answer(self, mirror: Mirror, method: str, path: str, body: bytes) -> Reply | None:
        chance = self.world.chance
        always = any(word in path for word in self._always)
        lies = chance.random() < self._rate or always
        if lies and path == "/policy" and method == "POST" and chance.random() < 0.5:
            return Reply(200)
        reply = super()._answer(mirror, method, path, body)
        if reply is None:
            return None
        if path.endswith("/checkpoint") and reply.status == 200:
            self._shown.setdefault(path, []).append(reply.body)
        if not lies:
            return reply
        self.world.met("an embassy lies")
        return self._lie(mirror, path, reply)

    def _lie(self, mirror: Mirror, path: str, reply: Reply) -> Reply:
        chance = self.world.chance
        if path.endswith("/checkpoint"):
            shown = self._shown.get(path)
            return Reply(200, chance.choice(shown), TEXT) if shown else Reply(404)
        if "/tile/" in path:
            return self._false_tile(reply)
        if path == "/add-checkpoint":
            return Reply(409, b"%d\n" % chance.choice((0, 1, _ABSURD)), SIZE)
        if path == "/add-entries":
            return self._false_upload()
        if path == "/seal" and reply.status == 200:
            return self._old_seal(reply)
        if path == "/healthz":
            return self._false_health(mirror)
        if path == "/fetch-blobs":
            return Reply(200, encode([b"another blob"]))
        return reply

    def _false_tile(self, reply: Reply) -> Reply:
        chance, data = self.world.chance, bytearray(reply.body)
        if not data or chance.random() < 0.3:
            return Reply(404)
        if chance.random() < 0.3:
            return Reply(200, bytes(data[: chance.randrange(len(data))]))
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        return Reply(200, bytes(data))

    def _false_upload(self) -> Reply:
        chance = self.world.chance
        roll = chance.random()
        if roll < 0.3:
            info = mirror_info(chance.randrange(50), chance.choice((0, 3, _ABSURD)), b"ticket")
            return Reply(chance.choice((202, 409)), info, MIRROR_INFO)
        if roll < 0.6:
            return Reply(200, b"these are no signature lines\n", TEXT)
        signer = country.identity_of(self.name).mirror_key
        text = f"{country.origin_of(1)}\n7\n{'A' * 43}=\n"
        return Reply(200, signer.sign_cosignature(text, 1).line().encode(), TEXT)

    def _old_seal(self, reply: Reply) -> Reply:
        """A true seal of an older checkpoint than it holds."""
        receipt = SealReceipt.parse(reply.body)
        if not receipt.checkpoint:
            return reply
        origin = parse_checkpoint(parse_note(receipt.checkpoint).text).origin
        shown = self._shown.get(f"/{origin_hash(origin)}/checkpoint")
        if not shown or self.sealed_note is None:
            return reply
        succession = parse_succession(self.sealed_note)
        key = country.identity_of(self.name).statement_key
        old = make_seal(succession, self.name, self.world.chance.choice(shown), key)
        return Reply(200, old.render(), reply.media_type)

    sealed_note: bytes | None = None

    def serve(self, method: str, path: str, body: bytes) -> Reply | None:
        """See EmbassyNode; it remembers what it was asked to seal."""
        if path == "/seal":
            self.sealed_note = body
        return super().serve(method, path, body)

    def _false_health(self, mirror: Mirror) -> Reply:
        health: dict[str, Any] = dict(mirror.health())
        roll = self.world.chance.random()
        if roll < 0.3:
            health["policy_version"] = _ABSURD
        elif roll < 0.6:
            health["logs"] = [{**known, "sealed": True} for known in health["logs"]]
        elif roll < 0.8:
            health.pop("logs")
        health["forks_refused"] = _ABSURD
        return Reply(200, json.dumps(health).encode(), JSON)


class TraitorEmbassy(EmbassyNode):
    """It cosigns whatever any log key signed, held or not, and shows what suits the thief.

    Fault model: every checkpoint that is offered is taken, and every upload is answered with a
    cosignature without a look. Beside that it mirrors what it can, so that it can show true tiles.
    Once a thief gave it a history (`shadow`), it shows that one.
    """

    honest = False

    def __init__(self, world: World, name: str) -> None:
        self._offered: dict[tuple[str, int], bytes] = {}
        self.shadow: tuple[str, bytes, SimulatedTileStore] | None = None
        super().__init__(world, name)

    def _answer(self, mirror: Mirror, method: str, path: str, body: bytes) -> Reply | None:
        if path == "/add-checkpoint":
            note = body.partition(b"\n\n")[2]
            checkpoint = parse_checkpoint(parse_note(note).text)
            self._offered[checkpoint.origin, checkpoint.size] = note
            super()._answer(mirror, method, path, body)
            return Reply(200)
        if path == "/add-entries":
            super()._answer(mirror, method, path, body)
            reader = BodyReader()
            reader.feed(body)
            header = reader.read_header()
            offered = self._offered.get((header.origin, header.end)) if header else None
            if offered is not None:
                self.world.met("a traitor signs what it does not hold")
                return Reply(200, self._sign(offered).line().encode(), TEXT)
        shown = self._shadowed(path)
        return shown or super()._answer(mirror, method, path, body)

    def _sign(self, note: bytes) -> NoteSignature:
        checkpoint = parse_checkpoint(parse_note(note).text)
        at_s = max(self.clock.now_ms() // 1000, 0)
        return cosign(checkpoint, country.identity_of(self.name).mirror_key, at_s)

    def _shadowed(self, path: str) -> Reply | None:
        """What it shows of the log whose other history a thief gave it."""
        if self.shadow is None:
            return None
        origin, note, store = self.shadow
        log_hash, _, rest = path.removeprefix("/").partition("/")
        if log_hash != hashlib.sha256(origin.encode()).hexdigest():
            return None
        if rest == "checkpoint":
            self.world.met("a traitor shows a thief's history")
            return Reply(200, add_signatures(note, [self._sign(note)]), TEXT)
        try:
            return Reply(200, store.get(rest))
        except (TileMissing, JournalError):
            return Reply(404)

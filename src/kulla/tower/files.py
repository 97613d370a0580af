"""Files that people handed in: sealed here, kept in the home's folder, found again at embassies.

The scribe takes no act that names a file which is not here, and its couriers bring it to the
embassies before the act counts. A new home has none of them: each is fetched from an embassy when
somebody asks for it, checked by its name, and kept (docs/decisions/057).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from kulla.embassy.blob_folder import FolderBlobs
from kulla.embassy.client import EmbassyClient
from kulla.embassy.errors import BlobDamaged, BlobMissing, EmbassyError
from kulla.journal.notes import SigningKey
from kulla.journal.policy_file import PolicyFile
from kulla.keeper.port import Keeper
from kulla.keeper.sealed_files import file_key, key_in, open_file, seal_file
from kulla.kernel.edges import SystemClock
from kulla.kernel.errors import KullaError
from kulla.kernel.tower import FileGone
from kulla.rebuild.sources import HttpSource, Source

log = structlog.get_logger()

PURPOSE: Final = "files"
FREE_BYTES_MIN: Final = 256 * 2**20
"""Room that files leave on the disk: the scribe needs some for acts, which come first."""

_ASK_TIMEOUT_S: Final = 5.0


class NoRoomForFiles(KullaError):
    """The disk has no room for files any more; acts go on."""


class Holds(Protocol):
    """Where sealed files lie: the part of embassy.blobs.BlobStore that is asked here."""

    def get(self, name: bytes) -> bytes:
        """The sealed file. Raises BlobMissing, BlobDamaged."""
        ...


class Shelf:
    """The home's folder of files, with the embassies behind it. Safe to call from any thread."""

    def __init__(self, own: FolderBlobs, sources: Callable[[], Iterator[Source]]) -> None:
        """`sources` gives the embassies to ask, in order; each is asked by one thread, once."""
        self._own = own
        self._sources = sources

    def get(self, name: bytes) -> bytes:
        """The sealed file, from here or from an embassy; it is kept here then.

        Raises BlobMissing where nobody who answers has it.
        """
        try:
            return self._own.get(name)
        except BlobMissing:
            content = self._fetched(name)
            self._own.put([content])
            log.info("file came back", name=name.hex())
        except BlobDamaged:
            log.critical("a file is damaged on this disk", name=name.hex())
            content = self._fetched(name)
            self._own.mend(content)
        return content

    def _fetched(self, name: bytes) -> bytes:
        for source in self._sources():
            try:
                for _, content in source.blobs([name]):
                    if content is not None:
                        return content
            except EmbassyError as error:
                log.warning("embassy gives no file", source=source.name, error=str(error))
        raise BlobMissing(
            "neither home nor any embassy that answers holds the file.",
            place=name.hex(),
            remedy="See `kulla doctor`: an embassy that is away may hold it.",
        )


@dataclass(frozen=True, slots=True)
class HomeBlobs:
    """All that entries may name at home: the keeper's wrapped keys, and files (BlobSource)."""

    keeper: Keeper
    files: Holds

    def fetch(self, names: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """See scribe.BlobSource. A damaged file is none."""
        found = dict(self.keeper.wrapped(names))
        for name in names:
            if name not in found:
                try:
                    found[name] = self.files.get(name)
                except BlobMissing:
                    continue
                except BlobDamaged as error:
                    log.critical("a file is damaged on this disk", error=str(error))
        return found


class HomeFiles:
    """Keeps and reads what people hand in (kernel.tower.TowerEdge). Safe from any thread."""

    def __init__(
        self,
        keeper: Keeper,
        own: FolderBlobs,
        sources: Callable[[], Iterator[Source]],
        free_bytes: Callable[[], int],
    ) -> None:
        self._keeper = keeper
        self._own = own
        self._shelf = Shelf(own, sources)
        self._free_bytes = free_bytes

    def keep(self, subject: str, content: bytes, once: bytes) -> bytes:
        """See TowerEdge.keep_file. Raises NoRoomForFiles, KeeperError, BlobsFailed."""
        if self._free_bytes() - len(content) < FREE_BYTES_MIN:
            raise NoRoomForFiles(
                "the disk has no room for files any more.",
                place=PURPOSE,
                remedy="Make room at home; what was confirmed before is safe.",
            )
        meant = {"content": hashlib.sha256(content).hexdigest()}
        key = file_key(self._keeper.seal(subject, meant, PURPOSE, once)["content"])
        sealed_key = self._keeper.seal(subject, {"key": key.hex()}, PURPOSE, once)["key"]
        [name] = self._own.put([seal_file(key, sealed_key, content)])
        return name

    def drop(self, name: bytes) -> None:
        """See TowerEdge.drop_file."""
        self._own.drop(name)

    def read(self, subject: str, name: bytes, asker: str, reason: str) -> bytes:
        """See TowerEdge.read_file. Raises FileGone, KeeperError."""
        try:
            sealed = self._shelf.get(name)
        except BlobMissing as error:
            raise FileGone(error.message, place=error.place, remedy=error.remedy) from error
        opened = self._keeper.open(subject, {"key": key_in(sealed)}, PURPOSE, asker, reason)
        return open_file(bytes.fromhex(opened["key"]), sealed)


def embassies_of(policy: PolicyFile, reader: SigningKey) -> Iterator[HttpSource]:
    """The embassies of the policy one after the other, each with a line of its own."""
    for known in policy.embassies:
        client = EmbassyClient(
            known.url,
            name=known.name,
            reader=reader,
            clock=SystemClock(),
            timeout_s=_ASK_TIMEOUT_S,
        )
        with closing(client):
            yield HttpSource(client)

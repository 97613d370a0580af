"""Where a rebuild reads from: an embassy over HTTP, or the folder of one that was brought here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, Protocol, runtime_checkable

from kulla.embassy.blobs import SqliteBlobs
from kulla.embassy.client import EmbassyClient
from kulla.embassy.errors import BlobMissing, EmbassyError, Refused
from kulla.embassy.folder import blobs_path, read_log, read_policy
from kulla.embassy.write_log import LoggedTileStore
from kulla.journal.checkpoints import parse_checkpoint
from kulla.journal.errors import JournalError, StoreFailed, TileMissing
from kulla.journal.merkle import HASH_BYTES
from kulla.journal.notes import parse_note
from kulla.journal.store import TileStore
from kulla.journal.tiles import (
    ENTRIES,
    WIDTH,
    decode_bundle,
    encode_bundle,
    parse_tile_path,
    tile_path,
)
from kulla.kernel.canonical import Value


class Source(Protocol):
    """One embassy's copy. `name` is the embassy's name in the policy. Not for two threads."""

    name: str

    def checkpoint(self, origin: str) -> bytes | None:
        """The mirror checkpoint of a log as it was cosigned, or None; verify it."""
        ...

    def tiles(self, origin: str) -> TileStore:
        """The log's tiles, for reading; verify them."""
        ...

    def blobs(self, names: Iterable[bytes]) -> Iterator[tuple[bytes, bytes | None]]:
        """(name, blob or None) for each name, each blob checked against its name."""
        ...


@runtime_checkable
class FillableSource(Source, Protocol):
    """A source that an embassy's closed logs can be filled from."""

    def filled(self, origin: str) -> bytes | None:
        """The checkpoint up to which this one was filled by others, or None; verify it."""
        ...

    def policy(self, version: int | None = None) -> bytes | None:
        """The policy that is pinned there, or an earlier version; None where it has none."""
        ...


class EmbassyTiles:
    """A TileStore over an embassy's HTTP: reads only."""

    def __init__(self, client: EmbassyClient, origin: str) -> None:
        self._client = client
        self._origin = origin

    def described(self) -> dict[str, Value] | None:
        """How another process opens it; None where only this one can."""
        client = self._client.described()
        return None if client is None else {"client": client, "origin": self._origin}

    def get(self, path: str) -> bytes:
        """See TileStore."""
        try:
            return self._client.tile(self._origin, path)
        except Refused as error:
            if error.status == 404:
                raise TileMissing("the embassy has no such tile.", place=path) from error
            raise

    def put(self, items: Mapping[str, bytes]) -> None:  # noqa: ARG002
        """Refused: an embassy's tiles grow by its own protocol alone."""
        self._refuse()

    def swap(self, name: str, old: bytes | None, new: bytes) -> None:  # noqa: ARG002
        """Refused, like `put`."""
        self._refuse()

    def drop(self, paths: Iterable[str]) -> None:  # noqa: ARG002
        """Refused, like `put`."""
        self._refuse()

    def names(self, prefix: str) -> list[str]:  # noqa: ARG002
        """Refused: an embassy does not list its tiles."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise StoreFailed("an embassy's tiles can only be read here.", place=self._client.url)


class HttpSource:
    """An embassy that answers."""

    def __init__(self, client: EmbassyClient) -> None:
        self.name = client.name
        self.client = client

    def checkpoint(self, origin: str) -> bytes | None:
        """See Source."""
        try:
            return self.client.checkpoint(origin)
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def filled(self, origin: str) -> bytes | None:
        """See FillableSource."""
        return self.client.filled(origin)

    def policy(self, version: int | None = None) -> bytes | None:
        """See FillableSource."""
        try:
            return self.client.policy(version)
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def tiles(self, origin: str) -> TileStore:
        """See Source."""
        return EmbassyTiles(self.client, origin)

    def blobs(self, names: Iterable[bytes]) -> Iterator[tuple[bytes, bytes | None]]:
        """See Source."""
        for name, blob in self.client.fetch_blobs(names):
            yield name, _checked(name, blob)


class FolderSource:
    """The folder of an embassy that does not run, or a copy of it; opened for reading only."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder

    def checkpoint(self, origin: str) -> bytes | None:
        """See Source."""
        try:
            return self.tiles(origin).get("checkpoint")
        except TileMissing:
            return self.filled(origin)
        except StoreFailed:
            return None

    def filled(self, origin: str) -> bytes | None:
        """See FillableSource."""
        try:
            return self.tiles(origin).get("filled")
        except (TileMissing, StoreFailed):
            return None

    def policy(self, version: int | None = None) -> bytes | None:
        """See FillableSource."""
        return read_policy(self._folder, version)

    def tiles(self, origin: str) -> TileStore:
        """See Source."""
        return read_log(self._folder, origin)

    def blobs(self, names: Iterable[bytes]) -> Iterator[tuple[bytes, bytes | None]]:
        """See Source."""
        store = SqliteBlobs(blobs_path(self._folder), read_only=True)
        try:
            for name in names:
                try:
                    yield name, _checked(name, store.get(name))
                except (BlobMissing, EmbassyError):
                    yield name, None
        finally:
            store.close()


class AheadTiles:
    """The tiles of an embassy whose log has `size` entries, also as they were at smaller sizes.

    It need not have kept the partial tiles of those: a wider one begins with the same hashes.
    """

    def __init__(self, store: TileStore, size: int) -> None:
        self._store = store
        self._size = size

    def described(self) -> dict[str, Value] | None:
        """How another process opens it; None where only this one can."""
        inner = described(self._store)
        return None if inner is None else {"ahead": inner, "size": self._size}

    def get(self, path: str) -> bytes:
        """See TileStore; cuts a wider tile where there is no such one."""
        try:
            return self._store.get(path)
        except TileMissing:
            level, index, width = parse_tile_path(path)
            count = self._size >> (8 * max(level, 0))
            wider = min(WIDTH, count - index * WIDTH)
            if wider <= width:
                raise
            data = self._store.get(tile_path(level, index, wider))
            if level == ENTRIES:
                return encode_bundle(decode_bundle(data, place=path)[:width])
            return data[: HASH_BYTES * width]

    def put(self, items: Mapping[str, bytes]) -> None:
        """See TileStore."""
        self._store.put(items)

    def swap(self, name: str, old: bytes | None, new: bytes) -> None:
        """See TileStore."""
        self._store.swap(name, old, new)

    def drop(self, paths: Iterable[str]) -> None:
        """See TileStore."""
        self._store.drop(paths)

    def names(self, prefix: str) -> list[str]:
        """See TileStore."""
        return self._store.names(prefix)


def tiles_of(source: Source, origin: str) -> TileStore:
    """The tiles of a log at a source, at every size up to its own. Nothing is verified."""
    return AheadTiles(source.tiles(origin), max(_sizes(source, origin), default=0))


def _sizes(source: Source, origin: str) -> Iterator[int]:
    """How far a source says that it holds a log: what it mirrored, and what it was filled with."""
    try:
        notes = [source.checkpoint(origin)]
        if isinstance(source, FillableSource):
            notes.append(source.filled(origin))
        for note in notes:
            if note:
                yield parse_checkpoint(parse_note(note).text).size
    except (EmbassyError, JournalError):
        return


def described(store: TileStore) -> dict[str, Value] | None:
    """How another process opens the same store for reading; None where only this one can."""
    if isinstance(store, EmbassyTiles):
        return store.described()
    if isinstance(store, AheadTiles):
        return store.described()
    if isinstance(store, LoggedTileStore) and store.read_only:
        return {"folder": str(store.folder)}
    return None


def reopened(source: Mapping[str, Any]) -> TileStore:
    """The store that `described` describes."""
    if "ahead" in source:
        return AheadTiles(reopened(source["ahead"]), source["size"])
    if "folder" in source:
        return LoggedTileStore(Path(source["folder"]), read_only=True)
    return EmbassyTiles(EmbassyClient.of(source["client"]), source["origin"])


def _checked(name: bytes, blob: bytes | None) -> bytes | None:
    fits = blob is not None and hashlib.sha256(blob).digest() == name
    return blob if fits else None

"""The tower as the portal's pages see it: scribe and keeper behind one object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from kulla.embassy.blob_folder import FolderBlobs
from kulla.keeper.client import KeeperClient
from kulla.keeper.errors import KeeperUnavailable
from kulla.kernel.durable import free_bytes
from kulla.kernel.edges import SystemClock
from kulla.kernel.service import Command
from kulla.kernel.tower import Answer, Witnessing
from kulla.portal.edge import TowerUnavailable
from kulla.scribe.client import News, ScribeClient, ScribeUnavailable
from kulla.tower.files import HomeFiles, embassies_of
from kulla.tower.home import NOT_HOME, Home

PURPOSE = "services"


@contextmanager
def _or_unavailable() -> Iterator[None]:
    """What does not answer at home is, to a page, a tower that is not there now."""
    try:
        yield
    except (KeeperUnavailable, ScribeUnavailable) as error:
        raise TowerUnavailable(error.message, place=error.place, remedy=error.remedy) from error


class HomeEdge:
    """The tower of one home (kernel.tower.TowerEdge). Safe to call from any thread."""

    def __init__(self, home: Home, *, asker: str = "portal") -> None:
        """`asker` stands in the keeper's log of openings."""
        self._asker = asker
        clock = SystemClock()
        run_folder = home.run_folder()
        self._not_home = run_folder / NOT_HOME
        self._scribe = ScribeClient(run_folder, clock)
        self._keeper = KeeperClient(run_folder)
        self._files = HomeFiles(
            self._keeper,
            FolderBlobs(home.files),
            lambda: embassies_of(home.policy(), home.reader_key()),
            lambda: free_bytes(home.folder),
        )
        self._news = News(run_folder, clock)
        self._news.start()

    def submit(self, command: Command, wait_s: float = 10.0) -> Answer:
        """See TowerEdge."""
        if self._not_home.exists():
            return Answer("unavailable", code="not-home")
        return self._scribe.submit(command, wait_s)

    def seal(self, subject: str, fields: Mapping[str, str], once: bytes = b"") -> dict[str, bytes]:
        """See TowerEdge."""
        with _or_unavailable():
            return dict(self._keeper.seal(subject, fields, PURPOSE, once))

    def open(self, subject: str, sealed: Mapping[str, bytes], reason: str) -> dict[str, str]:
        """See TowerEdge."""
        with _or_unavailable():
            return dict(self._keeper.open(subject, sealed, PURPOSE, self._asker, reason))

    def enrol(self, count: int) -> Sequence[tuple[str, bytes]]:
        """See TowerEdge."""
        with _or_unavailable():
            return [(subject, name) for subject, name, _ in self._keeper.enrol(count)]

    def token(self, column: str, value: str) -> bytes:
        """See TowerEdge."""
        with _or_unavailable():
            return self._keeper.token(column, value)

    def keep_file(self, subject: str, content: bytes, once: bytes) -> bytes:
        """See TowerEdge."""
        with _or_unavailable():
            return self._files.keep(subject, content, once)

    def read_file(self, subject: str, name: bytes, reason: str) -> bytes:
        """See TowerEdge."""
        with _or_unavailable():
            return self._files.read(subject, name, self._asker, reason)

    def drop_file(self, name: bytes) -> None:
        """See TowerEdge."""
        self._files.drop(name)

    def witnessing(self) -> Witnessing:
        """See TowerEdge."""
        return self._news.latest

    def receipt(self, position: int, subject: str) -> bytes:
        """See TowerEdge."""
        with _or_unavailable():
            return self._scribe.receipt(position, subject)

"""What the embassies say, asked again and again: the newest policy, and a view of each log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from kulla.embassy.client import EmbassyClient
from kulla.embassy.errors import EmbassyError
from kulla.embassy.settle import View
from kulla.journal.errors import JournalError
from kulla.journal.policy_file import Embassy, PolicyFile
from kulla.kernel.errors import KullaError
from kulla.rebuild.history import view_of
from kulla.rebuild.sources import HttpSource
from kulla.rebuild.takeover import newest_policy


@dataclass(frozen=True, slots=True)
class _Said:
    """What one embassy answered: its policy, and its mirror checkpoint (None where it has none)."""

    policy: bytes
    note: bytes | None


class Embassies:
    """The embassies of the newest policy that is known. Not for two threads.

    An embassy whose note has not changed is not looked at again, so a quiet hour costs two small
    requests an embassy and a turn.
    """

    def __init__(
        self,
        policy: PolicyFile,
        client_of: Callable[[Embassy], EmbassyClient],
        *,
        together: bool = True,
    ) -> None:
        """Ask all of them `together` (in threads), or one after the other, as a simulation does."""
        self._client_of = client_of
        self._together = together
        self._seen_policies: set[bytes] = set()
        self._views: dict[str, tuple[bytes, View]] = {}
        self.clients: dict[str, EmbassyClient] = {}
        self.faults: dict[str, str] = {}
        self.fell_back: dict[str, str] = {}
        self.policy = policy
        self._meet(policy)

    @property
    def origin(self) -> str:
        """The log of the newest epoch."""
        return self.policy.current_log.key.name

    @property
    def faulted_quorum(self) -> bool:
        """Whether too few answered the last time to say how far the journal goes."""
        return not self.policy.is_quorum(self.clients.keys() - self.faults.keys())

    def sources(self, names: Sequence[str] = ()) -> list[HttpSource]:
        """The named embassies (all, for none) as sources of a rebuild, those that answer first."""
        found = [self.clients[name] for name in names or self.clients if name in self.clients]
        found.sort(key=lambda client: client.name in self.faults)
        return [HttpSource(client) for client in found]

    def ask(self) -> bool:
        """Ask all of them; True where one showed a newer policy that the custodians signed.

        `faults` then says why some did not answer.
        """
        said = self._each()
        offered = [one.policy for one in said.values() if one.policy not in self._seen_policies]
        self._seen_policies.update(offered)
        newest = newest_policy(self.policy, offered) if offered else self.policy
        if newest.version > self.policy.version:
            self._meet(newest)
            return True
        for name, one in said.items():
            try:
                self._look_at(name, one.note)
            except (JournalError, KullaError) as error:
                self.faults[name] = str(error)
        return False

    def views(self) -> list[View]:
        """What those that answered hold of the newest log, both signatures of each verified."""
        return [view for name, (_, view) in self._views.items() if name not in self.faults]

    def note_of(self, name: str) -> bytes:
        """The signed checkpoint that an embassy showed last, b'' for none."""
        return self._views[name][0] if name in self._views else b""

    def close(self) -> None:
        """Let go of all lines."""
        for client in self.clients.values():
            client.close()

    def _meet(self, policy: PolicyFile) -> None:
        self.close()
        self.policy = policy
        self.clients = {embassy.name: self._client_of(embassy) for embassy in policy.embassies}
        self._views.clear()
        self._seen_policies.clear()

    def _look_at(self, name: str, note: bytes | None) -> None:
        known = self._views.get(name)
        if known is not None and known[0] == (note or b""):
            return
        source = _Told(HttpSource(self.clients[name]), note)
        view = view_of(source, self.policy, self.origin)
        size, before = view.checkpoint.size, known[1].checkpoint.size if known else 0
        if size < before:
            self.fell_back[name] = (
                f"it showed {before} entries and now shows {size}: an older copy of its folder "
                "was put back, or it lies. It must not sign any more."
            )
        self._views[name] = (note or b"", view)

    def _each(self) -> Mapping[str, _Said]:
        self.faults = {}
        if not self._together:
            said = [self._ask_one(client) for client in self.clients.values()]
        else:
            with ThreadPoolExecutor(len(self.clients)) as pool:
                said = list(pool.map(self._ask_one, self.clients.values()))
        found = {}
        for name, answer in zip(self.clients, said, strict=True):
            if isinstance(answer, _Said):
                found[name] = answer
            else:
                self.faults[name] = answer.message
        return found

    def _ask_one(self, client: EmbassyClient) -> _Said | KullaError:
        try:
            note = HttpSource(client).checkpoint(self.origin)
            return _Said(client.policy(), note)
        except (EmbassyError, JournalError) as error:
            return error


class _Told(HttpSource):
    """A source whose checkpoint was asked for just now."""

    def __init__(self, source: HttpSource, note: bytes | None) -> None:
        super().__init__(source.client)
        self._note = note

    def checkpoint(self, origin: str) -> bytes | None:  # noqa: ARG002
        """See Source."""
        return self._note

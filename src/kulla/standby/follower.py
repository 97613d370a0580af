"""The follower: one step asks the embassies, replays what a quorum holds, and checks what came.

It has no thread, no socket and no clock of its own, and can be killed between any two steps: the
registers say how far it is, its own tiles hold all below that, and wanted keys are noted before the
registers commit. A step costs in proportion to what is new, not to the journal.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from kulla.embassy.client import EmbassyClient
from kulla.embassy.errors import EmbassyError
from kulla.embassy.settle import Settlement, View
from kulla.journal.checkpoints import Checkpoint
from kulla.journal.entries import JournalKey
from kulla.journal.errors import JournalError, PolicyMissing, StoreConflict, StoreFailed
from kulla.journal.policy_file import PolicyFile
from kulla.journal.store import TileStore
from kulla.journal.tiles import WIDTH
from kulla.journal.tree import Tree
from kulla.kernel.edges import Clock
from kulla.kernel.errors import KullaError
from kulla.kernel.rows import Table
from kulla.kernel.service import Authority, Service
from kulla.rebuild.beside import opened_entries
from kulla.rebuild.history import plan_history
from kulla.rebuild.reading import EpochPlan, OwnCopyDiffers, SourcesExhausted, own_tree
from kulla.rebuild.replay import EntryDoesNotFit, Replay
from kulla.rebuild.sources import AheadTiles, EmbassyTiles
from kulla.registers.fingerprint import FingerprintKey
from kulla.registers.sqlite import LiveRows
from kulla.standby import alarms as kinds
from kulla.standby.alarms import Alarms
from kulla.standby.confirmed import Confirmed, look
from kulla.standby.embassies import Embassies

log = structlog.get_logger()

Clients = Mapping[str, EmbassyClient]

KEYS_AT_ONCE: Final = 1000
_LOTS_A_STEP: Final = 8
_ASK_AGAIN_S: Final = 5.0


class HistoryDisowned(KullaError):
    """What was replayed here is not what counts: it is to be forgotten, and the alarm is raised."""


class WantedKeys(Protocol):
    """Where wrapped keys are kept until a takeover (keeper.waiting.WaitingKeys)."""

    def note(self, named: Sequence[tuple[bytes, str]]) -> None:
        """See rebuild.replay.NamesShelf."""
        ...

    def settle(self) -> None:
        """See rebuild.replay.NamesShelf."""
        ...

    def missing(self, limit: int, after: int = 0) -> Sequence[tuple[int, bytes]]:
        """(number, name) of blobs that nobody has given yet, in order, from `after` on."""
        ...

    def put(self, blobs: Mapping[bytes, bytes]) -> None:
        """Keep blobs whose names were checked, durably."""
        ...

    def counts(self) -> tuple[int, int]:
        """(how many blobs were named, how many of them are missing)."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long, in seconds, before silence is an alarm; how long a missing key may take.

    home_s: no new checkpoint of home. embassy_s: no answer of an embassy, or none too few answer.
    """

    home_s: float = 3600.0
    embassy_s: float = 60.0
    key_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Site:
    """What the follower stands on; its owner opens and closes it.

    store_of: the own tile store of a log's origin, opened; called again after a bulk replay, which
    closes it. keep_policy: makes a newer policy durable. keep_evidence: keeps (name, bytes).
    older: the versions before a policy, for undos of years ago. With a fingerprint_key the
    journal's fingerprints are compared.
    """

    connection: sqlite3.Connection
    tables: Sequence[Table]
    services: Mapping[str, Service]
    keys: Mapping[bytes, JournalKey]
    authority: Authority | None
    store_of: Callable[[str], TileStore]
    wanted: WantedKeys
    keep_policy: Callable[[bytes], None]
    keep_evidence: Callable[[str, bytes], None]
    older: Callable[[PolicyFile, Clients], Sequence[PolicyFile]] = lambda *_: ()
    fingerprint_key: FingerprintKey | None = None


@dataclass(frozen=True, slots=True)
class Stepped:
    """Where the follower stands after a step.

    position: of the next act to replay; confirmed: how far a quorum holds all acts; known: how far
    any embassy does. moved: whether this step did anything, so that the next may come at once.
    """

    epoch: int
    position: int
    confirmed: int
    known: int
    moved: bool


class Follower:
    """One standby. Not for two threads; the only writer of its registers and tiles."""

    def __init__(
        self,
        site: Site,
        embassies: Embassies,
        alarms: Alarms,
        clock: Clock,
        patience: Patience = Patience(),
        *,
        go_on: bool = False,
        progress: Callable[[int], None] = lambda _: None,
        acts: int | None = None,
    ) -> None:
        """`go_on`: list entries that can't be opened as cases, where custodians decided so.

        `acts` is how many there may be, where that is known (registers.bulk.marks_for).
        """
        self.embassies = embassies
        self.alarms = alarms
        self._site = site
        self._clock = clock
        self._patience = patience
        self._progress = progress
        _begin(site, embassies.policy.logs[0].key.name)
        self._replay = Replay(
            site.connection,
            site.tables,
            site.services,
            go_on=go_on,
            authority=site.authority,
            acts=acts,
            fingerprint_key=site.fingerprint_key,
        )
        self._trust()
        self._trees: dict[str, Tree] = {}
        self._stores: dict[str, TileStore] = {}
        self._chain: tuple[str, list[EpochPlan]] | None = None
        self._stuck = False
        self._cases = self._misfits = 0
        self._found = Confirmed(None)
        self._looked_at: frozenset[tuple[str, bytes]] = frozenset()
        self._heard_s: dict[str, float] = {}
        self._quorum_s = self._grew_s = clock.monotonic_s()
        self._newest: tuple[str, int] = ("", 0)
        self._settled_s = self._complete_s = self._quorum_s
        self._missing_at, self._ask_keys_s = 0, 0.0
        self._faulty: set[str] = set()

    @property
    def position(self) -> int:
        """The position of the next act to replay."""
        return self._replay.position

    def step(self) -> Stepped:
        """Ask, replay, check; see Stepped.

        Raises HistoryDisowned; what a disk or the registers raise ends the process, and the next
        one goes on. Embassies that fail are alarms, not errors.
        """
        before = self.position
        if self.embassies.ask():
            self._site.keep_policy(self.embassies.policy.render())
            self._trust()
            self._chain, self._stuck = None, False
            self._looked_at = frozenset()
            return self._stepped(moved=True)
        self._listen()
        self._look()
        if self._found.checkpoint is not None and not self._stuck:
            self._follow(self._found, self._found.checkpoint)
        if self.position > before:
            self._ask_keys_s = 0.0  # what is new may name keys: they are fetched at once
        brought = self._bring_keys()
        return self._stepped(moved=brought or self.position > before)

    def _trust(self) -> None:
        policy = self.embassies.policy
        self._replay.trust([policy, *self._site.older(policy, self.embassies.clients)])

    def close(self) -> None:
        """Let go of the embassies' lines."""
        self.embassies.close()

    def _stepped(self, *, moved: bool) -> Stepped:
        policy, base = self.embassies.policy, self._base()
        found = self._found.checkpoint
        confirmed = base + found.size if found is not None and base is not None else self.position
        known = base + self._found.ahead_size if base is not None else confirmed
        return Stepped(len(policy.logs), self.position, confirmed, max(known, confirmed), moved)

    def _base(self) -> int | None:
        """The position of the newest epoch's first act, where that is known."""
        return self._chain[1][-1].base if self._chain is not None else None

    # what the embassies show

    def _listen(self) -> None:
        """Note who answers, and raise the alarm on silence."""
        now_s, faults = self._clock.monotonic_s(), self.embassies.faults
        for name in self.embassies.clients:
            heard_s = self._heard_s.setdefault(name, now_s)
            if name not in faults:
                self._heard_s[name] = now_s
                self.alarms.over(kinds.EMBASSY, name)
            elif now_s - heard_s >= self._patience.embassy_s:
                self.alarms.sound(kinds.EMBASSY, f"it does not answer: {faults[name]}", name)
        if not self.embassies.faulted_quorum:
            self._quorum_s = now_s
            self.alarms.over(kinds.QUORUM)
        elif now_s - self._quorum_s >= self._patience.embassy_s:
            self.alarms.sound(
                kinds.QUORUM, "too few embassies answer: nothing can be followed until more do."
            )

    def _look(self) -> None:
        """See how far a quorum goes, where any embassy's note changed since the last look."""
        views = self.embassies.views()
        notes = frozenset((view.embassy, self.embassies.note_of(view.embassy)) for view in views)
        if notes != self._looked_at:
            tree = self._trees.get(self.embassies.origin)
            own = None if tree is None else _own_root(tree)
            policy = self.embassies.policy
            self._found = look(views, policy.is_quorum, own or (lambda _: None))
            self._looked_at = notes if not self._found.mute else frozenset()
            self._tell_forks(self._found)
        self._faulty = set(self._found.mute)
        for name, why in self._found.mute.items():
            self.alarms.sound(kinds.TILES, f"it can't prove what it says: {why}", name)
        for name, why in self.embassies.fell_back.items():
            self.alarms.sound(kinds.BACK, why, name)
        self._listen_to_home(views)

    def _listen_to_home(self, views: Sequence[View]) -> None:
        """Raise the alarm where home is silent, or what it signs finds no quorum."""
        newest = (self.embassies.origin, max((v.checkpoint.size for v in views), default=0))
        now_s = self._clock.monotonic_s()
        if newest != self._newest:
            self._newest, self._grew_s = newest, now_s
            self.alarms.over(kinds.HOME)
        elif now_s - self._grew_s >= self._patience.home_s:
            minutes = int(self._patience.home_s // 60)
            self.alarms.sound(kinds.HOME, f"home signed nothing new for over {minutes} minutes.")
        answering = self.embassies.policy.is_quorum(view.embassy for view in views)
        if self._found.checkpoint is not None or newest[1] == 0 or not answering:
            self._settled_s = now_s
            self.alarms.over(kinds.UNSETTLED)
        elif now_s - self._settled_s >= self._patience.embassy_s:
            shown = ", ".join(f"{v.embassy} {v.checkpoint.size}" for v in views)
            self.alarms.sound(kinds.UNSETTLED, f"no history is held by a quorum: {shown}.")

    def _tell_forks(self, found: Confirmed) -> None:
        for view in found.forked:
            name = view.embassy
            note = self.embassies.note_of(name)
            self._site.keep_evidence(f"{name}-{view.checkpoint.root.hex()[:16]}", note)
            other = found.holders[0]
            self._site.keep_evidence(
                f"{other.embassy}-{other.checkpoint.root.hex()[:16]}",
                self.embassies.note_of(other.embassy),
            )
            self.alarms.sound(
                kinds.FORK,
                f"it holds another history of {view.checkpoint.size} entries, signed with home's "
                f"key, than {other.embassy} and others: keep its folder, tell the custodians.",
                name,
            )

    # replaying

    def _follow(self, found: Confirmed, goal: Checkpoint) -> None:
        """Replay up to what is confirmed, over epochs that were closed meanwhile."""
        try:
            plans = self._plans(found, goal)
        except (HistoryDisowned, StoreFailed):
            raise
        except KullaError as error:
            self.alarms.sound(kinds.HISTORY, f"the epochs do not make one chain yet: {error}")
            return
        self.alarms.over(kinds.HISTORY)
        for plan in plans:
            start = max(0, self.position - plan.base)
            if start < plan.size and not self._replay_epoch(plan, start):
                return

    def _plans(self, found: Confirmed, goal: Checkpoint) -> list[EpochPlan]:
        """The epochs up to `goal`, oldest first; closed ones are looked up once."""
        names = [view.embassy for view in found.holders]
        if self._chain is None or self._chain[0] != goal.origin:
            newest = Settlement(goal, tuple(names), (), (), (), certain=True)
            sources = self.embassies.sources(names)
            plans = plan_history(sources, self.embassies.policy, self._site.keys, newest)
            self._see_agreement(plans)
            self._chain = (goal.origin, plans)
        closed, base = self._chain[1][:-1], self._chain[1][-1].base
        stores = [(view.embassy, self._tiles(view)) for view in found.holders]
        current = EpochPlan(goal.origin, base, goal.size, goal.root, stores, self._hear_fault)
        return [*closed, current]

    def _tiles(self, view: View) -> AheadTiles:
        client = self.embassies.clients[view.embassy]
        return AheadTiles(EmbassyTiles(client, view.checkpoint.origin), view.checkpoint.size)

    def _hear_fault(self, source: str, fault: str) -> None:
        self._faulty.add(source)
        self.alarms.sound(kinds.TILES, f"it did not give what it holds: {fault}", source)

    def _see_agreement(self, plans: Sequence[EpochPlan]) -> None:
        """Raise HistoryDisowned where what was replayed is not what later epochs adopted."""
        rows = LiveRows(self._site.connection, self._site.tables).find("kulla_epoch")
        replayed = [(str(row["origin"]), row["base"]) for row in rows]
        # An epoch that was left empty has no first act, so registers don't know of it.
        opened = [plan for at, plan in enumerate(plans) if plan.size or at == 0]
        chain: list[tuple[str, object]] = [(plan.origin, plan.base) for plan in opened]
        if replayed != chain[: len(replayed)]:
            self._disown(f"it has {len(replayed)} epochs, of which not all are in the chain.")
        at = opened[len(replayed) - 1]
        more = self.position - at.base - at.size
        if more > 0 and len(replayed) < len(opened):
            self._disown(f"{more} acts of {at.origin} were replayed that the next epoch disowns.")
        for plan in plans[:-1]:
            if self.position >= plan.base + plan.size > plan.base:
                root = self._tree(plan.origin, plan.size).root()
                if root != plan.root:
                    self._disown(f"{plan.origin} was adopted with another root.")

    def _disown(self, why: str) -> None:
        message = f"what was replayed here does not count: {why} The standby begins anew."
        self.alarms.sound(kinds.DISOWNED, message, f"position {self.position}")
        raise HistoryDisowned(message, place=f"position {self.position}")

    def _replay_epoch(self, plan: EpochPlan, start: int) -> bool:
        """Replay an epoch from entry `start` up to the plan's size; False where it stopped."""
        tree = self._tree(plan.origin, start)
        old_size, store = tree.size, self._store(plan.origin)
        try:
            with opened_entries(plan, self._site.keys, start, store, tree) as (entries, opener):
                self._replay.run(entries, opener, plan.base, self._progress, self._site.wanted)
        except (OwnCopyDiffers, StoreConflict) as error:
            self._disown(str(error))
        except (EntryDoesNotFit, PolicyMissing) as error:
            self._stuck = True
            self.alarms.sound(kinds.ENTRY, str(error), error.place)
            return False
        except SourcesExhausted as error:
            self._trees.pop(plan.origin, None)
            self._chain = None
            self.alarms.sound(kinds.TILES, str(error), plan.origin)
            return False
        finally:
            self._hear_replay()
        for place in (plan.origin, *(name for name, _ in plan.sources)):
            if place not in self._faulty:
                self.alarms.over(kinds.TILES, place)
        if tree.size == plan.size:
            store.drop(tree.superseded(old_size, tree.size))
        else:  # another process wrote the tiles
            self._stores.pop(plan.origin)
            self._trees.pop(plan.origin)
        return True

    def _hear_replay(self) -> None:
        """Raise what the replay found."""
        report = self._replay.report
        for position in report.misfits[self._misfits :]:
            self.alarms.sound(
                kinds.MISFIT,
                "the registers that home stated here are not those that its acts give.",
                f"position {position}",
            )
        self._misfits = len(report.misfits)
        if report.case_count > self._cases:
            position, reason = report.cases[-1] if report.cases else (self.position, "")
            self.alarms.sound(
                kinds.CASE,
                f"{report.case_count} acts became cases since this standby started; "
                f"position {position}: {reason}",
            )
            self._cases = report.case_count

    def _store(self, origin: str) -> TileStore:
        if origin not in self._stores:
            self._stores[origin] = self._site.store_of(origin)
        return self._stores[origin]

    def _tree(self, origin: str, size: int) -> Tree:
        """The own tree of a log at `size`, or of the whole tiles below where more is not there."""
        tree = self._trees.get(origin)
        if tree is None or tree.size > size:
            store = self._store(origin)
            tree = own_tree(store, size)
            if tree.size == size - size % WIDTH:  # no whole bundle below is missing
                try:
                    tree = Tree.load(store, size)
                except JournalError:
                    log.info("partial tiles are fetched again", origin=origin, size=size)
            self._trees[origin] = tree
        return tree

    # wrapped keys

    def _bring_keys(self) -> bool:
        """Fetch wrapped keys that entries name; True where there is more to fetch at once."""
        now_s, wanted = self._clock.monotonic_s(), self._site.wanted
        if self._missing_at == 0 and now_s < self._ask_keys_s:
            return False
        for _ in range(_LOTS_A_STEP):
            lot = wanted.missing(KEYS_AT_ONCE, self._missing_at)
            if not lot:
                break
            self._fetch([name for _, name in lot])
            self._missing_at = lot[-1][0]
        else:
            return True
        self._missing_at = 0
        self._see_missing(now_s)
        return False

    def _see_missing(self, now_s: float) -> None:
        """All were asked for: what is missing now, no embassy that answers has."""
        _, missing = self._site.wanted.counts()
        if not missing:
            self._complete_s = now_s
            self.alarms.over(kinds.KEY)
            return
        self._ask_keys_s = now_s + _ASK_AGAIN_S
        if now_s - self._complete_s >= self._patience.key_s:
            self.alarms.sound(
                kinds.KEY,
                f"{missing} wrapped keys that entries name are at no embassy that answers: "
                "personal data of as many people would stay closed at a new home.",
            )

    def _fetch(self, names: Sequence[bytes]) -> None:
        wanted, left = self._site.wanted, list(names)
        for source in self.embassies.sources():
            if not left:
                break
            try:
                found = {name: blob for name, blob in source.blobs(left) if blob is not None}
            except EmbassyError as error:
                log.warning("keys not fetched", source=source.name, error=str(error))
                continue
            wanted.put(found)
            left = [name for name in left if name not in found]


def _own_root(tree: Tree) -> Callable[[int], bytes | None]:
    def root(size: int) -> bytes | None:
        if size > tree.size:
            return None
        try:
            return tree.root_at(size)
        except JournalError:
            return None

    return root


def _begin(site: Site, first_origin: str) -> None:
    """Note the first epoch in registers that are still empty, as every rebuild does."""
    rows = LiveRows(site.connection, site.tables)
    if rows.get("kulla_epoch", 1) is None:
        rows.put(
            "kulla_epoch", {"number": 1, "origin": first_origin, "base": 0, "root_before": None}
        )

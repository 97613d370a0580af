"""Joins a home's parts into its scribe, after asking the embassies whether this still is home."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence

from kulla.embassy.blob_folder import FolderBlobs
from kulla.embassy.client import EmbassyClient
from kulla.journal.checkpoints import parse_checkpoint
from kulla.journal.entries import JournalKey, Opener, Sealer
from kulla.journal.epochs import EPOCH_OPENED
from kulla.journal.errors import TileMissing
from kulla.journal.filestore import FileTileStore
from kulla.journal.notes import parse_note
from kulla.journal.policy_file import PolicyFile
from kulla.journal.tree import Tree
from kulla.keeper.client import KeeperClient
from kulla.kernel.canonical import decode
from kulla.kernel.durable import free_bytes
from kulla.kernel.edges import SystemClock, SystemEntropy
from kulla.kernel.errors import KullaError
from kulla.kernel.service import NewAct
from kulla.rebuild.sources import HttpSource
from kulla.registers.fingerprint import FingerprintKey
from kulla.registers.own import applied
from kulla.registers.sqlite import LiveRows, check_tables, open_registers
from kulla.scribe.batch import BatchWriter, pending_entries
from kulla.scribe.courier import Courier, Delivery
from kulla.scribe.log import Log
from kulla.scribe.process import Notifier, ScribeProcess
from kulla.scribe.quorum import Quorum
from kulla.scribe.receipts import EpochShelf, ReceiptDesk
from kulla.scribe.scribe import Scribe
from kulla.scribe.stream import Stream
from kulla.services.accounts.authority import Authority, origins_of
from kulla.tower.files import HomeBlobs, Shelf, embassies_of
from kulla.tower.garbage import look_for_garbage_seldom
from kulla.tower.home import NOT_HOME, Home
from kulla.tower.place import check_place
from kulla.tower.policies.witnesses import Witnesses
from kulla.tower.services import SERVICES, register_tables
from kulla.tower.still_home import (
    ASK_TIMEOUT_S,
    NotHome,
    SealsSeen,
    TooFewAnswers,
    ask_whether_home,
)

Token = int


class RegistersDisagree(KullaError):
    """Registers, journal and keys of this home do not belong together."""


class _Parts:
    """What a home's scribe is made of, opened in order."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.clock = SystemClock()
        self.policy = home.policy()
        self.log_key = home.log_key()
        self.reader_key = home.reader_key()
        journal_key = home.journal_key()
        self.keys = {journal_key.key_id: journal_key}
        self.sealer = Sealer(self.log_key.name, journal_key, SystemEntropy())
        self.connection = open_registers(home.registers)
        tables = register_tables()
        check_tables(self.connection, tables)
        self.rows = LiveRows(self.connection, tables)
        self.epochs = [
            (str(row["origin"]), _int(row["base"])) for row in self.rows.find("kulla_epoch")
        ]
        self.base = self._base()
        self.journal = self._open_log()

    def client(self, name: str, url: str) -> EmbassyClient:
        """A client of an embassy, for one thread."""
        return EmbassyClient(
            url, name=name, reader=self.reader_key, clock=self.clock, timeout_s=ASK_TIMEOUT_S
        )

    def sources(self) -> Iterator[HttpSource]:
        """The embassies, to ask for files that home does not have; for one thread, once."""
        return embassies_of(self.policy, self.reader_key)

    def _base(self) -> int:
        """The position of the epoch's first act: noted, or next where it is not open yet."""
        bases = dict(self.epochs)
        return bases.get(self.log_key.name, applied(self.rows))

    def _open_log(self) -> Log:
        """The epoch's log, with what the last run left pending joined again; see scribe.log."""
        if self.policy.current_log.key != self.log_key.verifier:
            raise RegistersDisagree(
                "this home's log key is not the one of the policy's newest epoch.",
                place=str(self.home.folder),
                remedy="Another site took over, or the policy file is an old one.",
            )
        store = FileTileStore(self.home.journal(self.log_key.name), create=True)
        size = applied(self.rows) - self.base
        first, entries = pending_entries(self.connection)
        journal = Log(self.log_key, store, size if first is None else first)
        if entries:
            journal.join(entries)
        if journal.size != size:
            raise RegistersDisagree(
                f"the registers stand at {size} entries, the journal at {journal.size}.",
                place=str(self.home.folder),
                remedy="Move the home's folder away and rebuild: kulla takeover run.",
            )
        return journal

    def opening(self) -> NewAct | None:
        """The first act of an epoch that a takeover prepared, until it is journalled."""
        path = self.home.folder / "opening"
        if self.journal.size or not path.exists():
            return None
        data = decode(path.read_bytes(), place=str(path))
        assert isinstance(data, dict)
        return NewAct(EPOCH_OPENED, data)


def _authority(home: Home, policy: PolicyFile) -> Authority:
    """Who sees whether staff signed: with the passkeys of this country, at this home's address."""
    settings, domain = home.settings(), policy.relying_party
    return Authority(domain, origins_of(settings.public_url, domain, settings.port))


def serve(home: Home, ready: Callable[[str], None]) -> None:
    """Run the scribe of `home` until SIGTERM. Raises KullaError where it must not start."""
    parts = _Parts(home)
    policy, journal = parts.policy, parts.journal
    if not parts.epochs or (journal.size == 0 and len(policy.logs) > 1 and not parts.opening()):
        raise RegistersDisagree(
            "the first act of this epoch is not prepared.",
            place=str(home.folder / "opening"),
            remedy="Run the takeover again: kulla takeover run.",
        )
    witnesses = Witnesses.of(home.policies())
    keeper = KeeperClient(home.run_folder())
    blobs = HomeBlobs(keeper, FolderBlobs(home.files))
    process = _process(parts, witnesses, blobs)
    signal.signal(signal.SIGTERM, lambda *_: process.stop())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for_embassies = HomeBlobs(keeper, Shelf(FolderBlobs(home.files), parts.sources))
    couriers = list(_couriers(parts, witnesses, for_embassies, process))
    ready(f"position {parts.base + journal.size}")
    _run(parts, witnesses, process, couriers)
    for courier in couriers:
        courier.stop()
    parts.connection.close()


def _process(parts: _Parts, witnesses: Witnesses, blobs: HomeBlobs) -> ScribeProcess:
    """The scribe with its writer, its quorum and its desk for receipts."""
    home, policy, journal = parts.home, parts.policy, parts.journal
    watched = home.policy_state()
    writer = BatchWriter(
        parts.connection,
        parts.rows,
        SERVICES,
        parts.sealer,
        parts.clock,
        base=parts.base,
        size=journal.size,
        authority=_authority(home, policy),
        fingerprint_key=FingerprintKey(home.journal_key().secret),
        policies=[policy],
    )
    scribe: Scribe[Token] = Scribe(
        writer,
        journal,
        _quorum(witnesses, journal),
        SERVICES,
        blobs,
        parts.clock,
        free_bytes=lambda: free_bytes(home.folder),
    )
    opener = Opener(journal.origin, parts.keys)
    now = EpochShelf(parts.base, None, journal, opener, lambda: scribe.cosigned)
    older = _old_shelves(home, policy, parts.epochs, parts.base, parts.keys)
    return ScribeProcess(
        scribe,
        ReceiptDesk([*older, now], _is_public),
        home.run_folder(),
        parts.clock,
        witnesses.is_quorum,
        policies=[each.version for each in witnesses.policies],
        outdated=lambda: home.policy_state() != watched,
        on_sealed=SealsSeen(policy).note,
    )


def _is_public(service: str, act: str) -> bool:
    found = SERVICES[service].acts.get(act) if service in SERVICES else None
    return found is not None and found.public


def _run(
    parts: _Parts, witnesses: Witnesses, process: ScribeProcess, couriers: Sequence[Courier]
) -> None:
    """Ask whether this still is home, then let everybody work. Raises NotHome."""

    def check() -> None:
        root_at, taking_up = parts.journal.root_at, witnesses.policies[-1]
        size = parts.journal.size
        ask_whether_home(parts.policy, size, root_at, parts.client, taking_up=taking_up)
        check_place(parts.home)

    said = parts.home.run_folder() / NOT_HOME
    try:
        process.wait_for(check, TooFewAnswers)
        said.unlink(missing_ok=True)
        for courier in couriers:
            courier.start()
        look_for_garbage_seldom()
        process.run(couriers, parts.opening())
    except NotHome as error:
        # So that the portal, which may still run, can say so at once.
        said.write_text(f"{error}\n", encoding="utf-8")
        raise


def _couriers(
    parts: _Parts, witnesses: Witnesses, blobs: HomeBlobs, process: ScribeProcess
) -> Iterator[Courier]:
    policies = parts.home.policy_bytes()
    for name, embassy in witnesses.embassies.items():
        client = parts.client(embassy.name, embassy.url)
        stream = Stream(embassy.url, parts.clock)
        delivery = Delivery(client, embassy.key, parts.journal, blobs, stream, policies)
        yield _courier(name, delivery, process.notifier())


def _courier(name: str, delivery: Delivery, notifier: Notifier) -> Courier:
    return Courier(name, delivery, notifier.held, notifier.state, notifier.broken, notifier.sealed)


def _quorum(witnesses: Witnesses, journal: Log) -> Quorum:
    """The quorum's state as far as the last run kept it, verified like anything from a disk."""
    keys = {name: known.key for name, known in witnesses.embassies.items()}
    note = journal.kept_checkpoint()
    size = witnesses.cosigned_size(note, place="kept checkpoint") if note else -1
    return Quorum(keys, witnesses.is_quorum, size, note if size >= 0 else b"")


class OldLog:
    """An earlier epoch's log in the home's own folder, for receipts. One thread."""

    def __init__(self, store: FileTileStore, size: int) -> None:
        self._tree = Tree.load(store, size)

    def entry_with_proof(self, index: int, size: int) -> tuple[bytes, Sequence[bytes]]:
        """See scribe.receipts.ProvenLog."""
        [entry] = self._tree.entries(index, index + 1)
        return entry, self._tree.inclusion_proof(index, size)


def _old_shelves(
    home: Home,
    policy: PolicyFile,
    epochs: Sequence[tuple[str, int]],
    base: int,
    keys: Mapping[bytes, JournalKey],
) -> Iterator[EpochShelf]:
    """The epochs before this one, where enough embassies cosigned what was adopted."""
    old = [(origin, start) for origin, start in epochs if start < base]
    ends = [start for _, start in old[1:]]
    for (origin, start), end in zip(old, [*ends, base], strict=False):
        store = FileTileStore(home.journal(origin), read_only=True)
        try:
            note = store.get("checkpoint")
        except TileMissing:
            continue
        size = parse_checkpoint(parse_note(note).text).size
        adopted = not policy.is_quorum(policy.cosigners(parse_note(note)))
        log = OldLog(store, size)
        yield EpochShelf(start, end, log, Opener(origin, keys), _always(size, note), adopted)


def _always(size: int, note: bytes) -> Callable[[], tuple[int, bytes]]:
    return lambda: (size, note)


def _int(cell: object) -> int:
    assert isinstance(cell, int)
    return cell

"""A standby as a process: follows the embassies until it is asked to stop, or to make way."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog

from kulla.embassy.client import EmbassyClient
from kulla.journal.filestore import FileTileStore
from kulla.journal.policy_file import Embassy
from kulla.keeper.waiting import WaitingKeys
from kulla.kernel.edges import Clock, SystemClock, SystemEntropy
from kulla.registers.fingerprint import FingerprintKey
from kulla.registers.own import applied
from kulla.registers.sqlite import LiveRows, create_tables, open_registers
from kulla.services.accounts.authority import Authority
from kulla.standby.alarms import Alarm, Alarms
from kulla.standby.embassies import Embassies
from kulla.standby.follower import Follower, HistoryDisowned, Patience, Site, Stepped
from kulla.tower.garbage import look_for_garbage_seldom
from kulla.tower.services import SERVICES, register_tables
from kulla.tower.standby.folder import HOME, STANDBY, StandbyFolder
from kulla.tower.standby.reads import Reads
from kulla.tower.standby.warm import Warm

ASK_TIMEOUT_S: Final = 5.0
_STATE_EVERY_S: Final = 5.0
_TICK_S: Final = 0.02

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class StandbyPlan:
    """What `kulla standby serve` was told. `every_s`: how often the embassies are asked at least.

    on_alarm: a command for the shell, given the alarm as JSON on its standard input. warm_port: of
    the portal that stands ready for the day when this is home, or None for no such processes.
    """

    folder: StandbyFolder
    kit: Path | None
    every_s: float = 1.0
    patience: Patience = field(default_factory=Patience)
    on_alarm: str = ""
    warm_port: int | None = None
    go_on: bool = False


class _MakesWay(BaseException):
    """A takeover wants the folder."""


def serve(plan: StandbyPlan, ready: Callable[[str], None]) -> None:
    """Follow until SIGTERM, which ends it at once: it may be killed at any moment.

    A takeover in its folder lets it make way; a warm one waits for its end and is home then, also
    when it is started again. Raises StandbyBroken, or what a disk raises.
    """
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    folder, clock = plan.folder, SystemClock()
    warm = None
    if plan.warm_port is not None:
        warm = Warm(folder, plan.warm_port, clock, SystemEntropy())
    try:
        while warm is None or not folder.taken_over:
            folder.refuse_if_taken_over()
            folder.refuse_if_unfit(plan.kit)
            try:
                _follow(plan, clock, warm, ready)
            except _MakesWay:
                signal.signal(signal.SIGUSR1, signal.SIG_IGN)
            ready = _nobody
            if warm is None:
                return
            _wait_for_takeover(folder)
        with folder.held(HOME):
            ready("home")
            warm.become_home()
    finally:
        if warm is not None:
            warm.end()


def _follow(
    plan: StandbyPlan, clock: Clock, warm: Warm | None, ready: Callable[[str], None]
) -> None:
    """Follow until something ends it: a signal, as an exception."""
    with plan.folder.held(STANDBY):
        signal.signal(signal.SIGUSR1, _make_way)
        plan.folder.prepare(plan.kit)
        alarms = _restored(plan, clock)
        reads = Reads(plan.folder, clock, SystemEntropy())
        reads.start()
        try:
            while True:
                with ExitStack() as stack:
                    _Run(plan, clock, alarms, stack, warm).follow(ready)
                ready = _nobody
                plan.folder.forget_replayed()
                reads.begin_again()
        finally:
            reads.close()


def _wait_for_takeover(folder: StandbyFolder) -> None:
    """Wait while a takeover is at work here, or was cut off and will be run again."""
    pause = threading.Event()
    while (
        folder.is_being_taken_over()
        or (folder.decided and not folder.taken_over)
        or folder.holder() is not None
    ):
        pause.wait(_TICK_S)


def _make_way(*_: object) -> None:
    raise _MakesWay


def _nobody(word: str) -> None:
    """Who started the process was told already."""


def _end(*_: object) -> None:
    raise SystemExit(0)


def _restored(plan: StandbyPlan, clock: Clock) -> Alarms:
    alarms = Alarms(clock, lambda alarm: _tell(plan.on_alarm, alarm))
    state = plan.folder.state().get("alarms")
    try:
        alarms.restore(state or {"next": 1, "alarms": []})
    except (KeyError, TypeError, ValueError) as error:
        # What still lasts shows at once; the numbers begin anew.
        log.warning("the kept alarms can't be read", error=str(error))
    return alarms


class _Run:
    """One run from registers that are there, until what they hold turns out not to count."""

    def __init__(
        self,
        plan: StandbyPlan,
        clock: Clock,
        alarms: Alarms,
        stack: ExitStack,
        warm: Warm | None,
    ) -> None:
        self._plan = plan
        self._warm = warm
        self._clock = clock
        self._alarms = alarms
        self._stack = stack
        self._stores: dict[str, FileTileStore] = {}
        self._written_s = 0.0
        self._level_ms = int(plan.folder.state().get("level_ms", 0))
        self._written: dict[str, Any] = {}
        folder = plan.folder
        policy = folder.policy()
        reader = folder.reader_key()
        tables = register_tables()

        def client_of(embassy: Embassy) -> EmbassyClient:
            return EmbassyClient(
                embassy.url, name=embassy.name, reader=reader, timeout_s=ASK_TIMEOUT_S
            )

        self.connection, wanted = _opened(folder, stack)
        [journal_key] = folder.journal_keys().values()
        site = Site(
            self.connection,
            tables,
            SERVICES,
            {journal_key.key_id: journal_key},
            Authority(policy.relying_party, ()),
            self._store_of,
            wanted,
            folder.keep_policy,
            folder.keep_evidence,
            folder.older_policies,
            FingerprintKey(journal_key.secret),
        )
        self.follower = Follower(
            site,
            Embassies(policy, client_of),
            alarms,
            clock,
            plan.patience,
            go_on=plan.go_on,
            progress=self._show_progress,
        )
        stack.callback(self.follower.close)
        self._wanted = wanted

    def follow(self, ready: Callable[[str], None]) -> None:
        """Step after step; returns where the replayed history does not count."""
        # What the follower keeps was made: a look for garbage after each commit costs little now.
        look_for_garbage_seldom()
        ready(f"position {self.follower.position}")
        pause = threading.Event()
        while True:
            try:
                stepped = self.follower.step()
            except HistoryDisowned as error:
                self._show(None, str(error))
                return
            self._show(stepped)
            if self._warm is not None and not stepped.moved:
                self._warm.keep()
            pause.wait(0.05 if stepped.moved else self._plan.every_s)

    def _store_of(self, origin: str) -> FileTileStore:
        if origin in self._stores:
            self._stores.pop(origin).close()
        store = FileTileStore(self._plan.folder.home.journal(origin), create=True)
        self._stores[origin] = store
        self._stack.callback(store.close)
        return store

    def _show_progress(self, position: int) -> None:
        if self._clock.monotonic_s() - self._written_s > _STATE_EVERY_S:
            self._show(None, position=position)

    def _show(self, stepped: Stepped | None, doing: str = "", position: int | None = None) -> None:
        """Write the state where it changed, and now and then in any case."""
        now_s = self._clock.monotonic_s()
        named, missing = self._wanted.counts()
        embassies = self.follower.embassies
        state: dict[str, Any] = {
            "position": self.follower.position if position is None else position,
            "doing": doing or ("follows" if stepped else "replays"),
            "keys": named - missing,
            "keys_missing": missing,
            "embassies": {
                name: embassies.faults.get(name, "answers") for name in embassies.clients
            },
            "alarms": self._alarms.state(),
        }
        if stepped is not None:
            state |= asdict(stepped)
            # What a page of the reading site says of the age of what it shows.
            if stepped.position == stepped.confirmed and not embassies.faulted_quorum:
                self._level_ms = self._clock.now_ms()
        if state != self._written or now_s - self._written_s > _STATE_EVERY_S:
            self._written, self._written_s = state, now_s
            now_ms = self._clock.now_ms()
            self._plan.folder.write_state({**state, "level_ms": self._level_ms, "at_ms": now_ms})


def _opened(folder: StandbyFolder, stack: ExitStack) -> tuple[sqlite3.Connection, WaitingKeys]:
    """The registers and the waiting keys, which belong together."""
    folder.finish_forgetting()
    if folder.home.registers.exists() and not folder.waiting.exists():
        # Which keys the acts so far named is in no other place: all of it is read again.
        log.error("the waiting keys are gone: the rebuild begins anew")
        folder.forget_replayed()
    wanted = WaitingKeys(folder.waiting, create=True)
    stack.callback(wanted.close)
    connection = open_registers(folder.home.registers, create=True)
    stack.callback(connection.close)
    tables = register_tables()
    create_tables(connection, tables)
    log.info("standby", position=applied(LiveRows(connection, tables)))
    return connection, wanted


def _tell(command: str, alarm: Alarm) -> None:
    """Run the operator's command beside the following; nobody waits for it."""
    if not command:
        return
    process = subprocess.Popen(  # noqa: S602 - the operator's own words
        command, shell=True, stdin=subprocess.PIPE, start_new_session=True
    )
    said = json.dumps(asdict(alarm)).encode()
    threading.Thread(target=process.communicate, args=(said,), daemon=True).start()

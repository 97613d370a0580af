"""The keeper as a process of its own, so that keys lie in no web worker's memory.

It answers over a Unix socket in the run folder (mode 0700: who can open it is home). One
thread seals and opens; another makes and adopts keys, whose public-key work and fsync would keep
bookings waiting.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import structlog

from kulla.keeper import wire
from kulla.keeper.adoption import adopt_all
from kulla.keeper.errors import AskMalformed, KeeperError
from kulla.keeper.local import LocalKeeper
from kulla.keeper.port import Keeper
from kulla.kernel.edges import SystemClock, SystemEntropy
from kulla.lines.door import Door

log = structlog.get_logger()

_WAIT_S = 0.2
# The thread that makes keys holds the interpreter's lock for as long as this at a time.
_SWITCH_S = 0.0005

Token = int
Ask = Callable[[Keeper, Mapping[str, Any]], Any]


def _seal(keeper: Keeper, ask: Mapping[str, Any]) -> Any:
    return keeper.seal(
        wire.text(ask, "subject"),
        wire.text_map(ask, "fields"),
        wire.text(ask, "purpose"),
        wire.data(ask, "once"),
    )


def _open(keeper: Keeper, ask: Mapping[str, Any]) -> Any:
    return keeper.open(
        wire.text(ask, "subject"),
        wire.bytes_map(ask, "sealed"),
        wire.text(ask, "purpose"),
        wire.text(ask, "asker"),
        wire.text(ask, "reason"),
    )


def _token(keeper: Keeper, ask: Mapping[str, Any]) -> Any:
    return keeper.token(wire.text(ask, "column"), wire.text(ask, "value"))


def _wrapped(keeper: Keeper, ask: Mapping[str, Any]) -> Any:
    return [list(pair) for pair in keeper.wrapped(wire.bytes_list(ask, "names")).items()]


def _enrol(keeper: Keeper, ask: Mapping[str, Any]) -> Any:
    return [list(enrolled) for enrolled in keeper.enrol(wire.number(ask, "count"))]


def _adopt(keeper: Keeper, ask: Mapping[str, Any]) -> Any:
    adopted = keeper.adopt(wire.data(ask, "recovery_private"), wire.bytes_list(ask, "blobs"))
    return [adopted.subjects, list(adopted.refused)]


_AT_ONCE: Mapping[str, Ask] = {
    "seal": _seal,
    "open": _open,
    "token": _token,
    "wrapped": _wrapped,
}
_BESIDE: Mapping[str, Ask] = {"enrol": _enrol, "adopt": _adopt}


class KeeperProcess:
    """A keeper behind its socket; `run` returns after `stop`."""

    def __init__(self, keeper: Keeper, run_folder: Path) -> None:
        """Bind the socket; from here on questions are kept, and answered once `run` runs."""
        self._keeper = keeper
        self._door = Door(run_folder / wire.SOCKET)
        self._made: SimpleQueue[tuple[Token, bytes]] = SimpleQueue()
        self._beside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="keeper-enrol")
        self._stopping = False

    def stop(self) -> None:
        """End `run` soon; may be called from a signal handler or another thread."""
        self._stopping = True

    def run(self) -> None:
        """Answer until `stop`."""
        try:
            while not self._stopping:
                for token, message in self._door.take(_WAIT_S):
                    self._take(token, message)
                self._hand_over()
        finally:
            self._beside.shutdown(wait=True)
            self._hand_over()
            self._door.close()

    def _take(self, token: Token, frame: bytes) -> None:
        try:
            ask = wire.parse(frame)
            kind = ask.get("ask")
            if isinstance(kind, str) and kind in _BESIDE:
                self._beside.submit(self._work_beside, token, _BESIDE[kind], ask)
                return
            if not isinstance(kind, str) or kind not in _AT_ONCE:
                raise AskMalformed("the keeper answers no such question.", place="ask")
            reply = wire.answer(_AT_ONCE[kind](self._keeper, ask))
        except KeeperError as error:
            reply = wire.failure(error)
        self._door.send(token, reply)

    def _work_beside(self, token: Token, work: Ask, ask: Mapping[str, Any]) -> None:
        """On the other thread: do it, leave the answer, ring the bell."""
        try:
            reply = wire.answer(work(self._keeper, ask))
        except KeeperError as error:
            reply = wire.failure(error)
        except Exception as error:
            # Whoever asked hears of it; sealing and opening go on.
            log.exception("keeper could not do it", error=type(error).__name__)
            reply = wire.failure(
                KeeperError(f"the keeper could not do it ({type(error).__name__}).")
            )
        self._made.put((token, reply))
        self._door.wake()

    def _hand_over(self) -> None:
        """Send what the other thread has done. Whoever asked may be gone, and may ask again."""
        while not self._made.empty():
            self._door.send(*self._made.get())


def serve(folder: Path, run_folder: Path, ready: Callable[[str], None]) -> None:
    """Run the keeper of `folder` until SIGTERM; `ready` is called once its socket answers.

    The socket is `run_folder`/keeper.sock; the run folder must be its owner's alone (mode 0700).
    Raises KeeperFolderInvalid.
    """
    sys.setswitchinterval(_SWITCH_S)
    keeper = LocalKeeper(folder, SystemClock(), SystemEntropy())
    process = KeeperProcess(keeper, run_folder)
    signal.signal(signal.SIGTERM, lambda *_: process.stop())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stopping = threading.Event()
    beside = threading.Thread(
        target=adopt_all, args=(keeper.go_on_adopting, stopping), name="keeper-adopt"
    )
    ready("keeper")
    beside.start()
    try:
        process.run()
    finally:
        stopping.set()
        beside.join()
        keeper.close()

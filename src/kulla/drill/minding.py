"""The one thread that starts and minds all processes of a drill, and outlives them.

A process ends with the thread that started it (`minder.follow_parent`), and starting one blocks for
a second or two. So a drill's processes are started here, and citizens go on meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Final, TypeVar

from kulla.kernel.errors import KullaError
from kulla.tower.minder import Child

_TICK_S: Final = 0.1

T = TypeVar("T")


class DrillEnded(KullaError):
    """The drill is over: nothing more is started."""


class MindingThread(threading.Thread):
    """Does what it is asked to, one after the other, and between it starts what died again."""

    def __init__(self) -> None:
        super().__init__(name="drill-minding", daemon=True)
        self._asked: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._watched: list[Child] = []
        self._ended = threading.Event()

    def submit(self, do: Callable[[], T]) -> Future[T]:
        """Have something done in this thread. What starts processes calls `check` in between."""
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(do())
            except BaseException as error:
                future.set_exception(error)

        self._asked.put(run)
        return future

    def watch(self, children: Iterable[Child]) -> None:
        """Start these again whenever they die. To be called in this thread."""
        self._watched += children

    def forget(self, names: Iterable[str]) -> None:
        """Leave these alone when they die. To be called in this thread."""
        gone = set(names)
        self._watched = [child for child in self._watched if child.spec.name not in gone]

    def check(self) -> None:
        """Raise DrillEnded where the drill is over."""
        if self._ended.is_set():
            raise DrillEnded("the drill is over.")

    def run(self) -> None:
        """The thread, until `end`."""
        while not self._ended.is_set():
            try:
                do = self._asked.get(timeout=_TICK_S)
            except Empty:
                for child in list(self._watched):
                    if not self._ended.is_set():
                        child.mind()
            else:
                do()

    def end(self, stop: Callable[[], None]) -> None:
        """End the thread, and with it what it started; `stop` stops all processes, and is repeated.

        One that is being started right now dies in the first round, so that nothing is waited for.
        """
        self._ended.set()
        stop()
        if self.is_alive():
            self.join()
        stop()

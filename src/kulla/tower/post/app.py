"""The post as a process: sends sign-in codes and letters that follow from acts, moves lists.

One a home: a second one on the same folder does not start, so no letter is sent by two at once.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Protocol

import structlog

from kulla.kernel.edges import Clock, SystemClock, SystemEntropy
from kulla.kernel.errors import KullaError
from kulla.tower.garbage import look_for_garbage_seldom
from kulla.tower.home import Home
from kulla.tower.post.mail_settings import carriers

LOCK: Final = "post.lock"
STATE: Final = "post.json"
STATE_EVERY_S: Final = 5.0
CODES_EVERY_S: Final = 0.25
MESSAGES_EVERY_S: Final = 0.5
LISTS_EVERY_S: Final = 1.0
LOTTERIES_EVERY_S: Final = 2.0

log = structlog.get_logger()


class PostRuns(KullaError):
    """Another process sends this home's letters."""


class Round(Protocol):
    """One of the things that the post does (CodePost, MessagePost, ListKeeper, LotteryKeeper)."""

    trouble: str

    def turn(self) -> int:
        """Try some letters; returns how many went."""
        ...

    def waiting(self) -> int:
        """How many letters wait. Any thread may ask."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


class PostProcess:
    """Runs the rounds side by side until it is stopped; a fault in one ends the process."""

    def __init__(self, run_folder: Path, clock: Clock) -> None:
        self._run_folder = run_folder
        self._clock = clock
        self._stopped = threading.Event()
        self._fault: BaseException | None = None

    def stop(self, *_: object) -> None:
        """End `run` soon; fit for a signal handler."""
        self._stopped.set()

    def pause(self, seconds: float) -> None:
        """Wait so long, or until `stop`."""
        self._stopped.wait(seconds)

    def run(self, rounds: dict[str, tuple[Round, float]], *, mail: bool) -> None:
        """Take turns until `stop`. Raises what a round raised: a restart recovers."""
        threads = [
            threading.Thread(target=self._turns, args=(post, every_s), name=f"post-{name}")
            for name, (post, every_s) in rounds.items()
        ]
        for thread in threads:
            thread.start()
        try:
            while not self._stopped.wait(STATE_EVERY_S):
                self._tell({name: post for name, (post, _) in rounds.items()}, mail=mail)
        finally:
            # Also where the home's folder went away under us: nobody sends on behind its back.
            self._stopped.set()
            for thread in threads:
                thread.join()
        (self._run_folder / STATE).unlink(missing_ok=True)
        if self._fault is not None:
            raise self._fault

    def _turns(self, post: Round, every_s: float) -> None:
        try:
            with closing(post):
                while not self._stopped.is_set():
                    if not post.turn():
                        self._stopped.wait(every_s)
        except BaseException as error:  # a thread's fault must end the whole process
            log.critical("the post can't go on", error=type(error).__name__)
            self._fault = error
            self._stopped.set()

    def _tell(self, rounds: dict[str, Round], *, mail: bool) -> None:
        """Say how it is, in a file for `kulla status`."""
        state: dict[str, Any] = {"at_ms": self._clock.now_ms(), "pid": os.getpid(), "mail": mail}
        for name, post in rounds.items():
            state[name] = {"waiting": post.waiting(), "trouble": post.trouble}
        partial = self._run_folder / f"{STATE}.{os.getpid()}"
        partial.write_text(json.dumps(state), encoding="utf-8")
        partial.replace(self._run_folder / STATE)


def serve(home: Home, ready: Callable[[str], None]) -> None:
    """Send the letters of `home` until SIGTERM. Raises PostRuns, HomeBroken."""
    run_folder = home.run_folder()
    lock = _lock(run_folder / LOCK)
    _set_up_words(home)
    from kulla.tower.edge import HomeEdge
    from kulla.tower.enrolment.lists import ListKeeper
    from kulla.tower.lottery.keeping import LotteryKeeper
    from kulla.tower.post.appointments_letters import AppointmentLetters
    from kulla.tower.post.codes import CodePost
    from kulla.tower.post.enrolment_letters import EnrolmentLetters
    from kulla.tower.post.messages import MessagePost
    from kulla.tower.post.registers import PostRegisters

    clock, entropy = SystemClock(), SystemEntropy()
    settings = home.settings()
    # Each thread has carriers, and so lines to the mail server, of its own.
    for_codes, for_messages = carriers(home), carriers(home)
    if "mail" not in for_codes:
        log.warning("mail is not set up: no letter leaves this home", remedy="docs/OPERATE.md")
    secret_key = home.django_key.read_text("ascii").strip()
    codes = CodePost(home.sessions, secret_key, for_codes, clock, entropy, demo=settings.demo)
    registers = PostRegisters(home.registers)
    messages = MessagePost(
        registers,
        (AppointmentLetters(registers), EnrolmentLetters(registers)),
        HomeEdge(home, asker="post"),
        for_messages,
        settings.public_url,
        clock,
        entropy,
    )
    process = PostProcess(run_folder, clock)
    signal.signal(signal.SIGTERM, process.stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    look_for_garbage_seldom()
    ready("posting")
    lists = ListKeeper(
        home.folder, home.registers, HomeEdge(home, asker="lists"), clock, process.pause
    )
    lotteries = LotteryKeeper(home, HomeEdge(home, asker="lotteries").witnessing, clock)
    process.run(
        {
            "codes": (codes, CODES_EVERY_S),
            "messages": (messages, MESSAGES_EVERY_S),
            "lists": (lists, LISTS_EVERY_S),
            "lotteries": (lotteries, LOTTERIES_EVERY_S),
        },
        mail="mail" in for_codes,
    )
    os.close(lock)


def post_state(home: Home, now_ms: int) -> dict[str, Any] | None:
    """What the post of `home` last said of itself; None where it does not run."""
    try:
        state: dict[str, Any] = json.loads((home.run_folder() / STATE).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return state if abs(now_ms - state.get("at_ms", 0)) < 4 * STATE_EVERY_S * 1000 else None


def _lock(path: Path) -> int:
    """The lock of this home's post, held until the process ends, however it ends."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise PostRuns(
            "another process sends this home's letters.",
            place=str(path),
            remedy="`kulla up` starts one; stop it first, or leave it to it.",
        ) from error
    return descriptor


def _set_up_words(home: Home) -> None:
    """Make translations ready, as in a worker of the portal."""
    from kulla.portal.catalogues import compile_catalogues
    from kulla.tower.portal_app import environment

    os.environ.update(environment(home))
    import django

    compile_catalogues(home.run_folder() / "locale")
    django.setup()

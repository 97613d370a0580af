"""The folder of a standby: that of a home to be, and what it needs to follow.

registers.sqlite, journal/, keeper/waiting.sqlite    as a home has them; a takeover finds them
standby/policy         the newest policy that custodians signed
standby/policies/      the versions before it
standby/keys/          reader.key, journal.key; mode 0600
standby/state.json     where it stands and its alarms; `kulla standby status` reads it
standby/seen           numbers of alarms that an operator has seen
standby/evidence/      checkpoints that contradict each other
standby/reads/         the portal that shows the registers, when told
standby/go, url        let the processes that stand ready go on; where the home is then
standby/making-way     the process for which a standby makes way
standby/lock           held by the one process that follows, takes over or is home
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from kulla.embassy.client import EmbassyClient
from kulla.journal.entries import JournalKey
from kulla.journal.notes import SigningKey
from kulla.journal.policy_file import PolicyFile, parse_policy, verify_policy_signatures
from kulla.keeper.waiting import WAITING
from kulla.kernel.durable import sync_folder
from kulla.kernel.errors import KullaError
from kulla.tower.home import Home, write_missing
from kulla.tower.policies.earlier import FOLDER, kept_policies, older_policies, shown_by_embassies

log = structlog.get_logger()

KEYS: Final = ("reader.key", "journal.key")
NOT_FOR_A_STANDBY: Final = ("recovery.key", "custodians")
STANDBY: Final = "standby"
TAKEOVER: Final = "takeover"
HOME: Final = "home"
_GRACE_S: Final = 5.0
_TICK_S: Final = 0.01


class StandbyBroken(KullaError):
    """A standby's folder can't be used."""


@dataclass(frozen=True, slots=True)
class StandbyFolder:
    """See above. Properties are paths; methods raise StandbyBroken where a file can't be used."""

    folder: Path

    @property
    def home(self) -> Home:
        """The home that it becomes."""
        return Home(self.folder)

    @property
    def own(self) -> Path:
        """What is the standby's alone."""
        return self.folder / "standby"

    @property
    def exists(self) -> bool:
        """Whether this is a standby's folder."""
        return self.own.is_dir()

    @property
    def waiting(self) -> Path:
        """The wrapped keys that wait for a takeover."""
        return self.home.keeper / WAITING

    @property
    def state_file(self) -> Path:
        """Where it stands, as JSON."""
        return self.own / "state.json"

    @property
    def url_file(self) -> Path:
        """Says where the home is that a warm standby became."""
        return self.own / "url"

    @property
    def decided(self) -> bool:
        """Whether a takeover has begun in this folder."""
        return (self.folder / "takeover" / "new-policy").exists()

    @property
    def taken_over(self) -> bool:
        """Whether a takeover came to its end in this folder."""
        return self.decided and (self.folder / "opening").exists()

    @property
    def prepared(self) -> bool:
        """Whether what a standby needs of the kit is here."""
        needed = (self.own / "policy", *(self.own / "keys" / name for name in KEYS))
        return all(path.exists() for path in (*needed, self.own / "home.toml"))

    def refuse_if_unfit(self, kit: Path | None) -> None:
        """Raise StandbyBroken where no standby may be here; changes nothing."""
        if self.prepared:
            return
        if self.folder.exists() and any(self.folder.iterdir()) and not self.exists:
            raise StandbyBroken(
                "this folder is not empty, and it is no standby's.",
                place=str(self.folder),
                remedy="Name a new one: a standby keeps registers and a journal of its own.",
            )
        if kit is None:
            raise StandbyBroken(
                "this folder is no standby's yet.",
                place=str(self.folder),
                remedy="Start it once with --kit and the part of the recovery kit for standbys.",
            )

    def prepare(self, kit: Path | None) -> None:
        """Take from the kit what a standby needs, at its first start; later starts need no kit.

        See `refuse_if_unfit`, which comes first.
        """
        if self.prepared or kit is None:
            return
        for name in NOT_FOR_A_STANDBY:
            if (kit / name).exists():
                log.warning("a standby has no use for this part of the kit", name=name)
        verify_policy_signatures(parse_policy(_read(kit / "policy"), place=str(kit / "policy")))
        write_missing(self.own / "policy", _read(kit / "policy"))
        for name in KEYS:
            write_missing(self.own / "keys" / name, _read(kit / name))
        write_missing(self.own / "home.toml", _read(kit / "home.toml"))

    def policy(self) -> PolicyFile:
        """The newest policy that is known here."""
        path = self.own / "policy"
        return parse_policy(_read(path), place=str(path))

    def keep_policy(self, data: bytes) -> None:
        """Put a newer policy, which was checked, in the old one's place; durable on return."""
        kept = self.own / FOLDER / str(self.policy().version)
        write_missing(kept, _read(self.own / "policy"))
        replace_whole(self.own / "policy", data)

    def older_policies(
        self, newest: PolicyFile, clients: Mapping[str, EmbassyClient]
    ) -> list[PolicyFile]:
        """The versions before `newest`, as kept here and, where some are missing, at embassies."""
        found = kept_policies(self.own / FOLDER, newest)
        if len(found) < newest.version - 1:
            found = older_policies(newest, shown_by_embassies(clients))
            for policy in found:
                write_missing(self.own / FOLDER / str(policy.version), policy.render())
        return found

    def keep_evidence(self, name: str, data: bytes) -> None:
        """Keep what somebody signed; the same name again is the same bytes."""
        write_missing(self.own / "evidence" / name, data)

    def reader_key(self) -> SigningKey:
        """The key by which embassies know who reads."""
        path = self.own / "keys" / "reader.key"
        return SigningKey.parse(_read(path).decode().strip(), place=str(path))

    def journal_keys(self) -> dict[bytes, JournalKey]:
        """The journal key by its id."""
        key = JournalKey(_read(self.own / "keys" / "journal.key"))
        return {key.key_id: key}

    def state(self) -> dict[str, Any]:
        """What the process that follows wrote last, or {}."""
        try:
            found: dict[str, Any] = json.loads(self.state_file.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return found

    def write_state(self, state: dict[str, Any]) -> None:
        """Let others see where the standby stands. A power cut may take the last seconds."""
        half = self.state_file.with_name("state.half")
        half.write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
        half.rename(self.state_file)

    def seen(self) -> set[int]:
        """Numbers of the alarms that an operator has seen."""
        try:
            return {int(line) for line in (self.own / "seen").read_text().split()}
        except (FileNotFoundError, ValueError):
            return set()

    def note_seen(self, numbers: list[int]) -> None:
        """Add to `seen`."""
        with (self.own / "seen").open("a", encoding="ascii") as file:
            file.writelines(f"{number}\n" for number in numbers)

    def refuse_if_taken_over(self) -> None:
        """Raise StandbyBroken where a takeover has begun in this folder."""
        if self.decided:
            raise StandbyBroken(
                "a takeover has begun in this folder: it follows nobody any more.",
                place=str(self.folder),
                remedy="Go on with `kulla takeover run`, then `kulla up`.",
            )

    def forget_replayed(self) -> None:
        """Remove registers, tiles and waiting keys: a rebuild begins anew.

        Cut off on its way, it is done again by `finish_forgetting`.
        """
        (self.own / "forgetting").touch(mode=0o600)
        sync_folder(self.own)
        self.finish_forgetting()

    def finish_forgetting(self) -> None:
        """Come to the end of a `forget_replayed`; nothing where none was begun."""
        if not (self.own / "forgetting").exists():
            return
        for path in (self.home.registers, self.waiting):
            for end in ("", "-wal", "-shm"):
                path.with_name(path.name + end).unlink(missing_ok=True)
        shutil.rmtree(self.folder / "journal", ignore_errors=True)
        sync_folder(self.folder)
        (self.own / "forgetting").unlink()

    @contextlib.contextmanager
    def held(self, role: str) -> Iterator[None]:
        """Be the one process that works in this folder: as 'standby', 'takeover' or 'home'.

        For a takeover a standby makes way, and knows when it is over. Raises StandbyBroken where
        another process works here, or a standby does not make way.
        """
        self.own.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.own / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        asked = False
        try:
            if not _locked(descriptor):
                _, other = _holder_in(descriptor)
                if role != TAKEOVER or other != STANDBY:
                    raise StandbyBroken(
                        f"another process works in this folder, as {other or 'something else'}.",
                        place=str(self.folder),
                        remedy="See `kulla standby status`; stop it first.",
                    )
                replace_whole(self._making_way, f"{os.getpid()}\n".encode())
                asked = True
                _let_make_way(descriptor, self.folder)
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()} {role}\n".encode(), 0)
            yield
        finally:
            os.close(descriptor)
            if asked:
                self._making_way.unlink(missing_ok=True)

    @property
    def _making_way(self) -> Path:
        return self.own / "making-way"

    def is_being_taken_over(self) -> bool:
        """Whether the process for which a standby made way is still at work."""
        try:
            os.kill(int(self._making_way.read_text()), 0)
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return False
        return True

    def holder(self) -> tuple[int, str] | None:
        """The process that works in this folder, and as what; None where there is none."""
        try:
            descriptor = os.open(self.own / "lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            return None if _locked(descriptor) else _holder_in(descriptor)
        finally:
            os.close(descriptor)


def replace_whole(path: Path, data: bytes) -> None:
    """Put a small file in another's place, whole and durable."""
    half = path.with_name(path.name + ".half")
    half.unlink(missing_ok=True)
    write_missing(half, data)
    half.rename(path)
    sync_folder(path.parent)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder_in(descriptor: int) -> tuple[int, str]:
    pid, _, role = os.pread(descriptor, 64, 0).decode("ascii", "replace").strip().partition(" ")
    return (int(pid), role) if pid.isdigit() else (0, "")


def _let_make_way(descriptor: int, folder: Path) -> None:
    """Ask the standby that holds the lock to make way; it may be killed at any moment, too."""
    for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGKILL):
        pid, role = _holder_in(descriptor)
        if pid and role == STANDBY:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        pause = threading.Event()
        for _ in range(int(_GRACE_S / _TICK_S)):
            if _locked(descriptor):
                return
            pause.wait(_TICK_S)
    raise StandbyBroken(
        "the standby that runs here does not end.",
        place=str(folder),
        remedy="Stop its service, then run the same command again.",
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StandbyBroken(
            f"this file can't be read ({error.strerror}).",
            place=str(path),
            remedy="A standby's part of the kit has policy, reader.key, journal.key, home.toml.",
        ) from error

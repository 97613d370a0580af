"""The folder of a home: where its files lie, and how they are opened.

home.toml       name, domain, doors; no secrets
policy          the signed policy file, as embassies pin it
keys/           log.key (signs checkpoints), reader.key, journal.key; mode 0600
keeper/         subject keys under the keeper's master key
registers.sqlite, sessions.sqlite
journal/        one folder of tiles for each epoch
files/          what people handed in, sealed; what is missing here comes from embassies
logs/           what the processes say; no personal data
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from kulla.journal.entries import JournalKey
from kulla.journal.notes import SigningKey
from kulla.journal.policy_file import (
    PolicyFile,
    parse_policy,
    verify_policy_signatures,
    verify_successor,
)
from kulla.kernel.durable import write_whole
from kulla.kernel.errors import KullaError

SOCKET_PATH_MAX = 90

NOT_HOME = "not-home"
"""In the run folder of a home whose scribe learnt that another site took over."""

DEMO_STAFF = "demo-staff.json"
"""In a demo's recovery kit, and in a home made from it: the made-up staff with their passkeys."""


class HomeBroken(KullaError):
    """A home's folder lacks a file or holds one that can't be used."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What home.toml says.

    `workers` and `threads` are the portal's; `demo` opens the made-up sign-in and nothing else.
    """

    tower: str
    bind: str
    port: int
    public_url: str
    demo: bool
    workers: int
    threads: int


@dataclass(frozen=True, slots=True)
class Home:
    """A home's folder. Properties are paths; methods read files and raise HomeBroken."""

    folder: Path

    @property
    def registers(self) -> Path:
        """The registers' file."""
        return self.folder / "registers.sqlite"

    @property
    def sessions(self) -> Path:
        """The sessions' file, which may be lost."""
        return self.folder / "sessions.sqlite"

    @property
    def keeper(self) -> Path:
        """The keeper's folder."""
        return self.folder / "keeper"

    @property
    def files(self) -> Path:
        """The folder of the files that people handed in, each sealed under its subject's key."""
        return self.folder / "files"

    @property
    def policy_file(self) -> Path:
        """The policy file."""
        return self.folder / "policy"

    @property
    def next_policy_file(self) -> Path:
        """The policy's next version while home takes it up; see tower.policies.changing."""
        return self.folder / "policy.next"

    def policy_version(self, version: int) -> Path:
        """Where an earlier version of the policy is kept."""
        return self.folder / "policies" / str(version)

    @property
    def logs(self) -> Path:
        """Where the processes' output goes."""
        return self.folder / "logs"

    @property
    def django_key(self) -> Path:
        """Django's secret key, for sessions and forms; may be lost."""
        return self.folder / "keys" / "django.key"

    @property
    def demo_people(self) -> Path:
        """The made-up people of a demo country."""
        return self.folder / "demo-people.json"

    def journal(self, origin: str) -> Path:
        """The folder of tiles of the epoch with this origin."""
        return self.folder / "journal" / hashlib.sha256(origin.encode()).hexdigest()

    def settings(self) -> Settings:
        """What home.toml says."""
        path = self.folder / "home.toml"
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
            return Settings(**{name: values[name] for name in Settings.__slots__})
        except FileNotFoundError as error:
            raise HomeBroken(
                "this folder is no home.",
                place=str(path),
                remedy="Make one with `kulla init`, or name the right folder.",
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError) as error:
            raise HomeBroken(f"home.toml can't be read ({error}).", place=str(path)) from error

    def oidc(self) -> dict[str, str]:
        """What home.toml says under [oidc]: issuer, client_id, name, secret_file; {} for no e-ID.

        The secret itself is never there: it comes from KULLA_OIDC_SECRET or from `secret_file`, a
        path below the home (keys/oidc.secret where that exists and nothing is said).
        """
        path = self.folder / "home.toml"
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8")).get("oidc", {})
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise HomeBroken(f"home.toml can't be read ({error}).", place=str(path)) from error
        known = {"issuer", "client_id", "name", "secret_file"}
        if not isinstance(found, dict) or not all(
            name in known and isinstance(value, str) for name, value in found.items()
        ):
            raise HomeBroken(
                "something under [oidc] is not known.",
                place=str(path),
                remedy="Write issuer, client_id, name and secret_file, each as text.",
            )
        default = self.folder / "keys" / "oidc.secret"
        if found and "secret_file" in found:
            found["secret_file"] = str((self.folder / found["secret_file"]).resolve())
        elif found and default.exists():
            found["secret_file"] = str(default.resolve())
        return found

    def policy(self) -> PolicyFile:
        """The policy file, its custodians' signatures verified."""
        policy = parse_policy(self._bytes(self.policy_file), place=str(self.policy_file))
        verify_policy_signatures(policy)
        return policy

    def policies(self) -> tuple[PolicyFile, ...]:
        """The policy that holds, and the next one while home takes it up, verified against it."""
        policy = self.policy()
        path = self.next_policy_file
        if not path.exists():
            return (policy,)
        following = parse_policy(self._bytes(path), place=str(path))
        if following == policy:  # it was put in place, and the file was not removed yet
            return (policy,)
        verify_successor(policy, following)
        return policy, following

    def policy_bytes(self) -> list[bytes]:
        """Every version of the policy that this home has, the oldest first."""
        kept = sorted((self.folder / "policies").glob("[0-9]*"), key=lambda path: int(path.name))
        newest = [self.policy_file, self.next_policy_file]
        return [self._bytes(path) for path in (*kept, *newest) if path.exists()]

    def policy_state(self) -> tuple[object, ...]:
        """Changes where the policy or the next one was replaced; for those who watch them."""
        found: list[object] = []
        for path in (self.policy_file, self.next_policy_file):
            try:
                seen = path.stat()
                found.append((seen.st_mtime_ns, seen.st_size, seen.st_ino))
            except OSError:
                found.append(None)
        return tuple(found)

    def log_key(self) -> SigningKey:
        """The key that signs this epoch's checkpoints."""
        return self._key("log.key")

    def reader_key(self) -> SigningKey:
        """The key by which embassies know a home that reads."""
        return self._key("reader.key")

    def journal_key(self) -> JournalKey:
        """The key of the journal's outer layer."""
        return JournalKey(self._secret("journal.key"))

    def run_folder(self) -> Path:
        """The folder of the sockets, mode 0700.

        It is in the system's place for temporary files where the home's path is too long.
        """
        folder = self.folder.resolve() / "run"
        if len(str(folder)) > SOCKET_PATH_MAX:
            name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
            folder = Path(tempfile.gettempdir()) / f"kulla-{os.getuid()}-{name}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise HomeBroken(
                "the folder for sockets belongs to someone else.",
                place=str(folder),
                remedy="Remove it, or move the home to a shorter path.",
            )
        folder.chmod(0o700)
        return folder

    def _key(self, name: str) -> SigningKey:
        path = self.folder / "keys" / name
        return SigningKey.parse(self._bytes(path).decode().strip(), place=str(path))

    def _secret(self, name: str) -> bytes:
        path = self.folder / "keys" / name
        secret = self._bytes(path)
        if len(secret) != 32:
            raise HomeBroken("a key has 32 bytes.", place=str(path))
        return secret

    def _bytes(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise HomeBroken(
                f"this file can't be read ({error.strerror}).",
                place=str(path),
                remedy="Restore it from the recovery kit, or rebuild: kulla takeover.",
            ) from error


def write_secret(path: Path, data: bytes) -> None:
    """Write a secret that only its owner can read: whole and durable, and never over another."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(path, data)


def write_missing(path: Path, data: bytes) -> None:
    """Write a secret where an earlier try did not. What it wrote is whole, so it stays."""
    if not path.exists():
        write_secret(path, data)

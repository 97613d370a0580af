"""An embassy's folder: who it is, where it listens, how much it takes, and all that it holds.

    embassy.toml            name, bind, url, [limits]
    keys/                   mirror.key statement.key ticket.key, mode 0600; they never leave
    desk/                   policy (pinned), usage, evidence/ (refused forks)
    logs/<origin hash>/     one log in C2SP tlog-tiles layout: checkpoint, pending, tile/..., and
                            the write log, which holds what is not yet in these files
    blobs.sqlite            wrapped keys and files, by their SHA-256

Never put an older copy of this folder back: the mirror key would then sign a second history. An
embassy whose disk was lost is replaced by a new one with a new key, filled from the log.
"""

from __future__ import annotations

import os
import tomllib
from contextlib import ExitStack, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from kulla.embassy.blobs import SqliteBlobs
from kulla.embassy.errors import SettingsInvalid
from kulla.embassy.mirror import Identity, Mirror, Stores, origin_hash
from kulla.embassy.pinned import POLICY, VERSIONS, pin_first, pin_instead
from kulla.embassy.quota import Limits
from kulla.embassy.tickets import KEY_BYTES
from kulla.embassy.write_log import LOG_NAME, LoggedTileStore
from kulla.journal.errors import JournalError, StoreConflict, StoreFailed, TileMissing
from kulla.journal.filestore import FileTileStore
from kulla.journal.notes import (
    KIND_COSIGNATURE,
    KIND_ED25519,
    SigningKey,
    VerifierKey,
    check_key_name,
)
from kulla.journal.policy_file import PolicyFile
from kulla.kernel.durable import free_bytes, sync_folder
from kulla.kernel.edges import Clock, Entropy

SETTINGS: Final = "embassy.toml"
_KEYS: Final = "keys"
_DESK: Final = "desk"
_LOGS: Final = "logs"
_BLOBS: Final = "blobs.sqlite"


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """What an embassy tells the custodians for the policy file: its name and two keys."""

    name: str
    mirror: VerifierKey
    statement: VerifierKey
    url: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What embassy.toml says. `port` 0 lets the system choose one."""

    name: str
    host: str
    port: int
    url: str
    limits: Limits


def init(folder: Path, name: str, bind: str, url: str, entropy: Entropy) -> PublicKeys:
    """Make a new embassy in `folder`, which must be missing or empty; durable on return.

    `name` is its name in the policy file, `bind` 'host:port', `url` where others reach it. Its two
    public keys go into the policy file. Raises SettingsInvalid.
    """
    try:
        check_key_name(name)
    except JournalError as error:
        raise SettingsInvalid(error.message, place="name") from error
    _host_and_port(bind, "bind")
    if folder.exists() and any(folder.iterdir()):
        raise SettingsInvalid(
            "this folder is not empty.",
            place=str(folder),
            remedy="Give a new folder: an embassy's keys are made once and never again.",
        )
    mirror = SigningKey(f"{name}/mirror", KIND_COSIGNATURE, entropy.random_bytes(32))
    statement = SigningKey(f"{name}/statements", KIND_ED25519, entropy.random_bytes(32))
    keys = folder / _KEYS
    for path in (folder, keys, folder / _DESK, folder / _LOGS):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(keys / "mirror.key", f"{mirror.secret_text()}\n")
    _write(keys / "statement.key", f"{statement.secret_text()}\n")
    _write(keys / "ticket.key", f"{entropy.random_bytes(KEY_BYTES).hex()}\n")
    _write(folder / SETTINGS, _settings_text(name, bind, url))
    for path in (keys, folder, folder.parent):
        sync_folder(path)
    return PublicKeys(name, mirror.verifier, statement.verifier, url)


def pin(folder: Path, policy: bytes) -> PolicyFile:
    """Give a new embassy its first policy file, which its operator has seen.

    The embassy must not be serving; later versions come through POST /policy. Raises
    SettingsInvalid, or StoreConflict where it serves.
    """
    identity = _identity(folder, read_settings(folder))
    with FileTileStore(folder / _DESK, create=True) as desk:
        return pin_first(desk, policy, identity.mirror_key.verifier)


def public_keys(folder: Path) -> PublicKeys:
    """What `init` returned. Raises SettingsInvalid."""
    settings = read_settings(folder)
    identity = _identity(folder, settings)
    mirror, statement = identity.mirror_key.verifier, identity.statement_key.verifier
    return PublicKeys(settings.name, mirror, statement, settings.url)


def read_settings(folder: Path) -> Settings:
    """What embassy.toml says. Raises SettingsInvalid, naming the setting and the remedy."""
    path = folder / SETTINGS
    try:
        table = tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        raise SettingsInvalid(
            "this is not an embassy's folder.",
            place=str(path),
            remedy="Make one with: kulla embassy init",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"this is not TOML ({error}).", place=str(path)) from error
    unknown = table.keys() - {"name", "bind", "url", "limits"}
    texts = [table.get(key) for key in ("name", "bind", "url")]
    if unknown or not all(isinstance(text, str) for text in texts):
        named = ", ".join(sorted(unknown)) or "name, bind or url"
        raise SettingsInvalid(
            f"these settings are unknown, missing or no text: {named}.", place=str(path)
        )
    name, bind, url = (str(text) for text in texts)
    host, port = _host_and_port(bind, f"{path}, bind")
    return Settings(name, host, port, url, _limits(table.get("limits", {}), str(path)))


def log_folder(folder: Path, origin: str) -> Path:
    """Where the tiles of one log stand, as files that FileTileStore reads.

    What a killed embassy left in its write log is put into files first. One that runs does that
    itself, at most ten seconds late. Raises StoreFailed where the disk refuses.
    """
    path = folder / _LOGS / origin_hash(origin)
    if (path / LOG_NAME).exists():
        with suppress(StoreConflict):
            LoggedTileStore(path).close()
    return path


def read_log(folder: Path, origin: str) -> LoggedTileStore:
    """The store of one log, for reading only and without a change to the folder.

    The embassy must not be running. Raises StoreFailed where it never mirrored this log.
    """
    return LoggedTileStore(folder / _LOGS / origin_hash(origin), read_only=True)


def read_policy(folder: Path, version: int | None = None) -> bytes | None:
    """The policy that is pinned, or an earlier version; None where there is none. Reads only."""
    try:
        desk = FileTileStore(folder / _DESK, read_only=True)
        return desk.get(POLICY if version is None else f"{VERSIONS}{version}")
    except (StoreFailed, TileMissing):
        return None


def pin_other(folder: Path, policy: bytes) -> PolicyFile:
    """Pin `policy` in the place of one of the same version that lost; see pinned.pin_instead.

    The embassy must not be serving. Raises SettingsInvalid, or StoreConflict where it serves.
    """
    with FileTileStore(folder / _DESK, create=True) as desk:
        return pin_instead(desk, policy)


def read_blobs(folder: Path) -> SqliteBlobs:
    """The blobs, for reading only. Raises BlobsFailed."""
    return SqliteBlobs(blobs_path(folder), read_only=True)


def blobs_path(folder: Path) -> Path:
    """Where the blobs stand; open them with SqliteBlobs(..., read_only=True)."""
    return folder / _BLOBS


class OpenEmbassy:
    """An embassy whose folder this process holds until `close`."""

    def __init__(self, settings: Settings, mirror: Mirror, stack: ExitStack) -> None:
        self.settings = settings
        self.mirror = mirror
        self._stack = stack

    def close(self) -> None:
        """Save the counts and let go of the folder."""
        self.mirror.save_usage()
        self._stack.close()

    def __enter__(self) -> OpenEmbassy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def open_embassy(folder: Path, clock: Clock) -> OpenEmbassy:
    """Open an embassy for serving; only one process can.

    Raises SettingsInvalid (also where no policy is pinned), StoreConflict where another process
    has it, MirrorBroken where what it holds contradicts itself, StoreFailed or BlobsFailed.
    """
    settings = read_settings(folder)
    identity = _identity(folder, settings)
    with ExitStack() as stack:
        desk = stack.enter_context(FileTileStore(folder / _DESK, create=True))
        blobs = SqliteBlobs(folder / _BLOBS)
        stack.callback(blobs.close)

        def open_log(name: str) -> LoggedTileStore:
            return stack.enter_context(LoggedTileStore(folder / _LOGS / name, create=True))

        stores = Stores(desk, open_log, blobs, lambda: free_bytes(folder))
        mirror = Mirror(identity, stores, clock, settings.limits)
        return OpenEmbassy(settings, mirror, stack.pop_all())


def _identity(folder: Path, settings: Settings) -> Identity:
    keys = folder / _KEYS
    try:
        mirror = SigningKey.parse((keys / "mirror.key").read_text(), place="mirror.key")
        statement = SigningKey.parse((keys / "statement.key").read_text(), place="statement.key")
        ticket = bytes.fromhex((keys / "ticket.key").read_text().strip())
    except (OSError, ValueError, JournalError) as error:
        raise SettingsInvalid(f"a key can't be read: {error}", place=str(keys)) from error
    if (mirror.kind, statement.kind) != (KIND_COSIGNATURE, KIND_ED25519):
        raise SettingsInvalid("a key is of the wrong kind.", place=str(keys))
    if len(ticket) != KEY_BYTES:
        raise SettingsInvalid("ticket.key is cut short.", place=str(keys))
    return Identity(settings.name, mirror, statement, ticket)


def _limits(table: Any, place: str) -> Limits:
    known = {field.name for field in fields(Limits)}
    if not isinstance(table, dict) or table.keys() - known:
        raise SettingsInvalid(
            "there is an unknown limit.", place=place, remedy=f"Known: {', '.join(sorted(known))}."
        )
    for name, value in table.items():
        if type(value) is not int or value < 0:
            raise SettingsInvalid("a limit is a whole number from 0 on.", place=f"{place}, {name}")
    return Limits(**table)


def _host_and_port(bind: str, place: str) -> tuple[str, int]:
    host, _, port = bind.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise SettingsInvalid(
            f"{bind!r} is no address to listen at.", place=place, remedy="Write host:port."
        )
    return host.strip("[]"), int(port)


def _settings_text(name: str, bind: str, url: str) -> str:
    lines = [
        "# An embassy of a tower. Stop it, change this file, start it again.",
        f"name = {_quoted(name)}",
        f"bind = {_quoted(bind)}",
        f"url = {_quoted(url)}",
        "",
        "# How much it takes; what is commented out stands for the default.",
        "[limits]",
        *(f"# {field.name} = {field.default}" for field in fields(Limits)),
    ]
    return "".join(f"{line}\n" for line in lines)


def _quoted(text: str) -> str:
    if any(ord(character) < 0x20 or character in '"\\' for character in text):
        raise SettingsInvalid(f"{text!r} has characters that no setting may have.")
    return f'"{text}"'


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())

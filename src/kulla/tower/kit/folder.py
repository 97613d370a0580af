"""The recovery kit: what it must hold, brought up to date, printed, read back from paper."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from kulla.journal.policy_file import PolicyFile, parse_policy, verify_policy_signatures
from kulla.keeper.errors import RecoveryKeyInvalid
from kulla.keeper.shares import Share, recovery_key_of
from kulla.keeper.wrapping import RecoveryPrivate
from kulla.kernel.durable import sync_folder
from kulla.kernel.edges import Entropy
from kulla.kernel.errors import KullaError
from kulla.tower.asking import read_key
from kulla.tower.doctor.findings import Finding, broken, fine, warning
from kulla.tower.home import DEMO_STAFF, Home, write_missing
from kulla.tower.takeover.custody import RECOVERY_KEY, SHARES, share_out

CREDENTIALS: Final = ("mail.password", "oidc.secret")
"""What an operator may have set up after the country began; goes to a new home's keys."""
NEEDED: Final = ("policy", "home.toml", "journal.key", "index.key", "reader.key")
PRINTED: Final = (*NEEDED, SHARES, RECOVERY_KEY, *CREDENTIALS)
_KEY_BYTES: Final = 32


class KitInvalid(KullaError):
    """A recovery kit that lacks something, or that something can't be written into."""


def update(kit: Path, home: Home) -> list[str]:
    """Bring policy, settings and credentials of a home into its kit; the names of what changed.

    Raises KitInvalid where the kit is of another tower or has a later policy.
    """
    policy = home.policy()
    known = kit_policy(kit)
    if known.tower != policy.tower or known.version > policy.version:
        raise KitInvalid(
            f"this kit is of '{known.tower}', version {known.version} of the policy; the home is "
            f"of '{policy.tower}', version {policy.version}.",
            place=str(kit),
            remedy="Name the kit and the home that belong together.",
        )
    wanted = {"policy": home.policy_file, "home.toml": home.folder / "home.toml"}
    wanted |= {name: home.folder / "keys" / name for name in CREDENTIALS}
    wanted[DEMO_STAFF] = home.folder / DEMO_STAFF
    changed = []
    for name, path in wanted.items():
        if not path.exists():
            continue
        data = path.read_bytes()
        if not (kit / name).exists() or (kit / name).read_bytes() != data:
            _replace(kit / name, data)
            changed.append(name)
    return changed


def _replace(path: Path, data: bytes) -> None:
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def kit_policy(kit: Path) -> PolicyFile:
    """The kit's policy, its signatures verified. Raises KitInvalid or a JournalError."""
    path = kit / "policy"
    if not path.exists():
        raise KitInvalid("this folder has no policy file.", place=str(path), remedy="Name a kit.")
    policy = parse_policy(path.read_bytes(), place=str(path))
    verify_policy_signatures(policy)
    return policy


def examine(kit: Path) -> list[Finding]:
    """Whether a new home could begin from this kit. Never raises for what is wrong with it."""
    missing = [name for name in NEEDED if not (kit / name).exists()]
    if not (kit / RECOVERY_KEY).exists() and not (kit / SHARES).exists():
        missing.append(RECOVERY_KEY)
    if missing:
        lacks = f"it lacks {', '.join(missing)}."
        return [
            broken("kit", lacks, "Look for another copy, or read it from paper: kulla kit read.")
        ]
    try:
        policy = kit_policy(kit)
        return [*_keys(kit, policy), *_settings(kit, policy), *_recovery(kit), *_together(kit)]
    except (KullaError, OSError) as error:
        return [broken("kit", f"it can't be used: {error}", "Copy the home's into it.")]


def _keys(kit: Path, policy: PolicyFile) -> Iterator[Finding]:
    for name in ("journal.key", "index.key"):
        if (kit / name).stat().st_size != _KEY_BYTES:
            yield broken("kit", f"{name} is no key.", "Take it from another copy of the kit.")
    reader = read_key(kit / "reader.key").verifier
    if reader not in [known.key for known in policy.readers]:
        yield broken("kit", "its reader key is not in the policy.", "Take the newest kit.")
    yield fine("kit", f"version {policy.version} of the policy, signed by enough custodians.")


def _settings(kit: Path, policy: PolicyFile) -> Iterator[Finding]:
    try:
        tower = tomllib.loads((kit / "home.toml").read_text(encoding="utf-8")).get("tower")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        tower = ""
    if tower != policy.tower:
        yield broken("kit", "its home.toml is not of this tower.", "Copy the home's into it.")


def _recovery(kit: Path) -> Iterator[Finding]:
    public = kit / "recovery.pub"
    if not (kit / RECOVERY_KEY).exists():
        fields = [line.partition(" ") for line in (kit / SHARES).read_text().splitlines()]
        holders = [value for name, _, value in fields if name == "holder"]
        needed = next((value for name, _, value in fields if name == "needed"), "?")
        yield fine(
            "kit", f"the recovery key is in shares, {needed} needed, with {', '.join(holders)}."
        )
        return
    try:
        found = RecoveryPrivate((kit / RECOVERY_KEY).read_bytes())
    except RecoveryKeyInvalid as error:
        yield broken("kit", f"its recovery key can't be used: {error}", "Take another copy.")
        return
    if public.exists() and public.read_bytes() != found.public:
        yield broken("kit", "recovery.key and recovery.pub don't fit.", "Take another copy.")
    else:
        yield fine("kit", "the recovery key is whole in it.")


def _together(kit: Path) -> Iterator[Finding]:
    found = [*(kit / "custodians").glob("*.key"), *(kit / "custodians").glob("*.share")]
    if found:
        yield warning(
            "kit",
            "custodians' keys still lie together in it.",
            "Give each custodian their own, also on paper, and remove it from the kit.",
        )


def split_anew(
    kit: Path,
    given: Sequence[Path],
    holders: Sequence[str],
    needed: int,
    out: Path,
    entropy: Entropy,
) -> None:
    """Split the recovery key among other holders, into the folder `out`.

    It is whole in the kit, or joined of the shares in `given`. Old shares stay shares of the same
    key: collect and destroy them. Raises ShareInvalid, or KitInvalid where it is another key or the
    folder is not empty.
    """
    check_empty(out)
    if (kit / RECOVERY_KEY).exists():
        private = (kit / RECOVERY_KEY).read_bytes()
    else:
        texts = [(path, path.read_text("utf-8", "replace")) for path in given]
        private = recovery_key_of(Share.parse(text, place=str(path)) for path, text in texts)
    public = kit / "recovery.pub"
    if public.exists() and public.read_bytes() != RecoveryPrivate(private).public:
        raise KitInvalid("these are shares of another recovery key.", place=str(kit))
    share_out(out, private, holders, needed, entropy)


def check_empty(folder: Path) -> None:
    """Raise KitInvalid unless the folder is missing or empty."""
    if folder.exists() and any(folder.iterdir()):
        raise KitInvalid(
            "this folder is not empty.", place=str(folder), remedy="Name an empty one."
        )


def write_read(into: Path, files: dict[str, bytes]) -> list[str]:
    """Write files that were read from paper into a folder; their names. Nothing is overwritten.

    Raises KitInvalid where another file of such a name is there, before anything is written.
    """
    for name, data in files.items():
        path = into / name
        if path.exists() and path.read_bytes() != data:
            raise KitInvalid(
                "another file of this name is there already.",
                place=str(path),
                remedy="Name an empty folder with --into.",
            )
    for name, data in files.items():
        write_missing(into / name, data)
    return sorted(files)

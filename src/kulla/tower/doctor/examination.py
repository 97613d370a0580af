"""`kulla doctor`: whether a home has all that a real country needs, and what to do where not.

It changes nothing but a file of a few kilobytes that it writes to time the disk, and removes.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from kulla.kernel.edges import Clock
from kulla.kernel.errors import KullaError
from kulla.tower.doctor import country as at_home
from kulla.tower.doctor import embassies, rounds, site
from kulla.tower.doctor.findings import LOOPBACK, Finding, Patient, broken, fine, warning
from kulla.tower.home import Home

PYTHON_MIN: Final = (3, 11)
DISK_BROKEN_BYTES: Final = 1 << 30
DISK_WARN_BYTES: Final = 20 << 30
FSYNC_ROUNDS: Final = 16
FSYNC_MIN_S: Final = 30e-6
KEY_FILE_BYTES_MAX: Final = 4096
_MEMORY_FILESYSTEMS: Final = frozenset({"tmpfs", "ramfs", "overlay"})
_SKIPPED: Final = frozenset({"journal", "logs", "mail", "run"})

Check = Callable[[Patient], Iterator[Finding]]


def examine(
    home: Home, clock: Clock, *, timeout_s: float = 5.0, kit: Path | None = None
) -> list[Finding]:
    """All findings on `home`, the most basic first. Never raises for what is wrong with it."""
    findings = list(_python())
    try:
        patient = Patient(home, home.settings(), home.policy(), clock, timeout_s, kit)
    except (KullaError, ValueError) as error:
        return [*findings, broken("home", str(error), "Name the folder that `kulla init` made.")]
    for name, check in CHECKS:
        try:
            findings += check(patient)
        except (KullaError, OSError, ValueError) as error:
            findings.append(
                broken(name, f"it can't be looked at: {error}", "Mend that, then ask again.")
            )
    return findings


def worst(findings: list[Finding]) -> int:
    """The exit code: 0 all is fine, 1 something needs a look, 2 something is broken."""
    order = {"fine": 0, "warning": 1, "broken": 2}
    return max((order[finding.state] for finding in findings), default=0)


def _python() -> Iterator[Finding]:
    found = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] < PYTHON_MIN:
        yield broken("python", f"this is Python {found}.", "Install Python 3.11 or later.")
    else:
        yield fine("python", f"Python {found}.")


def _disk(patient: Patient) -> Iterator[Finding]:
    usage = shutil.disk_usage(patient.home.folder)
    free = f"{usage.free / (1 << 30):.1f} GiB are free"
    more = "Give the home more disk: where it is full, commands are answered 'no room'."
    if usage.free < DISK_BROKEN_BYTES:
        yield broken("disk", f"{free}.", more)
    elif usage.free < DISK_WARN_BYTES:
        yield warning("disk", f"{free}.", more)
    else:
        yield fine("disk", f"{free}.")


def _durable(patient: Patient) -> Iterator[Finding]:
    """Whether fsync reaches a disk: by the kind of file system, and by how long it takes."""
    kind = _filesystem(patient.home.folder.resolve())
    if kind in _MEMORY_FILESYSTEMS:
        yield broken(
            "durable",
            f"the home lies on {kind}, which does not outlive the machine or its container.",
            "Move it to a disk (ext4, xfs) of its own.",
        )
        return
    each_s = _fsync_s(patient)
    said = f"{kind}; an fsync takes {each_s * 1e6:.0f} microseconds"
    if each_s < FSYNC_MIN_S:
        yield warning(
            "durable",
            f"{said}: no disk is that quick, so something answers before it wrote.",
            "See that the disk's cache has a battery, and that the host's 'writeback' is off.",
        )
    else:
        yield fine("durable", f"{said}.")


def _fsync_s(patient: Patient) -> float:
    """The median time of an fsync of 4 KiB in the home's folder, in seconds."""
    path = patient.home.folder / f".doctor-{os.getpid()}"
    took: list[float] = []
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        for _ in range(FSYNC_ROUNDS):
            start_s = patient.clock.monotonic_s()
            os.write(descriptor, bytes(4096))
            os.fsync(descriptor)
            took.append(patient.clock.monotonic_s() - start_s)
    finally:
        os.close(descriptor)
        path.unlink()
    return sorted(took)[FSYNC_ROUNDS // 2]


def _filesystem(folder: Path) -> str:
    """The kind of file system that a folder lies on, '?' where the machine does not say."""
    best, kind = "", "?"
    try:
        lines = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return kind
    for line in lines:
        parts = line.split()
        if len(parts) < 3:
            continue
        point = parts[1].replace("\\040", " ")
        if len(point) >= len(best) and folder.is_relative_to(point):
            best, kind = point, parts[2]
    return kind


def _modes(patient: Patient) -> Iterator[Finding]:
    """Keys are for their owner alone."""
    home = patient.home
    secrets = [*(home.folder / "keys").glob("*"), *home.keeper.glob("*"), home.folder]
    secrets += [home.registers, home.sessions, home.demo_people]
    open_to_others = [
        path for path in secrets if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    for path in open_to_others:
        mode = stat.S_IMODE(path.stat().st_mode)
        right = "700" if path.is_dir() else "600"
        yield broken("modes", f"others may read {path} (mode {mode:04o}).", f"chmod {right} {path}")
    if not open_to_others:
        yield fine("modes", f"{len(secrets)} secrets and registers are for their owner alone.")


def _policy(patient: Patient) -> Iterator[Finding]:
    """The signatures were verified when the file was read."""
    policy = patient.policy
    said = (
        f"version {policy.version} is signed by enough custodians; {policy.n} embassies, "
        f"{policy.quorum_k} must hold an act"
    )
    if 2 * policy.quorum_k <= policy.n + 1:
        yield warning(
            "policy",
            f"{said}: that is too few for losing home and an embassy at once.",
            "Four embassies with a quorum of three are the least that bears it.",
        )
    else:
        yield fine("policy", f"{said}.")


def _custodians(patient: Patient) -> Iterator[Finding]:
    """Who has home must not have what custodians sign with, nor the recovery key."""
    home = patient.home.folder.resolve()
    found = [path for path in _small_files(home) if _is_custodians(path)]
    # The kit that the operator brought for this very look is meant to be here.
    brought = patient.kit.resolve() if patient.kit else None
    beside = [
        path
        for path in _small_files(home.parent, depth=4)
        if _is_custodians(path) and not (brought and path.is_relative_to(brought))
    ]
    if found:
        yield broken(
            "custodians",
            f"{len(found)} keys of custodians or of recovery lie in the home: {found[0]}.",
            "Take them off line, each to its custodian; then look who could have copied them.",
        )
    elif beside:
        yield broken(
            "custodians",
            f"{len(beside)} keys of custodians or of recovery lie on this machine: {beside[0]}.",
            "Take the recovery kit off line, and give each custodian their own key from it.",
        )
    else:
        yield fine("custodians", "no key of a custodian and no recovery key lies near the home.")


def _small_files(folder: Path, depth: int = 6) -> Iterator[Path]:
    if depth == 0:
        return
    try:
        entries = list(folder.iterdir())
    except OSError:
        return
    for path in entries:
        if path.is_symlink():
            continue
        if path.is_dir():
            if path.name not in _SKIPPED:
                yield from _small_files(path, depth - 1)
        elif path.suffix in (".key", ".share"):
            yield path


def _is_custodians(path: Path) -> bool:
    if path.name == "recovery.key" or path.suffix == ".share":
        return True
    try:
        if path.stat().st_size > KEY_FILE_BYTES_MAX:
            return False
        return b"/custodian/" in path.read_bytes()
    except OSError:
        return False


def _address(patient: Patient) -> Iterator[Finding]:
    """Passkeys belong to the relying party: a domain that can't be changed later."""
    public, party = urlsplit(patient.settings.public_url), patient.policy.relying_party
    host = public.hostname or ""
    if host != party and not host.endswith(f".{party}"):
        yield broken(
            "address",
            f"people find the portal at {host}, but passkeys are bound to {party}.",
            f'Write public_url = "https://{party}" in home.toml, and use that name.',
        )
    elif public.scheme != "https" and host not in LOOPBACK:
        yield broken(
            "address",
            f"{patient.settings.public_url} is not https: browsers then refuse passkeys.",
            "Put a proxy with a certificate in front, and https:// into home.toml.",
        )
    elif host in LOOPBACK:
        yield warning(
            "address",
            f"{host} is a name of this machine alone.",
            "Begin the country under its own domain: kulla init --url https://...",
        )
    else:
        yield fine("address", f"passkeys are bound to {party}, and people come to {host}.")


def _demo(patient: Patient) -> Iterator[Finding]:
    if patient.settings.demo or patient.home.demo_people.exists():
        yield broken(
            "demo",
            "this is a demo country: whoever comes can be anybody.",
            "Begin a real one with `kulla init`; a demo does not become one.",
        )
    else:
        yield fine("demo", "nobody signs in as a made-up person here.")


CHECKS: Final[tuple[tuple[str, Check], ...]] = (
    ("disk", _disk),
    ("durable", _durable),
    ("modes", _modes),
    ("policy", _policy),
    ("custodians", _custodians),
    ("address", _address),
    ("demo", _demo),
    ("processes", at_home.processes),
    ("certificate", site.certificate),
    ("proxy", site.proxy),
    ("mail", site.mail),
    ("embassies", embassies.embassies),
    ("watermark", at_home.watermark),
    ("staff", at_home.staff),
    ("enrolment", rounds.rounds),
    ("kit", at_home.kit),
)

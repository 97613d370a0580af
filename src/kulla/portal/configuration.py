"""What the tower tells the portal, through environment variables that begin with KULLA_.

Reading it opens nothing; `check` says what is missing, with the remedy, before the first request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from kulla.kernel.errors import KullaError


class Misconfigured(KullaError):
    """A setting of the portal that is missing or that can't be read."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A token bucket: `burst` requests at once, then `per_minute` over time."""

    per_minute: int
    burst: int


THREADS: Final = 64
DEFAULT_LIMITS: Final[Mapping[str, Limit]] = {
    # Requests of people who are not signed in, per address (for IPv6: per /64).
    "address": Limit(per_minute=600, burst=300),
    # Requests of one signed-in person; an address that a whole village shares is not held to it.
    "person": Limit(per_minute=240, burst=120),
    # Forms that become commands, per person.
    "acts": Limit(per_minute=30, burst=20),
    # Attempts to sign in, and receipts handed in to be checked, per address.
    "sign_in": Limit(per_minute=30, burst=30),
    "check": Limit(per_minute=60, burst=30),
    # Calls of the API with one token.
    "token": Limit(per_minute=600, burst=120),
}


@dataclass(frozen=True, slots=True)
class Oidc:
    """The provider of the national e-ID, and how this home is known to it.

    `name` is what its button says. The secret comes from the environment, or from a file that its
    owner alone may read; a provider that knows clients by PKCE alone needs none.
    """

    issuer: str
    client_id: str
    name: str
    secret_text: str = field(default="", repr=False)
    secret_file: Path | None = None

    def secret(self) -> str:
        """The secret, '' for a client without one. Raises Misconfigured."""
        if self.secret_text or self.secret_file is None:
            return self.secret_text
        place = str(self.secret_file)
        try:
            if self.secret_file.stat().st_mode & 0o077:
                raise Misconfigured(
                    "others may read the secret of the e-ID.",
                    place=place,
                    remedy="chmod 600 it, and ask the provider for a new secret.",
                )
            return self.secret_file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Misconfigured(
                "the secret of the e-ID can't be read.",
                place=place,
                remedy="Write it there, readable by the portal alone, or set KULLA_OIDC_SECRET.",
            ) from error


@dataclass(frozen=True, slots=True)
class Configuration:
    """The portal's settings. Paths are None where the tower did not set them.

    `public_url` is where people open the site, '' where the tower did not say.
    `standby`: this is a standby's site, which shows the registers and takes nothing.
    `threads` is how many requests a worker serves at once; `proxies` are the addresses whose
    X-Forwarded-For and X-Forwarded-Proto are believed.
    """

    registers: Path | None
    sessions: Path | None
    run_folder: Path | None
    secret_key_file: Path | None
    policy_file: Path | None
    demo_people: Path | None
    demo: bool
    bench: bool
    standby: bool
    tls: bool
    hosts: tuple[str, ...]
    public_url: str
    proxies: frozenset[str]
    threads: int
    limits: Mapping[str, Limit]
    oidc: Oidc | None = None


def read_configuration(environ: Mapping[str, str]) -> Configuration:
    """The settings in `environ`. Raises Misconfigured for one that can't be read."""

    def path(name: str) -> Path | None:
        return Path(environ[name]) if environ.get(name) else None

    def listed(name: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in environ.get(name, "").split(",") if part.strip())

    return Configuration(
        registers=path("KULLA_REGISTERS"),
        sessions=path("KULLA_SESSIONS"),
        run_folder=path("KULLA_RUN"),
        secret_key_file=path("KULLA_SECRET_KEY_FILE"),
        policy_file=path("KULLA_POLICY_FILE"),
        demo_people=path("KULLA_DEMO_PEOPLE"),
        demo=_flag(environ, "KULLA_DEMO"),
        bench=_flag(environ, "KULLA_BENCH"),
        standby=_flag(environ, "KULLA_STANDBY"),
        tls=_flag(environ, "KULLA_TLS"),
        hosts=listed("KULLA_HOSTS") or ("localhost", "127.0.0.1", "[::1]"),
        public_url=environ.get("KULLA_PUBLIC_URL", ""),
        proxies=frozenset(listed("KULLA_PROXIES")),
        threads=_count(environ, "KULLA_THREADS", THREADS),
        limits=_limits(listed("KULLA_LIMITS")),
        oidc=_oidc(environ),
    )


def check(configuration: Configuration) -> None:
    """Stop a portal that could not serve. Raises Misconfigured for the first setting that lacks."""
    needed = {
        "KULLA_REGISTERS": configuration.registers,
        "KULLA_SESSIONS": configuration.sessions,
        "KULLA_RUN": configuration.run_folder,
        "KULLA_SECRET_KEY_FILE": configuration.secret_key_file,
        "KULLA_POLICY_FILE": configuration.policy_file,
    }
    if configuration.demo:
        needed["KULLA_DEMO_PEOPLE"] = configuration.demo_people
    for name, value in needed.items():
        if value is None:
            raise Misconfigured("this setting is missing.", place=name, remedy="Set it to a path.")
    if configuration.oidc is not None:
        configuration.oidc.secret()


def _oidc(environ: Mapping[str, str]) -> Oidc | None:
    """The provider of the e-ID, None where no issuer is set."""
    issuer, client_id = (
        environ.get("KULLA_OIDC_ISSUER", ""),
        environ.get("KULLA_OIDC_CLIENT_ID", ""),
    )
    if not issuer:
        return None
    parts = urlsplit(issuer)
    near = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not parts.hostname or not (parts.scheme == "https" or near) or parts.query or parts.fragment:
        raise Misconfigured(
            f"{issuer!r} can't be the issuer of an e-ID.",
            place="KULLA_OIDC_ISSUER",
            remedy="Write its https address, as its ID tokens say it.",
        )
    if not client_id:
        raise Misconfigured(
            "the e-ID's provider does not know this site.",
            place="KULLA_OIDC_CLIENT_ID",
            remedy="Ask it for a client id, and write it into home.toml, [oidc] client_id.",
        )
    return Oidc(
        issuer,
        client_id,
        environ.get("KULLA_OIDC_NAME", "") or parts.hostname,
        environ.get("KULLA_OIDC_SECRET", ""),
        Path(environ["KULLA_OIDC_SECRET_FILE"]) if environ.get("KULLA_OIDC_SECRET_FILE") else None,
    )


def _count(environ: Mapping[str, str], name: str, usual: int) -> int:
    value = environ.get(name) or str(usual)
    if not value.isdecimal() or not int(value):
        raise Misconfigured(
            f"{value!r} is no number from 1 on.", place=name, remedy="Set it to 64."
        )
    return int(value)


def _flag(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name, "")
    if value not in {"", "0", "1"}:
        raise Misconfigured(f"{value!r} is neither 1 nor 0.", place=name, remedy="Set it to 1.")
    return value == "1"


def _limits(parts: tuple[str, ...]) -> Mapping[str, Limit]:
    """`address=600:300,acts=30:20`: per minute, and at once."""
    limits = dict(DEFAULT_LIMITS)
    for part in parts:
        name, _, numbers = part.partition("=")
        per_minute, _, burst = numbers.partition(":")
        known = name in limits and per_minute.isdecimal() and burst.isdecimal()
        if not known or int(per_minute) == 0 or int(burst) == 0:
            raise Misconfigured(
                f"{part!r} is not a limit.",
                place="KULLA_LIMITS",
                remedy=f"Write NAME=PER_MINUTE:BURST with one of {', '.join(sorted(limits))}.",
            )
        limits[name] = replace(limits[name], per_minute=int(per_minute), burst=int(burst))
    return limits

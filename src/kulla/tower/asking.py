"""How a site that is not home yet, or a custodian's tool, reaches the embassies of a policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog

from kulla.embassy.client import EmbassyClient
from kulla.embassy.errors import EmbassyError
from kulla.journal.errors import JournalError
from kulla.journal.notes import SigningKey
from kulla.journal.policy_file import PolicyFile, parse_policy, verify_successor
from kulla.kernel.errors import KullaError
from kulla.rebuild.takeover import newest_policy

EMBASSY_TIMEOUT_S: Final = 10.0
FIRST_ASK_TIMEOUT_S: Final = 2.0

log = structlog.get_logger()


class KeyUnreadable(KullaError):
    """A file that should hold a signing key is not there, or holds none."""


def read_key(path: Path) -> SigningKey:
    """The secret signing key in a file. Raises KeyUnreadable, which never shows the secret."""
    try:
        return SigningKey.parse(path.read_text(encoding="utf-8").strip(), place=str(path))
    except (OSError, UnicodeDecodeError, JournalError) as error:
        why = error.message if isinstance(error, JournalError) else type(error).__name__
        raise KeyUnreadable(
            f"no key can be read here ({why}).",
            place=str(path),
            remedy="Name the file that holds the key, or read it back from paper: kulla kit read.",
        ) from error


@contextmanager
def clients_of(
    policy: PolicyFile, reader: SigningKey | None, timeout_s: float = EMBASSY_TIMEOUT_S
) -> Iterator[dict[str, EmbassyClient]]:
    """A client of each embassy of the policy, by name; for one thread."""
    clients = {
        embassy.name: EmbassyClient(
            embassy.url, name=embassy.name, reader=reader, timeout_s=timeout_s
        )
        for embassy in policy.embassies
    }
    try:
        yield clients
    finally:
        for client in clients.values():
            client.close()


def shown_by(clients: Mapping[str, EmbassyClient]) -> dict[str, bytes]:
    """The policy file that each embassy shows, of those that answer; all are asked at once."""

    def ask(client: EmbassyClient) -> bytes | None:
        try:
            return client.policy()
        except EmbassyError:
            return None

    with ThreadPoolExecutor(max(1, len(clients))) as pool:
        found = pool.map(ask, clients.values())
        return {name: shown for name, shown in zip(clients, found, strict=True) if shown}


def who_answers(
    clients: Mapping[str, EmbassyClient], policy: PolicyFile
) -> dict[str, EmbassyClient]:
    """Those that answer at once, where they are enough to be certain; a step waits for the rest.

    Else all: one that is only slow may hold what was acknowledged.
    """
    quick = {
        name: EmbassyClient(client.url, name=name, timeout_s=FIRST_ASK_TIMEOUT_S)
        for name, client in clients.items()
    }
    shown = shown_by(quick)
    for client in quick.values():
        client.close()
    if not _are_enough(shown, policy):
        return dict(clients)
    for name in clients.keys() - shown.keys():
        log.warning("embassy does not answer; the others are enough", embassy=name)
    return {name: client for name, client in clients.items() if name in shown}


def _are_enough(shown: Mapping[str, bytes], policy: PolicyFile) -> bool:
    return len(shown) >= 2 * (policy.n - policy.quorum_k) + 1


def ask_for_newest(
    trusted: PolicyFile, reader: SigningKey | None
) -> tuple[PolicyFile, list[bytes]]:
    """The newest policy that embassies show and `trusted` vouches for; all that they showed.

    A later version counts where enough custodians of the trusted one signed it, or where it follows
    version by version; its embassies are then asked too.
    """
    newest, offered = trusted, list[bytes]()
    while True:
        with clients_of(newest, reader, FIRST_ASK_TIMEOUT_S) as quick:
            shown = shown_by(quick)
        with clients_of(newest, reader) as clients:
            if not _are_enough(shown, newest):
                shown = shown_by(clients)
            offered += shown.values()
            found = newest_policy(newest, offered)
            while following := _next_version(found, clients, offered):
                found = following
        if found == newest:
            return newest, offered
        newest = found


def _next_version(
    known: PolicyFile, clients: Mapping[str, EmbassyClient], offered: Sequence[bytes]
) -> PolicyFile | None:
    """The version after `known` as embassies show it, signed by the custodians of both."""
    if all(_version(data) <= known.version for data in offered):
        return None
    for client in clients.values():
        try:
            following = parse_policy(client.policy(known.version + 1))
            verify_successor(known, following)
        except (EmbassyError, JournalError):
            continue
        return following
    return None


def _version(data: bytes) -> int:
    try:
        return parse_policy(data).version
    except JournalError:
        return 0

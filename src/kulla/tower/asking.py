"""How a site that is not home yet, or a custodian's tool, reaches the embassies of a policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kulla.embassy.client import EmbassyClient
from kulla.embassy.errors import EmbassyError
from kulla.journal.errors import JournalError
from kulla.journal.notes import SigningKey
from kulla.journal.policy_file import PolicyFile, parse_policy, verify_successor
from kulla.kernel.errors import KullaError
from kulla.rebuild.takeover import newest_policy

EMBASSY_TIMEOUT_S: Final = 10.0


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


def offered_by(clients: Mapping[str, EmbassyClient]) -> Iterator[bytes]:
    """The policy files that embassies which answer are pinned to."""
    for client in clients.values():
        try:
            yield client.policy()
        except EmbassyError:
            continue


def ask_for_newest(
    trusted: PolicyFile, reader: SigningKey | None
) -> tuple[PolicyFile, list[bytes]]:
    """The newest policy that embassies show and `trusted` vouches for; all that they showed.

    A later version counts where enough custodians of the trusted one signed it, or where it follows
    version by version; its embassies are then asked too.
    """
    newest, offered = trusted, list[bytes]()
    while True:
        with clients_of(newest, reader) as clients:
            offered += offered_by(clients)
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

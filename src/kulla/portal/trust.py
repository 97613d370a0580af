"""The tower's policy file as the portal reads it: who signs, and where the embassies are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlencode

from django.conf import settings

from kulla.journal import merkle
from kulla.journal.policy_file import Embassy, PolicyFile, parse_policy
from kulla.journal.receipts import Receipt
from kulla.portal.edge import TowerUnavailable

_lock: Final = threading.Lock()
_read: tuple[tuple[int, int], PolicyFile] | None = None


def current_policy() -> PolicyFile:
    """The policy, read again only when the file changed. Raises TowerUnavailable without one."""
    global _read  # noqa: PLW0603 (a cache, guarded by its lock)
    path = settings.KULLA.policy_file
    try:
        stat = path.stat()
        version = (stat.st_mtime_ns, stat.st_size)
        with _lock:
            if _read is None or _read[0] != version:
                _read = (version, parse_policy(path.read_bytes(), place=str(path)))
            return _read[1]
    except OSError as error:
        raise TowerUnavailable(
            f"the policy file can't be read ({error.strerror}).",
            place=str(path),
            remedy="Set KULLA_POLICY_FILE to the tower's policy file.",
        ) from error


def policies() -> Iterator[PolicyFile]:
    """The policy, then the earlier versions that this home keeps beside it, the newest first.

    Home wrote them when it was made or changed its policy, so they are trusted as the policy is.
    """
    newest = current_policy()
    yield newest
    folder = settings.KULLA.policy_file.parent / "policies"
    for version in range(newest.version - 1, 0, -1):
        path = folder / str(version)
        if path.exists():
            yield parse_policy(path.read_bytes(), place=str(path))


def embassies_with_pages() -> tuple[Embassy, ...]:
    """The embassies whose address the policy gives."""
    return tuple(embassy for embassy in current_policy().embassies if embassy.url)


def check_pages() -> tuple[tuple[str, str], ...]:
    """Each embassy's name and the address of its own check page."""
    return tuple(
        (embassy.name, f"{embassy.url.rstrip('/')}/check") for embassy in embassies_with_pages()
    )


def check_address(embassy: Embassy, origin: str, index: int, leaf: str) -> str:
    """The page where this embassy says whether it holds the entry; `leaf` is hex."""
    query = urlencode({"origin": origin, "index": index, "leaf": leaf})
    return f"{embassy.url.rstrip('/')}/check?{query}"


def leaf_of(receipt: Receipt) -> str:
    """The leaf hash of a receipt's entry, as hex: the short name of the act in the journal."""
    return merkle.leaf_hash(receipt.entry).hex()

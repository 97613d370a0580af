"""An embassy as it runs: it serves, and beside that fills its closed epochs from the others.

So one that was away while home was taken over catches up by itself, and so does one that is new,
once the others know it. `fill` does the same for an embassy that does not run, also from folders.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import structlog

from kulla.embassy.client import EmbassyClient
from kulla.embassy.errors import EmbassyBroken, SettingsInvalid
from kulla.embassy.folder import open_embassy, read_settings
from kulla.embassy.mirror import Mirror
from kulla.embassy.server import serve as serve_embassy
from kulla.journal.errors import StoreFailed
from kulla.journal.notes import SigningKey
from kulla.kernel.edges import SystemClock
from kulla.kernel.errors import KullaError
from kulla.rebuild.sources import FillableSource, FolderSource, HttpSource
from kulla.tower.filling import Filled, Progress, bring_policies, fill_closed

log = structlog.get_logger("kulla.embassy")

FIRST_S: Final = 15.0
EVERY_S: Final = 600.0
TIMEOUT_S: Final = 10.0


def serve(folder: Path, ready: Callable[[str], None]) -> None:
    """Run the embassy in `folder` until SIGTERM. Raises what embassy.server.serve raises."""
    serve_embassy(folder, ready=ready, beside=fill_now_and_then)


def fill_now_and_then(
    mirror: Mirror, *, first_s: float = FIRST_S, every_s: float = EVERY_S
) -> None:
    """For ever: see whether other embassies hold more of closed epochs, and take it.

    Raises StoreFailed or EmbassyBroken, after which nothing may be done with the mirror.
    """
    rest = threading.Event()
    rest.wait(first_s)
    while True:
        try:
            with ExitStack() as stack:
                sources = _peers(mirror, stack, mirror.identity.statement_key)
                bring_policies(mirror, sources)
                fill_closed(mirror, sources)
        except (StoreFailed, EmbassyBroken):
            raise
        except KullaError as error:
            log.warning("closed epochs can't be filled now", error=str(error))
        rest.wait(every_s)


def fill(
    folder: Path,
    given: Sequence[str],
    *,
    reader: SigningKey | None = None,
    progress: Progress = lambda *_: None,
) -> tuple[int, list[Filled]]:
    """Fill the embassy in `folder`, which must not run, from URLs and folders of others.

    `given` empty: all others of its policy. `reader`: whose key signs the questions; its own
    statement key, which embassies know once they pinned a policy that names it. Returns the version
    of the policy that it is pinned to now, and what came of each closed epoch. Raises what
    `open_embassy` and `fill_closed` raise.
    """
    with open_embassy(folder, SystemClock()) as embassy, ExitStack() as stack:
        mirror = embassy.mirror
        key = reader or mirror.identity.statement_key
        if given:
            sources = [_source(mirror, where, stack, key) for where in given]
        else:
            sources = _peers(mirror, stack, key)
        version = bring_policies(mirror, sources)
        return version, fill_closed(mirror, sources, progress)


def _peers(mirror: Mirror, stack: ExitStack, key: SigningKey) -> list[FillableSource]:
    """The other embassies of the pinned policy, by network."""
    own = mirror.identity.mirror_key.verifier
    others = [each for each in mirror.policy.embassies if each.key != own and each.url]
    return [_http(each.name, each.url, stack, key) for each in others]


def _http(name: str, url: str, stack: ExitStack, key: SigningKey) -> HttpSource:
    client = EmbassyClient(url, name=name, reader=key, timeout_s=TIMEOUT_S)
    stack.callback(client.close)
    return HttpSource(client)


def _source(mirror: Mirror, where: str, stack: ExitStack, key: SigningKey) -> FillableSource:
    if not where.startswith(("http://", "https://")):
        return FolderSource(read_settings(Path(where)).name, Path(where))
    url = where.rstrip("/")
    known = [each.name for each in mirror.policy.embassies if each.url.rstrip("/") == url]
    return _http(known[0] if known else _name_at(url), url, stack, key)


def _name_at(url: str) -> str:
    """What an embassy that moved calls itself: it must be the name that its policy knows."""
    client = EmbassyClient(url, timeout_s=TIMEOUT_S)
    try:
        return str(json.loads(client.health())["name"])
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsInvalid("what answers there is no embassy.", place=url) from error
    finally:
        client.close()


def said_of(filled: Sequence[Filled]) -> Iterator[str]:
    """What came of it, a line for each closed epoch."""
    for each in filled:
        if each.size > each.before:
            more = f"filled from {each.before} to {each.size} entries, {each.blobs} wrapped keys"
            yield f"{each.origin}: {more}."
        else:
            yield f"{each.origin}: {each.size} entries, nothing was missing."
        if each.blobs_missing:
            yield f"{each.origin}: {each.blobs_missing} wrapped keys are at no source."

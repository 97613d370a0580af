"""Which question to an embassy its mirror answers how: for who reaches a mirror without HTTP.

A simulated country and a test ask a mirror that is in their own process. The server (server.py)
has the same paths, with bounds, threads and readers' signatures around them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from kulla.embassy.mirror import Mirror
from kulla.embassy.replies import JSON, Reply


def answer(mirror: Mirror, method: str, path: str, body: bytes) -> Reply:
    """The mirror's reply to one request, its body whole. Raises KeyError for an unknown POST."""
    if method == "POST":
        of_body: dict[str, Callable[[bytes], Reply]] = {
            "/add-checkpoint": mirror.add_checkpoint,
            "/add-entries": mirror.add_entries,
            "/add-blobs": mirror.add_blobs,
            "/fetch-blobs": mirror.fetch_blobs,
            "/seal": mirror.seal,
            "/policy": mirror.set_policy,
            "/lottery/commit": partial(mirror.urn.commit, mirror),
            "/lottery/reveal": partial(mirror.urn.reveal, mirror),
        }
        return of_body[path](body)
    if path == "/healthz":
        return Reply(200, json.dumps(mirror.health()).encode(), JSON)
    if path.startswith("/policy"):
        return mirror.pinned_policy(path.partition("?version=")[2])
    if path.startswith("/lottery/"):
        return mirror.urn.shown(path.removeprefix("/lottery/"))
    log_hash, _, rest = path.removeprefix("/").partition("/")
    of_log = {
        "checkpoint": mirror.checkpoint,
        "succession": mirror.succession,
        "filled": mirror.filled,
    }.get(rest)
    return mirror.tile(log_hash, rest) if of_log is None else of_log(log_hash)

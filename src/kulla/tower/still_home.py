"""Is this still home? Every start asks, also after a restore, before anything is acknowledged.

Enough embassies must answer that between them and the quorum there is no gap (n-k+1 of n). Where
one has sealed the epoch, another site took over. Where one holds more than home, home was set back
to an older state, and going on would sign a second history.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog

from kulla.embassy.client import EmbassyClient
from kulla.embassy.errors import EmbassyError, Refused
from kulla.journal.checkpoints import parse_checkpoint
from kulla.journal.notes import parse_note
from kulla.journal.policy_file import PolicyFile
from kulla.kernel.errors import KullaError

log = structlog.get_logger()

ASK_TIMEOUT_S = 5.0


class NotHome(KullaError):
    """A site that must not serve: another took over, or its journal is not the newest."""


class TooFewAnswers(KullaError):
    """Too few embassies answer to say whether this still is home."""


def ask_whether_home(
    policy: PolicyFile,
    size: int,
    root_at: Callable[[int], bytes],
    ask: Callable[[str, str], EmbassyClient],
    *,
    together: bool = True,
) -> None:
    """Return where this home, with `size` entries in the current epoch's log, may serve.

    `root_at` gives the log's root at a smaller size; `ask(name, url)` a client. The embassies are
    asked all `together`, or one after the other without a thread. Raises NotHome or TooFewAnswers.
    """
    origin = policy.current_log.key.name
    need = policy.n - policy.quorum_k + 1

    def one(embassy: Any) -> bool:
        client = ask(embassy.name, embassy.url)
        try:
            health = json.loads(client.health())
            _check_standing(embassy.name, health, origin, policy.version)
            _check_checkpoint(embassy, client, origin, size, root_at)
        except (EmbassyError, ValueError) as error:
            log.warning("embassy does not say", embassy=embassy.name, error=str(error))
            return False
        finally:
            client.close()
        return True

    if together:
        with ThreadPoolExecutor(len(policy.embassies)) as pool:
            answered = sum(pool.map(one, policy.embassies))
    else:
        answered = sum(map(one, policy.embassies))
    if answered < need:
        raise TooFewAnswers(
            f"{answered} of {policy.n} embassies answer; {need} must say that this still is home.",
            remedy="Bring up the line or the embassies, then start again. Nothing was changed.",
        )


def _check_standing(name: str, health: Mapping[str, Any], origin: str, version: int) -> None:
    if health["policy_version"] > version:
        raise NotHome(
            f"it is pinned to version {health['policy_version']} of the policy, "
            f"this home knows version {version}.",
            place=name,
            remedy="Another site took over, or the policy changed: fetch it, then see who is home.",
        )
    for known in health["logs"]:
        if known["origin"] == origin and known["sealed"]:
            raise NotHome(
                "it sealed this epoch: another site took over.",
                place=name,
                remedy="This site serves no more. Keep its folder as evidence.",
            )


def _check_checkpoint(
    embassy: Any,
    client: EmbassyClient,
    origin: str,
    size: int,
    root_at: Callable[[int], bytes],
) -> None:
    try:
        held = parse_checkpoint(parse_note(client.checkpoint(origin)).text)
    except Refused as error:
        if error.status == 404:
            return
        raise
    if held.size > size:
        raise NotHome(
            f"it holds {held.size} entries of this epoch, this home {size}.",
            place=embassy.name,
            remedy="Home was set back to an older state. Take over: kulla takeover.",
        )
    if held.size and root_at(held.size) != held.root:
        raise NotHome(
            f"it holds another history at size {held.size}.",
            place=embassy.name,
            remedy="Somebody else signed with this home's key. Custodians must take over.",
        )

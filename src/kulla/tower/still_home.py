"""Is this still home? Every start asks, also after a restore, before anything is acknowledged.

Enough embassies must answer that between them and the quorum there is no gap (n-k+1 of n). Where
the epoch is sealed, another site took over. Where one holds more than home, home was set back to an
older state, and going on would sign a second history.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

from kulla.embassy.client import EmbassyClient
from kulla.embassy.errors import EmbassyError, Refused
from kulla.journal.checkpoints import verify_signed
from kulla.journal.epochs import verify_succession
from kulla.journal.errors import JournalError
from kulla.journal.policy_file import Embassy, PolicyFile
from kulla.kernel.errors import KullaError
from kulla.rebuild.takeover import newest_policy

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
    taking_up: PolicyFile | None = None,
) -> None:
    """Return where this home, with `size` entries in the current epoch's log, may serve.

    `root_at` gives the log's root at a smaller size; `ask(name, url)` a client. The embassies are
    asked all `together`, or one after the other without a thread. An embassy that is pinned to
    `taking_up` already, the next version that this home counts by too, says nothing against it.
    Raises NotHome or TooFewAnswers.

    What is signed (a checkpoint under this log's key, a policy under the custodians') counts from
    whoever shows it. What an embassy only says counts where n-k+1 say it: a takeover sealed as
    many, and fewer could be lying. Who says it and is alone is no voice for this home either.
    """
    need = policy.n - policy.quorum_k + 1

    def one(embassy: Embassy) -> NotHome | bool:
        client = ask(embassy.name, embassy.url)
        try:
            return _standing(policy, embassy, client, size, root_at, taking_up or policy)
        except (EmbassyError, JournalError, LookupError, TypeError, ValueError) as error:
            log.warning("embassy does not say", embassy=embassy.name, error=str(error))
            return False
        finally:
            client.close()

    if together:
        with ThreadPoolExecutor(len(policy.embassies)) as pool:
            said = list(pool.map(one, policy.embassies))
    else:
        said = list(map(one, policy.embassies))
    claims = [claim for claim in said if isinstance(claim, NotHome)]
    if len(claims) >= need:
        raise claims[0]
    for claim in claims:
        log.warning("embassy says this is not home, alone", embassy=claim.place, why=claim.message)
    answered = said.count(True)
    if answered < need:
        raise TooFewAnswers(
            f"{answered} of {policy.n} embassies say that this still is home; {need} must.",
            remedy="Bring up the line or the embassies, then start again. Nothing was changed.",
        )


class SealsSeen:
    """What embassies say while home serves: that custodians let another log follow this one.

    Each shows the custodians' succession. One alone may hold what never came to anything: a
    takeover seals n-k+1, and from then on this home can confirm nothing.
    """

    def __init__(self, policy: PolicyFile) -> None:
        self._policy = policy
        self._said: set[str] = set()

    def note(self, embassy: str, statement: bytes) -> None:
        """An embassy said so. Raises NotHome once enough of them did, and proved it."""
        try:
            succession = verify_succession(statement, self._policy, place=embassy)
        except JournalError as error:
            log.warning(
                "embassy says this is not home, without proof", embassy=embassy, why=str(error)
            )
            return
        if succession.old_origin == self._policy.current_log.key.name:
            self._said.add(embassy)
        if len(self._said) > self._policy.n - self._policy.quorum_k:
            raise NotHome(
                f"{len(self._said)} embassies sealed this epoch: another site took over.",
                place=", ".join(sorted(self._said)),
                remedy="This site serves no more. Keep its folder as evidence.",
            )


def _standing(
    policy: PolicyFile,
    embassy: Embassy,
    client: EmbassyClient,
    size: int,
    root_at: Callable[[int], bytes],
    taking_up: PolicyFile,
) -> NotHome | bool:
    """True where the embassy knows this home as home; what it claims without proof is returned.

    Raises NotHome for what it proves.
    """
    health = json.loads(client.health())
    origin = policy.current_log.key.name
    sealed = any(known["origin"] == origin and known["sealed"] for known in health["logs"])
    version = health["policy_version"]
    if type(version) is not int:
        raise ValueError("its version is no number")
    if version > policy.version and not _shows(client, taking_up, version):
        _check_policy(policy, embassy.name, client)
        return NotHome(
            f"it is pinned to version {version} of the policy, "
            f"this home knows version {policy.version}.",
            place=embassy.name,
            remedy="Another site took over, or the policy changed: fetch it, then see who is home.",
        )
    _check_checkpoint(policy, embassy, client, size, root_at)
    if sealed:
        return NotHome(
            "it sealed this epoch: another site took over.",
            place=embassy.name,
            remedy="This site serves no more. Keep its folder as evidence.",
        )
    return True


def _shows(client: EmbassyClient, policy: PolicyFile, version: int) -> bool:
    """Whether the embassy is pinned to this very policy."""
    return version == policy.version and client.policy() == policy.render()


def _check_policy(policy: PolicyFile, name: str, client: EmbassyClient) -> None:
    """Raise NotHome where the embassy shows a later policy that the custodians signed."""
    later = newest_policy(policy, [client.policy()])
    if later.version > policy.version:
        raise NotHome(
            f"it shows version {later.version} of the policy, this home knows {policy.version}.",
            place=name,
            remedy="Another site took over: this one serves no more. Keep its folder as evidence."
            if len(later.logs) > len(policy.logs)
            else "The policy changed while this home was away: kulla policy bring.",
        )


def _check_checkpoint(
    policy: PolicyFile,
    embassy: Embassy,
    client: EmbassyClient,
    size: int,
    root_at: Callable[[int], bytes],
) -> None:
    """Raise NotHome where this home's own key signed more than it has, or something else."""
    try:
        note = client.checkpoint(policy.current_log.key.name)
    except Refused as error:
        if error.status == 404:
            return
        raise
    held = verify_signed(note, policy.current_log.key, place=embassy.name)
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

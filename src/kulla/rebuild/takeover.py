"""Takeover: an old epoch is closed at enough embassies, and the policy names the next one's log.

After `seal` the old home can't acknowledge anything any more, whether it is dead or only cut off:
n-k+1 embassies refuse its key, so a quorum of k can't come together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from kulla.embassy.client import EmbassyClient
from kulla.embassy.errors import EmbassyError
from kulla.journal.epochs import Seal, SealReceipt, Succession, sign_succession, verify_seal
from kulla.journal.errors import JournalError
from kulla.journal.notes import Note, SigningKey, VerifierKey
from kulla.journal.policy_file import (
    Log,
    PolicyFile,
    parse_policy,
    require_custodians,
    sign_policy,
)
from kulla.kernel.errors import KullaError

log = structlog.get_logger()


class TakeoverFailed(KullaError):
    """A takeover can't go on; nothing acknowledged is lost, and the step may be repeated."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """An embassy's seal, verified, and the mirror checkpoint that came with it (b'' if none)."""

    seal: Seal
    checkpoint: bytes


def newest_policy(trusted: PolicyFile, offered: Iterable[bytes]) -> PolicyFile:
    """The newest version among `trusted` (the kit's) and what embassies offer.

    A later version counts where enough custodians of the kit's version signed it and it keeps the
    logs of the past.
    """
    best = trusted
    for data in offered:
        try:
            policy = parse_policy(data)
            if policy.tower != trusted.tower or policy.version <= best.version:
                continue
            note = Note(policy.unsigned_text(), policy.signatures)
            require_custodians(trusted, note, what=f"policy version {policy.version}")
        except JournalError as error:
            log.warning("policy not trusted", error=str(error))
            continue
        if [known.key for known in policy.logs[: len(trusted.logs)]] == [
            known.key for known in trusted.logs
        ]:
            best = policy
    return best


def bring_up_to_date(
    clients: Mapping[str, EmbassyClient], newest: PolicyFile, offered: Iterable[bytes]
) -> None:
    """Bring `newest` to the embassies that missed it, and the versions before it that others offer.

    A version that names a log which `newest` does not have is of a takeover that came to nothing,
    because another one was faster: nobody is brought that one.

    An embassy that was away during a takeover knows neither the log that is to be sealed now nor
    who may follow it, and it takes versions one by one. What can't be brought is logged: whether
    enough embassies are left shows in the steps that follow.
    """
    versions = {newest.version: newest.render()}
    for data in offered:
        try:
            policy = parse_policy(data)
        except JournalError:
            continue
        if policy.logs == newest.logs[: len(policy.logs)]:
            versions.setdefault(policy.version, data)
    for name, client in clients.items():
        try:
            pinned = parse_policy(client.policy(), place=name).version
            for version in range(pinned + 1, newest.version + 1):
                if version in versions:
                    client.set_policy(versions[version])
        except (EmbassyError, JournalError) as error:
            log.warning("policy not brought", embassy=name, error=str(error))


def succession_of(
    policy: PolicyFile,
    new_log: VerifierKey,
    new_url: str,
    reason: str,
    at_ms: int,
    custodians: Sequence[SigningKey],
) -> bytes:
    """The signed note by which the custodians let `new_log` follow the policy's current log."""
    succession = Succession(
        tower=policy.tower,
        number=len(policy.logs) + 1,
        old_origin=policy.current_log.key.name,
        new_log=new_log,
        new_url=new_url,
        reason=reason,
        at_ms=at_ms,
    )
    return sign_succession(succession, custodians)


def seal(
    clients: Mapping[str, EmbassyClient],
    note: bytes,
    succession: Succession,
    policy: PolicyFile,
) -> dict[str, Sealed]:
    """Let every embassy that answers close the old epoch; their seals, verified, by name.

    Raises TakeoverFailed where fewer than n-k+1 did: the old home might still acknowledge.
    """
    sealed: dict[str, Sealed] = {}
    faults: list[str] = []
    for name, client in clients.items():
        try:
            receipt = SealReceipt.parse(client.seal(note), place=name)
            found = verify_seal(receipt, succession, policy, place=name)
        except (EmbassyError, JournalError) as error:
            faults.append(f"{name}: {error}")
            continue
        if found.embassy == name:
            sealed[name] = Sealed(found, receipt.checkpoint)
    need = policy.n - policy.quorum_k + 1
    if len(sealed) < need:
        raise TakeoverFailed(
            f"{len(sealed)} embassies sealed the old epoch; {need} must, or the old home might "
            f"still acknowledge acts. {'; '.join(faults)}",
            remedy="Reach more embassies, then run the same command again.",
        )
    return sealed


def next_policy(
    policy: PolicyFile, new_log: VerifierKey, new_url: str, custodians: Sequence[SigningKey]
) -> PolicyFile:
    """The policy's next version, which lists `new_log` last, signed by the custodians."""
    following = replace(
        policy,
        version=policy.version + 1,
        logs=(*policy.logs, Log(new_log, new_url)),
        signatures=(),
    )
    for key in custodians:
        following = sign_policy(following, key)
    return following


def hand_over_policy(clients: Mapping[str, EmbassyClient], policy: PolicyFile) -> list[str]:
    """Bring the next policy version to every embassy that answers; their names.

    Raises TakeoverFailed where fewer than a quorum took it: new acts could not be witnessed.
    """
    data = policy.render()
    took: list[str] = []
    faults: list[str] = []
    for name, client in clients.items():
        try:
            client.set_policy(data)
            took.append(name)
        except EmbassyError as error:
            faults.append(f"{name}: {error}")
    if not policy.is_quorum(took):
        raise TakeoverFailed(
            f"only {', '.join(took) or 'no embassy'} took the new policy; {'; '.join(faults)}",
            remedy="Reach more embassies, then run the same command again.",
        )
    return took

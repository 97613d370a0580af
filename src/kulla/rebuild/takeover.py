"""Takeover: an old epoch is closed at enough embassies, and the policy names the next one's log.

After `seal` the old home can't acknowledge anything any more, whether it is dead or only cut off:
n-k+1 embassies refuse its key, so a quorum of k can't come together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from kulla.embassy.client import EmbassyClient
from kulla.embassy.errors import EmbassyError, SealedForAnother
from kulla.journal.epochs import (
    Seal,
    SealReceipt,
    Succession,
    sign_succession,
    verify_seal,
    verify_succession,
)
from kulla.journal.errors import JournalError
from kulla.journal.notes import Note, SigningKey, VerifierKey
from kulla.journal.policy_file import (
    Log,
    PolicyFile,
    parse_policy,
    require_custodians,
    sign_policy,
)
from kulla.journal.proposal_words import described
from kulla.kernel.errors import KullaError

log = structlog.get_logger()


class TakeoverFailed(KullaError):
    """A takeover can't go on; nothing acknowledged is lost, and the step may be repeated."""


class AnotherTakeover(TakeoverFailed):
    """Another takeover, or a change of the policy, came first: this one has done no harm."""


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
                if version not in versions:
                    versions.update(_asked_for(clients, version, newest))
                if version in versions:
                    client.set_policy(versions[version])
        except (EmbassyError, JournalError) as error:
            log.warning("policy not brought", embassy=name, error=str(error))


def _asked_for(
    clients: Mapping[str, EmbassyClient], version: int, newest: PolicyFile
) -> dict[int, bytes]:
    """A version before `newest`, as any embassy that was pinned to it still shows it."""
    for client in clients.values():
        try:
            data = client.policy(version)
            policy = parse_policy(data)
            if policy.version == version and policy.logs == newest.logs[: len(policy.logs)]:
                return {version: data}
        except (EmbassyError, JournalError):
            continue
    return {}


def statement_of(
    policy: PolicyFile,
    new_log: VerifierKey,
    new_url: str,
    reason: str,
    at_ms: int,
    instead: Sequence[bytes] = (),
) -> Succession:
    """The statement, not signed yet, that `new_log` follows the policy's current log.

    `instead` are digests of statements for sites that are lost; see epochs.Succession.
    """
    return Succession(
        tower=policy.tower,
        number=len(policy.logs) + 1,
        old_origin=policy.current_log.key.name,
        new_log=new_log,
        new_url=new_url,
        reason=reason,
        at_ms=at_ms,
        instead=tuple(instead),
    )


def succession_of(
    policy: PolicyFile,
    new_log: VerifierKey,
    new_url: str,
    reason: str,
    at_ms: int,
    custodians: Sequence[SigningKey],
) -> bytes:
    """The signed note by which the custodians let `new_log` follow the policy's current log."""
    return sign_succession(statement_of(policy, new_log, new_url, reason, at_ms), custodians)


def sealed_for(clients: Mapping[str, EmbassyClient], policy: PolicyFile) -> dict[str, Succession]:
    """What embassies that answer have sealed the policy's current log for, verified, by name."""
    found: dict[str, Succession] = {}
    for name, client in clients.items():
        try:
            note = client.succession(policy.current_log.key.name)
            if note is not None:
                found[name] = verify_succession(note, policy, place=name)
        except (EmbassyError, JournalError) as error:
            log.warning("embassy does not say what it sealed for", embassy=name, error=str(error))
    return found


def seal(
    clients: Mapping[str, EmbassyClient],
    note: bytes,
    succession: Succession,
    policy: PolicyFile,
) -> dict[str, Sealed]:
    """Let every embassy that answers close the old epoch; their seals, verified, by name.

    They are asked first whom they sealed for, and nothing more is sealed once a quorum of seals is
    out of reach: else two sites that take over at once would each hold some, and neither enough.
    Raises TakeoverFailed where fewer than n-k+1 sealed: the old home might still acknowledge; and
    its child AnotherTakeover where that is because another succession was sealed for.
    """
    sealed: dict[str, Sealed] = {}
    faults: list[str] = []
    others = {
        name: what
        for name, what in sealed_for(clients, policy).items()
        if what.digest() not in (succession.digest(), *succession.instead)
    }
    for name, client in clients.items():
        if others and not policy.is_quorum(clients.keys() - others.keys()):
            break
        try:
            receipt = SealReceipt.parse(client.seal(note), place=name)
            found = verify_seal(receipt, succession, policy, place=name)
            if found.embassy == name:
                sealed[name] = Sealed(found, receipt.checkpoint)
        except SealedForAnother as error:
            try:
                others[name] = verify_succession(error.statement, policy, place=name)
            except JournalError as why:
                faults.append(f"{name}: {why}")
        except (EmbassyError, JournalError) as error:
            faults.append(f"{name}: {error}")
    need = policy.n - policy.quorum_k + 1
    if others and not policy.is_quorum(sealed):
        raise _another(others, sealed, policy)
    if len(sealed) < need:
        raise TakeoverFailed(
            f"{len(sealed)} embassies sealed the old epoch; {need} must, or the old home might "
            f"still acknowledge acts. {'; '.join(faults)}",
            remedy="Reach more embassies, then run the same command again.",
        )
    return sealed


def _another(
    others: Mapping[str, Succession], sealed: Iterable[str], policy: PolicyFile
) -> AnotherTakeover:
    """The refusal of a takeover that can't win any more, or not without the custodians."""
    said = [f"{name} sealed for {described(what)}" for name, what in sorted(others.items())]
    mine = ", ".join(sorted(sealed)) or "no embassy"
    alone = len(set(others.values())) == 1 and policy.is_quorum(others)
    return AnotherTakeover(
        f"another takeover was begun: {'; '.join(said)}. For this one sealed {mine}; "
        f"{policy.quorum_k} must.",
        remedy=(
            "Let that one go on and give this one up: it has changed nothing."
            if alone
            else "Call the others. Let that one go on and give this one up, which has changed "
            "nothing; or, where its site is lost, plan anew in an empty folder with --instead."
        ),
    )


def next_policy(
    policy: PolicyFile,
    new_log: VerifierKey,
    new_url: str,
    custodians: Sequence[SigningKey] = (),
) -> PolicyFile:
    """The policy's next version, which lists `new_log` last, signed by the custodians given."""
    following = replace(
        policy,
        version=policy.version + 1,
        logs=(*policy.logs, Log(new_log, new_url)),
        signatures=(),
    )
    for key in custodians:
        following = sign_policy(following, key)
    return following


def check_still_next(following: PolicyFile, old: PolicyFile, offered: Iterable[bytes]) -> None:
    """Raise AnotherTakeover where embassies show another policy of `following`'s version, or later.

    Only one that enough custodians of `old` signed counts.
    """
    newest = newest_policy(old, offered)
    if newest.version < following.version or newest == following:
        return
    if [log.key for log in newest.logs[: len(following.logs)]] == [
        log.key for log in following.logs
    ]:
        return  # it came after this very takeover
    changed = len(newest.logs) == len(old.logs)
    raise AnotherTakeover(
        f"version {newest.version} of the policy is in force already: "
        + ("custodians changed it meanwhile." if changed else "another takeover came first."),
        remedy="Nothing was changed. Look who is home; if need be, plan anew in an empty folder.",
    )


def hand_over_policy(
    clients: Mapping[str, EmbassyClient], policy: PolicyFile, sealed: Iterable[str] | None = None
) -> list[str]:
    """Bring the next policy version to every embassy that answers; their names.

    `sealed` are those that sealed the old epoch for this takeover: only with a quorum of them can
    no other takeover come as far, so that two policies never stand against each other. Raises
    TakeoverFailed where they, or those who took the policy, are fewer than a quorum.
    """
    if sealed is not None and not policy.is_quorum(names := list(sealed)):
        raise TakeoverFailed(
            f"only {', '.join(names)} sealed the old epoch; {policy.quorum_k} must before the "
            "policy is handed over, and new acts would find no quorum anyway.",
            remedy="Reach more embassies, then run the same command again.",
        )
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

"""A takeover as custodians see it: planned in the new home's folder, signed elsewhere, collected.

takeover/plan          what custodians are asked to sign (journal.proposals); made once
takeover/signatures/   the files that they sent, those that are good
takeover/shares.key    opens the shares of the recovery key that came with them
takeover/succession, old-policy, new-policy
                       what came of it, once enough had signed: from here on it is decided
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kulla.embassy.client import EmbassyClient
from kulla.journal.epochs import Succession, verify_succession
from kulla.journal.notes import KIND_ED25519, SigningKey
from kulla.journal.policy_file import PolicyFile, parse_policy, verify_successor
from kulla.journal.proposal_words import described
from kulla.journal.proposals import (
    Collected,
    Proposal,
    SignatureFile,
    collect,
    parse_proposal,
    sign_proposal,
)
from kulla.keeper.errors import BlobBroken, ShareInvalid
from kulla.keeper.shares import Share, recovery_key_of, share_recovery_key
from kulla.keeper.wrapping import RecoveryPrivate, RecoveryPublic, new_recovery_key
from kulla.kernel.edges import Clock, Entropy
from kulla.rebuild.takeover import TakeoverFailed, next_policy, sealed_for, statement_of
from kulla.tower.asking import read_key
from kulla.tower.home import Home, write_missing, write_secret
from kulla.tower.standby.folder import StandbyFolder

PLAN: Final = "plan"
RECOVERY_KEY: Final = "recovery.key"
SHARES: Final = "shares"
"""In a kit: how many shares of the recovery key there are, and who holds them."""
SHARE_PURPOSE: Final = "kulla share for a takeover"
ORIGIN_DIGITS: Final = 8


class SignaturesMissing(TakeoverFailed):
    """Too few custodians signed so far; what they sent is kept."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A takeover that enough custodians signed: the policy before and after, key, signed note."""

    old: PolicyFile
    new: PolicyFile
    key: SigningKey
    note: bytes
    signed: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def plan_takeover(
    home: Home,
    newest: PolicyFile,
    clients: Mapping[str, EmbassyClient],
    *,
    reason: str,
    url: str,
    instead: bool,
    clock: Clock,
    entropy: Entropy,
) -> Proposal:
    """What custodians are to sign so that this folder, empty or a standby's, becomes home; durable.

    `newest` is the newest policy; `instead`: the site of a takeover that embassies sealed for is
    lost, and this one takes its place. Where the folder holds a plan already, that one. Raises
    TakeoverFailed where the folder is not empty, or such a takeover stands in the way.
    """
    known = read_plan(home)
    if known:
        return known
    _check_empty(home)
    others = sealed_for(clients, newest)
    if others and not instead:
        raise _begun_already(others)
    replaced: dict[bytes, None] = {}
    for other in others.values():
        replaced.update(dict.fromkeys((other.digest(), *other.instead)))
    key = new_log_key(newest, entropy)
    private, public = new_recovery_key(entropy)
    at_ms = clock.now_ms()
    statement = statement_of(newest, key.verifier, url, reason, at_ms, list(replaced))
    proposal = Proposal(newest, next_policy(newest, key.verifier, url), statement, public)
    proposal.check()
    folder = home.folder / "takeover"
    write_secret(home.folder / "keys" / "log.key", key.secret_text().encode())
    write_secret(folder / "shares.key", private)
    write_secret(folder / PLAN, proposal.render())
    return proposal


def _begun_already(others: Mapping[str, Succession]) -> TakeoverFailed:
    said = "; ".join(f"{name} sealed for {described(what)}" for name, what in others.items())
    return TakeoverFailed(
        f"another takeover was begun already: {said}.",
        remedy="Let that one go on. Where its site is lost, say so: plan with --instead.",
    )


def new_log_key(newest: PolicyFile, entropy: Entropy) -> SigningKey:
    """The key of the next epoch's log, under an origin that no other try will ever have.

    So no mirror key signs two logs of one origin, also where two sites try at once.
    """
    seed = entropy.random_bytes(32)
    number = len(newest.logs) + 1
    tag = SigningKey("tag", KIND_ED25519, seed).verifier.public.hex()[:ORIGIN_DIGITS]
    return SigningKey(f"{newest.tower}/epoch-{number}-{tag}", KIND_ED25519, seed)


def read_plan(home: Home) -> Proposal | None:
    """The plan that this folder holds, or None. Raises ProposalInvalid."""
    path = home.folder / "takeover" / PLAN
    return parse_proposal(path.read_bytes(), place=str(path)) if path.exists() else None


def _check_empty(home: Home) -> None:
    # A try that ended before there was a plan left keys that nobody has signed for.
    for name in ("keys/log.key", "takeover/shares.key"):
        for left in (home.folder / name, home.folder / f"{name}.half"):
            left.unlink(missing_ok=True)
    if StandbyFolder(home.folder).exists:
        return
    if any(not path.is_dir() for path in home.folder.rglob("*")):
        raise TakeoverFailed(
            "the new home's folder is not empty.",
            place=str(home.folder),
            remedy="Name an empty one; if an earlier try was cut off here, remove it first.",
        )


def collect_signatures(home: Home, proposal: Proposal, given: Iterable[Path]) -> Collected:
    """What custodians sent, now and before; the good ones are kept in the folder. See `collect`."""
    kept = home.folder / "takeover" / "signatures"
    files = [*_read(sorted(kept.glob("*"))), *_read(files_in(given))]
    found = collect(proposal, files)
    for who, file in found.files.items():
        # With the share that came later, or another try of the same custodian, beside it.
        name = f"{who.name}-{who.key.key_id.hex()}{'-share' if file.share else ''}"
        write_missing(kept / name, file.render())
    return found


def files_in(given: Iterable[Path], suffix: str = ".signature") -> Iterator[Path]:
    """The files named, and those of a folder that is named whose names end so."""
    for path in given:
        if path.is_dir():
            yield from sorted(path.glob(f"*{suffix}"))
        else:
            yield path


def _read(paths: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    for path in paths:
        try:
            yield str(path), path.read_bytes()
        except OSError as error:
            yield f"{path} ({error.strerror})", b""


def decide(
    home: Home,
    kit: Path,
    newest: PolicyFile,
    *,
    port: int,
    reason: str,
    given: Sequence[Path],
    clock: Clock,
    entropy: Entropy,
) -> Decided:
    """What this folder's takeover is, signed by enough custodians; durable on return.

    It is what an earlier try decided; or what the plan in the folder and the signatures say; or,
    where the kit holds the custodians' keys, made and signed here and now. Raises
    SignaturesMissing, or TakeoverFailed where there is neither a plan nor a key.
    """
    folder = home.folder / "takeover"
    proposal = read_plan(home)
    if (folder / "new-policy").exists():
        if proposal:  # it is decided, and shares may come later than signatures
            collect_signatures(home, proposal, given)
        return _decided_before(home)
    keys = [read_key(path) for path in sorted((kit / "custodians").glob("*.key"))]
    if proposal is None:
        _check_empty(home)
        if not keys or not reason:
            raise TakeoverFailed(
                "this folder holds no plan of a takeover."
                if not keys
                else "a takeover needs a reason, one line for the record.",
                place=str(home.folder),
                remedy="Plan first (kulla takeover plan), let custodians sign, then run this."
                if not keys
                else "Say it: --reason 'home was wiped on 15 July'",
            )
        key = new_log_key(newest, entropy)
        url = f"http://localhost:{port}"
        statement = statement_of(newest, key.verifier, url, reason, clock.now_ms())
        proposal = Proposal(newest, next_policy(newest, key.verifier, url), statement)
        write_secret(home.folder / "keys" / "log.key", key.secret_text().encode())
        write_secret(folder / PLAN, proposal.render())
    found = _with_keys(collect_signatures(home, proposal, given), keys)
    if found.missing:
        raise _missing(found)
    note, following = found.succession(), found.policy()
    verify_succession(note, proposal.now, place="succession")
    verify_successor(proposal.now, following)
    write_missing(folder / "old-policy", proposal.now.render())
    write_missing(folder / "succession", note)
    write_missing(folder / "new-policy", following.render())
    decided = _decided_before(home)
    return Decided(decided.old, decided.new, decided.key, decided.note, found.names, found.faults)


def _decided_before(home: Home) -> Decided:
    folder = home.folder / "takeover"
    old = parse_policy((folder / "old-policy").read_bytes())
    new = parse_policy((folder / "new-policy").read_bytes())
    note = (folder / "succession").read_bytes()
    names = {who.key.key_id: who.name for who in old.custodians}
    signed = tuple(sorted({names.get(s.key_id, s.name) for s in new.signatures}))
    return Decided(old, new, read_key(home.folder / "keys" / "log.key"), note, signed)


def _with_keys(found: Collected, keys: Iterable[SigningKey]) -> Collected:
    """With the signatures of those custodians whose keys lie in the kit."""
    files: dict[object, SignatureFile] = {}
    for key in keys:
        who = found.proposal.custodian(key.verifier)
        if who and who not in found.files:
            files[who] = sign_proposal(found.proposal, key)
    return Collected(found.proposal, {**files, **found.files}, found.faults)  # type: ignore[dict-item]


def _missing(found: Collected) -> SignaturesMissing:
    have = ", ".join(found.names) or "nobody"
    bad = f" Not counted: {' | '.join(found.faults)}" if found.faults else ""
    return SignaturesMissing(
        f"{have} signed; {found.missing} more must, of {', '.join(found.waited_for)}.{bad}",
        place=f"plan {found.proposal.fingerprint}",
        remedy="What came is kept. Run the same command with what the others send.",
    )


def recovery_key(home: Home, kit: Path) -> bytes:
    """The private half of the recovery key: whole in the kit, or of the shares that came.

    Shares come sealed with signatures, or lie as files in the kit (`*.share`, also in its folder
    custodians). Raises ShareInvalid, saying how many are missing.
    """
    if (kit / RECOVERY_KEY).exists():
        return (kit / RECOVERY_KEY).read_bytes()
    shares: list[Share] = []
    faults: list[str] = []
    for path in sorted([*kit.glob("*.share"), *kit.glob("custodians/*.share")]):
        try:
            shares.append(Share.parse(path.read_text("utf-8", "replace"), place=str(path)))
        except ShareInvalid as error:
            faults.append(str(error))
    shares += _sent_shares(home, faults)
    try:
        return recovery_key_of(shares)
    except ShareInvalid as error:
        more = f" Not counted: {' | '.join(faults)}" if faults else ""
        raise ShareInvalid(error.message + more, place=error.place, remedy=error.remedy) from error


def _sent_shares(home: Home, faults: list[str]) -> Iterator[Share]:
    folder = home.folder / "takeover"
    proposal = read_plan(home)
    if proposal is None or not (folder / "shares.key").exists():
        return
    private = RecoveryPrivate((folder / "shares.key").read_bytes())
    for who, file in collect_signatures(home, proposal, ()).files.items():
        if not file.share:
            continue
        try:
            opened = private.open(file.share, SHARE_PURPOSE)
            yield Share.parse(opened.decode("utf-8", "replace"), place=f"{who.name}'s share")
        except (BlobBroken, ShareInvalid) as error:
            faults.append(f"{who.name}: {error}")


def share_out(
    kit: Path, private: bytes, holders: Sequence[str], needed: int, entropy: Entropy
) -> None:
    """Write a share of the recovery key for each holder into the kit's folder custodians.

    And beside it a list of them, which is no secret. Raises ShareInvalid, or FileExistsError where
    there are shares already.
    """
    shares = share_recovery_key(private, holders, needed, entropy)
    for share in shares:
        write_secret(kit / "custodians" / f"{share.holder}.share", share.text().encode())
    lines = [f"key {shares[0].key_id.hex()}", f"needed {needed}"]
    lines += [f"holder {share.holder}" for share in shares]
    write_secret(kit / SHARES, "".join(f"{line}\n" for line in lines).encode())


def sealed_share(proposal: Proposal, share: Share) -> bytes:
    """A custodian's share, so that only the planned new home can open it.

    Raises RecoveryKeyInvalid where the plan's key is none.
    """
    return RecoveryPublic(proposal.shares_to).seal(share.text().encode(), SHARE_PURPOSE)


def complete_kit(kit: Path, recovery: bytes) -> None:
    """Write the public half of the recovery key where a kit that came from paper lacks it."""
    write_missing(kit / "recovery.pub", RecoveryPrivate(recovery).public)


def forget_shares(home: Home) -> None:
    """Remove what came of the recovery key, once the keeper has its keys: home must not have it."""
    folder = home.folder / "takeover"
    for path in [folder / "shares.key", *(folder / "signatures").glob("*-share")]:
        if path.exists():
            path.write_bytes(bytes(path.stat().st_size))
            path.unlink()

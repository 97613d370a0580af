"""A home from its embassies: at a first start, and when another site takes over.

The order of a takeover is the design's: custodians sign the succession; enough embassies seal the
old epoch before their sizes are read; what more than n-k of them hold is adopted; the next policy
version names the new log; registers are rebuilt; the new epoch's first act says what was adopted.
Every step may be repeated: the new home's folder keeps what an earlier try decided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog

import kulla.keeper.folder as keeper_folder
from kulla.embassy.client import EmbassyClient
from kulla.embassy.settle import Settlement
from kulla.journal.checkpoints import add_signatures, parse_checkpoint
from kulla.journal.entries import JournalKey
from kulla.journal.epochs import (
    epoch_opened_data,
    parse_succession,
)
from kulla.journal.errors import TileMissing
from kulla.journal.filestore import FileTileStore
from kulla.journal.merkle import EMPTY_ROOT
from kulla.journal.notes import SigningKey, parse_note
from kulla.journal.policy_file import PolicyFile
from kulla.keeper.errors import ShareInvalid
from kulla.kernel.canonical import encode
from kulla.kernel.edges import SystemClock, SystemEntropy
from kulla.rebuild.chain import EpochPlan
from kulla.rebuild.history import opening_of, plan_history, settle_log
from kulla.rebuild.replay import Replayed
from kulla.rebuild.sources import FolderSource, HttpSource, Source
from kulla.rebuild.takeover import (
    Sealed,
    TakeoverFailed,
    bring_up_to_date,
    check_still_next,
    hand_over_policy,
    newest_policy,
    seal,
)
from kulla.tower.asking import ask_for_newest, who_answers
from kulla.tower.asking import clients_of as _clients
from kulla.tower.asking import read_key as _read_key
from kulla.tower.home import DEMO_STAFF, Home, write_missing
from kulla.tower.kit.folder import CREDENTIALS, kit_policy
from kulla.tower.policies.earlier import FOLDER, kept_policies, older_policies, shown_by_embassies
from kulla.tower.standby.folder import TAKEOVER, StandbyFolder, replace_whole
from kulla.tower.takeover.custody import Decided, complete_kit, decide, forget_shares, recovery_key
from kulla.tower.takeover.rebuilding import KeysBrought, bring_keys, rebuild_file, rebuild_home
from kulla.tower.takeover.settled import settled_once

Progress = Callable[[str, int, int], None]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class TakeoverReport:
    """What a takeover did. Sizes count the old epoch's entries.

    acts: how many the registers hold; replayed: how many of them were replayed only now.
    keys: wrapped keys that came, which the keeper adopts; keys_missing: those that nobody gave.
    tails: embassies that hold more than was adopted; forked: those with another history. signed:
    the custodians who signed; not_counted: what else was sent, and why it does not count.
    """

    epoch: int
    sealed: tuple[str, ...]
    adopted_size: int
    holders: tuple[str, ...]
    tails: tuple[tuple[str, int], ...]
    forked: tuple[tuple[str, int], ...]
    certain: bool
    acts: int
    replayed: int
    cases: tuple[tuple[int, str], ...]
    keys: int
    keys_missing: int
    seconds: float
    policy: Path
    signed: tuple[str, ...] = ()
    not_counted: tuple[str, ...] = ()


def first_start(home: Home) -> None:
    """Make the registers of a country that begins, by the path of every rebuild.

    Raises TakeoverFailed where the home was not made by `kulla init` just now, where an embassy
    holds acts already, or where too few answer to say so.
    """
    begin = home.folder / "begin"
    if not begin.exists():
        raise TakeoverFailed(
            "this home has no registers, and it is not of a country that begins.",
            place=str(home.folder),
            remedy="Rebuild it from the embassies: kulla takeover run.",
        )
    policy = home.policy()
    origin = policy.current_log.key.name
    with _sources(policy, home.reader_key()) as sources:
        settlement = settle_log(sources, policy, origin)
    if settlement.checkpoint.size or settlement.tails:
        raise TakeoverFailed(
            "embassies hold acts of this country already.",
            place=str(home.folder),
            remedy="Rebuild from them: kulla takeover run.",
        )
    rebuild_file(home.registers, policy, [EpochPlan(origin, 0, 0, EMPTY_ROOT, ())], {})
    begin.unlink()


def take_over(
    kit: Path,
    home_folder: Path,
    *,
    port: int,
    reason: str = "",
    signatures: Sequence[Path] = (),
    progress: Progress = lambda *_: None,
) -> TakeoverReport:
    """Make a new home in `home_folder` from the recovery kit and the embassies that answer.

    `signatures` are the files that custodians sent for the plan in that folder, or folders of them;
    `reason` is needed where the kit has the custodians' keys and there is no plan. In the folder of
    a standby, registers and tiles are found as they are, and only what is new is replayed; the
    process that follows there is ended. Raises TakeoverFailed (SignaturesMissing where too few
    signed), ShareInvalid, StandbyBroken, NotSettled, or what a
    rebuild raises; then the same call may be repeated.
    """
    clock = SystemClock()
    start_s = clock.monotonic_s()
    home, standby = Home(home_folder), StandbyFolder(home_folder)
    reader = _read_key(kit / "reader.key")
    newest, offered = ask_for_newest(kit_policy(kit), reader)
    # A standby follows until enough custodians signed: it may be the one that is needed elsewhere.
    plan = decide(
        home,
        kit,
        newest,
        port=port,
        reason=reason,
        given=signatures,
        clock=clock,
        entropy=SystemEntropy(),
    )
    recovery = _recovery_key(home, kit)
    with standby.held(TAKEOVER) if standby.exists else nullcontext():
        report = _carry_out(home, kit, plan, port, offered, recovery, progress)
    return replace(report, seconds=round(clock.monotonic_s() - start_s, 3))


def _carry_out(
    home: Home,
    kit: Path,
    plan: Decided,
    port: int,
    offered: Sequence[bytes],
    recovery: bytes | None,
    progress: Progress,
) -> TakeoverReport:
    reader = _read_key(kit / "reader.key")
    with _clients(plan.old, reader) as every:
        clients = who_answers(every, plan.old)
        sealed, settlement, sources = _close_old_epoch(home, plan, clients, offered, progress)
        hand_over_policy(clients, plan.new, sealed)
        _furnish(home, kit, plan, port)
        keys = _journal_keys(kit)
        plans = plan_history(sources, plan.old, keys, settlement)
        end = plans[-1].base + plans[-1].size
        older = _older(kit, plan.old, clients)
        replayed = rebuild_home(
            home,
            [plan.new, plan.old, *older],
            plans,
            keys,
            lambda at: progress("replaying acts", at, end),
        )
        brought = bring_keys(home, sources, recovery, progress)
        _keep_checkpoints(home, plan.old, sealed, settlement)
        for policy in (
            plan.old,
            *older,
        ):  # for embassies that missed some, and for who judges an old undo
            write_missing(home.policy_version(policy.version), policy.render())
    opened = opening_of(plans, plan.note)
    write_missing(home.folder / "opening", encode(epoch_opened_data(opened)))
    forget_shares(home)
    return _report(home, plan, sealed, settlement, replayed, end, brought)


def _recovery_key(home: Home, kit: Path) -> bytes | None:
    """The recovery key; None where an earlier try gave it to the keeper and kept no share of it."""
    try:
        recovery = recovery_key(home, kit)
    except ShareInvalid:
        if (home.folder / "opening").exists():
            return None
        raise
    complete_kit(kit, recovery)
    return recovery


def _close_old_epoch(
    home: Home,
    plan: Decided,
    clients: Mapping[str, EmbassyClient],
    offered: Sequence[bytes],
    progress: Progress,
) -> tuple[Mapping[str, Sealed], Settlement, list[HttpSource]]:
    """Seal the old epoch and settle what counts of it: who sealed, what, and where to read it."""
    check_still_next(plan.new, plan.old, offered)
    bring_up_to_date(clients, plan.old, offered)
    progress("sealing the old epoch", 0, len(clients))
    sealed = seal(clients, plan.note, parse_succession(plan.note), plan.old)
    # Only those that answered just now, the ones whose word was taken.
    sources = [HttpSource(clients[name]) for name in sealed]
    origin = plan.old.current_log.key.name
    settlement = settled_once(
        home, lambda: settle_log(sources, plan.old, origin, only=list(sealed))
    )
    return sealed, settlement, _best_first(sources, settlement)


def _report(
    home: Home,
    plan: Decided,
    sealed: Mapping[str, Sealed],
    settlement: Settlement,
    replayed: Replayed,
    acts: int,
    brought: KeysBrought,
) -> TakeoverReport:
    return TakeoverReport(
        epoch=len(plan.new.logs),
        sealed=tuple(sorted(sealed)),
        adopted_size=settlement.checkpoint.size,
        holders=settlement.holders,
        tails=tuple((tail.embassy, tail.size) for tail in settlement.tails),
        forked=tuple((tail.embassy, tail.size) for tail in settlement.forked),
        certain=settlement.certain,
        acts=acts,
        replayed=replayed.acts,
        cases=tuple(replayed.cases),
        keys=brought.keys,
        keys_missing=brought.missing,
        seconds=0.0,  # the caller's clock says
        policy=home.policy_file,
        signed=plan.signed,
        not_counted=plan.faults,
    )


def rebuild_for_looking(
    registers: Path,
    kit: Path,
    folders: Mapping[str, Path],
    *,
    go_on: bool = False,
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:
    """Rebuild the registers into a file of their own, from embassies' folders or by network.

    Changes nothing at embassies. Raises NotSettled, or what a rebuild raises.
    """
    clock = SystemClock()
    start_s = clock.monotonic_s()
    trusted = kit_policy(kit)
    keys = _journal_keys(kit)
    reader = _read_key(kit / "reader.key")
    if folders:
        shown = [FolderSource(name, path).policy() for name, path in folders.items()]
        policy = newest_policy(trusted, [data for data in shown if data])
    else:
        policy, _ = ask_for_newest(trusted, reader)
    with _clients(policy, reader) as clients:
        sources: list[Source] = [FolderSource(name, path) for name, path in folders.items()]
        if not folders:
            sources = [HttpSource(client) for client in clients.values()]
        newest = settle_log(sources, policy, policy.current_log.key.name)
        if newest.checkpoint.size == 0 and len(policy.logs) > 1:
            newest = settle_log(sources, policy, policy.logs[-2].key.name)
        plans = plan_history(sources, policy, keys, newest)
        end = plans[-1].base + plans[-1].size
        replayed = rebuild_file(
            registers,
            policy,
            plans,
            keys,
            progress=lambda at: progress("replaying acts", at, end),
            go_on=go_on,
            policies=[policy, *_older(kit, policy, {} if folders else clients)],
        )
    return {
        "acts": replayed.acts,
        "epochs": len(plans),
        "size": end,
        "cases": replayed.case_count,
        "first_cases": replayed.cases,
        "fingerprints": replayed.fingerprints,
        "misfits": replayed.misfits,
        "holders": list(newest.holders),
        "forked": [tail.embassy for tail in newest.forked],
        "certain": newest.certain,
        "seconds": round(clock.monotonic_s() - start_s, 3),
    }


def _older(kit: Path, newest: PolicyFile, clients: Mapping[str, EmbassyClient]) -> list[PolicyFile]:
    """The versions before `newest` that the kit keeps, and those that embassies still show."""
    found = {policy.version: policy for policy in kept_policies(kit / FOLDER, newest)}
    for policy in older_policies(newest, shown_by_embassies(clients)):
        found.setdefault(policy.version, policy)
    return list(found.values())


def _furnish(home: Home, kit: Path, plan: Decided, port: int) -> None:
    """Write what a home needs beside registers and journal, from the kit."""
    entropy = SystemEntropy()
    settings = at_port((kit / "home.toml").read_text(encoding="utf-8"), port)
    keys = home.folder / "keys"
    write_missing(keys / "reader.key", (kit / "reader.key").read_bytes())
    write_missing(keys / "journal.key", (kit / "journal.key").read_bytes())
    write_missing(home.django_key, entropy.random_bytes(32).hex().encode())
    if StandbyFolder(home.folder).exists and not (home.folder / "opening").exists():
        replace_whole(home.folder / "home.toml", settings.encode())
    write_missing(home.folder / "home.toml", settings.encode())
    for name in CREDENTIALS:
        if (kit / name).exists():
            write_missing(keys / name, (kit / name).read_bytes())
    if (kit / DEMO_STAFF).exists():
        write_missing(home.folder / DEMO_STAFF, (kit / DEMO_STAFF).read_bytes())
    if not (home.keeper / keeper_folder.MASTER_KEY).exists():
        recovery_public = (kit / "recovery.pub").read_bytes()
        keeper_folder.init(home.keeper, recovery_public, (kit / "index.key").read_bytes(), entropy)
    write_missing(home.policy_file, plan.new.render())


def at_port(settings: str, port: int) -> str:
    """The text of home.toml with another port for the portal; the tables below it keep theirs."""
    own, bracket, tables = settings.partition("\n[")
    lines = [f"port = {port}" if line.startswith("port =") else line for line in own.splitlines()]
    return "\n".join(lines) + "\n" + (bracket + tables).lstrip("\n")


def _best_first(sources: Sequence[HttpSource], settlement: Settlement) -> list[HttpSource]:
    """Those that hold exactly what was adopted first: they have its partial tiles too."""
    ahead = {tail.embassy for tail in settlement.tails}

    def rank(source: HttpSource) -> int:
        return 2 if source.name not in settlement.holders else int(source.name in ahead)

    return sorted(sources, key=rank)


def _keep_checkpoints(
    home: Home, policy: PolicyFile, sealed: Mapping[str, Sealed], settlement: Settlement
) -> None:
    """Keep the old epoch's checkpoint of the adopted size, with all cosignatures that it has."""
    origin = policy.current_log.key.name
    by_size: dict[int, bytes] = {}
    for found in sealed.values():
        if not found.checkpoint or found.seal.size > settlement.checkpoint.size:
            continue
        size = parse_checkpoint(parse_note(found.checkpoint).text).size
        if size in by_size:
            signatures = list(parse_note(found.checkpoint).signatures)
            by_size[size] = add_signatures(by_size[size], signatures)
        else:
            by_size[size] = found.checkpoint
    if settlement.checkpoint.size in by_size:
        with FileTileStore(home.journal(origin), create=True) as store:
            try:
                kept: bytes | None = store.get("checkpoint")
            except TileMissing:
                kept = None
            store.swap("checkpoint", kept, by_size[settlement.checkpoint.size])


def _journal_keys(kit: Path) -> dict[bytes, JournalKey]:
    key = JournalKey((kit / "journal.key").read_bytes())
    return {key.key_id: key}


@contextmanager
def _sources(policy: PolicyFile, reader: SigningKey) -> Iterator[list[HttpSource]]:
    with _clients(policy, reader) as clients:
        yield [HttpSource(client) for client in clients.values()]

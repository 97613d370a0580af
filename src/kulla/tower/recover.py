"""A home from its embassies: at a first start, and when another site takes over.

The order of a takeover is the design's: custodians sign the succession; enough embassies seal the
old epoch before their sizes are read; what more than n-k of them hold is adopted; the next policy
version names the new log; registers are rebuilt; the new epoch's first act says what was adopted.
Every step may be repeated: the new home's folder keeps what an earlier try decided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

import kulla.keeper.folder as keeper_folder
from kulla.embassy.client import EmbassyClient
from kulla.embassy.errors import EmbassyError
from kulla.embassy.settle import Settlement
from kulla.journal.checkpoints import add_signatures, parse_checkpoint
from kulla.journal.entries import JournalKey
from kulla.journal.epochs import (
    epoch_opened_data,
    parse_succession,
    verify_succession,
)
from kulla.journal.errors import TileMissing
from kulla.journal.filestore import FileTileStore
from kulla.journal.merkle import EMPTY_ROOT
from kulla.journal.notes import KIND_ED25519, SigningKey, parse_note
from kulla.journal.policy_file import PolicyFile, parse_policy, verify_policy_signatures
from kulla.kernel.canonical import encode
from kulla.kernel.edges import SystemClock, SystemEntropy
from kulla.rebuild.chain import EpochPlan
from kulla.rebuild.history import opening_of, plan_history, settle_log
from kulla.rebuild.sources import FolderSource, HttpSource, Source
from kulla.rebuild.takeover import (
    Sealed,
    TakeoverFailed,
    bring_up_to_date,
    hand_over_policy,
    newest_policy,
    next_policy,
    seal,
    succession_of,
)
from kulla.tower.home import DEMO_STAFF, Home, write_missing, write_secret
from kulla.tower.rebuilding import bring_keys, rebuild_file, rebuild_home
from kulla.tower.settled import settled_once
from kulla.tower.standby_folder import TAKEOVER, StandbyFolder, replace_whole

Progress = Callable[[str, int, int], None]
EMBASSY_TIMEOUT_S = 10.0
FIRST_ASK_TIMEOUT_S = 2.0
CREDENTIALS = ("mail.password", "oidc.secret")
"""What an operator may have put into the kit after the country began; goes to the home's keys."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class TakeoverReport:
    """What a takeover did. Sizes count the old epoch's entries.

    acts: how many the registers hold; replayed: how many of them were replayed only now.
    keys: wrapped keys that came, which the keeper adopts; keys_missing: those that nobody gave.
    tails: embassies that hold more than was adopted; forked: those with another history.
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
    reason: str,
    progress: Progress = lambda *_: None,
) -> TakeoverReport:
    """Make a new home in `home_folder` from the recovery kit and the embassies that answer.

    In the folder of a standby, registers and tiles are found as they are, and only what is new is
    replayed; the process that follows there is ended. Raises TakeoverFailed, NotSettled, or what a
    rebuild raises; then the same call may be repeated.
    """
    standby = StandbyFolder(home_folder)
    with standby.held(TAKEOVER) if standby.exists else nullcontext():
        return _take_over(kit, home_folder, port=port, reason=reason, progress=progress)


def _take_over(
    kit: Path, home_folder: Path, *, port: int, reason: str, progress: Progress
) -> TakeoverReport:
    clock = SystemClock()
    start_s = clock.monotonic_s()
    home = Home(home_folder)
    kit_policy = parse_policy((kit / "policy").read_bytes(), place=str(kit / "policy"))
    verify_policy_signatures(kit_policy)
    reader = _read_key(kit / "reader.key")
    with _clients(kit_policy, reader, FIRST_ASK_TIMEOUT_S) as quick:
        shown = _shown(quick)
    with _clients(kit_policy, reader) as every:
        offered = list(shown.values())
        policy = newest_policy(kit_policy, offered)
        clients = _who_answers(every, shown, policy)
        plan = _decide(home, kit, policy, port, reason, clock.now_ms())
        bring_up_to_date(clients, plan.old, offered)
        progress("sealing the old epoch", 0, len(clients))
        sealed = seal(clients, plan.note, parse_succession(plan.note), plan.old)
        # Only those that answered just now, the ones whose word was taken.
        sources = [HttpSource(clients[name]) for name in sealed]
        origin = plan.old.current_log.key.name
        settlement = settled_once(
            home, lambda: settle_log(sources, plan.old, origin, only=list(sealed))
        )
        sources = _best_first(sources, settlement)
        hand_over_policy(clients, plan.new)
        _furnish(home, kit, plan, port)
        keys = _journal_keys(kit)
        plans = plan_history(sources, plan.old, keys, settlement)
        end = plans[-1].base + plans[-1].size
        replayed = rebuild_home(
            home, plan.old, plans, keys, lambda at: progress("replaying acts", at, end)
        )
        brought = bring_keys(home, sources, (kit / "recovery.key").read_bytes(), progress)
        _keep_checkpoints(home, plan.old, sealed, settlement)
    opened = opening_of(plans, plan.note)
    write_missing(home.folder / "opening", encode(epoch_opened_data(opened)))
    return TakeoverReport(
        epoch=len(plan.new.logs),
        sealed=tuple(sorted(sealed)),
        adopted_size=settlement.checkpoint.size,
        holders=settlement.holders,
        tails=tuple((tail.embassy, tail.size) for tail in settlement.tails),
        forked=tuple((tail.embassy, tail.size) for tail in settlement.forked),
        certain=settlement.certain,
        acts=end,
        replayed=replayed.acts,
        cases=tuple(replayed.cases),
        keys=brought.keys,
        keys_missing=brought.missing,
        seconds=round(clock.monotonic_s() - start_s, 3),
        policy=home.policy_file,
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
    kit_policy = parse_policy((kit / "policy").read_bytes(), place=str(kit / "policy"))
    verify_policy_signatures(kit_policy)
    keys = _journal_keys(kit)
    with _clients(kit_policy, _read_key(kit / "reader.key")) as clients:
        sources: list[Source] = [FolderSource(name, path) for name, path in folders.items()]
        if not folders:
            sources = [HttpSource(client) for client in clients.values()]
        policy = newest_policy(kit_policy, [] if folders else _shown(clients).values())
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
        )
    return {
        "acts": replayed.acts,
        "epochs": len(plans),
        "size": end,
        "cases": replayed.case_count,
        "first_cases": replayed.cases,
        "holders": list(newest.holders),
        "forked": [tail.embassy for tail in newest.forked],
        "certain": newest.certain,
        "seconds": round(clock.monotonic_s() - start_s, 3),
    }


@dataclass(frozen=True, slots=True)
class _Plan:
    """What this takeover decided once: the policy before and after, the key, the signed note."""

    old: PolicyFile
    new: PolicyFile
    key: SigningKey
    note: bytes


def _decide(home: Home, kit: Path, newest: PolicyFile, port: int, reason: str, at_ms: int) -> _Plan:
    """Take up what an earlier try decided in this folder, or decide now, durably."""
    folder = home.folder / "takeover"
    custodians = [_read_key(path) for path in sorted((kit / "custodians").glob("*.key"))]
    if (folder / "new-policy").exists():
        old = parse_policy((folder / "old-policy").read_bytes())
        new = parse_policy((folder / "new-policy").read_bytes())
        key = _read_key(home.folder / "keys" / "log.key")
        return _Plan(old, new, key, (folder / "succession").read_bytes())
    if (
        home.folder.exists()
        and any(home.folder.iterdir())
        and not StandbyFolder(home.folder).exists
    ):
        raise TakeoverFailed(
            "the new home's folder is not empty.",
            place=str(home.folder),
            remedy="Name an empty one; if an earlier try was cut off here, remove it first.",
        )
    origin = f"{newest.tower}/epoch-{len(newest.logs) + 1}"
    key = SigningKey(origin, KIND_ED25519, SystemEntropy().random_bytes(32))
    url = f"http://localhost:{port}"
    note = succession_of(newest, key.verifier, url, reason, at_ms, custodians)
    verify_succession(note, newest, place="succession")
    following = next_policy(newest, key.verifier, url, custodians)
    write_secret(home.folder / "keys" / "log.key", key.secret_text().encode())
    write_secret(folder / "old-policy", newest.render())
    write_secret(folder / "succession", note)
    write_secret(folder / "new-policy", following.render())
    return _Plan(newest, following, key, note)


def _furnish(home: Home, kit: Path, plan: _Plan, port: int) -> None:
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


def _read_key(path: Path) -> SigningKey:
    return SigningKey.parse(path.read_text(encoding="utf-8").strip(), place=str(path))


@contextmanager
def _clients(
    policy: PolicyFile, reader: SigningKey, timeout_s: float = EMBASSY_TIMEOUT_S
) -> Iterator[dict[str, EmbassyClient]]:
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


@contextmanager
def _sources(policy: PolicyFile, reader: SigningKey) -> Iterator[list[HttpSource]]:
    with _clients(policy, reader) as clients:
        yield [HttpSource(client) for client in clients.values()]


def _shown(clients: Mapping[str, EmbassyClient]) -> dict[str, bytes]:
    """The policy that each embassy shows, of those that answer; all are asked at once."""

    def ask(client: EmbassyClient) -> bytes | None:
        try:
            return client.policy()
        except EmbassyError:
            return None

    with ThreadPoolExecutor(len(clients)) as pool:
        found = pool.map(ask, clients.values())
        return {name: shown for name, shown in zip(clients, found, strict=True) if shown}


def _who_answers(
    clients: Mapping[str, EmbassyClient], shown: Mapping[str, bytes], policy: PolicyFile
) -> dict[str, EmbassyClient]:
    """Those that answered, where they are enough to be certain: each step would wait for the rest.

    Else all: one that was only slow may hold what was acknowledged.
    """
    if len(shown) < 2 * (policy.n - policy.quorum_k) + 1:
        return dict(clients)
    for name in clients.keys() - shown.keys():
        log.warning("embassy does not answer; the others are enough", embassy=name)
    return {name: client for name, client in clients.items() if name in shown}

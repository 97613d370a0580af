"""A running home takes up the policy's next version, and the embassies after it.

1. The next version is put beside the policy (`policy.next`): the scribe starts anew and counts an
   act only once a quorum of both versions holds it (tower.witnesses).
2. All that was acknowledged before is with a quorum of both too: the watermark says so.
3. Embassies pin the next version. From here on a takeover may stand on it.
4. The next version takes the policy's place at home, and the scribe counts by it alone.

Every step may be repeated, and one that was cut off is gone on with by the same command.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from kulla.embassy.client import EmbassyClient
from kulla.embassy.errors import EmbassyError
from kulla.journal.errors import JournalError
from kulla.journal.policy_file import PolicyFile, parse_policy, verify_successor
from kulla.kernel.durable import sync_folder
from kulla.kernel.edges import Clock
from kulla.kernel.errors import KullaError
from kulla.rebuild.takeover import bring_up_to_date
from kulla.registers.sqlite import LiveRows, open_registers
from kulla.scribe.client import ScribeClient
from kulla.tower.home import Home, write_missing
from kulla.tower.policies.next_version import ChangeRefused, check_change
from kulla.tower.policies.witnesses import Witnesses
from kulla.tower.services import register_tables

WAIT_S = 120.0
LOOK_S = 0.5


class NotTakenUp(KullaError):
    """The next version of the policy is not in force yet; the same command goes on."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What came of it: the version in force, who pinned it, and who did not, with the reason."""

    version: int
    pinned: tuple[str, ...]
    not_pinned: Mapping[str, str]


def bring_policy(
    home: Home,
    following: PolicyFile,
    ask: Callable[[str, str], EmbassyClient],
    clock: Clock,
    *,
    say: Callable[[str], None] = lambda _: None,
    wait_s: float = WAIT_S,
) -> Brought:
    """Bring the signed next version into force, by the steps above. The home must run.

    Where it is in force already, it is brought to the embassies that still lack it. Raises
    ChangeRefused where it would not be safe, NotTakenUp where a step needs more time or embassies,
    PolicyInvalid or another JournalError where it may not follow the policy.
    """
    now = home.policy()
    if following != now:
        verify_successor(now, following)
        check_change(now, following)
        _check_filled(home, following, ask)
        _put_beside(home, following)
        say("home takes it up")
        _wait_until_witnessed(home, following, clock, wait_s)
        say("embassies pin it")
    brought = _to_embassies(Witnesses.of((now, following)), home, following, ask)
    if not following.is_quorum(brought.pinned):
        raise NotTakenUp(
            f"only {', '.join(brought.pinned) or 'no embassy'} pinned it. "
            + "; ".join(f"{name}: {why}" for name, why in brought.not_pinned.items()),
            remedy="Reach more embassies, then the same command again. Until then home counts by "
            "both versions, and nothing is lost.",
        )
    if following != now:
        _put_in_place(home, now)
    return brought


def withdraw(home: Home, ask: Callable[[str, str], EmbassyClient]) -> int:
    """Give up a next version that no embassy has pinned; its number.

    Raises NotTakenUp where one has, or where so few answer that one may have.
    """
    versions = home.policies()
    if len(versions) == 1:
        raise NotTakenUp("no next version is being taken up.", place=str(home.next_policy_file))
    now, following = versions
    answers = 0
    for name, embassy in Witnesses.of(versions).embassies.items():
        client = ask(embassy.name, embassy.url)
        try:
            pinned = parse_policy(client.policy(), place=name)
            known = now.embassy(embassy.name)
            answers += known is not None and known.key == embassy.key
        except (EmbassyError, JournalError):
            continue
        finally:
            client.close()
        if pinned.version >= following.version and known is not None:
            raise NotTakenUp(
                "this embassy has pinned it already: it can't be taken back.",
                place=name,
                remedy="Go on with it (kulla policy bring), and change the policy again.",
            )
    if answers < now.n:
        raise NotTakenUp(
            f"{answers} of {now.n} embassies say that they have not pinned it; all must.",
            remedy="Reach the others, or go on with it: kulla policy bring.",
        )
    home.next_policy_file.unlink()
    sync_folder(home.folder)
    return following.version


def closed_epochs(home: Home) -> dict[str, int]:
    """Origin and adopted size of each epoch before the newest, as the registers know them."""
    connection = open_registers(home.registers)
    try:
        rows = LiveRows(connection, register_tables()).find("kulla_epoch")
    finally:
        connection.close()
    known = sorted(
        (_number(row["number"]), str(row["origin"]), _number(row["base"])) for row in rows
    )
    return {origin: following[2] - base for (_, origin, base), following in pairwise(known)}


def lacking(health: bytes, closed: Mapping[str, int]) -> list[str]:
    """The closed epochs that an embassy does not hold whole, by what it says of itself."""
    held: dict[str, int] = {}
    for log in json.loads(health)["logs"]:
        held[log["origin"]] = max(log["size"], log.get("filled", 0))
    return [origin for origin, size in closed.items() if held.get(origin, 0) < size]


def _check_filled(
    home: Home, following: PolicyFile, ask: Callable[[str, str], EmbassyClient]
) -> None:
    """Raise ChangeRefused unless a quorum of those who stay hold all closed epochs whole."""
    closed = closed_epochs(home)
    known = {embassy.key for embassy in home.policy().embassies}
    short: dict[str, str] = {}
    for embassy in following.embassies:
        if embassy.key not in known or not closed:
            continue
        client = ask(embassy.name, embassy.url)
        try:
            missing = lacking(client.health(), closed)
            if missing:
                short[embassy.name] = f"lacks {', '.join(missing)}"
        except (EmbassyError, KeyError, TypeError, ValueError) as error:
            short[embassy.name] = str(error)
        finally:
            client.close()
    kept = [e.name for e in following.embassies if e.key in known and e.name not in short]
    if closed and len(kept) < following.quorum_k:
        raise ChangeRefused(
            f"only {len(kept)} of the embassies that stay hold all epochs that were closed: "
            + "; ".join(f"{name} {why}" for name, why in short.items()),
            remedy="Let them be filled first: kulla embassy fill, at each.",
        )


def _put_beside(home: Home, following: PolicyFile) -> None:
    path = home.next_policy_file
    if path.exists() and path.read_bytes() != following.render():
        raise ChangeRefused(
            "home is taking up another next version.",
            place=str(path),
            remedy="Go on with that one, or give it up: kulla policy bring --withdraw.",
        )
    write_missing(path, following.render())


def _wait_until_witnessed(home: Home, following: PolicyFile, clock: Clock, wait_s: float) -> None:
    """Wait until the scribe counts by both versions, and all that it had then is witnessed so."""
    end_s = clock.monotonic_s() + wait_s
    goal: int | None = None
    rest = threading.Event()
    why = "the scribe does not answer"
    while clock.monotonic_s() < end_s:
        try:
            state = ScribeClient(home.run_folder(), clock).state()
        except KullaError as error:
            why = error.message
        else:
            both = following.version in state.get("policies", [])
            found = state["witnessing"]
            goal = found["size"] if both and goal is None else goal if both else None
            if goal is not None and found["watermark"] >= goal:
                return
            why = (
                f"{found['watermark']} of {goal} acts are witnessed by both versions' embassies"
                if both
                else "the scribe does not count by it yet"
            )
        rest.wait(LOOK_S)
    raise NotTakenUp(
        f"home has not taken it up: {why}.",
        place=str(home.folder),
        remedy="Home must run (kulla up), with enough embassies of both versions. Then the same "
        "command again; or give it up with --withdraw.",
    )


def _to_embassies(
    witnesses: Witnesses,
    home: Home,
    following: PolicyFile,
    ask: Callable[[str, str], EmbassyClient],
) -> Brought:
    pinned: list[str] = []
    faults: dict[str, str] = {}
    for name, embassy in witnesses.embassies.items():
        client = ask(embassy.name, embassy.url)
        try:
            bring_up_to_date({name: client}, following, home.policy_bytes())
            if client.policy() == following.render():
                if any(each.key == embassy.key for each in following.embassies):
                    pinned.append(embassy.name)
            else:
                faults[name] = "it holds to another version"
        except EmbassyError as error:
            faults[name] = str(error)
        finally:
            client.close()
    return Brought(following.version, tuple(pinned), faults)


def _put_in_place(home: Home, now: PolicyFile) -> None:
    write_missing(home.policy_version(now.version), home.policy_file.read_bytes())
    home.next_policy_file.replace(home.policy_file)
    sync_folder(home.folder)


def _number(cell: object) -> int:
    assert isinstance(cell, int)
    return cell

"""`kulla policy bring`: signatures collected, then the steps of policies.changing at a home."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kulla.embassy.client import EmbassyClient
from kulla.journal.policy_file import PolicyFile, parse_policy, verify_successor
from kulla.journal.proposals import CHANGE, Collected, collect, parse_proposal
from kulla.kernel.edges import SystemClock
from kulla.tower.home import Home
from kulla.tower.policies import changing
from kulla.tower.still_home import ASK_TIMEOUT_S
from kulla.tower.takeover.custody import SignaturesMissing, files_in


def bring(
    folder: Path,
    file: Path | None,
    given: Sequence[Path],
    *,
    wait_s: float,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Bring a change into force; what came of it, for printing. See changing.bring_policy.

    Raises SignaturesMissing where too few custodians signed, saying who did.
    """
    home = Home(folder)
    following, found = home.policy(), None
    if file is not None:
        following, found = _signed(home, file, given)
    brought = changing.bring_policy(
        home, following, _asker(home), SystemClock(), say=say, wait_s=wait_s
    )
    return {
        "version": brought.version,
        "pinned": list(brought.pinned),
        "not_pinned": dict(brought.not_pinned),
        "signed": list(found.names) if found else [],
        "not_counted": list(found.faults) if found else [],
    }


def withdraw(folder: Path) -> int:
    """Give up what is being taken up; see changing.withdraw."""
    home = Home(folder)
    return changing.withdraw(home, _asker(home))


def _signed(home: Home, file: Path, given: Sequence[Path]) -> tuple[PolicyFile, Collected | None]:
    """The signed next version: of a proposal and signatures, or a policy file that has them."""
    data = file.read_bytes()
    if not data.startswith(CHANGE.encode()):
        return parse_policy(data, place=str(file)), None
    proposal = parse_proposal(data, place=str(file))
    proposal.check()
    now = home.policy()
    beside = home.policies()[-1]
    for known in (now, beside):
        if known.unsigned_text() == proposal.following.unsigned_text():
            return known, None  # in force, or on its way, with signatures that were enough
    found = collect(proposal, [(str(path), path.read_bytes()) for path in files_in(given)])
    if found.missing:
        have = ", ".join(found.names) or "nobody"
        bad = f" Not counted: {' | '.join(found.faults)}" if found.faults else ""
        raise SignaturesMissing(
            f"{have} signed; {found.missing} more must, of {', '.join(found.waited_for)}.{bad}",
            place=f"change {proposal.fingerprint}",
            remedy="Run the same command with all that the custodians sent.",
        )
    signed = found.policy()
    verify_successor(now, signed)
    return signed, found


def _asker(home: Home) -> Callable[[str, str], EmbassyClient]:
    key = home.reader_key()
    return lambda name, url: EmbassyClient(url, name=name, reader=key, timeout_s=ASK_TIMEOUT_S)

"""Every receipt that a citizen was given, checked: here, and by the command that strangers use."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from kulla.drill.judge import ACT_OF
from kulla.drill.told import Verb, Wish
from kulla.journal.errors import JournalError
from kulla.journal.policy_file import PolicyFile
from kulla.journal.receipts import VerifiedReceipt, verify_receipt
from kulla.services.appointments.acts import SERVICE_NAME

_COMMAND_TIMEOUT_S: Final = 60


def failed_receipts(
    wishes: Sequence[Wish],
    policy: PolicyFile,
    bases: Mapping[str, int],
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[tuple[int, str]]:
    """Positions of receipts that don't verify under `policy` or prove something else, and why.

    `bases` gives the position of the first act of each epoch's log, by origin.
    """
    for number, wish in enumerate(wishes):
        if number % 250 == 0:
            progress(number)
        if not wish.receipt:
            continue
        place = f"receipt of position {wish.position}"
        try:
            proven = verify_receipt(wish.receipt, policy, place=place)
        except JournalError as error:
            yield wish.position or 0, str(error)
            continue
        wrong = _differs(wish, proven, bases)
        if wrong:
            told = f"{place}: it proves another {wrong} than its citizen was told"
            yield wish.position or 0, told


def _differs(wish: Wish, proven: VerifiedReceipt, bases: Mapping[str, int]) -> str:
    """What the proven act has that the wish has not; '' where they are the same."""
    act, data = proven.act, proven.act["data"]
    position = bases.get(proven.checkpoint.origin, -1) + proven.index
    told = {
        "service": (act["service"], SERVICE_NAME),
        "act": (act["act"], ACT_OF[wish.verb]),
        "person": (act["by"], wish.citizen),
        "citizen": (data.get("citizen"), wish.citizen),
        "appointment": (data.get("appointment"), wish.appointment),
        "position": (position, wish.position),
    }
    if wish.verb is not Verb.CANCEL:
        # Who cancels names the appointment: a move that nobody confirmed may have come before.
        told["slot"] = (data.get("slot"), wish.slot)
    return ", ".join(name for name, (has, wanted) in told.items() if has != wanted)


def failed_by_command(files: Mapping[int, Path], policy: Path) -> Iterator[tuple[int, str]]:
    """Like `failed_receipts`, by `kulla verify`, run for each file in a process of its own."""
    for position, file in files.items():
        argv = [sys.executable, "-m", "kulla", "verify", str(file), "--policy", str(policy)]
        done = subprocess.run(  # noqa: S603 (our own module)
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            yield (
                position,
                f"kulla verify {file.name}: {done.stderr.strip() or done.stdout.strip()}",
            )


def write_receipts(folder: Path, wishes: Sequence[Wish]) -> dict[int, Path]:
    """Write the receipts of these wishes, one file for each position; their paths."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    paths: dict[int, Path] = {}
    for wish in wishes:
        if wish.receipt and wish.position is not None:
            path = folder / f"kulla-{wish.position}.tlog-proof"
            path.write_bytes(wish.receipt)
            paths[wish.position] = path
    return paths

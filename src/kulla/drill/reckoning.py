"""The verdict of a drill: answers, receipts, pages, registers and the journal, side by side."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kulla.drill.chance import chance_of
from kulla.drill.evidence import Journal, read_appointments, read_journal
from kulla.drill.judge import Evidence, Verdict, judge
from kulla.drill.notes import Notes
from kulla.drill.receipts import failed_by_command, failed_receipts, write_receipts
from kulla.drill.throwaway import Throwaway
from kulla.journal.entries import JournalKey
from kulla.journal.policy_file import PolicyFile

_BY_COMMAND: Final = 8
_COMPLAINTS_MAX: Final = 50


def reckon(
    notes: Notes, tower: Throwaway, policy: PolicyFile, embassies: Sequence[Path]
) -> tuple[Verdict, Evidence]:
    """Judge a drill whose processes have all ended, by what `embassies` hold; fills the report.

    Raises EvidenceMissing, or JournalError where no embassy shows the journal whole.
    """
    notes.say("reading the journal")
    key = JournalKey((tower.plan.kit / "journal.key").read_bytes())
    journal = read_journal(embassies, policy, key)
    rows = read_appointments(tower.new_home.registers)
    evidence = Evidence(journal.acts, rows, notes.pages)
    verdict = judge(notes.answers, evidence)
    verdict.receipts = _check_receipts(notes, tower, policy, journal)
    report = notes.report
    report.journal_size = len(journal.acts)
    report.lost, report.doubled = len(verdict.lost), len(verdict.doubled)
    report.receipts_failed = len(verdict.receipts)
    report.refusals_unfounded = len(verdict.unfounded)
    report.answers_changed = len(verdict.changed)
    report.answers = notes.answers.count_by_outcome()
    report.reasons = dict(notes.answers.reasons)
    report.complaints = verdict.complaints[:_COMPLAINTS_MAX]
    if notes.plan.keep is not None:
        notes.say(f"keeping evidence in {notes.plan.keep}")
        _keep(notes, tower, notes.plan.keep)
    return verdict, evidence


def _check_receipts(
    notes: Notes, tower: Throwaway, policy: PolicyFile, journal: Journal
) -> list[str]:
    held = [wish for wish in notes.answers.wishes if wish.receipt]
    total = len(held) + len(notes.again)
    failed = dict(
        failed_receipts(
            [*held, *notes.again],
            policy,
            journal.bases,
            lambda number: notes.say(f"receipts: {number:,} of {total:,}"),
        )
    )
    for wish in (*notes.answers.acknowledged(), *notes.again):
        if not wish.receipt:
            why = f"receipt of position {wish.position}: the new home did not give it"
            failed.setdefault(wish.position or 0, why)
    sample = chance_of(notes.plan.seed, "verify").sample(held, min(_BY_COMMAND, len(held)))
    notes.say("receipts: kulla verify")
    files = write_receipts(tower.guard.root / "receipts", sample)
    for position, why in failed_by_command(files, tower.new_home.policy_file):
        failed.setdefault(position, why)
    notes.report.receipts_checked = total
    notes.report.receipts_checked_by_command = len(files)
    return list(failed.values())


def _keep(notes: Notes, tower: Throwaway, keep: Path) -> None:
    """Copy what others need to check the drill: no process writes to it any more."""
    keep.mkdir(mode=0o700, parents=True)
    for folder in tower.embassies_left:
        shutil.copytree(folder, keep / "embassies" / folder.name)
    shutil.copytree(tower.new_home.folder / "journal", keep / "journal")
    shutil.copytree(tower.plan.kit, keep / "kit")
    shutil.copyfile(tower.new_home.policy_file, keep / "policy")
    write_receipts(keep / "receipts", notes.answers.wishes)


def keep_logs(root: Path, keep: Path | None) -> None:
    """Copy what the processes said, also where the drill broke off."""
    if keep is not None:
        for name in ("logs", "new-logs"):
            if (root / name).exists():
                shutil.copytree(root / name, keep / name)

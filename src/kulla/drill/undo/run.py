"""The undo drill itself: a story, an intruder's acts taken out, and what must hold afterwards."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from kulla.drill.simulation import country as simulated
from kulla.drill.undo.country import FIRST_EPOCH, CountryHere
from kulla.drill.undo.story import Story, StoryClock
from kulla.journal.annulment import CaseAct, UndoneAct, sign_annulment
from kulla.journal.entries import Opener, parse_act
from kulla.journal.receipts import build_receipt, verify_receipt
from kulla.kernel.edges import Clock
from kulla.kernel.errors import KullaError
from kulla.kernel.service import Act
from kulla.rebuild.applying import Applying
from kulla.rebuild.chain import EpochPlan
from kulla.rebuild.reading import read_verified
from kulla.rebuild.undo import Selection, Stage, UndoPlan, plan_undo
from kulla.registers.bulk import BulkRows
from kulla.registers.sqlite import LiveRows, create_tables, dump
from kulla.registers.tower import NEVER_PUT_RIGHT, TOWER_NAME
from kulla.services.accounts.authority import Authority
from kulla.tower.services import SERVICES

RECEIPTS: Final = 20
REASON: Final = "drill: a clerk's passkey and three sessions were stolen"


@dataclass(frozen=True, slots=True)
class UndoDrillPlan:
    """What to rehearse: so many acts, so many of them by the intruder, after which seed, where."""

    seed: int
    acts: int = 10_000
    intruders: int = 300
    folder: Path = Path(tempfile.gettempdir())


@dataclass(slots=True)
class UndoReport:
    """What a drill came to; `passed` where all that must hold did.

    registers_equal: the registers are those of a replay of the remaining acts, the listed cases
    left out. rebuild_equal: a rebuild from the embassies gives the same, and its fingerprints fit.
    receipts_verify: receipts of undone acts still verify. repeats_refused: an undone command that
    is sent again is not done again. seconds: of planning, of running, of the rebuild, of all.
    """

    seed: int
    acts: int = 0
    intruders_acts: int = 0
    undone: int = 0
    cases: int = 0
    resting: int = 0
    rows: int = 0
    people: int = 0
    rows_not_put_right: int = 0
    registers_equal: bool = False
    rebuild_equal: bool = False
    fingerprints: int = 0
    fingerprints_fit: bool = False
    receipts_verify: bool = False
    repeats_refused: bool = False
    plan_s: float = 0.0
    run_s: float = 0.0
    rebuild_s: float = 0.0
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether all that must hold did."""
        return (
            self.undone == self.intruders_acts > 0
            and self.rows_not_put_right == 0
            and self.registers_equal
            and self.rebuild_equal
            and self.fingerprints_fit
            and self.receipts_verify
            and self.repeats_refused
        )

    def as_map(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "passed": self.passed}


class UndoDrill:
    """One drill. `say` is told what goes on; durations are by `clock`."""

    def __init__(self, plan: UndoDrillPlan, clock: Clock, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._clock = clock
        self._say = say
        self.report = UndoReport(plan.seed)

    def run(self) -> UndoReport:
        """Rehearse it; raises what a fault of this release raises."""
        start_s = self._clock.monotonic_s()
        with tempfile.TemporaryDirectory(prefix="kulla-undo-", dir=self._plan.folder) as name:
            self._run(Path(name))
        self.report.seconds = self._since(start_s)
        return self.report

    def _since(self, start_s: float) -> float:
        return round(self._clock.monotonic_s() - start_s, 3)

    def _run(self, folder: Path) -> None:
        clock = StoryClock()
        country = CountryHere(folder, clock, self._plan.seed)
        story = Story(country, clock, self._plan.seed)
        self._say("founding")
        story.found()
        self._say("weeks go by")
        story.live(self._plan.acts, self._plan.intruders)
        self.report.acts = country.writer.end
        self.report.intruders_acts = story.intruders_acts
        self._say("planning the undo")
        start_s = self._clock.monotonic_s()
        planned = self._planned(country, story, folder)
        self.report.plan_s = self._since(start_s)
        before = country.plans()
        self._undo(country, planned)
        self._say("comparing")
        self._compare(country, planned, before, folder / "remaining.sqlite")
        self._rebuild(country, folder / "rebuilt.sqlite")
        self._look_at_receipts(country, planned)
        country.connection.close()

    def _planned(self, country: CountryHere, story: Story, folder: Path) -> UndoPlan:
        scratch = folder / "scratch"
        scratch.mkdir()
        authority = Authority(country.policy.relying_party, ())
        stage = Stage(scratch, country.tables, SERVICES, authority, country.policies, FIRST_EPOCH)
        selection = Selection(sessions=story.marks)
        planned = plan_undo(country.plans(), country.keys, selection, stage, REASON)
        what, report = planned.annulment, self.report
        report.undone, report.cases, report.resting = what.undone, what.cases, what.resting
        report.rows, report.people = what.rows, len(planned.people)
        return planned

    def _undo(self, country: CountryHere, planned: UndoPlan) -> None:
        start_s = self._clock.monotonic_s()
        note = b""
        for custodian in simulated.custodian_keys():  # each on their own
            note = sign_annulment(note or planned.annulment, [custodian])
        answer = country.annul(note, planned.parts)
        if answer.status != "accepted":
            raise KullaError(f"the undo was {answer.status}: {dict(answer.detail)}.")
        self.report.run_s = self._since(start_s)
        [row] = country.rows.find("kulla_annulment")
        assert isinstance(row["moved"], int)
        self.report.rows_not_put_right = row["moved"]
        self.report.repeats_refused = _repeats_are_refused(country, planned)

    def _compare(
        self, country: CountryHere, planned: UndoPlan, plans: list[EpochPlan], path: Path
    ) -> None:
        """Replay the remaining acts, with nothing of the plan but which acts those are."""
        out = {item.position for item in planned.items if isinstance(item, UndoneAct | CaseAct)}
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            create_tables(connection, country.tables)
            LiveRows(connection, country.tables).put("kulla_epoch", FIRST_EPOCH)
            rows = BulkRows(connection, country.tables)
            authority = Authority(country.policy.relying_party, ())
            applying = Applying(SERVICES, rows, authority, country.policies)
            faults = 0
            for act in acts_of(plans, country):
                if act.position not in out:
                    faults += applying.fault_of(act) is not None
                    rows.keep()
            connection.execute("BEGIN")
            rows.flush()
            connection.execute("COMMIT")
            self.report.registers_equal = faults == 0 and all(
                dump(connection, table) == dump(country.connection, table)
                for table in country.tables
                if table.name not in NEVER_PUT_RIGHT
            )

    def _rebuild(self, country: CountryHere, path: Path) -> None:
        start_s = self._clock.monotonic_s()
        replayed = country.rebuilt(path, country.plans())
        self.report.rebuild_s = self._since(start_s)
        self.report.fingerprints = replayed.fingerprints
        self.report.fingerprints_fit = not replayed.misfits and replayed.fingerprints > 0
        with closing(sqlite3.connect(path)) as connection:
            self.report.rebuild_equal = replayed.case_count == 0 and all(
                dump(connection, table) == dump(country.connection, table)
                for table in country.tables
            )

    def _look_at_receipts(self, country: CountryHere, planned: UndoPlan) -> None:
        size, note = country.scribe.cosigned
        opener = Opener(country.log.origin, country.keys)
        undone = [item for item in planned.items if isinstance(item, UndoneAct)]
        for item in undone[:: max(1, len(undone) // RECEIPTS)]:
            entry, proof = country.log.entry_with_proof(item.position, size)
            opened = opener.open(entry)
            receipt = build_receipt(
                entry, opened.salt, opened.plaintext, item.position, proof, note
            )
            verify_receipt(receipt, country.policy)
        self.report.receipts_verify = bool(undone)


def _repeats_are_refused(country: CountryHere, planned: UndoPlan) -> bool:
    """Whether each undone command is closed, and nothing of it counts as accepted."""
    commands = {item.command for item in planned.items if isinstance(item, UndoneAct | CaseAct)}
    closed = [country.rows.get("kulla_annulled", key) for key in commands]
    answers = [country.writer.known(key) for key in commands]
    return all(closed) and all(
        answer is not None and (answer.status, answer.code) == ("refused", "annulled")
        for answer in answers
    )


def acts_of(plans: list[EpochPlan], country: CountryHere) -> Iterator[Act]:
    """All acts of these epochs, opened, without the tower's own that undo something."""
    for plan in plans:
        opener = Opener(plan.origin, country.keys)
        for first, entries in read_verified(plan, 0):
            for number, entry in enumerate(entries, first):
                act = parse_act(opener.open(entry).plaintext, plan.base + number)
                if act.service != TOWER_NAME or not act.name.startswith("annulled"):
                    yield act

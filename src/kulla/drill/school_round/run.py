"""`kulla drill wipe --round`: home dies while it posts a round's results; the new home goes on.

found       a live tower with so many children; the ministry's round; everybody applies
draw        the list is closed, the embassies' lottery drawn
compute     what an unharmed run gives, from the same registers and keeper, without posting it
blow        `kulla enrolment run` runs as it does for an operator; when the seed's part stands, it,
            home and one embassy are killed and overwritten
go on       takeover from kit and embassies; the same command at the new home
judge       every application is there; every child's result and both transcripts are the same
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kulla.drill.chance import chance_of
from kulla.drill.guard import Guard
from kulla.drill.notes import DrillFailed, Say
from kulla.drill.report import machine, version
from kulla.drill.school_round.filing import ROUND, Filing
from kulla.drill.school_round.report import RoundReport
from kulla.drill.throwaway import Throwaway
from kulla.embassy.errors import NotSettled
from kulla.kernel.edges import Clock, Entropy
from kulla.rebuild.takeover import TakeoverFailed
from kulla.services.enrolment import tables
from kulla.tower.edge import HomeEdge
from kulla.tower.enrolment.allocating import Allocator, Expected
from kulla.tower.enrolment.registers import RoundRows
from kulla.tower.home import Home
from kulla.tower.lottery.committing import commit
from kulla.tower.lottery.drawing import draw
from kulla.tower.up import EMBASSIES

SPARE_PEOPLE: Final = 10
_TICK_S: Final = 0.002
_JOB_S: Final = 600.0
_TAKEOVER_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class RoundPlan:
    """One drill: the seed, where it makes its folder, and how many children apply."""

    seed: int
    folder: Path
    children: int


class RoundDrill:
    """One drill from beginning to end. `run` may be called once."""

    def __init__(self, plan: RoundPlan, clock: Clock, entropy: Entropy, say: Say) -> None:
        self.plan = plan
        self._clock = clock
        self._entropy = entropy
        self._say = say
        self._report = RoundReport(plan.seed, machine=machine(), version=version())
        self._jobs: list[subprocess.Popen[bytes]] = []

    def run(self) -> RoundReport:
        """Carry it through; whatever happens, nothing is left running or lying about.

        Raises DrillFailed, DrillRefused, or what the tower's own parts raise.
        """
        plan, started = self.plan, self._clock.monotonic_s()
        guard = Guard.begin(plan.folder, self._entropy)
        tower: Throwaway | None = None
        try:
            chance = chance_of(plan.seed, "ports")
            people = plan.children + SPARE_PEOPLE
            tower = Throwaway(guard, chance, people=people, acts=1)
            self._play(guard, tower)
        finally:
            for job in self._jobs:
                job.kill()
                job.wait()
            if tower is not None:
                tower.end()
            guard.remove_all()
        self._report.total_s = round(self._clock.monotonic_s() - started, 3)
        return self._report

    def _play(self, guard: Guard, tower: Throwaway) -> None:
        tower.start(lambda what: self._say(f"founding: {what}"))
        home = tower.plan.home
        edge = HomeEdge(home, asker="drill")
        filed = self._file(home, edge, [one.subject for one in tower.people])
        expected = self._expect(home, edge)
        self._strike(guard, tower)
        self._take_over(tower)
        self._go_on(tower.new_home)
        self._judge(tower.new_home, filed, expected)

    def _file(self, home: Home, edge: HomeEdge, subjects: list[str]) -> dict[str, bytes]:
        """Everybody applies; the list is closed, and drawn. The commitments, by child."""
        report, started = self._report, self._clock.monotonic_s()
        chance = chance_of(self.plan.seed, "wishes")
        filing = Filing(home, edge, self._clock, chance, self._say)
        filing.prepare(self.plan.children)
        commit(home.folder, ROUND)
        filed = filing.apply(subjects[: self.plan.children])
        report.children = len(filed)
        report.filing_s = round(self._clock.monotonic_s() - started, 3)
        self._say("waiting for the list to close")
        while self._clock.now_ms() < filing.closes_s * 1000:
            time.sleep(_TICK_S)
        filing.staff("close_round", {"round": ROUND})
        drawn = draw(home.folder, ROUND)
        if not drawn["drawn"]:
            raise DrillFailed(f"the lottery was not drawn: {drawn['missing']}.")
        return filed

    def _expect(self, home: Home, edge: HomeEdge) -> Expected:
        """What an unharmed run gives."""
        self._say("computing what an unharmed run gives")
        with closing(RoundRows(home.registers)) as rows:
            allocator = Allocator(home.folder, rows, edge, self._clock, time.sleep)
            expected = allocator.expect(ROUND, self._say)
        self._report.opening_s = expected.report.opening_s
        self._report.parts, self._report.placed = expected.report.parts, expected.report.placed
        return expected

    def _strike(self, guard: Guard, tower: Throwaway) -> None:
        """The blow, once the seed's part stands and others are still to come."""
        report, chance = self._report, chance_of(self.plan.seed, "moment")
        if report.parts < 2:
            raise DrillFailed(
                "all results fit into one part, so nothing can die in the middle.",
                remedy="Let more children apply: --round.",
            )
        after = chance.randint(1, report.parts - 1)
        doomed = ("home", chance.choice(EMBASSIES))
        job = self._job(tower.plan.home)
        guard.adopt(job.pid)
        self._say(f"posting; the blow falls after part {after}")
        with closing(RoundRows(tower.plan.home.registers)) as rows:
            posted = self._wait_for(rows, after, job)
        guard.kill([job.pid])
        tower.kill(doomed, dead=False)
        tower.wipe(doomed, chance_of(self.plan.seed, "ruin"))
        report.parts_before, report.embassy_destroyed = posted, doomed[1]
        self._struck_s = self._clock.monotonic_s()

    def _wait_for(self, rows: RoundRows, after: int, job: subprocess.Popen[bytes]) -> int:
        end_s = self._clock.monotonic_s() + _JOB_S
        while self._clock.monotonic_s() < end_s:
            row = rows.round(ROUND)
            assert row is not None
            posted = row["parts_posted"]
            assert isinstance(posted, int)
            if posted >= after:
                return posted
            if job.poll() is not None:
                raise DrillFailed(f"the job ended by itself, with exit code {job.returncode}.")
            time.sleep(_TICK_S)
        raise DrillFailed("the job posted nothing in ten minutes.")

    def _job(self, home: Home) -> subprocess.Popen[bytes]:
        """`kulla enrolment run` as an operator types it."""
        words = [sys.executable, "-m", "kulla", "enrolment", "run", ROUND, "--json"]
        job = subprocess.Popen(  # noqa: S603 - its own command, with its own folder
            [*words, "--home", str(home.folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # as the guard wants of what it may kill
        )
        self._jobs.append(job)
        return job

    def _take_over(self, tower: Throwaway) -> None:
        """Take over as an operator does: where it stops, type the same again a moment later."""
        end_s = self._clock.monotonic_s() + _TAKEOVER_S
        while True:
            try:
                tower.take_over(lambda what: self._say(f"taking over: {what}")).result()
                break
            except (TakeoverFailed, NotSettled):
                if self._clock.monotonic_s() > end_s:
                    raise
                time.sleep(0.5)
        self._report.takeover_s = round(self._clock.monotonic_s() - self._struck_s, 3)
        with closing(RoundRows(tower.new_home.registers)) as rows:
            row = rows.round(ROUND)
        adopted = row["parts_posted"] if row is not None else 0
        assert isinstance(adopted, int)
        self._report.parts_adopted = adopted

    def _go_on(self, home: Home) -> None:
        """The same command at the new home."""
        self._say("the job runs again, at the new home")
        started = self._clock.monotonic_s()
        job = self._job(home)
        out, _ = job.communicate(timeout=_JOB_S)
        self._report.again_s = round(self._clock.monotonic_s() - started, 3)
        if job.returncode:
            self._report.complaints.append(f"the job ended with exit code {job.returncode}.")
            return
        state = json.loads(out)["state"]
        if state != tables.ALLOCATED:
            self._report.complaints.append(f"the round is {state} at the new home.")

    def _judge(self, home: Home, filed: dict[str, bytes], expected: Expected) -> None:
        report = self._report
        with closing(RoundRows(home.registers)) as rows:
            found = {str(row["child"]): row["commitment"] for row in rows.applications(ROUND)}
            results = {str(row["child"]): row for row in rows.results(ROUND)}
            row = rows.round(ROUND)
            kinds = {str(one["kind"]) for one in rows.kept(ROUND)}
        assert row is not None
        if kinds != {"public", "audit"}:
            report.complaints.append(f"the quorum holds these transcripts only: {sorted(kinds)}.")
        report.lost = sum(
            1 for child, commitment in filed.items() if found.get(child) != commitment
        )
        report.differing = sum(
            1
            for child, (programme, choice) in expected.results.items()
            if child not in results
            or (results[child]["programme"], results[child]["choice"]) != (programme, choice)
        )
        same = (row["public_transcript"], row["audit_transcript"])
        report.same_transcripts = same == (expected.public, expected.audit)

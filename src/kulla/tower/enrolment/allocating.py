"""Allocates a closed and drawn round: opens facts, computes, posts results, keeps transcripts.

Nothing here has to survive: killed anywhere and run again, at this home or at the one that took
over, it reads the same registers and comes to the same parts, which the scribe knows by their ids.
A round that is allocated already is computed again only where a transcript is missing, and then it
has to come to the very bytes that the journal names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from kulla.kernel.edges import Clock
from kulla.kernel.errors import KullaError
from kulla.kernel.service import Command
from kulla.kernel.tower import TowerEdge
from kulla.services.enrolment import tables
from kulla.services.enrolment.policy.allocate import Allocation
from kulla.services.enrolment.policy.market import Market, market
from kulla.services.enrolment.policy.reasons import Reason
from kulla.services.enrolment.policy.transcript import (
    audit_transcript,
    list_root,
    public_transcript,
)
from kulla.services.enrolment.results.inputs import Taken
from kulla.services.enrolment.results.kept import REASONS_FIELD
from kulla.services.enrolment.results.posting import finish_command, part_commands
from kulla.tower.enrolment.files import deposit
from kulla.tower.enrolment.folder import RoundFolder
from kulla.tower.enrolment.inputs import RoundMissing, Stated, open_all, read_round
from kulla.tower.enrolment.registers import RoundRows
from kulla.tower.enrolment.submitting import submit

Say = Callable[[str], None]

_WITNESS_WAIT_S: Final = 30.0
_WITNESS_TICK_S: Final = 0.1


class AllocationDiffers(KullaError):
    """What was computed is not what the journal says: the inputs, or this release, are others."""


@dataclass(slots=True)
class AllocationReport:
    """What a run came to. `refused`: how many applications did not count, by why.

    `files`: so many parts of the transcripts it gave to the quorum as files.
    """

    round: str
    state: str = ""
    applicants: int = 0
    placed: int = 0
    parts: int = 0
    files: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    public: str = ""
    audit: str = ""
    opening_s: float = 0.0
    computing_s: float = 0.0
    posting_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Expected:
    """What a run would come to: by child (programme, choice), and the transcripts' SHA-256."""

    report: AllocationReport
    results: Mapping[str, tuple[str, int]]
    public: bytes
    audit: bytes


class Allocator:
    """Allocates rounds at one home. `home` is its folder; for one thread.

    `sleep` waits so many seconds; `watch` is told of each part that was posted, for drills.
    """

    def __init__(
        self,
        home: Path,
        rows: RoundRows,
        tower: TowerEdge,
        clock: Clock,
        sleep: Callable[[float], object],
        *,
        watch: Callable[[int, int], None] = lambda _part, _parts: None,
    ) -> None:
        self._home = home
        self._rows = rows
        self._tower = tower
        self._clock = clock
        self._sleep = sleep
        self._watch = watch

    def run(self, key: str, say: Say = lambda _: None) -> AllocationReport:
        """Allocate the round `key`, or find it allocated.

        Raises RoundMissing, AllocationDiffers, PostingStopped, KullaError where keeper or scribe
        does not answer.
        """
        stated, made, report = self._computed(key, say)
        posting = self._clock.monotonic_s()
        say("keeping the transcripts")
        self._keep(key, stated, made)
        self._post(key, stated, made, report, say)
        say("having the quorum hold the transcripts")
        transcripts = {"public": made.public, "audit": made.audit}
        report.files = deposit(self._rows, self._tower, key, transcripts, self._sleep)
        report.posting_s = round(self._clock.monotonic_s() - posting, 3)
        return report

    def expect(self, key: str, say: Say = lambda _: None) -> Expected:
        """What `run` would come to; nothing is posted or kept. Raises as `run`."""
        _stated, made, report = self._computed(key, say)
        commands = part_commands(key, made.allocation)
        report.parts = len(commands)
        results: dict[str, tuple[str, int]] = {}
        for command in commands:
            for child, programme, _pool, choice in cast("Any", command.data["rows"]):
                results[child] = (programme, choice)
        hashes = (hashlib.sha256(one).digest() for one in (made.public, made.audit))
        return Expected(report, results, *hashes)

    def _computed(self, key: str, say: Say) -> tuple[Stated, _Made, AllocationReport]:
        stated = self._confirmed(key)
        report = AllocationReport(key, str(stated.round["state"]), len(stated.applications))
        self._check_list(stated)
        started = self._clock.monotonic_s()
        total = len(stated.applications)
        opened = open_all(stated, self._tower, lambda count: say(f"{count:,} of {total:,} opened"))
        computing = self._clock.monotonic_s()
        report.opening_s = round(computing - started, 3)
        say("allocating")
        made = _compute(key, stated, opened)
        report.computing_s = round(self._clock.monotonic_s() - computing, 3)
        report.placed = made.allocation.placed
        for one, _ in opened:
            if one.fault:
                report.refused[one.fault] = report.refused.get(one.fault, 0) + 1
        report.public = hashlib.sha256(made.public).hexdigest()
        report.audit = hashlib.sha256(made.audit).hexdigest()
        return stated, made, report

    def _confirmed(self, key: str) -> Stated:
        """The round as a quorum holds it: its last act lies below the watermark."""
        end_s = self._clock.monotonic_s() + _WITNESS_WAIT_S
        while True:
            stated = read_round(self._rows, key)
            position = stated.round["position"]
            assert isinstance(position, int)
            if position < self._tower.witnessing().watermark:
                return stated
            if self._clock.monotonic_s() > end_s:
                raise RoundMissing(
                    "what was last done to this round is not confirmed by a quorum.",
                    place=key,
                    remedy="See `kulla status`; nothing was posted.",
                )
            self._sleep(_WITNESS_TICK_S)

    def _check_list(self, stated: Stated) -> None:
        """The applications are those of the closed list, by count and root."""
        commitments = [row["commitment"] for row in stated.applications]
        found = list_root([one for one in commitments if isinstance(one, bytes)])
        if stated.round["list_root"] == found and stated.round["list_count"] == len(commitments):
            return
        raise AllocationDiffers(
            "the filed applications are not those of the closed list.",
            place=str(stated.round["id"]),
            remedy="Rebuild the registers from the embassies: `kulla rebuild`.",
        )

    def _keep(self, key: str, stated: Stated, made: _Made) -> None:
        """Write the files where they are missing; of an old round the journal names them."""
        public, audit = (hashlib.sha256(one).digest() for one in (made.public, made.audit))
        named = stated.round["public_transcript"], stated.round["audit_transcript"]
        if named[0] is not None and named != (public, audit):
            raise AllocationDiffers(
                "this round computes to other transcripts than those that the journal names.",
                place=key,
                remedy="Use the release that allocated it, or ask an auditor for the files.",
            )
        folder = RoundFolder(self._home, key)
        if not folder.holds(public, audit):
            folder.write(made.public, made.audit, self._sealed(key, made))

    def _sealed(self, key: str, made: _Made) -> Iterator[tuple[str, bytes]]:
        leads = {one.applicant: one.lead for one in made.allocation.market.applicants}
        for one in made.taken:
            child = one.applicant.applicant
            text = _told(one, made.allocation, made.reasons[child], leads[child])
            once = hashlib.sha256(f"{key} {child}".encode()).digest()[:16]
            try:
                yield child, self._tower.seal(child, {REASONS_FIELD: text}, once)[REASONS_FIELD]
            except KullaError:
                if one.fault != "sealed":
                    raise

    def _post(
        self, key: str, stated: Stated, made: _Made, report: AllocationReport, say: Say
    ) -> None:
        commands = part_commands(key, made.allocation)
        report.parts = len(commands)
        if stated.round["state"] != tables.DRAWN:
            return
        for number, command in enumerate(commands, 1):
            say(f"part {number} of {len(commands)}")
            self._submit(command)
            self._watch(number, len(commands))
        self._submit(finish_command(key, made.allocation, len(commands), made.public, made.audit))
        report.state = tables.ALLOCATED

    def _submit(self, command: Command) -> None:
        answer = submit(self._tower, command, self._sleep)
        if answer.status == "refused":
            raise AllocationDiffers(
                f"the scribe refused {command.name} ({answer.code} {dict(answer.detail)}).",
                place=str(command.data["round"]),
                remedy="Another run may have posted other results: compare, and see the cases.",
            )


@dataclass(frozen=True, slots=True)
class _Made:
    """What was computed: the allocation, transcripts, and by child its reasons."""

    allocation: Allocation
    public: bytes
    audit: bytes
    reasons: Mapping[str, tuple[Reason, ...]]
    taken: tuple[Taken, ...]


def _compute(key: str, stated: Stated, opened: list[tuple[Taken, bytes]]) -> _Made:
    from kulla.services.enrolment.policy.allocate import allocate
    from kulla.services.enrolment.policy.reasons import reasons

    seed = stated.round["seed"]
    assert isinstance(seed, bytes)
    applicants = [one.applicant for one, _ in opened]
    made: Market = market(stated.rules, stated.programmes, applicants)
    allocation = allocate(made, seed)
    why = reasons(allocation)
    salts = {
        one.applicant.applicant: salt or hashlib.sha256(one.applicant.commitment).digest()
        for one, salt in opened
    }
    return _Made(
        allocation,
        public_transcript(allocation, round_id=key, salts=salts, parts=stated.lottery),
        audit_transcript(allocation, round_id=key, parts=stated.lottery),
        why,
        tuple(one for one, _ in opened),
    )


def _told(one: Taken, allocation: Allocation, why: tuple[Reason, ...], lead: bytes) -> str:
    """What a family may read of its own child's result, as JSON: sealed before it is kept."""
    child = one.applicant.applicant
    placed = allocation.placements[child]
    wishes = allocation.wishes[child]
    found = {
        "programme": placed.programme,
        "choice": placed.choice,
        "fault": one.fault,
        "lead": lead.hex(),
        "claims": [[claim.kind, claim.at] for claim in one.applicant.claims],
        "with_sibling": [wish.programme for wish in wishes if wish.gained],
        "moved_up": [wish.programme for wish in wishes if wish.moved],
        "reasons": [asdict(reason) for reason in why],
    }
    return json.dumps(found, sort_keys=True, separators=(",", ":"))

"""Undo: an intruder's acts count no more, others' do, and every replay comes to the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kulla.drill.simulation import country as simulated
from kulla.drill.undo.country import FIRST_EPOCH, SITE, CountryHere
from kulla.drill.undo.run import UndoDrill, UndoDrillPlan
from kulla.drill.undo.story import Story, StoryClock, mark
from kulla.journal.annulment import (
    ANNULLED,
    ANNULLED_PART,
    CaseAct,
    RestingAct,
    UndoneAct,
    annulled_data,
    hash_of,
    part_data,
    sign_annulment,
)
from kulla.journal.errors import PolicyMissing
from kulla.kernel.canonical import Value
from kulla.kernel.edges import SystemClock
from kulla.kernel.service import POST, Act, Actor, Command, NewAct
from kulla.kernel.tower import Answer
from kulla.rebuild.chain import rebuild_registers
from kulla.rebuild.undo import NothingToUndo, Selection, Stage, UndoPlan, plan_undo
from kulla.registers.sqlite import LiveRows, create_tables, dump, open_registers
from kulla.services.accounts.authority import Authority
from kulla.services.accounts.demo_passkey import DemoPasskey
from kulla.tower.services import SERVICES
from kulla.tower.undo import PlanBroken, plan_bytes, read_plan

THEFT = mark("a stolen session")
DAY_MS = 86_400_000
NOT_COMPARED = frozenset(("kulla_applied",))


class Desk:
    """A country with a story's founding, and everybody in it by name."""

    def __init__(self, folder: Path, *, every: int = 4096) -> None:
        self.folder = folder
        self.clock = StoryClock()
        self.country = CountryHere(folder, self.clock, 1, fingerprint_every=every)
        self.story = Story(self.country, self.clock, 1)
        self.story.found()
        self.clock.at_ms += 2 * DAY_MS
        self.ana, self.besim, self.clara = self.story._people[10:13]
        self.clerk, self.thief = self.story._clerks[1], replace(self.story._clerks[0], via=THEFT)
        self._number = 0

    def command(self, who: Any, service: str, name: str, **data: Value) -> Command:
        """A fresh command of a citizen (by subject) or of a member of staff (by hands)."""
        self._number += 1
        given = self._number.to_bytes(16, "big")
        if isinstance(who, str):
            via = mark(f"session of {who}")
            return Command(service, name, given, Actor("citizen", who), data, via=via)
        command = Command(service, name, given, who.actor, data, via=who.via)
        assert who.passkey is not None
        signed = who.passkey.sign(command.key(), self.country.policy.relying_party, SITE)
        return replace(command, assertion=signed)

    def do(self, who: Any, name: str, *, service: str = "appointments", **data: Value) -> Command:
        """What is accepted; gives the command."""
        command = self.command(who, service, name, **data)
        [answer] = self.country.ask(command)
        assert answer.status == "accepted", answer
        return command

    def book(self, who: str, slot: str) -> str:
        """Book; gives the appointment."""
        self.do(who, "book", slot=slot)
        return str(self.row("appointments_slot", slot)["appointment"])

    def slots(self, count: int) -> list[str]:
        """Free times, a day apart."""
        sql = (
            "SELECT min(id) FROM appointments_slot WHERE state = 'free' AND starts_s > ?"
            " GROUP BY day ORDER BY day LIMIT ?"
        )
        values = (self.clock.at_ms // 1000 + 7200, count)
        return [str(row[0]) for row in self.country.connection.execute(sql, values)]

    def row(self, table: str, key: Any) -> Any:
        """A row of the registers as they stand."""
        return self.country.rows.get(table, key)

    def plan(self, selection: Selection | None = None) -> UndoPlan:
        """Plan to undo what the thief did."""
        scratch = self.folder / f"scratch-{self._number}-{self.country.writer.end}"
        scratch.mkdir(exist_ok=True)
        for left in scratch.iterdir():
            left.unlink()
        country = self.country
        authority = Authority(country.policy.relying_party, ())
        policies = [*reversed(country.policies)]
        stage = Stage(scratch, country.tables, SERVICES, authority, policies, FIRST_EPOCH)
        chosen = selection or Selection(sessions=(THEFT,))
        return plan_undo(country.plans(), country.keys, chosen, stage, "a theft")

    def run(self, planned: UndoPlan, custodians: Sequence[str] = ("arta", "besa")) -> Answer:
        """Let these custodians sign it, and hand it to the scribe."""
        keys = [simulated.key_of(f"{name}.custodians.example") for name in custodians]
        return self.country.annul(sign_annulment(planned.annulment, keys), planned.parts)

    def undo(self) -> UndoPlan:
        """Plan, sign, run."""
        planned = self.plan()
        answer = self.run(planned)
        assert answer.status == "accepted", answer
        return planned

    def registers(self) -> dict[str, list[Any]]:
        """Every row of every table."""
        return {
            table.name: dump(self.country.connection, table)
            for table in self.country.tables
            if table.name not in NOT_COMPARED
        }

    def rebuilt(self, **how: Any) -> tuple[dict[str, list[Any]], Any]:
        """The registers of a rebuild from the embassies, and its report."""
        self._number += 1
        path, country = self.folder / f"rebuilt-{self._number}", self.country
        with closing(open_registers(path, create=True)) as connection:
            create_tables(connection, country.tables)
            LiveRows(connection, country.tables).put("kulla_epoch", FIRST_EPOCH)
            settings: dict[str, Any] = {
                "authority": Authority(country.policy.relying_party, ()),
                "fingerprint_key": country.fingerprint_key,
                "policies": [country.policy],
            }
            report = rebuild_registers(
                country.plans(),
                country.keys,
                connection,
                country.tables,
                SERVICES,
                **(settings | how),
            )
            found = {
                table.name: dump(connection, table)
                for table in country.tables
                if table.name not in NOT_COMPARED
            }
        return found, report


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.country.connection.close()


def _of(planned: UndoPlan, kind: type) -> list[Any]:
    return [item for item in planned.items if isinstance(item, kind)]


def test_what_others_did_with_what_he_left_is_a_case_and_the_rest_is_as_it_was(desk: Desk) -> None:
    [slot, other] = desk.slots(2)
    appointment = desk.book(desk.ana, slot)
    theft = desk.do(desk.thief, "cancel", appointment=appointment, citizen=desk.ana)
    stolen_at = desk.country.writer.end - 1
    taken = desk.do(desk.besim, "book", slot=slot)
    desk.book(desk.clara, other)
    planned = desk.undo()
    assert [item.position for item in _of(planned, UndoneAct)] == [stolen_at]
    [case] = _of(planned, CaseAct)
    assert (case.position, case.subject, case.act) == (stolen_at + 1, desk.besim, "booked")
    assert case.rests_on == (stolen_at,)
    assert {one.subject for one in planned.people} == {desk.ana, desk.besim}
    row = desk.row("appointments_appointment", appointment)
    assert (row["state"], row["slot"]) == ("booked", slot)
    assert desk.row("appointments_slot", slot)["appointment"] == appointment
    assert desk.row("appointments_slot", other)["state"] == "taken"
    listed = desk.row("kulla_case", case.position)
    assert "is not free" in listed["reason"]
    for command in (theft, taken):
        [again] = desk.country.ask(command)
        assert (again.status, again.code) == ("refused", "annulled")
    rebuilt, report = desk.rebuilt()
    assert rebuilt == desk.registers()
    assert (report.case_count, report.misfits) == (0, [])
    assert report.fingerprints > 0


def test_an_act_that_still_fits_stays_and_is_named(desk: Desk) -> None:
    [slot] = desk.slots(1)
    desk.do(desk.thief, "book", slot=slot, citizen=desk.clara)
    appointment = str(desk.row("appointments_slot", slot)["appointment"])
    desk.do(desk.thief, "cancel", appointment=appointment, citizen=desk.clara)
    at = desk.country.writer.end
    mine = desk.book(desk.besim, slot)
    planned = desk.undo()
    assert _of(planned, CaseAct) == []
    [resting] = _of(planned, RestingAct)
    assert (resting.position, resting.rests_on[-1]) == (at, at - 1)
    assert desk.row("appointments_slot", slot)["appointment"] == mine
    assert desk.row("appointments_appointment", appointment) is None


def test_what_follows_from_a_case_is_a_case_too(desk: Desk) -> None:
    [slot] = desk.slots(1)
    appointment = desk.book(desk.ana, slot)
    desk.do(desk.thief, "cancel", appointment=appointment, citizen=desk.ana)
    stolen_at = desk.country.writer.end - 1
    taken = desk.book(desk.besim, slot)
    desk.do(desk.besim, "cancel", appointment=taken)
    [case, follows] = _of(desk.undo(), CaseAct)
    assert case.position + 1 == follows.position
    assert follows.rests_on == (stolen_at,)


def test_a_role_that_was_given_by_a_thief_never_was(desk: Desk) -> None:
    thief, honest = replace(desk.story.operators[0], via=THEFT), desk.story.operators[1]
    accomplice = DemoPasskey.make(desk.country.entropy)
    _open_account(desk, accomplice)
    data: dict[str, Value] = {"subject": desk.clara, "role": "clerk", "add": True}
    desk.do(thief, "propose_role", service="accounts", **data)
    proposal = desk.country.rows.find("accounts_proposal")[0]["id"]
    desk.do(honest, "approve_role", service="accounts", proposal=str(proposal))
    approved_at = desk.country.writer.end - 1
    false_clerk = replace(desk.clerk, actor=Actor("clerk", desk.clara), passkey=accomplice)
    [slot] = desk.slots(1)
    desk.do(false_clerk, "book", slot=slot, citizen=desk.ana)
    cases = _of(desk.undo(), CaseAct)
    assert cases[0].position == approved_at
    assert "no-role" in cases[1].reason
    assert desk.row("accounts_role", f"{desk.clara}:clerk") is None
    assert desk.row("appointments_slot", slot)["state"] == "free"


def _open_account(desk: Desk, passkey: DemoPasskey) -> None:
    token = {"mail": b"m" * 40, "mail_token": b"t" * 32, "language": "sq"}
    desk.do(desk.clara, "open", service="accounts", subject=desk.clara, **token)
    given: dict[str, Value] = {
        "credential": passkey.credential,
        "public_key": passkey.public_key,
        "transports": "",
        "backed_up": False,
        "label": None,
    }
    desk.do(desk.clara, "add_passkey", service="accounts", **given)


def test_a_row_that_changed_since_the_plan_stays_and_is_a_case(desk: Desk) -> None:
    [slot, later, third] = desk.slots(3)
    appointment = desk.book(desk.ana, slot)
    untouched = desk.book(desk.clara, third)
    desk.do(desk.thief, "reschedule", appointment=appointment, citizen=desk.ana, slot=later)
    stolen_at = desk.country.writer.end - 1
    desk.do(desk.thief, "cancel", appointment=untouched, citizen=desk.clara)
    planned = desk.plan()
    desk.do(desk.ana, "cancel", appointment=appointment)
    assert desk.run(planned).status == "accepted"
    [undo] = desk.country.rows.find("kulla_annulment")
    assert undo["moved"] == 2, "the appointment and its later slot"
    assert desk.row("appointments_appointment", appointment)["state"] == "cancelled"
    assert desk.row("appointments_appointment", untouched)["state"] == "booked"
    assert "changed after the undo was planned" in desk.row("kulla_case", stolen_at)["reason"]
    rebuilt, report = desk.rebuilt()
    assert rebuilt == desk.registers()
    assert report.misfits == []


def test_without_enough_custodians_or_with_other_parts_nothing_changes(desk: Desk) -> None:
    [slot] = desk.slots(1)
    appointment = desk.book(desk.ana, slot)
    desk.do(desk.thief, "cancel", appointment=appointment, citizen=desk.ana)
    planned, before, end = desk.plan(), desk.registers(), desk.country.writer.end
    other = replace(planned, parts=(planned.parts[0] + b"",) * 2)
    for answer in (desk.run(planned, ["arta"]), desk.run(other)):
        assert (answer.status, answer.code) == ("refused", "annulment")
        assert answer.detail["error"]
    assert desk.registers() == before
    assert desk.country.writer.end == end


def test_an_undo_takes_effect_once_and_says_the_same_again(desk: Desk) -> None:
    [slot] = desk.slots(1)
    desk.do(desk.thief, "book", slot=slot, citizen=desk.ana)
    planned = desk.plan()
    first, end = desk.run(planned), desk.country.writer.end
    desk.book(desk.ana, slot)
    assert desk.run(planned) == first
    assert desk.country.writer.end == end + 1
    with pytest.raises(NothingToUndo):
        desk.plan()


def test_a_second_undo_goes_beside_the_first(desk: Desk) -> None:
    slots = desk.slots(3)
    second = mark("another stolen session")
    kept = desk.book(desk.ana, slots[0])
    desk.do(desk.thief, "cancel", appointment=kept, citizen=desk.ana)
    taken = desk.do(desk.besim, "book", slot=slots[0])
    desk.undo()
    desk.do(replace(desk.thief, via=second), "book", slot=slots[1], citizen=desk.clara)
    desk.do(replace(desk.thief, via=second), "cancel", appointment=kept, citizen=desk.ana)
    planned = desk.plan(Selection(sessions=(second,)))
    assert len(_of(planned, UndoneAct)) == 2
    assert desk.run(planned).status == "accepted"
    assert desk.row("appointments_appointment", kept)["state"] == "booked"
    assert desk.row("appointments_slot", slots[1])["state"] == "free"
    [again] = desk.country.ask(taken)
    assert again.code == "annulled"
    rebuilt, report = desk.rebuilt()
    assert rebuilt == desk.registers()
    assert (report.case_count, report.misfits) == (0, [])


def test_what_happened_before_a_takeover_is_undone_after_it(desk: Desk) -> None:
    [slot] = desk.slots(1)
    appointment = desk.book(desk.ana, slot)
    desk.do(desk.thief, "cancel", appointment=appointment, citizen=desk.ana)
    replayed = desk.country.take_over("home was wiped")
    assert (replayed.case_count, replayed.misfits) == (0, [])
    taken = desk.book(desk.besim, slot)
    planned = desk.undo()
    assert planned.annulment.policy == 2
    assert desk.row("appointments_appointment", appointment)["state"] == "booked"
    assert desk.row("appointments_appointment", taken) is None
    replayed = desk.country.take_over("and again")
    assert (replayed.case_count, replayed.misfits) == (0, [])
    assert desk.row("appointments_appointment", appointment)["state"] == "booked"


def test_letters_that_went_out_are_not_called_back(desk: Desk) -> None:
    [slot] = desk.slots(1)
    start_ms = desk.clock.at_ms
    appointment = desk.book(desk.ana, slot)
    sent: dict[str, Value] = {
        "message": "ab" * 16,
        "subject": desk.ana,
        "kind": "booked",
        "about": appointment,
        "channel": "mail",
    }
    [answer] = desk.country.ask(Command("messages", "record_sent", b"m" * 16, POST, sent))
    assert answer.status == "accepted", answer
    planned = desk.plan(Selection(since_ms=start_ms))
    assert planned.annulment.undone == 1
    assert desk.run(planned).status == "accepted"
    assert desk.row("messages_message", "ab" * 16) is not None


def test_selections_choose_by_all_that_is_given() -> None:
    act = Act(1, "s", "a", 1, 1000, Actor("clerk", "x"), b"", {}, via=b"v" * 8)
    assert Selection(actors=("x",), sessions=(b"v" * 8,), since_ms=1000, until_ms=1001).takes(act)
    for other in (
        Selection(actors=("y",), sessions=(b"v" * 8,)),
        Selection(actors=("x",), sessions=(b"w" * 8,)),
        Selection(since_ms=1001),
        Selection(until_ms=1000),
    ):
        assert not other.takes(act)
    assert not Selection(since_ms=0).takes(replace(act, service="tower"))


def test_the_same_journal_gives_the_same_plan_and_a_plan_file_reads_back(desk: Desk) -> None:
    slots = desk.slots(4)
    for slot in slots:
        desk.do(desk.thief, "book", slot=slot, citizen=desk.ana)
    one, other = desk.plan(), desk.plan()
    data = plan_bytes(one)
    assert data == plan_bytes(other)
    assert read_plan(data) == one
    for at in range(0, len(data), max(1, len(data) // 60)):
        changed = bytearray(data)
        changed[at] ^= 0x10
        for damaged in (bytes(changed), data[:at]):
            try:
                read = read_plan(damaged, place="plan")
            except PlanBroken:
                continue
            assert read.annulment != one.annulment or read.parts == one.parts


def _thiefs_annulment(desk: Desk, planned: UndoPlan, custodians: Sequence[str]) -> None:
    """Somebody with home's keys writes the acts of an undo past the scribe's checks."""
    keys = [simulated.key_of(f"{name}.custodians.example") for name in custodians]
    note = sign_annulment(planned.annulment, keys)
    hashes = [hash_of(part) for part in planned.parts]
    kinds = desk.country.writer._services["tower"].acts
    honest = {name: kinds[name] for name in (ANNULLED, ANNULLED_PART)}
    for name in honest:
        kinds[name] = replace(kinds[name], apply=lambda rows, act: None)  # type: ignore[index]
    digest = planned.annulment.digest
    acts = [NewAct(ANNULLED, annulled_data(note, hashes))]
    acts += [
        NewAct(ANNULLED_PART, part_data(digest, n, part)) for n, part in enumerate(planned.parts)
    ]
    written = desk.country.writer.write_own(*acts)
    kinds.update(honest)  # type: ignore[attr-defined]
    desk.country.scribe._send(written.entries, ())
    desk.country._deliver()


def test_an_undo_that_custodians_did_not_sign_is_a_case_in_every_replay(desk: Desk) -> None:
    [slot] = desk.slots(1)
    appointment = desk.book(desk.ana, slot)
    planned = desk.plan(Selection(actors=(desk.ana,)))
    _thiefs_annulment(desk, planned, ["arta", "stranger"])
    rebuilt, report = desk.rebuilt()
    assert [reason.count("not enough custodians") for _, reason in report.cases] == [1, 0]
    assert any(row[0] == appointment for row in rebuilt["appointments_appointment"])


def test_an_undo_by_custodians_of_a_policy_that_is_not_at_hand_stops_a_replay(desk: Desk) -> None:
    [slot] = desk.slots(1)
    desk.do(desk.thief, "book", slot=slot, citizen=desk.ana)
    desk.undo()
    with pytest.raises(PolicyMissing, match="version 1"):
        desk.rebuilt(policies=[])
    rebuilt, report = desk.rebuilt(policies=[], go_on=True)
    assert report.case_count == 3, "the undo, its part, and the fingerprint behind it"
    assert len(report.misfits) == 1
    assert rebuilt != desk.registers()


@pytest.mark.parametrize("seed", [3, 4])
def test_weeks_of_an_intruder_come_out(seed: int, tmp_path: Path) -> None:
    plan = UndoDrillPlan(seed, 1600, 60, tmp_path)
    report = UndoDrill(plan, SystemClock(), lambda _: None).run()
    assert report.passed, report.as_map()
    assert list(tmp_path.iterdir()) == []


def test_a_drill_that_forgets_a_row_does_not_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build that is broken on purpose: the comparison must find it."""
    from kulla.rebuild import undo

    def forgetful(items: Any) -> list[bytes]:
        kept = [item for item in items if getattr(item, "table", "") != "appointments_slot"]
        return honest(kept)

    honest = undo.parts_of
    monkeypatch.setattr(undo, "parts_of", forgetful)
    plan = UndoDrillPlan(3, 1600, 60, tmp_path)
    report = UndoDrill(plan, SystemClock(), lambda _: None).run()
    assert not report.registers_equal
    assert not report.passed


def test_memory_is_not_needed_for_the_scratch_files(desk: Desk) -> None:
    """A plan leaves nothing open behind, so its folder can be removed at once."""
    [slot] = desk.slots(1)
    desk.do(desk.thief, "book", slot=slot, citizen=desk.ana)
    desk.plan()
    for path in desk.folder.glob("scratch-*/*.sqlite"):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("BEGIN EXCLUSIVE")

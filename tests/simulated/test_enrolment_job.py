"""The job that allocates a round: what counts, what is kept, and that it can be killed anywhere."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from fakes.enrolment_country import CLERK, DAY_S, ROUND, School
from fakes.tower import FakeTower, SetClock
from kulla.kernel.service import Actor
from kulla.services.enrolment import tables
from kulla.services.enrolment.policy.rules import Claim
from kulla.services.enrolment.results import posting
from kulla.services.enrolment.results.kept import folder_of, sealed_reasons
from kulla.tower.enrolment import files as deposited
from kulla.tower.enrolment.allocating import AllocationDiffers, Allocator
from kulla.tower.enrolment.inputs import RoundMissing
from kulla.tower.enrolment.lists import ListKeeper
from kulla.tower.enrolment.registers import RoundRows

NOW_S = 1_780_000_000
SEATS: dict[str, Any] = {
    "oak": [["need", 1], ["open", 4]],
    "elm": [["open", 3]],
    "fir": [["open", 9]],
}


class Died(Exception):
    """The job's process was killed here."""


def settled(folder: Path, count: int = 30) -> School:
    folder.mkdir(parents=True, exist_ok=True)
    clock = SetClock(NOW_S * 1000)
    tower = FakeTower(folder / "registers.sqlite", clock)
    school = School(tower, clock, NOW_S)
    school.prepare(SEATS)
    children = [subject for subject, _ in tower.enrol(count + 4)]
    for number, child in enumerate(children[:count]):
        orders = (["oak", "elm", "fir"], ["elm", "oak", "fir"], ["oak"], ["elm", "oak"])
        school.apply(child, orders[number % 4])
    school.children = {
        "need": school.apply(children[count], ["oak"], [Claim("special-need")]),
        "sibling": school.apply(children[count + 1], ["elm", "fir"], [Claim("sibling", "s-elm")]),
        "unseen": school.apply(children[count + 2], ["elm", "fir"], [Claim("staff", "s-elm")]),
        "old": school.apply(children[count + 3], ["fir"], born="2010-01-01"),
    }
    school.confirm(school.children["need"])
    school.close()
    return school


def job(folder: Path, school: School, watch: Any = lambda *_: None) -> Allocator:
    rows = RoundRows(folder / "registers.sqlite")
    return Allocator(folder, rows, school.tower, school.clock, lambda _: None, watch=watch)


def dump(school: School) -> dict[str, list[Any]]:
    names = (tables.RESULT, tables.PLACE, tables.FILLED, tables.ROUND)
    rows = {name: school.tower._rows.find(name, 10_000) for name in names}
    for name in names:
        for row in rows[name]:
            row.pop("position")
    return rows


def result_of(school: School, child: str) -> tuple[Any, Any]:
    row = school.tower._rows.get(tables.RESULT, f"{ROUND}-{child}")
    assert row is not None
    return row["programme"], row["pool"]


def test_a_round_is_allocated_with_what_counts(tmp_path: Path) -> None:
    school = settled(tmp_path)
    report = job(tmp_path, school).run(ROUND)
    assert (report.applicants, report.state, report.refused) == (34, "allocated", {"age": 1})
    assert report.placed == 1 + 4 + 3 + 9
    named = school.children
    assert result_of(school, named["need"]) == ("oak", "open"), "a private pool's name is not told"
    assert result_of(school, named["sibling"]) == ("elm", "open")
    assert result_of(school, named["old"]) == ("", "")
    row = school.tower._rows.get(tables.ROUND, ROUND)
    assert row is not None
    files = folder_of(tmp_path, ROUND)
    for name, column in (("public.json", "public_transcript"), ("audit.json", "audit_transcript")):
        data = (files / name).read_bytes()
        assert hashlib.sha256(data).digest() == row[column]
        assert (files / name).stat().st_mode & 0o077 == 0
    assert "special-need" not in json.dumps(
        json.loads((files / "public.json").read_bytes())["programmes"]
    )
    sealed = sealed_reasons(tmp_path, ROUND, named["unseen"])
    assert sealed is not None
    told = json.loads(school.tower.open(named["unseen"], {"result": sealed}, "test")["result"])
    assert told["claims"] == [], "a claim that wants a document, and that no clerk confirmed"
    assert told["reasons"][0]["programme"] == "elm"


@pytest.mark.parametrize("died_at", [1, 2, 3])
def test_killed_anywhere_and_run_again_it_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, died_at: int
) -> None:
    monkeypatch.setattr(posting, "PART_BYTES_MAX", 900)
    unharmed, harmed = settled(tmp_path / "a"), settled(tmp_path / "b")
    assert job(tmp_path / "a", unharmed).run(ROUND).parts > 4

    def die(part: int, _parts: int) -> None:
        if part == died_at:
            raise Died

    with pytest.raises(Died):
        job(tmp_path / "b", harmed, die).run(ROUND)
    assert dump(harmed) != dump(unharmed)
    job(tmp_path / "b", harmed).run(ROUND)
    assert dump(harmed) == dump(unharmed)
    again = job(tmp_path / "b", harmed).run(ROUND)
    assert again.state == "allocated", "a third time finds it done"


def test_lost_transcripts_are_computed_again_and_must_be_the_same(tmp_path: Path) -> None:
    school = settled(tmp_path)
    job(tmp_path, school).run(ROUND)
    files = folder_of(tmp_path, ROUND)
    public = (files / "public.json").read_bytes()
    for file in files.iterdir():
        file.unlink()
    keeper = ListKeeper(
        tmp_path, tmp_path / "registers.sqlite", school.tower, school.clock, lambda _: None
    )
    keeper.turn()
    assert (files / "public.json").read_bytes() == public
    row = school.tower._rows.get(tables.ROUND, ROUND)
    assert row is not None
    school.tower._rows.put(tables.ROUND, row | {"public_transcript": bytes(32)})
    school.tower._database.commit()
    with pytest.raises(AllocationDiffers):
        job(tmp_path, school).run(ROUND)


def test_the_quorum_holds_the_transcripts_also_where_they_cant_be_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deposited, "PART_BYTES", 1000)
    school = settled(tmp_path)
    report = job(tmp_path, school).run(ROUND)
    files = folder_of(tmp_path, ROUND)
    public, audit = ((files / f"{kind}.json").read_bytes() for kind in ("public", "audit"))
    assert report.files == -(-len(public) // 1000) + -(-len(audit) // 1000)
    named = {name for command in school.tower.submitted for name in command.names}
    assert set(school.tower.files) <= named, "each file is named, so that a quorum has to hold it"
    assert job(tmp_path, school).run(ROUND).files == 0, "they are there already"
    for file in files.iterdir():
        file.unlink()
    rows = school.tower._rows
    [first, *_] = rows.find(tables.APPLICATION, 1)
    rows.put(tables.APPLICATION, first | {"salt_sealed": b"erased"})
    school.tower._database.commit()
    keeper = ListKeeper(
        tmp_path, tmp_path / "registers.sqlite", school.tower, school.clock, lambda _: None
    )
    keeper.turn()
    assert "other transcripts" in keeper.trouble or "open" in keeper.trouble
    assert (files / "public.json").read_bytes() == public
    assert (files / "audit.json").read_bytes() == audit


def test_what_was_tampered_with_is_not_allocated(tmp_path: Path) -> None:
    school = settled(tmp_path)
    rows = school.tower._rows
    [first, *_] = rows.find(tables.APPLICATION, 1)
    rows.put(tables.APPLICATION, first | {"choices": '["fir"]'})
    school.tower._database.commit()
    report = job(tmp_path, school).run(ROUND)
    assert report.refused == {"age": 1, "commitment": 1}
    rows.put(tables.APPLICATION, first | {"commitment": bytes(32)})
    school.tower._database.commit()
    with pytest.raises(AllocationDiffers):
        job(tmp_path, school).run(ROUND)


def test_a_round_that_is_not_drawn_is_not_allocated(tmp_path: Path) -> None:
    clock = SetClock(NOW_S * 1000)
    school = School(FakeTower(tmp_path / "registers.sqlite", clock), clock, NOW_S)
    school.prepare(SEATS)
    with pytest.raises(RoundMissing):
        job(tmp_path, school).run(ROUND)
    with pytest.raises(RoundMissing):
        job(tmp_path, school).run("no-such")


def test_the_posts_loop_allocates_moves_lists_and_lets_offers_lapse(tmp_path: Path) -> None:
    school = settled(tmp_path)
    keeper = ListKeeper(
        tmp_path, tmp_path / "registers.sqlite", school.tower, school.clock, lambda _: None
    )
    assert keeper.turn() == 0, "nobody asked for it yet"
    school.done("ask_allocation", round=ROUND)
    assert keeper.turn() > 0
    school.done("open_offers", round=ROUND)
    before = school.tower._rows.find(tables.RESULT, 100, programme="elm", state=tables.OPEN)
    child = str(before[0]["child"])
    school.done("answer_offer", Actor("citizen", child), round=ROUND, answer="declined")
    keeper.turn()
    filled = school.tower._rows.get(tables.FILLED, f"{ROUND}-elm")
    assert filled is not None
    assert filled["held"] == 3, "the next child in the list has the seat"
    school.clock.at_ms = (NOW_S + 40 * DAY_S) * 1000
    while keeper.turn():
        pass
    rows = school.tower._rows
    states = {str(row["state"]) for row in rows.find(tables.RESULT, 100)}
    assert tables.LAPSED in states
    for row in rows.find(tables.FILLED, 100):
        full = {"oak": 5, "elm": 3, "fir": 9}[str(row["programme"])]
        assert int(str(row["held"])) + int(str(row["kept"])) <= full
        assert row["held"] == full or row["waiting"] == 0, "no free seat while somebody waits"
    assert CLERK

"""A file that a family handed in outlives its home: wiped, taken over, downloaded, byte by byte."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.demo import running_demo
from fakes.enrolment import PROGRAMMES, ROUND, SCHOOLS, ZONE, rules_text, wish
from fakes.uploads import PDF
from kulla.embassy.blob_folder import FolderBlobs
from kulla.embassy.blobs import SqliteBlobs
from kulla.embassy.folder import blobs_path
from kulla.kernel.edges import SystemClock, SystemEntropy
from kulla.kernel.errors import KullaError
from kulla.kernel.service import Actor, Command
from kulla.kernel.tower import Answer
from kulla.services.enrolment.applications.commitment import commitment_of, facts_text
from kulla.services.enrolment.policy.rules import Facts
from kulla.tower.edge import HomeEdge
from kulla.tower.home import Home
from kulla.tower.takeover.recover import take_over
from kulla.tower.up import DemoPlan, Tower

pytestmark = [pytest.mark.live, pytest.mark.long]

CONTENT = PDF[:60] + b"%" + os.urandom(1).hex().encode() * 700_000 + PDF[60:]
"""About 1.4 MB: no round carries it along."""

STATE = Actor("operator", "test")


@pytest.fixture
def country(tmp_path: Path) -> Iterator[tuple[DemoPlan, Tower]]:
    with running_demo(tmp_path, accounts=False, days=1) as running:
        yield running


class Family:
    """A mother and her child at one home; asks its tower as pages do."""

    def __init__(self, edge: HomeEdge, mother: str) -> None:
        self.edge, self.mother, self.child = edge, mother, ""

    def ask(self, actor: Actor, command: str, /, *names: bytes, **data: Any) -> Answer:
        """Ask for 'service.command'; `names` are its blobs."""
        service, _, name = command.partition(".")
        id_ = SystemEntropy().random_bytes(16)
        return self.edge.submit(Command(service, name, id_, actor, data, names), 30.0)

    def done(self, actor: Actor, command: str, /, *names: bytes, **data: Any) -> None:
        answer = self.ask(actor, command, *names, **data)
        assert answer.status == "accepted", (command, answer)

    @property
    def actor(self) -> Actor:
        return Actor("citizen", self.mother, self.child)

    def settle(self) -> None:
        """The round opens, the child is registered, and its mother applies."""
        now_s = SystemClock().now_ms() // 1000
        days = {"opens_s": now_s + 2, "closes_s": now_s + 86_400, "results_s": now_s + 2 * 86_400}
        about = {"title": "Test", "school_year": "2026-2027", "zone": ZONE, "parent": ""}
        last = {"answer_by_s": now_s + 3 * 86_400}
        self.done(STATE, "enrolment.prepare_round", round=ROUND, **about, **days, **last)
        self.done(STATE, "enrolment.set_rules", round=ROUND, rules=rules_text())
        for row in SCHOOLS:
            about = dict(zip(("school", "name", "town", "county", "address"), row, strict=True))
            self.done(STATE, "enrolment.enter_school", **about)
        for programme, school, grade, name in PROGRAMMES:
            named = {"programme": programme, "school": school, "grade": grade, "name": name}
            pools = {"pools": [["open", 20]]}
            self.done(STATE, "enrolment.set_programme", round=ROUND, **named, **pools)
        self.done(STATE, "enrolment.publish_round", round=ROUND)
        [(self.child, key)] = self.edge.enrol(1)
        sealed = self.edge.seal(self.child, {"name": "Era"})["name"]
        person = {"subject": self.child, "name": sealed, "key": key}
        self.done(STATE, "citizens.register", key, **person)
        relation = {"guardian": self.mother, "ward": self.child, "kind": "child", "until_day": ""}
        self.done(Actor("clerk", "test"), "accounts.relate", **relation)
        facts = self.edge.seal(self.child, {"facts": "{}"})["facts"]
        self.done(self.actor, "enrolment.enter_child", facts=facts, source="register")
        salt = bytes(32)
        fields = {"facts": facts_text(Facts()), "salt": salt.hex()}
        data = wish("naim-1", **self.edge.seal(self.child, fields))
        data["commitment"] = commitment_of(salt, "1", ("naim-1",), False, Facts())
        until_s = time.monotonic() + 20
        while (answer := self.ask(self.actor, "enrolment.apply", **data)).code == "not-open":
            assert time.monotonic() < until_s
            time.sleep(0.2)
        assert answer.status == "accepted", answer

    def hand_in(self, content: bytes) -> bytes:
        """Hand in a file; its name, once a quorum holds it."""
        blob = self.edge.keep_file(self.child, content, SystemEntropy().random_bytes(16))
        name = self.edge.seal(self.child, {"name": '{"name":"a.pdf"}'})["name"]
        about = {"round": ROUND, "kind": "other", "name": name, "media_type": "application/pdf"}
        size = {"size": len(content), "blob": blob}
        self.done(self.actor, "enrolment.add_document", blob, **about, **size)
        return blob


def test_a_file_handed_in_downloads_from_the_next_home(
    country: tuple[DemoPlan, Tower], tmp_path: Path
) -> None:
    plan, tower = country
    mother = json.loads(plan.home.demo_people.read_text())[0]["subject"]
    family = Family(HomeEdge(plan.home), mother)
    family.settle()
    name = family.hand_in(CONTENT)
    assert family.edge.read_file(family.child, name, "a test") == CONTENT
    holders = [
        each for each in ("vienna", "rome", "ottawa", "wellington") if _holds(plan, each, name)
    ]
    assert len(holders) >= 3, "a quorum held it before the act counted"
    unnamed = family.ask(family.actor, "enrolment.add_document", b"?" * 32)
    assert unnamed.code == "unknown-blob"
    _wipe(plan, tower)
    new = Home(tmp_path / "home")
    report = take_over(plan.kit, new.folder, port=plan.port, reason="a test wiped it")
    assert report.certain
    assert report.cases == ()
    assert FolderBlobs(new.files).usage() == (0, 0), "the doors reopen before files come"
    site = Tower(new, tmp_path / "logs")
    try:
        site.start()
        again = Family(HomeEdge(new), mother)
        again.child = family.child
        assert again.edge.read_file(again.child, name, "a test") == CONTENT
        assert FolderBlobs(new.files).names() == [name]
        with pytest.raises(KullaError):
            again.edge.read_file(mother, name, "a test")
        second = again.hand_in(CONTENT[::-1])
        assert again.edge.read_file(again.child, second, "a test") == CONTENT[::-1]
    finally:
        site.end()


def _holds(plan: DemoPlan, embassy: str, name: bytes) -> bool:
    store = SqliteBlobs(blobs_path(plan.embassy(embassy)), read_only=True)
    try:
        return store.missing([name]) == []
    finally:
        store.close()


def _wipe(plan: DemoPlan, tower: Tower) -> None:
    """Kill home and an embassy, and overwrite nothing less than all of them."""
    lost = ("scribe", "keeper", "portal", "post", "embassy-vienna")
    for child in tower.minder.children:
        if child.spec.name in lost and child.pid is not None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait_stopped(SystemClock().monotonic_s() + 5)
    shutil.rmtree(plan.home.folder)
    shutil.rmtree(plan.embassy("vienna"))

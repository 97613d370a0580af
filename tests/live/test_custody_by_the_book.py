"""docs/OPERATE.md, typed: the policy changes while home runs, then home is wiped and taken over.

Custodians sit on machines of their own (folders). The kit that is used is typed from paper, and
older than the policy; the recovery key comes in shares.
"""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from fakes.demo import free_ports
from fakes.typed import TypedCountry, commands_of, until, words_of
from kulla.kernel.canonical import Value
from kulla.kernel.edges import SystemClock, SystemEntropy
from kulla.kernel.service import Actor, Command
from kulla.registers.sqlite import LiveRows, open_registers
from kulla.tower.country import Founding
from kulla.tower.edge import HomeEdge
from kulla.tower.home import Home
from kulla.tower.services import register_tables

pytestmark = [pytest.mark.live, pytest.mark.long]
TAKEOVER = "A takeover, on one page"
CHANGE = "Change the policy"
SAID = "another site took over"


class People:
    """Made-up people who go on registering, and what they were told is confirmed."""

    def __init__(self, home: Path) -> None:
        self.edge = HomeEdge(Home(home))
        self.founding = Founding(self.edge, SystemClock(), SystemEntropy())
        self.confirmed: dict[str, str] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go_on)

    def one(self, name: str, wait_s: float = 20) -> None:
        """Register somebody; noted where it was confirmed."""
        [(subject, key)] = self.edge.enrol(1)
        sealed: Value = self.edge.seal(subject, {"name": name})["name"]
        citizens: list[Value] = [{"subject": subject, "name": sealed, "key": key}]
        command = Command(
            "citizens",
            "register_many",
            SystemEntropy().random_bytes(16),
            Actor("operator", "demo"),
            {"citizens": citizens},
            (key,),
        )
        if self.edge.submit(command, wait_s).status == "accepted":
            self.confirmed[subject] = name

    def _go_on(self) -> None:
        number = 0
        while not self._stop.wait(0.1):
            number += 1
            try:
                self.one(f"Person {number}")
            except Exception:  # the scribe starts anew; what was not confirmed counts for nothing
                time.sleep(0.2)

    def __enter__(self) -> People:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TypedCountry]:
    typed = TypedCountry(tmp_path_factory.mktemp("c"), free_ports(10))
    try:
        typed.begin()
        yield typed
    finally:
        typed.end()


@pytest.fixture(scope="module")
def told() -> dict[str, str]:
    """Everybody who was ever told that they are registered: their name by subject."""
    return {}


def bookings(home: Path) -> set[str]:
    """Who stands in the registers."""
    with closing(open_registers(Home(home).registers)) as connection:
        rows = LiveRows(connection, register_tables()).find("citizens_citizen", limit=100_000)
    return {str(row["subject"]) for row in rows}


def test_every_command_of_both_sections_is_typed_here() -> None:
    def shown(title: str) -> list[str]:
        return [" ".join(shlex.split(line)[1:3]) for line in commands_of(title)]

    assert shown(TAKEOVER) == [
        "kit check", "takeover plan", "takeover sign", "takeover run", "up /srv/kulla/new",
        "status /srv/kulla/new", "kit update",
    ]  # fmt: skip
    assert shown(CHANGE) == [
        "policy change", "policy sign", "policy bring", "embassy pin", "embassy fill",
        "embassy serve",
    ]  # fmt: skip


def test_the_kit_is_whole_and_custodians_have_their_own_on_paper(country: TypedCountry) -> None:
    said = country.run("kit", "check", country.kit)
    assert "the recovery key is in shares, 2 needed, with arta, besa, drita" in said
    assert not (country.kit / "recovery.key").exists()
    pages = country.folder / "pages"
    assert (pages / "kit.html").read_text().count("<svg") > 8
    for name in ("arta", "besa"):
        typed = country.folder / "typed" / name
        country.run("kit", "read", pages / f"custodian-{name}.txt", "--into", typed)
        for kind in ("key", "share"):
            own = country.machine(name) / f"{name}.{kind}"
            assert (typed / own.name).read_bytes() == own.read_bytes()
            shutil.copy(typed / own.name, own)
        assert own.read_text() not in (pages / "kit.txt").read_text()


def test_an_embassy_that_was_lost_is_replaced_while_people_go_on(
    country: TypedCountry, told: dict[str, str]
) -> None:
    country.stop("rome", signal.SIGKILL)
    shutil.rmtree(country.folder / "rome")
    country.embassy("oslo", 6)
    with People(country.home) as people:
        until(lambda: len(people.confirmed) > 5)
        changed = {"/srv/kulla/home/policy": country.home / "policy"}
        said = country.run(*words_of(CHANGE, "policy change", changed))
        assert "The embassy rome goes." in said
        file = country.folder / "policy.change"
        for name in ("arta", "besa"):
            answer = country.sign("policy", file, name, CHANGE)
            shutil.copy(answer, country.folder / f"{name}.signature")
        words = words_of(CHANGE, "policy bring", {"/srv/kulla/home": country.home})
        said = country.run(*words[:-2], code=1)
        assert "arta signed; 1 more must, of besa, drita" in said
        _kill_on_the_way(country, words)
        said = country.run(*words)
        assert "Version 2 is in force. Pinned by vienna, ottawa, wellington." in said
        count = len(people.confirmed)
        until(lambda: len(people.confirmed) > count + 5)
    told.update(people.confirmed)
    assert bookings(country.home) >= told.keys()
    assert [home.version for home in Home(country.home).policies()] == [2]


def _kill_on_the_way(country: TypedCountry, words: list[str]) -> None:
    """Kill the command as soon as home has begun to take the next version up."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kulla", *words], cwd=country.folder, stderr=subprocess.DEVNULL
    )
    until((country.home / "policy.next").exists)
    process.kill()
    process.wait()
    assert [home.version for home in Home(country.home).policies()] == [1, 2]


def test_the_new_embassy_is_pinned_filled_and_counts(country: TypedCountry) -> None:
    oslo = country.folder / "oslo"
    changed = {"/srv/embassy": oslo, "policy": country.home / "policy"}
    for step in ("embassy pin", "embassy fill"):
        country.run(*words_of(CHANGE, step, changed))
    country.start("oslo", *words_of(CHANGE, "embassy serve", changed))
    until(lambda: country.state().get("embassies", {}).get("oslo"))
    with People(country.home) as people:  # without vienna, three of four are left
        country.stop("vienna", signal.SIGKILL)
        until(lambda: len(people.confirmed) > 3)
    country.start("vienna", "embassy", "serve", country.folder / "vienna")
    until(lambda: country.state().get("embassies", {}).get("vienna"))


def test_a_copy_of_the_home_s_folder_does_not_serve_beside_it(country: TypedCountry) -> None:
    country.stop("home")
    copy = country.folder / "copy"
    shutil.copytree(country.home, copy, ignore=shutil.ignore_patterns("run"))
    country.start("home", "up", country.home)
    until(lambda: country.state().get("witnessed"))
    said = country.run("scribe", "serve", copy, code=1)
    assert "this folder was copied, restored or moved" in said
    assert "kulla up" in said
    assert country.state()["witnessed"]


def test_home_is_wiped_and_taken_over_with_what_was_on_paper(
    country: TypedCountry, told: dict[str, str]
) -> None:
    with People(country.home) as people:
        until(lambda: len(people.confirmed) > 3)
    told.update(people.confirmed)
    _wipe(country)
    kit = _typed_kit(country)
    new = country.folder / "new"
    changed = {"/srv/kulla/new": new, "/media/usb/kit": kit}
    said = country.run(*words_of(TAKEOVER, "kit check", changed))
    assert "BROKEN" not in said
    said = country.run(*words_of(TAKEOVER, "takeover plan", changed))
    plan = country.folder / "takeover.plan"
    assert said.split()[1] in plan.read_text()
    run = [*words_of(TAKEOVER, "takeover run", changed), "--port", str(country.first + 9)]
    for name in ("arta", "besa"):
        (country.folder / f"{name}.signature").write_bytes(b"not there yet")
    _sign(country, plan, "arta")
    said = country.run(*run, code=1)
    assert "arta signed; 1 more must, of besa, drita" in said
    assert "besa.signature" in said
    _sign(country, plan, "besa", "--no-share")
    said = country.run(*run, code=1)
    assert "1 of the 2 shares" in said
    _sign(country, plan, "besa")
    said = country.run(*run)
    assert "Signed by arta, besa." in said
    assert "Epoch 2 is prepared" in said
    again = country.run(*run)
    assert "Epoch 2 is prepared" in again, "typing it once more does no harm"
    left = [path.name for path in new.rglob("*") if "share" in path.name]
    assert left == [], "what came of the recovery key is gone"


def _wipe(country: TypedCountry) -> None:
    country.stop("home", signal.SIGKILL)
    time.sleep(1)
    shutil.copytree(country.home, country.folder / "old", ignore=shutil.ignore_patterns("run"))
    shutil.rmtree(country.home)
    country.stop("ottawa", signal.SIGKILL)
    shutil.rmtree(country.folder / "ottawa")
    shutil.rmtree(country.folder / "stick")


def _typed_kit(country: TypedCountry) -> Path:
    """The kit from the text of its printed pages, once with a mistake; and arta's own key."""
    pages, kit = country.folder / "pages", country.folder / "typed" / "kit"
    text = (pages / "kit.txt").read_text()
    wrong = country.folder / "wrong.txt"
    wrong.write_text(text.replace("# version 1 ", "# version l "))
    said = country.run("kit", "read", wrong, "--into", kit, code=1)
    assert "a typing mistake in line 3 of policy" in said
    assert not kit.exists()
    country.run("kit", "read", pages / "kit.txt", "--into", kit)
    return kit


def _sign(country: TypedCountry, plan: Path, name: str, *more: str) -> None:
    there = country.machine(name)
    shutil.copy(plan, there)
    words = words_of(TAKEOVER, "takeover sign", {"besa.key": f"{name}.key"})
    said = country.run(*words, *more, cwd=there, typed="y\n")
    assert "home was wiped on 15 July" in said
    assert f"Signed as {name}" in said
    shutil.copy(there / f"{name}.signature", country.folder)


def test_the_new_home_has_everybody_and_opens_their_names(
    country: TypedCountry, told: dict[str, str]
) -> None:
    new = country.folder / "new"
    changed = {"/srv/kulla/new": new, "/media/usb/kit": country.folder / "typed" / "kit"}
    country.start("new", *words_of(TAKEOVER, "up", changed))
    until(lambda: country.state(new).get("witnessed"))
    assert "epoch 2" in country.run(*words_of(TAKEOVER, "status", changed))
    found = bookings(new)
    assert len(told) > 10
    assert told.keys() <= found, "nothing that was confirmed is lost"
    edge = HomeEdge(Home(new))
    with closing(sqlite3.connect(f"file:{Home(new).registers}?mode=ro", uri=True)) as rows:
        sealed = dict(rows.execute("SELECT subject, name_sealed FROM citizens_citizen"))
    subject, name = next(iter(told.items()))
    assert edge.open(subject, {"name": sealed[subject]}, "a test")["name"] == name
    people = People(new)
    people.one("after the takeover")
    assert len(people.confirmed) == 1
    said = country.run(*words_of(TAKEOVER, "kit update", changed))
    assert "policy" in said
    assert json.loads(country.run("kit", "check", changed["/media/usb/kit"], "--json"))


def test_the_old_home_that_comes_back_confirms_nothing(country: TypedCountry) -> None:
    old = country.folder / "old"
    log = old / "logs" / "scribe.log"
    for count, moved in enumerate(((), ("--moved",)), 1):
        country.start("old", "up", old, *moved)
        # Until then Ctrl-C would find half of it started, and leave the other half.
        until(lambda: (country.folder / "old.out").read_text().count("Kulla serves") >= count)  # noqa: B023
        until(lambda: log.exists() and log.read_text().lower().count(SAID) >= count)  # noqa: B023
        assert not country.state(old).get("witnessed")
        country.stop("old")


def _said(country: TypedCountry, *words: object) -> str:
    """What a command prints, whatever its exit code."""
    command = [sys.executable, "-m", "kulla", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_another_new_embassy_fills_itself_while_it_serves(country: TypedCountry) -> None:
    """After the takeover the one that was wiped with home is replaced, at the new home."""
    new, bern = country.folder / "new", country.embassy("bern", 7)
    change = country.folder / "second.change"
    words = ("--replace-embassy", f"ottawa={country.folder / 'bern.card'}", "--out", change)
    country.run("policy", "change", new / "policy", *words)
    given: list[object] = []
    for name in ("besa", "drita"):
        there = country.machine(name)
        told = ("--key", f"{name}.key", "--policy", "policy", "--yes", "--json")
        said = country.run("policy", "sign", change, *told, cwd=there)
        assert json.JSONDecoder().raw_decode(said)[0]["custodian"] == name
        given += ["--signatures", there]
    said = country.run("policy", "bring", new, change, *given)
    assert "Version 4 is in force" in said
    country.run("embassy", "pin", bern, new / "policy")
    country.start("bern", "embassy", "serve", bern)

    def filled() -> bool:
        try:
            answer = requests.get(f"http://127.0.0.1:{country.first + 8}/healthz", timeout=10)
        except requests.ConnectionError:
            return False  # it does not serve yet
        first, *_ = answer.json()["logs"]
        return bool(first["filled"] > 10)

    until(filled)
    until(lambda: country.state(new).get("embassies", {}).get("bern"))
    report = json.loads(_said(country, "doctor", "--home", new, "--json"))
    found = {finding["check"]: finding["state"] for finding in report["findings"]}
    assert (found["epochs"], found["pins"]) == ("fine", "fine")
    country.stop("bern")
    said = country.run("embassy", "fill", bern, "--json", "--from", country.folder / "oslo")
    [epoch] = json.JSONDecoder().raw_decode(said)[0]["epochs"]
    assert epoch["before"] == epoch["size"] > 10
    assert epoch["blobs_missing"] == 0

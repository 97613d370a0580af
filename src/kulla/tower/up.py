"""`kulla up`: a whole tower on this machine, minded; for a demo country its embassies too.

A demo tower's folder:  home/  kit/  embassies/<name>/  logs/
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kulla.embassy import folder as embassy_folder
from kulla.journal.policy_file import Embassy
from kulla.kernel.edges import SystemClock, SystemEntropy
from kulla.kernel.rows import Cell
from kulla.registers.sqlite import LiveRows, open_registers
from kulla.tower.cards import embassy_of
from kulla.tower.country import Founding, FoundingEdge, write_people
from kulla.tower.edge import HomeEdge
from kulla.tower.home import DEMO_STAFF, Home
from kulla.tower.init import Beginning, begin
from kulla.tower.minder import Child, ChildSpec, Minder
from kulla.tower.schools import found_schools
from kulla.tower.services import register_tables
from kulla.tower.standby.folder import StandbyBroken, StandbyFolder

EMBASSIES = ("vienna", "rome", "ottawa", "wellington")
DEMO_PEOPLE = 48


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """A demo country to make: its folder, the portal's port, the embassies' first port, and sizes.

    `per_clinic` practitioners at each of 24 clinics, `days` of slots, `people` made-up citizens;
    `accounts`: they have accounts, and there is a staff that signs (a benchmark needs neither).
    `line_port`: the first of four ports that lead to the embassies, where they are not reached
    at their own.
    """

    folder: Path
    port: int = 8000
    embassy_port: int = 8101
    per_clinic: int = 3
    days: int = 28
    people: int = DEMO_PEOPLE
    slot_minutes: int = 15
    name: str = "demo.kulla.example"
    accounts: bool = True
    line_port: int = 0

    @property
    def home(self) -> Home:
        """The demo's home."""
        return Home(self.folder / "home")

    @property
    def kit(self) -> Path:
        """The demo's recovery kit."""
        return self.folder / "kit"

    def embassy(self, name: str) -> Path:
        """The folder of an embassy of the demo."""
        return self.folder / "embassies" / name


def make_demo(plan: DemoPlan) -> None:
    """Make the folders of a demo country: four embassies, the policy, a home, the kit."""
    entropy = SystemEntropy()
    embassies: list[Embassy] = []
    for number, name in enumerate(EMBASSIES):
        port = plan.embassy_port + number
        url = f"http://127.0.0.1:{(plan.line_port or plan.embassy_port) + number}"
        made = embassy_folder.init(
            plan.embassy(name), name, bind=f"127.0.0.1:{port}", url=url, entropy=entropy
        )
        embassies.append(embassy_of(made))
    beginning = Beginning(
        tower=plan.name,
        relying_party="localhost",
        public_url=f"http://localhost:{plan.port}",
        bind="127.0.0.1",
        port=plan.port,
        demo=True,
        embassies=embassies,
    )
    begin(plan.home, plan.kit, beginning, entropy)
    policy = plan.home.policy_file.read_bytes()
    for name in EMBASSIES:
        embassy_folder.pin(plan.embassy(name), policy)


class Tower:
    """The processes of one tower on this machine, started in order and minded.

    `change` may make another process of each: a drill starts some of them otherwise.
    """

    def __init__(
        self,
        home: Home,
        logs: Path,
        embassies: Sequence[Path] = (),
        change: Callable[[ChildSpec], ChildSpec] = lambda spec: spec,
    ) -> None:
        self.home = home
        self.embassies = tuple(embassies)
        self.minder = Minder(logs, SystemClock())
        self._change = change

    def start(self, *, bench: bool = False, say: Callable[[str], None] = lambda _: None) -> str:
        """Start embassies (a demo's), rebuild at a first start, then keeper, scribe, portal, post.

        Keeper, scribe and portal start at once: each waits for the others where it needs them, and
        after a takeover people wait too; letters come last. Returns the portal's URL. Raises
        ChildFailed, and leaves what runs to `end`.
        """
        if self.embassies:
            say("embassies")
            self._run(
                *(
                    ChildSpec(f"embassy-{folder.name}", ("embassy", "serve", str(folder)))
                    for folder in self.embassies
                )
            )
        _refuse_standby(self.home)
        if not self.home.registers.exists():
            from kulla.tower.takeover.recover import first_start

            say("first start: registers from the journal")
            first_start(self.home)
        where = str(self.home.folder)
        words = ("portal", "serve", where, *(("--bench",) if bench else ()))
        specs = [
            ChildSpec("keeper", ("keeper", "serve", where)),
            ChildSpec("scribe", ("scribe", "serve", where)),
            ChildSpec("portal", words),
        ]
        if self.home.settings().demo and not self.home.demo_people.exists():
            say("keeper, and made-up people from the registers")
            self._run(specs.pop(0))
            write_people(self.home.demo_people, registered_people(self.home))
        say(", ".join(spec.name for spec in specs))
        url = self._run(*specs)[-1].word
        say("post")
        self._run(ChildSpec("post", ("post", "serve", where)))
        return url

    def _run(self, *specs: ChildSpec) -> Sequence[Child]:
        return self.minder.start(*map(self._change, specs))

    def mind_while(self, work: Callable[[], None]) -> None:
        """Do `work` in a thread, and start again what dies meanwhile. Raises what `work` raises.

        Processes end with the thread that started them, so it is the work that goes beside.
        """
        done: Future[None] = Future()

        def run() -> None:
            try:
                work()
            except BaseException as error:
                done.set_exception(error)
            else:
                done.set_result(None)

        threading.Thread(target=run, name="work", daemon=True).start()
        self.minder.run(until=done.done)
        done.result()

    def mind(self) -> None:
        """Mind the processes until SIGTERM or Ctrl-C, then stop them."""
        signal.signal(signal.SIGTERM, self.minder.stop)
        signal.signal(signal.SIGINT, self.minder.stop)
        self.minder.run()
        self.end()

    def end(self) -> None:
        """Stop all processes."""
        self.minder.end()


def _refuse_standby(home: Home) -> None:
    """Raise StandbyBroken where a standby is no home yet, or is home already and serves."""
    standby = StandbyFolder(home.folder)
    if not standby.exists:
        return
    holder = standby.holder()
    if not standby.taken_over or (holder is not None and holder[0] != os.getpid()):
        raise StandbyBroken(
            f"the folder is held by process {holder[0]}, as {holder[1]}."
            if holder
            else "this is a standby's folder, and no takeover came to its end in it.",
            place=str(home.folder),
            remedy="Take over first: kulla takeover run. A warm standby serves by itself then.",
        )


def registered_people(home: Home) -> list[dict[str, Any]]:
    """The demo country's people as a rebuilt home knows them, for its sign-in page.

    Names are opened for those that the page shows at once; the others are found by their id.
    """
    edge = HomeEdge(home)
    staff = registered_staff(home)
    known = {row["subject"] for row in staff}
    people = []
    with closing(open_registers(home.registers)) as connection:
        registers = LiveRows(connection, register_tables())
        rows = registers.find("citizens_citizen", limit=1_000_000)
        rows.sort(key=lambda row: str(row["position"]).zfill(20))
        for number, row in enumerate(row for row in rows if row["subject"] not in known):
            subject = str(row["subject"])
            person = {"subject": subject, "name": f"Person {subject[:8]}"}
            if number < DEMO_PEOPLE:
                sealed = {"name": row["name_sealed"]}
                for mail in registers.find("accounts_address", 1, subject=subject, kind="mail"):
                    sealed["mail"] = mail["sealed"]
                person |= edge.open(subject, _only_bytes(sealed), "sign-in page of the demo")
            people.append({**person, "role": "citizen", "town": ""})
    return people + staff


def _only_bytes(sealed: Mapping[str, Cell]) -> dict[str, bytes]:
    return {name: value for name, value in sealed.items() if isinstance(value, bytes)}


def registered_staff(home: Home) -> list[dict[str, Any]]:
    """The demo's staff with their passkeys, as the recovery kit had them for a new home."""
    path = home.folder / DEMO_STAFF
    if not path.exists():
        return []
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return rows


def demo_tower(
    plan: DemoPlan,
    logs: Path | None = None,
    change: Callable[[ChildSpec], ChildSpec] = lambda spec: spec,
) -> Tower:
    """The tower of a demo country, made first where its folder is not there yet. See Tower."""
    if not plan.home.folder.exists():
        make_demo(plan)
        write_people(plan.home.demo_people, [])
    folders = [plan.embassy(name) for name in EMBASSIES]
    return Tower(plan.home, logs or plan.folder / "logs", folders, change)


def found_demo(
    plan: DemoPlan,
    say: Callable[[str], None] = lambda _: None,
    *,
    tower: FoundingEdge | None = None,
    before_accounts: Callable[[], None] = lambda: None,
) -> None:
    """Fill a demo country that runs: clinics, practitioners, slots, people. Once.

    `tower` is asked where the country's own processes don't run. `before_accounts` is done while
    there is no staff yet, so that an operator's commands need no signature.
    """
    if plan.home.demo_people.stat().st_size > len("[]"):
        return
    edge, clock = tower or HomeEdge(plan.home), SystemClock()
    founding = Founding(edge, clock, SystemEntropy())
    morning = (8 * 60, 12 * 60, plan.slot_minutes)
    afternoon = (13 * 60, 16 * 60, plan.slot_minutes)
    founding.clinics(plan.per_clinic, plan.days, (morning, afternoon), say)
    say("people")
    rows = founding.people(plan.people)
    before_accounts()
    if plan.accounts:
        founding.accounts(rows)
        founding.numbers(rows)
        say("schools")
        found_schools(founding, edge, clock, rows)
        staff = founding.staff()
        # A new home must be able to let them sign too, and their keys are in no journal.
        write_people(plan.kit / DEMO_STAFF, staff)
        rows += staff
    write_people(plan.home.demo_people, rows)

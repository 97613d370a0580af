"""What custodians type: `sign`, for takeovers and for changes of the policy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from kulla.tower.custodians.signing import Asked

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_PARAMETERS = (
    click.argument("file", type=_FILE),
    click.option("--key", required=True, type=_FILE, help="Your own key."),
    click.option(
        "--policy", required=True, type=_FILE, help="The policy file that you trust, your own copy."
    ),
    click.option(
        "--share", type=_FILE, help="Your share of the recovery key; the one beside the key."
    ),
    click.option("--no-share", is_flag=True, help="Sign, and don't send the share."),
    click.option(
        "--out",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Where to write the answer: YOUR-NAME.signature here, if absent.",
    ),
    click.option("--yes", is_flag=True, help="Don't ask: you compared the fingerprint before."),
    click.option("--qr", is_flag=True, help="Show the answer as a QR code too, to photograph."),
    click.option("--json", "as_json", is_flag=True, help="Print what was signed as JSON."),
)


def SIGN_OPTIONS(command: Callable[..., Any]) -> Callable[..., Any]:  # noqa: N802 - like click.option
    """The arguments and options of every `sign`."""
    for parameter in reversed(_PARAMETERS):
        command = parameter(command)
    return command


def sign(
    kind: Literal["takeover", "policy"],
    file: Path,
    key: Path,
    policy: Path,
    share: Path | None,
    no_share: bool,
    out: Path | None,
    yes: bool,
    qr: bool,
    as_json: bool,
) -> None:
    """Show what would be signed, ask, sign, write the answer."""
    from kulla.tower.custodians.signing import look_at, signed, write_answer

    asked = look_at(file, kind, key, policy, share, with_share=not no_share)
    if not as_json:
        _show(asked)
    if not yes:
        click.confirm(
            f"Was {asked.proposal.fingerprint} read to you by somebody whose voice you know, and "
            "do you want to sign this?",
            abort=True,
            err=True,
        )
    answer = signed(asked)
    out = out or Path(f"{asked.custodian}.signature")
    write_answer(out, answer)
    if as_json:
        report = {
            "fingerprint": asked.proposal.fingerprint,
            "custodian": asked.custodian,
            "kind": kind,
            "share": asked.share is not None,
            "file": str(out),
        }
        click.echo(json.dumps(report, indent=2))
        return
    more = ", with your share of the recovery key for the new home alone" if asked.share else ""
    click.echo(f"Signed as {asked.custodian}{more}: {out}")
    click.echo("Send this file back. It is no secret.")
    if qr:
        import segno

        segno.make(answer.render(), error="l", micro=False).terminal(compact=True)


def _show(asked: Asked) -> None:
    click.echo(asked.words)
    click.echo("")
    if asked.proposal.shares_to and asked.share is None:
        click.echo("Your share of the recovery key is NOT sent with it.")
    click.echo(f"You would sign as {asked.custodian}.")

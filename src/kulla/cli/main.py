"""The command `kulla`: one group of commands for each thing that an operator does."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, ClassVar

import click

from kulla.kernel.errors import KullaError


class LazyGroup(click.Group):
    """Commands by name, each imported from `kulla.cli` when it is asked for."""

    places: ClassVar[dict[str, str]] = {
        "init": "kulla.cli.country:init",
        "up": "kulla.cli.country:up",
        "status": "kulla.cli.country:status",
        "verify": "kulla.cli.verify:verify",
        "rebuild": "kulla.cli.recover:rebuild",
        "takeover": "kulla.cli.recover:takeover",
        "standby": "kulla.cli.standby:standby",
        "embassy": "kulla.cli.embassy:embassy",
        "policy": "kulla.cli.policy:policy",
        "custodian": "kulla.cli.policy:custodian",
        "kit": "kulla.cli.kit:kit",
        "scribe": "kulla.cli.processes:scribe",
        "keeper": "kulla.cli.processes:keeper",
        "portal": "kulla.cli.processes:portal",
        "post": "kulla.cli.processes:post",
        "doctor": "kulla.cli.doctor:doctor",
        "undo": "kulla.cli.undo:undo",
        "cases": "kulla.cli.undo:cases",
        "lottery": "kulla.cli.lottery:lottery",
        "staff": "kulla.cli.staff:staff",
        "drill": "kulla.cli.drill:drill",
        "bench": "kulla.cli.bench:bench",
        "enrolment": "kulla.cli.enrolment:enrolment",
        "attribute": "kulla.cli.attribute:attribute",
    }

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """See click.Group."""
        return list(self.places)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        """See click.Group."""
        place = self.places.get(cmd_name)
        if place is None:
            return None
        module, name = place.split(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an error that Kulla foresees is a sentence and exit code 1."""
        try:
            return super().invoke(ctx)
        except KullaError as error:
            click.echo(f"kulla: {error}", err=True)
            sys.exit(1)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="kulla")
def main() -> None:
    """Keep a country's public services running through a destructive attack.

    Example: kulla up --demo demo
    """
    # What Kulla writes is for its owner alone; what others may read is served.
    os.umask(0o077)

"""Planning a takeover on the new home's machine, with the kit and the embassies that answer."""

from __future__ import annotations

import tomllib
from pathlib import Path

from kulla.journal.proposals import Proposal
from kulla.kernel.edges import SystemClock, SystemEntropy
from kulla.rebuild.takeover import TakeoverFailed
from kulla.tower.asking import ask_for_newest, clients_of, read_key, shown_by
from kulla.tower.home import Home
from kulla.tower.kit.folder import kit_policy
from kulla.tower.takeover.custody import plan_takeover


def make_plan(
    home_folder: Path, kit: Path, *, reason: str, url: str | None = None, instead: bool = False
) -> Proposal:
    """The plan in `home_folder`, made now or before. Changes nothing at embassies.

    `url` None: the portal's address as the kit's home.toml has it. Raises TakeoverFailed, also
    where so few embassies answer that none of them needs to know the newest policy.
    """
    address = url if url is not None else _public_url(kit)
    reader = read_key(kit / "reader.key")
    newest, _ = ask_for_newest(kit_policy(kit), reader)
    need = newest.n - newest.quorum_k + 1
    with clients_of(newest, reader) as clients:
        answering = len(shown_by(clients))
        if answering < need:
            raise TakeoverFailed(
                f"{answering} of {newest.n} embassies answer; {need} must, so that one of them "
                "knows the newest policy.",
                remedy="Reach more embassies, then type the same again.",
            )
        return plan_takeover(
            Home(home_folder),
            newest,
            clients,
            reason=reason,
            url=address,
            instead=instead,
            clock=SystemClock(),
            entropy=SystemEntropy(),
        )


def _public_url(kit: Path) -> str:
    path = kit / "home.toml"
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))["public_url"]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError) as error:
        raise TakeoverFailed(
            "the kit's settings don't say where people find the portal.",
            place=str(path),
            remedy="Say it: --url https://...",
        ) from error
    return str(found)

"""Planning a takeover on the new home's machine, with the kit and the embassies that answer."""

from __future__ import annotations

import tomllib
from pathlib import Path

from kulla.journal.policy_file import parse_policy, verify_policy_signatures
from kulla.journal.proposals import Proposal
from kulla.kernel.edges import SystemClock, SystemEntropy
from kulla.rebuild.takeover import TakeoverFailed, newest_policy
from kulla.tower.asking import clients_of, offered_by, read_key
from kulla.tower.custody import plan_takeover
from kulla.tower.home import Home


def make_plan(
    home_folder: Path, kit: Path, *, reason: str, url: str | None = None, instead: bool = False
) -> Proposal:
    """The plan in `home_folder`, made now or before. Changes nothing at embassies.

    `url` None: the portal's address as the kit's home.toml has it. Raises TakeoverFailed, also
    where so few embassies answer that none of them needs to know the newest policy.
    """
    kit_policy = parse_policy((kit / "policy").read_bytes(), place=str(kit / "policy"))
    verify_policy_signatures(kit_policy)
    address = url if url is not None else _public_url(kit)
    with clients_of(kit_policy, read_key(kit / "reader.key")) as clients:
        offered = list(offered_by(clients))
        newest = newest_policy(kit_policy, offered)
        need = newest.n - newest.quorum_k + 1
        if len(offered) < need:
            raise TakeoverFailed(
                f"{len(offered)} of {newest.n} embassies answer; {need} must, so that one of them "
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

"""What a custodian does on a machine of their own, off line: look at a proposal, and sign it.

It knows nothing but the files that it is given: the proposal, the policy that the custodian trusts,
their key, and their share of the recovery key where one is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kulla.journal.notes import SigningKey
from kulla.journal.policy_file import PolicyFile, parse_policy, verify_policy_signatures
from kulla.journal.proposals import Proposal, SignatureFile, parse_proposal, sign_proposal
from kulla.keeper.errors import ShareInvalid
from kulla.keeper.shares import Share
from kulla.kernel.durable import sync_folder
from kulla.kernel.errors import KullaError
from kulla.tower.asking import read_key
from kulla.tower.takeover.custody import sealed_share

Kind = Literal["takeover", "policy"]


class NotAsked(KullaError):
    """A file that is not what this command signs, or a key that may not sign it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A proposal that was checked against what the custodian trusts, and who is to sign it."""

    proposal: Proposal
    words: str
    custodian: str
    key: SigningKey
    share: Share | None


def look_at(
    path: Path,
    kind: Kind,
    key_file: Path,
    policy_file: Path,
    share_file: Path | None = None,
    *,
    with_share: bool = True,
) -> Asked:
    """Read all files and check that this may be signed. Raises KullaError, naming the file.

    `share_file` None: the one beside the key (`NAME.share`), where there is one.
    """
    data = _read(path)
    proposal = parse_proposal(data, place=str(path))
    if (proposal.succession is not None) != (kind == "takeover"):
        other = "takeover" if proposal.succession else "policy"
        raise NotAsked(
            "this is a plan of a takeover." if proposal.succession else "this changes the policy.",
            place=str(path),
            remedy=f"If that is what you want to sign: kulla {other} sign",
        )
    proposal.check()
    proposal.check_trusted(_policy(policy_file))
    key = read_key(key_file)
    who = proposal.custodian(key.verifier)
    if who is None:
        raise NotAsked(
            f"'{key.name}' is the key of no custodian of this policy.",
            place=str(key_file),
            remedy="Name your own key with --key.",
        )
    words = data.decode().partition("\n== ")[0].rstrip()
    share = _share(proposal, key_file, share_file) if with_share else None
    return Asked(proposal, words, who.name, key, share)


def _policy(path: Path) -> PolicyFile:
    policy = parse_policy(_read(path), place=str(path))
    verify_policy_signatures(policy)
    return policy


def _share(proposal: Proposal, key_file: Path, given: Path | None) -> Share | None:
    if not proposal.shares_to:
        return None
    path = given or key_file.with_suffix(".share")
    if given is None and not path.exists():
        return None
    try:
        return Share.parse(_read(path).decode("utf-8", "replace"), place=str(path))
    except ShareInvalid as error:
        # A damaged share must not keep its custodian from signing: others have theirs.
        remedy = f"{error.remedy} Or sign without it: --no-share."
        raise ShareInvalid(error.message, place=error.place, remedy=remedy) from error


def signed(asked: Asked) -> SignatureFile:
    """The signature file, with the share sealed to the new home where it is asked for."""
    share = sealed_share(asked.proposal, asked.share) if asked.share else b""
    return sign_proposal(asked.proposal, asked.key, share)


def write_answer(path: Path, file: SignatureFile) -> None:
    """Write the signature file, in the place of an older one. It is no secret. Raises OSError."""
    path.write_bytes(file.render())
    sync_folder(path.parent)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotAsked(f"this file can't be read ({error.strerror}).", place=str(path)) from error

"""The next version of a policy: who comes, who goes, and whether it would be safe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from kulla.journal.policy_file import Custodian, Embassy, Group, PolicyFile, Reader
from kulla.journal.proposals import Proposal, check_quorum
from kulla.kernel.errors import KullaError

NAMED = TypeVar("NAMED", bound="_Named")


class ChangeRefused(KullaError):
    """A change of the policy that can't be made, or would lose acts on the day it matters."""


class _Named(Protocol):
    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be changed; what is left empty stays as it is.

    replaced: the embassy in the place of the one of this name. quorum: how many embassies must hold
    an act; threshold: how many custodians must sign; 0 for as many as now.
    """

    replaced: Mapping[str, Embassy] = field(default_factory=dict)
    embassies_in: Sequence[Embassy] = ()
    embassies_out: Sequence[str] = ()
    quorum: int = 0
    custodians_in: Sequence[Custodian] = ()
    custodians_out: Sequence[str] = ()
    threshold: int = 0
    readers_in: Sequence[Reader] = ()
    readers_out: Sequence[str] = ()


def propose(now: PolicyFile, change: Change) -> Proposal:
    """What custodians are to sign for this change. Raises ChangeRefused or PolicyInvalid."""
    placed = [change.replaced.get(each.name, each) for each in now.embassies]
    _check_known("embassy", now.embassies, change.replaced)
    embassies = _changed("embassy", placed, change.embassies_in, change.embassies_out)
    custodians = _changed("custodian", now.custodians, change.custodians_in, change.custodians_out)
    readers = _changed("reader", now.readers, change.readers_in, change.readers_out)
    quorum = change.quorum or now.quorum_k
    following = replace(
        now,
        version=now.version + 1,
        embassies=tuple(embassies),
        groups=(Group(now.quorum, quorum, tuple(each.name for each in embassies)),),
        custodians=tuple(custodians),
        custodian_threshold=change.threshold or now.custodian_threshold,
        readers=tuple(readers),
        signatures=(),
    )
    following.render()
    if replace(following, version=now.version) == replace(now, signatures=()):
        raise ChangeRefused("nothing would change.", remedy="Say what: kulla policy change --help")
    check_change(now, following)
    return Proposal(now, following)


def check_change(now: PolicyFile, following: PolicyFile) -> None:
    """Raise ChangeRefused, or ProposalInvalid, where the next version would not be safe."""
    check_quorum(following)
    n, k = following.n, following.quorum_k
    if 2 * k <= n + 1 and 2 * now.quorum_k > now.n + 1:
        raise ChangeRefused(
            f"with {k} of {n} embassies no embassy could be lost together with home: an act that "
            "was confirmed might not be found again.",
            place="quorum",
            remedy="Ask for more than half of the embassies and one: 3 of 4, 4 of 5 or 6.",
        )
    known = {embassy.key for embassy in now.embassies}
    kept = sum(embassy.key in known for embassy in following.embassies)
    if kept < k:
        raise ChangeRefused(
            f"only {kept} of the embassies would stay, fewer than the quorum of {k}: too few would "
            "hold what was done before.",
            place="embassies",
            remedy="Change one, let it be filled (kulla embassy fill), then change the next.",
        )
    lacking = [each.name for each in following.embassies if each.statement_key is None]
    if lacking:
        raise ChangeRefused(
            "it has no statement key and could seal nothing.", place=", ".join(lacking)
        )


def _changed(
    kind: str, now: Iterable[NAMED], coming: Sequence[NAMED], going: Sequence[str]
) -> list[NAMED]:
    found = list(now)
    _check_known(kind, found, going)
    kept = [each for each in found if each.name not in going]
    taken = {each.name for each in kept}
    for each in coming:
        if each.name in taken:
            raise ChangeRefused(
                f"there is an {kind} of this name already."
                if kind == "embassy"
                else f"there is a {kind} of this name already.",
                place=each.name,
                remedy="Choose another name, or take the old one out in the same change.",
            )
        taken.add(each.name)
    return [*kept, *coming]


def _check_known(kind: str, now: Iterable[_Named], names: Iterable[str]) -> None:
    known = [each.name for each in now]
    for name in names:
        if name not in known:
            raise ChangeRefused(
                f"the policy names no such {kind}.",
                place=name,
                remedy=f"It names {', '.join(known) or 'none'}.",
            )

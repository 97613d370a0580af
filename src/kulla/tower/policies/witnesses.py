"""Whom a home brings its acts to, and when they are enough: under its policy, and the next one.

While home takes up the policy's next version, an act counts once a quorum of the policy that holds
and a quorum of the next one have it. So whichever of the two a takeover stands on, it finds what
was acknowledged; and only then do embassies pin the next version (tower.policies.changing).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kulla.journal.errors import SignatureInvalid
from kulla.journal.policy_file import Embassy, PolicyFile


@dataclass(frozen=True)
class Witnesses:
    """The embassies of one policy or of two, each under a name of its own.

    policies: the one that holds, and the next one while home takes it up. embassies: by the name
    that is shown; where the next policy gives a name to another key, that one's is 'NAME (new)'.
    """

    policies: tuple[PolicyFile, ...]
    embassies: Mapping[str, Embassy]

    @classmethod
    def of(cls, policies: Sequence[PolicyFile]) -> Witnesses:
        """Those of all the policies, in their order; of one key the newest address counts."""
        found: dict[str, Embassy] = {}
        for embassy in (each for policy in policies for each in policy.embassies):
            name = next((n for n, known in found.items() if known.key == embassy.key), embassy.name)
            if name in found and found[name].key != embassy.key:
                name = f"{name} (new)"
            found[name] = embassy
        return cls(tuple(policies), found)

    def is_quorum(self, names: Iterable[str]) -> bool:
        """Whether those who bear these names are a quorum under every policy."""
        keys = {self.embassies[name].key for name in names if name in self.embassies}
        return all(
            policy.is_quorum(each.name for each in policy.embassies if each.key in keys)
            for policy in self.policies
        )

    def cosigned_size(self, note: bytes, *, place: str) -> int:
        """The size of a checkpoint that a quorum under every policy cosigned; -1 for any other."""
        try:
            return min(policy.check_checkpoint(note, place=place).size for policy in self.policies)
        except SignatureInvalid:
            # Other embassies count now: theirs will be asked for in a moment.
            return -1

"""The policy file: who is who, signed by custodians; the root of trust of a tower.

It is a C2SP tlog-policy that anyone's tools can read. What Kulla adds stands in comment lines: the
tower's name, the version, custodians and how many of them must sign, readers, the domain, statement
keys, and at its end the custodians' signatures over all text above the line `# signed`. A Kulla
policy has exactly one spelling, so nothing in it can hide from the parser; a stranger's plain
tlog-policy is read by the specification's rules, and Kulla's own fields are then empty.

Octets that are not UTF-8 are opaque, as tlog-policy says: they are carried as surrogate escapes,
and `render` gives them back as they came. (A tower's policy is a note's text and must be UTF-8.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache

from kulla.journal.checkpoints import Checkpoint, cosignature_time_s, parse_checkpoint
from kulla.journal.errors import (
    CustodiansMissing,
    NoteInvalid,
    PolicyInvalid,
    QuorumMissing,
    SignatureInvalid,
)
from kulla.journal.notes import (
    KIND_ED25519,
    Note,
    SigningKey,
    VerifierKey,
    parse_note,
    verified_keys,
)
from kulla.journal.policy_text import (
    NO_QUORUM,
    Custodian,
    Embassy,
    Group,
    Log,
    PolicyTerms,
    Reader,
    read_terms,
    spell,
)

__all__ = [
    "Custodian",
    "Embassy",
    "Group",
    "Log",
    "PolicyFile",
    "Reader",
    "WitnessedCheckpoint",
    "first_policy",
    "parse_policy",
    "sign_policy",
    "verify_policy_signatures",
    "verify_successor",
]


@dataclass(frozen=True, slots=True)
class WitnessedCheckpoint:
    """A checkpoint that met the policy, its log, and the embassies that cosigned it by name.

    `cosigned_at_s` says when, in seconds since 1970 by each embassy's clock; where one cosigned the
    same text more than once, when it did first.
    """

    checkpoint: Checkpoint
    log: Log
    cosigned_at_s: dict[str, int]


@dataclass(frozen=True)
class PolicyFile(PolicyTerms):
    """A policy file: make one with `parse_policy`, `first_policy`, or `dataclasses.replace`."""

    @property
    def is_kulla(self) -> bool:
        """Whether this is a tower's policy and not a stranger's plain tlog-policy."""
        return bool(self.tower)

    @property
    def current_log(self) -> Log:
        """The log of the newest epoch. Raises PolicyInvalid where the policy names no log."""
        if not self.logs:
            raise PolicyInvalid("this policy names no log.")
        return self.logs[-1]

    def epoch_number(self, origin: str) -> int:
        """The number of the epoch with this origin, counted from 1; 0 where there is none."""
        origins = [log.key.name for log in self.logs]
        return origins.index(origin) + 1 if origin in origins else 0

    def embassy(self, name: str) -> Embassy | None:
        """The embassy of this name, or None."""
        return next((embassy for embassy in self.embassies if embassy.name == name), None)

    def public_keys(self) -> frozenset[bytes]:
        """The public halves of every key in the policy, whatever its purpose."""
        keys = [log.key for log in self.logs] + [embassy.key for embassy in self.embassies]
        keys += [who.key for who in self.custodians] + [reader.key for reader in self.readers]
        keys += [where.statement_key for where in self.embassies if where.statement_key]
        return frozenset(key.public for key in keys)

    @property
    def n(self) -> int:
        """How many embassies a flat quorum counts. Raises PolicyInvalid for nested groups."""
        return self._flat()[1]

    @property
    def quorum_k(self) -> int:
        """How many of them must sign. Raises PolicyInvalid for nested groups."""
        return self._flat()[0]

    def _flat(self) -> tuple[int, int]:
        if self.quorum == NO_QUORUM:
            return 0, 0
        names = {embassy.name for embassy in self.embassies}
        if self.quorum in names:
            return 1, 1
        for group in self.groups:
            if group.name == self.quorum and names.issuperset(group.members):
                return group.threshold, len(group.members)
        raise PolicyInvalid(f"the quorum '{self.quorum}' is not a group of embassies alone.")

    def is_quorum(self, names: Iterable[str]) -> bool:
        """Whether the embassies of these names are together strong enough."""
        have = {embassy.name for embassy in self.embassies}.intersection(names)
        for group in self.groups:  # members stand before their groups, so one pass is enough
            if sum(member in have for member in group.members) >= group.threshold:
                have.add(group.name)
        return self.quorum == NO_QUORUM or self.quorum in have

    def check_checkpoint(self, note: bytes | Note, *, place: str = "") -> Checkpoint:
        """The checkpoint of `note`, signed by a log of this policy and cosigned by a quorum.

        Raises NoteInvalid, CheckpointInvalid, SignatureInvalid, or its child QuorumMissing.
        """
        return self.check_witnessed(note, place=place).checkpoint

    def check_witnessed(self, note: bytes | Note, *, place: str = "") -> WitnessedCheckpoint:
        """Like `check_checkpoint`, and says which log it is of, and who cosigned it when."""
        parsed = note if isinstance(note, Note) else parse_note(note, place=place)
        log = self.check_log_signature(parsed, place=place)
        cosigned_at_s = self.cosigners(parsed, place=place)
        if not self.is_quorum(cosigned_at_s):
            raise QuorumMissing(
                self._too_few(cosigned_at_s),
                place=place,
                remedy="Ask the embassies for the checkpoint again in a moment.",
            )
        return WitnessedCheckpoint(parse_checkpoint(parsed.text), log, cosigned_at_s)

    def check_log_signature(self, note: Note, *, place: str = "") -> Log:
        """The log of this policy that signed the checkpoint `note`.

        Raises CheckpointInvalid where the text is no checkpoint, and SignatureInvalid where the
        policy names no log of its origin or that log's signature is missing or wrong.
        """
        origin = parse_checkpoint(note.text, place=place).origin
        logs = {
            log.key: log
            for log in self.logs
            if log.key.name == origin and log.key.kind == KIND_ED25519
        }
        if not logs:
            raise SignatureInvalid(
                f"the policy names no log '{origin}' whose signature can be checked.",
                place=place,
                remedy="Get the tower's newest policy file.",
            )
        signed = verified_keys(note, logs, place=place)
        if not signed:
            raise SignatureInvalid(f"the log '{origin}' did not sign this.", place=place)
        return logs[signed[0]]

    def cosigners(self, note: Note, *, place: str = "") -> dict[str, int]:
        """The embassies that cosigned `note`, by name, and when (seconds since 1970).

        Raises SignatureInvalid where one of them is there with a signature that does not verify.
        """
        names = {embassy.key: embassy.name for embassy in self.embassies}
        signed = verified_keys(note, names, place=place)
        lines = {(key.name, key.key_id): names[key] for key in signed}
        times: dict[str, int] = {}
        for signature in note.signatures:
            name = lines.get((signature.name, signature.key_id))
            if name is not None:
                at_s = cosignature_time_s(signature)
                times[name] = min(at_s, times.get(name, at_s))
        return times

    def _too_few(self, have: Iterable[str]) -> str:
        names = ", ".join(sorted(have)) or "none"
        try:
            need, of = self._flat()
        except PolicyInvalid:
            return f"too few embassies cosigned for the quorum '{self.quorum}': have {names}."
        count = len(set(have))
        return f"too few embassies cosigned: need {need} of {of}, have {count} ({names})."

    def unsigned_text(self) -> str:
        """What custodians sign: all lines above `# signed`.

        Raises PolicyInvalid where the fields do not make a policy.
        """
        return replace(self, signatures=()).render().decode("utf-8", "surrogateescape")

    def render(self) -> bytes:
        """The bytes of the file. Raises PolicyInvalid where the fields do not make a policy."""
        data = spell(self)
        if parse_policy(data) != self:
            raise PolicyInvalid("these fields do not make a policy file that reads back as it is.")
        return data


def parse_policy(data: bytes, *, place: str = "") -> PolicyFile:
    """Read a policy file, Kulla's or a stranger's plain tlog-policy; verifies no signature.

    Raises PolicyInvalid, whose place is `place` and the line that is wrong.
    """
    return _parsed(bytes(data), place)


@lru_cache(maxsize=16)
def _parsed(data: bytes, place: str) -> PolicyFile:
    """A tower has few policies and reads them at every turn; what was read can't change."""
    terms = read_terms(data, place=place)
    return PolicyFile(**{field.name: getattr(terms, field.name) for field in fields(terms)})


def first_policy(
    *,
    tower: str,
    relying_party: str,
    custodians: Sequence[Custodian],
    custodian_threshold: int,
    log: Log,
    embassies: Sequence[Embassy],
    quorum_k: int,
    readers: Sequence[Reader] = (),
) -> PolicyFile:
    """Version 1 of a new tower's policy, not signed yet: any `quorum_k` of the embassies count.

    Raises PolicyInvalid where that does not make a policy.
    """
    policy = PolicyFile(
        logs=(log,),
        embassies=tuple(embassies),
        groups=(Group("embassies", quorum_k, tuple(embassy.name for embassy in embassies)),),
        quorum="embassies",
        tower=tower,
        version=1,
        custodian_threshold=custodian_threshold,
        custodians=tuple(custodians),
        readers=tuple(readers),
        relying_party=relying_party,
    )
    policy.render()
    return policy


def sign_policy(policy: PolicyFile, key: SigningKey) -> PolicyFile:
    """The policy with the signature of a custodian's key (kind 1), old or new.

    Raises PolicyInvalid where the policy does not read back or is not a tower's.
    """
    text = _signed_text(policy)
    try:
        signature = key.sign_note(text)
    except NoteInvalid as error:
        raise PolicyInvalid(error.message, remedy=error.remedy) from error
    line = (signature.name, signature.key_id)
    others = tuple(old for old in policy.signatures if (old.name, old.key_id) != line)
    return replace(policy, signatures=(*others, signature))


def verify_policy_signatures(policy: PolicyFile) -> tuple[str, ...]:
    """The names of the custodians who signed this policy, at least as many as it asks for.

    That makes a policy whole, not trusted: whoever wrote it chose its custodians. Trust comes from
    a pinned policy and `verify_successor`. Raises PolicyInvalid for a stranger's policy,
    SignatureInvalid for a signature that is wrong, CustodiansMissing where too few signed.
    """
    return _require_custodians(policy, policy)


def verify_successor(old: PolicyFile, new: PolicyFile) -> None:
    """Check that `new` may follow the trusted `old`.

    It must be of the same tower and the next version, keep all logs of the past in their order, and
    carry signatures of enough of the old custodians and enough of the new. Raises PolicyInvalid,
    SignatureInvalid, or CustodiansMissing.
    """
    if new.tower != old.tower:
        raise PolicyInvalid(f"this is a policy of '{new.tower}', not of '{old.tower}'.")
    if new.version != old.version + 1:
        raise PolicyInvalid(
            f"version {old.version} is followed by {old.version + 1}, not by {new.version}.",
            remedy="Bring the versions in between first." if new.version > old.version else "",
        )
    kept = [log.key for log in new.logs[: len(old.logs)]]
    if kept != [log.key for log in old.logs]:
        raise PolicyInvalid(f"version {new.version} does not keep the logs of earlier epochs.")
    _require_custodians(old, new)
    _require_custodians(new, new)


def _require_custodians(judges: PolicyFile, signed: PolicyFile) -> tuple[str, ...]:
    """The custodians of `judges` who signed. Raises CustodiansMissing where too few did."""
    note = Note(_signed_text(signed), signed.signatures)
    return require_custodians(judges, note, what=f"version {signed.version} of the policy")


def require_custodians(policy: PolicyFile, note: Note, *, what: str) -> tuple[str, ...]:
    """The names of the policy's custodians who signed `note`, at least its threshold of them.

    `what` names the note in messages. Raises PolicyInvalid where the policy has no custodians,
    SignatureInvalid where one's signature is wrong, CustodiansMissing where too few signed.
    """
    if not policy.is_kulla:
        raise PolicyInvalid("a plain tlog-policy has no custodians.")
    names: dict[VerifierKey, str] = {who.key: who.name for who in policy.custodians}
    signed = tuple(names[key] for key in verified_keys(note, names, place=what))
    need = policy.custodian_threshold
    if len(signed) < need:
        raise CustodiansMissing(
            f"too few custodians signed: need {need} of {len(names)}, "
            f"have {len(signed)} ({', '.join(signed) or 'none'}).",
            place=what,
            remedy="Let more custodians of the policy sign.",
        )
    return signed


def _signed_text(policy: PolicyFile) -> str:
    if not policy.is_kulla:
        raise PolicyInvalid("a plain tlog-policy is not signed by custodians.")
    return policy.unsigned_text()

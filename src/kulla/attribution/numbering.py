"""Ids that a file names against the ids that a release has: what counts, and what is said of it.

ATT&CK revokes, merges and renumbers techniques from release to release (v19 took the whole of
Defense Evasion apart), so a file may hold ids of several. Nothing is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kulla.attribution.errors import EvidenceInvalid
from kulla.attribution.evidence import Item
from kulla.attribution.knowledge import Knowledge, release_order

_HOPS_MAX = 20


@dataclass(frozen=True)
class Resolved:
    """`ids`: item id -> the release's id, for what is compared; `unknown`: item id -> as typed.

    Software that the release does not know stays in the comparison as something that nobody was
    seen to use; a technique that it does not know is a matter of numbering, and is left out.
    """

    ids: Mapping[str, str]
    unknown: Mapping[str, str]
    notes: tuple[str, ...]

    @property
    def compared(self) -> frozenset[str]:
        """What is compared with the groups' reports."""
        return frozenset(self.ids.values())


def resolve(items: Iterable[Item], knowledge: Knowledge) -> Resolved:
    """The release's ids of all techniques and software among the items.

    Raises EvidenceInvalid where software that the release knows also carries ratings: it would
    count twice.
    """
    by_name = {
        name.casefold(): identifier
        for identifier, name in sorted(knowledge.names.items(), reverse=True)
        if identifier.startswith("S")
    }
    ids: dict[str, str] = {}
    unknown: dict[str, str] = {}
    notes: list[str] = []
    for item in items:
        if item.overlaps and not fit_to_compare(item):
            notes.append(
                f"{item.id}: {item.value} is not compared: {item.admiralty} is too poor a source."
            )
        elif item.kind == "technique":
            found, note = _technique(item.value, knowledge)
            if found:
                ids[item.id] = found
            else:
                unknown[item.id] = item.value
            notes += [f"{item.id}: {note}"] if note else []
        elif item.kind == "software":
            found = _software(item.value, knowledge, by_name)
            if found and item.ratings:
                raise EvidenceInvalid(
                    f"{item.value} is in {knowledge.release}, so it is compared; its ratings "
                    "would count it twice.",
                    place=item.id,
                    remedy="Leave the ratings out, or say in another item what ties it to whom.",
                )
            if item.ratings:
                continue
            ids[item.id] = found or f"{item.value} (not in {knowledge.release})"
            if not found:
                unknown[item.id] = item.value
                notes.append(f"{item.id}: {_software_note(item.value, knowledge)}")
    notes += _mixed(unknown.values(), ids.values(), knowledge)
    return Resolved(ids, unknown, tuple(notes))


def fit_to_compare(item: Item) -> bool:
    """Whether a technique or software is compared: not from an unreliable source, nor doubtful.

    Scores have no weights for sources, since reports have none; so what is E, 4 or 5 stays out, and
    nobody steers scores by claiming things of himself.
    """
    return item.admiralty[0] != "E" and item.admiralty[1] not in "45"


def _technique(typed: str, knowledge: Knowledge) -> tuple[str, str]:
    if typed in knowledge.names and typed not in knowledge.retired:
        return typed, ""
    if typed in knowledge.retired:
        return _successor(typed, knowledge)
    if (other := knowledge.elsewhere.get(typed)) is not None:
        return "", f"{typed} is of {other}; {knowledge.release} does not have it. It is left out."
    above = typed.partition(".")[0]
    if above != typed and above in knowledge.names and above not in knowledge.retired:
        return above, f"{knowledge.release} has no {typed}; its parent {above} is taken."
    return "", f"no release at hand has a technique {typed}. It is left out."


def _successor(typed: str, knowledge: Knowledge) -> tuple[str, str]:
    """Follows 'revoked by' to its end; a chain that closes in itself ends nowhere."""
    seen = [typed]
    while (later := knowledge.retired.get(seen[-1], None)) and len(seen) <= _HOPS_MAX:
        if later in seen:
            return "", f"{typed} is revoked by {' by '.join([*seen[1:], later])}: a circle."
        seen.append(later)
    last = seen[-1]
    if last != typed and last in knowledge.names and last not in knowledge.retired:
        return last, f"{typed} is revoked in {knowledge.release}; {last} is taken in its place."
    return "", f"{typed} is revoked in {knowledge.release}, with no successor. It is left out."


def _software(typed: str, knowledge: Knowledge, by_name: Mapping[str, str]) -> str:
    if typed.upper() in knowledge.names and typed.upper().startswith("S"):
        return typed.upper()
    return by_name.get(typed.casefold(), "")


def _software_note(typed: str, knowledge: Knowledge) -> str:
    other = knowledge.elsewhere.get(typed.upper())
    known = f" ({other} has it)" if other else ""
    return (
        f"{knowledge.release} knows no software {typed}{known}. It counts as something that no "
        "listed group was seen to use."
    )


def _mixed(unknown: Iterable[str], known: Iterable[str], knowledge: Knowledge) -> list[str]:
    """One more sentence where ids of a later release stand beside ids that it no longer has."""
    later = {
        other
        for typed in unknown
        if typed.startswith("T")
        and (other := knowledge.elsewhere.get(typed)) is not None
        and release_order(other) > release_order(knowledge.release)
    }
    if not later or not any(one.startswith("T") for one in known):
        return []
    return [
        f"Numbers of {knowledge.release} and of {', '.join(sorted(later, key=release_order))} are "
        "mixed in this file. Number all of it by one release, or judge it with the later one."
    ]

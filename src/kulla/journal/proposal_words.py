"""What a proposal says in words: for a person who is asked to sign it, and knows no formats."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Protocol

from kulla.journal.epochs import Succession
from kulla.journal.policy_file import PolicyFile
from kulla.kernel.dates import day

WIDTH = 78


class _Named(Protocol):
    @property
    def name(self) -> str: ...


def words_of(
    now: PolicyFile, following: PolicyFile, succession: Succession | None
) -> tuple[str, ...]:
    """The lines, each at most 78 characters where its words allow it."""
    if succession:
        return tuple(_wrapped(_takeover(now, following, succession)))
    return tuple(_wrapped(_change(now, following)))


def instant(at_ms: int) -> str:
    """`Tuesday 3 February 2026 at 10:02 UTC`."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{day(at.replace(tzinfo=None), 'en')} at {at:%H:%M} UTC"


def described(succession: Succession) -> str:
    """A takeover in one sentence, for messages about it."""
    where = f", for {succession.new_url}" if succession.new_url else ""
    return f"the takeover '{succession.reason}', planned on {instant(succession.at_ms)}{where}"


def _takeover(now: PolicyFile, following: PolicyFile, succession: Succession) -> Iterator[str]:
    number = succession.number
    yield f"A TAKEOVER of {now.tower}: another site becomes home."
    yield ""
    yield f"Reason: {succession.reason}"
    yield f"Planned: {instant(succession.at_ms)}"
    yield f"New home: {succession.new_url or 'not said'}"
    yield ""
    yield f"Epoch {number - 1} ends: the log {succession.old_origin}"
    yield f"Epoch {number} follows: the log {succession.new_log.name}"
    yield f"Its new key: {succession.new_log.text()}"
    if succession.instead:
        count = len(succession.instead)
        yield f"It takes the place of {count} other takeover{_s(count)} that was begun and is lost."
    yield ""
    yield (
        f"When {now.custodian_threshold} of {len(now.custodians)} custodians have signed, the "
        "embassies close the old log: whatever is left of the old home can confirm nothing any "
        "more, for ever."
    )
    yield (
        f"Version {following.version} of the policy names the new log. Embassies, custodians, "
        "readers and the quorum stay as they are."
    )
    yield ""
    yield "Sign only if you know of this, by your own eyes or the voice of somebody you know."


def _change(now: PolicyFile, following: PolicyFile) -> Iterator[str]:
    yield f"A CHANGE OF THE POLICY of {now.tower}: version {now.version} to {following.version}."
    yield ""
    changes = list(changes_of(now, following))
    yield from (f"* {change}" for change in changes or ["Nothing changes."])
    yield ""
    yield (
        f"From then on {following.quorum_k} of {following.n} embassies must hold an act: "
        f"{_names(following.embassies)}."
    )
    yield (
        f"From then on {following.custodian_threshold} of {len(following.custodians)} custodians "
        f"must sign: {_names(following.custodians)}."
    )
    if 2 * following.quorum_k <= following.n + 1:
        yield "WARNING: with this quorum no embassy may be lost together with home."
    yield ""
    yield (
        f"It needs {now.custodian_threshold} of the custodians of now, and "
        f"{following.custodian_threshold} of those who are to be."
    )
    yield "Sign only if you know of this, by your own eyes or the voice of somebody you know."


def changes_of(now: PolicyFile, following: PolicyFile) -> Iterator[str]:
    """What differs, a sentence each."""
    yield from _of("embassy", now.embassies, following.embassies)
    if (now.quorum_k, now.n) != (following.quorum_k, following.n):
        yield (
            f"The quorum is {following.quorum_k} of {following.n} embassies; "
            f"it was {now.quorum_k} of {now.n}."
        )
    yield from _of("custodian", now.custodians, following.custodians)
    if now.custodian_threshold != following.custodian_threshold:
        yield (
            f"{following.custodian_threshold} custodians must sign; "
            f"it was {now.custodian_threshold}."
        )
    yield from _of("reader", now.readers, following.readers)


def _of(kind: str, old: Sequence[_Named], new: Sequence[_Named]) -> Iterator[str]:
    before, after = {each.name: each for each in old}, {each.name: each for each in new}
    for name in sorted(before.keys() - after.keys()):
        yield f"The {kind} {name} goes."
    for name in sorted(after.keys() - before.keys()):
        yield f"The {kind} {name} comes: {_seen(after[name])}"
    for name in sorted(before.keys() & after.keys()):
        if before[name] != after[name]:
            yield f"The {kind} {name} has other keys or another address: {_seen(after[name])}"


def _seen(each: object) -> str:
    key, url = getattr(each, "key", None), getattr(each, "url", "")
    shown = key.text() if key else ""
    return f"{shown} {url}".strip()


def _names(all_of_them: Iterable[_Named]) -> str:
    return ", ".join(each.name for each in all_of_them)


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _wrapped(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        indent = "  " if line.startswith("* ") else ""
        yield from textwrap.wrap(
            line, WIDTH, break_long_words=False, break_on_hyphens=False, subsequent_indent=indent
        ) or [""]

"""What a service is: commands come in, a pure policy decides, acts come out and change registers.

    command --gather--> what is known --decide--> acts or a refusal --apply--> rows

`gather` reads registers; `decide` is pure; `apply` writes rows and must give the same rows for the
same act whenever it runs, here or in a rebuild a decade later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from kulla.kernel.canonical import Value, encode
from kulla.kernel.rows import Rows, RowsByKey

ASSERTION_BYTES_MAX: Final = 4096
"""Of what a passkey gives, with the browser's own words about it."""

VIA_BYTES: Final = 8
"""Of the mark that tells by which session or token a command came."""

Role = Literal["citizen", "clerk", "operator", "analyst", "custodian"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: a role, and the subject id (32 hex digits for a person, a name for an operator).

    `behalf` is the subject of a person whom a citizen acts for (their child, or who gave them a
    power of attorney), '' for oneself. The scribe's Authority sees whether they may.
    """

    role: Role
    subject: str
    behalf: str = ""

    @property
    def whom(self) -> str:
        """The subject whom the act concerns: the person acted for, or the actor."""
        return self.behalf or self.subject


@dataclass(frozen=True, slots=True)
class Command:
    """A wish to act.

    `id` is 16 bytes of the client's choice; `names` are SHA-256 names of the blobs (wrapped keys,
    files) that a quorum must hold before an act of this command counts. `assertion` is what a
    member of staff signed with their passkey over `key()`, so it is no part of that. `via` is a
    mark (VIA_BYTES, or none) of the session or token that it came by, as the portal says; no part
    of `key()` either: a repeat from another session is the same command.
    """

    service: str
    name: str
    id: bytes
    actor: Actor
    data: Mapping[str, Value]
    names: tuple[bytes, ...] = ()
    assertion: bytes = b""
    via: bytes = b""

    def key(self) -> bytes:
        """32 bytes that only this person with this very command can produce.

        A repeat has the same key and gets the same answer; another person, or another wish under
        the same id, has another key.
        """
        return hashlib.sha256(self.wish()).digest()

    def wish(self) -> bytes:
        """The bytes that `key` is the SHA-256 of: the command but for assertion and via."""
        meant: list[Value] = [
            self.id,
            self.actor.role,
            self.actor.subject,
            self.service,
            self.name,
            self.data,
            list(self.names),
        ]
        if self.actor.behalf:
            meant.append(self.actor.behalf)
        return encode(meant)


@dataclass(frozen=True, slots=True)
class Asked:
    """A command as a policy sees it, with the circumstances it must not look up itself."""

    name: str
    actor: Actor
    data: Mapping[str, Value]
    at_ms: int
    key: bytes
    assertion: bytes = b""

    def fresh_id(self, number: int = 0) -> str:
        """A new id (32 hex digits) for the `number`-th thing that this command makes."""
        return hashlib.sha256(self.key + number.to_bytes(4, "big")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class NewAct:
    """An act that a policy decided on: a name in the past tense and its resolved values.

    `names` are those of the command's blobs that this act needs; its journal entry names them.
    """

    name: str
    data: Mapping[str, Value]
    names: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A policy's no: a code that pages translate, and values for its sentence."""

    code: str
    detail: Mapping[str, Value] = field(default_factory=dict)


Decision = tuple[NewAct, ...] | Refusal


@dataclass(frozen=True, slots=True)
class Act:
    """An accepted act as `apply` and the journal see it.

    `position` counts all acts of the tower over all epochs, from 0. `at_ms` is the scribe's clock
    when it was accepted. `command` is the key of the command that it came from. `assertion` is what
    a member of staff signed over that key and `wish` the command's bytes (Command.wish); both stand
    in the first act of a command of staff and are empty elsewhere. `together` says there how many
    acts the command came to, so that nobody can add one behind them. `via` is Command.via.
    """

    position: int
    service: str
    name: str
    version: int
    at_ms: int
    actor: Actor
    command: bytes
    data: Mapping[str, Any]
    assertion: bytes = b""
    wish: bytes = b""
    together: int = 1
    via: bytes = b""


@dataclass(frozen=True, slots=True)
class CommandType:
    """How one kind of command is answered."""

    gather: Callable[[Rows, Asked], Any]
    decide: Callable[[Asked, Any], Decision]


@dataclass(frozen=True, slots=True)
class ActType:
    """How one kind of act changes registers; `upcasters[v]` turns data of version v into v + 1.

    `noted`: whether registers.parties keeps whose act it was; not where the service's rows do.
    `repeats`: whether its command can come again and must get the same answer; not where nobody
    commanded it.
    `public`: whether anybody may have its receipt, since nothing in it is about a person.
    """

    apply: Callable[[RowsByKey, Act], None]
    version: int = 1
    upcasters: Mapping[int, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = field(
        default_factory=dict
    )
    noted: bool = True
    repeats: bool = True
    public: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """A service: its commands and acts by name, and what happens to new acts without a quorum.

    `without_quorum`: 'refuse' answers with a clear page; 'hold' takes up to `hold_max` acts as
    'not yet witnessed' and calls none of them confirmed.
    """

    name: str
    commands: Mapping[str, CommandType]
    acts: Mapping[str, ActType]
    without_quorum: Literal["refuse", "hold"] = "refuse"
    hold_max: int = 10_000


POST: Final = Actor("operator", "post")
"""The process that sends letters: it notes what it sent, in the service of messages alone."""

ALLOCATOR: Final = Actor("operator", "allocator")
"""The job that allocates a round of enrolment and moves its waiting lists; nothing else."""


class Authority(Protocol):
    """Sees whether an actor may act in the role, or for the person, that their command names.

    Policies trust the actor; this is where the trust comes from. Pure over the rows it reads.
    """

    def refuse(self, rows: Rows, asked: Asked, service: str) -> Refusal | None:
        """Why the command must not even be looked at, or None.

        Asked before `gather`, for every role but a citizen who acts for themself.
        """
        ...

    def doubt(self, rows: RowsByKey, act: Act) -> str:
        """Why an act that is replayed should never have been accepted, or ''."""
        ...


def needs_authority(actor: Actor) -> bool:
    """Whether an Authority is asked at all: not for a citizen who acts for themself."""
    return actor.role != "citizen" or actor.behalf != ""

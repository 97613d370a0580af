"""What the pages of every service stand on: who may open a page, and how a form becomes a command.

Services can't import the portal above them; the portal keeps the promises that are written here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kulla.kernel.canonical import Value
from kulla.kernel.edges import Clock, Entropy
from kulla.kernel.service import Actor, Asked, Command, Role
from kulla.kernel.tower import Answer, TowerEdge

Text = str | Promise
"""A sentence for people: ready, or translated when it is shown."""

COMMAND_FIELD: Final = "command"
"""The hidden field that holds a command's id, made when its form was first shown."""

COMMAND_ID_BYTES: Final = 16

KEPT_FIELD: Final = "kept"
"""The hidden field by which a form is kept where it could not be carried out (KeptForms)."""

UNAVAILABLE: Final[Mapping[str, Text]] = {
    "no-quorum": _(
        "Too few embassies answer at the moment, so nothing new could be made safe. "
        "We would rather ask you to come back than promise what could be lost."
    ),
    "no-room": _(
        "There is no room left to keep anything new, and somebody is being called to make some. "
        "What was confirmed before is safe."
    ),
    "set-aside": _("This service is set aside while a fault in it is looked at. Others go on."),
    "busy": _("Very many people are here at this moment."),
    "not-home": _("Another site is taking over this service. It opens there in a moment."),
}
"""Why nothing was done, in words, by the code of an Answer that is 'unavailable'."""

UNAVAILABLE_OTHERWISE: Final[Text] = _("The part of Kulla that writes acts down does not answer.")


@dataclass(frozen=True, slots=True)
class Hold:
    """A time that is kept for one person while they fill in its form, until `ends_s` (epoch)."""

    slot: str
    ends_s: int


class Holds(Protocol):
    """Times that are kept while forms are filled in. A courtesy: they may be lost with home.

    The scribe alone decides who gets a time; a hold sees to it that people who fill in the form
    for one and the same time hear of each other before and not after.
    """

    def take(self, slot: str, subject: str) -> Hold | None:
        """Keep a time for a person for ten minutes; None where it is kept for another.

        Asking again gives the same end: nobody keeps a time by reloading a page.
        """
        ...

    def held_by_others(self, slots: Sequence[str], subject: str) -> frozenset[str]:
        """Those of the times that are kept for others now."""
        ...

    def let_go(self, slot: str, subject: str) -> None:
        """Stop keeping a time for this person."""
        ...


class Signing(Protocol):
    """Has a member of staff sign a command with their passkey before the tower gets it."""

    def begin(
        self,
        request: PageRequest,
        command: Command,
        *,
        summary: Sequence[tuple[str, str]],
        done: str,
        back: str,
    ) -> HttpResponse:
        """Keep the command and go to the page that shows `summary` (label, value) and signs it.

        Then `done` opens where it was accepted ('{first}' in it stands for `first_new_id`), else
        `back`; the answer waits for `answer` on either.
        """
        ...

    def answer(self, request: PageRequest) -> Answer | None:
        """What became of the command that was signed last, once: the next call gives None."""
        ...


@dataclass(frozen=True, slots=True)
class ActedFor:
    """A person for whom a citizen may act: their child, or who gave them a power of attorney.

    `name` was opened for this page alone and is kept nowhere; `until_day` is '' or ISO.
    """

    subject: str
    name: str
    kind: str
    until_day: str = ""


class ActingFor(Protocol):
    """For whom the person who is signed in may act, and whom they chose.

    A page that acts takes its actor from `actor`; the scribe's Authority sees again whether the
    relation stands when the command comes.
    """

    def people(self) -> Sequence[ActedFor]:
        """Those for whom the person may act today, as the confirmed register says."""
        ...

    def chosen(self) -> ActedFor | None:
        """Whom they chose to act for, while they still may; None: for themself."""
        ...

    def actor(self) -> Actor:
        """Who acts on this page: the person signed in, on behalf of whom they chose."""
        ...


class KeptForms(Protocol):
    """What was typed where it could not be carried out: kept for the same person, for an hour.

    It lies sealed in the person's own browser and nowhere else. A form that has `mark` in a hidden
    field KEPT_FIELD is kept by the portal also where the session ended before it was sent.
    """

    def mark(self, form: str) -> str:
        """The hidden field of a form of this name: says whose it is, to this site alone."""
        ...

    def keep(self, response: HttpResponse, form: str, typed: Mapping[str, str]) -> None:
        """Keep what was typed; what is too long for a browser to keep is not kept."""
        ...

    def typed(self, form: str) -> Mapping[str, str]:
        """What this person typed into the form of this name and has not sent yet, else nothing."""
        ...

    def forget(self, response: HttpResponse) -> None:
        """It was carried out: keep it no longer."""
        ...


class Drafts(Protocol):
    """What a person writes over days and has not sent: kept at home, and may be lost with it.

    For what is too long for KeptForms, or should wait on another device. It is the caller's to
    seal: the sessions' file holds what is handed over as it comes.
    """

    def keep(self, name: str, content: Mapping[str, bytes]) -> None:
        """Keep it for the person who is signed in, for DRAFT_DAYS, in the place of what was."""
        ...

    def kept(self, name: str) -> Mapping[str, bytes]:
        """What this person kept under the name, else nothing."""
        ...

    def forget(self, name: str) -> None:
        """It was sent, or is not wanted any more."""
        ...


DRAFT_DAYS: Final = 60


@dataclass(frozen=True, slots=True)
class CivilEntry:
    """What the civil register says of a person: day of birth (ISO), address, area ('' unknown)."""

    born: str
    address: str = ""
    area: str = ""


class CivilRegister(Protocol):
    """The country's register of who was born when and lives where: another's, and asked.

    A country brings an adapter of its own; the demo country has one that makes its entries up. Who
    a child's guardians are is not asked here: that a clerk records (accounts, `relate`).
    """

    def entry(self, subject: str) -> CivilEntry | None:
        """What it says of this person; None where it does not know them.

        Raises KullaError where it does not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class Person:
    """A person in the registers: an id that says nothing about them, and their name, opened."""

    subject: str
    name: str


NAMES_MAX: Final = 120
"""The most names that one page opens: those of a practitioner's day."""


class People(Protocol):
    """People as the staff who are signed in may look them up; each opening of a name is noted.

    Every method may raise KullaError where the tower does not answer.
    """

    def find_by_number(self, number: str) -> Person | None:
        """The person of this personal number, in any spelling; None where nobody has it."""
        ...

    def find(self, subject: str, reason: str) -> Person | None:
        """The person of this subject id with their name opened, for this reason; None: unknown."""
        ...

    def names(self, subjects: Sequence[str], reason: str) -> Mapping[str, str]:
        """Names by subject, for this reason; who has none that opens is left out.

        For one list that somebody works through: at most NAMES_MAX of them are opened.
        """
        ...

    def registering(self, name: str, command_id: bytes) -> Command:
        """The command that brings a new person into the register; its data has their `subject`.

        The keeper makes their key now: a command that is never sent leaves a key that nobody uses.
        """
        ...

    def identifying(self, subject: str, number: str, document: str, command_id: bytes) -> Command:
        """The command that a person with this document stood at the counter and has this number."""
        ...


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that a service does for people, as the catalogue says it to everybody.

    `name` is the end of its address. `needed` and `who` are lists of short sentences; `begin` is
    the address where it starts. `words` are more words that people look for, in any language.
    """

    name: str
    title: Text
    summary: Text
    needed: tuple[Text, ...]
    who: tuple[Text, ...]
    takes: Text
    costs: Text
    begin: str
    begin_text: Text
    words: str = ""


class PageRequest(HttpRequest):
    """A request as the portal hands it to a page.

    `actor` is who is signed in, or None; behind a door (`open_to`) it is never None.
    """

    tower: TowerEdge
    actor: Actor | None
    clock: Clock
    entropy: Entropy
    holds: Holds
    signing: Signing
    people: People
    acting_for: ActingFor
    kept: KeptForms
    drafts: Drafts
    civil: CivilRegister


@dataclass(frozen=True, slots=True)
class Door:
    """Who may open a page (None: everybody) and which extra limit its POST requests count to."""

    roles: frozenset[Role] | None
    limit: str = ""


View = TypeVar("View", bound=Callable[..., object])


def open_to(*roles: Role, limit: str = "") -> Callable[[View], View]:
    """Say who may open a page: people signed in with one of `roles`; the portal keeps others out.

    A page without this or `open_to_all` is not served at all, so that none is open by oversight.
    """
    return _with_door(Door(frozenset(roles), limit))


def open_to_all(limit: str = "") -> Callable[[View], View]:
    """Say that a page is for everybody, signed in or not."""
    return _with_door(Door(None, limit))


def _with_door(door: Door) -> Callable[[View], View]:
    def hang(view: View) -> View:
        view.door = door  # type: ignore[attr-defined]
        return view

    return hang


def signed_in(request: PageRequest) -> Actor:
    """The person behind a door. A page that was left without its door fails here, not open."""
    assert request.actor is not None
    return request.actor


def fresh_command_id(request: PageRequest) -> str:
    """An id for the command that the form being shown will send, as 32 hex digits."""
    return request.entropy.random_bytes(COMMAND_ID_BYTES).hex()


def read_command_id(posted: Mapping[str, object]) -> bytes | None:
    """The command's id from a posted form, or None where it is missing or was tampered with."""
    typed = posted.get(COMMAND_FIELD)
    if not isinstance(typed, str) or len(typed) != COMMAND_ID_BYTES * 2:
        return None
    try:
        return bytes.fromhex(typed)
    except ValueError:
        return None


def first_new_id(command: Command) -> str:
    """The id of the first thing that an accepted `command` brings into being (Asked.fresh_id)."""
    return Asked(command.name, command.actor, command.data, 0, command.key()).fresh_id()


def ask(
    request: PageRequest,
    service: str,
    name: str,
    command_id: bytes,
    data: Mapping[str, Value],
    *,
    whom: str = "",
    names: tuple[bytes, ...] = (),
) -> tuple[Command, Answer]:
    """Hand a command of the person who is signed in to the tower and wait for its answer.

    `whom` is the subject of the person it is done for; '' or their own: for themself. `names` are
    those of the blobs that it brings.
    """
    actor = signed_in(request)
    if whom and whom != actor.subject:
        actor = Actor(actor.role, actor.subject, whom)
    command = Command(service, name, command_id, actor, data, names)
    return command, request.tower.submit(command)

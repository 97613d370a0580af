"""What the pages of every service stand on: who may open a page, and how a form becomes a command.

Services can't import the portal above them; the portal keeps the promises that are written here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from django.http import HttpRequest
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

UNAVAILABLE: Final[Mapping[str, Text]] = {
    "no-quorum": _(
        "Too few embassies answer at the moment, so nothing new could be made safe. "
        "We would rather ask you to come back than promise what could be lost."
    ),
    "set-aside": _("This service is set aside while a fault in it is looked at. Others go on."),
    "busy": _("Very many people are here at this moment."),
    "not-home": _("Another site is taking over this service. It opens there in a moment."),
}
"""Why nothing was done, in words, by the code of an Answer that is 'unavailable'."""

UNAVAILABLE_OTHERWISE: Final[Text] = _("The part of Kulla that writes acts down does not answer.")


class PageRequest(HttpRequest):
    """A request as the portal hands it to a page.

    `actor` is who is signed in, or None; behind a door (`open_to`) it is never None.
    """

    tower: TowerEdge
    actor: Actor | None
    clock: Clock
    entropy: Entropy


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
    request: PageRequest, service: str, name: str, command_id: bytes, data: Mapping[str, Value]
) -> tuple[Command, Answer]:
    """Hand a command of the person who is signed in to the tower and wait for its answer."""
    command = Command(service, name, command_id, signed_in(request), data)
    return command, request.tower.submit(command)

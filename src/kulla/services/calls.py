"""What the API of every service stands on: scopes of tokens, problems, and how a call is answered.

Services can't import the portal above them; portal/api.py keeps the promises that are written here.
Problems are told as RFC 9457 problem details, below /api/fhir/ as FHIR OperationOutcomes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final, Protocol

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from ninja.security import HttpBearer

from kulla.kernel.canonical import Value
from kulla.kernel.errors import KullaError
from kulla.kernel.service import Actor, Command
from kulla.kernel.tower import Answer
from kulla.services.pages import (
    COMMAND_ID_BYTES,
    UNAVAILABLE,
    UNAVAILABLE_OTHERWISE,
    PageRequest,
    Text,
)

SLOTS_READ: Final = "slots:read"
APPOINTMENTS_READ: Final = "appointments:read"
APPOINTMENTS_BOOK: Final = "appointments:book"

SCOPES: Final[Mapping[str, Text]] = {
    SLOTS_READ: _("Read every practitioner's times, free and taken"),
    APPOINTMENTS_READ: _("Read your appointments"),
    APPOINTMENTS_BOOK: _("Book, move and cancel your appointments"),
}
"""What a token may be for, in words."""

PERSONAL: Final = frozenset({APPOINTMENTS_READ, APPOINTMENTS_BOOK})
"""Scopes over a person's own things: only that person gives them, not an operator."""

KEY_CHARS_MAX: Final = 255
RETRY_S: Final = 30

_TOKEN_NEEDED: Final = _("This call needs a token.")
_TOKEN_REMEDY: Final = _("Send it in the header 'Authorization: Bearer kulla_...'.")
_SCOPE_MISSING: Final = _("The token is not for this: it lacks the scope %(scope)s.")
_SCOPE_REMEDY: Final = _("Ask whoever gave you the token for one with this scope.")
_NO_PERSON: Final = _("This token belongs to no person, so it has no appointments of its own.")
_NO_PERSON_REMEDY: Final = _("Ask the person to make a token for you in their settings.")
_WAITING: Final = _("The embassies have not confirmed it yet.")
_WAITING_REMEDY: Final = _("Send the same call with the same key again: nothing is done twice.")
_COME_BACK: Final = _("Send the same call again in half a minute: nothing is done twice.")
_NOTHING_THERE: Final = _("There is nothing here, or nothing that you may see.")
_NOTHING_REMEDY: Final = _("Check the address, and that the token is the right person's.")
_KEY_WRONG: Final = _("The Idempotency-Key must be 1 to 255 visible ASCII characters.")
_KEY_REMEDY: Final = _("Use a random key, and the same one when you send the call again.")


class CallerLike(Protocol):
    """Whose token came with a call; `subject` is '' where it belongs to no one person."""

    @property
    def subject(self) -> str:
        """The person, or ''."""
        ...

    @property
    def scopes(self) -> frozenset[str]:
        """What the token is for."""
        ...


class CallRequest(PageRequest):
    """A call as the portal hands it over. `caller` is None where no token came.

    `actor` is the citizen whose token it is, or None; cookies and sessions count for nothing.
    """

    caller: CallerLike | None


class ApiProblem(KullaError):
    """A call that can't be answered: `status` is the HTTP code, `code` a word for machines.

    `element` names what was wrong in the body as a path ('Appointment.slot[0]'), '' where none was.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: Text,
        remedy: Text = "",
        *,
        element: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(str(detail), remedy=str(remedy))
        self.status = status
        self.code = code
        self.element = element
        self.headers = dict(headers or {})


class Token(HttpBearer):
    """Says that a call needs a token with this scope (RFC 6750)."""

    def __init__(self, scope: str) -> None:
        self.scope = scope
        super().__init__()

    def __call__(self, request: HttpRequest) -> CallerLike:
        """The caller. Raises ApiProblem: 401 without a token, 403 without the scope."""
        caller: CallerLike | None = getattr(request, "caller", None)
        if caller is None:
            headers = {"WWW-Authenticate": 'Bearer realm="kulla"'}
            raise ApiProblem(401, "token-needed", _TOKEN_NEEDED, _TOKEN_REMEDY, headers=headers)
        if self.scope not in caller.scopes:
            told = f'Bearer realm="kulla", error="insufficient_scope", scope="{self.scope}"'
            raise ApiProblem(
                403,
                "scope-missing",
                str(_SCOPE_MISSING) % {"scope": self.scope},
                _SCOPE_REMEDY,
                headers={"WWW-Authenticate": told},
            )
        if self.scope in PERSONAL and not caller.subject:
            raise ApiProblem(403, "no-person", _NO_PERSON, _NO_PERSON_REMEDY)
        return caller

    def authenticate(self, request: HttpRequest, token: str) -> None:
        """Not used: the portal looked the token up before."""


def actor_of(request: CallRequest) -> Actor:
    """The citizen whose token it is. A call that was left without its scope fails here."""
    assert request.actor is not None
    return request.actor


def quoted(text: str, chars_max: int = 60) -> str:
    """What a client sent, to be said back: short, and in characters that every format has."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in text[:chars_max])
    return plain.encode("ascii", "backslashreplace").decode()


def nothing_there() -> ApiProblem:
    """404, the same for what is another's and for what never was."""
    return ApiProblem(404, "not-found", _NOTHING_THERE, _NOTHING_REMEDY)


def command_id(request: HttpRequest, meant: str) -> bytes:
    """The id of the command that a call sends: the same for a call that is sent again.

    From the header Idempotency-Key, else from `meant`, a text that says what is wished: without a
    key the same wish is the same command. So a wish that was done and undone again is not done
    anew: a call that finds it undone has to say that it was sent before, and ask for a new key.
    Raises ApiProblem for a misshapen key.
    """
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is not None:
        key = key.strip()
        visible = key.isascii() and key.isprintable()
        if not 0 < len(key) <= KEY_CHARS_MAX or not visible:
            raise ApiProblem(400, "key-misshapen", _KEY_WRONG, _KEY_REMEDY)
    text = f"key {key}" if key is not None else f"meant {meant}"
    return hashlib.sha256(text.encode()).digest()[:COMMAND_ID_BYTES]


def send(
    request: CallRequest, service: str, name: str, id_: bytes, data: Mapping[str, Value]
) -> tuple[Command, Answer]:
    """Hand a command of the token's person to the tower. Raises ApiProblem where it could not act.

    The answer is 'accepted', 'refused' or 'waiting'.
    """
    command = Command(service, name, id_, actor_of(request), data)
    answer = request.tower.submit(command)
    if answer.status == "unavailable":
        said = UNAVAILABLE.get(answer.code, UNAVAILABLE_OTHERWISE)
        headers = {"Retry-After": str(RETRY_S)}
        raise ApiProblem(503, answer.code or "unavailable", said, _COME_BACK, headers=headers)
    return command, answer


def waiting() -> ApiProblem:
    """202: nothing may be said yet, neither yes nor no."""
    return ApiProblem(
        202, "waiting", _WAITING, _WAITING_REMEDY, headers={"Retry-After": str(RETRY_S)}
    )

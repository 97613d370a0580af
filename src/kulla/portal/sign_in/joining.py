"""Signing up: who proved an address that nobody has yet gives their name, and has an account.

Two commands make it: the name into the register of citizens, then the account with the address,
both sealed under a key that the keeper makes for this person. All that was sealed is kept in the
session, so that a form sent twice, or an answer that has to be waited for, is the same commands.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final, cast

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from kulla.kernel.canonical import Value
from kulla.kernel.service import Actor, Command
from kulla.kernel.tower import Answer
from kulla.portal.e_id.pages import offered_name
from kulla.portal.session_seals import keep, kept
from kulla.portal.sign_in import people
from kulla.portal.sign_in.entering import let_in, safe_next, with_next
from kulla.services.pages import (
    UNAVAILABLE,
    UNAVAILABLE_OTHERWISE,
    PageRequest,
    Text,
    open_to_all,
)

PROVEN: Final = "proven"
"""What was proven, in the session: [channel, address, its index token, until when (ms)]."""

NAME_CHARS_MAX: Final = 120
_JOINING: Final = "joining"
_REFRESH_S: Final = 2
_THERE_ALREADY: Final = frozenset({"already-registered", "already-open", "taken"})
"""Refusals that mean that an earlier try got through."""

_NO_NAME: Final[Text] = _("Write your full name, as it stands in your identity document.")
_NO_MAIL: Final[Text] = _(
    "No account has this telephone number. Sign in with your mail address first; you can add the "
    "number to your account afterwards."
)
_REFUSED: Final[Text] = _("The account could not be opened. Please start again.")


@dataclass(frozen=True, slots=True)
class _Proven:
    channel: str
    address: str
    token: bytes


@open_to_all(limit="sign_in")
@sensitive_variables()
def sign_up(request: PageRequest) -> HttpResponse:
    """GET: asks the full name of who proved a new address. POST `name`: open the account."""
    where = safe_next(request)
    proven = _proven(request)
    if proven is None:
        return redirect(with_next("/sign-in", where))
    context: dict[str, Any] = {
        "next": where,
        "address": proven.address,
        "name": offered_name(request),
    }
    if proven.channel != "mail":
        return render(request, "portal/sign_in/no_mail.html", context | {"said": _NO_MAIL})
    subject = people.owner_of(proven.token, request.tower)
    if subject:
        return let_in(request, subject, "mail", where)
    if request.method == "POST":
        name = " ".join(request.POST.get("name", "").split())
        if not name or len(name) > NAME_CHARS_MAX or not name.isprintable():
            context |= {"fault": _NO_NAME, "name": name[:NAME_CHARS_MAX]}
            return render(request, "portal/sign_in/sign_up.html", context, status=422)
        if kept(request.session, _JOINING) is None:
            _prepare(request, proven, name)
    if kept(request.session, _JOINING) is None and not people.is_taken(proven.token):
        return render(request, "portal/sign_in/sign_up.html", context)
    return _joined(request, context, where)


def _joined(request: PageRequest, context: dict[str, Any], where: str) -> HttpResponse:
    """Bring the commands on their way, as often as it takes, and say how far they are."""
    joining = kept(request.session, _JOINING)
    if joining is None:  # another browser of this person is at it
        return _later(request, context, where)
    assert isinstance(joining, dict)
    subject = cast(str, joining["subject"])
    for command in _commands(joining):
        answer = request.tower.submit(command)
        if answer.status == "waiting":
            return _later(request, context, where)
        if answer.status == "unavailable":
            return _unavailable(request, context, answer)
        if answer.status == "refused" and answer.code not in _THERE_ALREADY:
            del request.session[_JOINING]
            context |= {"fault": _REFUSED}
            return render(request, "portal/sign_in/sign_up.html", context, status=422)
        if answer.code == "taken":
            return _later(request, context, where)
    return let_in(request, subject, "mail", where)


def _later(request: PageRequest, context: dict[str, Any], where: str) -> HttpResponse:
    response = render(request, "portal/sign_in/joining.html", context, status=202)
    response["Refresh"] = f"{_REFRESH_S}; url={with_next('/sign-up', where)}"
    return response


def _unavailable(request: PageRequest, context: dict[str, Any], answer: Answer) -> HttpResponse:
    said = UNAVAILABLE.get(answer.code, UNAVAILABLE_OTHERWISE)
    joining = context | {"unavailable": said}
    return render(request, "portal/sign_in/joining.html", joining, status=503)


def _prepare(request: PageRequest, proven: _Proven, name: str) -> None:
    """Make the person's key and seal what their two commands carry, once."""
    [(subject, key)] = request.tower.enrol(1)
    command_id = request.entropy.random_bytes(16)
    sealed = request.tower.seal(subject, {"name": name, "mail": proven.address}, once=command_id)
    joining: dict[str, Value] = {
        "id": command_id,
        "subject": subject,
        "key": key,
        "name": sealed["name"],
        "mail": sealed["mail"],
        "mail_token": proven.token,
        "language": request.LANGUAGE_CODE,
    }
    keep(request.session, _JOINING, joining)
    # At once: no session is written beside a page that says that something failed.
    request.session.save()


def _commands(joining: dict[str, Any]) -> tuple[Command, Command]:
    actor = Actor("citizen", joining["subject"])
    second_id = hashlib.sha256(joining["id"] + b"open").digest()[:16]
    register = {field: joining[field] for field in ("subject", "name", "key")}
    opening = {field: joining[field] for field in ("subject", "mail", "mail_token", "language")}
    names = (joining["key"],)
    return (
        Command("citizens", "register", joining["id"], actor, register, names),
        Command("accounts", "open", second_id, actor, opening),
    )


def _proven(request: PageRequest) -> _Proven | None:
    value = kept(request.session, PROVEN)
    if not isinstance(value, list) or cast(int, value[3]) < request.clock.now_ms():
        return None
    return _Proven(cast(str, value[0]), cast(str, value[1]), cast(bytes, value[2]))

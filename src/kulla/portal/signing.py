"""Having a member of staff sign a command with their passkey, before the tower gets it.

A page hands its command over with a summary in words; the command waits in the sessions file,
sealed for this session, while the person reads on /sign/<id> what they are about to sign. The
challenge is the command's hash, so that the signature is worth nothing for any other command. The
scribe verifies it, not the portal: a portal that was broken into can't act as a clerk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from django.db import connections
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from kulla.kernel.canonical import Value
from kulla.kernel.service import Actor, Command, Role
from kulla.kernel.tower import Answer
from kulla.portal import demo, session_seals
from kulla.portal.databases import SESSIONS
from kulla.portal.noted import note
from kulla.portal.sign_in import passkeys
from kulla.services.pages import (
    UNAVAILABLE,
    UNAVAILABLE_OTHERWISE,
    PageRequest,
    Text,
    first_new_id,
    open_to,
    signed_in,
)

LIFE_S: Final = 600
_ID_BYTES: Final = 16
_PURPOSE: Final = "command to sign"
_ANSWER: Final = "answer"
_REFRESH_S: Final = 2
_AGAIN: Final = frozenset({"not-signed", "bad-signature"})
"""Refusals after which the same command may be signed once more."""

_NOT_SIGNED: Final[Text] = _(
    "The signature was not accepted, and nothing was done. Sign with a passkey of your own "
    "account, and let your device check that it is you (finger, face or PIN)."
)


@dataclass(frozen=True, slots=True)
class _Pending:
    """A command that waits for its signature, or, once it is signed, for its answer."""

    id: bytes
    command: Command
    summary: tuple[tuple[str, str], ...]
    done: str
    back: str


class PasskeySigning:
    """See services.pages.Signing. Has no state of its own; safe to call from any thread."""

    def begin(
        self,
        request: PageRequest,
        command: Command,
        *,
        summary: Sequence[tuple[str, str]],
        done: str,
        back: str,
    ) -> HttpResponse:
        """See services.pages.Signing."""
        assert command.actor == request.actor, "a command is signed by who is signed in"
        pending = _Pending(
            request.entropy.random_bytes(_ID_BYTES),
            command,
            tuple((str(label), str(value)) for label, value in summary),
            done,
            back,
        )
        _write(request, pending)
        return redirect(_address(pending))

    def answer(self, request: PageRequest) -> Answer | None:
        """See services.pages.Signing."""
        value = session_seals.kept(request.session, _ANSWER)
        if not isinstance(value, Mapping):
            return None
        del request.session[_ANSWER]
        fields = cast(Mapping[str, Any], value)
        if fields["ends_ms"] < request.clock.now_ms():
            return None
        return Answer(
            fields["status"],
            positions=tuple(fields["positions"]),
            code=fields["code"],
            detail=fields["detail"],
        )


SIGNING: Final = PasskeySigning()


@open_to("clerk", "operator", "analyst", "custodian")
@sensitive_variables()
def sign(request: PageRequest, pending_id: str) -> HttpResponse:
    """GET: what will be signed. POST `credential`, or `demo` in the demo country: sign it, do it.

    Opened again after signing it asks what became of the command, which is the same one.
    """
    pending = _read(request, pending_id)
    if pending is None:
        raise Http404
    if request.method != "POST":
        return (
            _submitted(request, pending) if pending.command.assertion else _page(request, pending)
        )
    try:
        assertion = _assertion(request, pending)
    except passkeys.PasskeyRefused:
        return _page(request, pending, fault=_NOT_SIGNED)
    pending = replace(pending, command=replace(pending.command, assertion=assertion))
    _write(request, pending)
    return _submitted(request, pending)


def _assertion(request: PageRequest, pending: _Pending) -> bytes:
    """The signature that was posted, or the demo country's own. Raises PasskeyRefused."""
    person = demo.person(pending.command.actor.subject)
    if "demo" in request.POST and person is not None and person.passkey is not None:
        return person.passkey.sign(
            pending.command.key(), passkeys.relying_party(), passkeys.origins(request)[0]
        )
    return passkeys.assertion_of(request.POST.get("credential", ""))


def _submitted(request: PageRequest, pending: _Pending) -> HttpResponse:
    """Hand the signed command to the tower, and go on by its answer."""
    answer = request.tower.submit(pending.command)
    if answer.status == "waiting":
        response = _page(request, pending, template="portal/signing_waits.html", status=202)
        response["Refresh"] = f"{_REFRESH_S}; url={_address(pending)}"
        return response
    if answer.status == "unavailable":
        said = UNAVAILABLE.get(answer.code, UNAVAILABLE_OTHERWISE)
        template = "portal/signing_waits.html"
        return _page(request, pending, fault=said, template=template, status=503)
    if answer.status == "refused" and answer.code in _AGAIN:
        unsigned = replace(pending, command=replace(pending.command, assertion=b""))
        _write(request, unsigned)
        return _page(request, unsigned, fault=_NOT_SIGNED)
    command = pending.command
    note(
        request,
        "staff acted",
        role=command.actor.role,
        subject=command.actor.subject,
        command=f"{command.service}.{command.name}",
        status=answer.status,
    )
    _forget(pending)
    _keep_answer(request, answer)
    if answer.status == "accepted":
        return _see_other(pending.done.replace("{first}", first_new_id(pending.command)))
    return _see_other(pending.back)


def _page(
    request: PageRequest,
    pending: _Pending,
    *,
    fault: Text = "",
    template: str = "portal/sign.html",
    status: int = 0,
) -> HttpResponse:
    actor = signed_in(request)
    person = demo.person(actor.subject)
    context = {
        "summary": pending.summary,
        "back": pending.back,
        "fault": fault,
        "address": _address(pending),
        "with_demo_key": person is not None and person.passkey is not None,
        "options": passkeys.ask_to_sign(pending.command.key(), actor.subject),
    }
    return render(request, template, context, status=status or (422 if fault else 200))


def _see_other(address: str) -> HttpResponse:
    response = redirect(address)
    response.status_code = 303
    return response


def _address(pending: _Pending) -> str:
    return f"/sign/{pending.id.hex()}"


def _keep_answer(request: PageRequest, answer: Answer) -> None:
    fields: dict[str, Value] = {
        "status": answer.status,
        "positions": list(answer.positions),
        "code": answer.code,
        "detail": answer.detail,
        "ends_ms": request.clock.now_ms() + LIFE_S * 1000,
    }
    session_seals.keep(request.session, _ANSWER, fields)


def _write(request: PageRequest, pending: _Pending) -> None:
    command = pending.command
    value: Value = {
        "service": command.service,
        "name": command.name,
        "id": command.id,
        "role": command.actor.role,
        "subject": command.actor.subject,
        "data": command.data,
        "names": list(command.names),
        "assertion": command.assertion,
        "summary": [list(row) for row in pending.summary],
        "done": pending.done,
        "back": pending.back,
    }
    session = request.session
    now_s = request.clock.now_ms() // 1000
    row: list[bytes | int] = [
        pending.id,
        session_seals.row_of(session),
        session_seals.seal(session, _PURPOSE, value),
        now_s + LIFE_S,
    ]
    with connections[SESSIONS].cursor() as cursor:
        cursor.execute("DELETE FROM sign_pending WHERE ends_s <= %s", [now_s])
        # Signing is not a way to keep a command alive: its end stays what it was.
        cursor.execute(
            "INSERT INTO sign_pending (id, session, sealed, ends_s) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed",
            row,
        )


def _read(request: PageRequest, pending_id: str) -> _Pending | None:
    """The command that waits under this id for this very session and person, or None."""
    try:
        key = bytes.fromhex(pending_id)
    except ValueError:
        return None
    session = request.session
    with connections[SESSIONS].cursor() as cursor:
        cursor.execute(
            "SELECT sealed FROM sign_pending WHERE id = %s AND session = %s AND ends_s > %s",
            [key, session_seals.row_of(session), request.clock.now_ms() // 1000],
        )
        found = cursor.fetchone()
    value = session_seals.unseal(session, _PURPOSE, bytes(found[0])) if found else None
    if not isinstance(value, Mapping):
        return None
    fields = cast(Mapping[str, Any], value)
    command = Command(
        fields["service"],
        fields["name"],
        fields["id"],
        Actor(cast(Role, fields["role"]), fields["subject"]),
        fields["data"],
        tuple(fields["names"]),
        fields["assertion"],
    )
    if command.actor != request.actor:
        return None
    summary = tuple((str(label), str(text)) for label, text in fields["summary"])
    return _Pending(key, command, summary, fields["done"], fields["back"])


def _forget(pending: _Pending) -> None:
    with connections[SESSIONS].cursor() as cursor:
        cursor.execute("DELETE FROM sign_pending WHERE id = %s", [pending.id])

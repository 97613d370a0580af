"""The passkeys of the staff, who change them by signing with one that they have.

Citizens have theirs among their settings (portal/mine/keys).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from kulla.kernel.canonical import Value
from kulla.kernel.errors import KullaError
from kulla.kernel.service import Actor, Command
from kulla.portal.sign_in import people
from kulla.portal.sign_in.passkey_words import refusal
from kulla.portal.words import from_ms
from kulla.services.accounts.assertions import fingerprint
from kulla.services.accounts.models import Passkey
from kulla.services.pages import (
    PageRequest,
    fresh_command_id,
    open_to,
    read_command_id,
    signed_in,
)

LIST: Final = "/passkeys"


@dataclass(frozen=True, slots=True)
class ShownPasskey:
    """A passkey on one's own list; `settled` once the act that added it is confirmed."""

    credential: str
    label: str
    fingerprint: str
    added_at: datetime
    settled: bool


def is_staff(actor: Actor) -> bool:
    """Whether the actor is signed in for a role in an office."""
    return actor.role != "citizen"


@open_to("clerk", "operator", "analyst")
def listed(request: PageRequest) -> HttpResponse:
    """One's own passkeys, those that are being confirmed marked as such."""
    subject = signed_in(request).subject
    answer = request.signing.answer(request)
    context = {
        "passkeys": [_shown(request, one) for one in people.passkeys_of(subject)],
        "answer": answer,
        "said": refusal(answer) if answer else "",
    }
    return render(request, "portal/sign_in/passkeys.html", context)


@open_to("clerk", "operator", "analyst", limit="acts")
def remove(request: PageRequest, credential: str) -> HttpResponse:
    """GET: asks whether to remove it. POST: has that signed. Another's is not found."""
    subject = signed_in(request).subject
    own = [one for one in people.passkeys_of(subject) if one.credential == credential]
    if not own:
        raise Http404
    shown = _shown(request, own[0])
    command_id = read_command_id(request.POST) if request.method == "POST" else None
    if command_id is not None:
        data: dict[str, Value] = {"credential": credential}
        summary = summary_of(shown.label, shown.fingerprint)
        return have_signed(request, "remove_passkey", command_id, data, summary)
    context = {"passkey": shown, "command": fresh_command_id(request)}
    return render(request, "portal/sign_in/passkey_remove.html", context)


def summary_of(label: str, key_fingerprint: str) -> list[tuple[str, str]]:
    """What is said of a passkey to who signs a change of it."""
    named = [(_("Passkey"), label)] if label else []
    return [*named, (_("Fingerprint"), key_fingerprint)]


def have_signed(
    request: PageRequest,
    name: str,
    command_id: bytes,
    data: dict[str, Value],
    summary: list[tuple[str, str]],
) -> HttpResponse:
    """Lead on to signing a change of one's own passkeys."""
    wish = _("Add a passkey to my account") if name == "add_passkey" else _("Remove this passkey")
    summary = [(_("What"), wish), *summary]
    command = Command("accounts", name, command_id, signed_in(request), data)
    return request.signing.begin(request, command, summary=summary, done=LIST, back=LIST)


def _shown(request: PageRequest, one: Passkey) -> ShownPasskey:
    label = ""
    if one.label_sealed is not None:
        sealed = {"label": bytes(one.label_sealed)}
        try:
            label = request.tower.open(one.subject, sealed, "own passkeys")["label"]
        except KullaError:
            label = ""
    settled = one.position < request.tower.witnessing().watermark
    key = fingerprint(bytes(one.public_key))
    return ShownPasskey(one.credential, label, key, from_ms(one.added_ms), settled)

"""Signing in with a passkey, and adding one to one's own account: the pages with a script."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_variables

from kulla.kernel.canonical import Value
from kulla.kernel.service import Actor
from kulla.portal import demo
from kulla.portal.mine.asking import ask_own, done
from kulla.portal.sign_in import passkeys
from kulla.portal.sign_in.entering import How, let_in, safe_next, shown_name, with_next
from kulla.portal.sign_in.passkey_words import refusal
from kulla.portal.sign_in.staff_passkeys import have_signed, is_staff, summary_of
from kulla.services.accounts.assertions import fingerprint
from kulla.services.pages import (
    PageRequest,
    Text,
    fresh_command_id,
    open_to,
    open_to_all,
    read_command_id,
    signed_in,
)

LABEL_CHARS_MAX: Final = 60
_OWN_PAGE: Final = "/mine/keys"

_NOT_ACCEPTED: Final[Text] = gettext_lazy(
    "This passkey did not open the door. It may belong to another site, it may have been removed "
    "from your account, or the page was open for too long. Please try once more, or sign in with "
    "a code."
)
_NOT_ADDED: Final[Text] = gettext_lazy(
    "Your device's answer could not be used, or the page was open for too long. Nothing was added. "
    "Please try once more."
)


@open_to_all(limit="sign_in")
@sensitive_variables()
def enter(request: PageRequest) -> HttpResponse:
    """GET: asks the device for a passkey. POST `credential`: its answer; signs its owner in."""
    where = safe_next(request)
    context: dict[str, Any] = {"next": where, "start_address": with_next("/sign-in", where)}
    if request.method == "POST":
        try:
            found = passkeys.signed_in(request, request.POST.get("credential", ""), request.tower)
        except passkeys.PasskeyRefused:
            context["fault"] = _NOT_ACCEPTED
        else:
            how: How = "verified-passkey" if found.verified else "passkey"
            return let_in(request, found.subject, how, where)
    context["options"] = passkeys.ask_to_sign_in(request.session)
    status = 422 if "fault" in context else 200
    return render(request, "portal/sign_in/passkey.html", context, status=status)


@open_to("citizen", "clerk", "operator", "analyst", limit="acts")
@sensitive_variables()
def add(request: PageRequest) -> HttpResponse:
    """GET: asks the device to make a passkey. POST `credential`, `label`: put it to the account.

    Staff sign for it with a passkey that they have.
    """
    actor = signed_in(request)
    label = " ".join(request.POST.get("label", "").split())[:LABEL_CHARS_MAX]
    if request.method != "POST":
        return _add_page(request, actor)
    command_id = read_command_id(request.POST)
    try:
        made = passkeys.added(request, request.POST.get("credential", ""), verified=is_staff(actor))
    except passkeys.PasskeyRefused:
        return _add_page(request, actor, label=label, fault=_NOT_ADDED)
    if command_id is None:
        return _add_page(request, actor, label=label, fault=_NOT_ADDED)
    data = _data(request, made, label, command_id)
    if is_staff(actor):
        summary = summary_of(label, fingerprint(made.public_key))
        return have_signed(request, "add_passkey", command_id, data, summary)
    answer = ask_own(request, "add_passkey", command_id, data)
    if answer.status == "accepted":
        return done(_OWN_PAGE, answer)
    if answer.status == "waiting":
        return redirect(_OWN_PAGE)
    return _add_page(request, actor, label=label, fault=refusal(answer))


def _add_page(
    request: PageRequest, actor: Actor, *, label: str = "", fault: Text = ""
) -> HttpResponse:
    name = shown_name(request) or demo.name_of(actor.subject) or _("your account")
    asked = passkeys.ask_to_add(
        request.session, actor.subject, f"{name} – Kulla", verified=is_staff(actor)
    )
    context = {
        "fault": fault,
        "label": label,
        "label_chars_max": LABEL_CHARS_MAX,
        "command": fresh_command_id(request),
        "options": asked,
        "list_address": "/passkeys" if is_staff(actor) else _OWN_PAGE,
    }
    status = 422 if fault else 200
    return render(request, "portal/sign_in/passkey_add.html", context, status=status)


def _data(
    request: PageRequest, made: passkeys.NewPasskey, label: str, command_id: bytes
) -> dict[str, Value]:
    data: dict[str, Value] = {
        "credential": made.credential,
        "public_key": made.public_key,
        "transports": made.transports,
        "backed_up": made.backed_up,
    }
    if label:
        subject = signed_in(request).subject
        data["label"] = request.tower.seal(subject, {"label": label}, once=command_id)["label"]
    return data

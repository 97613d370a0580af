"""The operators' page of API tokens for organisations: each is issued and taken back by signature.

Such a token belongs to no one person and opens what is the same for everybody; what is a person's
own only that person gives to a program (portal/mine/programs.py). The token is shown before it is
signed for, on one page, and this site keeps nothing of it but its SHA-256.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_variables

from kulla.kernel.canonical import Value
from kulla.kernel.service import Command
from kulla.kernel.tower import Answer
from kulla.portal.bearer import TOKEN_BYTES, hash_of, written
from kulla.services.accounts.acts import SERVICE_NAME
from kulla.services.accounts.apply import ACTIVE
from kulla.services.accounts.models import ApiToken
from kulla.services.calls import PERSONAL, SCOPES
from kulla.services.pages import (
    UNAVAILABLE,
    UNAVAILABLE_OTHERWISE,
    PageRequest,
    Text,
    fresh_command_id,
    open_to,
    read_command_id,
    signed_in,
)

ADDRESS: Final = "/operator/tokens"
NAME_CHARS_MAX: Final = 120
OFFERED: Final = {scope: text for scope, text in SCOPES.items() if scope not in PERSONAL}

_NO_NAME: Final[Text] = gettext_lazy("Say which organisation it is for, in at most 120 characters.")
_NO_SCOPE: Final[Text] = gettext_lazy("Choose at least one thing that the token opens.")
_REFUSED: Final[dict[str, Text]] = {
    "no-role": gettext_lazy("You have no role for this any more. Nothing was done."),
    "already-revoked": gettext_lazy("This token was taken back already."),
    "taken": gettext_lazy("This token was issued already."),
}
_REFUSED_OTHERWISE: Final[Text] = gettext_lazy("It was not done. Please start again.")


@dataclass(frozen=True, slots=True)
class Issued:
    """A token as the list shows it."""

    key: str
    name: str
    opens: tuple[Text, ...]
    since: datetime
    stands: bool
    settled: bool


@open_to("operator", limit="acts")
@sensitive_variables()
def tokens(request: PageRequest) -> HttpResponse:
    """GET: all tokens, and a form. POST `name`, `scope`...: shows a new token, to be signed for."""
    if request.method != "POST":
        return _page(request)
    name, chosen, faults = _typed(request)
    if faults:
        return _page(request, faults=faults)
    token = request.entropy.random_bytes(TOKEN_BYTES)
    context = {
        "token": written(token),
        "token_hash": hash_of(token).hex(),
        "name": name,
        "chosen": chosen,
        "opens": [OFFERED[scope] for scope in chosen],
        "command": fresh_command_id(request),
    }
    return render(request, "portal/token_new.html", context)


@open_to("operator", limit="acts")
def issue(request: PageRequest) -> HttpResponse:
    """POST `name`, `scope`..., `token_hash`: sign for the token that was shown."""
    name, chosen, faults = _typed(request)
    command_id, token_hash = read_command_id(request.POST), _hash(request.POST.get("token_hash"))
    if request.method != "POST" or command_id is None or token_hash is None or faults:
        return _page(request, faults=faults if request.method == "POST" else {})
    data: dict[str, Value] = {"name": name, "token_hash": token_hash, "scopes": sorted(chosen)}
    command = Command(SERVICE_NAME, "issue_api_token", command_id, signed_in(request), data)
    summary = [
        (_("What"), _("Issue a token for the API")),
        (_("For"), name),
        *((_("Opens"), str(OFFERED[scope])) for scope in chosen),
        (_("Its SHA-256"), token_hash.hex()),
    ]
    return request.signing.begin(request, command, summary=summary, done=ADDRESS, back=ADDRESS)


@open_to("operator", limit="acts")
def revoke(request: PageRequest, key: str) -> HttpResponse:
    """GET: is the token really to go? POST: sign for it. An operator may take back any token."""
    token_hash = _hash(key)
    row = ApiToken.objects.filter(pk=token_hash).first() if token_hash else None
    if row is None or token_hash is None:
        raise Http404
    command_id = read_command_id(request.POST)
    if request.method != "POST" or command_id is None:
        context = {"token": _issued(request, row), "command": fresh_command_id(request)}
        return render(request, "portal/token_revoke.html", context)
    data: dict[str, Value] = {"token_hash": token_hash}
    command = Command(SERVICE_NAME, "revoke_api_token", command_id, signed_in(request), data)
    summary = [
        (_("What"), _("Take a token of the API back")),
        (_("For"), row.name or _("a person's program")),
        (_("Its SHA-256"), token_hash.hex()),
    ]
    return request.signing.begin(request, command, summary=summary, done=ADDRESS, back=ADDRESS)


def _typed(request: PageRequest) -> tuple[str, list[str], dict[str, Text]]:
    """The name, the scopes that are offered and chosen, and what is wrong by the field's name."""
    name = " ".join(request.POST.get("name", "").split())
    chosen = [scope for scope in OFFERED if scope in request.POST.getlist("scope")]
    faults: dict[str, Text] = {}
    if not 0 < len(name) <= NAME_CHARS_MAX or not name.isprintable():
        faults["name"] = _NO_NAME
    if not chosen:
        faults["scope"] = _NO_SCOPE
    return name, chosen, faults


def _hash(text: str | None) -> bytes | None:
    try:
        found = bytes.fromhex(text or "")
    except ValueError:
        return None
    return found if len(found) == TOKEN_BYTES else None


def _page(request: PageRequest, *, faults: dict[str, Text] | None = None) -> HttpResponse:
    answer = request.signing.answer(request)
    context = {
        "tokens": [
            _issued(request, row)
            for row in ApiToken.objects.filter(holder="").order_by("state", "-issued_ms", "pk")
        ],
        "personal_count": ApiToken.objects.exclude(holder="").filter(state=ACTIVE).count(),
        "scopes": OFFERED.items(),
        "chosen": request.POST.getlist("scope"),
        "name": request.POST.get("name", ""),
        "name_chars_max": NAME_CHARS_MAX,
        "faults": faults or {},
        "done": answer is not None and answer.status == "accepted",
        "fault": _said(answer),
    }
    return render(request, "portal/tokens.html", context, status=422 if faults else 200)


def _issued(request: PageRequest, row: ApiToken) -> Issued:
    return Issued(
        bytes(row.token_hash).hex(),
        row.name,
        tuple(SCOPES.get(scope, scope) for scope in row.scopes.split()),
        datetime.fromtimestamp(row.issued_ms / 1000, UTC),
        row.state == ACTIVE,
        row.position < request.tower.witnessing().watermark,
    )


def _said(answer: Answer | None) -> Text:
    if answer is None or answer.status == "accepted":
        return ""
    if answer.status == "unavailable":
        return UNAVAILABLE.get(answer.code, UNAVAILABLE_OTHERWISE)
    return _REFUSED.get(answer.code, _REFUSED_OTHERWISE)

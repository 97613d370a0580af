"""Programs that may do something in my name: tokens of the API that I make and take back.

The token is made from the form's own id under this site's secret, so that a form that is sent twice
shows the same one; the journal holds its SHA-256 alone, and it is shown on one page, once.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from kulla.kernel.canonical import Value
from kulla.kernel.tower import Answer
from kulla.portal.bearer import hash_of, written
from kulla.portal.mine import own
from kulla.portal.mine.asking import Question, ask_own, put_question, show
from kulla.services.accounts.apply import ACTIVE
from kulla.services.accounts.models import ApiToken
from kulla.services.calls import SCOPES
from kulla.services.pages import PageRequest, Text, open_to, read_command_id, signed_in

ADDRESS: Final = "/mine/programs"
NAME_CHARS_MAX: Final = 60

_NO_SCOPE: Final[Text] = _("Choose at least one thing that the program may do.")
_NO_NAME: Final[Text] = _("Say what you call the program, in at most 60 characters.")


@dataclass(frozen=True, slots=True)
class Program:
    """A token of mine that stands: how I call it, what it may do, since when."""

    key: str
    name: str
    may: tuple[Text, ...]
    since: datetime
    settled: bool


@open_to("citizen", limit="acts")
@sensitive_variables()
def programs(request: PageRequest) -> HttpResponse:
    """GET: my tokens, and a form. POST `name`, `scope`...: make one; the answer shows it once."""
    command_id = read_command_id(request.POST)
    if request.method != "POST" or command_id is None:
        return _page(request)
    name = " ".join(request.POST.get("name", "").split())
    chosen = [scope for scope in SCOPES if scope in request.POST.getlist("scope")]
    faults: dict[str, Text] = {}
    if not 0 < len(name) <= NAME_CHARS_MAX or not name.isprintable():
        faults["name"] = _NO_NAME
    if not chosen:
        faults["scope"] = _NO_SCOPE
    if faults:
        return _page(request, faults=faults)
    subject = signed_in(request).subject
    token = token_of(subject, command_id)
    data: dict[str, Value] = {"token_hash": hash_of(token), "scopes": sorted(chosen)}
    data.update(request.tower.seal(subject, {"label": name}, command_id))
    answer = ask_own(request, "issue_api_token", command_id, data)
    if answer.status != "accepted":
        return _page(request, answer)
    context = {"token": written(token), "name": name, "back": ADDRESS}
    return render(request, "portal/mine/token.html", context)


@open_to("citizen", limit="acts")
def remove(request: PageRequest, key: str) -> HttpResponse:
    """GET: is the token really to go? POST: take it back. Another's is not found."""
    try:
        token_hash = bytes.fromhex(key)
    except ValueError as error:
        raise Http404 from error
    subject = signed_in(request).subject
    row = ApiToken.objects.filter(pk=token_hash, holder=subject).first()
    if row is None:
        raise Http404
    question = Question(
        title=_("Take this token back?"),
        said=_("The program can do nothing in your name any more, from this moment on."),
        yes=_("Yes, take it back"),
        back=ADDRESS,
        name=own.opened(request.tower, subject, "label", row.label_sealed),
    )
    return put_question(request, question, "revoke_api_token", {"token_hash": token_hash})


def token_of(subject: str, command_id: bytes) -> bytes:
    """The 32 bytes of the token that this form of this person makes."""
    meant = b"api token " + subject.encode() + command_id
    return hmac.digest(str(settings.SECRET_KEY).encode(), meant, "sha256")


def programs_of(request: PageRequest) -> list[Program]:
    """The tokens of the person who is signed in that stand, the newest first."""
    subject = signed_in(request).subject
    watermark = request.tower.witnessing().watermark
    rows = ApiToken.objects.filter(holder=subject, state=ACTIVE).order_by("-issued_ms", "pk")
    return [
        Program(
            bytes(row.token_hash).hex(),
            own.opened(request.tower, subject, "label", row.label_sealed),
            tuple(SCOPES[scope] for scope in row.scopes.split() if scope in SCOPES),
            datetime.fromtimestamp(row.issued_ms / 1000, UTC),
            row.position < watermark,
        )
        for row in rows
    ]


def _page(
    request: PageRequest, answer: Answer | None = None, *, faults: dict[str, Text] | None = None
) -> HttpResponse:
    context: dict[str, Any] = {
        "programs": programs_of(request),
        "scopes": SCOPES.items(),
        "chosen": request.POST.getlist("scope"),
        "name": request.POST.get("name", ""),
        "name_chars_max": NAME_CHARS_MAX,
        "faults": faults or {},
    }
    status = 422 if faults else 200
    return show(request, "portal/mine/programs.html", context, answer, status=status)

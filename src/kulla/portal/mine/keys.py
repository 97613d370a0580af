"""The ways in: my passkeys, my e-ID, and where I am signed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from kulla.portal.mine import own
from kulla.portal.mine.asking import Question, put_question, show
from kulla.portal.sessions import SessionStore
from kulla.portal.sign_in.ways import other_ways
from kulla.portal.via import session_mark
from kulla.services.accounts.models import Identity, Passkey
from kulla.services.pages import PageRequest, open_to, signed_in

ADDRESS: Final = "/mine/keys"


@dataclass(frozen=True, slots=True)
class OwnSession:
    """One place where I am signed in.

    `name` is the hash that the file keeps, as hex; `mark` what stands in the acts that were done by
    it (portal.via), by which they can be undone.
    """

    name: str
    mark: str
    began: datetime
    how: str
    is_this: bool


@open_to("citizen")
def keys(request: PageRequest) -> HttpResponse:
    """Passkeys, e-IDs and sessions, each with a way to end it."""
    subject = signed_in(request).subject
    passkeys = own.passkeys_of(subject)
    context = {
        "passkeys": [
            (row, own.opened(request.tower, subject, "label", row.label_sealed), _added(row))
            for row in passkeys
        ],
        "identities": [
            (row, urlsplit(row.issuer).hostname or row.issuer) for row in own.identities_of(subject)
        ],
        "ways": other_ways(),
        "sessions": own_sessions(request),
    }
    return show(request, "portal/mine/keys.html", context)


@open_to("citizen", limit="acts")
def remove_passkey(request: PageRequest, credential: str) -> HttpResponse:
    """GET: is this passkey really to go? POST: remove it. Another's is not found."""
    subject = signed_in(request).subject
    row = Passkey.objects.filter(pk=credential, subject=subject).first()
    if row is None:
        raise Http404
    question = Question(
        title=_("Remove this passkey?"),
        said=_(
            "Nobody signs in with it any more, here or on another home of this site. The device "
            "keeps its half until you delete it there."
        ),
        yes=_("Yes, remove it"),
        back=ADDRESS,
    )
    return put_question(request, question, "remove_passkey", {"credential": row.credential})


@open_to("citizen", limit="acts")
def unlink(request: PageRequest, token: str) -> HttpResponse:
    """GET: is this e-ID really to be unlinked? POST: do it. Another's is not found."""
    try:
        key = bytes.fromhex(token)
    except ValueError as error:
        raise Http404 from error
    row = Identity.objects.filter(pk=key, subject=signed_in(request).subject).first()
    if row is None:
        raise Http404
    question = Question(
        title=_("Unlink this e-ID?"),
        said=_("You can't sign in with it any more. Your account and all acts stay."),
        yes=_("Yes, unlink it"),
        back=ADDRESS,
    )
    return put_question(request, question, "unlink_identity", {"token": bytes(row.token)})


@open_to("citizen")
def end_session(request: PageRequest) -> HttpResponse:
    """POST `session`: end that session of mine; 'others' ends all but this one."""
    if request.method == "POST":
        wanted, subject = request.POST.get("session", ""), signed_in(request).subject
        for one in own_sessions(request):
            if one.name == wanted or (wanted == "others" and not one.is_this):
                SessionStore.end_one(subject, bytes.fromhex(one.name))
    return redirect(f"{ADDRESS}#sessions")


def own_sessions(request: PageRequest) -> list[OwnSession]:
    """Where the person is signed in, the newest first."""
    this = SessionStore.hash_of(request.session.session_key or "")
    found = [
        OwnSession(
            id_hash.hex(),
            session_mark(id_hash).hex(),
            datetime.fromtimestamp(ends_s - settings.SESSION_COOKIE_AGE, UTC),
            how,
            id_hash == this,
        )
        for id_hash, ends_s, how in SessionStore.all_of(signed_in(request).subject)
    ]
    return sorted(found, key=lambda one: one.began, reverse=True)


def _added(row: Passkey) -> datetime:
    return datetime.fromtimestamp(row.added_ms / 1000, UTC)

"""The settings at a glance, with the two that are simple: language and reminders."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.http import HttpResponse

from kulla.kernel.tower import Answer
from kulla.portal.middleware import keep_language
from kulla.portal.mine import own
from kulla.portal.mine.asking import ask_own, done, show
from kulla.portal.sessions import SessionStore
from kulla.services.accounts.policy import LANGUAGES, REMINDERS
from kulla.services.pages import PageRequest, open_to, read_command_id, signed_in

ADDRESS: Final = "/mine"


@open_to("citizen")
def overview(request: PageRequest) -> HttpResponse:
    """All settings, each with what it is set to."""
    return _page(request)


@open_to("citizen", limit="acts")
def preferences(request: PageRequest) -> HttpResponse:
    """POST `language` and `reminders`: set them."""
    command_id = read_command_id(request.POST)
    language, reminders = request.POST.get("language", ""), request.POST.get("reminders", "")
    known = language in LANGUAGES and reminders in REMINDERS
    if request.method != "POST" or command_id is None or not known:
        return _page(request)
    data = {"language": language, "reminders": reminders}
    answer = ask_own(request, "set_preferences", command_id, data)
    if answer.status != "accepted":
        return _page(request, answer)
    response = done(ADDRESS, answer)
    keep_language(response, language)
    return response


def _page(request: PageRequest, answer: Answer | None = None) -> HttpResponse:
    subject = signed_in(request).subject
    account = own.account_of(subject)
    context = {
        "account": account,
        "language_chosen": request.POST.get("language") or (account.language if account else ""),
        "reminders_chosen": request.POST.get("reminders") or (account.reminders if account else ""),
        "languages": settings.LANGUAGES,
        "address_count": len(own.addresses_of(subject)),
        "passkey_count": len(own.passkeys_of(subject)),
        "session_count": len(SessionStore.all_of(subject)),
        "people_count": len(request.acting_for.people()),
    }
    return show(request, "portal/mine/overview.html", context, answer)

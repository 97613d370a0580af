"""The way to the e-ID and back: begin, come back, and say which account is mine.

An e-ID that no account knows opens none by itself. Whoever comes with one proves first which
account is theirs, by signing in or with a code by mail, or opens one; only then it is linked.
"""

from __future__ import annotations

import hmac
from functools import lru_cache
from typing import Final

import structlog
from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from kulla.kernel.canonical import Value
from kulla.portal.e_id import attempts
from kulla.portal.e_id.id_token import IdTokenRefused, Vouched
from kulla.portal.e_id.provider import Client, Provider, ProviderUnavailable
from kulla.portal.edge import installed
from kulla.portal.mine.asking import ask_own, done, show
from kulla.portal.sign_in.entering import let_in, safe_next, with_next
from kulla.services.accounts.models import Identity
from kulla.services.pages import (
    PageRequest,
    Text,
    open_to_all,
    read_command_id,
    signed_in,
)

LINK: Final = "/sign-in/e-id/link"
BACK: Final = "/sign-in/e-id/back"
_KEYS_PAGE: Final = "/mine/keys"
_CODE_CHARS_MAX: Final = 2048

_log = structlog.get_logger("kulla.portal")

_ASIDE: Final[Text] = _("The e-ID did not answer. Nothing was changed; try again, or use a code.")
_ENDED: Final[Text] = _(
    "This sign-in ended, or it was begun in another browser. Nothing was changed: begin again."
)
_DENIED: Final[Text] = _("The e-ID said no, or you stopped there. Nothing was changed.")
_ANOTHERS: Final[Text] = _(
    "This e-ID is linked to another account than the one that is signed in here. Sign out first."
)
_NOT_TAKEN: Final[Text] = _(
    "What the e-ID sent could not be accepted as a proof of who you are. Nobody was signed in. "
    "Begin again; if it stays so, sign in with a code and tell us."
)


@open_to_all(limit="sign_in")
def begin(request: PageRequest) -> HttpResponse:
    """POST: lead to the provider. GET does nothing, so that no link begins a sign-in."""
    provider = _provider_or_404()
    if request.method != "POST":
        return redirect(with_next("/sign-in", safe_next(request)))
    begun = attempts.begin(request, safe_next(request))
    try:
        address = provider.address(begun.attempt)
    except ProviderUnavailable as error:
        return _fault(request, error, _ASIDE, 503)
    # A form may lead to our own addresses only (CSP form-action), so this page sends the browser
    # on, and shows the link where it does not go by itself.
    response = render(request, "portal/e_id/going.html", {"address": address})
    response["Refresh"] = f"0; url={address}"
    attempts.keep_begun(request, response, begun)
    return response


@open_to_all(limit="sign_in")
@sensitive_variables()
def back(request: PageRequest) -> HttpResponse:
    """GET, from the provider: sign in whom it vouches for, or lead on to linking."""
    provider = _provider_or_404()
    begun = attempts.begun(request)
    state = request.GET.get("state", "")
    if begun is None or not hmac.compare_digest(begun.attempt.state.encode(), state.encode()):
        return _fault(request, None, _ENDED, 400)
    code = request.GET.get("code", "")
    # RFC 9207: a provider that says who it is must say that it is ours.
    says = request.GET.get("iss")
    if says is not None and says != settings.KULLA.oidc.issuer:
        return _fault(request, None, _NOT_TAKEN, 400)
    if not 0 < len(code) <= _CODE_CHARS_MAX:
        return _fault(request, None, _DENIED, 403)
    try:
        vouched = provider.vouched(code, begun.attempt)
    except ProviderUnavailable as error:
        return _fault(request, error, _ASIDE, 503)
    except IdTokenRefused as error:
        return _fault(request, error, _NOT_TAKEN, 403)
    owner = _owner(request, vouched)
    if owner and request.actor is not None and request.actor.subject != owner:
        return _fault(request, None, _ANOTHERS, 409)
    if owner:
        response = let_in(request, owner, "identity", begun.where)
        attempts.forget(response)
        return response
    response = redirect(with_next(LINK, begun.where))
    attempts.keep_waiting(request, response, vouched)
    return response


@open_to_all(limit="sign_in")
def link(request: PageRequest) -> HttpResponse:
    """GET: to which account the e-ID belongs. POST, signed in: link it to mine."""
    _provider_or_404()
    vouched, where = attempts.waiting(request), safe_next(request)
    if vouched is None:
        return _fault(request, None, _ENDED, 400)
    actor = request.actor
    if actor is None or actor.role != "citizen":
        context = {"vouched": vouched, "sign_in": with_next("/sign-in", with_next(LINK, where))}
        return render(request, "portal/e_id/unknown.html", context)
    return _link_own(request, vouched, where)


def _link_own(request: PageRequest, vouched: Vouched, where: str) -> HttpResponse:
    context = {"vouched": vouched, "next": where}
    command_id = read_command_id(request.POST)
    if request.method != "POST" or command_id is None:
        return show(request, "portal/e_id/link.html", context)
    data: dict[str, Value] = {"issuer": vouched.issuer, "token": _token(request, vouched)}
    answer = ask_own(request, "link_identity", command_id, data)
    mine = _owner(request, vouched) == signed_in(request).subject
    if answer.status == "accepted" or mine:
        response = done(_KEYS_PAGE, answer) if where in ("/", _KEYS_PAGE) else redirect(where)
        attempts.forget(response)
        return response
    return show(request, "portal/e_id/link.html", context, answer)


def offered_name(request: PageRequest) -> str:
    """The name that an e-ID brought along, for who opens an account with it; '' otherwise."""
    vouched = attempts.waiting(request) if settings.KULLA.oidc else None
    return vouched.name if vouched else ""


def _owner(request: PageRequest, vouched: Vouched) -> str:
    """Whose account knows the e-ID, below the watermark; '' where none does."""
    watermark = request.tower.witnessing().watermark
    key = _token(request, vouched)
    found = Identity.objects.filter(pk=key, position__lt=watermark).first()
    return found.subject if found else ""


def _token(request: PageRequest, vouched: Vouched) -> bytes:
    return request.tower.token("oidc", f"{vouched.issuer} {vouched.sub}")


def _fault(request: PageRequest, error: Exception | None, said: Text, status: int) -> HttpResponse:
    if error is not None:
        _log.warning("e-ID sign-in failed", error=type(error).__name__, why=str(error))
    response = render(request, "portal/e_id/fault.html", {"said": said}, status=status)
    attempts.forget(response)
    return response


def _provider_or_404() -> Provider:
    oidc = settings.KULLA.oidc
    if oidc is None:
        raise Http404
    public_url = settings.KULLA.public_url.rstrip("/")
    return _provider(Client(oidc.issuer, oidc.client_id, oidc.secret(), f"{public_url}{BACK}"))


@lru_cache(maxsize=4)
def _provider(client: Client) -> Provider:
    return Provider(client, installed().clock)

"""What happens to every request on its way to a page, kept lean: each line is paid by everybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers

from kulla.kernel.service import Actor, Role
from kulla.portal import errors
from kulla.portal.acting import ActingForOthers
from kulla.portal.bearer import is_call
from kulla.portal.civil_register import civil_register
from kulla.portal.drafts import KeptDrafts
from kulla.portal.edge import installed
from kulla.portal.holds import SlotHolds
from kulla.portal.kept_forms import BrowserKeptForms
from kulla.portal.people import RegisterPeople
from kulla.portal.sessions import ROLE, SUBJECT
from kulla.portal.sign_in.people import still_holds
from kulla.portal.signing import SIGNING
from kulla.portal.via import MarkedTower
from kulla.services.pages import PageRequest

Handler = Callable[[HttpRequest], HttpResponse]

_HEADERS: Final = {
    # One script of our own, nothing from elsewhere, nothing inline: what is injected does not run,
    # and what runs can send nothing but the page's own form.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": (
        "camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=(), "
        "publickey-credentials-get=(self), publickey-credentials-create=(self)"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
BODY_BYTES_MAX: Final = 1024 * 1024
"""No page takes more than a receipt, and that is at most 768 KiB; but for those that take files."""

FILES_END: Final = "/files"
"""How the address of a page ends to which people hand in files."""

FILE_BODY_BYTES_MAX: Final = 4 * 1024 * 1024 + 64 * 1024
"""A file of 4 MiB and the form around it."""

_POLICY: Final = "Content-Security-Policy"
SANDBOX: Final = "default-src 'none'; sandbox"
"""What a page says as its policy where it gives out a file that somebody handed in."""

_HSTS: Final = "max-age=63072000; includeSubDomains"
_LANGUAGE_COOKIE_AGE_S: Final = 365 * 24 * 3600


def security_headers(handle: Handler) -> Handler:
    """Every answer has the same strict headers; pages are kept by no cache unless they say so."""
    headers = _HEADERS | ({"Strict-Transport-Security": _HSTS} if settings.KULLA.tls else {})
    proxies = settings.KULLA.proxies

    def answer(request: HttpRequest) -> HttpResponse:
        if proxies:
            _believe_proxy(request, proxies)
        request.get_host()  # raises DisallowedHost, which becomes the page for a bad request
        length = request.META.get("CONTENT_LENGTH") or "0"
        most = FILE_BODY_BYTES_MAX if request.path_info.endswith(FILES_END) else BODY_BYTES_MAX
        if length.isdecimal() and int(length) > most:
            with translation.override(settings.LANGUAGE_CODE):
                response = errors.too_big(request)
        else:
            response = handle(request)
        for name, value in headers.items():
            if name == _POLICY and response.get(name) == SANDBOX:
                continue  # a file that goes out is bound even more strictly
            response[name] = value
        if "Cache-Control" not in response:
            response["Cache-Control"] = "private, no-store"
        return response

    return answer


def _believe_proxy(request: HttpRequest, proxies: frozenset[str]) -> None:
    """Take the client's address and scheme from a proxy that is known, and from nobody else."""
    meta = request.META
    if meta.get("REMOTE_ADDR") not in proxies:
        return
    if meta.get("HTTP_X_FORWARDED_PROTO") == "https":
        meta["wsgi.url_scheme"] = "https"
    # The last address is the one that our own proxy saw; those before it anybody can make up.
    nearest = meta.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
    if nearest:
        meta["REMOTE_ADDR"] = nearest


def language(handle: Handler) -> Handler:
    """Albanian, unless the person chose otherwise: `?lang=en` once, then a cookie."""
    known = frozenset(code for code, _ in settings.LANGUAGES)
    default: str = settings.LANGUAGE_CODE
    cookie = settings.LANGUAGE_COOKIE_NAME

    def answer(request: HttpRequest) -> HttpResponse:
        if is_call(request.path_info):
            return handle(request)  # programs ask by Accept-Language (portal/api.py)
        chosen = request.GET.get("lang") if request.META["QUERY_STRING"] else None
        kept = request.COOKIES.get(cookie, default)
        code = next((code for code in (chosen, kept) if code and code in known), default)
        translation.activate(code)
        request.LANGUAGE_CODE = code
        response = handle(request)
        response["Content-Language"] = code
        if response.get("Vary") != "Cookie":  # as it is wherever the session was asked
            patch_vary_headers(response, ("Cookie",))
        if chosen == code:
            keep_language(response, code)
        return response

    return answer


def keep_language(response: HttpResponse, code: str) -> None:
    """Let this browser speak the language from the next page on."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        code,
        max_age=_LANGUAGE_COOKIE_AGE_S,
        secure=settings.KULLA.tls,
        httponly=True,
        samesite="Lax",
    )


def tower(handle: Handler) -> Handler:
    """Each request knows its tower and who is signed in; see PageRequest."""

    def answer(request: HttpRequest) -> HttpResponse:
        page_request = cast(PageRequest, request)
        edges = installed()
        page_request.tower = MarkedTower(edges.tower, request)
        page_request.clock = edges.clock
        page_request.entropy = edges.entropy
        page_request.holds = SlotHolds(edges.clock)
        page_request.signing = SIGNING
        if is_call(request.path_info):
            page_request.actor = None  # whoever's token comes: cookies count for nothing
            return handle(request)
        session = request.session
        subject = session.get(SUBJECT) if session.session_key else None
        if subject and session[ROLE] != "citizen" and not still_holds(subject, session[ROLE]):
            session.flush()  # a role that was taken away ends its sessions at once
            subject = None
        page_request.actor = Actor(cast(Role, session[ROLE]), subject) if subject else None
        page_request.kept = BrowserKeptForms(request, subject or "", edges.entropy)
        page_request.people = RegisterPeople(edges.tower, page_request.actor)
        page_request.acting_for = ActingForOthers(page_request)
        page_request.drafts = KeptDrafts(edges.clock, subject or "")
        page_request.civil = civil_register(edges.clock)
        return handle(request)

    return answer

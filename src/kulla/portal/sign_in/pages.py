"""The sign-in page, and the page where the code is typed in. Both work without any script."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from kulla.portal import demo, errors, letters
from kulla.portal.doors import address_of
from kulla.portal.marks import mark
from kulla.portal.noted import note
from kulla.portal.session_seals import keep
from kulla.portal.sign_in import codes, people
from kulla.portal.sign_in.addresses import Address, read_address
from kulla.portal.sign_in.code_words import code_fault, wait_fault
from kulla.portal.sign_in.entering import begin, let_in, safe_next, sweep, with_next
from kulla.portal.sign_in.joining import PROVEN
from kulla.portal.sign_in.ways import other_ways
from kulla.services.pages import PageRequest, Text, open_to_all

_TYPED_CHARS_MAX: Final = 300
_LETTERS_SHOWN: Final = 5

_NO_ADDRESS: Final[Text] = _(
    "This is neither a mail address nor a telephone number. "
    "Write it like emri@shembull.al or 069 123 4567."
)


@open_to_all(limit="sign_in")
@sensitive_variables()
def sign_in(request: PageRequest) -> HttpResponse:
    """GET: the ways to sign in. POST `address`: send a code there.

    In the demo country also POST `subject`: be that made-up person.
    """
    where = safe_next(request)
    if request.method == "POST" and "subject" in request.POST:
        person = demo.person(request.POST["subject"])
        if person is None:
            raise Http404
        return begin(request, person.subject, person.role, "demo", where)
    if request.method != "POST":
        return _page(request, where)
    typed = request.POST.get("address", "").strip()[:_TYPED_CHARS_MAX]
    address = read_address(typed)
    if address is None:
        return _page(request, where, typed=typed, fault=_NO_ADDRESS, status=422)
    sweep()
    wait_s = codes.wait_of(address_of(request))
    if wait_s:
        return errors.too_many(request, wait_s)
    wait_s = codes.send(request.session, address)
    if wait_s:
        return _page(
            request, where, typed=typed, fault=wait_fault(wait_s), status=429, wait_s=wait_s
        )
    return redirect(with_next("/sign-in/code", where))


@open_to_all(limit="sign_in")
@sensitive_variables()
def code(request: PageRequest) -> HttpResponse:
    """GET: where the code is typed. POST `code`: check it; POST `again`: send another one."""
    where = safe_next(request)
    awaited = codes.awaited(request.session)
    if request.method == "POST" and "again" in request.POST and awaited is not None:
        return _again(request, awaited.address, where)
    if request.method == "POST" and "again" not in request.POST:
        found = codes.check(request.session, request.POST.get("code", "")[:_TYPED_CHARS_MAX])
        if isinstance(found, codes.Proven):
            return _go_on(request, found, where)
        if found.guessed:
            note(request, "code wrong", about=mark("address", found.guessed), left=found.left)
        fault = code_fault(found)
        return _code_page(request, where, fault=fault, status=422)
    if awaited is None:
        return redirect(with_next("/sign-in", where))
    return _code_page(request, where)


def _go_on(request: PageRequest, proven: codes.Proven, where: str) -> HttpResponse:
    """The address is theirs: let its owner in, or lead on to signing up."""
    subject = people.owner_of(proven.token, request.tower)
    if subject:
        return let_in(request, subject, proven.address.channel, where)
    # A session from before must not know what this one proved: somebody else may have begun it.
    request.session.flush()
    until_ms = request.clock.now_ms() + codes.LIFE_S * 1000
    address = proven.address
    keep(request.session, PROVEN, [address.channel, address.text, proven.token, until_ms])
    return redirect(with_next("/sign-up", where))


def _again(request: PageRequest, address: Address, where: str) -> HttpResponse:
    wait_s = codes.wait_of(address_of(request))
    if wait_s:
        return errors.too_many(request, wait_s)
    wait_s = codes.send(request.session, address)
    if wait_s:
        return _code_page(request, where, fault=wait_fault(wait_s), status=429, wait_s=wait_s)
    return redirect(with_next("/sign-in/code", where))


def _page(
    request: PageRequest,
    where: str,
    *,
    typed: str = "",
    fault: Text = "",
    status: int = 200,
    wait_s: int = 0,
) -> HttpResponse:
    context: dict[str, Any] = {
        "next": where,
        "typed": typed,
        "fault": fault,
        "ways": other_ways(),
        "passkey_address": with_next("/sign-in/passkey", where),
    }
    if settings.KULLA.demo:
        context |= demo.shown_people(request.GET.get("name", ""))
    return _rendered(request, "portal/sign_in/page.html", context, status, wait_s)


def _code_page(
    request: PageRequest, where: str, *, fault: Text = "", status: int = 200, wait_s: int = 0
) -> HttpResponse:
    context = {
        "next": where,
        "fault": fault,
        "awaited": codes.awaited(request.session),
        "start_address": with_next("/sign-in", where),
        "letters": letters.newest_for_demo(_LETTERS_SHOWN),
    }
    return _rendered(request, "portal/sign_in/code.html", context, status, wait_s)


def _rendered(
    request: PageRequest, template: str, context: dict[str, Any], status: int, wait_s: int
) -> HttpResponse:
    response = render(request, template, context, status=status)
    if wait_s:
        response["Retry-After"] = str(wait_s)
    return response

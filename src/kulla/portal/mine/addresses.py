"""My addresses: those that stand in my account, adding one with a code, removing one."""

from __future__ import annotations

from typing import Any, Final

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from kulla.kernel.tower import Answer
from kulla.portal import letters
from kulla.portal.marks import mark
from kulla.portal.mine import own
from kulla.portal.mine.asking import Question, ask_own, done, put_question, show
from kulla.portal.noted import note
from kulla.portal.session_seals import keep, kept
from kulla.portal.sign_in import codes
from kulla.portal.sign_in.addresses import Address, read_address
from kulla.portal.sign_in.code_words import code_fault, wait_fault
from kulla.services.accounts import models
from kulla.services.pages import PageRequest, Text, open_to, read_command_id, signed_in

ADDRESS: Final = "/mine/addresses"
_CODE: Final = "/mine/addresses/code"
_PROVEN: Final = "address to add"
_TYPED_CHARS_MAX: Final = 300
_LETTERS_SHOWN: Final = 3
_NO_ADDRESS: Final[Text] = _(
    "This is neither a mail address nor a telephone number. "
    "Write it like emri@shembull.al or 069 123 4567."
)


@open_to("citizen", limit="sign_in")
@sensitive_variables()
def addresses(request: PageRequest) -> HttpResponse:
    """GET: my addresses. POST `address`: send a code there, so that it can be added."""
    if request.method != "POST":
        return _page(request)
    typed = request.POST.get("address", "").strip()[:_TYPED_CHARS_MAX]
    address = read_address(typed)
    if address is None:
        return _page(request, typed=typed, fault=_NO_ADDRESS, status=422)
    wait_s = codes.send(request.session, address)
    if wait_s:
        return _page(request, typed=typed, fault=wait_fault(wait_s), status=429)
    request.session.pop(_PROVEN, None)
    return redirect(_CODE)


@open_to("citizen", limit="acts")
@sensitive_variables()
def code(request: PageRequest) -> HttpResponse:
    """GET: where the code is typed. POST `code`: add the address that it was sent to.

    The proven address stays in the session, so a form that is sent again is the same command.
    """
    command_id = read_command_id(request.POST)
    if request.method != "POST" or command_id is None:
        if codes.awaited(request.session) is None:
            return redirect(ADDRESS)
        return _code_page(request)
    proven = _proven(request, command_id)
    if proven is None:
        found = codes.check(request.session, request.POST.get("code", "")[:_TYPED_CHARS_MAX])
        if isinstance(found, codes.NotProven):
            if found.guessed:
                note(request, "code wrong", about=mark("address", found.guessed), left=found.left)
            return _code_page(request, fault=code_fault(found), status=422)
        address, token = found.address, found.token
        keep(request.session, _PROVEN, [command_id, address.channel, address.text, token])
        proven = address.channel, address.text, token
    channel, text, token = proven
    subject = signed_in(request).subject
    sealed = request.tower.seal(subject, {channel: text}, command_id)[channel]
    data = {"kind": channel, "token": token, "sealed": sealed}
    answer = ask_own(request, "add_address", command_id, data)
    if answer.status == "accepted":
        request.session.pop(_PROVEN, None)
        return done(ADDRESS, answer)
    return _code_page(request, answer=answer)


@open_to("citizen", limit="acts")
def remove(request: PageRequest, token: str) -> HttpResponse:
    """GET: is this address really to go? POST: remove it. Another's is not found."""
    subject = signed_in(request).subject
    row = models.Address.objects.filter(pk=_token(token), subject=subject).first()
    if row is None:
        raise Http404
    text = own.opened(request.tower, subject, row.kind, row.sealed)
    question = Question(
        title=_("Remove this address?"),
        said=_("Nothing is sent there any more, and nobody signs in with it."),
        yes=_("Yes, remove it"),
        back=ADDRESS,
        name=text,
    )
    return put_question(request, question, "remove_address", {"token": bytes(row.token)})


def _page(
    request: PageRequest, *, typed: str = "", fault: Text = "", status: int = 200
) -> HttpResponse:
    subject = signed_in(request).subject
    rows = own.addresses_of(subject)
    shown = [(row, own.opened(request.tower, subject, row.kind, row.sealed)) for row in rows]
    context = {"addresses": shown, "typed": typed, "fault": fault}
    return show(request, "portal/mine/addresses.html", context, status=status)


def _code_page(
    request: PageRequest, *, fault: Text = "", answer: Answer | None = None, status: int = 200
) -> HttpResponse:
    awaited = codes.awaited(request.session)
    context: dict[str, Any] = {
        "awaited": awaited.address.text if awaited else "",
        "fault": fault,
        "letters": letters.newest_for_demo(_LETTERS_SHOWN),
    }
    return show(request, "portal/mine/address_code.html", context, answer, status=status)


def _proven(request: PageRequest, command_id: bytes) -> tuple[letters.Channel, str, bytes] | None:
    """The address that this very form proved before, or None."""
    value = kept(request.session, _PROVEN)
    if not isinstance(value, list) or value[0] != command_id:
        return None
    _id, channel, text, token = value
    address = read_address(str(text))
    assert isinstance(address, Address)
    assert address.channel == channel
    assert isinstance(token, bytes)
    return address.channel, address.text, token


def _token(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise Http404 from error

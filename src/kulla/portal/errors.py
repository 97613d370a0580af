"""Pages for when something went wrong: what happened, that nothing was lost, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from kulla.portal.bearer import is_call
from kulla.portal.edge import installed
from kulla.portal.kept_forms import BrowserKeptForms
from kulla.services.pages import UNAVAILABLE, Door

_KEPT_CHARS_MAX: Final = 20_000
_NOT_KEPT: Final = frozenset({"csrfmiddlewaretoken"})

_LAST_RESORT: Final = (
    b"<!doctype html><html lang=sq><title>Kulla</title><h1>Di\xc3\xa7ka nuk shkoi / "
    b"Something went wrong</h1><p>Asgj\xc3\xab nuk humbi. Provoni p\xc3\xabrs\xc3\xabri pas pak. "
    b"/ Nothing was lost. Please try again in a moment.</p>"
)


def page(
    request: HttpRequest,
    status: int,
    title: str,
    said: Sequence[str],
    *,
    reference: str = "",
    again: bool = False,
    onward: tuple[str, str] | None = None,
    code: str = "",
) -> HttpResponse:
    """One error page; `again` offers to send the same form once more, with all that was typed.

    `onward` is the way on: an address, and the words of its button. `code` is a reason that
    programs may read off the page.
    """
    if is_call(request.path_info):
        return _problem(request, status, title, said)
    context = {
        "title": title,
        "said": said,
        "reference": reference,
        "again": again,
        "onward": onward,
        "code": code,
        "kept": _kept(request) if again and request.method == "POST" else [],
        "is_form": request.method == "POST",
    }
    return render(request, "portal/error.html", context, status=status)


def _problem(request: HttpRequest, status: int, title: str, said: Sequence[str]) -> HttpResponse:
    """The same for a program that called the API."""
    from kulla.portal.api_problems import tell
    from kulla.services.calls import ApiProblem

    return tell(request, ApiProblem(status, "page", title, " ".join(said)))


def _kept(request: HttpRequest) -> list[tuple[str, str]]:
    """What was typed, to be sent again; too much of it is left out rather than cut."""
    typed = [
        (name, value)
        for name, values in request.POST.lists()
        if name not in _NOT_KEPT
        for value in values
        if isinstance(value, str)
    ]
    return typed if sum(len(value) for _, value in typed) <= _KEPT_CHARS_MAX else []


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400: a request that no form or link of ours sends."""
    del exception
    return page(
        request,
        400,
        _("We could not read this request"),
        [
            _("Something in the address or in the form was not as this site sends it."),
            _("Nothing was changed and nothing was lost."),
            _("Go to the home page and try from there."),
        ],
    )


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403: signed in, but not as somebody who may open this page."""
    del exception
    return page(
        request,
        403,
        _("This page is not open to you"),
        [
            _("You are signed in, but this page is for people with another role."),
            _("Nothing was changed and nothing was lost."),
            _("Sign out and sign in as somebody else, or go to the home page."),
        ],
    )


def form_not_ours(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: a form without the mark that shows it came from our own page."""
    del reason
    response = _over_limit(request)
    if response is not None:
        return response
    said = [
        _(
            "The form did not show that it came from this site. That happens when cookies are "
            "switched off, when you signed in or out in another window, or when another site "
            "tried to send a form in your name."
        ),
        _("We did nothing with it: nothing was booked, changed or lost."),
        _("Open the page again, fill in the form and send it."),
    ]
    forms = BrowserKeptForms(request, "", installed().entropy)
    kept = forms.sealed_post()
    onward = None
    if kept:
        said[-1] = _("Open the form again: what you typed is kept for you, and stands in it.")
        onward = (request.path, _("Open the form again"))
    response = page(request, 403, _("We did not accept this form"), said, onward=onward)
    forms.put(response, kept)
    return response


def signed_out(request: HttpRequest, sign_in: str) -> HttpResponse:
    """403: a form that was sent after its session had ended; what was typed waits for its person.

    `sign_in` is the address that signs in and leads back to the form.
    """
    forms = BrowserKeptForms(request, "", installed().entropy)
    kept = forms.sealed_post()
    said = [_("Your session ended before the form was sent, so we did nothing with it.")]
    if kept:
        said.append(_("What you typed is kept, sealed, on this device: for one hour, for you."))
        said.append(_("Sign in again, and the form opens with all that you typed."))
    onward = (sign_in, _("Sign in"))
    response = page(request, 403, _("You are not signed in any more"), said, onward=onward)
    forms.put(response, kept)
    return response


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404: no such page, or nothing there that this person may see; we don't say which."""
    del exception
    response = _over_limit(request)
    return response or page(
        request,
        404,
        _("There is nothing here"),
        [
            _("The address may be mistyped or old, or the page belongs to another person."),
            _("Nothing was changed and nothing was lost."),
            _("Check the address, or start from the home page."),
        ],
    )


def too_big(request: HttpRequest) -> HttpResponse:
    """413: more bytes than any form here takes; they are not read."""
    return page(
        request,
        413,
        _("This is too big"),
        [
            _("What you sent is bigger than anything that this site takes."),
            _("Nothing was changed and nothing was lost. Choose a smaller file."),
            _("Go back with your browser: what you typed is usually still in the form."),
        ],
    )


def too_many(request: HttpRequest, wait_s: int) -> HttpResponse:
    """429: asked too often; says when to come back and keeps what was typed."""
    when = ngettext(
        "Please come back in %(count)d second.", "Please come back in %(count)d seconds.", wait_s
    ) % {"count": wait_s}
    response = page(
        request,
        429,
        _("Too many requests at once"),
        [
            _("So that everybody gets their turn, we take only so many requests from one place."),
            _("Nothing was lost, and this last request was not carried out."),
            when,
        ],
        again=True,
    )
    response["Retry-After"] = str(wait_s)
    return response


def crowded(request: HttpRequest, wait_s: int) -> HttpResponse:
    """503: more people than there is room for; says when to come back."""
    when = ngettext(
        "Please come back in %(count)d second.", "Please come back in %(count)d seconds.", wait_s
    ) % {"count": wait_s}
    response = page(
        request,
        503,
        _("Very many people are here at this moment"),
        [
            _("Those who are signed in go on first, so that what they began gets done."),
            _("Nothing was lost, and this last request was not carried out."),
            when,
        ],
        again=True,
    )
    response["Retry-After"] = str(wait_s)
    return response


def fault(request: HttpRequest, reference: str = "") -> HttpResponse:
    """500: our own mistake."""
    return page(
        request,
        500,
        _("Something went wrong on our side"),
        [
            _("It was our mistake, not yours."),
            _(
                "Whatever was confirmed to you before is safe. Whether the last step was done, "
                "you can see under My acts: a form that is sent twice is carried out once."
            ),
            _("Please try again in a moment."),
        ],
        reference=reference,
        again=True,
    )


def tower_unavailable(request: HttpRequest, reference: str = "") -> HttpResponse:
    """503: the site is up, but what stands behind it does not answer."""
    response = page(
        request,
        503,
        _("This can't be done at the moment"),
        [
            _("The part of Kulla that keeps the registers does not answer right now."),
            _(
                "Whatever was confirmed to you before is safe: it is kept in several places. "
                "A form that is sent twice is carried out once."
            ),
            _("Please try again in half a minute."),
        ],
        reference=reference,
        again=True,
    )
    response["Retry-After"] = "30"
    return response


def no_room(request: HttpRequest, reference: str = "") -> HttpResponse:
    """503: a disk is full, and not even who is signed in can be written down."""
    response = page(
        request,
        503,
        _("This can't be done at the moment"),
        [
            str(UNAVAILABLE["no-room"]),
            _("Nothing was changed and nothing was lost."),
            _("Please try again in half a minute."),
        ],
        reference=reference,
        again=True,
        code="no-room",
    )
    response["Retry-After"] = "30"
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """500 where even the way to the page failed; plain bytes if the template fails as well."""
    try:
        return fault(request)
    except Exception:  # the last page must come whatever is broken
        return HttpResponse(_LAST_RESORT, status=500)


def _over_limit(request: HttpRequest) -> HttpResponse | None:
    """These pages come without passing a door, so they count themselves."""
    from kulla.portal.doors import spend

    wait_s = spend(request, Door(None))
    return too_many(request, wait_s) if wait_s else None

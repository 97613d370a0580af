"""The style sheet and the icon, served by this process under names that change with their bytes."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import Final

from django.http import Http404, HttpRequest, HttpResponse

from kulla.services.pages import open_to_all

_NOT_SEARCHED: Final = (
    *("/appointments/", "/receipts/", "/acts", "/messages", "/mine", "/enrolment/children"),
    *("/enrolment/rounds/*/children/", "/enrolment/counter", "/enrolment/ministry"),
)
"""Where pages of one person's begin, or of staff (RFC 9309)."""
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_DAY: Final = "public, max-age=86400"


@cache
def _file(name: str) -> bytes:
    return resources.files("kulla.portal").joinpath("files", name).read_bytes()


@cache
def style_address() -> str:
    """The style sheet's address: `/style/<hash>.css`."""
    return f"/style/{hashlib.sha256(_file('kulla.css')).hexdigest()[:16]}.css"


@open_to_all()
def style(request: HttpRequest, name: str) -> HttpResponse:
    """The style sheet of this release, to be kept for ever; an old name is not found."""
    del request
    if f"/style/{name}.css" != style_address():
        raise Http404
    return HttpResponse(
        _file("kulla.css"),
        content_type="text/css; charset=utf-8",
        headers={"Cache-Control": _FOR_EVER},
    )


@cache
def script_address() -> str:
    """The address of the script for passkeys, the only one: `/script/<hash>.js`."""
    return f"/script/{hashlib.sha256(_file('passkey.js')).hexdigest()[:16]}.js"


@open_to_all()
def script(request: HttpRequest, name: str) -> HttpResponse:
    """The script of this release, to be kept for ever; an old name is not found."""
    del request
    if f"/script/{name}.js" != script_address():
        raise Http404
    return HttpResponse(
        _file("passkey.js"),
        content_type="text/javascript; charset=utf-8",
        headers={"Cache-Control": _FOR_EVER},
    )


@open_to_all()
def icon(request: HttpRequest) -> HttpResponse:
    """The tower, for the browser's tab and the page's head."""
    del request
    return HttpResponse(
        _file("kulla.svg"), content_type="image/svg+xml", headers={"Cache-Control": _DAY}
    )


@open_to_all()
def robots(request: HttpRequest) -> HttpResponse:
    """Nothing of a person's is found by searching; the public pages may be."""
    del request
    text = "".join(["User-agent: *\n", *(f"Disallow: {address}\n" for address in _NOT_SEARCHED)])
    return HttpResponse(text, content_type="text/plain", headers={"Cache-Control": _DAY})

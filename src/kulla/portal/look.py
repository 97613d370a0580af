"""The style sheet and the icon, served by this process under names that change with their bytes."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import Final

from django.http import Http404, HttpRequest, HttpResponse

from kulla.services.pages import open_to_all

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
    text = "User-agent: *\nDisallow: /appointments/\nDisallow: /receipts/\nDisallow: /acts\n"
    return HttpResponse(text, content_type="text/plain", headers={"Cache-Control": _DAY})

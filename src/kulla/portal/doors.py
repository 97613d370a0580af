"""The door in front of every page: who may open it, how often, and what is said when it fails."""

from __future__ import annotations

import ipaddress
import traceback
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import redirect
from django.utils.http import urlencode

from kulla.kernel.errors import KullaError
from kulla.portal import errors
from kulla.portal.bearer import is_call
from kulla.portal.edge import installed
from kulla.portal.limits import Buckets
from kulla.services.pages import KEPT_FIELD, Door, PageRequest

_log = structlog.get_logger("kulla.portal")

# What a person sent can't be read, is not theirs or is not there: Django picks the page (errors).
_DJANGO_ANSWERS = (PermissionDenied, Http404, SuspiciousOperation, BadRequest, MultiPartParserError)


class DoorMissing(KullaError):
    """A page that does not say who may open it; it is not served."""


class DoorsMiddleware:
    """Stands behind the CSRF check and in front of the page."""

    def __init__(self, handle: Callable[[HttpRequest], HttpResponse]) -> None:
        self._handle = handle

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on; what matters happens once its page is known."""
        return self._handle(request)

    def process_view(
        self, request: PageRequest, view: Callable[..., object], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """Keep out who may not enter (sign-in page, 403) and who asks too often (429)."""
        del args, kwargs
        door = door_of(view)
        wait_s = spend(request, door)
        if wait_s:
            return errors.too_many(request, wait_s)
        if door.roles is None:
            return None
        if request.actor is None:
            return _to_sign_in(request)
        if request.actor.role not in door.roles:
            raise PermissionDenied
        return None

    def process_exception(self, request: PageRequest, error: Exception) -> HttpResponse | None:
        """Turn what a page raised into a page of words; the log gets places, never values."""
        if isinstance(error, _DJANGO_ANSWERS):
            return None
        reference = log_failure(request, error)
        if isinstance(error, OperationalError) and "full" in str(error):
            return errors.no_room(request, reference)
        if isinstance(error, KullaError | OperationalError):
            return errors.tower_unavailable(request, reference)
        return errors.fault(request, reference)


def log_failure(request: HttpRequest, error: Exception) -> str:
    """Note that a page or a call failed, by place and without values; returns its reference."""
    reference = installed().entropy.random_bytes(4).hex()
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    match = request.resolver_match
    _log.error(
        "page failed",
        reference=reference,
        page=match.view_name if match else "",
        error=type(error).__name__,
        place=error.place if isinstance(error, KullaError) else "",
        frames=[f"{frame.filename}:{frame.lineno}" for frame in frames],
    )
    return reference


def door_of(view: Callable[..., object]) -> Door:
    """The door of a page. Raises DoorMissing where it has none."""
    door = getattr(view, "door", None)
    if not isinstance(door, Door):
        raise DoorMissing(
            "this page does not say who may open it.",
            place=f"{view.__module__}.{getattr(view, '__name__', '?')}",
            remedy="Put open_to(...) or open_to_all() of kulla.services.pages before it.",
        )
    return door


def spend(request: HttpRequest, door: Door) -> int:
    """Count this request to its person or address: 0, or the seconds after which to come back."""
    if is_call(request.path_info):
        return 0  # calls of the API are counted to their tokens (portal/api.py)
    buckets = _buckets()
    actor = getattr(request, "actor", None)
    if actor is not None:
        who = f"{actor.role}:{actor.subject}"
        wait_s = buckets["person"].take(who)
    else:
        who = address_of(request)
        wait_s = buckets["address"].take(who)
    if door.limit and request.method == "POST" and not wait_s:
        wait_s = buckets[door.limit].take(who)
    return wait_s


def take(limit: str, who: str) -> int:
    """Count one request to `who`: 0, or the seconds after which to come back."""
    return _buckets()[limit].take(who)


def address_of(request: HttpRequest) -> str:
    """The client's address; an IPv6 client is its /64, of which it has all addresses anyway."""
    text: str = request.META.get("REMOTE_ADDR", "")
    if ":" not in text:
        return text
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    return str(ipaddress.ip_network((address, 64), strict=False))


def forget_limits() -> None:
    """Begin with full buckets again, as after a start."""
    _buckets.cache_clear()


@cache
def _buckets() -> Mapping[str, Buckets]:
    clock = installed().clock
    return {name: Buckets(limit, clock) for name, limit in settings.KULLA.limits.items()}


def _to_sign_in(request: PageRequest) -> HttpResponse:
    # A form's own address shows the form again when it is opened by a link.
    where = request.get_full_path()
    sign_in = f"/sign-in?{urlencode({'next': where})}"
    if request.method == "POST" and KEPT_FIELD in request.POST:
        return errors.signed_out(request, sign_in)
    return redirect(sign_in)

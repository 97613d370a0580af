"""The API: what programs may ask of this country, with tokens by scope and without cookies.

Each service brings its own calls (`api.py` in its folder); here stand those of the site itself, and
what happens before and after each call. Problems are RFC 9457 problem details with what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, Final

import structlog
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, re_path
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation.trans_real import parse_accept_lang_header
from ninja import NinjaAPI, Query, Schema
from ninja.errors import HttpError, ValidationError

from kulla.kernel.errors import KullaError
from kulla.kernel.service import Actor
from kulla.portal import api_pages
from kulla.portal.api_problems import of_validation, tell
from kulla.portal.bearer import Caller, caller_of, given_token
from kulla.portal.catalogue import OFFERS, TYPED_CHARS_MAX, search
from kulla.portal.doors import address_of, take
from kulla.services.appointments.api import router as appointments
from kulla.services.appointments.fhir.api import router as fhir_appointments
from kulla.services.calls import ApiProblem, CallRequest, nothing_there
from kulla.services.pages import Door

VERSION: Final = "1"
_WRITING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_log = structlog.get_logger("kulla.portal")


class ServiceShape(Schema):
    """One thing that can be done here, in the language that Accept-Language asks for."""

    name: str
    title: str
    summary: str
    needed: list[str]
    who: list[str]
    takes: str
    costs: str
    begin: str


class Services(Schema):
    """The catalogue of services."""

    services: list[ServiceShape]


class WitnessingShape(Schema):
    """How far acts are witnessed: those at positions below `watermark` can't be lost.

    `size` is how many acts there are; `quorum` says whether enough embassies answer now.
    """

    watermark: int
    size: int
    moved_ms: int
    quorum: bool


api: Final = NinjaAPI(
    title="Kulla",
    version=VERSION,
    description=(
        "Public services that survive destructive attacks: the calls for programs. Nothing is "
        "told as settled that enough embassies do not hold."
    ),
    docs_url=None,
    openapi_url=None,
    urls_namespace="api",
)


@api.get("/services", response=Services, tags=["Site"], summary="The catalogue of services")
def services(
    request: HttpRequest,
    q: Annotated[str, Query(max_length=TYPED_CHARS_MAX, description="Words to search for")] = "",
) -> Services:
    """All services, or those that fit the words of `q`, the best first."""
    found = search(q) if q.strip() else list(OFFERS)
    root = request.build_absolute_uri("/").rstrip("/")
    shown = [
        ServiceShape(
            name=one.name,
            title=str(one.title),
            summary=str(one.summary),
            needed=[str(text) for text in one.needed],
            who=[str(text) for text in one.who],
            takes=str(one.takes),
            costs=str(one.costs),
            begin=f"{root}{one.begin}",
        )
        for one in found
    ]
    return Services(services=shown)


@api.get("/witnessing", response=WitnessingShape, tags=["Site"], summary="Is it being kept?")
def witnessing(request: CallRequest) -> WitnessingShape:
    """How far the journal is witnessed by a quorum of embassies."""
    now = request.tower.witnessing()
    return WitnessingShape(
        watermark=now.watermark, size=now.size, moved_ms=now.moved_ms, quorum=now.quorum
    )


api.add_router("", appointments)
api.add_router("/fhir", fhir_appointments)


@api.exception_handler(ApiProblem)
def _problem(request: HttpRequest, problem: ApiProblem) -> HttpResponse:
    return tell(request, problem)


@api.exception_handler(ValidationError)
def _not_valid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    return tell(request, of_validation(request, error))


@api.exception_handler(HttpError)
def _unreadable(request: HttpRequest, error: HttpError) -> HttpResponse:
    remedy = _("Send JSON in UTF-8, as the description of the API at /api/ shows it.")
    detail = _("The body of this call could not be read as JSON.")
    return tell(request, ApiProblem(error.status_code, "unreadable", detail, remedy))


def at_the_door(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """What stands in front of each call: its token, its rate, its language; no cookies."""

    @wraps(view)
    def answer(request: CallRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        with translation.override(_language(request)):
            response = _answered(view, request, args, kwargs)
            response["Content-Language"] = translation.get_language()
        response["Vary"] = "Authorization, Accept-Language, Accept"
        return response

    answer.door = Door(None)  # type: ignore[attr-defined]
    answer.csrf_exempt = True  # type: ignore[attr-defined] # no cookie signs anybody in here
    return answer


def _answered(
    view: Callable[..., HttpResponseBase], request: CallRequest, args: Any, kwargs: Any
) -> HttpResponseBase:
    request.actor, request.caller = None, None
    try:
        request.caller = caller = _caller(request)
        if caller is not None and caller.subject:
            request.actor = Actor("citizen", caller.subject)
        _spend(request, caller)
        response = view(request, *args, **kwargs)
    except ApiProblem as problem:
        return tell(request, problem)
    except (SuspiciousOperation, BadRequest):
        detail = _("Something in this call was not as programs send it.")
        remedy = _("The description of the API at /api/ says how it is written.")
        return tell(request, ApiProblem(400, "unreadable", detail, remedy))
    except Exception as error:
        return tell(request, _fault(request, error))
    if response.status_code == 405:
        allowed = {"Allow": response.get("Allow", "")}
        detail = _("This address does not take %(method)s.") % {"method": request.method}
        remedy = _("Use one of the methods in the header Allow.")
        return tell(request, ApiProblem(405, "method", detail, remedy, headers=allowed))
    return response


def _caller(request: CallRequest) -> Caller | None:
    """Whose token came, or None without one. Raises ApiProblem 401 where it is no good."""
    text = given_token(request)
    if text is None:
        return None
    caller = caller_of(text, request.tower.witnessing().watermark) if text else None
    if caller is None:
        _pay("address", address_of(request))
        headers = {"WWW-Authenticate": 'Bearer realm="kulla", error="invalid_token"'}
        raise ApiProblem(
            401,
            "token-unknown",
            _("This token is not known here, or it was taken back."),
            _("Check that all of it was copied, or ask for a new one."),
            headers=headers,
        )
    return caller


def _spend(request: CallRequest, caller: Caller | None) -> None:
    """Count the call to its token, or to its address. Raises ApiProblem 429.

    What a person's programs do in their name counts to the same limit as what they do on pages.
    """
    if caller is None:
        _pay("address", address_of(request))
        return
    _pay("token", caller.token_hash.hex())
    if request.method in _WRITING and caller.subject:
        _pay("acts", f"citizen:{caller.subject}")


def _pay(limit: str, who: str) -> None:
    wait_s = take(limit, who)
    if wait_s:
        raise ApiProblem(
            429,
            "too-many",
            _("Too many calls at once."),
            _("Call again after the seconds in the header Retry-After; nothing was done."),
            headers={"Retry-After": str(wait_s)},
        )


def _fault(request: HttpRequest, error: Exception) -> ApiProblem:
    """A call that failed on our side: 503 where the tower is silent, else 500; logged by place."""
    from django.db import OperationalError

    from kulla.portal.doors import log_failure

    reference = log_failure(request, error)
    remedy = _("Send the same call again in half a minute: nothing is done twice.")
    if isinstance(error, KullaError | OperationalError):
        detail = _("The part of Kulla that keeps the registers does not answer right now.")
        return ApiProblem(503, "unavailable", detail, remedy, headers={"Retry-After": "30"})
    detail = _("Something went wrong on our side (%(reference)s).") % {"reference": reference}
    return ApiProblem(500, "fault", detail, remedy)


def _language(request: HttpRequest) -> str:
    """What the client asks for by Accept-Language; else English, as programs' people read it."""
    header = request.META.get("HTTP_ACCEPT_LANGUAGE", "")
    for code, _quality in parse_accept_lang_header(header[:200].lower()):
        if code.split("-")[0] in ("sq", "en"):
            return code.split("-")[0]
    return "en"


def nothing(request: CallRequest) -> HttpResponse:
    """An address below /api/ that leads nowhere."""
    del request
    raise nothing_there()


def _urls() -> list[URLPattern]:
    """The page, its OpenAPI description, every call, and last what leads nowhere."""
    patterns: dict[str, URLPattern] = {}
    for pattern in api.urls[0]:
        route = str(pattern.pattern)
        if isinstance(pattern, URLPattern) and pattern.name != "api-root" and route not in patterns:
            patterns[route] = path(route, at_the_door(pattern.callback), name=pattern.name)
    return [
        path("", api_pages.about, name="about"),
        path("openapi.json", at_the_door(api_pages.openapi), name="openapi"),
        *patterns.values(),
        re_path(r"^.*$", at_the_door(nothing), name="nothing"),
    ]


app_name = "api"
urlpatterns: Final = _urls()

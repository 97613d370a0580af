"""How a call is told that it can't be answered: problem details (RFC 9457), or a FHIR outcome.

`type` leads to the page that describes the API; `remedy` says what to do.
"""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from ninja.errors import ValidationError

from kulla.portal.bearer import ROOT
from kulla.services import fhir
from kulla.services.calls import ApiProblem, quoted

MEDIA_TYPE: Final = "application/problem+json"

TITLES: Final = {
    202: gettext_lazy("Not confirmed yet"),
    400: gettext_lazy("This call can't be read"),
    401: gettext_lazy("A token is needed"),
    403: gettext_lazy("The token does not allow this"),
    404: gettext_lazy("Nothing here"),
    405: gettext_lazy("Not with this method"),
    406: gettext_lazy("Not in this format"),
    409: gettext_lazy("Things stand against it"),
    412: gettext_lazy("Changed since it was read"),
    413: gettext_lazy("Too big"),
    415: gettext_lazy("Not in this format"),
    422: gettext_lazy("A rule stands against it"),
    429: gettext_lazy("Too many calls"),
    500: gettext_lazy("Our own mistake"),
    503: gettext_lazy("Not at the moment"),
}
"""What each status means here, in words."""

_SHOWN_MAX: Final = 200


def tell(request: HttpRequest, problem: ApiProblem) -> HttpResponse:
    """The answer for a problem, in the words of the part of the API that was called."""
    if request.path_info.startswith(fhir.ROOT):
        return fhir.answer(fhir.outcome(problem), problem.status, headers=problem.headers)
    said = {
        "type": f"{request.build_absolute_uri(ROOT)}#{problem.code}",
        "title": str(TITLES.get(problem.status, TITLES[500])),
        "status": problem.status,
        "detail": problem.message,
        "code": problem.code,
        "remedy": problem.remedy,
    }
    if problem.element:
        said["element"] = problem.element
    return JsonResponse(
        said, status=problem.status, content_type=MEDIA_TYPE, headers=problem.headers
    )


def of_validation(request: HttpRequest, error: ValidationError) -> ApiProblem:
    """What was misshapen in a call: the first element, with what is wrong with it.

    422; in FHIR, parameters that can't be read are 400.
    """
    first: dict[str, Any] = error.errors[0]
    source, *steps = first["loc"]
    is_fhir = request.path_info.startswith(fhir.ROOT)
    status = 400 if is_fhir and source != "body" else 422
    if source == "body":
        steps = steps[1:]  # the name that our code has for the body
    in_resource = is_fhir and source == "body" and not (steps and isinstance(steps[0], int))
    element = _element("Appointment" if in_resource else "", steps)
    detail = _("%(element)s is not as it has to be (%(said)s).") % {
        "element": element or source,
        "said": quoted(str(first["msg"]), _SHOWN_MAX),
    }
    remedy = _("The description of the API at /api/ says how it is written.")
    return ApiProblem(status, "misshapen", detail, remedy, element=element)


def _element(root: str, steps: list[Any]) -> str:
    """A path as FHIRPath writes it: 'Appointment.slot[0].reference'."""
    text = root
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else str(step)
    return quoted(text, _SHOWN_MAX)

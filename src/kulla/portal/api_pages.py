"""The description of the API: OpenAPI for programs, and the same as a plain page for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from kulla.portal.api_problems import MEDIA_TYPE, TITLES
from kulla.portal.bearer import ROOT
from kulla.services import fhir
from kulla.services.calls import SCOPES, Token
from kulla.services.pages import PageRequest, open_to_all

METHODS: Final = ("get", "post", "put", "patch", "delete")
_PROBLEM: Final[Mapping[str, Any]] = {
    "type": "object",
    "description": "RFC 9457 problem details; `remedy` says what to do.",
    "required": ["type", "title", "status", "detail", "code", "remedy"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "remedy": {"type": "string"},
        "element": {"type": "string"},
    },
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the page shows it."""

    anchor: str
    method: str
    address: str
    summary: str
    description: str
    scope: str
    parameters: Sequence[Mapping[str, Any]]
    takes: str
    gives: str


@open_to_all()
def about(request: PageRequest) -> HttpResponse:
    """The API for people: what there is, what a token is for, and what problems mean."""
    groups: dict[str, list[Call]] = {}
    for group, call in _calls(described()):
        groups.setdefault(group, []).append(call)
    context = {
        "groups": groups.items(),
        "scopes": SCOPES.items(),
        "problems": [(status, title) for status, title in TITLES.items() if status >= 400],
    }
    return render(request, "portal/api.html", context)


def openapi(request: HttpRequest) -> HttpResponse:
    """OpenAPI 3.1 of all calls."""
    address = request.build_absolute_uri("/").rstrip("/")
    return JsonResponse({**described(), "servers": [{"url": address}]})


@cache
def described() -> Mapping[str, Any]:
    """The OpenAPI description: what ninja knows, with scopes, media types and problems."""
    from kulla.portal.api import api

    schema: dict[str, Any] = dict(api.get_openapi_schema(path_prefix=ROOT))
    components = schema["components"]
    components["schemas"]["Problem"] = _PROBLEM
    components["schemas"]["OperationOutcome"] = fhir.OperationOutcome.model_json_schema(
        by_alias=True, ref_template="#/components/schemas/{model}"
    )
    components["schemas"].update(components["schemas"]["OperationOutcome"].pop("$defs", {}))
    components["securitySchemes"] = {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "A token by scope: "
            + "; ".join(f"{scope} ({_english(text)})" for scope, text in SCOPES.items()),
        }
    }
    scopes = _scopes()
    for address, methods in schema["paths"].items():
        for method, operation in methods.items():
            _complete(address, operation, scopes.get((method, address), ""))
    return schema


def _english(text: object) -> str:
    from django.utils import translation

    with translation.override("en"):
        return str(text)


def _scopes() -> dict[tuple[str, str], str]:
    """The scope that each call needs, by method and address."""
    from kulla.portal.api import api

    found = {}
    for bound in api._get_bound_routers():
        for route, view in bound.path_operations.items():
            for operation in view.operations:
                needed = [one for one in operation.auth_callbacks if isinstance(one, Token)]
                address = ROOT + f"{bound.prefix}/{route}".replace("//", "/").strip("/")
                for method in operation.methods:
                    found[method.lower(), address] = needed[0].scope if needed else ""
    return found


def _complete(address: str, operation: dict[str, Any], scope: str) -> None:
    """Say what ninja does not: FHIR's media type, the scope, and how problems look."""
    is_fhir = address.startswith(fhir.ROOT)
    if is_fhir:
        for response in operation["responses"].values():
            if "content" in response:
                response["content"] = {fhir.MEDIA_TYPE: response["content"]["application/json"]}
        body = operation.get("requestBody", {}).get("content", {})
        if "application/json" in body:
            # A patch is a list of steps: FHIR's own media type is for resources alone.
            is_patch = operation["operationId"].endswith("patch")
            body[fhir.PATCH_TYPE if is_patch else fhir.MEDIA_TYPE] = body.pop("application/json")
    kind, name = (fhir.MEDIA_TYPE, "OperationOutcome") if is_fhir else (MEDIA_TYPE, "Problem")
    operation["responses"]["default"] = {
        "description": "A problem: what it is and what to do",
        "content": {kind: {"schema": {"$ref": f"#/components/schemas/{name}"}}},
    }
    operation.pop("security", None)
    if scope:
        operation["security"] = [{"token": []}]
        operation["x-scope"] = scope


def _calls(schema: Mapping[str, Any]) -> Iterator[tuple[str, Call]]:
    for address, methods in schema["paths"].items():
        for method in METHODS:
            operation = methods.get(method)
            if operation is None:
                continue
            answers = operation["responses"]
            gives: Mapping[str, Any] = next(
                (one["content"] for one in answers.values() if "content" in one), {}
            )
            yield (
                operation["tags"][0],
                Call(
                    anchor=operation["operationId"],
                    method=method.upper(),
                    address=address,
                    summary=operation["summary"],
                    description=operation.get("description", ""),
                    scope=operation.get("x-scope", ""),
                    parameters=operation["parameters"],
                    takes=_names(operation.get("requestBody", {}).get("content", {})),
                    gives=_names(gives),
                ),
            )


def _names(content: Mapping[str, Any]) -> str:
    """'application/json: Clinics' for a body."""
    said = []
    for kind, about_it in content.items():
        name = about_it["schema"].get("$ref", "").rpartition("/")[2]
        said.append(f"{kind}: {name}" if name else kind)
    return ", ".join(said)

"""The parts of HL7 FHIR R4 (4.0.1) that every service's resources share.

https://hl7.org/fhir/R4/: datatypes, bundles of search results, OperationOutcome, dates in searches.
Names are FHIR's own; in Python with underscores, in JSON as FHIR writes them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from kulla.kernel.dates import HOME_ZONE
from kulla.services.calls import ApiProblem, quoted

VERSION: Final = "4.0.1"
MEDIA_TYPE: Final = "application/fhir+json"
PATCH_TYPE: Final = "application/json-patch+json"
ROOT: Final = "/api/fhir/"
COUNT_USUAL: Final = 20
COUNT_MAX: Final = 100

_JSON_TYPES: Final = frozenset({"application/json", MEDIA_TYPE, "text/json"})
_ACCEPTED: Final = _JSON_TYPES | {"*/*", "application/*"}
_FORMATS: Final = frozenset({"json", *_JSON_TYPES, ""})
_DATE: Final = re.compile(
    r"(eq|ne|ge|gt|le|lt|sa|eb|ap)?"
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,9})?)?"
    r"(Z|[+ -]\d\d:\d\d)?)?)?)?"
)

_ONLY_JSON: Final = _("This server speaks FHIR as JSON.")
_ONLY_JSON_REMEDY: Final = _("Use application/fhir+json in Accept, Content-Type and _format.")
_DATE_WRONG: Final = _("%(value)s is not a FHIR date that this server can search by.")
_DATE_REMEDY: Final = _("Write for example ge2026-02-03 or lt2026-02-03T09:00:00Z.")
_UNKNOWN: Final = _("This server can't search by %(name)s.")
_UNKNOWN_REMEDY: Final = _("The CapabilityStatement at /api/fhir/metadata says what it can.")


class Element(BaseModel):
    """Whatever FHIR writes as a JSON object."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


class Meta(Element):
    """`version_id` is the position in the journal of the act that last changed the resource."""

    version_id: str
    last_updated: str | None = None


class Reference(Element):
    """Another resource of this server, as 'Type/id'."""

    reference: str
    display: str | None = None


class Coding(Element):
    """A code of a code system."""

    system: str | None = None
    code: str | None = None
    display: str | None = None


class CodeableConcept(Element):
    """A code, or a word for it."""

    coding: list[Coding] | None = None
    text: str | None = None


class Period(Element):
    """From `start` to `end`, both dateTimes."""

    start: str | None = None
    end: str | None = None


class Issue(Element):
    """One thing that went wrong. `code` is of http://hl7.org/fhir/issue-type."""

    severity: Literal["fatal", "error", "warning", "information"]
    code: str
    details: CodeableConcept
    diagnostics: str | None = None
    expression: list[str] | None = None


class OperationOutcome(Element):
    """What became of a call that gives no resource."""

    resource_type: Literal["OperationOutcome"] = "OperationOutcome"
    issue: list[Issue]


class Link(Element):
    """Where a page of a search is."""

    relation: Literal["self", "first", "next"]
    url: str


class SearchMode(Element):
    """Why an entry is in a bundle."""

    mode: Literal["match"] = "match"


class Entry(Element):
    """One result of a search."""

    full_url: str
    resource: dict[str, Any]
    search: SearchMode = SearchMode()


class Bundle(Element):
    """A page of a search; `total` counts the results on all pages."""

    resource_type: Literal["Bundle"] = "Bundle"
    type: Literal["searchset"] = "searchset"
    total: int
    link: list[Link]
    entry: list[Entry] | None = None


_ISSUES: Final[Mapping[int, str]] = {
    202: "incomplete",
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    406: "not-supported",
    409: "conflict",
    412: "conflict",
    413: "too-long",
    415: "not-supported",
    422: "business-rule",
    429: "throttled",
    503: "transient",
}


def outcome(problem: ApiProblem) -> OperationOutcome:
    """A problem in FHIR's words."""
    issue = Issue(
        severity="information" if problem.status < 400 else "error",
        code=_ISSUES.get(problem.status, "exception"),
        details=CodeableConcept(coding=[Coding(code=problem.code)], text=problem.message),
        diagnostics=problem.remedy or None,
        expression=[problem.element] if problem.element else None,
    )
    return OperationOutcome(issue=[issue])


def answer(
    resource: Element, status: int = 200, *, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """A resource as the answer of a call, with its version as ETag where it has one."""
    text = resource.model_dump_json(by_alias=True, exclude_none=True)
    response = HttpResponse(text, status=status, content_type=MEDIA_TYPE, headers=headers)
    meta = getattr(resource, "meta", None)
    if meta is not None:
        response["ETag"] = etag(meta.version_id)
    return response


def etag(version_id: str) -> str:
    """The weak entity tag of a version, as FHIR has it."""
    return f'W/"{version_id}"'


def check_speech(request: HttpRequest, *, body: str = MEDIA_TYPE) -> None:
    """See that both sides speak JSON. Raises ApiProblem: 406 for the answer, 415 for the body."""
    wanted = request.GET.get("_format", "").replace(" ", "+")
    if wanted.partition(";")[0] not in _FORMATS:
        raise ApiProblem(406, "only-json", _ONLY_JSON, _ONLY_JSON_REMEDY)
    accepted = request.headers.get("Accept") or "*/*"
    kinds = {part.partition(";")[0].strip() for part in accepted.split(",")}
    if not wanted and not kinds & _ACCEPTED:
        raise ApiProblem(406, "only-json", _ONLY_JSON, _ONLY_JSON_REMEDY)
    if request.method in ("POST", "PUT", "PATCH"):
        allowed = {PATCH_TYPE} if body == PATCH_TYPE else _JSON_TYPES
        if (request.content_type or "") not in allowed:
            raise ApiProblem(415, "only-json", _ONLY_JSON, _ONLY_JSON_REMEDY)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Instants (epoch seconds) from `from_s` on and before `end_s`; None is open."""

    from_s: int | None = None
    end_s: int | None = None


def read_bounds(values: Sequence[str], name: str) -> Bounds:
    """The bounds that the values of a date parameter set together; raises ApiProblem.

    Prefixes eq (and none), ge, gt, le, lt, sa and eb; a date is a span of time as long as it is
    written (https://hl7.org/fhir/R4/search.html#date). Without a zone it is a day in Albania.
    """
    from_s: int | None = None
    end_s: int | None = None
    for value in values:
        prefix, low_s, high_s = _span(value, name)
        if prefix in ("eq", "ge"):
            from_s = low_s if from_s is None else max(from_s, low_s)
        if prefix in ("gt", "sa"):
            from_s = high_s if from_s is None else max(from_s, high_s)
        if prefix in ("eq", "le"):
            end_s = high_s if end_s is None else min(end_s, high_s)
        if prefix in ("lt", "eb"):
            end_s = low_s if end_s is None else min(end_s, low_s)
    return Bounds(from_s, end_s)


def _span(value: str, name: str) -> tuple[str, int, int]:
    """The prefix, and the first second of a date and the first one after it."""
    match = _DATE.fullmatch(value)
    wrong = ApiProblem(
        400,
        "date-misshapen",
        str(_DATE_WRONG) % {"value": quoted(value)},
        _DATE_REMEDY,
        element=name,
    )
    if match is None or match[1] in ("ne", "ap"):
        raise wrong
    parts = match.groups()[1:7]
    year, month, day, hour, minute, second = (int(part) if part else 0 for part in parts)
    zone = match[8]
    try:
        # A plus sign of an address that was not escaped arrives as a space.
        at = datetime.fromisoformat(
            f"{year:04}-{month or 1:02}-{day or 1:02}T{hour:02}:{minute:02}:{second:02}"
            + (zone.replace(" ", "+").replace("Z", "+00:00") if zone else "")
        )
        at = at if at.tzinfo else at.replace(tzinfo=HOME_ZONE)
        if match[5] is not None:
            after = at + timedelta(seconds=1 if match[7] else 60)
        elif match[4] is not None:
            after = at + timedelta(days=1)
        elif match[3] is not None:
            after = at.replace(year=year + month // 12, month=month % 12 + 1)
        else:
            after = at.replace(year=year + 1)
        return match[1] or "eq", int(at.timestamp()), int(after.timestamp())
    except (ValueError, OverflowError) as error:
        raise wrong from error


def check_names(request: HttpRequest, known: frozenset[str]) -> None:
    """See that the search names nothing that would change what it finds.

    Names that are not known are ignored, as FHIR has it, unless the client asks for strictness
    (Prefer: handling=strict); a modifier is never ignored. Raises ApiProblem.
    """
    strict = "handling=strict" in request.headers.get("Prefer", "")
    for name in request.GET:
        if name in known:
            continue
        if strict or name.partition(":")[0] in known:
            raise ApiProblem(
                400,
                "parameter-unknown",
                str(_UNKNOWN) % {"name": quoted(name)},
                _UNKNOWN_REMEDY,
            )


def bundle(
    request: HttpRequest,
    resources: Sequence[Element],
    *,
    total: int,
    next_page: str,
    known: frozenset[str],
) -> Bundle:
    """A page of search results with links to itself, to the first page and to the next one.

    `next_page` is what `_page` has to be for the next one, '' on the last. Links repeat only the
    names that are `known`, so that a client sees which of its own counted.
    """
    root = request.build_absolute_uri(ROOT)
    here = request.build_absolute_uri(request.path)
    asked = [(name, value) for name in request.GET for value in request.GET.getlist(name)]
    asked = [(name, value) for name, value in asked if name in known]
    first = [(name, value) for name, value in asked if name != "_page"]

    def link(relation: Literal["self", "first", "next"], query: list[tuple[str, str]]) -> Link:
        return Link(relation=relation, url=f"{here}?{urlencode(query)}" if query else here)

    links = [link("self", asked), link("first", first)]
    if next_page:
        links.append(link("next", [*first, ("_page", next_page)]))
    entries = []
    for one in resources:
        written = one.model_dump(mode="json", by_alias=True, exclude_none=True)
        url = f"{root}{written['resourceType']}/{written['id']}"
        entries.append(Entry(full_url=url, resource=written))
    return Bundle(total=total, link=links, entry=entries or None)


def instant(at_s: int, zone: str) -> str:
    """An instant in the zone of the place it is about: '2026-02-03T09:00:00+01:00'."""
    return datetime.fromtimestamp(at_s, UTC).astimezone(ZoneInfo(zone)).isoformat()


def instant_ms(at_ms: int) -> str:
    """An instant in UTC to the millisecond."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def target(reference: str, kind: str) -> str:
    """The id in a reference to a resource of this kind: 'Slot/x', an absolute address, or bare x.

    '' where it is of another kind.
    """
    parts = reference.split("/")
    if len(parts) == 1:
        return parts[0]
    return parts[-1] if parts[-2] == kind else ""

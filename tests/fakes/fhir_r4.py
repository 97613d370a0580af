"""HL7 FHIR R4 (4.0.1) as far as Kulla speaks it: which elements a resource has, and of what kind.

Written from https://hl7.org/fhir/R4/ by hand, apart from the code that it checks. Each element has
its cardinality and its kind: a primitive, a set of codes, another shape. Names that R4 does not
have are faults, and so are the invariants that are written out below.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

MANY = 10_000
_DATE = r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?"
_TIME = r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-](0\d|1[0-4]):[0-5]\d)"
PRIMITIVES = {
    "id": r"[A-Za-z0-9\-.]{1,64}",
    "code": r"[^\s]+(\s[^\s]+)*",
    "uri": r"\S+",
    "url": r"https?://\S+",
    "string": r"[ \r\n\t\S]+",
    "markdown": r"[ \r\n\t\S]+",
    "instant": rf"\d{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T{_TIME}",
    "dateTime": rf"{_DATE}|{_DATE}T{_TIME}",
}
ISSUE_TYPES = """
invalid structure required value invariant security login unknown expired forbidden suppressed
processing not-supported duplicate multiple-matches not-found deleted too-long code-invalid
extension too-costly business-rule conflict transient lock-error no-store exception timeout
incomplete throttled informational
"""


@dataclass(frozen=True)
class Part:
    """An element: at least and at most how many, and of what kind (a name, or a set of codes)."""

    least: int
    most: int
    kind: str | frozenset[str]


def _part(text: str) -> tuple[str, Part]:
    """'name 1..* kind', where a kind in bars lists the codes that there are: 'a|b|c'."""
    name, cardinality, kind = text.split(maxsplit=2)
    least, _, most = cardinality.partition("..")
    codes = frozenset(kind.replace("|", " ").split()) if "|" in kind else kind
    return name, Part(int(least), MANY if most == "*" else int(most), codes)


def _shape(text: str) -> dict[str, Part]:
    return dict(_part(line.strip()) for line in text.strip().splitlines())


_RESOURCE = """
    id 0..1 id
    meta 0..1 Meta
    language 0..1 code
"""

SHAPES: dict[str, dict[str, Part]] = {
    "Meta": _shape("versionId 0..1 id\nlastUpdated 0..1 instant\nprofile 0..* uri"),
    "Reference": _shape("reference 0..1 string\ntype 0..1 uri\ndisplay 0..1 string"),
    "Coding": _shape("system 0..1 uri\nversion 0..1 string\ncode 0..1 code\ndisplay 0..1 string"),
    "CodeableConcept": _shape("coding 0..* Coding\ntext 0..1 string"),
    "Period": _shape("start 0..1 dateTime\nend 0..1 dateTime"),
    "HumanName": _shape("text 0..1 string\nfamily 0..1 string\ngiven 0..* string"),
    "Address": _shape(
        """text 0..1 string
        line 0..* string
        city 0..1 string
        district 0..1 string
        country 0..1 string"""
    ),
    "Practitioner": _shape(f"{_RESOURCE}active 0..1 boolean\nname 0..* HumanName"),
    "Location": _shape(
        f"""{_RESOURCE}status 0..1 active|suspended|inactive
        name 0..1 string
        mode 0..1 instance|kind
        address 0..1 Address"""
    ),
    "Schedule": _shape(
        f"""{_RESOURCE}active 0..1 boolean
        serviceType 0..* CodeableConcept
        specialty 0..* CodeableConcept
        actor 1..* Reference
        planningHorizon 0..1 Period
        comment 0..1 string"""
    ),
    "Slot": _shape(
        f"""{_RESOURCE}schedule 1..1 Reference
        status 1..1 busy|free|busy-unavailable|busy-tentative|entered-in-error
        start 1..1 instant
        end 1..1 instant
        overbooked 0..1 boolean
        comment 0..1 string"""
    ),
    "Appointment": _shape(
        f"""{_RESOURCE}status 1..1 proposed|pending|booked|arrived|fulfilled|cancelled|noshow|entered-in-error|checked-in|waitlist
        cancelationReason 0..1 CodeableConcept
        reasonCode 0..* CodeableConcept
        description 0..1 string
        start 0..1 instant
        end 0..1 instant
        minutesDuration 0..1 positiveInt
        slot 0..* Reference
        created 0..1 dateTime
        comment 0..1 string
        participant 1..* Participant"""  # noqa: E501
    ),
    "Participant": _shape(
        """type 0..* CodeableConcept
        actor 0..1 Reference
        required 0..1 required|optional|information-only
        status 1..1 accepted|declined|tentative|needs-action
        period 0..1 Period"""
    ),
    "Bundle": _shape(
        f"""{_RESOURCE}type 1..1 document|message|transaction|batch|history|searchset|collection
        total 0..1 unsignedInt
        link 0..* Link
        entry 0..* Entry"""
    ),
    "Link": _shape("relation 1..1 string\nurl 1..1 uri"),
    "Entry": _shape("fullUrl 0..1 uri\nresource 0..1 Resource\nsearch 0..1 Search"),
    "Search": _shape("mode 0..1 match|include|outcome"),
    "OperationOutcome": _shape(f"{_RESOURCE}issue 1..* Issue"),
    "Issue": _shape(
        f"""severity 1..1 fatal|error|warning|information
        code 1..1 {"|".join(ISSUE_TYPES.split())}
        details 0..1 CodeableConcept
        diagnostics 0..1 string
        expression 0..* string"""
    ),
    "CapabilityStatement": _shape(
        f"""{_RESOURCE}url 0..1 uri
        status 1..1 draft|active|retired|unknown
        date 1..1 dateTime
        description 0..1 markdown
        kind 1..1 instance|capability|requirements
        software 0..1 Software
        implementation 0..1 Implementation
        fhirVersion 1..1 4.0.0|4.0.1
        format 1..* code
        patchFormat 0..* code
        rest 0..* Rest"""
    ),
    "Software": _shape("name 1..1 string\nversion 0..1 string"),
    "Implementation": _shape("description 1..1 string\nurl 0..1 url"),
    "Rest": _shape(
        """mode 1..1 client|server
        documentation 0..1 markdown
        security 0..1 Security
        resource 0..* RestResource"""
    ),
    "Security": _shape(
        "cors 0..1 boolean\nservice 0..* CodeableConcept\ndescription 0..1 markdown"
    ),
    "RestResource": _shape(
        """type 1..1 code
        documentation 0..1 markdown
        interaction 0..* Interaction
        versioning 0..1 no-version|versioned|versioned-update
        readHistory 0..1 boolean
        updateCreate 0..1 boolean
        conditionalCreate 0..1 boolean
        searchParam 0..* SearchParam"""
    ),
    "Interaction": _shape(
        """code 1..1 read|vread|update|patch|delete|history-instance|history-type|create|search-type
        documentation 0..1 markdown"""
    ),
    "SearchParam": _shape(
        """name 1..1 string
        type 1..1 number|date|string|token|reference|composite|quantity|uri|special
        documentation 0..1 markdown"""
    ),
}
RESOURCES = frozenset(name for name, shape in SHAPES.items() if "meta" in shape)


def faults(resource: Any, kind: str = "Resource", place: str = "") -> list[str]:
    """What R4 does not allow in a resource, each with its path; nothing where it is one."""
    where = place or str(_kind_of(resource, kind))
    return list(_faults(resource, kind, where)) or list(_broken_rules(resource, kind, where))


def _broken_rules(value: dict[str, Any], kind: str, place: str) -> Iterator[str]:
    """The invariants that do not hold in something whose shape is right."""
    name = _kind_of(value, kind)
    for rule in INVARIANTS.get(name, ()):
        yield from (f"{place}: {fault}" for fault in rule(value))
    for key, part in SHAPES[name].items():
        found = value.get(key, ())
        for one in found if part.most > 1 else [found] if key in value else []:
            if isinstance(part.kind, str) and isinstance(one, dict):
                yield from _broken_rules(one, part.kind, f"{place}.{key}")


def _kind_of(value: Any, kind: str) -> Any:
    return value.get("resourceType") if kind == "Resource" and isinstance(value, dict) else kind


def _faults(value: Any, kind: str, place: str) -> Iterator[str]:
    if not isinstance(value, dict) or not value:
        yield f"{place}: not an object with something in it"
        return
    name = _kind_of(value, kind)
    if name not in SHAPES or (kind == "Resource" and name not in RESOURCES):
        yield f"{place}: no resource of this kind"
        return
    shape = SHAPES[name]
    is_resource = name in RESOURCES
    if is_resource and value.get("resourceType") != name:
        yield f"{place}.resourceType: not {name}"
    for key in value:
        if key not in shape and not (is_resource and key == "resourceType"):
            yield f"{place}.{key}: R4 has no such element"
    for key, part in shape.items():
        yield from _faults_of_part(value, key, part, f"{place}.{key}")


def _faults_of_part(value: dict[str, Any], key: str, part: Part, place: str) -> Iterator[str]:
    if key not in value:
        if part.least:
            yield f"{place}: missing"
        return
    found = value[key]
    items = [found]
    if part.most > 1:
        if not isinstance(found, list) or not found:
            yield f"{place}: not a list with something in it"
            return
        items = found
    for number, item in enumerate(items):
        where = f"{place}[{number}]" if part.most > 1 else place
        if isinstance(part.kind, frozenset):
            if not isinstance(item, str) or item not in part.kind:
                yield f"{where}: {item!r} is not one of its codes"
        elif part.kind in SHAPES or part.kind == "Resource":
            yield from _faults(item, part.kind, where)
        elif not _is_primitive(item, part.kind):
            yield f"{where}: {item!r} is no {part.kind}"


def _is_primitive(value: Any, kind: str) -> bool:
    if kind == "boolean":
        return isinstance(value, bool)
    if kind in ("positiveInt", "unsignedInt"):
        least = 1 if kind == "positiveInt" else 0
        return type(value) is int and least <= value < 2**31
    return isinstance(value, str) and re.fullmatch(PRIMITIVES[kind], value) is not None


def _app_1(value: dict[str, Any]) -> Iterator[str]:
    if "type" not in value and "actor" not in value:
        yield "app-1: either type or actor"


def _app_2_to_4(value: dict[str, Any]) -> Iterator[str]:
    if ("start" in value) != ("end" in value):
        yield "app-2: start and end, or neither"
    if "start" not in value and value.get("status") not in ("proposed", "cancelled", "waitlist"):
        yield "app-3: only what is proposed, cancelled or on a list has no start"
    if "cancelationReason" in value and value.get("status") not in ("cancelled", "noshow"):
        yield "app-4: a cancelation reason only where it is cancelled"


def _cpb(value: dict[str, Any]) -> Iterator[str]:
    if not value.get("rest"):
        yield "cpb-1: at least one of rest, messaging, document"
    if value.get("kind") == "instance" and "implementation" not in value:
        yield "cpb-15: an instance says where it runs"
    for rest in value.get("rest", ()):
        types = [one.get("type") for one in rest.get("resource", ())]
        if len(types) != len(set(types)):
            yield "cpb-9: each kind of resource once"
        for one in rest.get("resource", ()):
            names = [param.get("name") for param in one.get("searchParam", ())]
            if len(names) != len(set(names)):
                yield "cpb-12: each search parameter once"


def _bundle(value: dict[str, Any]) -> Iterator[str]:
    if "total" in value and value.get("type") not in ("searchset", "history"):
        yield "bdl-1: a total only for searches and histories"
    urls = [entry.get("fullUrl") for entry in value.get("entry", ())]
    if len(urls) != len(set(urls)):
        yield "bdl-7: each address once"
    for entry in value.get("entry", ()):
        one = entry.get("resource", {})
        ending = f"{one.get('resourceType')}/{one.get('id')}"
        if not str(entry.get("fullUrl", "")).endswith(ending):
            yield f"fullUrl does not end with {ending}"


INVARIANTS: dict[str, tuple[Callable[[dict[str, Any]], Iterator[str]], ...]] = {
    "Participant": (_app_1,),
    "Appointment": (_app_2_to_4,),
    "CapabilityStatement": (_cpb,),
    "Bundle": (_bundle,),
}

"""What the FHIR server can do, as it says itself (https://hl7.org/fhir/R4/capabilitystatement.html).

A client asks for this first. A test compares it with what is really answered.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Final, Literal

from django.http import HttpRequest
from pydantic import Field

from kulla.services.fhir import MEDIA_TYPE, PATCH_TYPE, ROOT, VERSION, CodeableConcept, Element

DATE: Final = "2026-02-01"
"""When this statement last changed."""


class Interaction(Element):
    """Something that can be done with a kind of resource."""

    code: Literal["read", "search-type", "create", "update", "patch"]
    documentation: str | None = None


class SearchParam(Element):
    """Something that resources are found by."""

    name: str
    type: Literal["reference", "date", "token"]
    documentation: str


class ResourceCapability(Element):
    """What can be done with one kind of resource."""

    type: str
    documentation: str
    interaction: list[Interaction]
    versioning: Literal["versioned"] = "versioned"
    read_history: bool = False
    update_create: bool = False
    conditional_create: bool = False
    search_param: list[SearchParam] | None = None


class Security(Element):
    """How a client shows who it is."""

    cors: bool = False
    service: list[CodeableConcept]
    description: str


class Rest(Element):
    """A server, its security and its kinds of resources."""

    mode: Literal["server"] = "server"
    security: Security
    resource: list[ResourceCapability]


class Software(Element):
    """What runs here."""

    name: Literal["Kulla"] = "Kulla"
    version: str


class Implementation(Element):
    """Where it runs."""

    description: str
    url: str


class CapabilityStatement(Element):
    """What this server can do."""

    resource_type: Literal["CapabilityStatement"] = "CapabilityStatement"
    status: Literal["active"] = "active"
    date: str = DATE
    kind: Literal["instance"] = "instance"
    software: Software
    implementation: Implementation
    fhir_version: Literal["4.0.1"] = VERSION
    format: list[str]
    patch_format: list[str]
    rest: list[Rest] = Field(min_length=1)


def capability_statement(request: HttpRequest) -> CapabilityStatement:
    """The statement of this site, under the address that it was asked by."""
    here = Implementation(
        description="Appointments with doctors, of the public services that run on Kulla",
        url=request.build_absolute_uri(ROOT).rstrip("/"),
    )
    return CapabilityStatement(
        software=Software(version=version("kulla")),
        implementation=here,
        format=[MEDIA_TYPE, "json"],
        patch_format=[PATCH_TYPE],
        rest=[Rest(security=_security(), resource=[*_calendars(), _appointment()])],
    )


def _security() -> Security:
    return Security(
        service=[CodeableConcept(text="Bearer token (RFC 6750)")],
        description=(
            "Send 'Authorization: Bearer kulla_...'. Schedules and Slots need slots:read; "
            "Appointments need a person's own token with appointments:read or :book."
        ),
    )


def _calendars() -> list[ResourceCapability]:
    read, find = Interaction(code="read"), Interaction(code="search-type")
    actor = SearchParam(
        name="actor", type="reference", documentation="Practitioner/id or Location/id"
    )
    slots = [
        SearchParam(name="schedule", type="reference", documentation="Needed; at most ten"),
        SearchParam(name="start", type="date", documentation="With eq, ge, gt, le, lt, sa or eb"),
        SearchParam(name="status", type="token", documentation="A code without its system"),
    ]
    return [
        ResourceCapability(
            type="Practitioner", documentation="Doctors, nurses, midwives", interaction=[read]
        ),
        ResourceCapability(type="Location", documentation="Clinics", interaction=[read]),
        ResourceCapability(
            type="Schedule",
            documentation="A practitioner's calendar, under the practitioner's id",
            interaction=[read, find],
            search_param=[actor],
        ),
        ResourceCapability(
            type="Slot",
            documentation=(
                "'free' can be booked now. 'busy-tentative' is being confirmed, or somebody is "
                "filling in the form for it. 'busy-unavailable' is past, or nobody is there"
            ),
            interaction=[read, find],
            search_param=slots,
        ),
    ]


def _appointment() -> ResourceCapability:
    idempotent = "With the same Idempotency-Key, sent again, it is done once"
    return ResourceCapability(
        type="Appointment",
        documentation=(
            "One's own appointments only. 'pending' until enough embassies hold the act. "
            "The reason and the telephone number are sealed and are not read back."
        ),
        interaction=[
            Interaction(code="read"),
            Interaction(code="search-type"),
            Interaction(code="create", documentation=f"Books a Slot. {idempotent}"),
            Interaction(code="update", documentation=f"Cancels, or moves. {idempotent}"),
            Interaction(code="patch", documentation=f"Cancels, or moves. {idempotent}"),
        ],
        search_param=[
            SearchParam(name="patient", type="reference", documentation="The token's own person"),
            SearchParam(name="date", type="date", documentation="When it begins"),
            SearchParam(name="status", type="token", documentation="A code without its system"),
        ],
    )

"""What is stored about me and my children: opened for me alone; and what can not be opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.debug import sensitive_variables

from kulla.kernel.tower import TowerEdge
from kulla.portal.mine import own
from kulla.services.accounts.models import Number, Relation
from kulla.services.appointments.models import Appointment
from kulla.services.citizens.models import Citizen
from kulla.services.enrolment.stored import StoredChild, counted, opened_child
from kulla.services.messages.models import Message
from kulla.services.pages import ActedFor, PageRequest, open_to, signed_in

_VISITS_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class StoredVisit:
    """What I wrote for one appointment."""

    starts: datetime
    contact: str
    reason: str


@open_to("citizen", limit="acts")
@sensitive_variables()
def stored(request: PageRequest) -> HttpResponse:
    """GET: what there is. POST: the same with every sealed field opened, once, for this page."""
    subject = signed_in(request).subject
    children = [one for one in request.acting_for.people() if one.kind == "child"]
    context: dict[str, Any] = {"subject": subject, **_counted(subject)}
    context["enrolment"] = counted([one.subject for one in children])
    if request.method == "POST":
        context["opened"] = _opened(request.tower, subject)
        context["children"] = _opened_children(request.tower, children)
    return render(request, "portal/mine/stored.html", context)


def _counted(subject: str) -> dict[str, Any]:
    return {
        "account": own.account_of(subject),
        "number": Number.objects.filter(subject=subject).first(),
        "identities": own.identities_of(subject),
        "visit_count": Appointment.objects.filter(citizen=subject).count(),
        "visits_max": _VISITS_MAX,
        "message_count": Message.objects.filter(subject=subject).count(),
        "relation_count": Relation.objects.filter(guardian=subject).count()
        + Relation.objects.filter(ward=subject).count(),
    }


def _opened(tower: TowerEdge, subject: str) -> dict[str, Any]:
    citizen = Citizen.objects.filter(pk=subject).first()
    rows = Appointment.objects.filter(citizen=subject).order_by("-starts_s")[:_VISITS_MAX]
    return {
        "name": own.opened(tower, subject, "name", citizen.name_sealed if citizen else None),
        "addresses": [
            own.opened(tower, subject, row.kind, row.sealed) for row in own.addresses_of(subject)
        ],
        "labels": [
            own.opened(tower, subject, "label", row.label_sealed)
            for row in own.passkeys_of(subject)
        ],
        "programs": [
            own.opened(tower, subject, "label", row.label_sealed) for row in own.tokens_of(subject)
        ],
        "visits": [
            StoredVisit(
                row.starts_local,
                own.opened(tower, subject, "contact", row.contact_sealed),
                own.opened(tower, subject, "reason", row.reason_sealed),
            )
            for row in rows
        ],
    }


def _opened_children(
    tower: TowerEdge, children: Sequence[ActedFor]
) -> list[tuple[ActedFor, StoredChild]]:
    """What school enrolment holds about children whom I act for now, each under its own key."""
    found = []
    for child in children:

        def opened(field: str, sealed: bytes | None, subject: str = child.subject) -> str:
            return own.opened(tower, subject, field, sealed, own.READS_CHILDS)

        known = opened_child(child.subject, opened)
        if known is not None:
            found.append((child, known))
    return found

"""Giving and taking roles: one operator proposes, another approves, and one alone takes.

Every step is signed. What is shown of a person, their name and the fingerprints of their passkeys,
is what both operators compare with who stands before them; the policy sees that no passkey came
between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_variables

from kulla.kernel.canonical import Value
from kulla.kernel.service import Command
from kulla.portal.roles.words import ROLES, SHORT, said
from kulla.portal.sign_in.addresses import normal_mail
from kulla.portal.sign_in.people import owner_of
from kulla.services.accounts.acts import SERVICE_NAME
from kulla.services.accounts.apply import OPEN, role_key
from kulla.services.accounts.models import Passkey, Proposal, StaffRole
from kulla.services.accounts.policy import PROPOSAL_DAYS
from kulla.services.pages import (
    PageRequest,
    Text,
    fresh_command_id,
    open_to,
    read_command_id,
    signed_in,
)

ADDRESS: Final = "/operator/staff"
_DAY_MS: Final = 24 * 3600 * 1000
_MAIL_CHARS_MAX: Final = 254
_NO_ACCOUNT: Final[Text] = gettext_lazy(
    "No account has this mail address. Let the person sign up first, and add a passkey."
)
_NO_ROLE: Final[Text] = gettext_lazy("Choose a role.")


@dataclass(frozen=True, slots=True)
class Key:
    """A passkey as operators compare it: its fingerprint and when it was made."""

    fingerprint: str
    added: datetime


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody with a role, or for whom one is proposed."""

    subject: str
    name: str
    role: str
    role_text: Text
    since: datetime
    settled: bool
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Proposed:
    """A proposal that waits for another operator.

    `mine`: who is signed in made it, and can't approve it.
    """

    id: str
    member: Member
    add: bool
    by: str
    mine: bool


@open_to("operator", limit="acts")
@sensitive_variables()
def staff(request: PageRequest) -> HttpResponse:
    """GET: the staff and what is proposed. POST `mail`, `role`: shows who that is."""
    if request.method != "POST":
        return _page(request)
    mail = normal_mail(request.POST.get("mail", "")[: 2 * _MAIL_CHARS_MAX])
    role = request.POST.get("role", "")
    faults: dict[str, Text] = {}
    subject = owner_of(request.tower.token("mail", mail), request.tower) if mail else ""
    if not subject:
        faults["mail"] = _NO_ACCOUNT
    if role not in ROLES:
        faults["role"] = _NO_ROLE
    if faults:
        return _page(request, faults=faults)
    return _propose_page(request, subject, role)


@open_to("operator", limit="acts")
def propose(request: PageRequest, person: str, role: str) -> HttpResponse:
    """GET: is this the person? POST: sign the proposal that they get the role."""
    if role not in ROLES:
        raise Http404
    command_id = read_command_id(request.POST)
    if request.method != "POST" or command_id is None:
        return _propose_page(request, person, role)
    data: dict[str, Value] = {"subject": person, "role": role, "add": True}
    what = _("Propose that this person gets a role")
    return _sign(request, "propose_role", command_id, data, what, person, role)


@open_to("operator", limit="acts")
def take(request: PageRequest, person: str, role: str) -> HttpResponse:
    """GET: is the role really to go? POST: sign that it goes, at once."""
    if not StaffRole.objects.filter(pk=role_key(person, role)).exists():
        raise Http404
    command_id = read_command_id(request.POST)
    if request.method != "POST" or command_id is None:
        context = {"member": _person(request, person, role), "command": fresh_command_id(request)}
        return render(request, "portal/roles/take.html", context)
    data: dict[str, Value] = {"subject": person, "role": role}
    what = _("Take a role from this person, at once")
    return _sign(request, "revoke_role", command_id, data, what, person, role)


@open_to("operator", limit="acts")
def decide(request: PageRequest, proposal: str) -> HttpResponse:
    """GET: what is proposed, and for whom. POST `approve` or `withdraw`: sign that."""
    row = Proposal.objects.filter(pk=proposal, state=OPEN).first()
    if row is None or row.role not in ROLES:
        raise Http404
    command_id = read_command_id(request.POST)
    if request.method != "POST" or command_id is None:
        [found] = _proposed(request, [row])
        context = {"proposal": found, "command": fresh_command_id(request)}
        return render(request, "portal/roles/decide.html", context)
    approve = "approve" in request.POST
    what = _("Withdraw a proposal")
    if approve:
        what = _("Give this person a role") if row.add else _("Take a role from this person")
    name = "approve_role" if approve else "withdraw_role"
    data: dict[str, Value] = {"proposal": proposal}
    return _sign(request, name, command_id, data, what, row.subject, row.role)


def _sign(
    request: PageRequest,
    name: str,
    command_id: bytes,
    data: dict[str, Value],
    what: str,
    person: str,
    role: str,
) -> HttpResponse:
    """To the signing page, which says who is meant, as the registers know them now."""
    member = _person(request, person, role)
    summary = [
        (_("What"), what),
        (_("Person"), member.name or person),
        (_("Role"), str(SHORT[role])),
        *((_("Passkey"), key.fingerprint) for key in member.keys),
        (_("Number in the registers"), person),
    ]
    command = Command(SERVICE_NAME, name, command_id, signed_in(request), data)
    return request.signing.begin(request, command, summary=summary, done=ADDRESS, back=ADDRESS)


def _page(request: PageRequest, *, faults: dict[str, Text] | None = None) -> HttpResponse:
    answer = request.signing.answer(request)
    waiting = Proposal.objects.filter(
        state=OPEN, proposed_ms__gt=request.clock.now_ms() - PROPOSAL_DAYS * _DAY_MS
    ).order_by("proposed_ms", "id")
    context: dict[str, Any] = {
        "members": _members(request, list(StaffRole.objects.order_by("role", "granted_ms", "id"))),
        "proposals": _proposed(request, list(waiting)),
        "roles": ROLES.items(),
        "role": request.POST.get("role", ""),
        "mail": request.POST.get("mail", "")[:_MAIL_CHARS_MAX],
        "faults": faults or {},
        "done": answer is not None and answer.status == "accepted",
        "fault": said(answer),
        "days": PROPOSAL_DAYS,
    }
    return render(request, "portal/roles/staff.html", context, status=422 if faults else 200)


def _propose_page(request: PageRequest, subject: str, role: str) -> HttpResponse:
    member = _person(request, subject, role)
    if not member.name and not member.keys:
        raise Http404
    context = {"member": member, "command": fresh_command_id(request)}
    return render(request, "portal/roles/propose.html", context)


def _members(request: PageRequest, rows: Sequence[StaffRole]) -> list[Member]:
    names = request.people.names([row.subject for row in rows], "list of the staff")
    return [_member(request, row, names.get(row.subject, ""), row.granted_ms) for row in rows]


def _proposed(request: PageRequest, rows: Sequence[Proposal]) -> list[Proposed]:
    people = [subject for row in rows for subject in (row.subject, row.proposed_by)]
    names = request.people.names(people, "proposals of roles")
    me = signed_in(request).subject
    return [
        Proposed(
            row.id,
            _member(request, row, names.get(row.subject, ""), row.proposed_ms),
            bool(row.add),
            names.get(row.proposed_by, row.proposed_by),
            row.proposed_by == me,
        )
        for row in rows
    ]


def _person(request: PageRequest, subject: str, role: str) -> Member:
    """Somebody as they are now, whatever roles they have."""
    found = request.people.find(subject, "giving or taking a role")
    now = _at(request.clock.now_ms())
    keys = _keys(subject)
    return Member(subject, found.name if found else "", role, SHORT[role], now, True, keys)


def _member(request: PageRequest, row: StaffRole | Proposal, name: str, since_ms: int) -> Member:
    settled = row.position < request.tower.witnessing().watermark
    text = SHORT.get(row.role, row.role)
    return Member(row.subject, name, row.role, text, _at(since_ms), settled, _keys(row.subject))


def _keys(subject: str) -> tuple[Key, ...]:
    rows = Passkey.objects.filter(subject=subject).order_by("added_ms", "credential")
    return tuple(Key(row.fingerprint, _at(row.added_ms)) for row in rows)


def _at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)

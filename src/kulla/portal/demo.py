"""The sign-in of the demo country: made-up people, one press each. Nowhere else does it exist."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from django.conf import settings
from django.http import Http404, HttpResponse
from django.middleware.csrf import rotate_token
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_variables

from kulla.kernel.service import Role
from kulla.portal.configuration import Misconfigured
from kulla.portal.sessions import ROLE, SUBJECT, SessionStore
from kulla.services.pages import PageRequest, open_to_all

_ROLES: Final = frozenset({"citizen", "clerk", "operator", "analyst", "custodian"})
_SHOWN_MAX: Final = 24


@dataclass(frozen=True, slots=True)
class Person:
    """A made-up person: the subject id that the keeper gave, a name, a role, where they live."""

    subject: str
    name: str
    role: Role
    town: str = ""


def read_people(path: Path) -> dict[str, Person]:
    """People by subject id, from a JSON list of {"subject", "name", "role", "town"}.

    Raises Misconfigured where the file is not that, naming the row.
    """
    people: dict[str, Person] = {}
    try:
        rows = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Misconfigured(
            f"the made-up people can't be read ({error}).",
            place="KULLA_DEMO_PEOPLE",
            remedy="Name a file with a JSON list of people.",
        ) from error
    for number, row in enumerate(rows):
        try:
            person = Person(row["subject"], row["name"], row["role"], row.get("town", ""))
        except (KeyError, TypeError, AttributeError) as error:
            raise _unfit(path, number) from error
        if person.role not in _ROLES or not person.subject:
            raise _unfit(path, number)
        people[person.subject] = person
    return people


def _unfit(path: Path, number: int) -> Misconfigured:
    return Misconfigured(
        "this row is not a person.",
        place=f"{path}: row {number}",
        remedy='Write {"subject": ..., "name": ..., "role": "citizen", "town": ...}.',
    )


@cache
def _people() -> dict[str, Person]:
    path = settings.KULLA.demo_people
    return read_people(path) if path else {}


def name_of(subject: str) -> str:
    """The made-up name of a person who is signed in, '' outside the demo country."""
    person = _people().get(subject) if settings.KULLA.demo else None
    return person.name if person else ""


@open_to_all(limit="sign_in")
@sensitive_variables()
def sign_in(request: PageRequest) -> HttpResponse:
    """GET: the made-up people; POST `subject`: be one of them. Found only in the demo country."""
    if not settings.KULLA.demo:
        raise Http404
    where = _safe_next(request)
    if request.method == "POST":
        person = _people().get(request.POST.get("subject", ""))
        if person is None:
            raise Http404
        SessionStore.clear_expired()  # whoever comes sweeps: nothing else has to run for it
        # A fresh session and a fresh form mark: nothing from before signs in with the person.
        request.session.flush()
        request.session[SUBJECT], request.session[ROLE] = person.subject, person.role
        rotate_token(request)
        return redirect(where)
    wanted = request.GET.get("name", "").strip()[:100]
    found = [person for person in _people().values() if wanted.casefold() in person.name.casefold()]
    context = {
        "people": found[:_SHOWN_MAX],
        "more_count": max(0, len(found) - _SHOWN_MAX),
        "wanted": wanted,
        "next": where,
    }
    return render(request, "portal/sign_in.html", context)


@open_to_all()
def sign_out(request: PageRequest) -> HttpResponse:
    """POST: end the session. GET does nothing, so that no picture on another site signs one out."""
    if request.method == "POST":
        request.session.flush()
        rotate_token(request)
    return redirect("/")


def _safe_next(request: PageRequest) -> str:
    where = request.POST.get("next") or request.GET.get("next") or "/"
    safe = url_has_allowed_host_and_scheme(
        where, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return where if safe and where.startswith("/") else "/"

"""A child in a round, as a page sees it: whose page it may be, and how what it asks is done.

Families and the counter have the same pages. Who is no guardian of the child, nor a clerk, is told
that there is no such page. A guardian's command goes out at once; a clerk's is signed first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from kulla.kernel.canonical import Value
from kulla.kernel.service import Command
from kulla.kernel.tower import Answer
from kulla.services.enrolment import tables
from kulla.services.enrolment.acts import SERVICE_NAME
from kulla.services.enrolment.applications.child import ChildFacts, child_of, grades_for
from kulla.services.enrolment.applications.commitment import facts_of
from kulla.services.enrolment.applications.policy import application_id
from kulla.services.enrolment.applications.refusals import in_words
from kulla.services.enrolment.models import Application, Child
from kulla.services.enrolment.policy.rules import Facts, Rules
from kulla.services.enrolment.rounds import reading
from kulla.services.enrolment.rounds.public import grade_name
from kulla.services.enrolment.rounds.reading import Now, Shown
from kulla.services.pages import (
    PageRequest,
    ask,
    fresh_command_id,
    read_command_id,
    signed_in,
)

FACTS, SALT, NAME, REASON = "facts", "salt", "name", "reason"
"""Names of the sealed fields: of a child and an application, of a file, of a clerk's decision."""

Summary = Sequence[tuple[str, str]]

_STATUS: Final = {"refused": 409, "waiting": 202, "unavailable": 503}


@dataclass(frozen=True, slots=True)
class Case:
    """A child in a round, for who may see it. `row` is None before anybody applied."""

    request: PageRequest
    now: Now
    shown: Shown
    rules: Rules
    child: str
    name: str
    row: Application | None
    staff: bool
    _opened: dict[str, Any] = field(default_factory=dict)

    @property
    def round(self) -> str:
        """The round's id."""
        return self.shown.row.id

    @property
    def filed(self) -> bool:
        """Whether an application stands."""
        return self.row is not None and self.row.state == tables.FILED

    @property
    def settled(self) -> bool:
        """Whether the newest change is confirmed."""
        return self.row is not None and self.row.position < self.now.watermark

    @property
    def may_change(self) -> bool:
        """Whether something can be changed at this instant."""
        return self.shown.is_open and self.shown.row.state == tables.PUBLISHED

    @property
    def changes(self) -> int:
        """How many changes there were; the next one's number is one more."""
        return 0 if self.row is None else self.row.changes

    @property
    def choices(self) -> tuple[str, ...]:
        """The programmes that are applied for, best first."""
        return tuple(json.loads(self.row.choices)) if self.row is not None else ()

    @property
    def filed_at(self) -> datetime | None:
        """When somebody applied first."""
        return _instant(self.row.filed_ms) if self.row else None

    @property
    def changed_at(self) -> datetime | None:
        """When it was changed last."""
        return _instant(self.row.changed_ms) if self.row else None

    @property
    def own_change(self) -> bool:
        """Whether the person at this page changed it last."""
        return self.row is not None and self.row.actor == signed_in(self.request).subject

    @property
    def grade_name(self) -> str:
        """What the grade that is applied for is called."""
        return grade_name(self.rules, self.row.grade) if self.row is not None else ""

    def address(self, page: str, *more: str) -> str:
        """A page of this case by its name: 'child', 'apply', 'files'."""
        return reverse(f"enrolment:{page}", args=[self.round, self.child, *more])

    def why(self, reason: str) -> str:
        """What the keeper's log says of an opening: who, and why."""
        actor = signed_in(self.request)
        return f"{actor.role} {actor.subject}: {reason}" if self.staff else reason

    def child_facts(self) -> ChildFacts | None:
        """What was entered of the child, opened once a page; None before anybody entered it."""
        if "child" not in self._opened:
            row = Child.objects.filter(subject=self.child).first()
            self._opened["child"] = None
            if row is not None:
                sealed = {FACTS: bytes(row.facts_sealed)}
                why = self.why("the child's age and address, to apply")
                opened = self.request.tower.open(self.child, sealed, why)
                self._opened["child"] = child_of(opened[FACTS])
        found: ChildFacts | None = self._opened["child"]
        return found

    def facts(self) -> Facts | None:
        """The application's claims and siblings, opened once a page; None where there is none."""
        if self.row is None:
            return None
        if "facts" not in self._opened:
            sealed = {FACTS: bytes(self.row.facts_sealed)}
            opened = self.request.tower.open(self.child, sealed, self.why("an application is read"))
            self._opened["facts"] = facts_of(opened[FACTS])
        found: Facts = self._opened["facts"]
        return found

    def grades(self) -> list[str]:
        """The grades of the round that the child has the age for."""
        facts = self.child_facts()
        offered = reading.grades_of(self.round, self.rules)
        return grades_for(self.rules, offered, facts.born) if facts else []

    def data(self, **more: Value) -> dict[str, Value]:
        """The data of a command about this child; a clerk's names the child."""
        return {**more, "child": self.child} if self.staff else more

    def send(
        self,
        name: str,
        data: Mapping[str, Value],
        *,
        names: tuple[bytes, ...] = (),
        summary: Summary = (),
        done: str,
        back: str,
    ) -> HttpResponse | Answer:
        """Do it: a page to go to next, or the answer where it was not accepted."""
        command_id = read_command_id(self.request.POST)
        assert command_id is not None
        request, actor = self.request, signed_in(self.request)
        if self.staff:
            command = Command(SERVICE_NAME, name, command_id, actor, data, names)
            about = [(_("Child"), self.name), *summary]
            return request.signing.begin(request, command, summary=about, done=done, back=back)
        _command, answer = ask(
            request, SERVICE_NAME, name, command_id, data, whom=self.child, names=names
        )
        if answer.status == "accepted":
            return HttpResponseRedirect(done, status=303)
        return answer

    def show(
        self,
        template: str,
        context: Mapping[str, Any],
        answer: Answer | None = None,
        *,
        status: int = 200,
    ) -> HttpResponse:
        """A page about the child, with what became of what was asked or signed last."""
        request = self.request
        if answer is None and self.staff:
            answer = request.signing.answer(request)
        elif answer is not None:
            status = _STATUS[answer.status]
        posted = read_command_id(request.POST)
        shown = {
            "case": self,
            "round": self.shown.row,
            "shown": self.shown,
            "answer": answer,
            "answer_text": in_words(answer) if answer else "",
            "command": posted.hex() if posted else fresh_command_id(request),
            **context,
        }
        response = render(request, f"enrolment/applications/{template}.html", shown, status=status)
        if status == 503:
            response["Retry-After"] = "30"
        return response


def case_of(request: PageRequest, round_id: str, child: str) -> Case:
    """The case of this page. Raises Http404, also where the child is not this person's to see."""
    staff = signed_in(request).role == "clerk"
    name = _name_for_staff(request, child) if staff else _name_of_ward(request, child)
    now = reading.now_of(request)
    shown = reading.public_round(round_id, now)
    row = Application.objects.filter(id=application_id(shown.row.id, child)).first()
    return Case(
        request, now, shown, reading.rules_of(shown.row) or Rules(), child, name, row, staff
    )


def _name_of_ward(request: PageRequest, child: str) -> str:
    for one in request.acting_for.people():
        if one.subject == child and one.kind == "child":
            return one.name
    raise Http404


def _name_for_staff(request: PageRequest, child: str) -> str:
    person = request.people.find(child, "enrolment at the counter")
    if person is None:
        raise Http404
    return person.name


def _instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)

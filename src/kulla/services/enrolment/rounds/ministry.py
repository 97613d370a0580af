"""The ministry's desk: its rounds, what is still to do in each, and the steps of a round's life.

A clerk signs every change with a passkey. Whatever was typed is checked here first, so that what is
signed is what the rules allow; the scribe sees to it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from kulla.kernel import dates
from kulla.kernel.canonical import Value
from kulla.kernel.service import Command
from kulla.services.enrolment import tables
from kulla.services.enrolment.acts import SERVICE_NAME
from kulla.services.enrolment.models import Application, Programme, Round, School, Secret
from kulla.services.enrolment.rounds import forms, policy, reading, wishes
from kulla.services.enrolment.rounds.forms import DAY_TITLES, Typed
from kulla.services.enrolment.rounds.public import round_context
from kulla.services.enrolment.rounds.words import STATES, in_words, missing_text
from kulla.services.pages import (
    COMMAND_FIELD,
    KEPT_FIELD,
    PageRequest,
    fresh_command_id,
    open_to,
    read_command_id,
    signed_in,
)

Summary = Sequence[tuple[str, str]]

_NOT_TYPED: Final = frozenset({"csrfmiddlewaretoken", COMMAND_FIELD, KEPT_FIELD, "rows"})

_STEPS: Final = {
    "publish": "publish_round",
    "close": "close_round",
    "end": "end_round",
}


@open_to("clerk")
def rounds(request: PageRequest) -> HttpResponse:
    """All rounds, also those that are only prepared."""
    now = reading.now_of(request)
    rows = Round.objects.order_by("-opens_s", "id")
    context = {
        "rounds": [
            (reading.show_round(row, now), STATES.get(row.state, row.state)) for row in rows
        ],
        "schools_count": School.objects.count(),
    }
    return show(request, "rounds", context)


@open_to("clerk")
def new(request: PageRequest) -> HttpResponse:
    """A new round: GET the form, POST it."""
    command_id = read_command_id(request.POST)
    typed, data = forms.read_round(request.POST, fresh=True)
    if request.method == "POST" and command_id and not typed.problems:
        page = reverse("enrolment:ministry-round", args=[typed.of("round")])
        command = {"round": typed.of("round"), **data}
        back = reverse("enrolment:ministry-new")
        said = [(_("New round"), typed.of("title")), *_day_lines(data)]
        return begin(request, "prepare_round", command_id, command, said, done=page, back=back)
    posted = request.method == "POST"
    if not posted:
        typed = Typed(kept_typed(request))
    context = {
        "typed": typed,
        "fresh": True,
        "day_fields": day_fields(typed),
        "parents": Round.objects.filter(parent="").order_by("-opens_s"),
    }
    return show(request, "round_form", context, status=422 if posted else 200)


@open_to("clerk")
def overview(request: PageRequest, round_id: str) -> HttpResponse:
    """A round: where it stands, what is to do, its days as a picture."""
    row = reading.round_of(round_id)
    now = reading.now_of(request)
    shown = reading.show_round(row, now)
    lacking = reading.missing_of(row, now.at_s * 1000) if row.state == tables.PREPARED else []
    programmes = list(Programme.objects.filter(round=row.id))
    context = {
        **round_context(shown, now),
        "state": STATES.get(row.state, row.state),
        "lacking": [missing_text(*one) for one in lacking[: policy.MISSING_MAX]],
        "lacking_more": max(0, len(lacking) - policy.MISSING_MAX),
        "programmes_count": len(programmes),
        "schools_count": len({one.school for one in programmes}),
        "seats_count": sum(one.seats for one in reading.offered(programmes, None)),
        "filed_count": Application.objects.filter(round=row.id, state=tables.FILED).count(),
        "may_publish": row.state == tables.PREPARED and not lacking,
        "may_close": _may_close(row, now.at_s),
        "secrets_count": Secret.objects.filter(round=row.id).count(),
        "may_end": row.state == tables.OFFERED and now.at_s >= row.answer_by_s,
        "may_move": row.state not in (tables.PREPARED, tables.ENDED),
        "parent": Round.objects.filter(id=row.parent).first() if row.parent else None,
        "root": bytes(row.list_root).hex() if row.list_root is not None else "",
    }
    return show(request, "round", context)


@open_to("clerk")
def days(request: PageRequest, round_id: str) -> HttpResponse:
    """Title and days of a round that is prepared; or days of a published one, to later."""
    row = reading.round_of(round_id)
    if row.state == tables.PREPARED:
        return _change(request, row)
    if row.state == tables.ENDED:
        return redirect("enrolment:ministry-round", row.id)
    return _move(request, row)


def _change(request: PageRequest, row: Round) -> HttpResponse:
    page = reverse("enrolment:ministry-round", args=[row.id])
    command_id = read_command_id(request.POST)
    typed, data = forms.read_round(request.POST, fresh=False)
    if request.method == "POST" and command_id and not typed.problems:
        summary = [(_("Round"), typed.of("title")), *_day_lines(data)]
        command = {"round": row.id, **data}
        back = request.path
        return begin(request, "change_round", command_id, command, summary, done=page, back=back)
    posted = request.method == "POST"
    if not posted:
        named = ("title", "school_year", "parent")
        shown = {name: getattr(row, name) for name in named}
        shown |= {name: forms.local_text(getattr(row, name)) for name in wishes.DAYS}
        typed = Typed({**shown, **kept_typed(request)})
    context = {
        "round": row,
        "typed": typed,
        "day_fields": day_fields(typed),
        "parents": Round.objects.filter(parent="").exclude(id=row.id).order_by("-opens_s"),
    }
    return show(request, "round_form", context, status=422 if posted else 200)


def _move(request: PageRequest, row: Round) -> HttpResponse:
    page = reverse("enrolment:ministry-round", args=[row.id])
    command_id = read_command_id(request.POST)
    were = {name: getattr(row, name) for name in wishes.DAYS}
    posted = request.method == "POST"
    typed, data = forms.read_move(request.POST, were)
    if posted and command_id and not typed.problems:
        moved = [name for name in wishes.DAYS if data[name] != were[name]]
        summary = [(_("Round"), row.title), *_day_lines(data, moved)]
        summary.append((_("Why, for everybody to read"), typed.of("why")))
        command = {"round": row.id, **data}
        back = request.path
        return begin(request, "move_round", command_id, command, summary, done=page, back=back)
    if not posted:
        shown = {name: forms.local_text(at_s) for name, at_s in were.items()}
        typed = Typed({**shown, **kept_typed(request)})
    context = {
        "round": row,
        "typed": typed,
        "day_fields": day_fields(typed),
        "moves": [
            (one, [(DAY_TITLES[name], was, is_) for name, was, is_ in one.days])
            for one in reading.moves_of(row)
        ],
    }
    return show(request, "move", context, status=422 if posted else 200)


@open_to("clerk")
def step(request: PageRequest, round_id: str) -> HttpResponse:
    """POST `step`: publish, close or end a round. Opened by a link it leads to the round."""
    row = reading.round_of(round_id)
    page = reverse("enrolment:ministry-round", args=[row.id])
    command_id = read_command_id(request.POST)
    wanted = request.POST.get("step")
    name = _STEPS.get(wanted) if isinstance(wanted, str) else None
    if name is None or command_id is None:
        return redirect(page)
    if name == "close_round" and not _may_close(row, reading.now_of(request).at_s):
        return redirect(page)
    titles = {
        "publish_round": _("Publish the round"),
        "close_round": _("Close the list of applications"),
        "end_round": _("End the round"),
    }
    effects = {
        "publish_round": _("Everybody sees it. Rules, programmes and seats stand from here on."),
        "close_round": _("No application can be filed, changed or withdrawn any more."),
        "end_round": _("Nothing in it changes any more."),
    }
    summary = [(titles[name], row.title), (_("What it does"), effects[name])]
    if name == "publish_round":
        summary += _day_lines({name: getattr(row, name) for name in wishes.DAYS})
    return begin(request, name, command_id, {"round": row.id}, summary, done=page)


def _may_close(row: Round, at_s: int) -> bool:
    """Whether the page offers to close the list.

    One that is closed without any embassy's secret could never be drawn, and closing stands.
    """
    if row.state != tables.PUBLISHED or at_s < row.closes_s:
        return False
    return Secret.objects.filter(round=row.id).exists()


def begin(
    request: PageRequest,
    name: str,
    command_id: bytes,
    data: Mapping[str, Value],
    summary: Summary,
    *,
    done: str,
    back: str = "",
) -> HttpResponse:
    """Have a command of the ministry signed; what was typed is kept until it is done."""
    response = request.signing.begin(
        request,
        Command(SERVICE_NAME, name, command_id, signed_in(request), dict(data)),
        summary=summary,
        done=done,
        back=back or done,
    )
    typed = {field: value for field, value in request.POST.items() if field not in _NOT_TYPED}
    request.kept.keep(response, _form_of(request), {k: str(v) for k, v in typed.items()})
    return response


def kept_typed(request: PageRequest) -> Mapping[str, str]:
    """What was typed into this page's form before, and is not done yet; else nothing."""
    return request.kept.typed(_form_of(request))


def _form_of(request: PageRequest) -> str:
    """The name of this page's form among kept ones: its address, in letters."""
    digest = hashlib.sha256(request.path.encode()).hexdigest()[:24]
    return "m-" + digest.translate(str.maketrans("0123456789", "ghijklmnop"))


def show(
    request: PageRequest, name: str, context: Mapping[str, Any], *, status: int = 200
) -> HttpResponse:
    """A page of the ministry, with what became of the command that was signed last."""
    answer = request.signing.answer(request)
    posted = read_command_id(request.POST)
    shown = {
        **context,
        "answer": answer,
        "answer_text": in_words(answer) if answer else "",
        "command": posted.hex() if posted else fresh_command_id(request),
        "kept_mark": request.kept.mark(_form_of(request)),
        "was_typed": request.method != "POST" and bool(kept_typed(request)),
    }
    response = render(request, f"enrolment/ministry/{name}.html", shown, status=status)
    if answer is not None and answer.status == "accepted":
        request.kept.forget(response)
    return response


def prepared_round(key: str) -> Round:
    """A round that is not published yet. Raises Http404."""
    row = reading.round_of(key)
    if row.state != tables.PREPARED:
        raise Http404
    return row


def day_fields(typed: Typed) -> list[tuple[str, Any, str, Any]]:
    """The fields of a form's days: (name, title, value, what is wrong)."""
    return [
        (name, title, typed.of(name), typed.problems.get(name))
        for name, title in DAY_TITLES.items()
    ]


def _day_lines(
    data: Mapping[str, Value], names: Sequence[str] = wishes.DAYS
) -> list[tuple[str, str]]:
    """The days of a command as its signing page shows them."""
    lines = []
    for name in names:
        at_s = data[name]
        assert isinstance(at_s, int)
        at = datetime.fromtimestamp(at_s, dates.HOME_ZONE)
        lines.append((str(DAY_TITLES[name]), dates.moment(at, dates.known(get_language()))))
    return lines

"""The rules editor of a round: a form with up and down buttons, and what it says in prose."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from kulla.services.enrolment.policy.rules import OPEN_POOL, Rules
from kulla.services.enrolment.rounds import reading, rules_form, rules_text
from kulla.services.enrolment.rounds.ministry import begin, kept_typed, prepared_round, show
from kulla.services.enrolment.rounds.prose import Section, rules_in_words
from kulla.services.enrolment.rounds.public import ages_of
from kulla.services.enrolment.rounds.rules_form import RulesTyped
from kulla.services.enrolment.rounds.words import KINDS
from kulla.services.pages import PageRequest, open_to, read_command_id


@open_to("clerk")
def rules(request: PageRequest, round_id: str) -> HttpResponse:
    """GET: the newest rules in a form. POST `do`: move, add, remove, look at them, or sign."""
    row = prepared_round(round_id)
    current = reading.rules_of(row)
    if request.method != "POST":
        kept = kept_typed(request)
        typed = rules_form.typed_of(current) if current else rules_form.fresh()
        return _page(request, row.id, rules_form.read(kept) if kept else typed, current)
    button = request.POST.get("do", "")
    button = button if isinstance(button, str) else ""
    typed = rules_form.read(request.POST)
    if button not in ("look", "sign"):
        kind = request.POST.get("new-kind", "")
        typed = rules_form.pressed(typed, button, kind if isinstance(kind, str) else "")
        return _page(request, row.id, typed, None)
    typed, meant = rules_form.rules_of(typed)
    command_id = read_command_id(request.POST)
    if meant is None or button == "look" or command_id is None:
        return _page(request, row.id, typed, meant, status=422 if meant is None else 200)
    data = {"round": row.id, "rules": rules_text.text_of(meant)}
    summary = [(_("Rules of"), row.title), (_("Version"), str(row.rules_version + 1))]
    for section in _sections(meant):
        said = [*section.sentences] if not section.items else []
        said += [f"{name}: {text}" for name, text in section.items]
        summary.append((section.title, " · ".join(said)))
    page = reverse("enrolment:ministry-round", args=[row.id])
    back = reverse("enrolment:ministry-rules", args=[row.id])
    return begin(request, "set_rules", command_id, data, summary, done=page, back=back)


def _sections(meant: Rules) -> list[Section]:
    ages = tuple((name, f"{first} – {last}") for name, first, last in ages_of(meant))
    return [*rules_in_words(meant), Section(_("Which child, which grade"), (), ages)]


def _page(
    request: PageRequest, round_: str, typed: RulesTyped, meant: Rules | None, *, status: int = 200
) -> HttpResponse:
    """The form, and below it in prose what it means."""
    row = reading.round_of(round_)
    kinds = [(line["kind"], line["title"]) for line in typed.lines["p"] if line["kind"]]
    context = {
        "round": row,
        "typed": typed,
        "priorities": _with_problems(typed, "p"),
        "pools": _with_problems(typed, "o"),
        "ages": _with_problems(typed, "a"),
        "open_pool": OPEN_POOL,
        "kinds": kinds,
        "new_kinds": [(kind, title) for kind, title in KINDS.items() if kind not in dict(kinds)],
        "full": {
            "p": len(typed.lines["p"]) >= rules_form.PRIORITIES_MAX,
            "o": len(typed.lines["o"]) >= rules_form.POOLS_MAX,
            "a": len(typed.lines["a"]) >= rules_form.GRADES_MAX,
        },
        "sections": _sections(meant) if meant else [],
    }
    return show(request, "rules", context, status=status)


def _with_problems(typed: RulesTyped, table: str) -> list[dict[str, Any]]:
    """Each line with its place in the form and what is wrong with its fields."""
    found = []
    for number, line in enumerate(typed.lines[table]):
        place = f"{table}{number}"
        wrong = {
            name: typed.problems[f"{place}-{name}"]
            for name in line
            if f"{place}-{name}" in typed.problems
        }
        found.append({"place": place, "wrong": wrong, **line})
    return found

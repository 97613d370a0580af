"""What the ministry's and the counter's pages of this room share: showing, signing, answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from kulla.kernel.canonical import Value
from kulla.kernel.service import Command
from kulla.services.enrolment.acts import SERVICE_NAME
from kulla.services.enrolment.models import Round
from kulla.services.enrolment.results.words import in_words
from kulla.services.pages import PageRequest, fresh_command_id, read_command_id, signed_in


def show(
    request: PageRequest, page: str, context: Mapping[str, Any], *, status: int = 200
) -> HttpResponse:
    """A page with what became of the command that was signed last, and a command id for its form.

    The id is a fresh one, or the one that was posted, so that a form sent twice is one command.
    """
    answer = request.signing.answer(request)
    posted = read_command_id(request.POST)
    shown = {
        **context,
        "answer": answer,
        "answer_text": in_words(answer) if answer else "",
        "command": posted.hex() if posted else fresh_command_id(request),
    }
    response = render(request, f"enrolment/results/{page}.html", shown, status=status)
    if answer is not None and answer.status == "accepted":
        request.kept.forget(response)
    return response


def begin(
    request: PageRequest,
    name: str,
    command_id: bytes,
    data: Mapping[str, Value],
    summary: Sequence[tuple[str, str]],
    *,
    done: str,
    back: str,
) -> HttpResponse:
    """Have the clerk sign the command; then `done`, or `back` where it was not accepted."""
    command = Command(SERVICE_NAME, name, command_id, signed_in(request), dict(data))
    return request.signing.begin(request, command, summary=summary, done=done, back=back)


def overview_of(row: Round) -> str:
    """The address of the round's results at the ministry."""
    return reverse("enrolment:ministry-results", args=[row.id])

"""CSV files in and out: what a form brought, and parts of it that are signed one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpResponse

from kulla.services.enrolment.rounds import csv_in
from kulla.services.pages import PageRequest, fresh_command_id

REJECTS_SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that one signature brings in: `text` is their CSV, which the form sends back."""

    number: int
    count: int
    first: str
    last: str
    text: str
    command: str


def posted_text(request: PageRequest) -> str | None:
    """The CSV text that a form brought as a file or in its field `rows`; None: none was sent."""
    file = request.FILES.get("file")
    if file is not None:
        assert not isinstance(file, list)
        return csv_in.text_of(file.read())
    rows = request.POST.get("rows")
    # Browsers drop the end of line that begins a text area; what sends it again may not.
    return rows.lstrip("\r\n") if isinstance(rows, str) and rows.strip() else None


def shown_parts(
    request: PageRequest, head: Sequence[str], parts: Sequence[Sequence[Sequence[Any]]]
) -> list[Part]:
    """The parts as their forms show them; each has a command of its own."""
    return [
        Part(
            number,
            len(part),
            str(part[0][0]),
            str(part[-1][0]),
            csv_in.written(head, part),
            fresh_command_id(request),
        )
        for number, part in enumerate(parts, 1)
    ]


def csv_answer(name: str, text: str) -> HttpResponse:
    """A CSV file to download; the mark at its beginning tells spreadsheets that it is UTF-8."""
    response = HttpResponse("\ufeff" + text, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response

"""A round's days as a picture: how long each part takes, what is over, and where today is.

Drawn as SVG on the server. It has no text of its own, since that would be too small on a phone; the
same days stand in words beside it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from kulla.services.enrolment.models import Round

WIDTH: Final = 600
HEIGHT: Final = 44
_BAR_Y, _BAR_HEIGHT = 14, 16
_LEAD: Final = 0.12
"""Of the width, before the first day and after the last."""
_SHORTEST: Final = 0.06
"""Of the width: a part that is shorter is drawn as wide as this, so that it is seen."""


def draw(row: Round, at_s: int, title: str) -> SafeString:
    """The picture of a round's parts: applying, allocating, answering; and a mark for today.

    `title` is what a reader who sees no picture is told.
    """
    edges = _edges(row)
    parts = "".join(
        f'<rect class="{name}" x="{begin:.1f}" y="{_BAR_Y}" width="{end - begin:.1f}" '
        f'height="{_BAR_HEIGHT}"/>'
        for name, begin, end in zip(("apply", "wait", "answer"), edges, edges[1:], strict=False)
    )
    x = _place(row, edges, at_s)
    today = f'<path class="today" d="M{x:.1f} 4v36m-6 -36h12l-6 8z"/>'
    body = f'<path class="line" d="M0 {_BAR_Y + _BAR_HEIGHT // 2}h{WIDTH}"/>{parts}{today}'
    return mark_safe(  # noqa: S308 - numbers, and a title that is escaped
        f'<svg class="days" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">{body}</svg>'
    )


def _instants(row: Round) -> tuple[int, int, int, int]:
    return row.opens_s, row.closes_s, row.results_s, row.answer_by_s


def _edges(row: Round) -> list[float]:
    """Where the four instants stand, in units of the picture."""
    at = _instants(row)
    spans = [max(after - before, 1) for before, after in pairwise(at)]
    whole = sum(spans)
    shares = [max(span / whole, _SHORTEST) for span in spans]
    room = WIDTH * (1 - 2 * _LEAD)
    edges = [WIDTH * _LEAD]
    for share in shares:
        edges.append(edges[-1] + room * share / sum(shares))
    return edges


def _place(row: Round, edges: list[float], at_s: int) -> float:
    """Where an instant stands; what is far before or after stands at the picture's end."""
    at = _instants(row)
    for (begin_s, begin), (end_s, end) in zip(
        zip(at, edges, strict=True), zip(at[1:], edges[1:], strict=True), strict=False
    ):
        if begin_s <= at_s < end_s:
            return begin + (end - begin) * (at_s - begin_s) / (end_s - begin_s)
    return WIDTH * _LEAD / 2 if at_s < at[0] else WIDTH * (1 - _LEAD / 2)

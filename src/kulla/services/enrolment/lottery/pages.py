"""The public page of a round's lottery: who fixed what when, what was told, how to check it.

Nothing on it is to be believed: the text and the file that it offers are checked elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.http import Http404, HttpResponse
from django.shortcuts import render

from kulla.journal.lottery import parse_commitment, parse_reveal
from kulla.journal.notes import parse_note
from kulla.kernel.errors import KullaError
from kulla.services.enrolment import tables
from kulla.services.enrolment.lottery.page_file import file_of, text_of
from kulla.services.enrolment.models import Draw, Secret
from kulla.services.enrolment.policy.draw import EMBASSY
from kulla.services.enrolment.rounds.reading import Shown, now_of, public_round
from kulla.services.pages import PageRequest, open_to_all

_STARTED: Final = (tables.PREPARED, tables.PUBLISHED)


@dataclass(frozen=True, slots=True)
class Entered:
    """An embassy on the page; instants by its own clock, in the round's zone, None where unknown.

    `number` names its deal in 16 hex digits, to compare with what the embassy itself shows.
    """

    name: str
    committed: datetime
    number: str
    secret: str
    by_embassy: bool
    told: datetime | None


@open_to_all()
def lottery(request: PageRequest, round_id: str) -> HttpResponse:
    """A round's lottery, before and after it is drawn."""
    shown = public_round(round_id, now_of(request))
    return _page(request, shown)


@open_to_all()
def seed_file(request: PageRequest, round_id: str) -> HttpResponse:
    """The text whose SHA-256 is the seed, as a file."""
    shown, draw = _drawn(request, round_id)
    text = text_of(_row(shown), _secrets(shown))
    assert hashlib.sha256(text.encode()).digest() == bytes(draw["seed"])
    return _file(text, f"{round_id}-seed.txt", "text/plain; charset=utf-8")


@open_to_all()
def proof_file(request: PageRequest, round_id: str) -> HttpResponse:
    """The lottery as a file that proves itself: `kulla lottery check`."""
    shown, draw = _drawn(request, round_id)
    try:
        found = file_of(
            _row(shown),
            draw,
            _secrets(shown),
            lambda position: request.tower.receipt(position, ""),
        )
    except KullaError:
        return _page(request, shown, no_receipts=True, status=503)
    text = json.dumps(found, ensure_ascii=False, indent=1) + "\n"
    return _file(text, f"{round_id}-lottery.json", "application/json")


def _page(
    request: PageRequest, shown: Shown, *, no_receipts: bool = False, status: int = 200
) -> HttpResponse:
    drawn = _confirmed_draw(request, shown)
    entered = [_entered(row, shown, drawn is not None) for row in _secrets(shown, request)]
    context: dict[str, Any] = {
        "shown": shown,
        "round": shown.row,
        "closed": shown.row.state not in _STARTED,
        "entered": entered,
        "drawn": drawn,
        "seed": bytes(drawn["seed"]).hex() if drawn else "",
        "text": text_of(_row(shown), _secrets(shown)) if drawn else "",
        "list_root": bytes(shown.row.list_root or b"").hex(),
        "by_custodians": [one.name for one in entered if drawn and not one.by_embassy],
        "no_receipts": no_receipts,
    }
    return render(request, "enrolment/lottery/lottery.html", context, status=status)


def _drawn(request: PageRequest, round_id: str) -> tuple[Shown, Mapping[str, Any]]:
    """A round whose draw is confirmed, and the draw's row. Raises Http404."""
    shown = public_round(round_id, now_of(request))
    draw = _confirmed_draw(request, shown)
    if draw is None:
        raise Http404
    return shown, draw


def _confirmed_draw(request: PageRequest, shown: Shown) -> Mapping[str, Any] | None:
    draw = Draw.objects.filter(round=shown.row.id).values().first()
    if draw is None or draw["position"] >= now_of(request).watermark:
        return None
    return draw


def _row(shown: Shown) -> Mapping[str, Any]:
    row = shown.row
    root = bytes(row.list_root or b"")
    return {"id": row.id, "list_count": row.list_count, "list_root": root}


def _secrets(shown: Shown, request: PageRequest | None = None) -> list[Mapping[str, Any]]:
    """The rows of a round's secrets, in order; for a request only those that are confirmed."""
    rows = Secret.objects.filter(round=shown.row.id).order_by("id").values()
    watermark = now_of(request).watermark if request else None
    return [row for row in rows if watermark is None or row["committed"] < watermark]


def _entered(row: Mapping[str, Any], shown: Shown, drawn: bool) -> Entered:
    zone = ZoneInfo(shown.row.zone)
    said = parse_commitment(parse_note(bytes(row["statement"])).text)
    by_embassy = row["told_by"] == EMBASSY
    told = None
    if drawn and by_embassy:
        reveal = parse_reveal(parse_note(bytes(row["evidence"])).text)
        told = datetime.fromtimestamp(reveal.at_s, zone)
    return Entered(
        said.embassy,
        datetime.fromtimestamp(said.at_s, zone),
        said.deal.hex()[:16],
        bytes(row["secret"]).hex() if drawn else "",
        by_embassy,
        told,
    )


def _file(text: str, name: str, content_type: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text.encode(), content_type=content_type, headers=headers)

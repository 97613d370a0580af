"""People I act for and who act for me: children that clerks recorded, and powers of attorney.

A power of attorney is given by a code that one person tells the other. The code is made from the
form's own id under this site's secret, so that a form that is sent twice shows the same code; 80
bits of it can't be guessed, and the journal holds its hash alone.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from kulla.kernel.canonical import Value
from kulla.kernel.tower import Answer
from kulla.portal.acting import names
from kulla.portal.mine.asking import Question, ask_own, done, put_question, show
from kulla.services.accounts.apply import STANDS
from kulla.services.accounts.models import Offer, Relation
from kulla.services.pages import PageRequest, Text, open_to, read_command_id, signed_in

ADDRESS: Final = "/mine/people"
CODE_CHARS: Final = 16

_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's 32 letters and digits: none looks like another."""

_READ_AS: Final = str.maketrans({"O": "0", "I": "1", "L": "1"})
_LASTS_DAYS: Final = {"month": 31, "half-year": 183, "year": 366, "open": 0}
_LASTS_TEXTS: Final[tuple[tuple[str, Text], ...]] = (
    ("month", _("one month")),
    ("half-year", _("half a year")),
    ("year", _("one year")),
    ("open", _("until one of us ends it")),
)
_NO_CODE: Final[Text] = _("A code has sixteen letters and digits, like 4K7M-9QTR-2XWA-6HBD.")
_SEES_NAMES: Final = "two people who act for one another see each other's names"


@dataclass(frozen=True, slots=True)
class Shown:
    """A relation as its line shows it: the other person's name, the last day, whether it counts."""

    row: Relation
    name: str
    until: date | None
    settled: bool


@open_to("citizen")
def people(request: PageRequest) -> HttpResponse:
    """Who acts for whom, and the two forms: give a power of attorney, accept one."""
    return _page(request)


@open_to("citizen", limit="acts")
@sensitive_variables()
def grant(request: PageRequest) -> HttpResponse:
    """POST `lasts`: offer a power of attorney; the answer shows its code."""
    command_id, lasts = read_command_id(request.POST), request.POST.get("lasts", "")
    if request.method != "POST" or command_id is None or lasts not in _LASTS_DAYS:
        return _page(request)
    code = offer_code(signed_in(request).subject, command_id)
    until_day = _until_day(request, lasts)
    secret_hash = hashlib.sha256(code.encode()).digest()
    data: dict[str, Value] = {"secret_hash": secret_hash, "until_day": until_day}
    answer = ask_own(request, "grant_attorney", command_id, data)
    if answer.status != "accepted":
        return _page(request, answer, lasts=lasts)
    context = {"code": grouped(code), "until": date.fromisoformat(until_day) if until_day else None}
    return render(request, "portal/mine/offer.html", context)


@open_to("citizen", limit="acts")
@sensitive_variables()
def accept(request: PageRequest) -> HttpResponse:
    """POST `code`: take up the power of attorney that somebody offered."""
    command_id = read_command_id(request.POST)
    if request.method != "POST" or command_id is None:
        return _page(request)
    typed = request.POST.get("code", "")[:100]
    code = read_code(typed)
    if not code:
        return _page(request, typed=typed, fault=_NO_CODE, status=422)
    answer = ask_own(request, "accept_attorney", command_id, {"secret": code.encode()})
    if answer.status == "accepted":
        return done(ADDRESS, answer)
    return _page(request, answer, typed=typed)


@open_to("citizen", limit="acts")
def end(request: PageRequest, relation: str) -> HttpResponse:
    """GET: is it really to end? POST: end it. One of which I am no part is not found."""
    subject = signed_in(request).subject
    row = Relation.objects.filter(pk=relation).first()
    if row is None or subject not in (row.guardian, row.ward):
        raise Http404
    mine = row.guardian == subject
    other = names().of(request.tower, row.ward if mine else row.guardian, _SEES_NAMES)
    question = Question(
        title=_("End it?"),
        said=(_("You will not act for this person any more:") if mine else _(
            "This person will not act for you any more:"
        )),
        yes=_("Yes, end it"),
        back=ADDRESS,
        name=other,
    )  # fmt: skip
    return put_question(request, question, "end_relation", {"relation": row.id})


@open_to("citizen", limit="acts")
def withdraw(request: PageRequest, offer: str) -> HttpResponse:
    """GET: is the offer really to be withdrawn? POST: do it. Another's is not found."""
    try:
        key = bytes.fromhex(offer)
    except ValueError as error:
        raise Http404 from error
    row = Offer.objects.filter(pk=key, subject=signed_in(request).subject).first()
    if row is None:
        raise Http404
    question = Question(
        title=_("Withdraw the code?"),
        said=_("Whoever has it can't use it any more."),
        yes=_("Yes, withdraw it"),
        back=ADDRESS,
    )
    data = {"secret_hash": bytes(row.secret_hash)}
    return put_question(request, question, "withdraw_attorney", data)


def offer_code(subject: str, command_id: bytes) -> str:
    """The code of the offer that this form of this person makes."""
    meant = b"attorney " + subject.encode() + command_id
    digest = hmac.digest(str(settings.SECRET_KEY).encode(), meant, "sha256")
    number = int.from_bytes(digest[:10], "big")
    return "".join(_LETTERS[number >> 5 * place & 31] for place in range(CODE_CHARS))


def grouped(code: str) -> str:
    """A code in four groups of four, to be read aloud."""
    return "-".join(code[at : at + 4] for at in range(0, CODE_CHARS, 4))


def read_code(typed: str) -> str:
    """The code that was typed, however it was grouped; '' where it is none."""
    bare = "".join(typed.upper().split()).replace("-", "").translate(_READ_AS)
    fits = len(bare) == CODE_CHARS and all(letter in _LETTERS for letter in bare)
    return bare if fits else ""


def _until_day(request: PageRequest, lasts: str) -> str:
    days = _LASTS_DAYS[lasts]
    if not days:
        return ""
    today = datetime.fromtimestamp(request.clock.now_ms() / 1000, UTC).date()
    return (today + timedelta(days=days)).isoformat()


def _page(request: PageRequest, answer: Answer | None = None, **more: Any) -> HttpResponse:
    subject, tower = signed_in(request).subject, request.tower
    status = more.pop("status", 200)
    rows = [
        *Relation.objects.filter(guardian=subject, state=STANDS).order_by("since_ms"),
        *Relation.objects.filter(ward=subject, state=STANDS).order_by("since_ms"),
    ]
    today = datetime.fromtimestamp(request.clock.now_ms() / 1000, UTC).date().isoformat()
    watermark = tower.witnessing().watermark
    shown = [
        Shown(
            row,
            names().of(tower, row.ward if row.guardian == subject else row.guardian, _SEES_NAMES),
            date.fromisoformat(row.until_day) if row.until_day else None,
            row.position < watermark,
        )
        for row in rows
        if not row.until_day or row.until_day >= today
    ]
    context = {
        "i_act_for": [one for one in shown if one.row.guardian == subject],
        "act_for_me": [one for one in shown if one.row.guardian != subject],
        "offers": [
            (row, datetime.fromtimestamp(row.offered_ms / 1000, UTC))
            for row in Offer.objects.filter(subject=subject).order_by("offered_ms")
        ],
        "lasts_texts": _LASTS_TEXTS,
        "lasts": "month",
        **more,
    }
    return show(request, "portal/mine/people.html", context, answer, status=status)

"""What a citizen reads off the portal's pages: forms, links, and how their appointments stand.

Language plays no part: forms are found by their address, standings by the kind of their panel or
tag. What is neither confirmed nor being confirmed is cancelled: a drill books nothing that could
begin, and so be past, before it ends.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

State = Literal["booked", "cancelled", "pending"]

_FORM: Final = re.compile(r'<form [^>]*\baction="([^"]*)"')
_HIDDEN: Final = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
_BUTTON: Final = re.compile(r'<button [^>]*\bname="subject" value="([^"]+)"')
_PANEL: Final = re.compile(r'class="panel ?(good|warn|bad|)" role="status"')
_RECEIPT: Final = re.compile(r'href="/receipts/(\d+)"')
_SLOT: Final = re.compile(r'href="/appointments/slots/([a-z0-9-]+)"')
_DOCTOR: Final = re.compile(r'href="/appointments/doctors/([a-z0-9-]+)"')
_DAY: Final = re.compile(r'href="\?day=(\d{4}-\d\d-\d\d)#times"')
_MONTH: Final = re.compile(r'href="\?month=(\d{4}-\d\d)"')
_CARD: Final = re.compile(r'href="/appointments/([0-9a-f]{32})"')
_REASON: Final = re.compile(r' data-code="([a-z-]+)"')
_TAG: Final = re.compile(r'class="tag ?(good|warn|bad|)"')

_STATES: Final[Mapping[str, State]] = {
    "good": "booked",
    "warn": "pending",
    "bad": "cancelled",
    "": "cancelled",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """An appointment as a page shows it: its state, and its receipts' positions in their order."""

    state: State
    receipts: tuple[int, ...]


def read_form(text: str, path: str, *, here: str = "") -> dict[str, str] | None:
    """The hidden fields of the form that is sent to `path`; None where there is no such form.

    `here` is the page's own path, to which a form without an address is sent.
    """
    for found in _FORM.finditer(text):
        if (html.unescape(found[1]) or here) == path:
            form = text[found.start() : text.find("</form>", found.start())]
            return {name: html.unescape(value) for name, value in _HIDDEN.findall(form)}
    return None


def read_people(text: str) -> list[str]:
    """The subjects that the demo's sign-in page offers."""
    return _BUTTON.findall(text)


def read_slots(text: str) -> list[str]:
    """The free times of a practitioner's page, as slot ids."""
    return _SLOT.findall(text)


def read_practitioners(text: str) -> list[str]:
    """The practitioners that a search found."""
    return _DOCTOR.findall(text)


def read_days(text: str) -> list[str]:
    """The days with a free time on a practitioner's page."""
    return _DAY.findall(text)


def read_months(text: str) -> list[str]:
    """The neighbouring months that a practitioner's page links to."""
    return _MONTH.findall(text)


def read_reason(text: str) -> str:
    """The code of the reason why nothing could be done now; '' where the page names none."""
    found = _REASON.search(text)
    return found[1] if found else ""


def read_standing(text: str) -> Shown | None:
    """How the page of one appointment says that it stands; None where it does not say."""
    panel = _PANEL.search(text)
    if panel is None:
        return None
    receipts = tuple(int(number) for number in _RECEIPT.findall(text))
    return Shown(_STATES[panel[1]], receipts)


def read_mine(text: str) -> dict[str, Shown]:
    """All appointments on the page of one's own acts, by id."""
    cards = _CARD.split(text)
    shown: dict[str, Shown] = {}
    for appointment, rest in zip(cards[1::2], cards[2::2], strict=True):
        card = rest.split("</li>", 1)[0]
        tag = _TAG.search(card)
        receipts = tuple(int(number) for number in _RECEIPT.findall(card))
        if tag is not None:
            shown[appointment] = Shown(_STATES[tag[1]], receipts)
    return shown

"""The check page: is this receipt genuine? Home's word for it; an embassy's page needs not home."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from django.http import HttpResponse
from django.shortcuts import render
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.utils.translation import gettext_lazy as _

from kulla.journal.errors import (
    ReceiptCommitmentWrong,
    ReceiptCosignatureWrong,
    ReceiptInclusionWrong,
    ReceiptInvalid,
    ReceiptLogUnsigned,
    ReceiptMalformed,
    ReceiptUnwitnessed,
)
from kulla.journal.receipts import RECEIPT_BYTES_MAX, parse_receipt, verify_receipt_of_any_time
from kulla.portal.trust import (
    check_address,
    check_pages,
    embassies_with_pages,
    leaf_of,
    policies,
)
from kulla.services.pages import PageRequest, Text, open_to_all

_WORD: Final = re.compile(r"[a-z][a-z_]{0,63}")
_LEAF: Final = re.compile(r"[0-9a-f]{64}")

_SAID: Final[Mapping[type[ReceiptInvalid], tuple[Text, Text]]] = {
    ReceiptMalformed: (
        _("This file can't be read as a receipt."),
        _("Perhaps it was cut short on its way. Download it again and choose the whole file."),
    ),
    ReceiptCommitmentWrong: (
        _("What this receipt says was changed."),
        _("The act in it is not the act that the journal holds. Don't rely on it."),
    ),
    ReceiptLogUnsigned: (
        _("This receipt does not come from this tower."),
        _("No journal that this tower ever had signed it. Ask who gave it to you."),
    ),
    ReceiptCosignatureWrong: (
        _("An embassy's signature on this receipt is false."),
        _("Somebody changed the signed part. Don't rely on it."),
    ),
    ReceiptUnwitnessed: (
        _("Too few embassies signed this receipt."),
        _("It may be too new or incomplete. Download it again; if it stays so, ask an embassy."),
    ),
    ReceiptInclusionWrong: (
        _("The act is not where this receipt says it is in the journal."),
        _("The proof in it does not hold. Don't rely on it."),
    ),
}
"""What failed, and what to do, for each step of the check."""

_NOTHING: Final = (
    _("No receipt was given."),
    _("Choose the file, or paste all of its text into the box."),
)
_TOO_BIG: Final = (
    _("This file is too big to be a receipt."),
    _("Choose the file whose name ends in .tlog-proof."),
)


@open_to_all(limit="check")
def check(request: PageRequest) -> HttpResponse:
    """GET: a form. POST `file` or `text`: whether the receipt is genuine, step by step."""
    context: dict[str, Any] = {"embassies": check_pages(), "asked": _asked(request)}
    if request.method != "POST":
        return render(request, "portal/check.html", context)
    data, fault = _given(request)
    if data is not None:
        try:
            verified = verify_receipt_of_any_time(data, policies())
        except ReceiptInvalid as error:
            fault = _SAID.get(type(error), _SAID[ReceiptMalformed])
            context["detail"] = str(error)
        else:
            origin, leaf = verified.checkpoint.origin, leaf_of(parse_receipt(data))
            context |= {
                "verified": verified,
                "act": verified.act,
                "act_template": act_template(verified.act),
                "leaf": leaf,
                "links": [
                    (embassy.name, check_address(embassy, origin, verified.index, leaf))
                    for embassy in embassies_with_pages()
                ],
            }
    context["fault"] = fault
    context["typed"] = request.POST.get("text", "") if fault else ""
    return render(request, "portal/check.html", context, status=422 if fault else 200)


def act_template(act: Mapping[str, Any]) -> str:
    """The template that words this act: its service's own, or the plain one.

    The names come from a file that somebody handed in, so only plain words become a path.
    """
    service, name = act["service"], act["act"]
    if _WORD.fullmatch(service) and _WORD.fullmatch(name):
        wanted = f"{service}/acts/{name}.html"
        try:
            get_template(wanted)
        except TemplateDoesNotExist:
            pass
        else:
            return wanted
    return "portal/act.html"


def _given(request: PageRequest) -> tuple[bytes | None, tuple[Text, Text] | None]:
    file = request.FILES.get("file")
    if file is not None:
        if file.size is None or file.size > RECEIPT_BYTES_MAX:
            return None, _TOO_BIG
        return file.read(), None
    # Browsers send the lines of a box with CR LF, whatever they were.
    text = request.POST.get("text", "").replace("\r\n", "\n").strip()
    return (f"{text}\n".encode(), None) if text else (None, _NOTHING)


def _asked(request: PageRequest) -> list[tuple[str, str]]:
    """A receipt's QR that led here by hand: the embassies' pages for the same question."""
    origin, index, leaf = (request.GET.get(name, "") for name in ("origin", "index", "leaf"))
    if not (origin and index.isdecimal() and len(index) < 16 and _LEAF.fullmatch(leaf)):
        return []
    return [
        (embassy.name, check_address(embassy, origin, int(index), leaf))
        for embassy in embassies_with_pages()
    ]

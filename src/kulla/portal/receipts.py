"""Receipts of one's own acts: the file, and a page to print whose QR leads to an embassy."""

from __future__ import annotations

import io
from dataclasses import dataclass

import segno
from django.http import Http404, HttpResponse
from django.shortcuts import render

from kulla.journal.checkpoints import parse_checkpoint
from kulla.journal.entries import act_fields
from kulla.journal.notes import parse_note
from kulla.journal.receipts import Receipt, parse_receipt
from kulla.kernel.errors import KullaError
from kulla.portal.checking import act_template
from kulla.portal.edge import TowerUnavailable
from kulla.portal.trust import check_address, embassies_with_pages, leaf_of
from kulla.services.pages import PageRequest, open_to


class NotWitnessedYet(KullaError):
    """The act stands above the watermark: there is nothing to prove it by, yet."""


@dataclass(frozen=True, slots=True)
class Links:
    """Where an embassy's own page checks a receipt: the one for the QR, and all of them."""

    first: str
    every: tuple[tuple[str, str], ...]


@open_to("citizen", "clerk")
def show(request: PageRequest, position: int) -> HttpResponse:
    """The receipt as a page, made to be printed."""
    try:
        data = _receipt(request, position)
    except NotWitnessedYet:
        return render(request, "portal/receipt_later.html", {"position": position}, status=202)
    receipt = parse_receipt(data)
    checkpoint = parse_checkpoint(parse_note(receipt.checkpoint_note).text)
    act = act_fields(receipt.plaintext)
    context = {
        "position": position,
        "act": act,
        "act_template": act_template(act),
        "receipt": receipt,
        "checkpoint": checkpoint,
        "leaf": leaf_of(receipt),
        "links": _links(receipt, position),
    }
    return render(request, "portal/receipt.html", context)


@open_to("citizen", "clerk")
def download(request: PageRequest, position: int) -> HttpResponse:
    """The receipt as a file (C2SP tlog-proof)."""
    try:
        data = _receipt(request, position)
    except NotWitnessedYet:
        return render(request, "portal/receipt_later.html", {"position": position}, status=202)
    named = f'attachment; filename="kulla-{position}.tlog-proof"'
    return HttpResponse(
        data, content_type="application/octet-stream", headers={"Content-Disposition": named}
    )


@open_to("citizen", "clerk")
def qr(request: PageRequest, position: int) -> HttpResponse:
    """The QR code of the receipt's page at an embassy, as SVG."""
    try:
        links = _links(parse_receipt(_receipt(request, position)), position)
    except NotWitnessedYet as error:
        raise Http404 from error
    if links is None:
        raise Http404
    drawn = io.BytesIO()
    segno.make(links.first, error="m", micro=False).save(
        drawn, kind="svg", border=4, light="#fff", omitsize=True, nl=False, xmldecl=False
    )
    return HttpResponse(drawn.getvalue(), content_type="image/svg+xml")


def _receipt(request: PageRequest, position: int) -> bytes:
    """The file. Raises Http404 where the act is not this person's, as where there is none."""
    witnessing = request.tower.witnessing()
    if position >= witnessing.size:
        raise Http404
    if position >= witnessing.watermark:
        raise NotWitnessedYet(
            "this act is not witnessed yet.",
            place=f"position {position}",
            remedy="Ask again in a moment.",
        )
    actor = request.acting_for.actor()
    # An act that I did, or one of the person for whom I act.
    for subject in dict.fromkeys((actor.subject, actor.whom)):
        try:
            return request.tower.receipt(position, subject)
        except TowerUnavailable:
            raise
        except KullaError:
            continue
    raise Http404


def _links(receipt: Receipt, position: int) -> Links | None:
    embassies = embassies_with_pages()
    if not embassies:
        return None
    origin = parse_checkpoint(parse_note(receipt.checkpoint_note).text).origin
    leaf = leaf_of(receipt)
    every = tuple(
        (embassy.name, check_address(embassy, origin, receipt.index, leaf)) for embassy in embassies
    )
    # Receipts are spread over the embassies, so that no single one answers for all paper.
    return Links(every[position % len(every)][1], every)

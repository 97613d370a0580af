"""The portal's own pages: status, health, and the empty page that speed is measured by."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import render

from kulla.kernel.errors import KullaError
from kulla.kernel.tower import Witnessing
from kulla.portal.trust import check_pages, current_policy
from kulla.services.pages import PageRequest, open_to_all


@open_to_all()
def status(request: PageRequest) -> HttpResponse:
    """Whether acts are being witnessed, in plain words."""
    witnessing, policy = _witnessing(request), current_policy()
    context = {
        "witnessing": witnessing,
        "waiting": witnessing.size - witnessing.watermark if witnessing else 0,
        "embassies": check_pages(),
        "total": policy.n,
        "needed": policy.quorum_k,
    }
    return render(request, "portal/status.html", context)


@open_to_all()
def healthz(request: PageRequest) -> HttpResponse:
    """For machines: how far acts are witnessed; 503 only where the tower does not answer.

    Without a quorum pages still serve those who read, so no proxy should take the site away.
    """
    witnessing = _witnessing(request)
    if witnessing is None:
        return JsonResponse({"status": "tower-unavailable"}, status=503)
    said = {
        "status": "ok" if witnessing.quorum else "no-quorum",
        "watermark": witnessing.watermark,
        "size": witnessing.size,
        "moved_ms": witnessing.moved_ms,
        "quorum": witnessing.quorum,
    }
    return JsonResponse(said)


@open_to_all()
def empty(request: PageRequest) -> HttpResponse:
    """Nothing, through all that a real page goes through: the yardstick of `kulla bench`."""
    del request
    if not settings.KULLA.bench:
        raise Http404
    return HttpResponse(b"")


def _witnessing(request: PageRequest) -> Witnessing | None:
    try:
        return request.tower.witnessing()
    except KullaError:
        return None

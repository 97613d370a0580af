"""What every template may use."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from kulla.portal.demo import name_of
from kulla.portal.sign_in.entering import shown_name


def _standby_ms(request: HttpRequest) -> int:
    """On a standby's site, when it last was level with the embassies (ms since 1970); else 0."""
    tower = getattr(request, "tower", None)
    return tower.witnessing().moved_ms if settings.KULLA.standby and tower else 0


def every_page(request: HttpRequest) -> dict[str, Any]:
    """Who is signed in, what site this is, and this page in the other language."""
    language = getattr(request, "LANGUAGE_CODE", settings.LANGUAGE_CODE)
    other = "en" if language == "sq" else "sq"
    query = request.GET.copy()
    query["lang"] = other
    actor = getattr(request, "actor", None)
    acting = getattr(request, "acting_for", None)
    return {
        "actor": actor,
        "actor_name": (name_of(actor.subject) or shown_name(request)) if actor else "",
        "acting_for": acting.chosen() if actor and acting else None,
        "demo": settings.KULLA.demo,
        "standby_ms": _standby_ms(request),
        "language": language,
        "other_language": other,
        "other_language_name": dict(settings.LANGUAGES)[other],
        "other_language_address": f"{request.path}?{query.urlencode()}",
        "here": request.path,
    }

"""What every template may use."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from kulla.portal.demo import name_of
from kulla.portal.sign_in.entering import shown_name


def every_page(request: HttpRequest) -> dict[str, Any]:
    """Who is signed in, whether this is the demo country, and this page in the other language."""
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
        "language": language,
        "other_language": other,
        "other_language_name": dict(settings.LANGUAGES)[other],
        "other_language_address": f"{request.path}?{query.urlencode()}",
        "here": request.path,
    }

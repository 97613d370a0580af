"""The application for a WSGI server, made once the tower installed its edge.

kulla.portal.edge.install(edge)
application = kulla.portal.wsgi.make_application()
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def make_application() -> Application:
    """Check the settings, prepare what a worker needs, and give the WSGI application.

    Raises Misconfigured for a setting that is missing or can't be used, DoorMissing for a page
    that does not say who may open it, EdgeFault where no tower was installed.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kulla.portal.settings")
    import django
    from django.conf import settings

    from kulla.portal.catalogues import compile_catalogues
    from kulla.portal.configuration import check
    from kulla.portal.databases import prepare_sessions
    from kulla.portal.edge import installed

    installed()
    check(settings.KULLA)
    # Django's own log lines quote addresses of pages, which may name a person's appointment;
    # kulla.portal.doors logs what failed without them.
    django_log = logging.getLogger("django")
    django_log.addHandler(logging.NullHandler())
    django_log.propagate = False
    settings.SECRET_KEY = _secret_key()
    assert settings.KULLA.run_folder is not None
    compile_catalogues(settings.KULLA.run_folder / "locale")
    django.setup()
    prepare_sessions()
    check_doors()
    return _lean(_handler())


def check_doors() -> None:
    """See that every page says who may open it. Raises DoorMissing for the first that does not."""
    from django.urls import get_resolver
    from django.urls.resolvers import URLPattern, URLResolver

    from kulla.portal.doors import door_of

    def walk(resolver: URLResolver) -> None:
        for pattern in resolver.url_patterns:
            if isinstance(pattern, URLResolver):
                walk(pattern)
            elif isinstance(pattern, URLPattern):
                door_of(pattern.callback)

    walk(get_resolver())


def _secret_key() -> str:
    from django.conf import settings

    from kulla.portal.configuration import Misconfigured

    try:
        key: str = settings.KULLA.secret_key_file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            "the secret key can't be read.",
            place="KULLA_SECRET_KEY_FILE",
            remedy="Write 64 random hex digits into it, readable by the portal alone.",
        ) from error
    if len(key) < 32:
        raise Misconfigured(
            "the secret key is too short.",
            place="KULLA_SECRET_KEY_FILE",
            remedy="Write 64 random hex digits into it.",
        )
    return key


def _handler() -> Application:
    from django.core.handlers.wsgi import WSGIHandler

    return WSGIHandler()


def _lean(handle: Application) -> Application:
    """Hand a finished answer over as one list of bytes, which granian sends in one piece."""

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        response = handle(environ, start)
        if isinstance(response, StreamingHttpResponse) or not isinstance(response, HttpResponse):
            return response
        body = [response.content]
        response.close()
        return body

    return application

"""The portal as a process: granian workers, each with the tower's edge installed.

Worker processes import this module and find the home in KULLA_HOME; importing opens nothing until
`application` is asked for.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kulla.tower.garbage import look_for_garbage_seldom
from kulla.tower.home import Home
from kulla.tower.logs import set_up_logs
from kulla.tower.standby.held import wait_until_there
from kulla.tower.standby.reads import StandbyEdge, standby_of

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
SWITCH_S = 0.05
OIDC = {
    "issuer": "KULLA_OIDC_ISSUER",
    "client_id": "KULLA_OIDC_CLIENT_ID",
    "name": "KULLA_OIDC_NAME",
    "secret_file": "KULLA_OIDC_SECRET_FILE",
}
OPERATORS_OWN = ("KULLA_LIMITS", "KULLA_PROXIES", "KULLA_OIDC_SECRET")


def environment(home: Home, *, bench: bool = False) -> dict[str, str]:
    """The KULLA_* variables that the portal of `home` needs; see docs/OPERATE.md."""
    settings = home.settings()
    found = {
        "KULLA_HOME": str(home.folder.resolve()),
        "KULLA_REGISTERS": str(home.registers.resolve()),
        "KULLA_SESSIONS": str(home.sessions.resolve()),
        "KULLA_RUN": str(home.run_folder()),
        "KULLA_SECRET_KEY_FILE": str(home.django_key.resolve()),
        "KULLA_POLICY_FILE": str(home.policy_file.resolve()),
        "KULLA_DEMO": "1" if settings.demo else "0",
        "KULLA_BENCH": "1" if bench else "0",
        "KULLA_STANDBY": "1" if standby_of(home) else "0",
        "DJANGO_SETTINGS_MODULE": "kulla.portal.settings",
    }
    public = urlsplit(settings.public_url)
    if public.hostname:
        found["KULLA_HOSTS"] = ",".join(dict.fromkeys((public.hostname, *LOOPBACK)))
    found["KULLA_THREADS"] = str(settings.threads)
    found["KULLA_PUBLIC_URL"] = settings.public_url
    found["KULLA_TLS"] = "1" if public.scheme == "https" else "0"
    found |= {OIDC[name]: value for name, value in home.oidc().items()}
    for name in OPERATORS_OWN:
        if name in os.environ:
            found[name] = os.environ[name]
    if settings.demo:
        found["KULLA_DEMO_PEOPLE"] = str(home.demo_people.resolve())
    return found


def make_application() -> Callable[..., Any]:
    """The WSGI application of the home that KULLA_HOME names, in a granian worker."""
    from kulla.portal import edge, wsgi
    from kulla.tower.edge import HomeEdge

    # A batch's answers wake all its threads at once; each has well under a millisecond left to do.
    # Let one finish and block again before another forces it off the interpreter's lock.
    sys.setswitchinterval(SWITCH_S)
    set_up_logs("portal")  # a worker is a fresh process and knows nothing of its parent's logs
    home = Home(Path(os.environ["KULLA_HOME"]))
    standby = standby_of(home)
    edge.install(StandbyEdge(standby) if standby else HomeEdge(home))
    application = wsgi.make_application()
    look_for_garbage_seldom()
    wait_until_there(_when())
    return application


def _when() -> Path | None:
    return Path(os.environ["KULLA_WHEN"]) if os.environ.get("KULLA_WHEN") else None


def serve(
    home: Home, ready: Callable[[str], None], *, bench: bool = False, when: Path | None = None
) -> None:
    """Serve the portal of `home` until SIGTERM; `ready` is told its URL once a page answers.

    With `when`, who comes before this file is there waits for it (tower.held).
    """
    from granian.constants import Interfaces
    from granian.server import Server

    os.environ.update(environment(home, bench=bench))
    if when is not None:
        os.environ["KULLA_WHEN"] = str(when)
    settings = home.settings()
    # Forked workers inherited a lock (of an import, mostly) that `_tell` held just then, and hung:
    # the portal was not ready in two starts of five. Spawned ones inherit nothing.
    multiprocessing.set_start_method("spawn", force=True)
    server = Server(
        "kulla.tower.portal_app:make_application",
        factory=True,
        address=settings.bind,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=settings.threads,
        backlog=2048,
        log_enabled=True,
        log_access=False,
        respawn_failed_workers=True,
    )
    told = threading.Thread(target=_tell, args=(settings.bind, settings.port, ready), daemon=True)
    told.start()
    server.serve()


def _tell(bind: str, port: int, ready: Callable[[str], None]) -> None:
    import http.client

    wait_until_there(_when())
    host = "127.0.0.1" if bind in ("0.0.0.0", "localhost") else bind  # noqa: S104 - compared
    pause = threading.Event()
    for _ in range(600):
        try:
            connection = http.client.HTTPConnection(host, port, timeout=2)
            connection.request("GET", "/healthz", headers={"Host": "localhost"})
            if connection.getresponse().status < 500:
                ready(f"http://{host}:{port}")
                return
        except OSError:
            pass
        pause.wait(0.1)

"""The embassy over HTTP: reads bodies within bounds, hands them to the mirror, writes its replies.

Whatever may wait for the disk runs on a few threads, so that a reader does not wait for a writer's
fsync; each log has its own lock. What the mirror can't go on after ends the process at once, before
anything is answered: the next start loads what is durable.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, ParamSpec, TypeVar

import structlog
from aiohttp import ClientPayloadError, web

from kulla.embassy.check_page import FORM_BYTES_MAX, CheckPage, language_of
from kulla.embassy.errors import BodyTooLarge, EmbassyBroken, EmbassyError, Refused
from kulla.embassy.folder import OpenEmbassy, open_embassy
from kulla.embassy.mirror import Mirror
from kulla.embassy.replies import Reply, refusal
from kulla.embassy.upload import Upload
from kulla.journal.errors import StoreFailed
from kulla.kernel.edges import SystemClock

BROKEN_STATUS: Final = 70
_THREADS: Final = 8
_PIECE_BYTES: Final = 512 * 1024
_PIECE_WAIT_S: Final = 30.0
# Uploads longer than one piece, which may hold a package of 16 MiB each. A scribe's rounds are
# shorter, so nobody who sends long bodies slowly can hold them up.
_LONG_UPLOADS_MAX: Final = 16
_STATEMENT_BYTES_MAX: Final = 2**19
_ROUND_BYTES_MAX: Final = 1024
_SETTLE_EVERY_S: Final = 1.0
_KEEP_ALIVE_S: Final = 75.0
_SHUTDOWN_S: Final = 5.0
_CUT: Final = (ClientPayloadError, ConnectionError, TimeoutError, asyncio.IncompleteReadError)

_log = structlog.get_logger("kulla.embassy")
P = ParamSpec("P")
T = TypeVar("T")


class EmbassyServer:
    """The handlers of one embassy."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._long_uploads = 0
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="embassy")

    def close(self) -> None:
        """Wait for what is under way on the threads."""
        self._pool.shutdown(wait=True)

    def application(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application(client_max_size=FORM_BYTES_MAX)
        app.add_routes(
            [
                web.post("/add-checkpoint", self.add_checkpoint),
                web.post("/add-entries", self.add_entries),
                web.post("/add-blobs", self.add_blobs),
                web.post("/fetch-blobs", self.fetch_blobs),
                web.post("/seal", self.seal),
                web.post("/policy", self.set_policy),
                web.get("/policy", self.get_policy),
                web.get("/blobs", self.get_blob_names),
                web.get("/blobs/{name}", self.get_blob),
                web.get("/evidence", self.get_evidence),
                web.post("/lottery/commit", self.commit_secret),
                web.post("/lottery/reveal", self.reveal_secret),
                web.get("/lottery/{round}", self.get_lottery),
                web.get("/healthz", self.get_health),
                web.get("/check", self.get_check),
                web.post("/check", self.post_check),
                web.get("/{log:[0-9a-f]{64}}/checkpoint", self.get_checkpoint),
                web.get("/{log:[0-9a-f]{64}}/filled", self.get_filled),
                web.get("/{log:[0-9a-f]{64}}/succession", self.get_succession),
                web.get("/{log:[0-9a-f]{64}}/{path:tile/.*}", self.get_tile),
            ]
        )
        return app

    # the mirror protocol

    async def add_checkpoint(self, request: web.Request) -> web.Response:
        """POST /add-checkpoint."""
        limit = self._mirror.limits.checkpoint_body_bytes_max
        return await self._with_body(request, limit, self._mirror.add_checkpoint)

    async def add_entries(self, request: web.Request) -> web.Response:
        """POST /add-entries: fed to the mirror as it comes, 512 KiB at a time."""
        coding = request.headers.get("Content-Encoding", "identity").lower()
        if coding not in ("identity", "gzip"):
            return _response(refusal(Refused(415, f"this embassy reads gzip, not {coding[:40]}.")))
        if request.content_type != "application/octet-stream":
            return _response(refusal(Refused(415, "send application/octet-stream.")))
        upload = self._mirror.upload(gzip=coding == "gzip")
        reply, ended = await self._feed(upload, request)
        if reply is None:
            if self._long_uploads >= _LONG_UPLOADS_MAX:
                return _busy()
            self._long_uploads += 1
            try:
                while reply is None:
                    reply, ended = await self._feed(upload, request)
            finally:
                self._long_uploads -= 1
        response = _response(reply)
        response.headers["Accept-Encoding"] = "gzip"
        if not ended:
            # We answered before the whole body came; what still comes is not read.
            response.force_close()
        return response

    async def _feed(self, upload: Upload, request: web.Request) -> tuple[Reply | None, bool]:
        """Hand over the next piece: the reply once there is one, and whether the body ended."""
        piece = await _read_piece(request)
        return await self._run(_feed, upload, piece.data, piece.ended), piece.ended

    # blobs and readers

    async def add_blobs(self, request: web.Request) -> web.Response:
        """POST /add-blobs, for readers of the policy file."""
        return await self._with_body(
            request, self._mirror.limits.body_bytes_max, self._mirror.add_blobs, readers_only=True
        )

    async def fetch_blobs(self, request: web.Request) -> web.Response:
        """POST /fetch-blobs, for readers of the policy file."""
        return await self._with_body(
            request, _STATEMENT_BYTES_MAX, self._mirror.fetch_blobs, readers_only=True
        )

    async def get_blob(self, request: web.Request) -> web.Response:
        """GET /blobs/<sha256>, for readers of the policy file."""
        name = request.match_info["name"]
        return await self._for_reader(request, lambda: self._mirror.blob(name))

    async def get_blob_names(self, request: web.Request) -> web.Response:
        """GET /blobs?after=&limit=, for readers of the policy file."""
        after, limit = request.query.get("after", ""), request.query.get("limit", "1000")
        count = int(limit) if limit.isascii() and limit.isdigit() and len(limit) < 9 else 1000
        return await self._for_reader(request, lambda: self._mirror.blob_names(after, count))

    async def get_tile(self, request: web.Request) -> web.Response:
        """GET /<origin hash>/tile/..., for readers of the policy file."""
        log, path = request.match_info["log"], request.match_info["path"]
        return await self._for_reader(request, lambda: self._mirror.tile(log, path))

    async def get_evidence(self, request: web.Request) -> web.Response:
        """GET /evidence, for readers of the policy file."""
        return await self._for_reader(request, self._mirror.evidence)

    # what custodians send

    async def seal(self, request: web.Request) -> web.Response:
        """POST /seal."""
        return await self._with_body(request, _STATEMENT_BYTES_MAX, self._mirror.seal)

    async def set_policy(self, request: web.Request) -> web.Response:
        """POST /policy."""
        return await self._with_body(request, _STATEMENT_BYTES_MAX, self._mirror.set_policy)

    # lotteries

    async def commit_secret(self, request: web.Request) -> web.Response:
        """POST /lottery/commit, for readers of the policy file."""
        commit = partial(self._mirror.urn.commit, self._mirror)
        return await self._with_body(request, _ROUND_BYTES_MAX, commit, readers_only=True)

    async def reveal_secret(self, request: web.Request) -> web.Response:
        """POST /lottery/reveal."""
        reveal = partial(self._mirror.urn.reveal, self._mirror)
        return await self._with_body(request, _STATEMENT_BYTES_MAX, reveal)

    async def get_lottery(self, request: web.Request) -> web.Response:
        """GET /lottery/<round>."""
        return _response(await self._read(self._mirror.urn.shown, request.match_info["round"]))

    # public

    async def get_policy(self, request: web.Request) -> web.Response:
        """GET /policy, of an earlier version with ?version=N."""
        version = request.query.get("version", "")
        return _response(await self._read(self._mirror.pinned_policy, version))

    async def get_succession(self, request: web.Request) -> web.Response:
        """GET /<origin hash>/succession."""
        return _response(self._mirror.succession(request.match_info["log"]))

    async def get_checkpoint(self, request: web.Request) -> web.Response:
        """GET /<origin hash>/checkpoint."""
        return _response(self._mirror.checkpoint(request.match_info["log"]))

    async def get_filled(self, request: web.Request) -> web.Response:
        """GET /<origin hash>/filled."""
        return _response(self._mirror.filled(request.match_info["log"]))

    async def get_health(self, _request: web.Request) -> web.Response:
        """GET /healthz."""
        return web.json_response(self._mirror.health(), headers={"Cache-Control": "no-store"})

    async def get_check(self, request: web.Request) -> web.Response:
        """GET /check: the form, or what the QR code of a receipt asks."""
        page = self._page(request)
        query = dict(request.query)
        if query.keys() & {"origin", "index", "leaf"}:
            return _response(await self._read(page.from_link, query))
        return _response(page.ask())

    async def post_check(self, request: web.Request) -> web.Response:
        """POST /check: a receipt as a file or as text."""
        page = self._page(request)
        try:
            async with asyncio.timeout(_PIECE_WAIT_S):
                form = await request.post()
        except (web.HTTPRequestEntityTooLarge, ValueError):
            return _response(page.too_large())
        data = b""
        for name in ("file", "text"):
            value = form.get(name, "")
            given = value.file.read() if isinstance(value, web.FileField) else _text_bytes(value)
            data = data or given
        return _response(await self._read(page.from_receipt, data))

    def _page(self, request: web.Request) -> CheckPage:
        accepted = request.headers.get("Accept-Language", "")
        return CheckPage(self._mirror, language_of(request.query.get("lang", ""), accepted))

    async def settle_for_ever(self) -> None:
        """Every second, let the mirror put into plain files what has waited in write logs."""
        while True:
            await asyncio.sleep(_SETTLE_EVERY_S)
            await self._run(self._mirror.settle)

    # how requests are read and run

    async def _with_body(
        self,
        request: web.Request,
        limit: int,
        answer: Callable[[bytes], Reply],
        *,
        readers_only: bool = False,
    ) -> web.Response:
        try:
            body = await _read_body(request, limit)
            if readers_only:
                self._check_reader(request, body)
        except EmbassyError as error:
            response = _response(refusal(error))
            if isinstance(error, BodyTooLarge):
                response.force_close()
            return response
        return _response(await self._run(answer, body))

    async def _for_reader(self, request: web.Request, answer: Callable[[], Reply]) -> web.Response:
        try:
            self._check_reader(request, b"")
        except EmbassyError as error:
            return _response(refusal(error))
        return _response(await self._read(answer))

    def _check_reader(self, request: web.Request, body: bytes) -> None:
        header = request.headers.get("Authorization", "")
        self._mirror.check_reader(header, request.method, request.raw_path, body)

    async def _run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what may write: whatever it raises leaves the state unknown and ends the process."""

        def run() -> T:
            try:
                return call(*args, **kwargs)
            except Exception as error:
                _end_process(error)
                raise

        return await asyncio.get_running_loop().run_in_executor(self._pool, run)

    async def _read(self, call: Callable[P, Reply], *args: P.args, **kwargs: P.kwargs) -> Reply:
        """Run what only reads: a damaged tile is an answer of 500, a broken disk is the end."""

        def run() -> Reply:
            try:
                return call(*args, **kwargs)
            except (StoreFailed, EmbassyBroken) as error:
                _end_process(error)
                raise
            except Exception as error:
                _log.error("can't answer", error=type(error).__name__, reason=str(error))
                return Reply(500, b"this embassy can't read what was asked for.\n")

        return await asyncio.get_running_loop().run_in_executor(self._pool, run)


def serve(
    folder: Path,
    *,
    ready: Callable[[str], None] | None = None,
    beside: Callable[[Mirror], None] | None = None,
    change: Callable[[Mirror], Mirror] = lambda mirror: mirror,
) -> None:
    """Serve the embassy of `folder` until SIGTERM or SIGINT, then end cleanly.

    `ready` is told the base URL once it listens. `beside` runs in a thread of its own meanwhile;
    what the mirror can't go on after ends the process there too. `change` may put another mirror
    in the place of the one that was opened (a drill's liar). Raises what `folder.open_embassy`
    raises, and OSError where the address is taken.
    """
    with open_embassy(folder, SystemClock()) as embassy:
        embassy.mirror = change(embassy.mirror)
        if beside:
            work = partial(_run_beside, beside, embassy.mirror)
            threading.Thread(target=work, name="beside", daemon=True).start()
        asyncio.run(_serve(embassy, ready))


async def _serve(embassy: OpenEmbassy, ready: Callable[[str], None] | None) -> None:
    server = EmbassyServer(embassy.mirror)
    runner = web.AppRunner(
        server.application(),
        handle_signals=False,
        access_log=None,
        auto_decompress=False,
        keepalive_timeout=_KEEP_ALIVE_S,
        shutdown_timeout=_SHUTDOWN_S,
    )
    await runner.setup()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, ValueError):
            loop.add_signal_handler(number, stop.set)
    try:
        settings = embassy.settings
        await web.TCPSite(runner, settings.host, settings.port).start()
        host, port = runner.addresses[0][:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        _log.info("embassy serves", name=settings.name, url=url)
        settling = asyncio.create_task(server.settle_for_ever())
        gc.freeze()
        if ready:
            ready(url)
        await stop.wait()
        settling.cancel()
    finally:
        await runner.cleanup()
        server.close()
    _log.info("embassy ended", name=embassy.settings.name)


def _feed(upload: Upload, piece: bytes, ended: bool) -> Reply | None:
    reply = upload.feed(piece) if piece else None
    return reply or (upload.finish() if ended else None)


class _Piece(NamedTuple):
    """Some bytes of a body; whether it ends with them, and whether that is before its time."""

    data: bytes
    ended: bool
    cut: bool = False


async def _read_piece(request: web.Request) -> _Piece:
    """The next 512 KiB of the body, or what is left of it; a line that breaks ends it."""
    content = request.content
    parts: list[bytes] = []
    size = 0
    try:
        if content.is_eof():
            return _Piece(content.read_nowait(), ended=True)
        async with asyncio.timeout(_PIECE_WAIT_S):
            while size < _PIECE_BYTES and not content.at_eof():
                part = await content.readany()
                parts.append(part)
                size += len(part)
    except _CUT:
        return _Piece(b"".join(parts), ended=True, cut=True)
    return _Piece(b"".join(parts), content.at_eof())


async def _read_body(request: web.Request, limit: int) -> bytes:
    """The whole body. Raises BodyTooLarge, or Refused where the client stops sending."""
    if (request.content_length or 0) > limit:
        raise BodyTooLarge(f"the body is over {limit} bytes.")
    parts: list[bytes] = []
    size, ended = 0, False
    while not ended:
        piece = await _read_piece(request)
        if piece.cut:
            raise Refused(400, "the body was cut short.")
        parts.append(piece.data)
        size += len(piece.data)
        if size > limit:
            raise BodyTooLarge(f"the body is over {limit} bytes.")
        ended = piece.ended
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _response(reply: Reply) -> web.Response:
    headers = {"Content-Type": reply.media_type, **reply.headers}
    return web.Response(status=reply.status, body=reply.body, headers=headers)


def _busy() -> web.Response:
    response = _response(
        Reply(503, b"too many long uploads at once.\n", headers={"Retry-After": "5"})
    )
    response.force_close()
    return response


def _text_bytes(value: object) -> bytes:
    return value.encode("utf-8", "replace") if isinstance(value, str) else b""


def _run_beside(beside: Callable[[Mirror], None], mirror: Mirror) -> None:
    try:
        beside(mirror)
    except Exception as error:
        _end_process(error)


def _end_process(error: Exception) -> None:
    """Nothing is known about what was stored: end now, before anything is answered."""
    _log.critical("embassy ends", error=type(error).__name__, reason=str(error), exc_info=True)
    os._exit(BROKEN_STATUS)

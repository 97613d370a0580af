"""A browser that a drill can have a thousand of: HTTP/1.1 over asyncio, with cookies and forms.

It does what a browser does to the portal and no more: keeps cookies, sends forms with an Origin,
follows no link by itself, and hangs up when told to, as people do on a bad line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from kulla.drill.guard import Address
from kulla.kernel.errors import KullaError

_HEAD_BYTES_MAX: Final = 1 << 16
_BODY_BYTES_MAX: Final = 1 << 24


class NoAnswer(KullaError):
    """The line broke or nothing came in time; what was sent may or may not have been done."""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: its status, where it leads to or '', when to come back, and its body."""

    path: str
    status: int
    location: str
    retry_after_s: float
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")


class Browser:
    """One person's browser, at an address of loopback of their own. Not for two tasks at once.

    `own_host` is where its connections come from, so that the portal's limits by address hold for
    each person alone and none has to be widened for a drill.
    """

    def __init__(self, site: Address, own_host: str, timeout_s: float = 20.0) -> None:
        self._site = site
        self._own_host = own_host
        self._timeout_s = timeout_s
        self._cookies: dict[str, str] = {}
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    @property
    def site(self) -> str:
        """Host and port that it asks."""
        return f"{self._site.host}:{self._site.port}"

    async def get(self, path: str) -> Page:
        """Fetch a page. Raises NoAnswer; a line that went stale is tried once more."""
        stale = self._line is not None
        try:
            return await self._exchange(path, self._head("GET", path) + b"\r\n")
        except NoAnswer:
            if not stale:
                raise
        return await self._exchange(path, self._head("GET", path) + b"\r\n")

    async def post(self, path: str, fields: Mapping[str, str]) -> Page:
        """Send a form once. Raises NoAnswer: then it may have been carried out, or not."""
        return await self._exchange(path, self._form(path, fields))

    async def post_and_hang_up(self, path: str, fields: Mapping[str, str], after_s: float) -> None:
        """Send a form and break the line `after_s` later, whatever comes. Raises NoAnswer."""
        await self._send(path, self._form(path, fields))
        await asyncio.sleep(after_s)
        await self.close()

    async def close(self) -> None:
        """Break the line."""
        if self._line is not None:
            writer, self._line = self._line[1], None
            writer.transport.abort()

    def _head(self, method: str, path: str) -> bytes:
        host = f"[{self._site.host}]" if ":" in self._site.host else self._site.host
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}:{self._site.port}"]
        if self._cookies:
            pairs = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
            lines.append(f"Cookie: {pairs}")
        if method == "POST":
            lines.append(f"Origin: http://{host}:{self._site.port}")
        return "".join(f"{line}\r\n" for line in lines).encode("latin-1")

    def _form(self, path: str, fields: Mapping[str, str]) -> bytes:
        body = urlencode(fields).encode()
        head = self._head("POST", path)
        kind = b"Content-Type: application/x-www-form-urlencoded\r\n"
        return b"%s%sContent-Length: %d\r\n\r\n%s" % (head, kind, len(body), body)

    async def _send(self, path: str, data: bytes) -> asyncio.StreamReader:
        try:
            if self._line is None:
                self._line = await asyncio.open_connection(
                    self._site.host,
                    self._site.port,
                    local_addr=(self._own_host, 0),
                    limit=_HEAD_BYTES_MAX,
                )
            self._line[1].write(data)
        except OSError as error:
            await self.close()
            raise NoAnswer(f"no connection ({error.strerror}).", place=path) from error
        return self._line[0]

    async def _exchange(self, path: str, data: bytes) -> Page:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._read(path, await self._send(path, data))
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            # TimeoutError is an OSError; IncompleteReadError is an EOFError.
            await self.close()
            raise NoAnswer(f"the line broke ({type(error).__name__}).", place=path) from error
        except BaseException:
            await self.close()  # half an answer must not be read as the next one
            raise

    async def _read(self, path: str, reader: asyncio.StreamReader) -> Page:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split(" ", 2)[1])
        headers: dict[str, str] = {}
        for line in head[1:]:
            name, _, value = line.partition(":")
            if name.lower() == "set-cookie":
                self._keep_cookie(value.strip())
            else:
                headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding", "") == "chunked":
            body = await _read_chunks(reader)
        elif "content-length" in headers:
            body = await reader.readexactly(min(int(headers["content-length"]), _BODY_BYTES_MAX))
        elif status in {204, 304}:
            body = b""
        else:
            body = await reader.read(_BODY_BYTES_MAX)
            await self.close()
        if headers.get("connection", "").lower() == "close":
            await self.close()
        retry_after_s = 0.0
        with suppress(ValueError):
            retry_after_s = float(headers.get("retry-after", "0"))
        return Page(path, status, headers.get("location", ""), retry_after_s, body)

    def _keep_cookie(self, text: str) -> None:
        pair, *attributes = text.split(";")
        name, _, value = pair.partition("=")
        gone = any(one.strip().lower() == "max-age=0" for one in attributes)
        if gone:
            self._cookies.pop(name, None)
        else:
            self._cookies[name] = value


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        if len(body) + size > _BODY_BYTES_MAX:
            raise ValueError("the answer is too long")
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return bytes(body)

"""HTTP/1.1 as bytes: requests that are built before the clock runs, answers read piece by piece.

Only what a measurement needs: it shares two cores with what it measures, so a request costs it one
`send` and one `recv`, a few dozen microseconds in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from kulla.bench.errors import BenchFailed

_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"\r\ncontent-length:"
_CHUNKED: Final = b"\r\ntransfer-encoding: chunked"
_LAST_CHUNK: Final = b"0\r\n\r\n"

# What a present-day browser sends with every navigation, less what only TLS brings.
_BROWSER: Final = (
    "User-Agent: Mozilla/5.0 (Android 13; Mobile; rv:128.0) Gecko/128.0 Firefox/128.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language: sq,en;q=0.5",
    "Accept-Encoding: gzip, deflate",
    "Upgrade-Insecure-Requests: 1",
)


class Answer(NamedTuple):
    """An answer off the wire: its status, its head as it came, its body."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str:
        """The first header of this name, '' where there is none."""
        start = self.head.lower().find(f"\r\n{name.lower()}:".encode())
        if start < 0:
            return ""
        line = self.head[start + 2 :].partition(b"\r\n")[0]
        return line.partition(b":")[2].strip().decode("latin-1")

    def cookies(self) -> dict[str, str]:
        """What its Set-Cookie headers set; names and values as they came."""
        found: dict[str, str] = {}
        for line in self.head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"set-cookie":
                pair = value.partition(b";")[0].strip().decode("latin-1")
                key, _, held = pair.partition("=")
                found[key] = held
        return found


def request(
    method: str,
    path: str,
    host: str,
    *,
    cookies: str = "",
    body: bytes | None = None,
    more: Sequence[str] = (),
) -> bytes:
    """The bytes of a request as a browser on `host` (host:port) sends it; a body is a form's."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *_BROWSER, *more]
    if cookies:
        lines.append(f"Cookie: {cookies}")
    if body is not None:
        lines += [
            f"Origin: http://{host}",
            "Content-Type: application/x-www-form-urlencoded",
            f"Content-Length: {len(body)}",
        ]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


class AnswerReader:
    """Puts the answers of one connection together, one at a time."""

    def __init__(self) -> None:
        self._data = b""
        self._body_at = 0
        self._end = -1

    def feed(self, data: bytes) -> Answer | None:
        """Take the next bytes; the answer once it is whole. Raises BenchFailed for no HTTP."""
        self._data = self._data + data if self._data else data
        if not self._body_at and not self._read_head():
            return None
        if self._end < 0:
            if not self._data.endswith(_LAST_CHUNK):
                return None
        elif len(self._data) < self._end:
            return None
        head, body = self._data[: self._body_at], self._data[self._body_at :]
        self._data, self._body_at, self._end = b"", 0, -1
        return Answer(int(head[9:12]), head, body)

    def _read_head(self) -> bool:
        at = self._data.find(_HEAD_END)
        if at < 0:
            return False
        self._body_at = at + len(_HEAD_END)
        if not self._data.startswith(b"HTTP/1.1 "):
            raise BenchFailed("the server does not answer in HTTP/1.1.")
        names = self._data[: at + 2].lower()
        start = names.find(_LENGTH)
        if start >= 0:
            length = int(names[start + len(_LENGTH) :].partition(b"\r\n")[0])
            self._end = self._body_at + length
        elif _CHUNKED not in names:
            self._end = self._body_at
        return True

"""A walk over the pages of a site, as links lead: how much of a page an old phone has to load.

What counts is what a browser needs before pictures: the page, its style sheets and its scripts, all
uncompressed. Of pages that differ in an id or a day alone, a few are weighed.
"""

from __future__ import annotations

import html
import re
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urldefrag, urljoin, urlsplit

from kulla.bench.errors import BenchFailed
from kulla.bench.exchange import Answer, request
from kulla.bench.visitors import Site

OF_A_KIND_MAX: Final = 4
PAGES_MAX: Final = 1500
_KB: Final = 1000
_REDIRECTS_MAX: Final = 5

_LINK: Final = re.compile(rb'<a\b[^>]*?\bhref="([^"]*)"')
_STYLE: Final = re.compile(rb'<link\b[^>]*?\brel="stylesheet"[^>]*?\bhref="([^"]*)"')
_SCRIPT: Final = re.compile(rb'<script\b[^>]*?\bsrc="([^"]*)"')
_VARYING: Final = re.compile(r"[0-9a-f]{32}|[a-z0-9-]*\d[a-z0-9-]*")


@dataclass(frozen=True, slots=True)
class Weight:
    """A page with what it loads: its address with what varies left out, and bytes of each sort."""

    kind: str
    page_bytes: int
    style_bytes: int
    script_bytes: int

    @property
    def total_bytes(self) -> int:
        """All that a browser loads before pictures."""
        return self.page_bytes + self.style_bytes + self.script_bytes

    def figures(self) -> dict[str, object]:
        """The JSON's part."""
        return {
            "page": self.kind,
            "kb": round(self.total_bytes / _KB, 1),
            "html_kb": round(self.page_bytes / _KB, 1),
            "css_kb": round(self.style_bytes / _KB, 1),
            "js_kb": round(self.script_bytes / _KB, 1),
        }


@dataclass(slots=True)
class Walk:
    """One walk of one person, in one language.

    `weights` has the pages, `refused` the links that led to none.

    Only GET is asked, so a walk changes nothing.
    """

    site: Site
    cookies: str
    language: str = "sq"
    weights: list[Weight] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    _parts: dict[str, int] = field(default_factory=dict)

    def go(self, begin: Sequence[str]) -> None:
        """Weigh what can be reached from these addresses. Raises BenchFailed for a server error."""
        seen, kinds = set(begin), Counter[str]()
        waiting = deque(begin)
        while waiting and len(self.weights) < PAGES_MAX:
            address = waiting.popleft()
            kind = kind_of(address)
            if kinds[kind] >= OF_A_KIND_MAX:
                continue
            kinds[kind] += 1
            answer = self._page(address)
            if answer is None:
                continue
            self.weights.append(self._weigh(kind, answer))
            for link in _LINK.findall(answer.body):
                target = self._own(address, link)
                if target and target not in seen:
                    seen.add(target)
                    waiting.append(target)

    def _page(self, address: str) -> Answer | None:
        """The page at an address of this site, redirections followed; None where it is none."""
        for _ in range(_REDIRECTS_MAX):
            answer = self._ask(address)
            if answer.status >= 500:
                raise BenchFailed(f"a page answers {answer.status}.", place=address)
            if not 300 <= answer.status < 400:
                break
            target = self._own(address, answer.header("location").encode())
            if not target:
                return None
            address = target
        if not answer.header("content-type").startswith("text/html"):
            return None
        if answer.status not in (200, 202, 404):
            self.refused[f"{answer.status} {kind_of(address)}"] += 1
            return None
        return answer

    def _weigh(self, kind: str, answer: Answer) -> Weight:
        return Weight(
            kind,
            len(answer.body),
            sum(self._part(found) for found in set(_STYLE.findall(answer.body))),
            sum(self._part(found) for found in set(_SCRIPT.findall(answer.body))),
        )

    def _part(self, link: bytes) -> int:
        """The bytes of a style sheet or script. Raises BenchFailed where it is not there."""
        address = html.unescape(link.decode())
        if address not in self._parts:
            answer = self._ask(address)
            if answer.status != 200:
                raise BenchFailed(f"what a page loads answers {answer.status}.", place=address)
            self._parts[address] = len(answer.body)
        return self._parts[address]

    def _ask(self, address: str) -> Answer:
        cookies = f"{self.cookies}; kulla-language={self.language}".removeprefix("; ")
        more = ("Connection: close",)
        return self.site.ask(request("GET", address, self.site.host, cookies=cookies, more=more))

    def _own(self, address: str, link: bytes) -> str:
        """A link as an address of this site, without its place in the page; '' for any other."""
        wanted = urljoin(f"http://{self.site.host}{address}", html.unescape(link.decode()))
        parts = urlsplit(urldefrag(wanted).url)
        # The switch of languages leads to the page one is on.
        if parts.netloc != self.site.host or "lang=" in parts.query:
            return ""
        return f"{parts.path}?{parts.query}" if parts.query else parts.path


def kind_of(address: str) -> str:
    """An address without what varies: ids and numbers, and the values of its question."""
    path, _, query = address.partition("?")
    parts = ["*" if _VARYING.fullmatch(part) else part for part in path.split("/")]
    names = "&".join(sorted({pair.partition("=")[0] for pair in query.split("&") if pair}))
    return "/".join(parts) + (f"?{names}" if names else "")


def largest(weights: Sequence[Weight], key: Callable[[Weight], int] | None = None) -> Weight:
    """The heaviest page. Raises BenchFailed where there is none."""
    if not weights:
        raise BenchFailed("the walk found no page.")
    return max(weights, key=key or (lambda weight: weight.total_bytes))

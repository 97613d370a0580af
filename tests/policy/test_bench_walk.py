"""The walk that weighs pages: what counts as one kind of page, and what a page loads."""

from __future__ import annotations

import pytest

from kulla.bench.errors import BenchFailed
from kulla.bench.exchange import Answer
from kulla.bench.walk import Walk, Weight, kind_of, largest


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("/", "/"),
        ("/appointments/mine", "/appointments/mine"),
        (f"/appointments/{'ab' * 16}/move", "/appointments/*/move"),
        ("/appointments/slots/c00-p0-1770109200", "/appointments/slots/*"),
        ("/receipts/12/file", "/receipts/*/file"),
        ("/appointments/?place=Vlor%C3%AB&page=2&place=x", "/appointments/?page&place"),
        ("/sign-in/code", "/sign-in/code"),
    ],
)
def test_what_varies_is_left_out(address: str, kind: str):
    assert kind_of(address) == kind


class PaperSite:
    """Pages by address, as a server would send them. Fault model: none."""

    host = "here:80"

    def __init__(self, pages: dict[str, tuple[int, str, bytes]]) -> None:
        self.pages = pages
        self.asked: list[str] = []

    def ask(self, data: bytes) -> Answer:
        """See kulla.bench.visitors.Site."""
        address = data.split(b" ")[1].decode()
        self.asked.append(address)
        status, header, body = self.pages.get(address, (404, "Content-Type: text/html", b""))
        return Answer(status, f"HTTP/1.1 {status}\r\n{header}\r\n".encode(), body)


HTML = "Content-Type: text/html; charset=utf-8"


def _walk(pages: dict[str, tuple[int, str, bytes]]) -> tuple[Walk, PaperSite]:
    site = PaperSite(pages)
    walk = Walk(site, "")  # type: ignore[arg-type]
    walk.go(["/"])
    return walk, site


def test_a_page_weighs_what_it_loads_and_links_are_followed_once():
    home = (
        b'<link rel="stylesheet" href="/style/a.css"><script src="/a.js"></script>'
        b'<a class="x" href="/two#part">2</a><a href="/two">2</a><a href="http://other/">o</a>'
        b'<a href="/?lang=en">English</a><a href="/file">f</a><a href="/gone">g</a>'
    )
    walk, site = _walk(
        {
            "/": (200, HTML, home),
            "/two": (302, "Location: /three", b""),
            "/three": (200, HTML, b"<p>three</p>"),
            "/style/a.css": (200, "Content-Type: text/css", b"x" * 100),
            "/a.js": (200, "Content-Type: text/javascript", b"x" * 10),
            "/file": (200, "Content-Type: text/calendar", b"x" * 9999),
            "/gone": (403, HTML, b"no"),
        }
    )
    assert walk.weights[0] == Weight("/", len(home), 100, 10)
    assert [weight.page_bytes for weight in walk.weights[1:]] == [len(b"<p>three</p>")]
    assert walk.refused == {"403 /gone": 1}
    assert site.asked.count("/two") == 1
    assert largest(walk.weights).kind == "/"


def test_of_many_alike_a_few_are_weighed():
    links = b"".join(b'<a href="/receipts/%d">r</a>' % number for number in range(50))
    pages = {f"/receipts/{number}": (200, HTML, b"r") for number in range(50)}
    walk, _ = _walk({"/": (200, HTML, links), **pages})
    assert len(walk.weights) == 1 + 4


def test_a_server_error_and_a_missing_style_stop_the_walk():
    with pytest.raises(BenchFailed, match="500"):
        _walk({"/": (500, HTML, b"")})
    with pytest.raises(BenchFailed, match="loads"):
        _walk({"/": (200, HTML, b'<link rel="stylesheet" href="/style/b.css">')})
    with pytest.raises(BenchFailed, match="no page"):
        largest([])

"""Made-up citizens at their browsers: each signs in from an address of their own, then books once.

Signing in goes through the site's own form, with its limits on: every citizen comes from another
loopback address (127.0.0.0/8 has sixteen million), as citizens of a country would.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random  # noqa: TID251 - made-up load from a seed; nothing here is secret
from typing import Final
from urllib.parse import urlencode

from kulla.bench.errors import BenchFailed
from kulla.bench.exchange import Answer, AnswerReader, request
from kulla.bench.load import Address, Request, connect

_MARK: Final = re.compile(rb'name="csrfmiddlewaretoken" value="([A-Za-z0-9]+)"')
_FORM_COOKIE: Final = "kulla-form"
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_AT_ONCE: Final = 32
_ANSWER_BYTES: Final = 1 << 16
_REASONS: Final = (
    "Kontroll vjetor",
    "Dhimbje koke prej dy javësh, më e fortë në mëngjes",
    "Vaksinë për fëmijën",
    "Rezultatet e analizave të gjakut; kam edhe një pyetje për ilaçet që marr tani",
    "",
)


@dataclass(frozen=True, slots=True)
class Visitor:
    """A citizen who is signed in: subject id, cookie header, and the secret of their forms."""

    subject: str
    cookies: str
    form_secret: str


class Site:
    """The portal as browsers reach it: where it listens, and the host that its pages know."""

    def __init__(self, port: int) -> None:
        self.address: Address = ("127.0.0.1", port)
        self.host = f"localhost:{port}"

    def ask(self, data: bytes, source: str = "") -> Answer:
        """One answer on a connection of its own."""
        connection = connect(self.address, source)
        with connection:
            connection.sendall(data)
            return _read(connection.recv)


def sign_in(site: Site, subjects: Sequence[str]) -> list[Visitor]:
    """Sign all of them in through the site's form. Raises BenchFailed where it refuses one."""
    visitors: list[Visitor] = []
    for start in range(0, len(subjects), _AT_ONCE):
        some = subjects[start : start + _AT_ONCE]
        # One look at the form serves a few: its mark is bound to a cookie, not to a person. The
        # name leaves a short list to draw instead of all people.
        if start % (_AT_ONCE * 64) == 0:
            page = site.ask(_get(site, "/sign-in?name=-"), _source_of(some[0]))
            mark = _MARK.search(page.body)
            cookie = page.cookies().get(_FORM_COOKIE, "")
            if page.status != 200 or mark is None or not cookie:
                raise BenchFailed(
                    f"the sign-in form answers {page.status}.", place=f"{site.host}/sign-in"
                )
            token = mark[1].decode()
        visitors += _post_all(site, some, token, cookie)
    return visitors


def _get(site: Site, path: str) -> bytes:
    return request("GET", path, site.host, more=("Connection: close",))


def _post_all(site: Site, subjects: Sequence[str], token: str, cookie: str) -> list[Visitor]:
    """A few sign-ins at once: all are sent, then all answers are read."""
    connections = []
    for subject in subjects:
        body = urlencode({"csrfmiddlewaretoken": token, "subject": subject, "next": "/"}).encode()
        connection = connect(site.address, _source_of(subject))
        connection.sendall(
            request(
                "POST",
                "/sign-in",
                site.host,
                cookies=f"{_FORM_COOKIE}={cookie}",
                body=body,
                more=("Connection: close",),
            )
        )
        connections.append(connection)
    visitors = []
    for subject, connection in zip(subjects, connections, strict=True):
        with connection:
            answer = _read(connection.recv)
        given = answer.cookies()
        secret = given.get(_FORM_COOKIE, "")
        if answer.status != 302 or not secret or len(given) < 2:
            raise BenchFailed(f"a sign-in was answered {answer.status}.", place=site.host)
        cookies = "; ".join(f"{name}={value}" for name, value in given.items())
        visitors.append(Visitor(subject, cookies, secret))
    return visitors


def _read(receive: Callable[[int], bytes]) -> Answer:
    reader = AnswerReader()
    while data := receive(_ANSWER_BYTES):
        answer = reader.feed(data)
        if answer is not None:
            return answer
    raise BenchFailed("the server hung up before it answered.")


def _source_of(subject: str) -> str:
    """A loopback address of the citizen's own, never one that something listens on."""
    number = int(subject[:8], 16) % 250**3
    return f"127.{number // 250**2 + 2}.{number // 250 % 250 + 1}.{number % 250 + 1}"


def form_mark(secret: str, random: Random) -> str:
    """The mark that a form of this secret holds: masked anew each time, as Django masks it."""
    mask = random.choices(_ALPHABET, k=len(secret))
    pairs = zip(secret, mask, strict=True)
    size = len(_ALPHABET)
    places = [(_ALPHABET.index(a) + _ALPHABET.index(b)) % size for a, b in pairs]
    return "".join(mask) + "".join(_ALPHABET[place] for place in places)


def bookings(
    site: Site, visitors: Sequence[Visitor], slots: Sequence[str], seed: int
) -> list[Request]:
    """One booking for each visitor and slot, side by side; the tag is the visitor's number."""
    random = Random(seed)  # noqa: S311
    return [
        Request(number, _booking(site, visitor, slot, random))
        for number, (visitor, slot) in enumerate(zip(visitors, slots, strict=True))
    ]


def _booking(site: Site, visitor: Visitor, slot: str, random: Random) -> bytes:
    form = {
        "csrfmiddlewaretoken": form_mark(visitor.form_secret, random),
        "command": random.randbytes(16).hex(),
        "phone": f"06{random.randrange(6, 10)} {random.randrange(10**6, 10**7)}",
        "reason": random.choice(_REASONS),
    }
    path = f"/appointments/slots/{slot}"
    more = (f"Referer: http://{site.host}{path}",)
    body = urlencode(form).encode()
    return request("POST", path, site.host, cookies=visitor.cookies, body=body, more=more)


def empty_pages(site: Site, visitors: Sequence[Visitor]) -> Iterator[Request]:
    """GET /empty by one visitor after the other, without end."""
    pages = [request("GET", "/empty", site.host, cookies=visitor.cookies) for visitor in visitors]
    number = 0
    while True:
        yield Request(number, pages[number % len(pages)])
        number += 1

"""One-time codes: six digits by mail or telephone, for the browser that asked, once, ten minutes.

Nothing here asks whether anybody has the address: a code is made, kept and sent in the same way for
those who have an account and for those who don't, so neither the answer nor its time tells. Who it
is, is looked up once the code came back.

The sessions file holds a keyed hash of the code and the sealed address; the key is the cookie, so
a copy of the file can't be searched through for a million codes.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final, Literal, cast

from django.contrib.sessions.backends.base import SessionBase
from django.db import connections
from django.utils.translation import gettext as _

from kulla.kernel.canonical import Value
from kulla.portal import letters, session_seals
from kulla.portal.databases import SESSIONS
from kulla.portal.edge import installed
from kulla.portal.sign_in import paces
from kulla.portal.sign_in.addresses import Address
from kulla.portal.sign_in.paces import Pace

LIFE_S: Final = 600
TRIES: Final = 5
DIGITS: Final = 6
DIGITS_IN_TROUBLE: Final = 10
"""So many guesses were made at an address's codes lately that new ones are longer: an attacker's
chances go, and the person is not locked out."""

# Letters to one address, whoever asks for them; and wrong guesses at its codes.
LETTERS: Final = Pace("letters", burst=5, each_s=600)
GUESSES: Final = Pace("guesses", burst=20, each_s=1800)
# Letters that one network address asks for, to whomever: a country's home is no bulk mailer.
LETTERS_FROM: Final = Pace("letters from", burst=60, each_s=20)
# All telephone messages of this home: each costs money, and fraud with them is a trade.
PHONE_LETTERS: Final = Pace("phone letters", burst=200, each_s=3)

_PURPOSE: Final = "sign-in code"


@dataclass(frozen=True, slots=True)
class Awaited:
    """A code is awaited: where it was sent, and how many digits it has."""

    address: Address
    digits: int


@dataclass(frozen=True, slots=True)
class Proven:
    """The code came back: whoever sits at this browser reads letters to `address`.

    `token` is the keeper's index token of the address.
    """

    address: Address
    token: bytes


@dataclass(frozen=True, slots=True)
class NotProven:
    """Why a code did not count.

    wrong: `left` tries remain; gone: it ended, was used, or never was; longer: ask for a new one,
    which will be longer, since too many guesses were made at this address. `guessed`: the keeper's
    index token of the address, where this was a wrong guess at its code.
    """

    why: Literal["wrong", "gone", "longer"]
    left: int = 0
    guessed: bytes = b""


def send(session: SessionBase, address: Address) -> int:
    """Send a code to `address`, for this session: 0, or the seconds after which to ask again."""
    edges = installed()
    token = edges.tower.token(address.channel, address.text)
    wait_s = paces.take(LETTERS, token)
    if not wait_s and address.channel == "phone":
        wait_s = paces.take(PHONE_LETTERS, b"")
    if wait_s:
        return wait_s
    digits = DIGITS if paces.left(GUESSES, token) else DIGITS_IN_TROUBLE
    code = str(int.from_bytes(edges.entropy.random_bytes(16), "big") % 10**digits).zfill(digits)
    row = session_seals.row_of(session)
    meant: Value = [address.channel, address.text, token]
    ends_s = edges.clock.now_ms() // 1000 + LIFE_S
    with connections[SESSIONS].cursor() as cursor:
        cursor.execute(
            "INSERT OR REPLACE INTO sign_in_code (session, mark, sealed, digits, tries, ends_s)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [
                row,
                session_seals.mark(session, _PURPOSE, code.encode()),
                session_seals.seal(session, _PURPOSE, meant),
                digits,
                TRIES,
                ends_s,
            ],
        )
    _write(address, code, once=edges.entropy.random_bytes(16).hex())
    return 0


def wait_of(source: str) -> int:
    """Count a letter to the network address that asks: 0, or the seconds after which to ask."""
    return paces.take(LETTERS_FROM, source.encode())


def awaited(session: SessionBase) -> Awaited | None:
    """The code that this session waits for, if it waits for one that still counts."""
    if session.session_key is None:
        return None
    with connections[SESSIONS].cursor() as cursor:
        cursor.execute(
            "SELECT sealed, digits FROM sign_in_code"
            " WHERE session = %s AND ends_s > %s AND tries > 0",
            [session_seals.row_of(session), _now_s()],
        )
        found = cursor.fetchone()
    meant = _meant(session, found[0]) if found else None
    return Awaited(meant.address, found[1]) if meant else None


def check(session: SessionBase, typed: str) -> Proven | NotProven:
    """Whether `typed` is the code that was sent for this session. It counts once, and five tries.

    The try is counted before the code is looked at, in one statement: guesses that are sent side
    by side get no more tries than those sent one by one.
    """
    if session.session_key is None:
        return NotProven("gone")
    row = session_seals.row_of(session)
    with connections[SESSIONS].cursor() as cursor:
        cursor.execute(
            "UPDATE sign_in_code SET tries = tries - 1"
            " WHERE session = %s AND ends_s > %s AND tries > 0"
            " RETURNING mark, sealed, digits, tries",
            [row, _now_s()],
        )
        found = cursor.fetchone()
    proven = _meant(session, found[1]) if found else None
    if proven is None:
        return NotProven("gone")
    expected, digits, tries = bytes(found[0]), found[2], found[3]
    if digits == DIGITS and not paces.left(GUESSES, proven.token):
        return NotProven("longer")
    code = "".join(typed.split()).replace("-", "")
    given = session_seals.mark(session, _PURPOSE, code.encode("utf-8", "replace"))
    if not hmac.compare_digest(expected, given):
        paces.take(GUESSES, proven.token)
        return NotProven("wrong" if tries else "gone", tries, guessed=proven.token)
    with connections[SESSIONS].cursor() as cursor:
        cursor.execute("DELETE FROM sign_in_code WHERE session = %s AND mark = %s", [row, expected])
        used_before = cursor.rowcount == 0
    return NotProven("gone") if used_before else proven


def forget_ended() -> None:
    """Remove codes that have ended."""
    with connections[SESSIONS].cursor() as cursor:
        cursor.execute("DELETE FROM sign_in_code WHERE ends_s <= %s", [_now_s()])


def _meant(session: SessionBase, sealed: bytes) -> Proven | None:
    value = session_seals.unseal(session, _PURPOSE, bytes(sealed))
    if not isinstance(value, list):
        return None
    channel, text, token = value
    return Proven(Address(cast(letters.Channel, channel), str(text)), cast(bytes, token))


def _write(address: Address, code: str, once: str) -> None:
    grouped = f"{code[:3]} {code[3:]}" if len(code) == DIGITS else f"{code[:5]} {code[5:]}"
    subject = _("%(code)s is your code for Kulla") % {"code": grouped}
    sentences = [
        _("Your code for Kulla is %(code)s.") % {"code": grouped},
        _("Type it into the page where you asked for it. It holds for ten minutes, once."),
        _("Nobody from any office will ever ask you for it: don't tell it to anybody."),
        _("If you did not ask for a code, there is nothing to do: without it nobody gets in."),
    ]
    if address.channel == "phone":
        letters.send_later("phone", address.text, subject, sentences[0], once=f"code {once}")
    else:
        body = "\n\n".join(sentences) + "\n"
        letters.send_later("mail", address.text, subject, body, once=f"code {once}")


def _now_s() -> int:
    return installed().clock.now_ms() // 1000

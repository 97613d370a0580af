"""How the staff of a country begins, and who is on it: what `kulla staff` does.

Founders sign up at the portal like anybody else and make their passkeys there, so that each passkey
is of the country's own domain and was seen to work. Whoever sits at home's machine then names them
by their mail addresses. See docs/decisions/013-first-staff.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from kulla.kernel.canonical import Value
from kulla.kernel.edges import SystemClock, SystemEntropy
from kulla.kernel.errors import KullaError
from kulla.kernel.rows import Row
from kulla.kernel.service import Actor, Command
from kulla.registers.sqlite import LiveRows, open_registers
from kulla.scribe.client import ScribeClient
from kulla.services.accounts import apply
from kulla.services.accounts.assertions import fingerprint
from kulla.services.accounts.staff import FOUNDER
from kulla.tower.edge import HomeEdge
from kulla.tower.home import Home
from kulla.tower.services import register_tables

WAIT_S = 60.0
_REASON = "kulla staff"
_SENTENCES: Mapping[str, str] = {
    "already-founded": "this country has a staff, or had one.",
    "too-few-operators": "a staff begins with at least two operators.",
    "founder-twice": "one person, or one passkey, is named twice.",
}
_REMEDIES: Mapping[str, str] = {
    "already-founded": "Its operators give roles, two together, at the portal.",
    "too-few-operators": "Name each with --operator and their mail address.",
}


class FounderUnknown(KullaError):
    """Somebody who should be on the staff has no account, or no passkey, that is confirmed."""


class FoundingRefused(KullaError):
    """The staff did not begin."""


@dataclass(frozen=True, slots=True)
class Passkey:
    """One passkey: when it was made, and a fingerprint of its public key to tell it by."""

    credential: str
    public_key: bytes
    added_at: datetime

    @property
    def fingerprint(self) -> str:
        """See assertions.fingerprint."""
        return fingerprint(self.public_key)


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody with a role, or about to have one; `since` is None before. `name` may not open."""

    subject: str
    role: str
    name: str
    passkeys: tuple[Passkey, ...]
    since: datetime | None = None


def founders(home: Home, wanted: Sequence[tuple[str, str]]) -> list[Member]:
    """The people with these (role, mail address), as the registers of a running home know them.

    Raises FounderUnknown, naming the address; FoundingRefused where there is or was a staff; and
    what keeper and scribe raise where they do not answer.
    """
    from kulla.portal.sign_in.addresses import normal_mail

    watermark = ScribeClient(home.run_folder(), SystemClock()).state()["witnessing"]["watermark"]
    edge = HomeEdge(home)
    found = []
    with _registers(home) as rows:
        if rows.get(apply.FOUNDING, apply.STAFF) is not None:
            raise _refused("already-founded")
        for role, typed in wanted:
            mail = normal_mail(typed)
            address = rows.get(apply.ADDRESS, edge.token("mail", mail)) if mail else None
            if address is None or _int(address, "position") >= watermark:
                raise FounderUnknown(
                    "no account has this mail address, or it is still being confirmed.",
                    place=typed,
                    remedy="Let them sign up at the portal first, with this address.",
                )
            member = _member(rows, edge, str(address["subject"]), role, watermark)
            if not member.passkeys:
                raise FounderUnknown(
                    "this person has no passkey yet, or it is still being confirmed.",
                    place=typed,
                    remedy="Let them sign in at the portal and add one to their account.",
                )
            found.append(member)
    return found


def found_staff(home: Home, members: Sequence[Member]) -> None:
    """Give these people their roles: the founding act. Raises FoundingRefused."""
    staff: list[Value] = [
        {
            "subject": member.subject,
            "role": member.role,
            "credential": member.passkeys[0].credential,
            "public_key": member.passkeys[0].public_key,
        }
        for member in members
    ]
    command_id = SystemEntropy().random_bytes(16)
    actor = Actor("custodian", FOUNDER)
    command = Command("accounts", "found_staff", command_id, actor, {"staff": staff})
    answer = HomeEdge(home).submit(command, WAIT_S)
    if answer.status == "accepted":
        return
    raise _refused(answer.code or answer.status)


def _refused(code: str) -> FoundingRefused:
    return FoundingRefused(
        _SENTENCES.get(code, f"the scribe answered '{code}'."),
        place="kulla staff found",
        remedy=_REMEDIES.get(code, "See `kulla status`, and ask again."),
    )


def staff_of(home: Home) -> list[Member]:
    """Everybody who has a role, by role and then by since when. Names open where the keeper is."""
    edge = HomeEdge(home)
    with _registers(home) as rows:
        members = [
            _member(rows, edge, str(row["subject"]), str(row["role"]), None, row)
            for row in rows.find(apply.ROLE)
        ]
    return sorted(members, key=lambda one: (one.role, str(one.since), one.subject))


@contextmanager
def _registers(home: Home) -> Iterator[LiveRows]:
    with closing(open_registers(home.registers)) as connection:
        connection.execute("PRAGMA query_only=1")
        yield LiveRows(connection, register_tables())


def _member(
    rows: LiveRows,
    edge: HomeEdge,
    subject: str,
    role: str,
    watermark: int | None,
    granted: Row | None = None,
) -> Member:
    """A person with the passkeys that are confirmed (all of them where `watermark` is None)."""
    passkeys = [
        Passkey(str(row["credential"]), _bytes(row, "public_key"), _at(_int(row, "added_ms")))
        for row in rows.find(apply.PASSKEY, subject=subject)
        if watermark is None or _int(row, "position") < watermark
    ]
    passkeys.sort(key=lambda passkey: passkey.added_at)
    since = _at(_int(granted, "granted_ms")) if granted else None
    return Member(subject, role, _name(rows, edge, subject), tuple(passkeys), since)


def _name(rows: LiveRows, edge: HomeEdge, subject: str) -> str:
    citizen = rows.get("citizens_citizen", subject)
    if citizen is None:
        return ""
    try:
        return edge.open(subject, {"name": _bytes(citizen, "name_sealed")}, _REASON)["name"]
    except KullaError:
        return ""  # the keeper does not run, or the person was erased: the rest can still be told


def _at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _int(row: Row, column: str) -> int:
    value = row[column]
    assert isinstance(value, int), column
    return value


def _bytes(row: Row, column: str) -> bytes:
    value = row[column]
    assert isinstance(value, bytes), column
    return value

"""What a home knows of a round's lottery: rows of its registers, and how it asks its scribe."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final

from kulla.journal.policy_file import PolicyFile
from kulla.kernel.canonical import Value, encode
from kulla.kernel.edges import SystemClock
from kulla.kernel.errors import KullaError
from kulla.kernel.rows import Row
from kulla.kernel.service import ALLOCATOR, Command
from kulla.kernel.tower import Answer
from kulla.registers.sqlite import LiveRows, open_registers
from kulla.scribe.client import ScribeClient
from kulla.services.enrolment import acts, tables
from kulla.tower.home import Home
from kulla.tower.policies.earlier import FOLDER, kept_policies
from kulla.tower.services import register_tables

WAIT_S: Final = 60.0
_EMBASSIES_MAX: Final = 64


class RoundUnfit(KullaError):
    """A round that is not there, or not so far, or too far, for what was asked."""


class LotteryRefused(KullaError):
    """The scribe did not take what was asked of it."""


@dataclass(frozen=True, slots=True)
class KnownRound:
    """A round as the confirmed registers have it, and the commitments in it by embassy."""

    row: Row
    secrets: Mapping[str, Row]
    drawn: Row | None

    @property
    def state(self) -> str:
        """One of tables.PREPARED and on."""
        return str(self.row["state"])

    def number(self, column: str) -> int:
        """A whole number of the round's row."""
        value = self.row[column]
        assert isinstance(value, int), column
        return value


class Desk:
    """The scribe of a running home, asked for a lottery's sake."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._scribe = ScribeClient(home.run_folder(), SystemClock())

    def round(self, round_id: str) -> KnownRound:
        """The round, as far as it is confirmed. Raises RoundUnfit, ScribeUnavailable."""
        watermark = int(self._scribe.state()["witnessing"]["watermark"])
        with registers(self._home) as rows:
            row = rows.get(tables.ROUND, round_id)
            secrets = rows.find(tables.SECRET, _EMBASSIES_MAX, round=round_id)
            drawn = rows.get(tables.DRAW, round_id)
        if row is None:
            raise RoundUnfit(
                "there is no round of this id.",
                place=round_id,
                remedy="Its id is the end of its address at the portal.",
            )
        position = row["position"]
        assert isinstance(position, int)
        if position >= watermark:
            raise RoundUnfit(
                "the last act on this round is still being confirmed.",
                place=round_id,
                remedy="Ask again in a moment; if it stays so: kulla status.",
            )
        return KnownRound(row, {str(each["embassy"]): each for each in secrets}, drawn)

    def receipt(self, position: int) -> bytes:
        """The receipt of an act that anybody may have. Raises ScribeRefused, ScribeUnavailable."""
        return self._scribe.receipt(position, "")

    def submit(self, name: str, of: str, data: Mapping[str, Value]) -> Answer:
        """Send a command of the lottery; the same `of` and data are the same command."""
        command_id = hashlib.sha256(encode(["kulla lottery", name, of])).digest()[:16]
        command = Command(acts.SERVICE_NAME, name, command_id, ALLOCATOR, data)
        return self._scribe.submit(command, WAIT_S)


@contextmanager
def registers(home: Home) -> Iterator[LiveRows]:
    """The rows of a home's registers, for reading only."""
    with closing(open_registers(home.registers)) as connection:
        connection.execute("PRAGMA query_only=1")
        yield LiveRows(connection, register_tables())


def policies_of(home: Home) -> list[PolicyFile]:
    """All versions of the policy that this home trusts, the newest first."""
    now = list(reversed(home.policies()))
    earlier = kept_policies(home.folder / FOLDER, home.policy())
    return [*now, *sorted(earlier, key=lambda policy: -policy.version)]


def said_no(answer: Answer, place: str) -> LotteryRefused:
    """The error of an answer that is not 'accepted'."""
    why = ", ".join(f"{name}: {value!s}" for name, value in answer.detail.items())
    return LotteryRefused(
        f"the scribe answered {answer.status} {answer.code} {why}".strip() + ".",
        place=place,
        remedy="Type the same command again; if it stays so: kulla status.",
    )

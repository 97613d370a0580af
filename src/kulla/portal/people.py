"""People as the staff who are signed in look them up (services.pages.People).

Names and numbers belong to other services than the one that asks, so the portal stands between.
Nothing is remembered: each name is opened anew, and the keeper's log says for whom and why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from kulla.kernel.canonical import Value
from kulla.kernel.errors import KullaError
from kulla.kernel.service import Actor, Command
from kulla.kernel.tower import TowerEdge
from kulla.portal.edge import TowerUnavailable
from kulla.services.accounts.acts import SERVICE_NAME as ACCOUNTS
from kulla.services.accounts.models import Number
from kulla.services.citizens.acts import SERVICE_NAME as CITIZENS
from kulla.services.citizens.models import Citizen
from kulla.services.pages import NAMES_MAX, Person

NUMBER_COLUMN: Final = "number"
_REASON_CHARS_MAX: Final = 150


class RegisterPeople:
    """People for one request of `actor`, who is staff behind the door of a page."""

    def __init__(self, tower: TowerEdge, actor: Actor | None) -> None:
        self._tower = tower
        self._actor = actor

    def find_by_number(self, number: str) -> Person | None:
        """See People."""
        spelt = spelling(number)
        if not spelt:
            return None
        token = self._tower.token(NUMBER_COLUMN, spelt)
        watermark = self._tower.witnessing().watermark
        found = Number.objects.filter(pk=token, position__lt=watermark).first()
        return self.find(found.subject, "found by personal number") if found else None

    def find(self, subject: str, reason: str) -> Person | None:
        """See People."""
        citizen = Citizen.objects.filter(pk=subject).first()
        if citizen is None:
            return None
        return Person(subject, self._opened(subject, bytes(citizen.name_sealed), reason))

    def names(self, subjects: Sequence[str], reason: str) -> Mapping[str, str]:
        """See People."""
        meant = list(dict.fromkeys(subjects))[:NAMES_MAX]
        opened = {
            citizen.subject: self._opened(citizen.subject, bytes(citizen.name_sealed), reason)
            for citizen in Citizen.objects.filter(pk__in=meant)
        }
        return {subject: name for subject, name in opened.items() if name}

    def registering(self, name: str, command_id: bytes) -> Command:
        """See People."""
        [(subject, key)] = self._tower.enrol(1)
        sealed = self._tower.seal(subject, {"name": name}, command_id)["name"]
        data: dict[str, Value] = {"subject": subject, "name": sealed, "key": key}
        return Command(CITIZENS, "register", command_id, self._staff(), data, (key,))

    def identifying(self, subject: str, number: str, document: str, command_id: bytes) -> Command:
        """See People."""
        token = self._tower.token(NUMBER_COLUMN, spelling(number))
        data: dict[str, Value] = {"subject": subject, "number": token, "document": document}
        return Command(ACCOUNTS, "identify", command_id, self._staff(), data)

    def _staff(self) -> Actor:
        assert self._actor is not None
        return self._actor

    def _opened(self, subject: str, sealed: bytes, reason: str) -> str:
        """The name; '' where it does not open (erased). Raises TowerUnavailable."""
        asker = self._staff()
        said = f"{asker.role} {asker.subject}: {reason[:_REASON_CHARS_MAX]}"
        try:
            return self._tower.open(subject, {"name": sealed}, said)["name"]
        except TowerUnavailable:
            raise
        except KullaError:
            return ""


def spelling(number: str) -> str:
    """The one spelling of a personal number: capital letters and digits, nothing between."""
    return "".join(sign for sign in number.upper() if sign.isalnum())

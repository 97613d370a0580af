"""Cards: the few lines that an embassy's operator, a custodian or a reader brings in person.

Nothing on a card is secret, but it must be the right one.
"""

from __future__ import annotations

from pathlib import Path

from kulla.embassy.folder import PublicKeys
from kulla.journal.errors import NoteInvalid
from kulla.journal.notes import VerifierKey
from kulla.journal.policy_file import Custodian, Embassy, Reader
from kulla.kernel.errors import KullaError

_FIELDS = ("embassy", "url", "mirror-key", "statement-key")


class CardUnreadable(KullaError):
    """A file is not the card that it should be."""


def embassy_of(keys: PublicKeys) -> Embassy:
    """The embassy as the policy file names it."""
    return Embassy(keys.name, keys.mirror, keys.url, keys.statement)


def write_card(path: Path, keys: PublicKeys) -> None:
    """Write the card; nothing on it is secret."""
    values = (keys.name, keys.url, keys.mirror.text(), keys.statement.text())
    lines = [f"{field} {value}" for field, value in zip(_FIELDS, values, strict=True)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_card(path: Path) -> Embassy:
    """The embassy of a card. Raises CardUnreadable, naming the line."""
    name, url, mirror, statement = _values(path, _FIELDS, "kulla embassy init")
    return Embassy(name, _key(path, mirror), url, _key(path, statement))


def write_key_card(path: Path, role: str, name: str, key: VerifierKey) -> None:
    """Write the card of a custodian or a reader (`role`)."""
    path.write_text(f"{role} {name}\nkey {key.text()}\n", encoding="utf-8")


def read_custodian_card(path: Path) -> Custodian:
    """The custodian of a card. Raises CardUnreadable, naming the line."""
    name, key = _values(path, ("custodian", "key"), "kulla custodian key")
    return Custodian(name, _key(path, key))


def read_reader_card(path: Path) -> Reader:
    """The reader of a card. Raises CardUnreadable, naming the line."""
    name, key = _values(path, ("reader", "key"), "kulla custodian key --reader")
    return Reader(name, _key(path, key))


def _values(path: Path, fields: tuple[str, ...], made_by: str) -> list[str]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    values = []
    for number, field in enumerate(fields, 1):
        line = lines[number - 1] if len(lines) >= number else ""
        name, _, value = line.strip().partition(" ")
        if name != field or not value:
            raise CardUnreadable(
                f"this line must read '{field} ...'.",
                place=f"{path}, line {number}",
                remedy=f"Use the file that `{made_by}` wrote.",
            )
        values.append(value)
    return values


def _key(path: Path, text: str) -> VerifierKey:
    try:
        return VerifierKey.parse(text)
    except NoteInvalid as error:
        raise CardUnreadable(error.message, place=str(path), remedy=error.remedy) from error

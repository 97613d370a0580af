"""An embassy's card: the four lines that its operator brings to whoever begins the country."""

from __future__ import annotations

from pathlib import Path

from kulla.embassy.folder import PublicKeys
from kulla.journal.errors import NoteInvalid
from kulla.journal.notes import VerifierKey
from kulla.journal.policy_file import Embassy
from kulla.kernel.errors import KullaError

_FIELDS = ("embassy", "url", "mirror-key", "statement-key")


class CardUnreadable(KullaError):
    """A file is not an embassy's card."""


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
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    values = []
    for number, field in enumerate(_FIELDS, 1):
        line = lines[number - 1] if len(lines) >= number else ""
        name, _, value = line.partition(" ")
        if name != field or not value:
            raise CardUnreadable(
                f"this line must read '{field} ...'.",
                place=f"{path}, line {number}",
                remedy="Use the file that `kulla embassy init` wrote.",
            )
        values.append(value)
    try:
        mirror, statement = VerifierKey.parse(values[2]), VerifierKey.parse(values[3])
    except NoteInvalid as error:
        raise CardUnreadable(error.message, place=str(path), remedy=error.remedy) from error
    return Embassy(values[0], mirror, values[1], statement)

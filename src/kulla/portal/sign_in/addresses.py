"""Mail addresses and telephone numbers as people type them, in the one spelling that is kept."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from kulla.portal.letters import Channel

MAIL_CHARS_MAX: Final = 254
HOME_PREFIX: Final = "+355"
_MAIL: Final = re.compile(r"[^@\s<>\",;:()\[\]\\]{1,64}@([^@\s.<>\",;:()\[\]\\]+\.)+[^@\s.]{2,63}")
_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_BETWEEN_DIGITS: Final = re.compile(r"[\s()./-]")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a letter can reach a person, in its one spelling."""

    channel: Channel
    text: str


def read_address(typed: str) -> Address | None:
    """What was typed as a mail address or a telephone number; None where it is neither."""
    if "@" in typed:
        text = normal_mail(typed)
        return Address("mail", text) if text else None
    text = normal_phone(typed)
    return Address("phone", text) if text else None


def normal_mail(typed: str) -> str:
    """The one spelling of a mail address, '' where it is none.

    Case is folded in the local part too: RFC 5321 lets a server tell `Ana` from `ana`, and next to
    none does, while people type both. Nothing else is folded, so no two people become one.
    """
    text = unicodedata.normalize("NFC", typed.strip()).casefold()
    fits = len(text) <= MAIL_CHARS_MAX and text.isprintable() and _MAIL.fullmatch(text)
    return text if fits else ""


def normal_phone(typed: str) -> str:
    """The one spelling of a telephone number (E.164, `+355691234567`), '' where it is none.

    A number without a country is read as one of this country.
    """
    text = _BETWEEN_DIGITS.sub("", typed.strip())
    if text.startswith("00"):
        text = f"+{text[2:]}"
    elif text.startswith("0"):
        text = HOME_PREFIX + text[1:]
    return text if _PHONE.fullmatch(text) and text.isascii() else ""

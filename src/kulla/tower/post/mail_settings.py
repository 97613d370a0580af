"""What home.toml says of mail, and the password that must not stand there."""

from __future__ import annotations

import os
import stat
import tomllib
from typing import Any, Final, cast

from kulla.kernel.letters import Carrier
from kulla.tower.home import Home, HomeBroken
from kulla.tower.post.letter_folder import FolderCarrier
from kulla.tower.post.mail import MailSettings, Security, SmtpCarrier

PASSWORD_SETTING: Final = "KULLA_MAIL_PASSWORD"  # noqa: S105 - the name of a setting
PASSWORD_FILE: Final = "mail.password"  # noqa: S105 - the name of a file
DEMO_SENDER: Final = "Kulla <kulla@demo.kulla.example>"
_SECURITIES: Final = ("starttls", "tls", "none")
_FIELDS: Final = {"host", "port", "security", "from", "user"}
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


def mail_settings(home: Home) -> MailSettings | None:
    """The mail server of `home`; None where home.toml has no [mail].

    Raises HomeBroken, naming the line's key, for what can't be used.
    """
    place = str(home.folder / "home.toml")
    values = tomllib.loads((home.folder / "home.toml").read_text(encoding="utf-8")).get("mail")
    if values is None:
        return None
    if not isinstance(values, dict) or not {"host", "from"} <= set(values) <= _FIELDS:
        raise HomeBroken(
            "[mail] has host and from, if need be port, security and user, and nothing else.",
            place=place,
            remedy="See docs/OPERATE.md.",
        )
    security = values.get("security", "starttls")
    if security not in _SECURITIES or (security == "none" and values["host"] not in _LOOPBACK):
        raise HomeBroken(
            "mail goes over a line with TLS, but for a server on this machine.",
            place=f"{place} [mail] security",
            remedy='Write security = "starttls" (port 587) or "tls" (port 465).',
        )
    user = _text(values, "user", place, "")
    return MailSettings(
        host=_text(values, "host", place),
        port=_port(values, place, 465 if security == "tls" else 587),
        security=cast(Security, security),
        sender=_sender(values, place),
        user=user,
        password=_password(home) if user else "",
    )


def carriers(home: Home) -> dict[str, Carrier]:
    """What carries letters of this home, by channel: none where mail is not set up.

    In a demo country without [mail] all letters go into HOME/mail, as files. No telephone carrier
    comes with Kulla: a country's provider is one class, see kulla.kernel.letters.Carrier.
    """
    domain = home.policy().relying_party
    settings = mail_settings(home)
    demo = home.settings().demo
    found: dict[str, Carrier] = {}
    if settings is not None:
        found["mail"] = SmtpCarrier(settings, domain)
    elif demo:
        found["mail"] = FolderCarrier(home.folder / "mail", DEMO_SENDER, domain)
    if demo:
        found["phone"] = FolderCarrier(home.folder / "mail", DEMO_SENDER, domain, phone=True)
    return found


def _password(home: Home) -> str:
    if PASSWORD_SETTING in os.environ:
        return os.environ[PASSWORD_SETTING]
    path = home.folder / "keys" / PASSWORD_FILE
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        password = path.read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise HomeBroken(
            "the password of the mail server can't be read.",
            place=str(path),
            remedy=f"Write it there with mode 0600, or set {PASSWORD_SETTING}.",
        ) from error
    if mode & 0o077:
        raise HomeBroken(
            f"others may read the password of the mail server (mode {mode:04o}).",
            place=str(path),
            remedy=f"chmod 600 {path}",
        )
    return password


def _text(values: dict[str, Any], name: str, place: str, default: str | None = None) -> str:
    value = values.get(name, default)
    if not isinstance(value, str) or (not value and default is None):
        raise HomeBroken("this is not text.", place=f"{place} [mail] {name}", remedy="Quote it.")
    return value


def _port(values: dict[str, Any], place: str, default: int) -> int:
    port = values.get("port", default)
    if type(port) is not int or not 0 < port < 65536:
        raise HomeBroken(
            "a port is a number from 1 to 65535.", place=f"{place} [mail] port", remedy="587."
        )
    return port


def _sender(values: dict[str, Any], place: str) -> str:
    from email.headerregistry import HeaderRegistry

    sender = _text(values, "from", place)
    header: Any = HeaderRegistry()("From", sender)
    if header.defects or len(header.addresses) != 1 or not header.addresses[0].domain:
        raise HomeBroken(
            "this is not one mail address.",
            place=f"{place} [mail] from",
            remedy='Write from = "Name <name@example.al>".',
        )
    return sender

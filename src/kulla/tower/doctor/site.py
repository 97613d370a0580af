"""Looks at a home from outside: certificate, proxy, and the mail server."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from kulla.kernel.letters import CarrierDown
from kulla.tower.doctor.findings import (
    LOOPBACK,
    Finding,
    Patient,
    broken,
    fine,
    portal_environment,
    warning,
)
from kulla.tower.home import HomeBroken
from kulla.tower.post.mail import MailSettings, SmtpCarrier, bare
from kulla.tower.post.mail_settings import mail_settings

CERTIFICATE_WARN_DAYS: Final = 21
HSTS_MIN_S: Final = 180 * 86_400
_DAY_MS: Final = 86_400_000


def certificate(patient: Patient) -> Iterator[Finding]:
    """The certificate at the public address: reachable, trusted, for this name, and how long."""
    public = urlsplit(patient.settings.public_url)
    if public.scheme != "https":
        return
    host, port = public.hostname or "", public.port or 443
    context = ssl.create_default_context()
    try:
        with (
            socket.create_connection((host, port), timeout=patient.timeout_s) as line,
            context.wrap_socket(line, server_hostname=host) as secured,
        ):
            shown = secured.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        yield broken(
            "certificate",
            f"browsers refuse the certificate of {host}: {error.verify_message}.",
            f"Have one issued for {host} (Caddy does it by itself), with its whole chain.",
        )
        return
    except OSError as error:
        yield broken(
            "certificate",
            f"nothing speaks TLS at {host}:{port} ({error.strerror or error}).",
            "Start the proxy, open the port, and see that the name leads to this machine.",
        )
        return
    ends_ms = int(ssl.cert_time_to_seconds(str(shown["notAfter"]))) * 1000
    days = (ends_ms - patient.clock.now_ms()) // _DAY_MS
    said = f"the certificate of {host} is good for {days} more days"
    if days < CERTIFICATE_WARN_DAYS:
        yield warning("certificate", f"{said}.", "See why it was not renewed.")
    else:
        yield fine("certificate", f"{said}.")


def proxy(patient: Patient) -> Iterator[Finding]:
    """What stands between people and the portal: its headers, and whom the portal believes."""
    public = urlsplit(patient.settings.public_url)
    if public.scheme == "https":
        yield from _headers(patient, public.hostname or "", public.port or 443)
    environment = portal_environment(patient.home)
    if environment is None:
        yield warning(
            "proxy",
            "the portal's settings can't be seen (it does not run, or another user runs it).",
            "Ask again as the user who runs the portal, while it runs.",
        )
        return
    believed = [part for part in environment.get("KULLA_PROXIES", "").split(",") if part.strip()]
    if public.scheme == "https" and not believed:
        yield broken(
            "proxy",
            "all visitors look like one address to the portal, so they share one limit.",
            "Set KULLA_PROXIES to the address that the proxy comes from, mostly 127.0.0.1.",
        )
    elif believed:
        yield fine("proxy", f"X-Forwarded-For is believed from {', '.join(believed)} alone.")
    if public.scheme == "https" and patient.settings.bind not in LOOPBACK:
        yield warning(
            "proxy",
            f"the portal listens at {patient.settings.bind}: people may come past the proxy.",
            'Write bind = "127.0.0.1" in home.toml, or close the port to all but the proxy.',
        )


def _headers(patient: Patient, host: str, port: int) -> Iterator[Finding]:
    connection = http.client.HTTPSConnection(host, port, timeout=patient.timeout_s)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        answer.read(4096)
    except (OSError, http.client.HTTPException) as error:
        yield broken(
            "proxy",
            f"no page comes through {host} ({type(error).__name__}).",
            "See the proxy's log; the example is in docs/OPERATE.md.",
        )
        return
    finally:
        connection.close()
    if answer.status >= 500 or "X-Content-Type-Options" not in answer.headers:
        yield broken(
            "proxy",
            f"what answers at {host} is not this portal (status {answer.status}).",
            f"Let the proxy hand everything to port {patient.settings.port}.",
        )
    elif answer.status == 400:
        yield broken(
            "proxy",
            "the portal does not know the name by which the proxy calls it.",
            "Let the proxy pass the Host header on as it came.",
        )
    else:
        yield fine("proxy", f"the portal answers through {host}.")
    yield _strict_transport(answer.headers.get("Strict-Transport-Security", ""))


def _strict_transport(header: str) -> Finding:
    parts = [part.strip().lower() for part in header.split(";")]
    ages = [part.partition("=")[2].strip('"') for part in parts if part.startswith("max-age=")]
    if ages and ages[0].isdecimal() and int(ages[0]) >= HSTS_MIN_S:
        return fine("hsts", f"browsers come by https alone ({header}).")
    return broken(
        "hsts",
        "the answer does not tell browsers to come by https alone (Strict-Transport-Security).",
        "The portal sends it where public_url is https; see that the proxy keeps it.",
    )


def mail(patient: Patient) -> Iterator[Finding]:
    """The mail server: connection, TLS, login; and what the domain of the sender must say."""
    try:
        settings = mail_settings(patient.home)
    except HomeBroken as error:
        yield broken("mail", str(error), "Then ask again.")
        return
    if settings is None:
        yield broken(
            "mail",
            "home.toml has no [mail]: nobody gets a code to sign in, and no reminders go out.",
            "See 'Mail' in docs/OPERATE.md.",
        )
        return
    carrier = SmtpCarrier(settings, patient.policy.relying_party, timeout_s=patient.timeout_s)
    try:
        server = carrier.connect()
    except CarrierDown as error:
        yield broken("mail", str(error), "Mend that, then ask again.")
        return
    try:
        server.quit()
    except (OSError, http.client.HTTPException):
        server.close()
    how = {"starttls": "STARTTLS", "tls": "TLS", "none": "no TLS, on this machine"}
    login = "and takes the password" if settings.user else "and asks for no password"
    yield fine(
        "mail", f"{settings.host}:{settings.port} answers ({how[settings.security]}) {login}."
    )
    yield _sender(settings)


def _sender(settings: MailSettings) -> Finding:
    """A hint: whether the world believes the sender stands in the domain's name service."""
    domain = bare(settings.sender).rpartition("@")[2]
    return fine(
        "sender",
        f"mail comes from {domain}. Its name service must name the mail server in a TXT record "
        f'("v=spf1 a:{settings.host} -all", or as the provider says), and hold its DKIM key; '
        "else letters end as junk.",
    )


def date_of(header: str) -> int:
    """Milliseconds since 1970 of an HTTP Date header, -1 where it can't be read."""
    try:
        read = datetime.strptime(header, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    except ValueError:
        return -1
    return int(read.timestamp() * 1000)

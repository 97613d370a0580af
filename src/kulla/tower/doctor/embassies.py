"""Looks at the embassies: do they answer, pin the same policy, and tell the same time."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from kulla.journal.policy_file import Embassy
from kulla.tower.doctor.findings import Finding, Patient, broken, fine, warning
from kulla.tower.doctor.site import date_of
from kulla.tower.policies.changing import closed_epochs, lacking

CLOCK_WARN_MS: Final = 5_000
CLOCK_BROKEN_MS: Final = 60_000
_BODY_BYTES_MAX: Final = 1 << 20
_SECOND_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class _Seen:
    """What an embassy said: the version it is pinned to, its policy file, its clock against ours.

    `why` says why it could not be asked, '' where it could. `ahead_ms` is 0 where it has no Date.
    """

    embassy: Embassy
    why: str = ""
    version: int = 0
    policy: bytes = b""
    ahead_ms: int = 0
    health: bytes = b""


def embassies(patient: Patient) -> Iterator[Finding]:
    """One finding an embassy, then the quorum, the pins and the clock."""
    policy = patient.policy
    with ThreadPoolExecutor(max(1, policy.n)) as pool:
        seen = list(pool.map(lambda embassy: _ask(patient, embassy), policy.embassies))
    for each in seen:
        if each.why:
            yield warning(
                f"embassy {each.embassy.name}",
                f"{each.embassy.url} does not answer: {each.why}.",
                "Call its operator; look at its address, its certificate and its line.",
            )
        elif urlsplit(each.embassy.url).scheme != "https" and not patient.settings.demo:
            yield warning(
                f"embassy {each.embassy.name}",
                f"{each.embassy.url} is not https.",
                "Entries are sealed, but who asks for what can be seen: put it behind TLS.",
            )
        else:
            yield fine(f"embassy {each.embassy.name}", f"{each.embassy.url} answers.")
    answering = [each for each in seen if not each.why]
    if not policy.is_quorum({each.embassy.name for each in answering}):
        yield broken(
            "quorum",
            f"{len(answering)} of {policy.n} embassies answer; {policy.quorum_k} must hold an act.",
            "Nothing new is confirmed until more of them answer.",
        )
    else:
        yield fine("quorum", f"{len(answering)} of {policy.n} answer, {policy.quorum_k} must.")
    yield from _pins(patient, answering)
    yield from _closed(patient, answering)
    yield from _clock(answering)


def _ask(patient: Patient, embassy: Embassy) -> _Seen:
    try:
        sent_ms = patient.clock.now_ms()
        body, date = _get(patient, embassy.url, "/healthz")
        took_ms = patient.clock.now_ms() - sent_ms
        theirs_ms = date_of(date)
        # The header has whole seconds: on average half a second is cut off.
        ours_ms = sent_ms + took_ms // 2
        ahead_ms = theirs_ms + _SECOND_MS // 2 - ours_ms if theirs_ms >= 0 else 0
        version = json.loads(body)["policy_version"]
        pinned, _ = _get(patient, embassy.url, "/policy")
    except ssl.SSLCertVerificationError as error:
        return _Seen(embassy, f"its certificate is not good ({error.verify_message})")
    except (OSError, http.client.HTTPException) as error:
        return _Seen(embassy, str(error) or type(error).__name__)
    except (ValueError, KeyError, TypeError):
        return _Seen(embassy, "what answers there is no embassy")
    return _Seen(embassy, "", version, pinned, ahead_ms, body)


def _get(patient: Patient, url: str, path: str) -> tuple[bytes, str]:
    """Body and Date header of a page of an embassy."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=patient.timeout_s)
    try:
        connection.request("GET", parts.path.rstrip("/") + path)
        answer = connection.getresponse()
        body = answer.read(_BODY_BYTES_MAX)
        if answer.status != 200:
            raise http.client.HTTPException(f"{path} gives {answer.status}")
        return body, answer.headers.get("Date", "")
    finally:
        connection.close()


def _pins(patient: Patient, answering: list[_Seen]) -> Iterator[Finding]:
    """Whether home and embassies hold one and the same policy file."""
    policy, own = patient.policy, patient.home.policy_file.read_bytes()
    newer = [each for each in answering if each.version > policy.version]
    older = [each for each in answering if each.version < policy.version]
    other = [e for e in answering if e.version == policy.version and e.policy != own]
    if newer:
        yield broken(
            "pins",
            f"{_names(newer)} pinned version {newer[0].version}; this home knows {policy.version}.",
            "Another site took over, or the policy changed: fetch it, then see who is home.",
        )
    if other:
        yield broken(
            "pins",
            f"{_names(other)} pinned another file under version {policy.version}.",
            "Custodians signed two files under one number: ask them which one holds, then at those "
            "that have the other: kulla embassy pin --instead",
        )
    if older:
        yield warning(
            "pins",
            f"{_names(older)} still pinned version {older[0].version}, not {policy.version}.",
            f"kulla policy bring {patient.home.folder}, or see their operators.",
        )
    if patient.home.next_policy_file.exists():
        yield warning(
            "pins",
            "home is taking up the policy's next version, and has not come to the end of it.",
            "Type the command again that began it: kulla policy bring; or give it up: --withdraw.",
        )
    if answering and not (newer or other or older):
        yield fine("pins", f"all that answer pinned version {policy.version}, as home did.")


def _closed(patient: Patient, answering: list[_Seen]) -> Iterator[Finding]:
    """Whether all hold the epochs that takeovers closed, whole."""
    if not patient.home.registers.exists():
        return
    closed = closed_epochs(patient.home)
    short = []
    for each in answering:
        with suppress(ValueError, KeyError, TypeError):
            short += [each] if lacking(each.health, closed) else []
    if short:
        yield warning(
            "epochs",
            f"{_names(short)} lack entries of epochs that were closed.",
            "While they run they fill themselves from the others, every ten minutes; or stop one "
            "and type there: kulla embassy fill",
        )
    elif closed and answering:
        yield fine("epochs", f"all that answer hold the {len(closed)} closed epochs whole.")


def _clock(answering: list[_Seen]) -> Iterator[Finding]:
    """Hold this machine's clock against the middle one of the embassies'."""
    ahead = sorted(each.ahead_ms for each in answering)
    if not ahead:
        return
    off_ms = ahead[len(ahead) // 2]
    said = f"the embassies' clocks are {abs(off_ms) / 1000:.1f} s "
    said += "ahead of this machine's." if off_ms > 0 else "behind this machine's."
    mend = "Let the machine's clock follow time servers (chrony, systemd-timesyncd)."
    if abs(off_ms) >= CLOCK_BROKEN_MS:
        yield broken("clock", said, mend)
    elif abs(off_ms) >= CLOCK_WARN_MS:
        yield warning("clock", said, mend)
    else:
        yield fine("clock", "this machine's clock agrees with the embassies'.")


def _names(seen: list[_Seen]) -> str:
    return ", ".join(each.embassy.name for each in seen)

"""Looks at what runs at home, at the staff, and at the recovery kit."""

from __future__ import annotations

import http.client
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from kulla.kernel.errors import KullaError
from kulla.scribe.client import ScribeClient
from kulla.services.accounts import apply as accounts
from kulla.tower.doctor.findings import Finding, Patient, broken, fine, warning
from kulla.tower.kit.folder import CREDENTIALS, examine, kit_policy
from kulla.tower.post.app import post_state

OPERATORS_MIN: Final = 2
STUCK_MS: Final = 15_000


def processes(patient: Patient) -> Iterator[Finding]:
    """Portal and post; the scribe is looked at by `watermark`."""
    settings = patient.settings
    host = "127.0.0.1" if settings.bind == "0.0.0.0" else settings.bind  # noqa: S104 - compared
    connection = http.client.HTTPConnection(host, settings.port, timeout=patient.timeout_s)
    try:
        connection.request("GET", "/healthz", headers={"Host": "localhost"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        status = 0
    finally:
        connection.close()
    if status in (0, 500, 502):
        yield broken(
            "portal",
            f"nothing answers at {host}:{settings.port}.",
            f"Start it: kulla up {patient.home.folder}",
        )
    else:
        yield fine("portal", f"it answers at {host}:{settings.port}.")
    state = post_state(patient.home, patient.clock.now_ms())
    if state is None:
        yield broken(
            "post",
            "no process sends letters, so nobody gets a code to sign in.",
            f"`kulla up` starts it, or: kulla post serve {patient.home.folder}",
        )
        return
    troubles = sorted({state[kind]["trouble"] for kind in ("codes", "messages")} - {""})
    waiting = sum(state[kind]["waiting"] for kind in ("codes", "messages"))
    if troubles:
        why = f"{waiting} letters wait; the mail server can't be used ({', '.join(troubles)})."
        yield warning("post", why, "See what is said of mail.")
    else:
        yield fine("post", f"it runs; {waiting} letters wait.")
    lottery = state.get("lotteries", {}).get("trouble", "")
    if lottery:
        yield warning(
            "lottery",
            f"a round waits for an embassy: {lottery}",
            "Reach it; once the list is closed, custodians can open its secret: "
            "kulla enrolment draw.",
        )


def watermark(patient: Patient) -> Iterator[Finding]:
    """Whether new acts are witnessed, and quickly."""
    try:
        state = ScribeClient(patient.home.run_folder(), patient.clock).state()
    except KullaError as error:
        yield broken("scribe", str(error), f"Start it: kulla up {patient.home.folder}")
        return
    found = state["witnessing"]
    behind = found["size"] - found["watermark"]
    still_ms = patient.clock.now_ms() - found["moved_ms"]
    if not found["quorum"]:
        yield broken(
            "watermark",
            "too few embassies answer the scribe: new acts are not witnessed.",
            "See what is said of embassies.",
        )
    elif behind and still_ms > STUCK_MS:
        yield broken(
            "watermark",
            f"{behind} acts have waited for their witnesses for {still_ms // 1000} s.",
            f"See {patient.home.logs}/scribe.log and the embassies' logs.",
        )
    else:
        yield fine("watermark", f"{found['watermark']} of {found['size']} acts are confirmed.")
    for service, why in state["set_aside"].items():
        yield broken("services", f"{service} is set aside: {why}.", "See the scribe's log.")


def staff(patient: Patient) -> Iterator[Finding]:
    """The first administrators: at least two operators, each with a passkey."""
    if not patient.home.registers.exists():
        yield broken("staff", "there are no registers yet.", f"kulla up {patient.home.folder}")
        return
    where = f"file:{patient.home.registers}?mode=ro"
    with closing(sqlite3.connect(where, uri=True, timeout=10)) as rows:
        operators = _operators(rows)
    found = f"kulla staff found --home {patient.home.folder}"
    if operators is None or not operators:
        yield broken("staff", "nobody is an operator: whoever is at this machine is.", found)
        return
    without = [count for count in operators.values() if not count]
    if len(operators) < OPERATORS_MIN:
        yield broken(
            "staff",
            "there is one operator: alone they can give no role, and nobody could replace them.",
            found,
        )
    elif without:
        yield warning(
            "staff",
            f"{len(without)} of {len(operators)} operators have no passkey and can sign nothing.",
            "Have them sign in and add one.",
        )
    else:
        yield fine("staff", f"{len(operators)} operators, each with a passkey.")


def _operators(rows: sqlite3.Connection) -> dict[str, int] | None:
    """Operators and how many passkeys each has; None for registers of an older release."""
    sql = (
        f"SELECT r.subject, count(p.credential) FROM {accounts.ROLE} r"  # noqa: S608
        f" LEFT JOIN {accounts.PASSKEY} p ON p.subject = r.subject"
        " WHERE r.role = 'operator' GROUP BY r.subject"
    )
    try:
        return dict(rows.execute(sql).fetchall())
    except sqlite3.OperationalError:
        return None


def kit(patient: Patient) -> Iterator[Finding]:
    """The recovery kit: what it must hold; looked at where the operator brought it (--kit)."""
    if patient.kit is None:
        yield fine(
            "kit",
            "Home needs no backup, the kit does: twice a year bring it and ask with --kit KIT.",
        )
        return
    found = examine(patient.kit)
    yield from found
    if any(finding.state == "broken" for finding in found):
        return
    for name in CREDENTIALS:
        own = patient.home.folder / "keys" / name
        copy = patient.kit / name
        if own.exists() and (not copy.exists() or copy.read_bytes() != own.read_bytes()):
            yield warning("kit", f"it has not this {name}.", _update(patient))
    toml = patient.home.folder / "home.toml"
    if (patient.kit / "home.toml").read_bytes() != toml.read_bytes():
        yield warning("kit", "its home.toml is not this home's.", _update(patient))
    version = kit_policy(patient.kit).version
    if version != patient.policy.version:
        yield warning(
            "kit",
            f"its policy is version {version}, the home's is {patient.policy.version}.",
            _update(patient),
        )


def _update(patient: Patient) -> str:
    return f"kulla kit update {patient.kit} --home {patient.home.folder}"

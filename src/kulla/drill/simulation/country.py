"""The keys, policy and first registers of the country that every seed begins with.

They are the same for every seed and made once a process: a seed costs what happens in it.
"""

from __future__ import annotations

import hashlib
import sqlite3
from functools import cache, lru_cache

from kulla.drill.simulation.remembered import RememberingKey
from kulla.embassy.mirror import Identity
from kulla.journal.entries import JournalKey
from kulla.journal.merkle import EMPTY_ROOT
from kulla.journal.notes import KIND_COSIGNATURE, KIND_ED25519, SigningKey, VerifierKey
from kulla.journal.policy_file import (
    Custodian,
    Embassy,
    Log,
    PolicyFile,
    first_policy,
    parse_policy,
    sign_policy,
)
from kulla.kernel.rows import Cell, Table
from kulla.rebuild.chain import EpochPlan, rebuild_registers
from kulla.rebuild.takeover import next_policy
from kulla.registers.sqlite import LiveRows, create_tables
from kulla.scribe.batch import pending_entries
from kulla.services.appointments.service import SERVICE as APPOINTMENTS
from kulla.services.citizens.service import SERVICE as CITIZENS
from kulla.tower.services import register_tables

TOWER = "kulla.example"
EMBASSIES = ("north", "east", "south", "west")
QUORUM = 3
EMBASSIES_LOST_MAX = len(EMBASSIES) - QUORUM
CUSTODIANS = ("arta", "besa", "drita")
NOON_MS = 1_760_000_000_000
SERVICES = {service.name: service for service in (APPOINTMENTS, CITIZENS)}
_PREFIXES = ("kulla_", "appointments_", "citizens_")
_PAGE_BYTES = 512


@lru_cache(maxsize=4096)
def key_of(name: str, kind: int = KIND_ED25519, owner: str = "") -> SigningKey:
    """The signing key of this name; another `owner` has another one under the same name."""
    text = f"simulated country {owner} {name} {kind}"
    return RememberingKey(name, kind, hashlib.sha256(text.encode()).digest())


def origin_of(number: int) -> str:
    """The origin of the log of epoch `number`, as a takeover names it."""
    return f"{TOWER}/epoch-{number}"


@cache
def identity_of(embassy: str) -> Identity:
    """The secrets of an embassy."""
    return Identity(
        embassy,
        key_of(f"{embassy}.example/mirror", KIND_COSIGNATURE),
        key_of(f"{embassy}.example/statements"),
        hashlib.sha256(embassy.encode()).digest(),
    )


@cache
def custodian_keys() -> tuple[SigningKey, ...]:
    """The keys of the two custodians who sign."""
    return tuple(key_of(f"{name}.custodians.example") for name in CUSTODIANS[:2])


@cache
def policy_of_the_beginning() -> PolicyFile:
    """Version 1 of the policy: three of four embassies count, two of three custodians sign."""
    embassies = [
        Embassy(
            name,
            identity_of(name).mirror_key.verifier,
            f"https://{name}.example/",
            identity_of(name).statement_key.verifier,
        )
        for name in EMBASSIES
    ]
    policy = first_policy(
        tower=TOWER,
        relying_party=TOWER,
        custodians=[
            Custodian(name, key_of(f"{name}.custodians.example").verifier) for name in CUSTODIANS
        ],
        custodian_threshold=2,
        log=Log(key_of(origin_of(1)).verifier, "https://home.example/"),
        embassies=embassies,
        quorum_k=QUORUM,
    )
    for key in custodian_keys():
        policy = sign_policy(policy, key)
    return policy


def following(old: PolicyFile, new_log: SigningKey) -> PolicyFile:
    """The version after `old`, which names `new_log` and is signed."""
    return _following(old.render(), new_log.verifier.text())


@lru_cache(maxsize=4096)
def _following(old: bytes, new_log: str) -> PolicyFile:
    """By all of the old policy: two seeds may come to one log by different earlier ones."""
    return next_policy(parse_policy(old), VerifierKey.parse(new_log), "", custodian_keys())


@cache
def policy_of_the_beginning_data() -> bytes:
    """Its bytes."""
    return policy_of_the_beginning().render()


@cache
def journal_keys() -> dict[bytes, JournalKey]:
    """The key that entries are sealed under, as a rebuild takes it."""
    key = JournalKey(hashlib.sha256(b"simulated journal key").digest())
    return {key.key_id: key}


@cache
def tables() -> tuple[Table, ...]:
    """The registers' tables: the tower's own and those of the services that are simulated."""
    return tuple(table for table in register_tables() if table.name.startswith(_PREFIXES))


@cache
def empty_registers() -> bytes:
    """The image of registers without a single act, made by the path of every rebuild."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute(f"PRAGMA page_size={_PAGE_BYTES}")
    create_tables(connection, tables())
    pending_entries(connection)
    epoch: dict[str, Cell] = {"number": 1, "origin": origin_of(1), "base": 0, "root_before": None}
    LiveRows(connection, tables()).put("kulla_epoch", epoch)
    nothing = EpochPlan(origin_of(1), 0, 0, EMPTY_ROOT, ())
    rebuild_registers([nothing], {}, connection, tables(), SERVICES)
    image = connection.serialize()
    connection.close()
    return image

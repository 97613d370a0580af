"""Whatever people and staff ask of accounts, in whatever order: a replay gives the same rows and
doubts no act, and nobody is locked out."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fakes.authenticator import Authenticator
from fakes.rows import MemoryRows
from kulla.kernel.canonical import decode, encode
from kulla.kernel.rows import Row
from kulla.kernel.service import Act, Actor, Asked, Command, Refusal, Role, needs_authority
from kulla.registers.bulk import BulkRows
from kulla.registers.sqlite import create_tables, dump
from kulla.services.accounts import apply, relations
from kulla.services.accounts.authority import Authority
from kulla.services.accounts.service import SERVICE
from kulla.tower.services import register_tables

PEOPLE = [letter * 32 for letter in "abcde"]
FOUNDERS = PEOPLE[:3]
PARTY, ORIGIN = "sherbime.example.al", "https://sherbime.example.al"
DAY_MS = 24 * 3600 * 1000
KEYS = [Authenticator(number, "EdDSA", PARTY, ORIGIN) for number in range(10)]
TABLES = [table for table in register_tables() if table.name.startswith("accounts_")]

people = st.sampled_from(PEOPLE)
tokens = st.integers(0, 5).map(lambda number: number.to_bytes(32, "big"))
keys = st.sampled_from(KEYS)
picks = st.integers(0, 10**6)
staff_roles = st.sampled_from(["clerk", "operator", "analyst"])
until_days = st.sampled_from(["", "2026-02-25", "2026-03-05"])
secrets = st.integers(0, 1).map(lambda number: b"secret of sixteen %d" % number)


class Histories(RuleBasedStateMachine):
    """Random commands of five people, three of whom began as staff."""

    @initialize(unfounded=st.booleans())
    def begin(self, unfounded: bool) -> None:
        self.rows = MemoryRows(TABLES)
        self.acts: list[Act] = []
        self.now_ms = 1_772_000_000_000
        self.number = 0
        self.authority = Authority(PARTY, (ORIGIN,))
        for who in PEOPLE[:4]:
            self.open(who, PEOPLE.index(who).to_bytes(32, "big"))
        if not unfounded:
            self.found()

    def ask(self, actor: Actor, name: str, **data: Any) -> list[Act] | Refusal:
        self.number += 1
        command = Command("accounts", name, self.number.to_bytes(16, "big"), actor, data)
        if needs_authority(actor):
            signer = self.signer_of(actor.subject)
            assertion = signer.sign(command.key()) if signer else b""
            command = replace(command, assertion=assertion)
        asked = Asked(name, actor, data, self.now_ms, command.key(), command.assertion)
        if needs_authority(actor):
            refusal = self.authority.refuse(self.rows, asked, "accounts")
            if refusal is not None:
                assert refusal.code in ("no-role", "not-signed", "not-acting-for"), refusal
                return refusal
        kind = SERVICE.commands[name]
        decision = kind.decide(asked, kind.gather(self.rows, asked))
        if isinstance(decision, Refusal):
            assert decision.code not in ("malformed", "not-allowed"), decision
            return decision
        made = []
        for number, new in enumerate(decision):
            act = Act(
                position=len(self.acts),
                service="accounts",
                name=new.name,
                version=1,
                at_ms=self.now_ms,
                actor=actor,
                command=asked.key,
                data=decode(encode(new.data)),  # type: ignore[arg-type]
                assertion=b"" if number else command.assertion,
                wish=command.wish() if command.assertion and not number else b"",
            )
            SERVICE.acts[new.name].apply(self.rows, act)
            self.acts.append(act)
            made.append(act)
        return made

    def signer_of(self, subject: str) -> Authenticator | None:
        rows = self.rows.find(apply.PASSKEY, subject=subject)
        return next(
            (key for key in KEYS for row in rows if row["credential"] == key.credential), None
        )

    def some(self, table: str, pick: int) -> Row | None:
        rows = self.rows.find(table)
        return rows[pick % len(rows)] if rows else None

    def staff(self, role: Role, pick: int) -> Actor:
        """Mostly somebody who has the role, else anybody."""
        rows = self.rows.find(apply.ROLE, role=role)
        if rows and pick % 5:
            return Actor(role, str(rows[pick % len(rows)]["subject"]))
        return Actor(role, PEOPLE[pick % len(PEOPLE)])

    @rule()
    def found(self) -> None:
        staff = [
            {
                "subject": who,
                "role": "clerk" if number == 2 else "operator",
                "credential": KEYS[number].credential,
                "public_key": KEYS[number].public_key,
            }
            for number, who in enumerate(FOUNDERS)
        ]
        self.ask(Actor("custodian", "founding"), "found_staff", staff=staff)

    @rule(days=st.sampled_from([0, 0, 1, 15]))
    def wait(self, days: int) -> None:
        self.now_ms += days * DAY_MS

    @rule(who=people, token=tokens)
    def open(self, who: str, token: bytes) -> None:
        data = {"subject": who, "mail": b"x", "mail_token": token, "language": "sq"}
        self.ask(Actor("citizen", who), "open", **data)

    @rule(who=people, token=tokens, add=st.booleans())
    def address(self, who: str, token: bytes, add: bool) -> None:
        if add:
            self.ask(Actor("citizen", who), "add_address", kind="phone", token=token, sealed=b"x")
        else:
            self.ask(Actor("citizen", who), "remove_address", token=token)

    @rule(who=people, key=keys, role=st.sampled_from(["citizen", "clerk", "operator"]))
    def add_passkey(self, who: str, key: Authenticator, role: Role) -> None:
        given = {"credential": key.credential, "public_key": key.public_key, "label": None}
        more = {"transports": "usb", "backed_up": False}
        self.ask(Actor(role, who), "add_passkey", **given, **more)

    @rule(pick=picks, role=st.sampled_from(["citizen", "clerk", "operator"]))
    def remove_passkey(self, pick: int, role: Role) -> None:
        row = self.some(apply.PASSKEY, pick)
        if row is not None:
            actor = Actor(role, str(row["subject"]))
            self.ask(actor, "remove_passkey", credential=row["credential"])

    @rule(who=people, token=tokens, add=st.booleans())
    def identity(self, who: str, token: bytes, add: bool) -> None:
        if add:
            self.ask(Actor("citizen", who), "link_identity", issuer="https://id", token=token)
        else:
            self.ask(Actor("citizen", who), "unlink_identity", token=token)

    @rule(who=people, language=st.sampled_from(["sq", "en"]))
    def prefer(self, who: str, language: str) -> None:
        self.ask(Actor("citizen", who), "set_preferences", language=language, reminders="none")

    @rule(pick=picks, who=people, token=tokens)
    def identify(self, pick: int, who: str, token: bytes) -> None:
        data = {"subject": who, "number": token, "document": "passport"}
        self.ask(self.staff("clerk", pick), "identify", **data)

    @rule(pick=picks, guardian=people, ward=people, until_day=until_days)
    def relate(self, pick: int, guardian: str, ward: str, until_day: str) -> None:
        two = {"guardian": guardian, "ward": ward}
        self.ask(self.staff("clerk", pick), "relate", kind="child", until_day=until_day, **two)

    @rule(who=people, secret=secrets, until_day=until_days, withdraw=picks)
    def offer(self, who: str, secret: bytes, until_day: str, withdraw: int) -> None:
        secret_hash = relations.hash_of(secret)
        if withdraw % 4 == 3:
            self.ask(Actor("citizen", who), "withdraw_attorney", secret_hash=secret_hash)
        else:
            data = {"secret_hash": secret_hash, "until_day": until_day}
            self.ask(Actor("citizen", who), "grant_attorney", **data)

    @rule(who=people, secret=secrets)
    def accept(self, who: str, secret: bytes) -> None:
        self.ask(Actor("citizen", who), "accept_attorney", secret=secret)

    @rule(who=people, pick=picks, role=st.sampled_from(["citizen", "clerk"]))
    def end(self, who: str, pick: int, role: Role) -> None:
        relation = self.some(apply.RELATION, pick)
        if relation is not None:
            self.ask(Actor(role, who), "end_relation", relation=relation["id"])

    @rule(by=picks, pick=picks, role=staff_roles)
    def propose(self, by: int, pick: int, role: str) -> None:
        row = self.some(apply.PASSKEY, pick)
        who = str(row["subject"]) if row else PEOPLE[0]
        add = self.rows.get(apply.ROLE, apply.role_key(who, role)) is None
        wish = {"subject": who, "role": role, "add": add}
        self.ask(self.staff("operator", by), "propose_role", **wish)

    @rule(by=picks, pick=picks, approve=st.sampled_from([True, True, False]))
    def decide(self, by: int, pick: int, approve: bool) -> None:
        waiting = self.rows.find(apply.PROPOSAL, state=apply.OPEN)
        proposal = waiting[pick % len(waiting)] if waiting else self.some(apply.PROPOSAL, pick)
        if proposal is not None:
            name = "approve_role" if approve else "withdraw_role"
            self.ask(self.staff("operator", by), name, proposal=proposal["id"])

    @rule(by=picks, pick=picks)
    def revoke(self, by: int, pick: int) -> None:
        row = self.some(apply.ROLE, pick)
        if row is not None and by % 3 == 0:  # seldom, or soon nobody is left who could grant
            wish = {"subject": row["subject"], "role": row["role"]}
            self.ask(self.staff("operator", by), "revoke_role", **wish)

    @invariant()
    def every_account_has_a_way_in(self) -> None:
        ways = [
            row["subject"]
            for table in (apply.ADDRESS, apply.PASSKEY, apply.IDENTITY)
            for row in self.rows.find(table)
        ]
        for row in self.rows.find(apply.ACCOUNT):
            assert row["subject"] in ways

    @invariant()
    def a_staff_that_began_goes_on_and_can_sign(self) -> None:
        roles = self.rows.find(apply.ROLE)
        if self.rows.get(apply.FOUNDING, apply.STAFF) is not None:
            assert any(row["role"] == "operator" for row in roles)
        for row in roles:
            assert self.signer_of(str(row["subject"])) is not None

    def teardown(self) -> None:
        if not hasattr(self, "rows"):
            return
        again = MemoryRows(TABLES)
        connection = sqlite3.connect(":memory:", isolation_level=None)
        create_tables(connection, TABLES)
        bulk = BulkRows(connection, TABLES)
        asked_for: set[bytes] = set()
        for act in self.acts:
            if needs_authority(act.actor) and act.command not in asked_for:
                assert self.authority.doubt(again, act) == ""
            asked_for.add(act.command)
            SERVICE.acts[act.name].apply(again, act)
            SERVICE.acts[act.name].apply(bulk, act)
            bulk.keep()
        bulk.flush()
        assert again.tables == self.rows.tables
        for table in TABLES:
            written = sorted(tuple(row.values()) for row in self.rows.tables[table.name].values())
            assert sorted(dump(connection, table)) == written
        connection.close()


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=max(60, settings().max_examples), stateful_step_count=60
)

"""What happens in the made-up country of a golden journal: everything, once."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from golden_schools import SchoolStory

from kulla.drill.simulation import country as simulated
from kulla.drill.undo.country import FIRST_EPOCH, SITE, CountryHere
from kulla.drill.undo.story import DAY_MS, Hands, StoryClock, mark
from kulla.journal.annulment import sign_annulment
from kulla.kernel.canonical import Value
from kulla.kernel.service import POST, Actor, Command
from kulla.rebuild.undo import Selection, Stage, plan_undo
from kulla.services.accounts.authority import Authority
from kulla.services.accounts.demo_passkey import DemoPasskey
from kulla.services.accounts.staff import FOUNDER
from kulla.services.appointments.zones import offsets
from kulla.tower.services import SERVICES

OPERATOR = Actor("operator", "golden")
CLERK_BEFORE = Actor("clerk", "golden")
THEFT = mark("a stolen session")
DOCTOR = "c1-p1"
ZONE = "Europe/Tirane"


def made_up(what: str, count: int = 32) -> bytes:
    """Bytes that stand for something, the same each time."""
    return hashlib.shake_256(what.encode()).digest(count)


def subject(name: str) -> str:
    """A made-up person's id."""
    return made_up(f"subject {name}", 16).hex()


class GoldenStory:
    """Tells itself to a country in this process."""

    def __init__(self, country: CountryHere, clock: StoryClock) -> None:
        self.country = country
        self.clock = clock
        self._number = 0
        self.ana, self.ben, self.child = subject("ana"), subject("ben"), subject("child")
        self.hands: dict[str, Hands] = {}

    def tell(self) -> None:
        """All of it."""
        self._people()
        self._accounts()
        self._relations()
        self._programs()
        self._clinic()
        self._staff()
        self._appointments()
        self._desk()
        self._closed_days()
        self._letters()
        SchoolStory(self, made_up).tell()
        self.country.take_over("home was wiped")
        self._theft_and_undo()
        self._citizen(self.ben, "appointments", "book", slot=self._free(30))

    # who asks

    def do(self, command: Command) -> Command:
        """Ask; it must be accepted."""
        [answer] = self.country.ask(command)
        if answer.status != "accepted":
            raise SystemExit(f"{command.service}.{command.name}: {answer}")
        return command

    def _command(self, actor: Actor, service: str, name: str, data: Any, **more: Any) -> Command:
        self._number += 1
        return Command(service, name, made_up(f"command {self._number}", 16), actor, data, **more)

    def _by(self, actor: Actor, service: str, name: str, /, **data: Value) -> Command:
        return self.do(self._command(actor, service, name, data))

    def _citizen(self, who: str, service: str, name: str, /, **data: Value) -> Command:
        via = mark(f"session of {who}")
        return self.do(self._command(Actor("citizen", who), service, name, data, via=via))

    def _signed(self, who: str, service: str, name: str, /, **data: Value) -> Command:
        return self.do(self._sign(self.hands[who], service, name, data))

    def _sign(self, hands: Hands, service: str, name: str, data: dict[str, Value]) -> Command:
        command = self._command(hands.actor, service, name, data, via=hands.via)
        assert hands.passkey is not None
        domain = self.country.policy.relying_party
        return replace(command, assertion=hands.passkey.sign(command.key(), domain, SITE))

    # what happens

    def _people(self) -> None:
        key = self.country.keep_blob(made_up("wrapped key of ana", 60))
        ana: dict[str, Value] = {"subject": self.ana, "name": made_up("name of ana", 40)}
        actor = Actor("citizen", self.ana)
        self.do(self._command(actor, "citizens", "register", {**ana, "key": key}, names=(key,)))
        others: list[Value] = []
        names = []
        for who in (self.ben, self.child):
            name = self.country.keep_blob(made_up(f"wrapped key of {who}", 60))
            names.append(name)
            others.append({"subject": who, "name": made_up(f"name of {who}", 40), "key": name})
        data: dict[str, Value] = {"citizens": others}
        command = self._command(OPERATOR, "citizens", "register_many", data, names=tuple(names))
        self.do(command)

    def _accounts(self) -> None:
        for who in (self.ana, self.ben):
            token: dict[str, Value] = {"mail_token": made_up(f"token of {who}"), "language": "sq"}
            sealed = made_up(f"mail of {who}", 40)
            self._citizen(who, "accounts", "open", subject=who, mail=sealed, **token)
        fresh = subject("fresh")
        key = self.country.keep_blob(made_up("wrapped key of fresh", 60))
        opening: dict[str, Value] = {"subject": fresh, "mail": b"m" * 40, "language": "en"}
        opening |= {"mail_token": made_up("token of fresh"), "key": key}
        actor = Actor("citizen", fresh)
        self.do(self._command(actor, "accounts", "open", opening, names=(key,)))
        phone: dict[str, Value] = {"token": made_up("phone"), "sealed": b"p" * 40, "kind": "phone"}
        self._citizen(self.ana, "accounts", "add_address", **phone)
        self._citizen(self.ana, "accounts", "remove_address", token=made_up("phone"))
        for number, label in enumerate((b"l" * 40, None)):
            passkey = DemoPasskey.make(self.country.entropy)
            given: dict[str, Value] = {
                "credential": passkey.credential,
                "public_key": passkey.public_key,
                "label": label,
                "transports": "internal,usb" if number else "",
                "backed_up": bool(number),
            }
            self._citizen(self.ana, "accounts", "add_passkey", **given)
        self._citizen(self.ana, "accounts", "remove_passkey", credential=passkey.credential)
        for who in (self.ana, self.ben):
            token = {"token": made_up(f"e-ID of {who}")}
            self._citizen(who, "accounts", "link_identity", issuer="https://e-id.example", **token)
        e_id = made_up(f"e-ID of {self.ana}")
        self._citizen(self.ana, "accounts", "unlink_identity", token=e_id)
        wishes: dict[str, Value] = {"language": "en", "reminders": "none"}
        self._citizen(self.ana, "accounts", "set_preferences", **wishes)

    def _relations(self) -> None:
        number: dict[str, Value] = {"number": made_up("number of ana"), "document": "id-card"}
        self._by(CLERK_BEFORE, "accounts", "identify", subject=self.ana, **number)
        pair: dict[str, Value] = {"guardian": self.ana, "ward": self.child, "kind": "child"}
        self._by(CLERK_BEFORE, "accounts", "relate", until_day="2040-01-31", **pair)
        for secret in (b"first secret....", b"second secret..."):
            hashed = hashlib.sha256(secret).digest()
            self._citizen(self.ben, "accounts", "grant_attorney", secret_hash=hashed, until_day="")
        first = hashlib.sha256(b"first secret....").digest()
        self._citizen(self.ben, "accounts", "withdraw_attorney", secret_hash=first)
        self._citizen(self.ana, "accounts", "accept_attorney", secret=b"second secret...")
        relations = self.country.rows.find("accounts_relation", kind="attorney")
        self._citizen(self.ben, "accounts", "end_relation", relation=str(relations[0]["id"]))

    def _programs(self) -> None:
        token = made_up("token of a program")
        scopes: list[Value] = ["appointments:read", "appointments:book"]
        self._citizen(
            self.ana,
            "accounts",
            "issue_api_token",
            token_hash=token,
            scopes=scopes,
            label=b"l" * 30,
        )
        self._citizen(self.ana, "accounts", "revoke_api_token", token_hash=token)
        other: dict[str, Value] = {"token_hash": made_up("an operator's token")}
        self._by(
            OPERATOR, "accounts", "issue_api_token", name="Kërkime", scopes=["slots:read"], **other
        )

    def _clinic(self) -> None:
        where: dict[str, Value] = {"name": "Klinika Çelësi", "town": "Tiranë", "county": "Tiranë"}
        address = "Rruga e Lirisë 1"
        self._by(OPERATOR, "appointments", "open_clinic", clinic="c1", address=address, **where)
        who: dict[str, Value] = {"practitioner": DOCTOR}
        named: dict[str, Value] = {"clinic": "c1", "name": "Dr. Demo", "speciality": "Pediatri"}
        self._by(OPERATOR, "appointments", "add_practitioner", **who, **named)
        first = datetime.fromtimestamp(self.clock.at_ms / 1000, UTC).date() + timedelta(days=1)
        self.first = first
        weekly: list[Value] = [[day, 540, 660, 20] for day in range(1, 8)]
        valid: dict[str, Value] = {"valid_from": first.isoformat(), "valid_to": "2027-12-31"}
        self._by(OPERATOR, "appointments", "set_schedule", weekly=weekly, zone=ZONE, **who, **valid)
        last = first + timedelta(days=12)
        shifts: list[Value] = [list(pair) for pair in offsets(ZONE, first, last)]
        days: dict[str, Value] = {"first_day": first.isoformat(), "last_day": last.isoformat()}
        self._by(
            OPERATOR, "appointments", "publish_slots", zone=ZONE, offsets=shifts, **who, **days
        )
        self.shifts = shifts

    def _staff(self) -> None:
        staff: list[Value] = []
        for name, role in (("olsi", "operator"), ("oriana", "operator"), ("elira", "clerk")):
            passkey = DemoPasskey.make(self.country.entropy)
            actor = Actor(role, subject(name))  # type: ignore[arg-type]
            self.hands[name] = Hands(actor, mark(f"session of {name}"), passkey)
            keys: dict[str, Value] = {"public_key": passkey.public_key}
            keys["credential"] = passkey.credential
            staff.append({"subject": actor.subject, "role": role, **keys})
        self._by(Actor("custodian", FOUNDER), "accounts", "found_staff", staff=staff)
        for add, then in ((True, "withdraw_role"), (True, "approve_role"), (False, "approve_role")):
            wanted: dict[str, Value] = {"subject": self.ana, "role": "clerk", "add": add}
            self._signed("olsi", "accounts", "propose_role", **wanted)
            [row] = self.country.rows.find("accounts_proposal", state="open")
            self._signed("oriana", "accounts", then, proposal=str(row["id"]))
        elira = self.hands["elira"].actor.subject
        self._signed("olsi", "accounts", "propose_role", subject=elira, role="analyst", add=True)
        [row] = self.country.rows.find("accounts_proposal", state="open")
        self._signed("oriana", "accounts", "approve_role", proposal=str(row["id"]))
        self._signed("olsi", "accounts", "revoke_role", subject=elira, role="analyst")

    def _free(self, day: int = 2, hour: int = 0) -> str:
        """A free slot, so many days on."""
        after = self.clock.at_ms // 1000 + 3600 * 3
        slots = [
            row
            for row in self.country.rows.find("appointments_slot", state="free")
            if int(str(row["starts_s"])) > after
        ]
        slots.sort(key=lambda row: int(str(row["starts_s"])))
        return str(slots[min(day + hour, len(slots) - 1)]["id"])

    def _booked(self, slot: str) -> str:
        row = self.country.rows.get("appointments_slot", slot)
        assert row is not None
        return str(row["appointment"])

    def _appointments(self) -> None:
        sealed: dict[str, Value] = {"reason": b"r" * 50, "contact": b"c" * 40}
        slot = self._free(3)
        self._citizen(self.ana, "appointments", "book", slot=slot, **sealed)
        appointment = self._booked(slot)
        self._citizen(
            self.ana, "appointments", "reschedule", appointment=appointment, slot=self._free(9)
        )
        self._citizen(self.ana, "appointments", "cancel", appointment=appointment)
        for_child = Actor("citizen", self.ana, self.child)
        self._by(for_child, "appointments", "book", slot=self._free(12))

    def _desk(self) -> None:
        slots = [self._free(0), self._free(1), self._free(4)]
        for slot, citizen in zip(slots, (self.ana, self.ben, self.child), strict=True):
            more: dict[str, Value] = {"citizen": citizen, "identity": "document"}
            self._signed("elira", "appointments", "book", slot=slot, **more)
        first, second, third = map(self._booked, slots)
        moved: dict[str, Value] = {"appointment": third, "citizen": self.child}
        self._signed("elira", "appointments", "reschedule", slot=self._free(6), **moved)
        self._signed("elira", "appointments", "cancel", **moved)
        row = self.country.rows.get("appointments_appointment", second)
        assert row is not None
        self.clock.at_ms = int(str(row["starts_s"])) * 1000 + 60_000
        for name, appointment in (
            ("note_arrival", first),
            ("end_visit", first),
            ("note_missed", second),
            ("take_back_visit", second),
        ):
            self._signed("elira", "appointments", name, appointment=appointment)
        walk: dict[str, Value] = {"practitioner": DOCTOR, "minutes": 15, "zone": ZONE}
        self._signed("elira", "appointments", "walk_in", citizen=subject("stranger"), **walk)
        told: dict[str, Value] = {"reason": b"r" * 20, "contact": b"c" * 20, "identity": "call"}
        self._signed("elira", "appointments", "walk_in", citizen=subject("other"), **walk, **told)

    def _closed_days(self) -> None:
        who: dict[str, Value] = {"practitioner": DOCTOR}
        far, near = self.first + timedelta(days=5), self.first + timedelta(days=7)
        slots = [self._slot_on(near, number) for number in (0, 1, 2)]
        people = (self.ana, self.ben, self.child)
        for slot, citizen in zip(slots, people, strict=True):
            self._citizen(citizen, "appointments", "book", slot=slot)
        moves: list[Value] = [
            [self._booked(slots[number]), self._slot_on(far, number)] for number in (0, 1)
        ]
        self._signed("elira", "appointments", "close_day", day=near.isoformat(), moves=moves, **who)
        hours: dict[str, Value] = {"hours": [[540, 720, 30]], "zone": ZONE}
        day = {"day": (self.first + timedelta(days=9)).isoformat(), "kind": "hours"}
        self._signed(
            "elira", "appointments", "set_exception", offsets=self.shifts, **who, **day, **hours
        )
        closed = {"day": (self.first + timedelta(days=10)).isoformat(), "kind": "closed"}
        self._signed("elira", "appointments", "set_exception", **who, **closed)

    def _slot_on(self, day: Any, number: int) -> str:
        rows = self.country.rows.find("appointments_slot", day=day.isoformat())
        rows.sort(key=lambda row: int(str(row["starts_s"])))
        return str(rows[number]["id"])

    def _letters(self) -> None:
        for number, name in enumerate(("record_sent", "record_failed")):
            letter: dict[str, Value] = {
                "message": made_up(f"letter {number}", 16).hex(),
                "subject": self.ana,
                "kind": "booked",
                "about": made_up("about", 16).hex(),
                "channel": "mail",
            }
            why: dict[str, Value] = {"why": "given-up"} if number else {}
            self._by(POST, "messages", name, **letter, **why)
        self._by(POST, "messages", "note_looked", up_to=self.country.writer.end)

    def _theft_and_undo(self) -> None:
        """He cancels, somebody takes the time, he books and cancels, somebody takes that too."""
        self.clock.at_ms += DAY_MS
        thief = replace(self.hands["elira"], via=THEFT)
        slot, other = self._free(8), self._free(11)
        self._citizen(self.child, "appointments", "book", slot=slot)
        whose: dict[str, Value] = {"appointment": self._booked(slot), "citizen": self.child}
        self.do(self._sign(thief, "appointments", "cancel", whose))
        self._citizen(self.ben, "appointments", "book", slot=slot)
        self.do(self._sign(thief, "appointments", "book", {"slot": other, "citizen": self.ben}))
        whose = {"appointment": self._booked(other), "citizen": self.ben}
        self.do(self._sign(thief, "appointments", "cancel", whose))
        self._citizen(self.ana, "appointments", "book", slot=other)
        country = self.country
        scratch = Path(country.folder) / "scratch"
        scratch.mkdir()
        authority = Authority(country.policy.relying_party, ())
        policies = [*reversed(country.policies)]
        stage = Stage(scratch, country.tables, SERVICES, authority, policies, FIRST_EPOCH)
        selection = Selection(sessions=(THEFT,))
        planned = plan_undo(country.plans(), country.keys, selection, stage, "a stolen session")
        note = sign_annulment(planned.annulment, simulated.custodian_keys())
        answer = country.annul(note, planned.parts)
        if answer.status != "accepted":
            raise SystemExit(f"the undo: {answer}")

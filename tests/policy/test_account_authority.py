"""Nobody acts in a role they do not have, without their passkey, or for whom they may not."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from fakes.authenticator import Authenticator
from fakes.desk import Desk
from kulla.kernel.canonical import encode
from kulla.kernel.service import Act, Actor, Asked, Command, Refusal, Role
from kulla.services.accounts import apply
from kulla.services.accounts.authority import Authority, origins_of
from kulla.services.accounts.service import SERVICE

ANA, BEN, CEN, DEA = "a" * 32, "b" * 32, "c" * 32, "d" * 32
NOW_MS = 1_772_000_000_123
PARTY, ORIGIN = "sherbime.example.al", "https://sherbime.example.al"
KEYS = {who: Authenticator(number) for number, who in enumerate((ANA, BEN, CEN))}
DATA: dict[str, Any] = {"subject": DEA, "name": b"sealed"}
BAD = Refusal("bad-signature")


@pytest.fixture
def authority() -> Authority:
    return Authority(PARTY, origins_of(ORIGIN, PARTY, 8000))


@pytest.fixture
def new() -> Desk:
    return Desk(SERVICE, NOW_MS)


@pytest.fixture
def desk(new: Desk) -> Desk:
    """Ana and Ben are operators, Cen is a clerk; Ana may act for Dea, her child."""
    staff = [
        {
            "subject": who,
            "role": role,
            "credential": KEYS[who].credential,
            "public_key": KEYS[who].public_key,
        }
        for who, role in ((ANA, "operator"), (BEN, "operator"), (CEN, "clerk"))
    ]
    assert isinstance(new.ask("custodian", "founding", "found_staff", staff=staff), list)
    until = {"kind": "child", "until_day": "2026-02-25"}
    new.done("clerk", CEN, "relate", guardian=ANA, ward=DEA, **until)
    return new


def wish(actor: Actor, service: str = "citizens", name: str = "register") -> Command:
    return Command(service, name, b"i" * 16, actor, DATA)


def signed(command: Command, by: str = "", **parts: Any) -> Command:
    key = KEYS[by or command.actor.subject]
    return replace(command, assertion=key.sign(command.key(), **parts))


def refused(authority: Authority, desk: Desk, command: Command) -> Refusal | None:
    asked = Asked(
        command.name,
        command.actor,
        command.data,
        desk.now_ms,
        command.key(),
        command.assertion,
    )
    return authority.refuse(desk.rows, asked, command.service)


def act_of(command: Command, at_ms: int = NOW_MS) -> Act:
    return Act(
        position=50,
        service=command.service,
        name="registered",
        version=1,
        at_ms=at_ms,
        actor=command.actor,
        command=command.key(),
        data=DATA,
        assertion=command.assertion,
        wish=command.wish() if command.assertion else b"",
    )


CLERK = Actor("clerk", CEN)


def test_staff_who_sign_are_let_in(authority: Authority, desk: Desk) -> None:
    for actor in (CLERK, Actor("operator", ANA)):
        command = signed(wish(actor))
        assert refused(authority, desk, command) is None
        assert authority.doubt(desk.rows, act_of(command)) == ""


@pytest.mark.parametrize("role", ["clerk", "operator", "analyst", "custodian"])
def test_before_the_staff_begins_everybody_at_the_machine_is_believed(
    authority: Authority, new: Desk, role: Role
) -> None:
    command = wish(Actor(role, "op"))
    assert refused(authority, new, command) is None
    assert authority.doubt(new.rows, act_of(command)) == ""


def test_the_acts_that_found_the_staff_are_not_doubted(authority: Authority, desk: Desk) -> None:
    rows = Desk(SERVICE, NOW_MS).rows
    for act in desk.acts[:6]:
        assert authority.doubt(rows, act) == ""
        SERVICE.acts[act.name].apply(rows, act)
    assert authority.doubt(rows, replace(desk.acts[0], command=b"x" * 32))


@pytest.mark.parametrize(
    ("actor", "code"),
    [
        (Actor("operator", CEN), "no-role"),
        (Actor("clerk", ANA), "no-role"),
        (Actor("analyst", ANA), "no-role"),
        (Actor("custodian", "founding"), "no-role"),
        (Actor("operator", "demo"), "no-role"),
        (CLERK, "not-signed"),
    ],
)
def test_without_role_or_signature_nobody_is_let_in(
    authority: Authority, desk: Desk, actor: Actor, code: str
) -> None:
    command = wish(actor)
    detail = {"role": actor.role} if code == "no-role" else {}
    assert refused(authority, desk, command) == Refusal(code, detail)
    assert code in authority.doubt(desk.rows, act_of(command))


def test_who_lost_the_role_is_out_at_once(authority: Authority, desk: Desk) -> None:
    desk.done("operator", ANA, "revoke_role", subject=CEN, role="clerk")
    assert refused(authority, desk, signed(wish(CLERK))) == Refusal("no-role", {"role": "clerk"})


def test_anothers_passkey_or_one_that_was_removed_signs_nothing(
    authority: Authority, desk: Desk
) -> None:
    assert refused(authority, desk, signed(wish(CLERK), by=ANA)) == BAD
    stranger = Authenticator(77)
    command = wish(CLERK)
    unknown = replace(command, assertion=stranger.sign(command.key()))
    assert refused(authority, desk, unknown) == BAD
    desk.rows.drop(apply.PASSKEY, KEYS[CEN].credential)
    assert refused(authority, desk, signed(wish(CLERK))) == BAD


def test_a_signature_is_for_one_command_of_one_person(authority: Authority, desk: Desk) -> None:
    honest = signed(wish(CLERK))
    others = [
        replace(honest, id=b"j" * 16),
        replace(honest, name="register_many"),
        replace(honest, service="appointments"),
        replace(honest, data=DATA | {"name": b"another"}),
        replace(honest, names=(b"n" * 32,)),
    ]
    for other in others:
        assert refused(authority, desk, other) == BAD


@pytest.mark.parametrize(
    "parts",
    [
        {"origin": "https://evil.example"},
        {"relying_party": "evil.example"},
        {"flags": 1},
        {"kind": "webauthn.create"},
    ],
)
def test_a_signature_of_another_site_or_nobody_is_refused(
    authority: Authority, desk: Desk, parts: dict[str, Any]
) -> None:
    command = signed(wish(CLERK), **parts)
    assert refused(authority, desk, command) == BAD
    assert "bad-signature" in authority.doubt(desk.rows, act_of(command))


@pytest.mark.parametrize("assertion", [b"x", b"\xff" * 100, encode({"credential": "x"})])
def test_what_is_no_assertion_is_refused(
    authority: Authority, desk: Desk, assertion: bytes
) -> None:
    command = replace(wish(CLERK), assertion=assertion)
    assert refused(authority, desk, command) == BAD


def test_a_replay_takes_a_site_of_the_past(authority: Authority, desk: Desk) -> None:
    command = signed(wish(CLERK), origin="https://2019.sherbime.example.al")
    assert refused(authority, desk, command) == BAD
    assert authority.doubt(desk.rows, act_of(command)) == ""


def test_a_replay_wants_the_wish_that_was_signed(authority: Authority, desk: Desk) -> None:
    honest = act_of(signed(wish(CLERK)))
    for forged in (
        replace(honest, wish=b""),
        replace(honest, wish=honest.wish + b"\0"),
        replace(honest, service="appointments"),
    ):
        assert "other-wish" in authority.doubt(desk.rows, forged)
    junk = b"\xff no CBOR"
    name = hashlib.sha256(junk).digest()
    forged = replace(honest, wish=junk, command=name, assertion=KEYS[CEN].sign(name))
    assert "other-wish" in authority.doubt(desk.rows, forged)


def test_the_post_notes_what_it_sent_and_nothing_else(authority: Authority, desk: Desk) -> None:
    post = Actor("operator", "post")
    assert refused(authority, desk, wish(post, "messages", "record_sent")) is None
    assert authority.doubt(desk.rows, act_of(wish(post, "messages"))) == ""
    assert refused(authority, desk, wish(post, "accounts", "revoke_role")) is not None
    clerk = Actor("clerk", "post")
    assert refused(authority, desk, wish(clerk, "messages", "record_sent")) is not None


def test_the_towers_own_acts_are_the_custodians_matter(authority: Authority, desk: Desk) -> None:
    own = act_of(wish(Actor("custodian", "custodians"), "tower"))
    assert authority.doubt(desk.rows, own) == ""


def test_a_citizen_acts_for_whom_a_relation_names(authority: Authority, desk: Desk) -> None:
    for_child = wish(Actor("citizen", ANA, behalf=DEA))
    assert refused(authority, desk, for_child) is None
    assert authority.doubt(desk.rows, act_of(for_child)) == ""
    for actor in (Actor("citizen", DEA, behalf=ANA), Actor("citizen", BEN, behalf=DEA)):
        assert refused(authority, desk, wish(actor)) == Refusal("not-acting-for")
        assert "not-acting-for" in authority.doubt(desk.rows, act_of(wish(actor)))
    assert refused(authority, desk, wish(Actor("citizen", BEN))) is None


def test_a_relation_that_is_over_lets_nobody_act(authority: Authority, desk: Desk) -> None:
    command = wish(Actor("citizen", ANA, behalf=DEA))
    desk.now_ms += 24 * 3600 * 1000
    assert refused(authority, desk, command) == Refusal("not-acting-for")
    assert authority.doubt(desk.rows, act_of(command)) == ""  # then it stood
    assert authority.doubt(desk.rows, act_of(command, desk.now_ms))


def test_staff_act_in_their_own_name(authority: Authority, desk: Desk) -> None:
    command = signed(wish(Actor("clerk", CEN, behalf=DEA)))
    assert refused(authority, desk, command) == Refusal("not-acting-for")


def test_the_sites_of_a_home() -> None:
    assert origins_of("https://sherbime.example.al/", PARTY, 8000) == (ORIGIN,)
    assert origins_of("http://localhost:8000", "localhost", 8000) == ("http://localhost:8000",)
    assert origins_of("http://localhost:8000", "localhost", 9000) == (
        "http://localhost:8000",
        "http://localhost:9000",
    )

"""How the staff begins, and how roles are given by two and taken by one."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.authenticator import Authenticator
from fakes.desk import Desk
from kulla.kernel.errors import UnfitAct
from kulla.kernel.service import Act, Actor, Refusal
from kulla.services.accounts import acts, apply, policy, staff
from kulla.services.accounts.service import SERVICE

ANA, BEN, CEN, DEA = "a" * 32, "b" * 32, "c" * 32, "d" * 32
NOW_MS = 1_772_000_000_123
DAY_MS = 24 * 3600 * 1000
KEYS = {who: Authenticator(number, "EdDSA") for number, who in enumerate((ANA, BEN, CEN, DEA))}
SPARE = Authenticator(99, "EdDSA")


def founder(subject: str, role: str = "operator", **other: Any) -> dict[str, Any]:
    key = KEYS[subject]
    given = {"subject": subject, "role": role}
    return given | {"credential": key.credential, "public_key": key.public_key} | other


def passkey(key: Authenticator) -> dict[str, Any]:
    more = {"transports": "", "backed_up": False}
    return {"credential": key.credential, "public_key": key.public_key} | more


@pytest.fixture
def new() -> Desk:
    return Desk(SERVICE, NOW_MS)


@pytest.fixture
def desk(new: Desk) -> Desk:
    """A staff of two operators, Ana and Ben; Cen has an account with a passkey."""
    found(new, founder(ANA), founder(BEN))
    mail = {"mail": b"x", "mail_token": b"c" * 32, "language": "sq"}
    new.done("citizen", CEN, "open", subject=CEN, **mail)
    new.done("citizen", CEN, "add_passkey", **passkey(KEYS[CEN]))
    return new


def found(desk: Desk, *founders: dict[str, Any]) -> Any:
    return desk.ask("custodian", "founding", "found_staff", staff=list(founders))


def roles(desk: Desk) -> set[str]:
    return {str(key) for key in desk.rows.tables[apply.ROLE]}


def propose(desk: Desk, who: str = ANA, **wish: Any) -> str:
    wish = {"subject": CEN, "role": "clerk", "add": True} | wish
    return str(desk.done("operator", who, "propose_role", **wish).data["proposal"])


def test_the_staff_begins_with_its_passkeys(new: Desk) -> None:
    made = found(new, founder(ANA), founder(BEN), founder(CEN, "clerk"))
    assert [act.name for act in made] == [acts.PASSKEY_ADDED, acts.ROLE_GRANTED] * 3
    assert roles(new) == {f"{ANA}:operator", f"{BEN}:operator", f"{CEN}:clerk"}
    row = new.rows.get(apply.PASSKEY, KEYS[CEN].credential)
    assert row is not None
    assert (row["subject"], row["public_key"]) == (CEN, KEYS[CEN].public_key)
    assert new.rows.get(apply.FOUNDING, "staff") == {
        "id": "staff",
        "command": made[0].command,
        "founded_ms": NOW_MS,
        "position": 1,
    }
    assert new.replayed().tables == new.rows.tables


def test_the_staff_begins_once_even_if_all_were_gone(desk: Desk) -> None:
    assert found(desk, founder(CEN), founder(DEA)) == Refusal("already-founded")
    desk.rows.tables[apply.ROLE].clear()
    assert found(desk, founder(CEN), founder(DEA)) == Refusal("already-founded")


def test_a_founding_needs_two_operators_and_nobody_twice(new: Desk) -> None:
    few = Refusal("too-few-operators", {"min": 2})
    assert found(new, founder(ANA)) == few
    assert found(new, founder(ANA), founder(BEN, "clerk")) == few
    twice = Refusal("founder-twice", {"subject": ANA})
    assert found(new, founder(ANA), founder(ANA, credential=SPARE.credential)) == twice
    twice = Refusal("founder-twice", {"subject": BEN})
    one_key = founder(BEN, public_key=KEYS[ANA].public_key)
    assert found(new, founder(ANA), one_key) == twice
    one_credential = founder(BEN, credential=KEYS[ANA].credential)
    assert found(new, founder(ANA), one_credential) == twice
    assert new.acts == []


def test_a_founders_passkey_is_nobody_elses(new: Desk) -> None:
    mail = {"mail": b"x", "mail_token": b"c" * 32, "language": "sq"}
    new.done("citizen", CEN, "open", subject=CEN, **mail)
    new.done("citizen", CEN, "add_passkey", **passkey(KEYS[ANA]))
    assert found(new, founder(ANA), founder(BEN)) == Refusal("taken", {"kind": "passkey"})


def test_a_founder_may_bring_the_passkey_of_their_account(new: Desk) -> None:
    mail = {"mail": b"x", "mail_token": b"a" * 32, "language": "sq"}
    new.done("citizen", ANA, "open", subject=ANA, **mail)
    new.done("citizen", ANA, "add_passkey", **passkey(KEYS[ANA]))
    other = founder(ANA, public_key=KEYS[CEN].public_key)
    assert found(new, other, founder(BEN)) == Refusal("taken", {"kind": "passkey"})
    made = found(new, founder(ANA), founder(BEN))
    assert [act.name for act in made] == [
        acts.ROLE_GRANTED,
        acts.PASSKEY_ADDED,
        acts.ROLE_GRANTED,
    ]
    assert new.replayed().tables == new.rows.tables


def test_only_the_founding_founds(new: Desk) -> None:
    for who in (Actor("custodian", "custodians"), Actor("operator", "founding")):
        refusal = new.refused(who.role, who.subject, "found_staff", staff=[founder(ANA)])
        assert refusal == Refusal("not-allowed", {"role": who.role, "command": "found_staff"})


def test_two_operators_give_a_role(desk: Desk) -> None:
    proposal = propose(desk)
    row = desk.rows.get(apply.PROPOSAL, proposal)
    assert row is not None
    assert (row["proposed_by"], row["state"], row["add"]) == (ANA, "open", 1)
    alone = desk.refused("operator", ANA, "approve_role", proposal=proposal)
    assert alone == Refusal("same-operator")
    act = desk.done("operator", BEN, "approve_role", proposal=proposal)
    assert act.data == {"subject": CEN, "role": "clerk", "proposal": proposal, "proposed_by": ANA}
    assert f"{CEN}:clerk" in roles(desk)
    again = desk.refused("operator", BEN, "approve_role", proposal=proposal)
    assert again == Refusal("proposal-closed", {"proposal": proposal})
    has = desk.refused("operator", ANA, "propose_role", subject=CEN, role="clerk", add=True)
    assert has == Refusal("has-role", {"subject": CEN, "role": "clerk"})
    assert desk.replayed().tables == desk.rows.tables


def test_a_role_can_be_taken_by_two_or_by_one(desk: Desk) -> None:
    for role in ("clerk", "analyst"):
        desk.done("operator", BEN, "approve_role", proposal=propose(desk, role=role))
    taken = propose(desk, add=False)
    act = desk.done("operator", BEN, "approve_role", proposal=taken)
    assert (act.name, act.data["proposed_by"]) == (acts.ROLE_REVOKED, ANA)
    act = desk.done("operator", BEN, "revoke_role", subject=CEN, role="analyst")
    assert act.data == {"subject": CEN, "role": "analyst", "proposal": "", "proposed_by": ""}
    assert roles(desk) == {f"{ANA}:operator", f"{BEN}:operator"}
    has_not = Refusal("has-no-role", {"subject": CEN, "role": "clerk"})
    assert desk.refused("operator", ANA, "revoke_role", subject=CEN, role="clerk") == has_not
    wish = {"subject": CEN, "role": "clerk", "add": False}
    assert desk.refused("operator", ANA, "propose_role", **wish) == has_not
    assert desk.replayed().tables == desk.rows.tables


def test_an_operator_is_left_to_go_on(desk: Desk) -> None:
    desk.done("operator", ANA, "revoke_role", subject=BEN, role="operator")
    last = desk.refused("operator", ANA, "revoke_role", subject=ANA, role="operator")
    assert last == Refusal("last-operator")


def test_who_is_no_operator_any_more_proposed_nothing(desk: Desk) -> None:
    proposal = propose(desk)
    desk.done("operator", BEN, "revoke_role", subject=ANA, role="operator")
    refusal = desk.refused("operator", BEN, "approve_role", proposal=proposal)
    assert refusal == Refusal("proposal-stale", {"proposal": proposal})


def test_a_proposal_grows_old_and_another_takes_its_place(desk: Desk) -> None:
    old = propose(desk)
    same = {"subject": CEN, "role": "clerk", "add": True}
    refusal = desk.refused("operator", BEN, "propose_role", **same)
    assert refusal == Refusal("already-proposed", {"proposal": old})
    desk.now_ms += policy.PROPOSAL_DAYS * DAY_MS
    refusal = desk.refused("operator", BEN, "approve_role", proposal=old)
    assert refusal == Refusal("proposal-stale", {"proposal": old})
    fresh = propose(desk, BEN)
    again = desk.refused("operator", ANA, "propose_role", **same)
    assert again == Refusal("already-proposed", {"proposal": fresh})
    desk.done("operator", ANA, "approve_role", proposal=fresh)


def test_any_operator_withdraws_a_proposal(desk: Desk) -> None:
    proposal = propose(desk)
    desk.done("operator", BEN, "withdraw_role", proposal=proposal)
    closed = Refusal("proposal-closed", {"proposal": proposal})
    assert desk.refused("operator", BEN, "approve_role", proposal=proposal) == closed
    assert desk.refused("operator", ANA, "withdraw_role", proposal=proposal) == closed
    unknown = desk.refused("operator", BEN, "approve_role", proposal="9" * 32)
    assert unknown == Refusal("proposal-unknown", {"proposal": "9" * 32})


def test_a_role_needs_a_passkey_that_was_there_when_it_was_proposed(desk: Desk) -> None:
    wish = {"subject": DEA, "role": "clerk", "add": True}
    refusal = desk.refused("operator", ANA, "propose_role", **wish)
    assert refusal == Refusal("no-passkey", {"subject": DEA})
    proposal = propose(desk)
    sneaked = desk.refused("citizen", CEN, "add_passkey", **passkey(SPARE))
    assert sneaked == Refusal("staff-signs")
    desk.done("clerk", CEN, "add_passkey", **passkey(SPARE))  # as one with another role could
    refusal = desk.refused("operator", BEN, "approve_role", proposal=proposal)
    assert refusal == Refusal("passkeys-changed", {"subject": CEN})


def test_a_proposal_that_was_withdrawn_or_is_old_frees_the_passkeys(desk: Desk) -> None:
    proposal = propose(desk)
    desk.now_ms += policy.PROPOSAL_DAYS * DAY_MS
    desk.done("citizen", CEN, "add_passkey", **passkey(SPARE))
    desk.done("operator", BEN, "withdraw_role", proposal=proposal)
    desk.done("citizen", CEN, "remove_passkey", credential=SPARE.credential)
    assert desk.replayed().tables == desk.rows.tables


def test_what_changed_since_the_proposal_is_seen(desk: Desk) -> None:
    given, taken = propose(desk), propose(desk, subject=BEN, role="operator", add=False)
    desk.done("operator", BEN, "approve_role", proposal=given)
    again = propose(desk, add=False)
    desk.done("operator", BEN, "revoke_role", subject=CEN, role="clerk")
    refusal = desk.refused("operator", BEN, "approve_role", proposal=again)
    assert refusal == Refusal("has-no-role", {"subject": CEN, "role": "clerk"})
    desk.done("operator", BEN, "approve_role", proposal=taken)  # of oneself, by another's wish
    assert f"{BEN}:operator" not in roles(desk)


WISHES: dict[str, dict[str, Any]] = {
    "propose_role": {"subject": CEN, "role": "clerk", "add": True},
    "approve_role": {"proposal": "9" * 32},
    "withdraw_role": {"proposal": "9" * 32},
    "revoke_role": {"subject": BEN, "role": "operator"},
}


@pytest.mark.parametrize("name", WISHES)
@pytest.mark.parametrize("role", ["citizen", "clerk", "analyst", "custodian"])
def test_only_operators_give_and_take(desk: Desk, name: str, role: Any) -> None:
    refusal = desk.refused(role, ANA, name, **WISHES[name])
    assert refusal == Refusal("not-allowed", {"role": role, "command": name})
    desk.behalf = CEN
    assert desk.refused("operator", ANA, name, **WISHES[name]) == Refusal("not-for-another")


@pytest.mark.parametrize(
    ("name", "wrong", "field"),
    [
        ("propose_role", {"subject": "c"}, "subject"),
        ("propose_role", {"role": "custodian"}, "role"),
        ("propose_role", {"role": "citizen"}, "role"),
        ("propose_role", {"add": 1}, "add"),
        ("propose_role", {"surplus": 1}, "surplus"),
        ("approve_role", {"proposal": 9}, "proposal"),
        ("approve_role", {"surplus": 1}, "surplus"),
        ("withdraw_role", {"proposal": "x" * 32}, "proposal"),
        ("revoke_role", {"role": None}, "role"),
        ("revoke_role", {"subject": 7}, "subject"),
        ("revoke_role", {"surplus": 1}, "surplus"),
    ],
)
def test_a_misshapen_field_is_named(
    desk: Desk, name: str, wrong: dict[str, Any], field: str
) -> None:
    refusal = desk.refused("operator", ANA, name, **WISHES[name] | wrong)
    assert refusal == Refusal("malformed", {"field": field})


@pytest.mark.parametrize(
    ("listed", "field"),
    [
        (None, "staff"),
        ([], "staff"),
        ("x", "staff"),
        ([founder(ANA)] * (staff.FOUNDING_MAX + 1), "staff"),
        ([founder(ANA), 7], "staff[1]"),
        ([founder(ANA) | {"subject": "a"}], "staff[0].subject"),
        ([founder(ANA, "custodian")], "staff[0].role"),
        ([founder(ANA, credential="x")], "staff[0].credential"),
        ([founder(ANA), founder(BEN, public_key=b"x")], "staff[1].public_key"),
        ([founder(ANA, surplus=1)], "staff[0].surplus"),
    ],
)
def test_a_misshapen_founder_is_named(new: Desk, listed: Any, field: str) -> None:
    refusal = new.refused("custodian", "founding", "found_staff", staff=listed)
    assert refusal == Refusal("malformed", {"field": field})
    more = new.refused("custodian", "founding", "found_staff", staff=[founder(ANA)], surplus=1)
    assert more == Refusal("malformed", {"field": "staff"})


def test_acts_that_do_not_fit_change_nothing(desk: Desk) -> None:
    proposal, closed = propose(desk), propose(desk, role="analyst")
    desk.done("operator", ANA, "withdraw_role", proposal=closed)
    before = desk.replayed().tables
    none = {"proposal": "", "proposed_by": ""}
    wish = {"subject": CEN, "role": "clerk", "add": True}
    stray = [
        (acts.ROLE_PROPOSED, {"proposal": proposal, **wish}),
        (acts.ROLE_PROPOSAL_WITHDRAWN, {"proposal": closed}),
        (acts.ROLE_PROPOSAL_WITHDRAWN, {"proposal": "9" * 32}),
        (acts.ROLE_GRANTED, {"subject": CEN, "role": "clerk", **none}),  # a second founding
        (acts.ROLE_GRANTED, {"subject": CEN, "role": "clerk", **none, "proposal": closed}),
        (acts.ROLE_GRANTED, {"subject": ANA, "role": "operator", **none, "proposal": proposal}),
        (acts.ROLE_REVOKED, {"subject": CEN, "role": "clerk", **none}),
        (acts.ROLE_REVOKED, {"subject": ANA, "role": "operator", **none, "proposal": closed}),
    ]
    for name, data in stray:
        act = Act(99, "accounts", name, 1, NOW_MS, Actor("operator", ANA), b"x" * 32, data)
        with pytest.raises(UnfitAct, match="act 99"):
            SERVICE.acts[name].apply(desk.rows, act)
    assert desk.rows.tables == before

"""What people may do with their own account: addresses, passkeys, identities, preferences."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.authenticator import Authenticator
from fakes.desk import Desk
from kulla.kernel.errors import UnfitAct
from kulla.kernel.service import Act, Actor, Refusal
from kulla.services.accounts import acts, apply, policy
from kulla.services.accounts.service import SERVICE

ANA, BEN, CEN = "a" * 32, "b" * 32, "c" * 32
NOW_MS = 1_772_000_000_123
OPERATOR = Actor("operator", "op")
PASSKEYS = [Authenticator(seed, "EdDSA") for seed in range(policy.PASSKEYS_MAX + 1)]


def token(number: int) -> bytes:
    return number.to_bytes(32, "big")


def passkey(number: int = 0, **other: Any) -> dict[str, Any]:
    one = PASSKEYS[number]
    given = {
        "credential": one.credential,
        "public_key": one.public_key,
        "label": b"sealed",
        "transports": "hybrid,internal",
        "backed_up": True,
    }
    return given | other


def opening(subject: str, number: int = 1, **other: Any) -> dict[str, Any]:
    return {
        "subject": subject,
        "mail": b"sealed",
        "mail_token": token(number),
        "language": "sq",
    } | other


@pytest.fixture
def desk() -> Desk:
    return Desk(SERVICE, NOW_MS)


@pytest.fixture
def ana(desk: Desk) -> Desk:
    """A desk where Ana has an account with one address."""
    desk.done("citizen", ANA, "open", **opening(ANA))
    return desk


def give_role(desk: Desk, subject: str, role: str = "clerk", *, add: bool = True) -> None:
    """Give a role past the policy, as a founding or two operators would."""
    name = acts.ROLE_GRANTED if add else acts.ROLE_REVOKED
    data = {"subject": subject, "role": role, "proposal": "", "proposed_by": ""}
    act = Act(len(desk.acts), "accounts", name, 1, NOW_MS, OPERATOR, b"f" * 32, data)
    SERVICE.acts[name].apply(desk.rows, act)
    desk.acts.append(act)


def test_an_account_opens_with_its_address(desk: Desk) -> None:
    act = desk.done("citizen", ANA, "open", **opening(ANA))
    assert act.data == opening(ANA)
    assert desk.rows.get(apply.ACCOUNT, ANA) == {
        "subject": ANA,
        "language": "sq",
        "reminders": "mail",
        "opened_ms": NOW_MS,
        "position": 0,
    }
    assert desk.rows.get(apply.ADDRESS, token(1)) == {
        "token": token(1),
        "subject": ANA,
        "kind": "mail",
        "sealed": b"sealed",
        "added_ms": NOW_MS,
        "position": 0,
    }


def test_an_account_may_bring_the_name_of_its_key(desk: Desk) -> None:
    key = b"k" * 32
    assert desk.done("citizen", ANA, "open", **opening(ANA, key=key)).data["key"] == key


def test_nobody_opens_an_account_for_another_or_twice_or_with_a_known_address(ana: Desk) -> None:
    assert ana.refused("citizen", BEN, "open", **opening(CEN, 2)) == Refusal("not-yours")
    again = ana.refused("citizen", ANA, "open", **opening(ANA, 2))
    assert again == Refusal("already-open", {"subject": ANA})
    assert ana.refused("citizen", BEN, "open", **opening(BEN)) == Refusal("taken", {"kind": "mail"})


OWN = {
    "open": opening(ANA, 2),
    "add_address": {"kind": "mail", "token": token(2), "sealed": b"x"},
    "remove_address": {"token": token(1)},
    "add_passkey": passkey(),
    "remove_passkey": {"credential": PASSKEYS[0].credential},
    "link_identity": {"issuer": "https://id.example", "token": token(3)},
    "unlink_identity": {"token": token(3)},
    "set_preferences": {"language": "en", "reminders": "none"},
}


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("role", ["clerk", "operator", "analyst", "custodian"])
def test_staff_do_nothing_with_an_account_but_for_their_passkeys(
    ana: Desk, name: str, role: Any
) -> None:
    if "passkey" in name and role != "custodian":
        answer = ana.ask(role, BEN, name, **OWN[name])
        assert not isinstance(answer, Refusal) or answer.code == "passkey-unknown"
        return
    refusal = ana.refused(role, ANA, name, **OWN[name])
    assert refusal == Refusal("not-allowed", {"role": role, "command": name})


@pytest.mark.parametrize("name", OWN)
def test_nobody_changes_an_account_in_anothers_place(ana: Desk, name: str) -> None:
    ana.behalf = ANA
    assert ana.refused("citizen", BEN, name, **OWN[name]) == Refusal("not-for-another")


@pytest.mark.parametrize("name", ["add_address", "add_passkey", "link_identity", "set_preferences"])
def test_without_an_account_there_is_nothing_to_change(desk: Desk, name: str) -> None:
    assert desk.refused("citizen", ANA, name, **OWN[name]) == Refusal("no-account")


def test_addresses_come_and_go(ana: Desk) -> None:
    ana.done("citizen", ANA, "add_address", kind="phone", token=token(2), sealed=b"phone")
    row = ana.rows.get(apply.ADDRESS, token(2))
    assert row is not None
    assert (row["kind"], row["sealed"], row["position"]) == ("phone", b"phone", 1)
    ana.done("citizen", ANA, "remove_address", token=token(1))
    assert ana.rows.get(apply.ADDRESS, token(1)) is None
    ana.done("citizen", BEN, "open", **opening(BEN, 1))  # what was given up is free again
    assert ana.replayed().tables == ana.rows.tables


def test_an_address_belongs_to_one_account(ana: Desk) -> None:
    ana.done("citizen", BEN, "open", **opening(BEN, 2))
    for who in (ANA, BEN):
        refusal = ana.refused(
            "citizen", who, "add_address", kind="mail", token=token(1), sealed=b"x"
        )
        assert refusal == Refusal("taken", {"kind": "mail"})
    assert ana.refused("citizen", BEN, "remove_address", token=token(1)).code == "address-unknown"
    assert ana.refused("citizen", BEN, "remove_address", token=token(9)).code == "address-unknown"


def test_addresses_passkeys_and_identities_are_bounded(ana: Desk) -> None:
    for number in range(2, policy.ADDRESSES_MAX + 1):
        ana.done("citizen", ANA, "add_address", kind="mail", token=token(number), sealed=b"x")
    refusal = ana.refused("citizen", ANA, "add_address", kind="mail", token=token(99), sealed=b"x")
    assert refusal == Refusal("too-many", {"max": policy.ADDRESSES_MAX})
    for number in range(policy.PASSKEYS_MAX):
        ana.done("citizen", ANA, "add_passkey", **passkey(number))
    refusal = ana.refused("citizen", ANA, "add_passkey", **passkey(policy.PASSKEYS_MAX))
    assert refusal == Refusal("too-many", {"max": policy.PASSKEYS_MAX})
    for number in range(policy.IDENTITIES_MAX):
        ana.done("citizen", ANA, "link_identity", issuer="https://id", token=token(number))
    refusal = ana.refused("citizen", ANA, "link_identity", issuer="https://id", token=token(99))
    assert refusal == Refusal("too-many", {"max": policy.IDENTITIES_MAX})
    assert ana.replayed().tables == ana.rows.tables


def test_a_passkey_is_kept_as_it_came(ana: Desk) -> None:
    ana.done("citizen", ANA, "add_passkey", **passkey())
    assert ana.rows.get(apply.PASSKEY, PASSKEYS[0].credential) == {
        "credential": PASSKEYS[0].credential,
        "subject": ANA,
        "public_key": PASSKEYS[0].public_key,
        "label_sealed": b"sealed",
        "transports": "hybrid,internal",
        "backed_up": 1,
        "added_ms": NOW_MS,
        "position": 1,
    }
    bare = {k: v for k, v in passkey(1, transports="", backed_up=False).items() if k != "label"}
    assert ana.done("citizen", ANA, "add_passkey", **bare).data["label"] is None


def test_a_passkey_is_one_persons(ana: Desk) -> None:
    ana.done("citizen", BEN, "open", **opening(BEN, 2))
    ana.done("citizen", ANA, "add_passkey", **passkey())
    refusal = ana.refused("citizen", BEN, "add_passkey", **passkey())
    assert refusal == Refusal("taken", {"kind": "passkey"})
    mine = PASSKEYS[0].credential
    assert ana.refused("citizen", BEN, "remove_passkey", credential=mine).code == "passkey-unknown"
    other = PASSKEYS[1].credential
    assert ana.refused("citizen", ANA, "remove_passkey", credential=other).code == "passkey-unknown"


def test_the_last_way_in_stays(ana: Desk) -> None:
    def remove(kind: str, what: Any) -> Any:
        field = "credential" if kind == "passkey" else "token"
        name = "unlink_identity" if kind == "identity" else f"remove_{kind}"
        return ana.ask("citizen", ANA, name, **{field: what})

    last = Refusal("last-way-in")
    assert remove("address", token(1)) == last
    ana.done("citizen", ANA, "add_passkey", **passkey())
    assert isinstance(remove("address", token(1)), list)
    assert remove("passkey", PASSKEYS[0].credential) == last
    ana.done("citizen", ANA, "link_identity", issuer="https://id", token=token(3))
    assert isinstance(remove("passkey", PASSKEYS[0].credential), list)
    assert remove("identity", token(3)) == last
    ana.done("citizen", ANA, "add_address", kind="mail", token=token(1), sealed=b"x")
    assert isinstance(remove("identity", token(3)), list)
    assert ana.replayed().tables == ana.rows.tables


def test_an_identity_belongs_to_one_account(ana: Desk) -> None:
    ana.done("citizen", BEN, "open", **opening(BEN, 2))
    ana.done("citizen", ANA, "link_identity", issuer="https://id.example", token=token(3))
    row = ana.rows.get(apply.IDENTITY, token(3))
    assert row == {
        "token": token(3),
        "subject": ANA,
        "issuer": "https://id.example",
        "linked_ms": NOW_MS,
        "position": 2,
    }
    for who in (ANA, BEN):
        refusal = ana.refused("citizen", who, "link_identity", issuer="x", token=token(3))
        assert refusal == Refusal("taken", {"kind": "identity"})
    assert ana.refused("citizen", BEN, "unlink_identity", token=token(3)).code == "identity-unknown"


def test_preferences_are_kept(ana: Desk) -> None:
    ana.now_ms += 1000
    ana.done("citizen", ANA, "set_preferences", language="en", reminders="none")
    row = ana.rows.get(apply.ACCOUNT, ANA)
    assert row is not None
    assert (row["language"], row["reminders"], row["position"]) == ("en", "none", 1)
    assert row["opened_ms"] == NOW_MS


def test_staff_change_their_passkeys_only_by_signing(ana: Desk) -> None:
    """Who broke into a clerk's mail box is signed in as a citizen, and gets no further."""
    ana.done("citizen", ANA, "add_passkey", **passkey())
    give_role(ana, ANA)
    assert ana.refused("citizen", ANA, "add_passkey", **passkey(1)) == Refusal("staff-signs")
    mine = PASSKEYS[0].credential
    assert ana.refused("citizen", ANA, "remove_passkey", credential=mine).code == "staff-signs"
    ana.done("clerk", ANA, "add_passkey", **passkey(1))
    ana.done("clerk", ANA, "remove_passkey", credential=mine)
    other = PASSKEYS[1].credential
    refusal = ana.refused("clerk", ANA, "remove_passkey", credential=other)
    assert refusal == Refusal("last-way-in")
    give_role(ana, ANA, add=False)
    ana.done("citizen", ANA, "add_passkey", **passkey(2))


@pytest.mark.parametrize(
    ("name", "wrong", "field"),
    [
        ("open", {"subject": "A" * 32}, "subject"),
        ("open", {"subject": None}, "subject"),
        ("open", {"mail": "in clear"}, "mail"),
        ("open", {"mail": b""}, "mail"),
        ("open", {"mail": b"x" * 8193}, "mail"),
        ("open", {"mail_token": b"short"}, "mail_token"),
        ("open", {"language": "de"}, "language"),
        ("open", {"key": b"short"}, "key"),
        ("open", {"surplus": 1}, "surplus"),
        ("add_address", {"kind": "fax"}, "kind"),
        ("add_address", {"token": None}, "token"),
        ("add_address", {"sealed": None}, "sealed"),
        ("add_address", {"surplus": 1}, "surplus"),
        ("remove_address", {"token": 1}, "token"),
        ("remove_address", {"surplus": 1}, "surplus"),
        ("add_passkey", {"credential": "short"}, "credential"),
        ("add_passkey", {"credential": "+" * 32}, "credential"),
        ("add_passkey", {"credential": "x" * 1365}, "credential"),
        ("add_passkey", {"credential": b"x" * 32}, "credential"),
        ("add_passkey", {"public_key": b"no key"}, "public_key"),
        ("add_passkey", {"public_key": b""}, "public_key"),
        ("add_passkey", {"public_key": None}, "public_key"),
        ("add_passkey", {"label": "in clear"}, "label"),
        ("add_passkey", {"transports": None}, "transports"),
        ("add_passkey", {"transports": "pigeon"}, "transports"),
        ("add_passkey", {"transports": "usb,usb"}, "transports"),
        ("add_passkey", {"backed_up": 1}, "backed_up"),
        ("add_passkey", {"surplus": 1}, "surplus"),
        ("remove_passkey", {"credential": ""}, "credential"),
        ("remove_passkey", {"surplus": 1}, "surplus"),
        ("link_identity", {"issuer": ""}, "issuer"),
        ("link_identity", {"issuer": " x"}, "issuer"),
        ("link_identity", {"issuer": "x\n"}, "issuer"),
        ("link_identity", {"issuer": "x" * 201}, "issuer"),
        ("link_identity", {"token": b""}, "token"),
        ("link_identity", {"surplus": 1}, "surplus"),
        ("unlink_identity", {"token": None}, "token"),
        ("unlink_identity", {"surplus": 1}, "surplus"),
        ("set_preferences", {"language": ["sq"]}, "language"),
        ("set_preferences", {"reminders": "pigeon"}, "reminders"),
        ("set_preferences", {"surplus": 1}, "surplus"),
    ],
)
def test_a_misshapen_field_is_named(
    desk: Desk, name: str, wrong: dict[str, Any], field: str
) -> None:
    refusal = desk.refused("citizen", ANA, name, **OWN[name] | wrong)
    assert refusal == Refusal("malformed", {"field": field})


def test_acts_that_do_not_fit_change_nothing(ana: Desk) -> None:
    ana.done("citizen", ANA, "add_passkey", **passkey())
    ana.done("citizen", ANA, "link_identity", issuer="x", token=token(3))
    before = ana.replayed().tables
    stray = [
        (acts.OPENED, opening(ANA, 9)),
        (acts.OPENED, opening(BEN, 1)),
        (acts.ADDRESS_ADDED, {"subject": ANA, "kind": "mail", "token": token(1), "sealed": b"x"}),
        (acts.ADDRESS_ADDED, {"subject": BEN, "kind": "mail", "token": token(8), "sealed": b"x"}),
        (acts.ADDRESS_REMOVED, {"subject": BEN, "token": token(1)}),
        (acts.ADDRESS_REMOVED, {"subject": ANA, "token": token(8)}),
        (acts.PASSKEY_ADDED, {"subject": ANA, **passkey()}),
        (acts.PASSKEY_REMOVED, {"subject": BEN, "credential": PASSKEYS[0].credential}),
        (acts.PASSKEY_REMOVED, {"subject": ANA, "credential": PASSKEYS[1].credential}),
        (acts.IDENTITY_LINKED, {"subject": ANA, "issuer": "x", "token": token(3)}),
        (acts.IDENTITY_LINKED, {"subject": BEN, "issuer": "x", "token": token(4)}),
        (acts.IDENTITY_UNLINKED, {"subject": BEN, "token": token(3)}),
        (acts.PREFERENCES_SET, {"subject": BEN, "language": "sq", "reminders": "none"}),
    ]
    for name, data in stray:
        act = Act(99, "accounts", name, 1, NOW_MS, OPERATOR, b"x" * 32, data)
        with pytest.raises(UnfitAct, match="act 99"):
            SERVICE.acts[name].apply(ana.rows, act)
    assert ana.rows.tables == before

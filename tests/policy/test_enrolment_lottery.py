"""Commitments and draws as the scribe decides them, with real embassies' and custodians' notes."""

from __future__ import annotations

import hashlib
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from fakes.drawn_round import LotteryCountry
from fakes.urns import ROUND
from kulla.journal.lottery import closing_of
from kulla.journal.lottery_openings import (
    OpeningPlan,
    checked_plan,
    gather_openings,
    open_for,
    parse_opening,
    parse_plan,
)
from kulla.journal.receipts import verify_receipt
from kulla.kernel.errors import UnfitAct
from kulla.kernel.escrow import EscrowInvalid
from kulla.kernel.service import Act, Actor, Refusal
from kulla.services.enrolment import tables
from kulla.services.enrolment.lottery.apply import secret_committed, seed_drawn
from kulla.services.enrolment.policy.draw import (
    Draw,
    DrawInvalid,
    seed_of,
    seed_text,
    verify_draw,
)


@pytest.fixture
def country(tmp_path) -> LotteryCountry:
    return LotteryCountry(tmp_path)


def code(answer: Any) -> str:
    assert isinstance(answer, Refusal), answer
    return answer.code


def test_a_round_goes_from_commitments_to_a_seed_that_anybody_computes(country: LotteryCountry):
    country.commit_all()
    country.close()
    data = country.draw_data()
    [act] = country.ask("draw_seed", data)
    row = country.desk.rows.get(tables.ROUND, ROUND)
    assert row is not None
    assert (row["state"], row["seed"]) == (tables.DRAWN, data["seed"])
    lines = ["kulla-lottery-seed/v1", f"round {ROUND}", f"list 0 {row['list_root'].hex()}"]
    lines += sorted(f"secret {key} {secret.hex()}" for key, secret, _, _ in data["secrets"])
    typed = "".join(f"{line}\n" for line in lines)
    assert hashlib.sha256(typed.encode()).digest() == row["seed"]
    assert country.desk.replayed().tables == country.desk.rows.tables
    assert act.name == "seed_drawn"


def test_an_embassy_that_withholds_changes_nothing(country: LotteryCountry):
    """Custodians open its escrow; the seed is the one that it would have given itself."""
    country.commit_all()
    country.close()
    whole = country.draw_data()["seed"]
    for missing in country.urns.names[:2]:
        data = country.draw_data(opened=(missing,))
        assert data["seed"] == whole
        assert [by for *_, by, _ in data["secrets"]].count("custodians") == 1
    [_] = country.ask("draw_seed", country.draw_data(opened=country.urns.names))


@pytest.mark.parametrize("pair", [("arta", "besa"), ("arta", "drita"), ("besa", "drita")])
def test_any_two_of_the_three_custodians_find_the_same(country: LotteryCountry, pair):
    country.commit_all()
    country.close()
    data = country.draw_data(opened=("embassy-2",), custodians=pair)
    assert data["seed"] == country.draw_data()["seed"]


def test_one_custodian_is_not_enough(country: LotteryCountry):
    country.commit_all()
    country.close()
    with pytest.raises(EscrowInvalid, match="1 of the 2"):
        country.draw_data(opened=("embassy-2",), custodians=("arta",))


def test_an_embassy_that_lies_about_its_secret_is_refused(country: LotteryCountry):
    country.commit_all()
    country.close()
    data = country.draw_data()
    key, _, by, evidence = data["secrets"][0]
    other = data["secrets"][1][1]
    told = [[key, other, by, evidence], *data["secrets"][1:]]
    root, count = country.list_root, 0
    seed = seed_of(ROUND, count, root, [(row[0], row[1]) for row in told])
    assert code(country.ask("draw_seed", data | {"secrets": told, "seed": seed})) == "draw-wrong"
    # Nor with another's reveal as its own.
    told = [[key, other, by, data["secrets"][1][3]], *data["secrets"][1:]]
    assert code(country.ask("draw_seed", data | {"secrets": told, "seed": seed})) == "draw-wrong"


def test_a_seed_that_home_likes_better_is_refused(country: LotteryCountry):
    country.commit_all()
    country.close()
    data = country.draw_data()
    for wrong in (
        {"seed": b"\x00" * 32},
        {"closed": data["closed"] - 1},
        {"size": 0},
    ):
        assert code(country.ask("draw_seed", data | wrong)) == "draw-wrong"
    fewer = data["secrets"][1:]
    seed = seed_of(ROUND, 0, country.list_root, [(row[0], row[1]) for row in fewer])
    answer = country.ask("draw_seed", data | {"secrets": fewer, "seed": seed})
    assert (code(answer), answer.detail["embassies"]) == (
        "secrets-missing",
        [data["secrets"][0][0]],
    )
    assert code(country.ask("draw_seed", data | {"beacon": b"1"})) == "malformed"


def test_a_secret_that_was_told_for_another_list_is_refused(country: LotteryCountry):
    country.commit_all()
    country.close(elsewhere=b"\x07" * 32)
    assert code(country.ask("draw_seed", country.draw_data())) == "draw-wrong"


def test_a_round_is_drawn_once_and_only_after_it_closed(country: LotteryCountry):
    country.commit_all()
    country.close()
    data = country.draw_data()
    country.ask("draw_seed", data)
    assert code(country.ask("draw_seed", data)) == "drawn-already"
    assert code(country.ask("draw_seed", data | {"round": "nowhere"})) == "round-unknown"


def test_nothing_is_drawn_while_families_still_apply(country: LotteryCountry, tmp_path):
    other = LotteryCountry(tmp_path / "other")
    other.commit_all()
    other.close()
    country.commit_all()
    assert code(country.ask("draw_seed", other.draw_data())) == "round-not-closed"


def test_without_commitments_there_is_nothing_to_draw(country: LotteryCountry, tmp_path):
    other = LotteryCountry(tmp_path / "other")
    other.commit_all()
    other.close()
    country.close()
    assert code(country.ask("draw_seed", other.draw_data())) == "no-commitments"


def test_a_commitment_counts_once_and_only_while_the_list_is_open(country: LotteryCountry):
    data = country.commit_data("embassy-1")
    country.ask("commit_secret", data)
    assert code(country.ask("commit_secret", data)) == "committed-already"
    country.close()
    late = country.commit_data("embassy-2")
    assert code(country.ask("commit_secret", late)) == "round-not-open"


def test_the_statement_of_another_round_or_embassy_is_refused(country: LotteryCountry):
    good, other = country.commit_data("embassy-1"), country.commit_data("embassy-2")
    statement, deal = country.urns.commit("embassy-1", "second-2026")
    replayed = good | {"statement": statement, "escrow": deal}
    assert code(country.ask("commit_secret", replayed)) == "statement-wrong"
    for mixed in (
        good | {"embassy": other["embassy"]},
        good | {"escrow": other["escrow"]},
        good | {"statement": other["statement"]},
        good | {"embassy": "not a key"},
    ):
        assert code(country.ask("commit_secret", mixed)) == "statement-wrong"


@pytest.mark.parametrize("role", ["citizen", "clerk", "analyst", "custodian"])
def test_only_the_towers_own_commands_do_either(country: LotteryCountry, role):
    data = country.commit_data("embassy-1")
    assert code(country.desk.ask(role, "f" * 32, "commit_secret", **data)) == "not-allowed"
    assert code(country.desk.ask(role, "f" * 32, "draw_seed")) == "not-allowed"


@pytest.mark.parametrize(
    "changed",
    [
        {"round": "Rounds"}, {"round": 1}, {"embassy": ""}, {"embassy": "e" * 1101},
        {"escrow": b""}, {"statement": "text"}, {"escrow": b"d" * 20_000}, {"more": 1},
    ],
)  # fmt: skip
def test_misshapen_commitments_are_refused(country: LotteryCountry, changed):
    data = country.commit_data("embassy-1") | changed
    assert code(country.ask("commit_secret", data)) == "malformed"


@pytest.mark.parametrize(
    "changed",
    [
        {"secrets": []}, {"secrets": [["a", b"b"]]}, {"secrets": "no"}, {"seed": b"short"},
        {"closed": -1}, {"closed": True}, {"size": 1 << 63}, {"root": None}, {"more": 1},
        {"secrets": [["key", b"s" * 32, "home", b"e"]]},
        {"secrets": [["key", b"s" * 32, "embassy", b""]]},
    ],
)  # fmt: skip
def test_misshapen_draws_are_refused(country: LotteryCountry, changed):
    country.commit_all()
    country.close()
    assert code(country.ask("draw_seed", country.draw_data() | changed)) == "malformed"


@pytest.mark.parametrize("evidence", [b"\x80", b"junk", b"\x81\x83\x01\x41\x00\x41\x00"])
def test_evidence_that_proves_nothing_is_refused(country: LotteryCountry, evidence):
    country.commit_all()
    country.close()
    data = country.draw_data()
    for by in ("custodians", "embassy"):
        told = [[*data["secrets"][0][:2], by, evidence], *data["secrets"][1:]]
        assert code(country.ask("draw_seed", data | {"secrets": told})) == "draw-wrong"


def test_acts_that_do_not_fit_leave_the_registers_alone(country: LotteryCountry):
    data = country.commit_data("embassy-1")
    [act] = country.ask("commit_secret", data)
    before = deepcopy(country.desk.rows.tables)
    rows = country.desk.rows
    with pytest.raises(UnfitAct, match="committed before"):
        secret_committed(rows, act)
    drawn = _act(act, {"round": ROUND, "secrets": [["stranger", b"", "embassy", b""]]})
    with pytest.raises(UnfitAct, match="is published"):
        seed_drawn(rows, drawn)
    with pytest.raises(UnfitAct, match="no round"):
        seed_drawn(rows, _act(act, {"round": "nowhere", "secrets": []}))
    assert rows.tables == before
    country.close()
    before = deepcopy(country.desk.rows.tables)
    with pytest.raises(UnfitAct, match="did not commit"):
        seed_drawn(rows, drawn)
    assert rows.tables == before


def _act(act: Act, data: dict[str, Any]) -> Act:
    return replace(act, data=data, actor=Actor("operator", "allocator"))


def test_the_text_of_a_seed_does_not_depend_on_the_order_of_embassies():
    secrets = [("b/statements", b"\x01" * 32), ("a/statements", b"\x02" * 32)]
    assert seed_text("r", 1, b"\x00" * 32, secrets) == seed_text(
        "r", 1, b"\x00" * 32, secrets[::-1]
    )


def test_a_plan_says_in_words_what_it_opens_and_other_words_are_refused(country: LotteryCountry):
    country.commit_all()
    country.close()
    policy = country.urns.tower.policy
    data = country.plan(("embassy-3",)).render([policy])
    text = data.decode()
    for said in (ROUND, country.list_root.hex(), "embassy-3", "2 of 3 custodians open it"):
        assert said in text
    assert parse_plan(data, [policy]).render([policy]) == data
    for old, new in ((ROUND, "other-2026"), ("embassy-3", "embassy-2"), ("0 applications", "1 a")):
        with pytest.raises(Exception, match="words of this file"):
            parse_plan(text.replace(old, new, 1).encode(), [policy])
    with pytest.raises(Exception, match="no plan"):
        parse_plan(data[: len(data) // 2], [policy])


def test_a_plan_whose_list_no_quorum_cosigned_is_refused(country: LotteryCountry):
    country.commit_all()
    country.close()
    policy = country.urns.tower.policy
    plan = country.plan(("embassy-3",))
    thin = country.urns.receipt(country.closed_index, cosigners=country.urns.names[:2])
    with pytest.raises(Exception, match="too few embassies"):
        OpeningPlan(thin, plan.missed).render([policy])
    other = country.urns.receipt(0)
    with pytest.raises(Exception, match="not of the act that closed"):
        OpeningPlan(other, plan.missed).render([policy])
    statement, deal = country.urns.commit("embassy-3", "second-2026")
    strange = (replace(plan.missed[0], statement=statement, deal=deal),)
    with pytest.raises(Exception, match="of another round"):
        OpeningPlan(plan.receipt, strange).render([policy])


def test_what_one_custodian_sends_wrongly_hinders_no_other(country: LotteryCountry):
    country.commit_all()
    country.close()
    tower = country.urns.tower
    plan = checked_plan(country.plan(("embassy-3",)), [tower.policy])
    files = {name: open_for(plan, name, key).render() for name, key in tower.custodian_keys.items()}
    lie = files["besa"].replace(b"share 2 ", b"share 1 ")
    sent = [("a", files["arta"]), ("lie", lie), ("cut", files["drita"][:90]), ("d", files["drita"])]
    found, faults = gather_openings(plan, [*sent, ("twice", files["arta"])])
    gathered = found[country.urns.key("embassy-3")]
    assert gathered.names == ("arta", "drita")
    assert len(faults) == 2
    assert gathered.secret(plan.dealt[0].deal) == country.secret("embassy-3")
    assert parse_opening(files["besa"]).custodian == "besa"


def test_an_opening_for_one_list_counts_for_no_other(country: LotteryCountry, tmp_path):
    country.commit_all()
    country.close()
    tower = country.urns.tower
    plan = checked_plan(country.plan(("embassy-3",)), [tower.policy])
    elsewhere = replace(plan, closing=replace(plan.closing, root=b"\x09" * 32))
    opening = open_for(elsewhere, "arta", tower.custodian_keys["arta"])
    forged = replace(opening, root=plan.closing.root)
    found, faults = gather_openings(plan, [("a", opening.render()), ("b", forged.render())])
    assert not found[country.urns.key("embassy-3")].shares
    assert len(faults) == 2


def test_a_strangers_key_opens_nothing(country: LotteryCountry):
    country.commit_all()
    country.close()
    plan = checked_plan(country.plan(("embassy-3",)), [country.urns.tower.policy])
    with pytest.raises(EscrowInvalid, match="dealt to this key"):
        open_for(plan, "eve", country.urns.tower.key("eve.example"))


def test_a_receipt_of_the_close_says_what_the_register_says(country: LotteryCountry):
    country.commit_all()
    country.close()
    closing = closing_of(
        verify_receipt(country.urns.receipt(country.closed_index), country.urns.tower.policy)
    )
    assert (closing.round, closing.root) == (ROUND, country.list_root)


def test_a_draw_of_nobody_is_invalid():
    with pytest.raises(DrawInvalid, match="no embassy took part"):
        verify_draw(Draw("t", "r", 0, b"\x00" * 32, (), seed_of("r", 0, b"\x00" * 32, [])))

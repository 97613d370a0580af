"""Chile's rule for siblings, on cases that were worked out by hand."""

from __future__ import annotations

from dataclasses import replace

from fakes.enrolment_markets import SIBLING as SIBLING_CLASS
from fakes.enrolment_markets import child, seed_of
from kulla.services.enrolment.policy.allocate import Allocation, allocate
from kulla.services.enrolment.policy.families import Unsettled, families
from kulla.services.enrolment.policy.market import Programme, drawn_at, market
from kulla.services.enrolment.policy.rules import OPEN_POOL, Claim, Pool, Priority, Rules

STAFF = Priority("staff", "Staff")
RULES = Rules(priorities=(STAFF, SIBLING_CLASS), grades=("1", "2", "3"))


def programme(name: str, seats: int = 1) -> Programme:
    """'a1' is grade 1 at the school a."""
    return Programme(name, name[0], name[1], ((OPEN_POOL, seats),))


def allocated(*children, programmes="a1 a2 b1 b2", rules=RULES, **seats: int) -> Allocation:
    offered = [programme(name, seats.get(name, 1)) for name in programmes.split()]
    return allocate(market(rules, offered, children), seed_of(1))


def placed(allocation: Allocation) -> dict[str, str]:
    return {name: one.programme for name, one in allocation.placements.items()}


# A claim to the strongest class decides who comes first, so that no lottery does.
FIRST = Claim("staff", "a"), Claim("staff", "b")


def test_the_younger_comes_first_where_the_older_was_placed():
    done = allocated(
        child("older", "2", "a2"),
        child("younger", "1", "a1 b1", siblings=("older",)),
        child("rival", "1", "a1 b1", siblings=()),
    )
    assert placed(done) == {"older": "a2", "younger": "a1", "rival": "b1"}
    assert families(done).at_one_school == 1


def test_it_is_enough_that_the_older_names_the_younger():
    done = allocated(
        child("older", "2", "a2", siblings=("younger",)),
        child("younger", "1", "a1 b1"),
        child("rival", "1", "a1 b1"),
    )
    assert placed(done)["younger"] == "a1"


def test_a_stronger_class_still_comes_before_a_sibling():
    done = allocated(
        child("older", "2", "a2"),
        child("younger", "1", "a1 b1", siblings=("older",)),
        child("rival", "1", "a1 b1", *FIRST),
    )
    assert placed(done) == {"older": "a2", "younger": "b1", "rival": "a1"}


def test_together_moves_the_olders_school_to_the_head():
    alone = allocated(
        child("older", "2", "a2"), child("younger", "1", "b1 a1", siblings=("older",))
    )
    assert placed(alone)["younger"] == "b1"
    done = allocated(
        child("older", "2", "a2"),
        child("younger", "1", "b1 a1", siblings=("older",), together=True),
    )
    assert placed(done)["younger"] == "a1"
    assert done.placements["younger"].choice == 2
    assert [wish.programme for wish in done.wishes["younger"]] == ["a1", "b1"]
    assert families(done).unsettled == (Unsettled("younger", "b1", "older", "followed"),)


def test_what_is_not_in_the_list_does_not_come_into_it():
    done = allocated(
        child("older", "2", "a2"),
        child("younger", "1", "b1", siblings=("older",), together=True),
    )
    assert placed(done)["younger"] == "b1"


def test_an_older_one_without_a_place_gives_nothing():
    done = allocated(
        child("older", "2", "a2"),
        child("other", "2", "a2", *FIRST),
        child("younger", "1", "b1 a1", siblings=("older",), together=True),
    )
    assert placed(done) == {"older": "", "other": "a2", "younger": "b1"}


def test_three_in_a_row_follow_one_another():
    done = allocated(
        child("c3", "3", "a3"),
        child("c2", "2", "b2 a2", siblings=("c3",), together=True),
        child("c1", "1", "b1 a1", siblings=("c2",), together=True),
        programmes="a1 a2 a3 b1 b2",
    )
    assert placed(done) == {"c3": "a3", "c2": "a2", "c1": "a1"}


def test_of_two_older_ones_at_two_schools_the_childs_own_order_decides():
    done = allocated(
        child("c3", "3", "a3"),
        child("c2", "2", "b2"),
        child("c1", "1", "c1 b1 a1", siblings=("c3", "c2"), together=True),
        programmes="a1 a2 a3 b1 b2 c1",
    )
    assert [wish.programme for wish in done.wishes["c1"]] == ["b1", "a1", "c1"]
    assert placed(done)["c1"] == "b1"


def test_where_no_stable_assignment_need_exist_it_is_said():
    """The older one is refused at a before the younger gets in there: with the sibling priority it
    would have had the seat, but its grade is settled first.
    """
    done = allocated(
        child("older", "2", "a2 b2"),
        child("rival", "2", "a2 b2"),
        child("younger", "1", "a1", *FIRST, siblings=("older",)),
        child("twin", "2", "a2", siblings=("older",)),
        a2=1,
        b2=2,
    )
    got = placed(done)
    found = {
        (one.applicant, one.programme, one.sibling, one.why) for one in families(done).unsettled
    }
    if got["older"] == "a2":
        assert ("twin", "a2", "older", "same-grade") in found
    else:
        assert ("older", "a2", "younger", "settled-before") in found


def test_the_rule_can_be_left_out():
    rules = Rules(priorities=(SIBLING_CLASS,), grades=("1", "2"), siblings_together=False)
    done = allocated(
        child("older", "2", "a2"),
        child("younger", "1", "b1 a1", siblings=("older",), together=True),
        rules=rules,
    )
    assert placed(done)["younger"] == "b1"
    assert not any(wish.gained for wish in done.wishes["younger"])


def test_a_pool_for_siblings_opens_by_the_olders_place():
    rules = Rules(
        priorities=(SIBLING_CLASS,),
        pools=(Pool("kin", "Siblings", "sibling", "stay"), Pool(OPEN_POOL, "Open")),
        grades=("1", "2"),
    )
    offered = [
        Programme("a1", "a", "1", (("kin", 1),)),
        Programme("a2", "a", "2", ((OPEN_POOL, 1),)),
    ]
    rows = (
        child("older", "2", "a2"),
        child("younger", "1", "a1", siblings=("older",)),
        child("rival", "1", "a1"),
    )
    done = allocate(market(rules, offered, rows), seed_of(1))
    assert placed(done) == {"older": "a2", "younger": "a1", "rival": ""}
    assert done.waiting == {}


def leads(*children, rules=RULES) -> dict[str, str]:
    """Of whom each child's lottery number is; only who shares one is in it."""
    made = market(rules, [programme(name) for name in ["a1", "a2", "b1", "b2"]], children)
    names = {one.commitment: one.applicant for one in made.applicants}
    return {one.applicant: names[one.lead] for one in made.applicants if one.lead}


def test_siblings_who_all_ask_for_it_share_the_number_of_one_of_them():
    one = child("one", "1", "a1", siblings=("two",), together=True)
    two = child("two", "2", "a2", siblings=("three",), together=True)
    three = child("three", "1", "b1", together=True)
    first = min((one, two, three), key=lambda each: each.commitment).applicant
    assert leads(one, two, three) == dict.fromkeys(("one", "two", "three"), first)
    assert leads(three, two, one) == leads(one, two, three)
    apart = replace(two, together=False)
    assert leads(one, apart, three) == {}, "the one between them does not ask"
    assert leads(one, two, three, rules=replace(RULES, siblings_together=False)) == {}
    stranger = child("stranger", "1", "a1", together=True)
    assert "stranger" not in leads(one, two, stranger)


def test_twins_are_placed_both_or_neither_but_at_the_last_seat():
    twins = [
        child("one", "1", "a1", siblings=("two",), together=True),
        child("two", "1", "a1", siblings=("one",), together=True),
    ]
    others = [child(f"other {at}", "1", "a1") for at in range(4)]
    got = set()
    for seed in range(40):
        made = market(RULES, [programme("a1", 3)], [*twins, *others])
        seats = placed(allocate(made, seed_of(seed)))
        got.add((seats["one"], seats["two"]))
        order = sorted(made.applicants, key=lambda one: drawn_at(RULES, seed_of(seed), one, "a1"))
        places = [one.applicant for one in order]
        assert abs(places.index("one") - places.index("two")) == 1
        assert {name for name, seat in seats.items() if seat} == set(places[:3])
    assert {("a1", "a1"), ("", "")} < got

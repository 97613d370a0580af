"""Whatever is tried in whatever order: a round is drawn once, with all who committed, one seed."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.drawn_round import LotteryCountry
from fakes.urns import ROUND
from kulla.kernel.service import Refusal
from kulla.services.enrolment import tables

NAMES = [f"embassy-{number}" for number in range(1, 5)]
CUSTODIANS = ["arta", "besa", "drita"]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.sampled_from(NAMES)),
        st.tuples(st.just("close"), st.just("")),
        st.tuples(st.just("draw"), st.sets(st.sampled_from(NAMES)).map(sorted).map(tuple)),
        st.tuples(st.just("crash"), st.sampled_from(NAMES)),
    ),
    max_size=9,
)


@settings(max_examples=20)
@given(steps=STEPS, pair=st.permutations(CUSTODIANS).map(lambda names: names[:2]))
def test_a_lottery_comes_to_one_seed_or_none(steps, pair):
    with tempfile.TemporaryDirectory() as folder:
        country = LotteryCountry(Path(folder))
        accepted: set[str] = set()
        drawn: list[bytes] = []
        for step, what in steps:
            closed = country.closed_index >= 0
            if step == "commit":
                answer = country.ask("commit_secret", country.commit_data(what))
                assert isinstance(answer, Refusal) == (closed or what in accepted)
                if not isinstance(answer, Refusal):
                    accepted.add(what)
            elif step == "close" and not closed:
                country.close()
            elif step == "crash":
                country.urns.embassies[what].crash()
            elif step == "draw" and closed and accepted:
                data = country.draw_data(
                    opened=[name for name in what if name in accepted], custodians=pair
                )
                answer = country.ask("draw_seed", data)
                assert isinstance(answer, Refusal) == bool(drawn)
                drawn.append(data["seed"])
        _check(country, accepted, drawn)


def _check(country: LotteryCountry, accepted: set[str], drawn: list[bytes]) -> None:
    row = country.desk.rows.get(tables.ROUND, ROUND)
    assert row is not None
    assert len(set(drawn)) <= 1, "whoever tells, the seed is the same"
    assert row["seed"] == (drawn[0] if drawn else None)
    assert set(country.committed()) == accepted
    secrets = country.desk.rows.find(tables.SECRET, round=ROUND)
    assert all((each["secret"] is not None) == bool(drawn) for each in secrets)
    assert country.desk.replayed().tables == country.desk.rows.tables

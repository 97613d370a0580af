"""Correlations with what they must give, worked out by hand: for the oracle and for the compiler.

Times are seconds. `expected` lists what fires: the rule, its group, the first and last second at
which its condition holds, and the events (by index) in the windows of that run. The comment at each
case is the reckoning. What the specification leaves open is decided in sigma_oracle_correlations.
"""

from __future__ import annotations

from typing import Any

from fakes.correlation_building import (
    FAIL,
    OK,
    A,
    Case,
    at,
    correlation,
    count,
    fails,
    rule,
    sends,
    steps,
    temporal,
    together,
    values,
)

EVENT_COUNT = [
    # 3 events at 0, 4, 8: the third makes it three within [-2, 8].
    Case("count reached", count(gte=3), fails(0, 4, 8), [("many", ("eva",), 8, 8, (0, 1, 2))]),
    # The window of the last is [0, 10]: both ends count, so the first is in it.
    Case("edge is in", count(gte=3), fails(0, 5, 10), [("many", ("eva",), 10, 10, (0, 1, 2))]),
    # The window of the last is [1, 11]: the first is out.
    Case("edge is out", count(gte=3), fails(0, 5, 11), []),
    # A window in fixed blocks of 10 s would split 8 | 12; a sliding one does not.
    Case("no blocks", count(gte=2), fails(8, 12), [("many", ("eva",), 12, 12, (0, 1))]),
    # Equal times come together: all three stand in the window of second 5.
    Case("equal times", count(gte=3), fails(5, 5, 5), [("many", ("eva",), 5, 5, (0, 1, 2))]),
    # At second 5 the count jumps from 0 to 3; that it was 2 on the way is nobody's time.
    Case("equal times jump over", count(eq=2), fails(5, 5, 5), []),
    # Handed in as 8, 0, 4: by time it is the first case.
    Case("late events", count(gte=3), fails(8, 0, 4), [("many", ("eva",), 8, 8, (0, 1, 2))]),
    # Holds at 2, 3, 4, one run. Its windows hold all five.
    Case(
        "one run", count(gte=3), fails(0, 1, 2, 3, 4), [("many", ("eva",), 2, 4, (0, 1, 2, 3, 4))]
    ),
    # Holds at 1; at 20 the window [10, 20] holds one, so it ends; holds again at 21.
    Case(
        "two runs",
        count(gte=2),
        fails(0, 1, 20, 21),
        [("many", ("eva",), 1, 1, (0, 1)), ("many", ("eva",), 21, 21, (2, 3))],
    ),
    # Two each of eva and ben: nobody has three.
    Case("groups apart", count(gte=3), fails(0, 1) + fails(2, 3, user="ben"), []),
    # Eva, EVA and eva are one; the group reads as its first event does.
    Case(
        "groups without case",
        count(gte=3),
        fails(0, user="Eva") + fails(1, user="EVA") + fails(2),
        [("many", ("Eva",), 2, 2, (0, 1, 2))],
    ),
    # A group of one is enough where one is asked for.
    Case("a group of one", count(gte=1), fails(7), [("many", ("eva",), 7, 7, (0,))]),
    # gt 2 is at least three.
    Case("gt", count(gt=2), fails(0, 1, 2), [("many", ("eva",), 2, 2, (0, 1, 2))]),
    # Counts at 0, 1, 2, 3: 1, 2, 3, 4. More than 1, at most 3: at 1 and 2. Window of 2: 0, 1, 2.
    Case("a range", count(gt=1, lte=3), fails(0, 1, 2, 3), [("many", ("eva",), 1, 2, (0, 1, 2))]),
    # Counts 1, 2, 3: fewer than 2 at second 0 alone.
    Case("lt", count(lt=2), fails(0, 1, 2), [("many", ("eva",), 0, 0, (0,))]),
    # Counts 1, 2, 3, and at 12 the window [2, 12] holds two: not two at 0 and 2; two at 1 and 12.
    Case(
        "neq",
        count(neq=2),
        fails(0, 1, 2, 12),
        [("many", ("eva",), 0, 0, (0,)), ("many", ("eva",), 2, 2, (0, 1, 2))],
    ),
    # An event without a user is in no group, and 'ok' is not counted: two are left.
    Case("not counted", count(gte=3), [*fails(0, 1), at(2, "fail"), at(3, "ok", user="eva")], []),
    # Without group-by all are one group: eva, ben and a nameless one.
    Case(
        "no group-by",
        together(correlation("all", "event_count", ["fail"], "1m", condition={"gte": 3}), FAIL),
        [*fails(0), *fails(30, user="ben"), at(60, "fail")],
        [("all", (), 60, 60, (0, 1, 2))],
    ),
    # Two fields make a group: (eva, h1) twice, (eva, h2) once.
    Case(
        "two fields",
        together(
            correlation(
                "pair", "event_count", ["fail"], "10s", ["user", "host"], condition={"gte": 2}
            ),
            FAIL,
        ),
        [
            at(0, "fail", user="eva", host="h1"),
            at(1, "fail", user="eva", host="h2"),
            at(2, "fail", user="eva", host="h1"),
        ],
        [("pair", ("eva", "h1"), 2, 2, (0, 2))],
    ),
    # An event that two rules match is one event: 0 and 1 make two, not three.
    Case(
        "one event of two rules",
        together(
            correlation("n", "event_count", ["fail", "any"], "10s", ["user"], condition={"gte": 3}),
            FAIL,
            rule("any", ["fail", "ok"]),
        ),
        [*fails(0), at(1, "ok", user="eva")],
        [],
    ),
    # An hour is 3600 s: the edge again, in another unit.
    Case(
        "an hour",
        count(timespan="1h", gte=2),
        fails(0, 3600, 7201),
        [("many", ("eva",), 3600, 3600, (0, 1))],
    ),
    # An event without a time is in no window.
    Case("no time", count(gte=2), [*fails(0), {"what": "fail", "user": "eva"}], []),
]

SPRAY = together(
    correlation(
        "spray", "value_count", ["fail"], "10s", ["ip"], condition={"field": "user", "gte": 3}
    ),
    FAIL,
)


def tries(*pairs: tuple[int, Any], ip: str = "x") -> list[dict[str, Any]]:
    """Failures from one address: (second, user)."""
    return [at(second, "fail", ip=ip, user=user) for second, user in pairs]


VALUE_COUNT = [
    # a, b, a, c: three different ones at the fourth event.
    Case(
        "three users",
        SPRAY,
        tries((0, "a"), (1, "b"), (2, "a"), (3, "c")),
        [("spray", ("x",), 3, 3, (0, 1, 2, 3))],
    ),
    # Four failures of two users are two values.
    Case("the same again", SPRAY, tries((0, "a"), (1, "b"), (2, "a"), (3, "b")), []),
    # a and A are one value: a, A, b make two.
    Case("values without case", SPRAY, tries((0, "a"), (1, "A"), (2, "b")), []),
    # 1 and '1' are one value, as text.
    Case("numbers are text", SPRAY, tries((0, 1), (1, "1"), (2, 2)), []),
    # At 11 the window [1, 11] has lost a: b and c are two.
    Case("one slid out", SPRAY, tries((0, "a"), (1, "b"), (11, "c")), []),
    # A missing user is no value: a, b and nobody make two.
    Case("missing values", SPRAY, [*tries((0, "a"), (1, "b")), at(2, "fail", ip="x")], []),
    # Pairs (user, host): (a,1), (a,2), (b,1) are three, though there are two users and two hosts.
    Case(
        "pairs",
        together(
            correlation(
                "pairs",
                "value_count",
                ["fail"],
                "10s",
                ["ip"],
                condition={"field": ["user", "host"], "gte": 3},
            ),
            FAIL,
        ),
        [
            at(0, "fail", ip="x", user="a", host="1"),
            at(1, "fail", ip="x", user="a", host="2"),
            at(2, "fail", ip="x", user="b", host="1"),
        ],
        [("pairs", ("x",), 2, 2, (0, 1, 2))],
    ),
]

TEMPORAL = [
    # b, then a: any order will do. Both in [-4, 6].
    Case(
        "any order",
        temporal("temporal", ["a", "b"]),
        steps((0, "b"), (6, "a")),
        [("seq", ("eva",), 6, 6, (0, 1))],
    ),
    # 11 s apart: the window of b is [1, 11].
    Case("too far", temporal("temporal", ["a", "b"]), steps((0, "a"), (11, "b")), []),
    # Twice a is not a and b.
    Case("one of two", temporal("temporal", ["a", "b"]), steps((0, "a"), (1, "a")), []),
    # a by eva, b by ben: no group has both.
    Case(
        "two people",
        temporal("temporal", ["a", "b"]),
        steps((0, "a")) + steps((1, "b"), user="ben"),
        [],
    ),
    # Two of three is what the condition asks for: a and c at 2.
    Case(
        "some of them",
        temporal("temporal", ["a", "b", "c"], condition={"gte": 2}),
        steps((0, "a"), (1, "a"), (2, "c")),
        [("seq", ("eva",), 2, 2, (0, 1, 2))],
    ),
    # One event that both rules match fulfils both.
    Case(
        "one event, two rules",
        together(
            correlation("seq", "temporal", ["a", "both"], "10s", ["user"]),
            A,
            rule("both", ["a", "x"]),
        ),
        steps((3, "a")),
        [("seq", ("eva",), 3, 3, (0,))],
    ),
    # Address inside is dst at `a` and src at `b`; the second pair of addresses differs.
    Case(
        "aliases",
        temporal(
            "temporal",
            ["a", "b"],
            by=["inside"],
            aliases={"inside": {"a": "dst", "b": "src"}},
        ),
        [
            at(0, "a", dst="10.0.0.1", src="z"),
            at(1, "b", src="10.0.0.2", dst="10.0.0.1"),
            at(2, "b", src="10.0.0.1"),
        ],
        [("seq", ("10.0.0.1",), 2, 2, (0, 2))],
    ),
    # a at 0, b at 1 and 5: holds at 1 and 5, one run; at 12 the window [2, 12] has no a.
    Case(
        "a run of two rules",
        temporal("temporal", ["a", "b"]),
        steps((0, "a"), (1, "b"), (5, "b"), (12, "b")),
        [("seq", ("eva",), 1, 5, (0, 1, 2))],
    ),
]

ORDERED = [
    # a before b.
    Case(
        "in order",
        temporal("temporal_ordered", ["a", "b"]),
        steps((0, "a"), (10, "b")),
        [("seq", ("eva",), 10, 10, (0, 1))],
    ),
    # b before a is another story.
    Case("out of order", temporal("temporal_ordered", ["a", "b"]), steps((0, "b"), (1, "a")), []),
    # Handed in b first, but a is earlier by time.
    Case(
        "late, in order",
        temporal("temporal_ordered", ["a", "b"]),
        steps((5, "b"), (4, "a")),
        [("seq", ("eva",), 5, 5, (0, 1))],
    ),
    # At one instant nobody knows the order: it counts.
    Case(
        "equal times in order",
        temporal("temporal_ordered", ["a", "b"]),
        steps((4, "b"), (4, "a")),
        [("seq", ("eva",), 4, 4, (0, 1))],
    ),
    # b, a, c, b, c: at 4 a(1) b(3) c(4). At 3 there was no c behind b.
    Case(
        "three among others",
        temporal("temporal_ordered", ["a", "b", "c"]),
        steps((0, "b"), (1, "a"), (2, "c"), (3, "b"), (4, "c")),
        [("seq", ("eva",), 4, 4, (0, 1, 2, 3, 4))],
    ),
    # Two rules, one event: it can't come before itself.
    Case(
        "one event is no order",
        together(
            correlation("seq", "temporal_ordered", ["a", "both"], "10s", ["user"]),
            A,
            rule("both", ["a", "x"]),
        ),
        steps((3, "a")),
        [],
    ),
    # The first a is 11 s before b, the second is not: window [1, 11].
    Case(
        "the later a counts",
        temporal("temporal_ordered", ["a", "b"]),
        steps((0, "a"), (2, "a"), (11, "b")),
        [("seq", ("eva",), 11, 11, (1, 2))],
    ),
    # Two of three in order: b then c at 1. c then b is not, and a comes too late at 2: window
    # [-8, 2] still holds b, c, so the run goes on to 2.
    Case(
        "some in order",
        temporal("temporal_ordered", ["a", "b", "c"], condition={"gte": 2}),
        steps((0, "b"), (1, "c"), (2, "a")),
        [("seq", ("eva",), 1, 2, (0, 1, 2))],
    ),
]

NUMBERS = [
    # 40 + 60 = 100, not more than 100; with 1 more it is 101 at second 2.
    Case(
        "sum",
        values("value_sum", gt=100),
        sends((0, 40), (1, 60), (2, 1)),
        [("much", ("h",), 2, 2, (0, 1, 2))],
    ),
    # At 11 the 90 of second 0 slid out: 90, then 90 + 5, then 5 + 90 = 95. Never 100.
    Case("sum slides", values("value_sum", gte=100), sends((0, 90), (1, 5), (11, 90)), []),
    # Text that is a number counts, other text, true and a missing one do not: 70 + 30.
    Case(
        "sum of what is a number",
        values("value_sum", gte=100),
        [*sends((0, "70"), (1, "lots"), (2, True), (3, 30)), at(4, "send", host="h")],
        [("much", ("h",), 3, 4, (0, 1, 2, 3, 4))],
    ),
    # Nothing that is a number: no sum, not even one below 10.
    Case("no numbers", values("value_sum", lt=10), sends((0, "x"), (1, None)), []),
    # -5 + 3 = -2 at second 1; -5 at second 0 is below too.
    Case(
        "negative sum",
        values("value_sum", lt=0),
        sends((0, -5), (1, 3)),
        [("much", ("h",), 0, 1, (0, 1))],
    ),
    # 10 events of 0.1 are exactly 1.
    Case(
        "exact sum",
        values("value_sum", gte=1),
        sends(*((0, 0.1) for _ in range(10))),
        [("much", ("h",), 0, 0, tuple(range(10)))],
    ),
    # Averages 400, 500, 600: more than 500 at second 2.
    Case(
        "average",
        values("value_avg", gt=500),
        sends((0, 400), (1, 600), (2, 800)),
        [("much", ("h",), 2, 2, (0, 1, 2))],
    ),
    # 2.5 is more than 2: averages are no whole numbers. At 0 it is 2, which is not.
    Case(
        "average of halves",
        values("value_avg", gt=2),
        sends((0, 2), (1, 3)),
        [("much", ("h",), 1, 1, (0, 1))],
    ),
    # Medians 1, 50.5, 2: the one big value moves it at second 1 alone.
    Case(
        "median",
        values("value_median", gt=10),
        sends((0, 1), (1, 100), (2, 2)),
        [("much", ("h",), 1, 1, (0, 1))],
    ),
    # Of 1, 2, 3, 4 it lies between 2 and 3: 2.5. Before: 1, 1.5, 2.
    Case(
        "median of an even number",
        values("value_median", gt=2),
        sends((0, 1), (1, 2), (2, 3), (3, 4)),
        [("much", ("h",), 3, 3, (0, 1, 2, 3))],
    ),
    # The 50th percentile is the median.
    Case(
        "percentile 50",
        values("value_percentile", percentile=50, gt=2),
        sends((0, 1), (1, 2), (2, 3), (3, 4)),
        [("much", ("h",), 3, 3, (0, 1, 2, 3))],
    ),
    # 90th of 0, 10: 9. Of 0, 10, 20: place 1.8, 18. Of 0 alone: 0.
    Case(
        "percentile between two",
        values("value_percentile", percentile=90, gte=18),
        sends((0, 0), (1, 10), (2, 20)),
        [("much", ("h",), 2, 2, (0, 1, 2))],
    ),
    # The 100th is the largest, the 0th the smallest.
    Case(
        "percentile 100",
        values("value_percentile", percentile=100, gte=7),
        sends((0, 7), (1, 1)),
        [("much", ("h",), 0, 1, (0, 1))],
    ),
    Case(
        "percentile 0",
        values("value_percentile", percentile=0, gte=7),
        sends((0, 7), (1, 1)),
        [("much", ("h",), 0, 0, (0,))],
    ),
]

BRUTE = together(
    correlation("broken in", "temporal_ordered", ["many", "ok"], "10s", ["user"]),
    count(gte=3),
    OK,
)

CHAINS = [
    # `many` holds at 2; ok at 12 is within 10 s of that moment, though not of the first failure.
    Case(
        "chain",
        BRUTE,
        [*fails(0, 1, 2), at(12, "ok", user="eva")],
        [("broken in", ("eva",), 12, 12, (2, 3))],
    ),
    # 11 s after the moment is too late.
    Case("chain too late", BRUTE, [*fails(0, 1, 2), at(13, "ok", user="eva")], []),
    # It holds at 2, 3, 4: the ok at 14 is within 10 s of the last.
    Case(
        "chain to the end of a run",
        BRUTE,
        [*fails(0, 1, 2, 3, 4), at(14, "ok", user="eva")],
        [("broken in", ("eva",), 14, 14, (4, 5))],
    ),
    # A success before the third failure is a person who remembered.
    Case("chain out of order", BRUTE, [*fails(0, 1), at(2, "ok", user="eva"), *fails(3)], []),
    # The inner one counts for each host, the outer one asks for the user: 3 failures on h1, the
    # last by eva, then ok of eva. Two of them were ben's, and that does not matter.
    Case(
        "chain with another group",
        together(
            correlation("in", "temporal_ordered", ["many", "ok"], "10s", ["user"]),
            correlation("many", "event_count", ["fail"], "10s", ["host"], condition={"gte": 3}),
            FAIL,
            OK,
        ),
        [
            at(0, "fail", user="ben", host="h1"),
            at(1, "fail", user="ben", host="h1"),
            at(2, "fail", user="eva", host="h1"),
            at(3, "ok", user="eva"),
        ],
        [("in", ("eva",), 3, 3, (2, 3))],
    ),
    # Three steps: 2 failures make `many` (at 1 and 11), two of those make `often` within a minute.
    Case(
        "chain of three",
        together(
            correlation("often", "event_count", ["many"], "1m", ["user"], condition={"gte": 2}),
            count(gte=2, timespan="2s"),
        ),
        fails(0, 1, 10, 11),
        [("often", ("eva",), 11, 11, (1, 3))],
    ),
    # generate: the failures and `many` speak for themselves too.
    Case(
        "generate",
        together(
            correlation(
                "many",
                "event_count",
                ["fail"],
                "10s",
                ["user"],
                condition={"gte": 2},
                generate=True,
            ),
            FAIL,
        ),
        fails(0, 1),
        [
            ("many", ("eva",), 1, 1, (0, 1)),
            ("fail", (), 0, 0, (0,)),
            ("fail", (), 1, 1, (1,)),
        ],
    ),
    # Of two that refer to `fail`, one generates: that is enough.
    Case(
        "generate by one of two",
        together(
            correlation(
                "two", "event_count", ["fail"], "10s", ["user"], condition={"gte": 2}, generate=True
            ),
            correlation("nine", "event_count", ["fail"], "10s", ["user"], condition={"gte": 9}),
            FAIL,
        ),
        fails(0),
        [("fail", (), 0, 0, (0,))],
    ),
    # A rule that nobody refers to speaks for itself beside correlations.
    Case(
        "a rule beside",
        together(count(gte=9), OK),
        [at(0, "ok", user="eva")],
        [("ok", (), 0, 0, (0,))],
    ),
]

CASES: dict[str, list[Case]] = {
    "event_count": EVENT_COUNT,
    "value_count": VALUE_COUNT,
    "temporal": TEMPORAL,
    "temporal_ordered": ORDERED,
    "numbers": NUMBERS,
    "chains": CHAINS,
}
ALL = [case for cases in CASES.values() for case in cases]

"""The oracle says what the text of Sigma 2.1 says, modifier by modifier."""

from __future__ import annotations

import pytest
import yaml

from fakes.sigma_oracle import Unfit, matches


def rule(detection, *more):
    documents = [
        {
            "title": "t",
            "id": "00000000-0000-4000-8000-000000000001",
            "name": "t",
            "logsource": {"product": "test"},
            "detection": detection,
        },
        *more,
    ]
    return yaml.safe_dump_all(documents, allow_unicode=True)


def says(search, event):
    return matches(rule({"s": search, "condition": "s"}), [event]) == {0}


B64 = "xx SUVYIGEgYg== yy"  # of 'IEX a b'

TRUE_AND_FALSE = [
    # text: case, whole values, wildcards, backslashes
    ({"f": "Cmd"}, {"f": "cMD"}, True),
    ({"f": "cmd"}, {"f": "cmd.exe"}, False),
    ({"f": "c?d*"}, {"f": "cmd.exe\nx"}, True),
    ({"f": "c?d"}, {"f": "cd"}, False),
    ({"f": r"C:\*"}, {"f": "C:*"}, True),
    ({"f": r"C:\*"}, {"f": "C:\\x"}, False),
    ({"f": r"C:\\*"}, {"f": "C:\\x"}, True),
    ({"f": r"C:\\\*"}, {"f": "C:\\*"}, True),
    ({"f": r"C:\a"}, {"f": "C:\\a"}, True),
    ({"f": r"C:\\a"}, {"f": "C:\\a"}, True),
    ({"f": r"\\\\srv"}, {"f": r"\\srv"}, True),
    ({"f": r"\\\srv"}, {"f": r"\\srv"}, True),
    ({"f": "ËL"}, {"f": "ël"}, True),
    # numbers, truth, nothing
    ({"f": 1}, {"f": "1"}, True),
    ({"f": "1"}, {"f": 1}, True),
    ({"f": True}, {"f": True}, True),
    ({"f": "true"}, {"f": True}, True),
    ({"f": ""}, {"f": ""}, True),
    ({"f": ""}, {}, False),
    ({"f": None}, {}, True),
    ({"f": None}, {"f": None}, True),
    ({"f": None}, {"f": ""}, False),
    ({"f|exists": True}, {"f": None}, True),
    ({"f|exists": True}, {}, False),
    ({"f|exists": False}, {}, True),
    # where in the value
    ({"f|contains": "b"}, {"f": "aBc"}, True),
    ({"f|startswith": "a"}, {"f": "Abc"}, True),
    ({"f|endswith": "c"}, {"f": "abC"}, True),
    ({"f|endswith": "b"}, {"f": "abc"}, False),
    ({"f|contains|cased": "B"}, {"f": "abc"}, False),
    ({"f|contains|cased": "B"}, {"f": "aBc"}, True),
    # lists
    ({"f": ["a", "b"]}, {"f": "b"}, True),
    ({"f|contains|all": ["a", "b"]}, {"f": "b a"}, True),
    ({"f|contains|all": ["a", "b"]}, {"f": "a"}, False),
    ({"f|neq": "a"}, {"f": "b"}, True),
    ({"f|neq": "a"}, {"f": "A"}, False),
    ({"f|neq": ["a", "b"]}, {"f": "b"}, False),
    ({"f|neq": "a"}, {}, True),
    ({"f|contains|all|neq": ["a", "b"]}, {"f": "a"}, True),
    ({"a": 1, "b": 2}, {"a": 1}, False),
    ([{"a": 1}, {"b": 2}], {"a": 1}, True),
    # regular expressions
    ({"f|re": "c.d$"}, {"f": "x cmd\n"}, True),
    ({"f|re": "CMD"}, {"f": "cmd"}, False),
    ({"f|re|i": "CMD"}, {"f": "cmd"}, True),
    ({"f|re": "^b"}, {"f": "a\nb"}, False),
    ({"f|re|m": "^b"}, {"f": "a\nb"}, True),
    ({"f|re": "a.b"}, {"f": "a\nb"}, False),
    ({"f|re|s": "a.b"}, {"f": "a\nb"}, True),
    ({"f|re": "5"}, {"f": 15}, True),
    # encodings
    ({"f|base64|contains": "IEX"}, {"f": B64}, True),
    ({"f|base64offset|contains": "EX a"}, {"f": B64}, True),
    ({"f|base64offset|contains": "EX zz"}, {"f": B64}, False),
    ({"f|wide|base64offset|contains": "cmd"}, {"f": "YwBtAGQA"}, True),
    ({"f|utf16le|base64|contains": "cmd"}, {"f": "YwBtAGQA"}, True),
    ({"f|utf16be|base64|contains": "cmd"}, {"f": "AGMAbQBk"}, True),
    ({"f|utf16|base64": "cmd"}, {"f": "//5jAG0AZAA="}, True),
    ({"f|wide": "cmd"}, {"f": "c\0m\0d\0"}, True),
    ({"f|base64offset|contains": "ë"}, {"f": "w6s"}, True),
    # windash
    ({"f|windash|contains": " -enc"}, {"f": "x /enc"}, True),
    ({"f|windash|contains": " -enc"}, {"f": "x \N{EM DASH}enc"}, True),
    ({"f|windash|contains": "-a -b"}, {"f": "/a \N{EN DASH}b"}, True),
    ({"f|windash|contains": "-a-b"}, {"f": "/a/b"}, False),
    # numbers and times
    ({"f|lt": 5}, {"f": 4}, True),
    ({"f|lt": 5}, {"f": 5}, False),
    ({"f|lte": 5}, {"f": "5"}, True),
    ({"f|gt": 5}, {"f": "10"}, True),
    ({"f|gt": 5}, {"f": "many"}, False),
    ({"f|gte": 5.5}, {"f": 5}, False),
    ({"f|gte": 5}, {}, False),
    ({"f|minute": 30}, {"f": "2022-07-15T09:30:00"}, True),
    ({"f|hour": 9}, {"f": "2022-07-15 09:30:00"}, True),
    ({"f|day": 15}, {"f": "2022-07-15"}, True),
    ({"f|week": 28}, {"f": "2022-07-15"}, True),
    ({"f|month": 7}, {"f": "2022-07-15"}, True),
    ({"f|year": 2022}, {"f": "2022-07-15"}, True),
    ({"f|year": 2022}, {"f": "yesterday"}, False),
    # addresses
    ({"f|cidr": "10.0.0.0/8"}, {"f": "10.1.2.3"}, True),
    ({"f|cidr": "10.0.0.0/8"}, {"f": "11.1.2.3"}, False),
    ({"f|cidr": "10.0.0.0/8"}, {"f": "-"}, False),
    ({"f|cidr": ["10.0.0.0/8", "fe80::/10"]}, {"f": "fe80::1"}, True),
    # other fields
    ({"f|fieldref": "g"}, {"f": "a", "g": "A"}, True),
    ({"f|fieldref": "g"}, {"f": "a"}, False),
    ({"f|fieldref|endswith": "g"}, {"f": "xa", "g": "a"}, True),
    ({"f|fieldref|neq": "g"}, {"f": "a", "g": "b"}, True),
    # keywords
    (["evil"], {"f": "an EVIL one"}, True),
    (["evil"], {"evil": "x"}, False),
    (["e*l"], {"f": 5, "g": "evol"}, True),
    ({"|all": ["a", "b"]}, {"f": "xa", "g": "bx"}, True),
    ({"|all": ["a", "b"]}, {"f": "xa"}, False),
    ({"|re": "^ev.l$"}, {"f": "evil"}, True),
    (["a b"], {"f": "a", "g": "b"}, False),
    ([12], {"f": 5, "g": 4123}, True),
    (["16"], {"_at_us": 16, "f": "x"}, False),
]


@pytest.mark.parametrize(("search", "event", "expected"), TRUE_AND_FALSE)
def test_a_search_means_what_the_specification_says(search, event, expected):
    assert says(search, event) is expected


PARTS = {
    "sel_a": {"f": "1"},
    "sel_b": {"g": "1"},
    "other": {"h": "1"},
    "_hidden": {"i": "1"},
}


@pytest.mark.parametrize(
    ("condition", "event", "expected"),
    [
        ("sel_a and sel_b or other", {"h": 1}, True),
        ("sel_a and (sel_b or other)", {"h": 1}, False),
        ("not sel_a and other", {"h": 1}, True),
        ("not (sel_a and other)", {"h": 1}, True),
        ("1 of sel_*", {"g": 1}, True),
        ("any of sel_*", {"g": 1}, True),
        ("all of sel_*", {"g": 1}, False),
        ("1 of them", {"i": 1}, False),
        ("all of them", {"f": 1, "g": 1, "h": 1}, True),
        ("_hidden", {"i": 1}, True),
        ("1 of *_b", {"g": 1}, True),
        ("not 1 of sel_* and other", {"h": 1}, True),
        (["sel_a", "other"], {"h": 1}, True),
    ],
)
def test_a_condition_means_what_the_specification_says(condition, event, expected):
    assert (matches(rule(PARTS | {"condition": condition}), [event]) == {0}) is expected


@pytest.mark.parametrize(
    "search",
    [{"f|expand": "%admins%"}, {"f|base64": "a*"}, {"f|sounds": "a"}, {"f|re|x": "a"}],
)
def test_what_sigma_does_not_allow_is_refused(search):
    with pytest.raises(Unfit):
        says(search, {"f": "a"})


def test_a_filter_is_joined_to_the_rules_it_names():
    only = {"selection": {"user": "adm"}, "condition": "not selection"}
    events = [{"f": 1, "user": "adm"}, {"f": 1, "user": "eva"}]
    detection = {"s": {"f": 1}, "condition": "s"}

    def found(named, product="test"):
        document = {"title": "x", "logsource": {"product": product}}
        return matches(rule(detection, document | {"filter": {"rules": named} | only}), events)

    assert found(["t"]) == {1}
    assert found(["00000000-0000-4000-8000-000000000001"]) == {1}
    assert found(["u"]) == {0, 1}
    assert found(["t"], "elsewhere") == {0, 1}

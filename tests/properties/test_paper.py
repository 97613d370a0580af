"""Files on paper: they come back as they were, and a typing mistake is named with its line."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.signers import MadeUpTower
from kulla.tower.kit.paper import PaperInvalid, on_paper, read_paper

KEY = bytes(range(32))
POLICY = MadeUpTower().policy.render()
PRINTED = on_paper("journal.key", KEY)
POLICY_PRINTED = on_paper("policy", POLICY)
LETTERS = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"


def read(*lines: str) -> dict[str, bytes]:
    return read_paper([("typed", "\n".join(lines))])


@given(st.binary(max_size=300), st.sampled_from(["journal.key", "home.toml", "a.share"]))
def test_any_bytes_come_back(data: bytes, name: str) -> None:
    assert read(*on_paper(name, data)) == {name: data}


@given(st.text(st.characters(codec="utf-8"), max_size=400))
def test_any_text_comes_back(text: str) -> None:
    assert read(*on_paper("home.toml", text.encode())) == {"home.toml": text.encode()}


@given(st.lists(st.text("ab +=:#1 \N{EM DASH}", max_size=200), max_size=8))
def test_lines_that_look_like_the_form_come_back(lines: list[str]) -> None:
    data = "".join(f"{line}\n" for line in lines).encode()
    assert read(*on_paper("policy", data)) == {"policy": data}


def test_a_policy_comes_back_from_any_order_with_other_words_between() -> None:
    head, *lines, end = POLICY_PRINTED
    cut = next(at for at in range(20, len(lines)) if ":" in lines[at][:4])
    pages = [
        ("one", "\n".join(["A page of the kit", head, *lines[cut:], end, "Fill in: ____"])),
        ("two", "\n".join(["12: not yet begun", head.lower(), *lines[:cut]])),
        ("key", "\n".join(PRINTED)),
    ]
    assert read_paper(pages) == {"policy": POLICY, "journal.key": KEY}


def test_small_letters_other_spaces_and_look_alikes_do() -> None:
    head, *lines, end = PRINTED
    typed = [re.sub(r"(?<=: ).*", lambda m: m[0].lower().replace(" ", ""), each) for each in lines]
    assert read(head.lower(), *typed, end.lower())["journal.key"] == KEY
    typed = [each.replace("0", "O").replace("L", "1") for each in lines]
    assert read(head, *(f"{n}: {each.partition(': ')[2]}" for n, each in enumerate(typed, 1)), end)
    dashed = [each.replace("# \N{EM DASH} ", "# - ") for each in POLICY_PRINTED]
    assert dashed != POLICY_PRINTED
    assert read(*dashed)["policy"] == POLICY


def test_every_single_wrong_letter_and_swapped_pair_is_found_with_its_line() -> None:
    head, first, *others = PRINTED
    for at, letter in enumerate(first):
        if letter not in LETTERS or at < 3:
            continue
        for other in LETTERS.replace(letter, ""):
            with pytest.raises(PaperInvalid, match=r"typing mistake in line 1 of journal\.key"):
                read(head, first[:at] + other + first[at + 1 :], *others)
        after = first[at + 1 : at + 2]
        if after in LETTERS and after not in ("", letter):
            with pytest.raises(PaperInvalid, match="line 1 of"):
                read(head, first[:at] + after + letter + first[at + 2 :], *others)


@given(st.data())
def test_up_to_four_wrong_letters_in_a_line_are_found(data: st.DataObject) -> None:
    head, first, *others = PRINTED
    places = [at for at, letter in enumerate(first) if at > 2 and letter in LETTERS]
    wrong = data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=4, unique=True))
    for at in wrong:
        other = data.draw(st.sampled_from(LETTERS.replace(first[at], "")))
        first = first[:at] + other + first[at + 1 :]
    with pytest.raises(PaperInvalid, match=r"line 1 of journal\.key"):
        read(head, first, *others)


@given(st.data())
def test_a_wrong_letter_in_text_is_found_with_its_line(data: st.DataObject) -> None:
    lines = list(POLICY_PRINTED)
    row = data.draw(st.integers(1, len(lines) - 2))
    start = lines[row].index(":") + 2 if ":" in lines[row][:4] else 4
    at = data.draw(st.integers(start, len(lines[row]) - 1))
    other = data.draw(st.sampled_from("aZ09+/ ="))
    if lines[row][at] == other or lines[row][at] + other in ("O0", "0O"):
        return
    lines[row] = lines[row][:at] + other + lines[row][at + 1 :]
    said = ""
    try:
        found = read(*lines)["policy"]
    except PaperInvalid as error:
        found, said = POLICY, str(error)
    assert found == POLICY  # a space behind the line, or a 1 for an L
    assert not said or re.search(r"typed, line \d+: a typing mistake in line \d+ of", said)


def test_lines_that_are_missing_or_changed_places_are_named() -> None:
    head, first, second, end = PRINTED
    with pytest.raises(PaperInvalid, match=r"journal\.key lacks line 2"):
        read(head, first, end)
    with pytest.raises(PaperInvalid, match=r"line 1 of journal\.key"):
        read(head, second.replace("2:", "1:"), first.replace("1:", "2:"), end)
    with pytest.raises(PaperInvalid, match="lacks its last line"):
        read(head, first, second)
    with pytest.raises(PaperInvalid, match="last line is wrong"):
        read(head, first, second, end[:-1] + ("Q" if end[-1] != "Q" else "P"))
    with pytest.raises(PaperInvalid, match="no line 7"):
        read(head, first, second, "7: QQQQ =QQQQQQ", end)
    with pytest.raises(PaperInvalid, match="no file of a kit"):
        read("hello")
    with pytest.raises(PaperInvalid, match="another form"):
        read(head, first, second, end, head.replace("2 lines", "3 lines"))


def test_a_line_that_is_right_somewhere_counts() -> None:
    head, first, second, end = PRINTED
    wrong = first[:-1] + ("Q" if first[-1] != "Q" else "P")
    for pages in ([wrong, first], [first, wrong]):
        assert read(head, *pages, second, end)["journal.key"] == KEY


@pytest.mark.parametrize("name", ["../policy", "a/b", "", ".hidden", "x" * 99])
def test_no_page_leads_out_of_the_folder(name: str) -> None:
    with pytest.raises(PaperInvalid):
        on_paper(name, b"x")
    with pytest.raises(PaperInvalid):
        read(f"KULLA KIT: {name}, bytes, 1 line", "1: QQ =QQQQQQ")

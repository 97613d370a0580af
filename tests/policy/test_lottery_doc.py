"""docs/services/enrolment-lottery.md says how a lottery goes: its table and its text are run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fakes.drawn_round import LotteryCountry
from fakes.urns import ROUND, closing_act
from kulla.embassy.errors import Refused
from kulla.kernel.errors import KullaError
from kulla.kernel.service import Refusal
from kulla.services.enrolment.policy.draw import seed_of, seed_text

PAGE = Path(__file__).resolve().parents[2] / "docs" / "services" / "enrolment-lottery.md"
OTHER_LIST = b"\x05" * 32


def rows() -> list[list[str]]:
    """The worked round, without head and rule."""
    block = re.search(r"^\| who \| does .*\n\|[-|]+\n((?:\|.*\n)+)", PAGE.read_text(), re.MULTILINE)
    assert block is not None
    lines = block[1].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


class Played:
    """The country of the worked round; each method gives the answer of the page's third column."""

    def __init__(self, folder: Path) -> None:
        self.country = LotteryCountry(folder)

    def commits(self, who: str, how: str) -> str:
        data = self.country.commit_data(who)
        if "another round" in how:
            statement, deal = self.country.urns.commit(who, "second-2026")
            data |= {"statement": statement, "escrow": deal}
        elif "another embassy" in how:
            data |= {"escrow": self.country.urns.commit("embassy-1")[1]}
        return self._scribe("commit_secret", data)

    def closes(self, *_: str) -> str:
        self.country.close()
        return "round_closed"

    def asks(self, _: str, how: str) -> str:
        urns, index, cosigners = self.country.urns, self.country.closed_index, urns_names(how)
        if "another act" in how:
            index = 0
        elif "another list" in how:
            index = urns.grow([closing_act(root=OTHER_LIST)])
        receipt = urns.receipt(index, cosigners=cosigners)
        try:
            urns.embassies["embassy-1"].client().reveal_secret(receipt)
        except Refused as error:
            return f"refused: {error.reason}"
        return "told"

    def draws(self, _: str, how: str) -> str:
        if self.country.closed_index < 0:
            # What home would know then: nothing, so it tries with what it made up.
            made_up = [["key", b"s" * 32, "embassy", b"e"]]
            data: dict[str, Any] = {
                "round": ROUND, "closed": 0, "size": 1, "root": b"r" * 32,
                "secrets": made_up, "beacon": b"", "seed": b"s" * 32,
            }  # fmt: skip
            return self._scribe("draw_seed", data)
        data = self.country.draw_data(opened=("embassy-2",), custodians=("arta", "drita"))
        if "without" in how:
            data["secrets"] = [row for row in data["secrets"] if "embassy-2" not in row[0]]
        elif "another secret" in how:
            data["secrets"][0][1] = data["secrets"][1][1]
        elif "another seed" in how:
            data["seed"] = b"\x00" * 32
        if "seed" not in how:
            told = [(row[0], row[1]) for row in data["secrets"]]
            data["seed"] = seed_of(ROUND, 0, self.country.list_root, told)
        return self._scribe("draw_seed", data)

    def opens(self, who: str, _: str) -> str:
        try:
            secret, _evidence = self.country.opened("embassy-2", who.split(" and "))
        except KullaError as error:
            return error.message
        assert secret == self.country.secret("embassy-2")
        return "the secret that embassy-2 would have told"

    def _scribe(self, name: str, data: dict[str, Any]) -> str:
        answer = self.country.ask(name, data)
        return answer.code if isinstance(answer, Refusal) else answer[0].name


def urns_names(how: str) -> list[str]:
    """Who cosigned the receipt that home shows; [] for the first three."""
    return ["embassy-1", "embassy-2"] if "two embassies" in how else []


def test_the_worked_round_goes_as_the_page_says(tmp_path):
    played = Played(tmp_path)
    verbs: dict[str, Callable[[str, str], str]] = {
        "commit": played.commits,
        "close": played.closes,
        "ask": played.asks,
        "draw": played.draws,
        "open": played.opens,
    }
    seen = set()
    for who, how, answer in rows():
        verb = next(verb for verb in verbs if how.startswith(verb))
        seen.add(verb)
        found = verbs[verb](who, how)
        wanted = answer.removeprefix("refused: ")
        assert wanted in found, (who, how, found)
        assert found.startswith("refused") == answer.startswith("refused"), (who, how, found)
    assert seen == set(verbs)


def test_the_seed_by_hand_is_the_hash_of_the_text():
    page = PAGE.read_text()
    text = re.search(r"```\n(kulla-lottery-seed/v1\n.*?)```", page, re.DOTALL)
    said = re.search(r"the seed, is `([0-9a-f]{64})`", page)
    assert text is not None
    assert said is not None
    assert hashlib.sha256(text[1].encode()).hexdigest() == said[1]
    _, round_line, list_line, *secrets = text[1].splitlines()
    count, root = list_line.split(" ")[1:]
    told = [(line.split(" ")[1], bytes.fromhex(line.split(" ")[2])) for line in secrets]
    made = seed_text(round_line.removeprefix("round "), int(count), bytes.fromhex(root), told[::-1])
    assert made == text[1]


@pytest.mark.parametrize("what", ["lottery open", "lottery check", "enrolment commit"])
def test_the_page_says_what_is_typed(what: str):
    assert f"\nkulla {what} " in PAGE.read_text()

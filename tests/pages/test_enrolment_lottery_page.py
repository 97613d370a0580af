"""The public page of a lottery, from the first commitment to the draw, for people without a login.

Embassies and custodians are real code in this process; the portal stands in front of a made-up
tower with the same keys, so that what the page offers is checked by the real check.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from fakes.drawn_round import LotteryCountry
from fakes.lottery_portal import OPERATOR, PAGE, LotteryPortal
from fakes.portal import Visitor, found, words_of
from fakes.urns import ROUND
from kulla.journal.entries import act_plaintext
from kulla.kernel.errors import KullaError
from kulla.services.enrolment.lottery.page_file import file_of
from kulla.tower.lottery.checking import DrawUnproven, check_draw, check_file


class Portal(LotteryPortal):
    """The same, and somebody who looks at it without a login."""

    def __init__(self, folder: Path) -> None:
        super().__init__(found(folder)[0], folder)
        self.visitor = Visitor()

    def page(self, address: str = PAGE, status: int = 200) -> Any:
        response = self.visitor.get(address)
        assert response.status_code == status
        return response

    def words(self) -> str:
        return words_of(self.page())


@pytest.fixture
def portal(tmp_path) -> Portal:
    return Portal(tmp_path)


def test_the_page_goes_from_nothing_to_a_seed(portal: Portal):
    assert "No embassy has fixed a secret yet" in portal.words()
    portal.commit()
    words = portal.words()
    assert "It is not drawn yet" in words
    assert "4 embassies each fixed a secret while the list was open" in words
    assert "embassy-3" in words
    portal.page(f"{PAGE}/seed.txt", 404)
    portal.page(f"{PAGE}/proof.json", 404)
    position = portal.close()
    words = portal.words()
    assert "The list is closed; the lottery comes next" in words
    assert portal.beside.list_root.hex() in words
    data = portal.beside.draw_data()
    portal.ask("draw_seed", **(data | {"closed": position}))
    words = portal.words()
    assert data["seed"].hex() in words
    assert "It is drawn" in words
    assert all(secret.hex() in words for _, secret, _, _ in data["secrets"])


def test_no_secret_is_shown_before_the_draw(portal: Portal):
    portal.commit()
    portal.close()
    body = portal.page().content.decode()
    for name in portal.beside.urns.names:
        assert portal.beside.secret(name).hex() not in body


def test_the_text_that_is_offered_hashes_to_the_seed(portal: Portal):
    portal.commit()
    seed = portal.draw()
    response = portal.page(f"{PAGE}/seed.txt")
    assert hashlib.sha256(response.content).digest() == seed
    assert "attachment" in response["Content-Disposition"]


def test_the_proof_that_is_offered_holds_off_line(portal: Portal, tmp_path):
    portal.commit()
    seed = portal.draw(opened=("embassy-2",))
    file, policy = tmp_path / "proof.json", tmp_path / "policy"
    file.write_bytes(portal.page(f"{PAGE}/proof.json").content)
    policy.write_bytes(portal.beside.urns.tower.policy.render())
    found_ = check_file(file, [policy])
    assert (found_.seed, found_.quorum, found_.absent) == (seed, True, ())
    assert found_.told_by["embassy-2"] == "custodians"
    assert "opened by custodians: embassy-2" in portal.words()


def test_a_proof_in_which_anything_is_changed_holds_no_more(portal: Portal, tmp_path):
    portal.commit()
    portal.draw()
    policies = [portal.beside.urns.tower.policy]
    good = portal.page(f"{PAGE}/proof.json").json()
    assert check_draw(good, policies).quorum

    def changed(**more: Any) -> dict[str, Any]:
        return {**good, **more}

    first, second, *others = good["tickets"]
    lies = [
        changed(format="x"),
        changed(round="other"),
        changed(seed="00" * 32),
        changed(closed=first["committed"]),
        changed(closed="no base64"),
        changed(tickets=[]),
        changed(tickets=[first, first, *others]),
        changed(tickets=[{**first, "secret": second["secret"]}, second, *others]),
        changed(tickets=[{**first, "evidence": second["evidence"]}, second, *others]),
        changed(tickets=[{**first, "committed": second["committed"]}, second, *others]),
        changed(tickets=[{**first, "committed": good["closed"]}, second, *others]),
        changed(tickets=[{**first, "embassy": "eve"}, second, *others]),
        {},
        [],
        changed(tickets=[first, second, *others[:-1]]),
    ]
    for lie in lies:
        with pytest.raises(KullaError):
            check_draw(json.loads(json.dumps(lie)), policies)


def test_an_embassy_that_committed_after_the_list_was_closed_is_found_out(tmp_path):
    """Home's registers may say what they like: the journal's order gives it away."""
    country = LotteryCountry(tmp_path)
    country.commit_all()
    early = [_journalled(country, name) for name in country.urns.names]
    country.close()
    [_] = country.ask("draw_seed", country.draw_data())
    late = _journalled(country, "embassy-4")

    def proof(positions: list[int]) -> dict[str, Any]:
        draw = {"closed": country.closed_index, "seed": country.draw_data()["seed"]}
        row = country.desk.rows.get("enrolment_round", ROUND)
        assert row is not None
        secrets = country.desk.rows.find("enrolment_secret", round=ROUND)
        rows = [{**each, "committed": at} for each, at in zip(secrets, positions, strict=True)]
        return file_of(row, draw, rows, country.urns.receipt)

    policies = [country.urns.tower.policy]
    assert check_draw(proof(early), policies).quorum
    with pytest.raises(DrawUnproven, match="after the list was closed"):
        check_draw(proof([*early[:3], late]), policies)


def _journalled(country: LotteryCountry, name: str) -> int:
    """Write an embassy's commitment into the journal, at its end: where it stands."""
    row = country.desk.rows.get("enrolment_secret", f"{ROUND}-{country.urns.key(name)}")
    assert row is not None
    data = {key: row[key] for key in ("round", "embassy", "commitment", "escrow", "statement")}
    act = act_plaintext(
        "enrolment", "secret_committed", 1, 0, "operator", "allocator", b"c" * 32, data
    )
    return country.urns.grow([act])


def test_what_is_not_confirmed_yet_is_not_shown(portal: Portal):
    portal.commit()
    position = portal.close()
    data = portal.beside.draw_data()
    portal.country.tower.held = True
    answer = portal.country.ask(OPERATOR, "enrolment", "draw_seed", data | {"closed": position})
    assert answer.status == "waiting"
    assert data["seed"].hex() not in portal.page().content.decode()
    portal.page(f"{PAGE}/seed.txt", 404)


def test_where_no_embassy_committed_the_page_says_that_it_is_no_lottery(portal: Portal):
    portal.close()
    assert "can't be drawn so that nobody could choose" in portal.words()


def test_where_the_journal_gives_no_receipts_the_page_says_so(portal: Portal, monkeypatch):
    portal.commit()
    portal.draw()
    tower = portal.country.tower

    def silent(position: int, subject: str) -> bytes:
        tower.silent = True
        try:
            return type(tower).receipt(tower, position, subject)
        finally:
            tower.silent = False

    monkeypatch.setattr(tower, "receipt", silent, raising=True)
    response = portal.page(f"{PAGE}/proof.json", 503)
    assert "The file can't be made right now" in words_of(response)


@pytest.mark.parametrize(
    "address",
    [f"/enrolment/rounds/nowhere/lottery{end}" for end in ("", "/seed.txt", "/proof.json")],
)
def test_a_round_that_is_not_there_has_no_lottery(portal: Portal, address):
    portal.page(address, 404)


def test_the_page_is_in_albanian_too(portal: Portal):
    portal.commit()
    portal.draw()
    words = words_of(Visitor(language="sq").get(PAGE))
    assert "Shorti që askush nuk mund ta zgjidhte" in words
    assert "U hodh" in words

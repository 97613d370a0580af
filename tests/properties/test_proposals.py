"""What custodians sign: its words can't lie, and nobody's bad file hinders another's."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fakes.signers import NOON_MS, MadeUpTower
from kulla.journal.epochs import verify_succession
from kulla.journal.errors import JournalError, ProposalInvalid
from kulla.journal.policy_file import Custodian, PolicyFile, verify_successor
from kulla.journal.proposals import (
    Proposal,
    collect,
    fingerprint,
    parse_proposal,
    parse_signature_file,
    sign_proposal,
)
from kulla.rebuild.takeover import next_policy, statement_of

TOWER = MadeUpTower()
NEW = TOWER.key("kulla.example/epoch-2-ab12").verifier
URL = "https://new.kulla.example/"
KEYS = TOWER.custodian_keys
NEWCOMER = TOWER.key("newcomer.custodians.example")


def takeover(reason: str = "the hall burned down", shares_to: bytes = b"k" * 99) -> Proposal:
    statement = statement_of(TOWER.policy, NEW, URL, reason, NOON_MS)
    return Proposal(TOWER.policy, next_policy(TOWER.policy, NEW, URL), statement, shares_to)


def change(**fields: object) -> Proposal:
    return Proposal(TOWER.policy, replace(TOWER.unsigned_policy, version=2, **fields))  # type: ignore[arg-type]


def with_newcomer() -> Proposal:
    custodians = (*TOWER.policy.custodians, Custodian("nora", NEWCOMER.verifier))
    return change(custodians=custodians, custodian_threshold=3)


@pytest.mark.parametrize("proposal", [takeover(), takeover(shares_to=b""), with_newcomer()])
def test_a_proposal_reads_back_and_says_what_it_is(proposal: Proposal) -> None:
    data = proposal.render()
    assert parse_proposal(data) == proposal
    assert parse_proposal(data.replace(b"\n", b"\r\n")) == proposal, "mailers do that"
    proposal.check()
    proposal.check_trusted(TOWER.policy)
    text = data.decode()
    assert proposal.fingerprint in text
    assert max(len(line) for line in text.partition("\n== ")[0].splitlines()) < 150


def test_its_words_name_what_matters() -> None:
    text = takeover().render().decode().partition("\n== ")[0]
    for said in ("the hall burned down", URL, NEW.text(), TOWER.origin, "9 October 2025", "2 of 3"):
        assert said in " ".join(text.split())
    text = with_newcomer().render().decode().partition("\n== ")[0]
    for said in ("nora comes", NEWCOMER.verifier.text(), "3 of 4 custodians", "it was 2"):
        assert said in " ".join(text.split())


@given(st.data())
def test_no_letter_of_it_can_be_changed(data: st.DataObject) -> None:
    whole = takeover().render()
    at = data.draw(st.integers(0, len(whole) - 1))
    octet = data.draw(st.integers(0, 255))
    altered = whole[:at] + bytes([octet]) + whole[at + 1 :]
    assume(altered != whole and altered.replace(b"\r\n", b"\n") != whole)
    try:
        read = parse_proposal(altered)
    except JournalError:
        return
    assert read.fingerprint != takeover().fingerprint


@given(st.binary(max_size=200), st.integers(0, 3000))
def test_whatever_comes_as_a_file_is_refused_with_a_reason(junk: bytes, at: int) -> None:
    whole = takeover().render()
    for data in (junk, whole[:at], whole[:at] + junk, junk + whole):
        if data.replace(b"\r\n", b"\n") == whole:
            continue
        with pytest.raises(ProposalInvalid):
            parse_proposal(data)
        with pytest.raises(ProposalInvalid):
            parse_signature_file(data)


def test_what_would_not_follow_is_refused() -> None:
    other = TOWER.key("kulla.example/epoch-2-other").verifier
    good = takeover()
    for bad in (
        replace(good, following=next_policy(TOWER.policy, other, URL)),
        replace(good, following=replace(good.following, custodian_threshold=1)),
        replace(good, following=replace(good.following, version=3)),
        replace(good, now=TOWER.unsigned_policy),
        replace(change(), following=good.following),
        change(tower="elsewhere.example"),
        change(relying_party="elsewhere.example"),
        change(groups=(replace(TOWER.policy.groups[0], threshold=2),)),
    ):
        with pytest.raises(JournalError):
            bad.check()


def second_policy(custodians: tuple[str, ...] = ("arta", "besa")) -> PolicyFile:
    return TOWER.signed(change(readers=()).following, custodians)


def test_it_stands_on_a_policy_that_the_custodian_trusts() -> None:
    later = Proposal(second_policy(), replace(second_policy(), version=3, signatures=()))
    later.check_trusted(TOWER.policy)
    with pytest.raises(ProposalInvalid, match="you trust version 2"):
        takeover().check_trusted(second_policy())
    stranger = MadeUpTower(seed=9)
    foreign = stranger.signed(stranger.unsigned_policy, ("arta", "besa"))
    with pytest.raises(JournalError):
        Proposal(foreign, foreign).check_trusted(TOWER.policy)
    alone = second_policy(("arta",))
    with pytest.raises(JournalError, match="too few custodians"):
        Proposal(alone, alone).check_trusted(TOWER.policy)


def files(proposal: Proposal, *names: str) -> list[tuple[str, bytes]]:
    return [(name, sign_proposal(proposal, KEYS[name]).render()) for name in names]


@given(st.permutations(["arta", "besa", "drita", "damaged", "foreign", "stranger", "twice"]))
def test_order_and_bad_files_don_t_matter(order: list[str]) -> None:
    proposal = takeover()
    known = dict(files(proposal, "arta", "besa", "drita"))
    known["twice"] = known["arta"]
    known["damaged"] = known["besa"][:-9] + b"AAAAAAA=\n"
    known["foreign"] = dict(files(takeover("another reason"), "besa"))["besa"]
    signed = parse_signature_file(known["besa"])
    known["stranger"] = replace(signed, custodian="stranger.example").render()
    for upto in range(len(order) + 1):
        some = order[:upto]
        found = collect(proposal, [(name, known[name]) for name in some])
        good = {{"twice": "arta"}.get(name, name) for name in some}
        good &= {"arta", "besa", "drita"}
        assert set(found.names) == good
        assert found.missing == max(0, 2 - len(good))
        assert len(found.faults) == len({"damaged", "foreign", "stranger"} & set(some))
        if not found.missing:
            verify_succession(found.succession(), TOWER.policy)
            verify_successor(TOWER.policy, found.policy())


def test_a_change_needs_the_old_and_the_new() -> None:
    proposal = with_newcomer()
    two = collect(proposal, files(proposal, "arta", "besa"))
    assert two.missing == 1, "the new policy asks for three"
    more = (*files(proposal, "arta", "besa"), ("n", sign_proposal(proposal, NEWCOMER).render()))
    three = collect(proposal, more)
    assert three.missing == 0
    verify_successor(TOWER.policy, three.policy())
    with pytest.raises(ProposalInvalid):
        sign_proposal(proposal, TOWER.log_key)


def test_a_signature_file_fits_a_code_and_carries_a_share() -> None:
    file = sign_proposal(takeover(), KEYS["arta"], share=b"s" * 1_400)
    data = file.render()
    assert parse_signature_file(data) == file
    assert len(data) < 2_953, "what a QR code of version 40 holds"
    later = [*files(takeover(), "arta"), ("with", data), *files(takeover(), "arta")]
    [kept] = collect(takeover(), later).files.values()
    assert kept.share == file.share, "a share that came is not lost to a file without"


@given(st.binary(), st.binary())
def test_fingerprints_are_short_and_differ(one: bytes, other: bytes) -> None:
    shown = fingerprint(one)
    assert len(shown.replace("-", "")) == 16
    assert not set("ILOU") & set(shown)
    assert (fingerprint(other) == shown) == (one == other)

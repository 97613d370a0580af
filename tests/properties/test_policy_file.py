"""Policy files: what custodians signed is what is read, and strangers' files read as they say."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.signers import NOON_S, MadeUpTower
from kulla.journal.errors import (
    CheckpointInvalid,
    CustodiansMissing,
    JournalError,
    PolicyInvalid,
    QuorumMissing,
    SignatureInvalid,
)
from kulla.journal.notes import Note, NoteSignature, VerifierKey, open_note, parse_note
from kulla.journal.policy_file import (
    Custodian,
    Embassy,
    Group,
    Log,
    PolicyFile,
    parse_policy,
    sign_policy,
    verify_policy_signatures,
    verify_successor,
)

TOWER = MadeUpTower()
NEXT = MadeUpTower(origin="journal.kulla.example/2")
ROOT = bytes(range(32))
EMBASSIES = tuple(TOWER.mirror_keys)


def key_text(name: str, kind: int) -> str:
    return TOWER.key(name, kind).verifier.text()


def plain(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


W = {name: f"witness {name} {key_text(name, 4)}" for name in ("X1", "X2", "X3", "Y1", "Y2", "Y3")}
LOG = f"log {key_text('log.example', 1)}"

# The example of the specification (C2SP tlog-policy), with keys.
EXAMPLE = plain(
    LOG,
    "",
    W["X1"],
    W["X2"],
    W["X3"],
    "group X-witnesses 2 X1 X2 X3",
    "",
    W["Y1"],
    W["Y2"],
    W["Y3"],
    "group Y-witnesses any Y1 Y2 Y3",
    "",
    "group X-and-Y all X-witnesses Y-witnesses",
    "quorum X-and-Y",
)


def test_a_signed_policy_reads_back_to_the_byte():
    data = TOWER.policy.render()
    policy = parse_policy(data)
    assert policy == TOWER.policy
    assert policy.render() == data
    assert (policy.tower, policy.version, policy.relying_party) == (
        "kulla.example",
        1,
        "kulla.example",
    )
    assert (policy.quorum_k, policy.n) == (3, 4)
    assert policy.current_log.key == TOWER.log_key.verifier
    assert [embassy.name for embassy in policy.embassies] == list(EMBASSIES)
    assert verify_policy_signatures(policy) == ("arta", "besa")


def test_signatures_are_those_of_a_signed_note():
    note = Note(TOWER.policy.unsigned_text(), TOWER.policy.signatures)
    assert note.text.startswith("# kulla-policy v1\n")
    assert "# signed" not in note.text
    keys = [key.verifier for key in TOWER.custodian_keys.values()]
    assert open_note(parse_note(note.render()), keys) == keys[:2]


def test_every_cut_of_a_signed_policy_is_refused():
    data = TOWER.policy.render()
    for end in range(len(data)):
        with pytest.raises(JournalError):
            verify_policy_signatures(parse_policy(data[:end]))


def test_every_changed_byte_of_a_signed_policy_is_refused():
    data = TOWER.policy.render()
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :]
        with pytest.raises(JournalError):
            verify_policy_signatures(parse_policy(changed))


@pytest.mark.parametrize("signers", [(), ("arta",), ("drita",)])
def test_too_few_custodians_are_not_enough(signers: tuple[str, ...]):
    policy = TOWER.signed(TOWER.unsigned_policy, signers)
    with pytest.raises(CustodiansMissing, match=f"need 2 of 3, have {len(signers)}"):
        verify_policy_signatures(policy)


def test_the_same_custodian_twice_is_one():
    once = TOWER.signed(TOWER.unsigned_policy, ["arta", "arta"])
    assert len(once.signatures) == 1
    twice = replace(once, signatures=once.signatures * 2)
    with pytest.raises(CustodiansMissing):
        verify_policy_signatures(twice)


def test_a_stranger_s_signature_is_skipped_and_a_forged_one_rejects():
    stranger = MadeUpTower(seed=9).key("arta.custodians.example")
    with_stranger = sign_policy(TOWER.policy, stranger)
    assert verify_policy_signatures(with_stranger) == ("arta", "besa")
    forged = NoteSignature(
        "drita.custodians.example",
        TOWER.custodian_keys["drita"].verifier.key_id,
        bytes(64),
    )
    with pytest.raises(SignatureInvalid, match="drita"):
        verify_policy_signatures(
            replace(TOWER.policy, signatures=(*TOWER.policy.signatures, forged))
        )


def changed_text(old: str, new: str) -> bytes:
    text = TOWER.unsigned_policy.render().decode()
    assert old in text
    return text.replace(old, new).encode()


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("# kulla-policy v1", "# kulla-policy v2", 1),
        ("# tower kulla.example", "# tower  kulla.example", 2),
        ("# tower kulla.example", "# tower kulla.example\n# tower again", 3),
        ("# tower kulla.example", "# a free comment", 2),
        ("# version 1\n", "# version 0\n", 3),
        ("# version 1\n", "# version 01\n", 3),
        ("# version 1\n", "# version ١\n", 3),
        ("# custodians 2\n", "# custodians two\n", 4),
        ("# custodian besa", "# custodian arta", 6),
        ("besa.custodians.example+", "besa.custodians.example-", 6),
        ("log journal", "\nlog journal", 10),
        ("log journal", "log\tjournal", 10),
        ("# relying-party kulla.example", "# relying-party kulla .example", 9),
        ("https://home.kulla.example/", "https://home.kulla.example/#top", 10),
        ("https://home.kulla.example/", "https://home.kulla.example/ more", 10),
        ("# statement-key embassy-2", "# statement-key embassy-1", 14),
        ("group embassies 3", "group embassies 5", 19),
        ("group embassies 3", "group embassies all", 19),
        ("group embassies 3", "group none 3", 19),
        ("embassy-3 embassy-4\nq", "embassy-3 embassy-3\nq", 19),
        ("embassy-3 embassy-4\nq", "embassy-3 embassy-5\nq", 19),
        ("quorum embassies", "quorum embassys", 20),
        ("quorum embassies", "quorum embassies\nquorum embassies", 21),
        ("quorum embassies", "Quorum embassies", 20),
        ("quorum embassies\n", "quorum embassies\n# signed\n# - arta AAAA\n", 22),
        ("quorum embassies\n", "quorum embassies\x00\n", 20),
        ("quorum embassies\n", "quorum embassies\x7f\n", 20),
        ("quorum embassies\n", "quorum embassies\r\n", 20),
    ],
)
def test_a_policy_with_a_wrong_line_is_refused_at_that_line(old: str, new: str, line: int):
    with pytest.raises(PolicyInvalid) as refused:
        parse_policy(changed_text(old, new), place="policy")
    assert refused.value.place == f"policy, line {line}"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# version 1\n", ""),
        ("# custodians 2\n", ""),
        ("# custodians 2\n", "# custodians 4\n"),
        ("quorum embassies\n", ""),
        ("quorum embassies\n", "quorum none\n"),
        ("quorum embassies\n", "quorum embassies"),
    ],
)
def test_a_policy_that_lacks_something_is_refused(old: str, new: str):
    with pytest.raises(PolicyInvalid):
        parse_policy(changed_text(old, new))


def test_a_key_serves_one_purpose():
    """A custodian's key as a log's, or an embassy's key as another's reader's, is refused."""
    policy, custodian = TOWER.unsigned_policy, TOWER.custodian_keys["arta"]
    for twice in (
        replace(policy, logs=(Log(custodian.verifier),)),
        replace(policy, logs=(*policy.logs, *policy.logs)),
        replace(policy, custodians=(*policy.custodians, Custodian("x", TOWER.log_key.verifier))),
    ):
        with pytest.raises(PolicyInvalid, match=r"stands already|two logs"):
            twice.render()


def test_fields_that_would_not_read_back_are_not_written():
    policy = TOWER.unsigned_policy
    evil = "kulla.example\n# version 9"
    for wrong in (
        replace(policy, tower=evil),
        replace(policy, relying_party="a b"),
        replace(policy, logs=(Log(TOWER.log_key.verifier, "https://x\nquorum none"),)),
        replace(policy, groups=(Group("embassies", 0, EMBASSIES),)),
        replace(policy, tower=""),
        replace(policy, version=-1),
        replace(policy, embassies=policy.embassies[:1]),
    ):
        with pytest.raises(PolicyInvalid):
            wrong.render()


def successor(**changes: object) -> PolicyFile:
    logs = (*TOWER.policy.logs, Log(NEXT.log_key.verifier, "https://new.kulla.example/"))
    fields: dict = {"version": 2, "signatures": (), "logs": logs} | changes
    return replace(TOWER.policy, **fields)


def test_a_successor_needs_the_old_custodians_and_the_new():
    new_keys = {name: TOWER.key(f"{name}.new.example") for name in ("erion", "flutur")}
    people = tuple(Custodian(name, key.verifier) for name, key in new_keys.items())
    new = successor(custodians=people)
    by_new = sign_policy(sign_policy(new, new_keys["erion"]), new_keys["flutur"])
    with pytest.raises(CustodiansMissing, match="have 0"):
        verify_successor(TOWER.policy, by_new)
    by_old = TOWER.signed(new, ["arta", "drita"])
    with pytest.raises(CustodiansMissing, match="have 0"):
        verify_successor(TOWER.policy, by_old)
    one_short = TOWER.signed(by_new, ["besa"])
    with pytest.raises(CustodiansMissing, match=r"have 1 \(besa\)"):
        verify_successor(TOWER.policy, one_short)
    verify_successor(TOWER.policy, parse_policy(TOWER.signed(by_new, ["besa", "arta"]).render()))


def test_a_successor_keeps_name_order_and_history():
    good = TOWER.signed(successor(), ["arta", "besa"])
    verify_successor(TOWER.policy, good)
    for wrong in (
        successor(version=1),
        successor(version=3),
        successor(tower="other.example"),
        successor(logs=(Log(NEXT.log_key.verifier),)),
        successor(logs=(Log(NEXT.log_key.verifier), *TOWER.policy.logs)),
    ):
        with pytest.raises(PolicyInvalid):
            verify_successor(TOWER.policy, TOWER.signed(wrong, ["arta", "besa"]))
    with pytest.raises(PolicyInvalid):
        verify_successor(good, TOWER.policy)
    moved = successor(logs=(Log(TOWER.log_key.verifier, "https://elsewhere.example/"),))
    verify_successor(TOWER.policy, TOWER.signed(moved, ["arta", "besa"]))


@pytest.mark.parametrize("count", range(5))
def test_any_three_of_four_embassies_are_a_quorum_and_no_two(count: int):
    for names in combinations(EMBASSIES, count):
        assert TOWER.policy.is_quorum(set(names)) == (count >= 3)
        note = TOWER.checkpoint_note(5, ROOT, names)
        if count >= 3:
            assert TOWER.policy.check_checkpoint(note).size == 5
        else:
            with pytest.raises(QuorumMissing, match=f"need 3 of 4, have {count}"):
                TOWER.policy.check_checkpoint(note)


def test_checked_checkpoints_say_who_cosigned_when():
    names = ["embassy-1", "embassy-2", "embassy-4"]
    checked = TOWER.policy.check_witnessed(TOWER.checkpoint_note(5, ROOT, names))
    assert checked.cosigned_at_s == {name: NOON_S + at for at, name in enumerate(names)}
    assert checked.log.key == TOWER.log_key.verifier


def test_a_checkpoint_of_a_stranger_or_unsigned_by_the_log_is_refused():
    other = NEXT.checkpoint_note(5, ROOT, EMBASSIES)
    with pytest.raises(SignatureInvalid, match="names no log"):
        TOWER.policy.check_checkpoint(other)
    lines = TOWER.checkpoint_note(5, ROOT, EMBASSIES).decode().splitlines(keepends=True)
    with pytest.raises(SignatureInvalid, match="did not sign"):
        TOWER.policy.check_checkpoint("".join(lines[:4] + lines[5:]).encode())
    note = Note("not a checkpoint\n", (TOWER.log_key.sign_note("not a checkpoint\n"),))
    with pytest.raises(CheckpointInvalid):
        TOWER.policy.check_checkpoint(note)
    assert successor().check_checkpoint(other).origin == NEXT.origin


def test_the_example_of_the_specification_reads_and_judges():
    policy = parse_policy(EXAMPLE)
    assert not policy.is_kulla
    assert [group.threshold for group in policy.groups] == [2, 1, 2]
    assert policy.is_quorum({"X1", "X3", "Y2"})
    for few in ({"X1", "X2", "X3"}, {"X1", "Y1", "Y2", "Y3"}, {"X-and-Y"}, {"X-witnesses", "Y1"}):
        assert not policy.is_quorum(few)
    with pytest.raises(PolicyInvalid, match="not a group of embassies alone"):
        assert policy.n
    with pytest.raises(PolicyInvalid):
        verify_policy_signatures(policy)
    with pytest.raises(PolicyInvalid):
        sign_policy(policy, TOWER.custodian_keys["arta"])
    assert parse_policy(policy.render()) == policy


@pytest.mark.parametrize(
    ("lines", "quorum"),
    [
        (["quorum none"], (0, 0)),
        ([W["X1"], "quorum X1"], (1, 1)),
        (["\t quorum   none \t", "   ", "  # any comment \t"], (0, 0)),
        ([W["X1"], W["X2"], "group g all X1 X2", "quorum g"], (2, 2)),
        ([LOG + " https://a", W["X1"] + "\thttps://b", "group g any X1", "quorum g"], (1, 1)),
        ([W["X1"], "group 3 1 X1", "quorum 3"], (1, 1)),
        ([f"witness pq {VerifierKey('pq', 6, bytes(1312)).text()}", "quorum pq"], (1, 1)),
    ],
)
def test_plain_policies_read(lines: list[str], quorum: tuple[int, int]):
    policy = parse_policy(plain(*lines))
    assert (policy.quorum_k, policy.n) == quorum
    assert parse_policy(policy.render()) == policy


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        (["log"], 1),
        ([f"log {key_text('x', 4)}", "quorum none"], 1),
        ([LOG, LOG, "quorum none"], 2),
        ([LOG, f"log {key_text('log.example', 1)[:-1]}", "quorum none"], 2),
        ([W["X1"], W["X1"], "quorum X1"], 2),
        ([W["X1"], f"witness X9 {key_text('X1', 4)}", "quorum X1"], 2),
        ([f"witness none {key_text('X1', 4)}", "quorum none"], 1),
        ([f"witness a {key_text('X1', 1)}", "quorum none"], 1),
        ([W["X1"], "group g 1 X2", "quorum g"], 2),
        ([W["X1"], "group g 1 none", "quorum g"], 2),
        ([W["X1"], "group g 1 g", "quorum g"], 2),
        ([W["X1"], "group g 1", "quorum g"], 2),
        ([W["X1"], "group g 0 X1", "quorum g"], 2),
        ([W["X1"], "group g 2 X1", "quorum g"], 2),
        ([W["X1"], "group g +1 X1", "quorum g"], 2),
        ([W["X1"], "group g 1 X1 X1", "quorum g"], 2),
        ([W["X1"], "group g 1 X1", "group h 1 X1", "quorum h"], 3),
        ([W["X1"], "group X1 1 X1", "quorum X1"], 2),
        (["quorum X1", W["X1"]], 1),
        (["quorum none none"], 1),
        (["quorum none", "quorum none"], 2),
        (["quorum\xa0none"], 1),
    ],
)
def test_plain_policies_that_break_the_rules_are_refused_at_the_line(lines: list[str], line: int):
    with pytest.raises(PolicyInvalid) as refused:
        parse_policy(plain(*lines))
    assert refused.value.place == f"line {line}"


def test_octets_that_are_not_utf_8_are_opaque():
    kelvin = W["X1"].replace("witness X1", "witness \N{KELVIN SIGN}").encode()
    raw = W["X2"].encode().replace(b"witness X2", b"witness \xff\xfe")
    letter = W["X3"].replace("witness X3", "witness K").encode()
    data = b"\n".join(
        [kelvin, raw, letter, b"# caf\xe9", b"group g 3 \xe2\x84\xaa \xff\xfe K", b""]
    )
    policy = parse_policy(data + b"quorum g\n")
    assert policy.n == 3
    assert b"group g 3 \xe2\x84\xaa \xff\xfe K\n" in policy.render()
    assert parse_policy(policy.render()) == policy
    assert not policy.is_quorum({"K", "\N{KELVIN SIGN}"})


def test_a_tower_s_own_policy_is_utf_8():
    with pytest.raises(PolicyInvalid, match="not UTF-8") as refused:
        parse_policy(TOWER.policy.render().replace(b"# tower kulla", b"# tower kull\xe9"))
    assert refused.value.place == "line 2"
    latin = replace(TOWER.unsigned_policy, tower="caf\udce9")
    with pytest.raises(PolicyInvalid):
        latin.unsigned_text()
    with pytest.raises(PolicyInvalid):
        sign_policy(latin, TOWER.custodian_keys["arta"])


def test_large_policies_are_read_and_floods_are_not():
    logs = [f"log {key_text(f'log{i}', 1)}" for i in range(32)]
    witnesses = [f"witness w{i} {key_text(f'w{i}', 4)}" for i in range(32)]
    groups = [f"group g{i} 1 " + (f"g{i - 1} w{i}" if i else "w0") for i in range(32)]
    policy = parse_policy(plain(*logs, *witnesses, *groups, "quorum g31"))
    assert policy.is_quorum({"w31"})
    assert parse_policy(policy.render()) == policy
    flood = [f"witness w{i} {key_text(f'w{i}', 4)}" for i in range(80)]
    with pytest.raises(PolicyInvalid, match="no more"):
        parse_policy(plain(*flood, "quorum none"))
    with pytest.raises(PolicyInvalid, match="over"):
        parse_policy(b"#" * 300_000 + b"\nquorum none\n")


@given(st.binary(max_size=300), st.integers(0, 3000))
def test_random_bytes_are_refused_by_type(data: bytes, at: int):
    signed = TOWER.policy.render()
    for mixed in (data, b"# kulla-policy v1\n" + data, signed[:at] + data + signed[at:]):
        try:
            verify_policy_signatures(parse_policy(mixed))
        except (PolicyInvalid, SignatureInvalid):
            continue
        assert mixed == signed


words = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="+#"),
    min_size=1,
    max_size=12,
)


@given(st.data())
def test_any_tower_s_policy_reads_back(data: st.DataObject):
    names = data.draw(
        st.lists(words.filter(lambda w: w != "none"), min_size=2, max_size=6, unique=True)
    )
    group, *embassy_names = names
    k = data.draw(st.integers(1, len(embassy_names)))
    urls = st.just("") | words.map(lambda word: f"https://{word}/")
    embassies = tuple(
        Embassy(
            name,
            TOWER.key(name, 4).verifier,
            data.draw(urls),
            TOWER.key(f"{name}/s").verifier if data.draw(st.booleans()) else None,
        )
        for name in embassy_names
    )
    policy = replace(
        TOWER.unsigned_policy,
        tower=data.draw(words),
        version=data.draw(st.integers(1, 999_999_999)),
        relying_party=data.draw(st.just("") | words),
        embassies=embassies,
        groups=(Group(group, k, tuple(embassy_names)),),
        quorum=group,
        readers=(),
        signatures=(),
    )
    signed = TOWER.signed(policy, data.draw(st.sets(st.sampled_from(sorted(TOWER.custodian_keys)))))
    assert parse_policy(signed.render()) == signed
    assert (signed.quorum_k, signed.n) == (k, len(embassy_names))

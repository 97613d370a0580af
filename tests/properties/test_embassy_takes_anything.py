"""Whatever bytes are sent to an embassy, it answers with a refusal and goes on.

An exception would end the process, so a body that raises one would be a way to stop an embassy.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.embassy import GrowingLog, SimulatedEmbassy
from fakes.signers import MadeUpTower, receipt_of
from kulla.embassy.check_page import CheckPage
from kulla.embassy.mirror import Mirror
from kulla.embassy.replies import Reply
from kulla.journal.epochs import Succession, sign_succession
from kulla.kernel.canonical import encode

TOWER = MadeUpTower()
LOG = GrowingLog(TOWER.log_key, [b"entry %d" % number for number in range(600)])
EMBASSY = SimulatedEmbassy(TOWER)
EMBASSY.mirror.add_checkpoint(LOG.checkpoint_body(0, 300))
NEW = TOWER.key("journal.kulla.example/2").verifier
CLOSED = Succession(TOWER.policy.tower, 2, TOWER.origin, NEW, "", "fire", 1_760_000_000_000)

# (how it is asked, a body that would be good)
ASKED: dict[str, tuple[Callable[[Mirror, bytes], Reply], bytes]] = {
    "add-checkpoint": (Mirror.add_checkpoint, LOG.checkpoint_body(300)),
    "add-entries": (Mirror.add_entries, LOG.entries_body(0, 300)),
    "gzip": (lambda mirror, body: mirror.add_entries(body, gzip=True), LOG.entries_body(0, 300)),
    "add-blobs": (Mirror.add_blobs, encode([b"one", b"two"])),
    "fetch-blobs": (Mirror.fetch_blobs, encode([bytes(32), b"short"])),
    "seal": (Mirror.seal, sign_succession(CLOSED, [TOWER.custodian_keys["arta"]])),
    "policy": (Mirror.set_policy, TOWER.policy.render()),
    "commit-secret": (
        lambda mirror, body: mirror.urn.commit(mirror, body),
        encode(["first-2026", 1_760_001_000]),
    ),
    "reveal-secret": (
        lambda mirror, body: mirror.urn.reveal(mirror, body),
        receipt_of(TOWER, ("embassy-1", "embassy-2", "embassy-3")),
    ),
    "check": (
        lambda mirror, body: CheckPage(mirror, "en").from_receipt(body),
        receipt_of(TOWER, ("embassy-1", "embassy-2", "embassy-3")),
    ),
}


def changed(good: bytes, cut: int, at: int, new: bytes) -> bytes:
    """`good` with some bytes replaced, and cut short or not."""
    at %= len(good) + 1
    return (good[:at] + new + good[at + len(new) :])[: cut or None]


@pytest.mark.parametrize("name", ASKED)
@given(
    cut=st.one_of(st.just(0), st.integers(1, 20_000)),
    at=st.integers(0, 20_000),
    new=st.one_of(st.binary(max_size=9), st.sampled_from([b"\n", b"\n\n", b"\xff\xff", b"9" * 30])),
)
def test_a_good_body_that_was_damaged(name: str, cut: int, at: int, new: bytes):
    ask, good = ASKED[name]
    assert ask(EMBASSY.mirror, changed(good, cut, at, new)).status < 500


@pytest.mark.parametrize("name", ASKED)
@given(body=st.one_of(st.binary(max_size=300), st.text(max_size=100).map(str.encode)))
def test_bytes_of_any_kind(name: str, body: bytes):
    ask, _ = ASKED[name]
    assert ask(EMBASSY.mirror, body).status < 500


@given(
    query=st.dictionaries(
        st.sampled_from(["origin", "index", "leaf", "lang"]), st.text(max_size=80), max_size=4
    )
)
def test_links_of_any_kind(query: dict[str, str]):
    assert CheckPage(EMBASSY.mirror, "sq").from_link(query).status < 500


@given(log_hash=st.text(max_size=70), path=st.text(max_size=60), name=st.text(max_size=70))
def test_paths_of_any_kind(log_hash: str, path: str, name: str):
    assert EMBASSY.mirror.tile(log_hash, path).status == 404
    assert EMBASSY.mirror.blob(name).status == 404
    assert EMBASSY.mirror.blob_names(name).status in (200, 404)

"""Our path of verifying Ed25519 against every vector of Wycheproof."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fakes.real_data import DATA
from kulla.journal.notes import KIND_COSIGNATURE, KIND_ED25519, VerifierKey

FILE = DATA / "tlog" / "wycheproof_ed25519.json"
VECTORS_MIN = 151


def _cases() -> list[tuple[bytes, dict[str, Any]]]:
    groups = json.loads(FILE.read_text())["testGroups"] if FILE.is_file() else []
    return [(bytes.fromhex(g["publicKey"]["pk"]), case) for g in groups for case in g["tests"]]


CASES = _cases()


@pytest.mark.parametrize(
    ("public", "case"), CASES, ids=[f"{case['tcId']} {case['comment']}" for _, case in CASES]
)
def test_a_signature_verifies_exactly_where_wycheproof_says_so(public: bytes, case: dict[str, Any]):
    message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
    good = case["result"] == "valid"
    assert VerifierKey("w.example", KIND_ED25519, public).verifies_bytes(message, signature) == good
    try:
        text = message.decode()
    except UnicodeDecodeError:
        return
    assert VerifierKey("w.example", KIND_ED25519, public).verifies(text, signature) == good
    # The same bytes are never a cosignature: that signs another message.
    cosigner = VerifierKey("w.example", KIND_COSIGNATURE, public)
    assert not cosigner.verifies(text, bytes(8) + signature)


def test_no_vector_is_missing(data_folder):
    assert len(CASES) >= VECTORS_MIN

"""Merkle proofs against the vectors of transparency-dev/merkle: 110 that must not pass, and more.

Each file is one case; `wantErr` says that it must be refused.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.real_data import DATA
from kulla.journal import merkle
from kulla.journal.errors import ProofInvalid

FOLDER = DATA / "tlog"
CASES_MIN = {
    "consistency": 98,
    "inclusion": 98,
    "subtreeconsistency": 118,
    "subtreeinclusion": 204,
}


def _hash(text: str) -> bytes:
    return base64.b64decode(text)


def _proof(case: dict[str, Any]) -> list[bytes]:
    return [_hash(text) for text in case["proof"] or []]


def _consistency(case: dict[str, Any]) -> None:
    roots = _hash(case["root1"]), _hash(case["root2"])
    merkle.verify_consistency(case["size1"], roots[0], case["size2"], roots[1], _proof(case))


def _inclusion(case: dict[str, Any]) -> None:
    merkle.verify_inclusion(
        case["leafIdx"],
        case["treeSize"],
        _hash(case["leafHash"]),
        _proof(case),
        _hash(case["root"]),
    )


def _subtree_consistency(case: dict[str, Any]) -> None:
    merkle.verify_subtree_consistency(
        case["start"],
        case["end"],
        case["size"],
        _hash(case["root1"]),
        _hash(case["root2"]),
        _proof(case),
    )


def _subtree_inclusion(case: dict[str, Any]) -> None:
    merkle.verify_subtree_inclusion(
        case["leafIdx"],
        case["start"],
        case["end"],
        _hash(case["leafHash"]),
        _proof(case),
        _hash(case["root"]),
    )


VERIFIERS: dict[str, Callable[[dict[str, Any]], None]] = {
    "consistency": _consistency,
    "inclusion": _inclusion,
    "subtreeconsistency": _subtree_consistency,
    "subtreeinclusion": _subtree_inclusion,
}


def _cases() -> Iterator[Any]:
    for kind in VERIFIERS:
        for path in sorted((FOLDER / kind).rglob("*.json")):
            yield pytest.param(kind, path, id=str(path.relative_to(FOLDER)))


@pytest.mark.parametrize(("kind", "path"), list(_cases()))
def test_a_vector_is_taken_or_refused_as_it_says(kind: str, path: Path):
    case = json.loads(path.read_text("utf-8"))
    if case["wantErr"]:
        with pytest.raises(ProofInvalid):
            VERIFIERS[kind](case)
    else:
        VERIFIERS[kind](case)


@pytest.mark.parametrize("kind", list(VERIFIERS))
def test_no_vector_was_overlooked(kind: str, data_folder: Path):
    count = len(list((data_folder / "tlog" / kind).rglob("*.json")))
    assert count >= CASES_MIN[kind]

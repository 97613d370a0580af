"""filippo.io/torchwood, in Go, reads our policy file and proves our receipts and our journal.

The program is ours (torchwood_check/main.go), its judgement theirs. Go fetches the module once, by
the hashes in go.sum; without Go or a way to the module these tests are skipped.

Known of torchwood 0.9 and 0.10: under a policy with several logs it wants the signatures of all of
them on one checkpoint, where C2SP tlog-policy says any one. So after a takeover a user of torchwood
keeps only the log line of the epoch that he checks; here there is one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from fakes.signers import MadeUpTower, booked
from kulla.journal.filestore import FileTileStore
from kulla.journal.receipts import build_receipt
from kulla.journal.tree import Tree

pytestmark = [pytest.mark.live, pytest.mark.long]

SOURCE = Path(__file__).parent / "torchwood_check"
TOWER = MadeUpTower()
QUORUM = ("embassy-1", "embassy-3", "embassy-4")
SIZE, INDEX = 700, 300
GO_TIMEOUT_S = 300


@dataclass(frozen=True)
class Case:
    """A journal, its policy and one receipt on disk, and the program that judges them."""

    program: Path
    folder: Path
    policy: Path
    receipt: Path
    entry: Path
    all_entries: bytes

    def judge(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        command = [str(word) for word in (self.program, *words)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def _run_go(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    go = shutil.which("go")
    if go is None:
        pytest.skip("go is not installed: apt-get install golang-go")
    # The machine's own Go and the module's own go.sum, whatever is set around the test run.
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": ""}
    return subprocess.run(
        [go, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=GO_TIMEOUT_S,
        check=False,
    )


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("torchwood") / "check"
    shutil.copytree(SOURCE, folder)
    fetched = _run_go(folder, "mod", "download")
    assert "checksum mismatch" not in fetched.stderr, fetched.stderr
    if fetched.returncode:
        pytest.skip(f"Go can't fetch the module: {fetched.stderr.strip()[-300:]}")
    built = _run_go(folder, "build", "-buildvcs=false", "-o", "check", ".")
    assert built.returncode == 0, built.stderr
    return folder / "check"


@pytest.fixture(scope="module")
def case(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    place = tmp_path_factory.mktemp("journal")
    store = FileTileStore(place / "log", create=True)
    tree = Tree(store)
    entries = [TOWER.sealer.seal(booked(number)) for number in range(SIZE)]
    store.put(tree.grow(entries))
    note = TOWER.checkpoint_note(SIZE, tree.root(), QUORUM)
    store.swap("checkpoint", None, note)
    opened = TOWER.opener.open(entries[INDEX])
    proof = tree.inclusion_proof(INDEX, SIZE)
    receipt = build_receipt(entries[INDEX], opened.salt, opened.plaintext, INDEX, proof, note)
    (place / "receipt.tlog-proof").write_bytes(receipt)
    (place / "entry").write_bytes(entries[INDEX])
    (place / "policy").write_bytes(TOWER.policy.render())
    return Case(
        program,
        place / "log",
        place / "policy",
        place / "receipt.tlog-proof",
        place / "entry",
        b"".join(entries),
    )


def test_torchwood_reads_our_policy_and_proves_our_receipt(case: Case):
    judged = case.judge("receipt", case.policy, case.receipt, case.entry)
    assert judged.returncode == 0, judged.stderr
    assert judged.stdout.startswith("proven")


def test_torchwood_reads_every_entry_of_our_journal(case: Case):
    judged = case.judge("journal", case.policy, case.folder)
    assert judged.returncode == 0, judged.stderr
    digest = hashlib.sha256(case.all_entries).hexdigest()
    assert judged.stdout.split() == [TOWER.origin, str(SIZE), digest]


def test_torchwood_refuses_what_we_refuse(case: Case, tmp_path: Path):
    changed = tmp_path / "entry"
    changed.write_bytes(case.entry.read_bytes()[:-1] + b"\0")
    judged = case.judge("receipt", case.policy, case.receipt, changed)
    assert (judged.returncode, "verification failed" in judged.stderr) == (1, True)

    stricter = tmp_path / "policy"
    stricter.write_bytes(MadeUpTower(k=4).policy.render())
    judged = case.judge("receipt", stricter, case.receipt, case.entry)
    assert (judged.returncode, "receipt:" in judged.stderr) == (1, True)

    folder = tmp_path / "log"
    shutil.copytree(case.folder, folder)
    tile = folder / "tile" / "entries" / "001"
    data = bytearray(tile.read_bytes())
    data[5000] ^= 1
    tile.chmod(0o644)
    tile.write_bytes(bytes(data))
    judged = case.judge("journal", case.policy, folder)
    assert (judged.returncode, "journal:" in judged.stderr) == (1, True)

"""A real embassy that is killed, traced, and starved of fsync.

A kill alone would not notice a missing fsync, since the system keeps what was written: so strace
shows that what an answer promises was synced before it, and that a build without fsync is caught.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fakes.embassy import GrowingLog
from fakes.embassy_process import NAME, SERVE, EmbassyProcess, embassy_process
from fakes.signers import MadeUpTower
from kulla.embassy.blobs import blob_name
from kulla.embassy.client import EmbassyClient
from kulla.embassy.courier import Standing, bring_level
from kulla.embassy.errors import Refused, Unreachable
from kulla.embassy.folder import log_folder, read_blobs, read_log
from kulla.embassy.upload import names_of
from kulla.journal.checkpoints import verify_signed
from kulla.journal.epochs import Succession, sign_succession, verify_seal
from kulla.journal.errors import TileMissing
from kulla.journal.filestore import FileTileStore
from kulla.journal.notes import open_note, parse_note
from kulla.journal.tree import verified_bundles

pytestmark = pytest.mark.live

TOWER = MadeUpTower()
KILLS = 8
CALLS = "fsync,fdatasync,pwrite64,write,rename,renameat,renameat2,sendto,sendmsg"
WITHOUT_FSYNC = "import os\nos.fsync = os.fdatasync = lambda fd: None\n" + SERVE


class Load(threading.Thread):
    """A home that sends round after round; every third one names a blob."""

    def __init__(self, embassy: EmbassyProcess, log: GrowingLog, standing: Standing) -> None:
        super().__init__(daemon=True)
        self.embassy, self.log, self.standing = embassy, log, standing
        self.acknowledged: list[tuple[int, bytes]] = []
        self.blobs: list[bytes] = []
        self.failure: Exception | None = None

    def run(self) -> None:
        client = self.embassy.client()
        try:
            while self.log.size < 50_000:
                self._round(client)
        except Unreachable:
            pass
        except Exception as error:
            self.failure = error
        client.close()

    def _round(self, client: EmbassyClient) -> None:
        number = self.log.size
        entries = [b"entry %d" % at for at in range(number, number + number % 37 + 1)]
        if number % 3 == 0:
            blob = b"wrapped key %d" % number
            client.add_blobs([blob])
            self.blobs.append(blob)
            entries.append(self.embassy.tower.sealer.seal(b"act", [blob_name(blob)]))
        self.log.grow(entries)
        key = self.embassy.keys.mirror
        bring_level(client, self.log.tree, self.log.note(), key, self.standing)
        self.acknowledged.append((self.log.size, self.log.tree.root()))


def check_folder(embassy: EmbassyProcess, log: GrowingLog, least: int) -> int:
    """What a killed embassy left: one history, all there, and no less than was acknowledged."""
    try:
        with read_log(embassy.folder, log.origin) as store:
            note = parse_note(store.get("checkpoint"))
            checkpoint = verify_signed(note, log.key.verifier)
            assert open_note(note, [embassy.keys.mirror])
            found = verified_bundles(store, checkpoint.size, checkpoint.root)
            entries = [entry for _, some in found for entry in some]
    except TileMissing:
        assert least == 0
        return 0
    assert checkpoint.size >= least
    assert log.tree.root_at(checkpoint.size) == checkpoint.root
    assert entries == log.tree.entries(0, checkpoint.size)
    blobs = read_blobs(embassy.folder)
    assert blobs.missing(names_of(entries)) == []
    blobs.close()
    return checkpoint.size


def test_a_killed_embassy_never_lacks_what_it_cosigned_and_never_has_two_histories(
    tmp_path: Path, seed: int
):
    chance = random.Random(seed)
    with embassy_process(tmp_path) as embassy:
        log = GrowingLog(embassy.tower.log_key)
        acknowledged: list[tuple[int, bytes]] = []
        for _ in range(KILLS):
            load = Load(embassy, log, Standing())
            load.start()
            time.sleep(chance.random() * 0.6)
            embassy.kill()
            load.join(30)
            assert load.failure is None
            assert not load.is_alive()
            acknowledged += load.acknowledged
            check_folder(embassy, log, acknowledged[-1][0] if acknowledged else 0)
            embassy.start()
        bring_level(embassy.client(), log.tree, log.note(), embassy.keys.mirror, Standing())
        assert len(acknowledged) > KILLS
        assert all(log.tree.root_at(size) == root for size, root in acknowledged)
        embassy.kill()
        assert check_folder(embassy, log, log.size) == log.size


def test_the_tiles_of_a_killed_embassy_are_plain_files_once_asked_for(tmp_path: Path):
    with embassy_process(tmp_path) as embassy:
        log = GrowingLog(embassy.tower.log_key, [b"%d" % number for number in range(300)])
        bring_level(embassy.client(), log.tree, log.note(), embassy.keys.mirror, Standing())
        embassy.kill()
        with FileTileStore(log_folder(embassy.folder, log.origin), read_only=True) as store:
            assert store.get("checkpoint").startswith(log.note())
            assert (
                sum(len(some) for _, some in verified_bundles(store, 300, log.tree.root())) == 300
            )


def test_a_quiet_embassy_puts_its_tiles_into_plain_files_by_itself(tmp_path: Path):
    with embassy_process(tmp_path) as embassy:
        log = GrowingLog(embassy.tower.log_key, [b"one"])
        bring_level(embassy.client(), log.tree, log.note(), embassy.keys.mirror, Standing())
        with FileTileStore(log_folder(embassy.folder, log.origin), read_only=True) as store:
            deadline = time.monotonic() + 20
            while not store.names("checkpoint"):
                assert time.monotonic() < deadline, "the write log was never settled"
                time.sleep(0.1)
            assert store.get("checkpoint").startswith(log.note())


def test_a_seal_outlives_a_kill(tmp_path: Path):
    with embassy_process(tmp_path) as embassy:
        log = GrowingLog(embassy.tower.log_key, [b"one"])
        bring_level(embassy.client(), log.tree, log.note(), embassy.keys.mirror, Standing())
        new = embassy.tower.key("journal.kulla.example/2").verifier
        tower = embassy.policy.tower
        statement = Succession(tower, 2, log.origin, new, "", "fire", 1_760_000_000_000)
        custodians = [embassy.tower.custodian_keys[name] for name in ("arta", "besa")]
        receipt = embassy.client().seal(sign_succession(statement, custodians))
        embassy.kill()
        assert verify_seal(receipt, statement, embassy.policy).size == 1
        embassy.start()
        log.grow([b"two"])
        with pytest.raises(Refused) as refused:
            bring_level(embassy.client(), log.tree, log.note(), embassy.keys.mirror, Standing())
        assert refused.value.status == 403


# what strace sees


@dataclass(frozen=True)
class Call:
    """One call: when it began and ended (line numbers), its name, the file or socket, its text."""

    began: int
    ended: int
    name: str
    file: str
    text: str


def calls_of(trace: Path) -> list[Call]:
    """The calls of a trace by strace -f -y; a call that another thread interrupted is joined."""
    unfinished: dict[str, tuple[int, str]] = {}
    found: list[Call] = []
    for number, line in enumerate(trace.read_text(errors="replace").splitlines()):
        thread, _, text = line.partition(" ")
        text = text.strip()
        began = number
        if text.endswith("<unfinished ...>"):
            unfinished[thread] = (number, text.removesuffix("<unfinished ...>"))
            continue
        if resumed := re.match(r"<\.\.\. \w+ resumed>(.*)", text):
            began, start = unfinished.pop(thread)
            text = start + resumed[1]
        if call := re.match(r"(\w+)\((?:\d+<([^>]*)>)?(.*)", text):
            found.append(Call(began, number, call[1], call[2] or "", call[3]))
    return found


def unsynced_answers(calls: list[Call], folder: Path) -> list[str]:
    """Each good answer before which something that was written was not synced."""
    faults: list[str] = []
    answers = [
        call for call in calls if call.name in ("sendto", "sendmsg") and "HTTP/1.1 200" in call.text
    ]
    synced = [call for call in calls if call.name in ("fsync", "fdatasync") and "= 0" in call.text]
    for answer in answers:
        for write in _writes_before(answer, calls, folder):
            if not any(
                sync.file == write.file and write.ended < sync.began and sync.ended < answer.began
                for sync in synced
            ):
                faults.append(f"{write.file} was not synced before {answer.text[:60]}")
        for rename in [call for call in calls if call.name.startswith("rename")]:
            parent = _parent(rename.text)
            if (
                rename.ended < answer.began
                and str(folder) in parent
                and not any(
                    sync.file == parent and rename.ended < sync.began and sync.ended < answer.began
                    for sync in synced
                )
            ):
                faults.append(f"the folder {parent} was not synced before {answer.text[:60]}")
    return faults


def _parent(rename: str) -> str:
    """The folder of the new name in a rename's arguments."""
    return re.findall(r'"([^"]+)"', rename)[-1].rpartition("/")[0]


def _writes_before(answer: Call, calls: list[Call], folder: Path) -> Iterator[Call]:
    """The last write to each file before an answer; SQLite's index of its WAL promises nothing."""
    last: dict[str, Call] = {}
    for call in calls:
        ours = _is_write(call) and str(folder) in call.file and not call.file.endswith("-shm")
        if ours and call.ended < answer.began:
            last[call.file] = call
    yield from last.values()


def trace_rounds(folder: Path, strace: str, script: str) -> tuple[list[Call], Path]:
    """Serve under strace, send blobs and rounds, end; the calls from the start on."""
    trace = folder / "trace"
    options = ["-f", "-y", "-s", "6000", "-e", f"trace={CALLS}", "-e", "signal=none"]
    embassy = EmbassyProcess(folder / NAME, TOWER)
    try:
        embassy.start(script, [strace, *options, "-o", str(trace)])
        client, standing = embassy.client(), Standing()
        log = GrowingLog(embassy.tower.log_key)
        for number in range(4):
            blob = b"wrapped key %d" % number
            client.add_blobs([blob])
            sealed = embassy.tower.sealer.seal(b"act", [blob_name(blob)])
            log.grow([b"marker %d" % number, sealed])
            bring_level(client, log.tree, log.note(), embassy.keys.mirror, standing)
        embassy.stop()
    except AssertionError as error:
        if "ptrace" in str(error) and "not permitted" in str(error):
            pytest.skip("strace may not trace here")
        raise
    finally:
        embassy.kill()
    return calls_of(trace), embassy.folder


def test_entries_folders_and_blobs_are_synced_before_each_answer(tmp_path: Path, strace: str):
    calls, folder = trace_rounds(tmp_path, strace, SERVE)
    assert unsynced_answers(calls, folder) == []
    signed = [call for call in calls if call.name == "sendto" and f"{NAME}/mirror" in call.text]
    assert len(signed) == 4
    for number, answer in enumerate(signed):
        [entry] = [call for call in calls if f"marker {number}" in call.text and _is_write(call)][
            :1
        ]
        [blob] = [call for call in calls if f"wrapped key {number}" in call.text][:1]
        for written in (entry, blob):
            assert str(folder) in written.file
            assert any(
                sync.file == written.file and written.ended < sync.began
                for sync in calls
                if sync.name in ("fsync", "fdatasync") and sync.ended < answer.began
            )
        assert blob.ended < entry.began, "what entries name is durable before the entries are"
    made = [call for call in calls if call.name.startswith("rename") and ".write-log" in call.text]
    assert made
    assert made[0].ended < signed[0].began


def _is_write(call: Call) -> bool:
    return call.name in ("write", "pwrite64")


def test_a_build_without_fsync_is_caught(tmp_path: Path, strace: str):
    calls, folder = trace_rounds(tmp_path, strace, WITHOUT_FSYNC)
    faults = unsynced_answers(calls, folder)
    assert any(".write-log was not synced" in fault for fault in faults)
    assert any("the folder" in fault for fault in faults)


@pytest.mark.parametrize("number", [1, 2, 5])
def test_an_fdatasync_that_fails_ends_the_process_before_it_answers(
    tmp_path: Path, strace: str, number: int
):
    """The disk reports an error once; nothing is retried, and the next start is sound."""
    embassy = EmbassyProcess(tmp_path / NAME, TOWER)
    log = GrowingLog(embassy.tower.log_key)
    only = ("-P", str(log_folder(embassy.folder, log.origin) / ".write-log"))
    # The first fdatasync of a new log begins its second filling, when the folder is opened.
    inject = f"inject=fdatasync:error=EIO:when={number + 1}"
    try:
        embassy.start(
            before=[strace, "-f", "-o", "/dev/null", *only, "-e", "trace=fdatasync", "-e", inject]
        )
        load = Load(embassy, log, Standing())
        load.run()
        assert load.failure is None
        acknowledged = load.acknowledged[-1][0] if load.acknowledged else 0
        assert embassy.wait() == 70
        check_folder(embassy, log, acknowledged)
        embassy.start()
        bring_level(embassy.client(), log.tree, log.note(), embassy.keys.mirror, Standing())
    finally:
        embassy.kill()

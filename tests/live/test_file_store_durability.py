"""The file store against the real system: what is synced and when, kills, full disks, two writers.

strace shows the calls that reach the disk, and makes chosen ones fail.
"""

from __future__ import annotations

import random
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kulla.journal import tiles
from kulla.journal.errors import StoreConflict, StoreFailed
from kulla.journal.filestore import FileTileStore
from kulla.journal.tree import Tree, verified_bundles

pytestmark = pytest.mark.live

WAIT_S = 60
KILLS = 12
CALLS = "fsync,fdatasync,rename,renameat,renameat2,write,openat,mkdir,mkdirat"

PUT = """
import os, sys
from pathlib import Path
from kulla.journal.filestore import FileTileStore

store = FileTileStore(Path(sys.argv[1]), create=True)
os.write(1, b"OPENED")
first, second, third = "tile/0/000.p/7", "tile/entries/000.p/7", "tile/0/x001/000"
store.put({first: b"a" * 224, second: b"b" * 90, third: b"c"})
os.write(1, b"PUT")
store.put({first: b"a" * 224})
os.write(1, b"REPEATED")
store.swap("checkpoint", None, b"one")
os.write(1, b"SWAPPED")
"""

PUT_AND_REPORT = """
import os, sys
from pathlib import Path
from kulla.journal.errors import StoreFailed
from kulla.journal.filestore import FileTileStore

store = FileTileStore(Path(sys.argv[1]))
for attempt in range(2):
    try:
        store.put({"tile/0/000": bytes(8192), "tile/0/001": bytes(100_000)})
    except StoreFailed as error:
        print(error)
print(store.names(""))
"""

GROW = """
import sys
from pathlib import Path
from kulla.journal.filestore import FileTileStore
from kulla.journal.tree import Tree

store = FileTileStore(Path(sys.argv[1]), create=True)
old = store.get("checkpoint") if store.names("checkpoint") else None
size = int(old.split()[0]) if old else 0
tree = Tree.load(store, size)
for step in range(1, 100_000):
    count = step * 37 % 100 + 1
    store.put(tree.grow([b"entry %d" % (size + number) for number in range(count)]))
    store.drop(tree.superseded(size, tree.size))
    size = tree.size
    new = b"%d %s" % (size, tree.root().hex().encode())
    store.swap("checkpoint", old, new)
    old = new
    print(size, flush=True)
"""

HOLD = """
import sys
from pathlib import Path
from kulla.journal.filestore import FileTileStore

store = FileTileStore(Path(sys.argv[1]), create=True)
print("open", flush=True)
sys.stdin.read()
"""


def run(script: str, folder: Path, *before: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, sys.executable, "-c", script, str(folder)],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )


def traced(script: str, folder: Path, strace: str, *options: str) -> tuple[str, list[str]]:
    """What the script printed, and its calls on the folder and on standard output, in order."""
    trace = folder.parent / "trace"
    options = options or ("-e", f"trace={CALLS}")
    done = run(script, folder, strace, "-f", "-y", "-s", "16", "-o", str(trace), *options)
    if "ptrace" in done.stderr and "not permitted" in done.stderr:
        pytest.skip(f"strace may not trace here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout, [line.split(maxsplit=1)[1] for line in trace.read_text().splitlines()]


def steps(calls: list[str], folder: Path) -> Iterator[tuple[str, str]]:
    """(call, path within the folder) of each call that matters, and ('said', text)."""
    for call in calls:
        if said := re.match(r'write\(1<.*?>, "(\w+)"', call):
            yield "said", said[1]
        elif rename := re.match(r'rename\w*\(.*"([^"]+)".*, "([^"]+)"', call):
            yield "rename", rename[2].removeprefix(f"{folder}/")
        elif made := re.match(r'mkdir\w*\(.*"([^"]+)"', call):
            yield "mkdir", made[1].removeprefix(f"{folder}/")
        elif synced := re.match(rf"(fsync|write)\(\d+<{re.escape(str(folder))}/?([^>]*)>", call):
            yield synced[1], synced[2] or "."


def test_put_returns_only_when_files_and_folders_are_synced(tmp_path: Path, strace: str):
    folder = tmp_path / "log"
    found = list(steps(traced(PUT, folder, strace)[1], folder))
    opened, put, repeated, swapped = (
        found.index(("said", word)) for word in ("OPENED", "PUT", "REPEATED", "SWAPPED")
    )
    calls = found[opened:put]
    for path in ("tile/0/000.p/7", "tile/entries/000.p/7", "tile/0/x001/000"):
        parent, _, name = path.rpartition("/")
        temp = f"{parent}/.{name}.tmp"
        written, synced = calls.index(("write", temp)), calls.index(("fsync", temp))
        renamed = calls.index(("rename", path))
        assert written < synced < renamed < calls.index(("fsync", parent), renamed)
    for made in [path for call, path in calls if call == "mkdir"]:
        above = made.rpartition("/")[0] or "."
        assert ("fsync", above) in calls[calls.index(("mkdir", made)) :]
    assert ("mkdir", "tile/0/000.p") in calls
    # A repeat writes nothing, but its folder is synced: a killed writer may not have come so far.
    assert found[put + 1 : repeated] == [("fsync", "tile/0/000.p")]
    assert found[repeated + 1 : swapped] == [
        ("write", ".checkpoint.tmp"),
        ("fsync", ".checkpoint.tmp"),
        ("rename", "checkpoint"),
        ("fsync", "."),
    ]


def test_opening_again_settles_what_a_killed_writer_left(tmp_path: Path, strace: str):
    folder = tmp_path / "log"
    with FileTileStore(folder, create=True) as store:
        store.put({"tile/0/000.p/7": b"x"})
    (folder / "tile/0/.001.tmp").write_bytes(b"half a ti")
    (folder / ".checkpoint.tmp").write_bytes(b"")
    _, calls = traced(HOLD.replace("sys.stdin.read()", ""), folder, strace)
    synced = {path for call, path in steps(calls, folder) if call == "fsync"}
    assert synced == {".", "tile", "tile/0", "tile/0/000.p"}
    assert [path.name for path in folder.rglob("*.tmp")] == []


@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_fsync_that_fails_ends_all_writing(tmp_path: Path, strace: str, number: int):
    folder = tmp_path / "log"
    FileTileStore(folder, create=True).close()
    # Opening syncs the one folder; making tile/ and tile/0 syncs two; then files and their folder.
    inject = f"inject=fsync:error=EIO:when={number + 3}"
    said, _ = traced(PUT_AND_REPORT, folder, strace, "-e", "trace=fsync", "-e", inject)
    first, second, names = said.splitlines()
    assert "could not put objects: Input/output error (EIO)" in first
    assert "takes no more writes" in second
    assert "End this process" in second
    assert names == "[]" if number < 3 else names == "['tile/0/000', 'tile/0/001']"
    with FileTileStore(folder) as store:
        store.put({"tile/0/000": bytes(8192), "tile/0/001": bytes(100_000)})


def test_a_full_disk_says_so_and_leaves_no_half_object(tmp_path: Path, strace: str):
    folder = tmp_path / "log"
    FileTileStore(folder, create=True).close()
    (folder / "tile/0").mkdir(parents=True)
    only = ("-P", f"{folder}/tile/0/.001.tmp")
    inject = ("-e", "trace=write", "-e", "inject=write:error=ENOSPC")
    said, _ = traced(PUT_AND_REPORT, folder, strace, *only, *inject)
    first, second, names = said.splitlines()
    assert "(ENOSPC)" in first
    assert "The disk is full: free space, then start again." in first
    assert "takes no more writes" in second
    assert names == "[]"
    assert [path for path in folder.rglob("*") if path.is_file()] == [folder / ".lock"]


def test_a_write_that_stops_short_is_gone_on_with_or_refused(tmp_path: Path):
    """A limit on file sizes makes the system write a part first, then refuse the rest."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
    folder = tmp_path / "log"
    FileTileStore(folder, create=True).close()
    done = run(limit + PUT_AND_REPORT, folder)
    first, _, names = done.stdout.splitlines()
    assert "(EFBIG)" in first
    assert names == "[]"
    assert [path for path in folder.rglob("*") if path.is_file()] == [folder / ".lock"]


def test_after_a_kill_every_object_is_whole_and_nothing_acknowledged_is_missing(
    tmp_path: Path, seed: int
):
    folder, chance = tmp_path / "log", random.Random(seed)
    for _ in range(KILLS):
        with subprocess.Popen(
            [sys.executable, "-c", GROW, str(folder)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            assert select.select([writer.stdout], [], [], WAIT_S)[0], "the writer says nothing"
            time.sleep(chance.random() * 0.3)
            writer.send_signal(signal.SIGKILL)
            acknowledged = [int(line) for line in writer.stdout.read().split(b"\n")[:-1]]
        with FileTileStore(folder, read_only=True) as left:
            _check_whole(left)
        with FileTileStore(folder) as store:
            _check_whole(store)
            size, root = store.get("checkpoint").split()
            assert int(size) >= acknowledged[-1]
            tree = Tree.load(store, int(size))
            assert tree.root().hex() == root.decode()
            read = verified_bundles(store, int(size), tree.root())
            assert sum(len(entries) for _, entries in read) == int(size)
        assert not list(folder.rglob("*.tmp"))


def _check_whole(store: FileTileStore) -> None:
    for path in store.names("tile/"):
        level, index, width = tiles.parse_tile_path(path)
        if level == tiles.ENTRIES:
            tiles.read_bundle(store, index, width)
        else:
            tiles.read_hashes(store, level, index, width)


def test_two_writers_can_not_share_a_folder_and_readers_can(tmp_path: Path):
    folder = tmp_path / "log"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(StoreConflict, match="another process writes"):
            FileTileStore(folder)
        with FileTileStore(folder, read_only=True) as reader:
            assert reader.names("") == []
            with pytest.raises(StoreFailed, match="for reading only"):
                reader.put({"tile/0/000": b""})
            with pytest.raises(StoreFailed, match="for reading only"):
                reader.swap("checkpoint", None, b"")
            with pytest.raises(StoreFailed, match="for reading only"):
                reader.drop([])
        holder.kill()
    with FileTileStore(folder) as store, pytest.raises(StoreConflict):
        FileTileStore(store.folder)
    with pytest.raises(StoreFailed, match="closed"):
        store.put({"tile/0/000": b""})


def test_a_folder_that_is_not_there_is_made_only_when_asked(tmp_path: Path):
    folder = tmp_path / "a" / "b"
    for read_only in (False, True):
        with pytest.raises(StoreFailed, match=r"a/b: could not open the store.*Make the folder"):
            FileTileStore(folder, read_only=read_only)
    assert list(tmp_path.iterdir()) == []
    with FileTileStore(folder, create=True) as store:
        store.put({"checkpoint": b"x"})
    assert (folder / "checkpoint").read_bytes() == b"x"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "checkpoint").stat().st_mode & 0o777 == 0o600


def test_an_empty_folder_of_partial_tiles_goes_with_its_last_tile(tmp_path: Path):
    with FileTileStore(tmp_path / "log", create=True) as store:
        store.put({"tile/0/000.p/1": b"a", "tile/0/000.p/2": b"b"})
        store.drop(["tile/0/000.p/1"])
        assert (tmp_path / "log/tile/0/000.p").is_dir()
        store.drop(["tile/0/000.p/2"])
        assert not (tmp_path / "log/tile/0/000.p").exists()
        store.put({"tile/0/000.p/3": b"c"})
        assert store.get("tile/0/000.p/3") == b"c"

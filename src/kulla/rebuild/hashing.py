"""Rows are hashed in a process of their own while a long replay writes them.

A replay is one core applying acts (docs/decisions/012); hashing each row that changed would take a
sixth of it. So rows go to another process through memory that both see, and what they add up to
comes back. It ends with whoever started it.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import subprocess
import sys
from multiprocessing.connection import Connection
from typing import Final, cast

from kulla.kernel.canonical import Value, decode_own, encode
from kulla.kernel.errors import KullaError
from kulla.registers.fingerprint import HASH_BYTES, FingerprintKey, RowHashes
from kulla.registers.sqlite import Cells

_LOTS_AT_ONCE: Final = 32
_MODULE: Final = "kulla.rebuild.hashing"
_MODULUS: Final = 1 << (8 * HASH_BYTES)
_TOTAL: Final = encode([])

# Both ends are the same interpreter, and nothing of it is kept: its own format is three times as
# fast as any other, without which the rows would cost more on their way than their hashes.
_FORMAT: Final = 2


class HasherEnded(KullaError):
    """The process that hashes ended before its work was done."""


class TotalsBeside:
    """Adds up hashes in another process (registers.fingerprint.Totals). One thread at a time."""

    def __init__(self, key: FingerprintKey) -> None:
        self._rows = os.memfd_create("kulla rows to hash")
        self._end = 0
        self._lots: list[Value] = []
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", _MODULE, str(self._rows)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(self._rows,),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._there = Connection(os.dup(self._process.stdin.fileno()), readable=False)
        self._back = Connection(os.dup(self._process.stdout.fileno()), writable=False)
        self._process.stdin.close()
        self._process.stdout.close()
        self._say(key.secret)

    def take(self, table: str, sign: int, rows: list[Cells]) -> None:
        """See Totals."""
        data = marshal.dumps(rows, _FORMAT)
        os.pwrite(self._rows, data, self._end)
        self._lots.append([table, sign, self._end, len(data)])
        self._end += len(data)
        if len(self._lots) >= _LOTS_AT_ONCE:
            self._send_lots()

    def total(self) -> int:
        """See Totals. Raises HasherEnded."""
        if self._lots:
            self._send_lots()
        self._say(_TOTAL)
        try:
            total = int.from_bytes(self._back.recv_bytes(), "big")
        except (EOFError, OSError) as error:
            raise HasherEnded(
                "the process that hashes rows ended before its work was done.",
                place=_MODULE,
                remedy="What it wrote above says why; a rebuild goes on where it was.",
            ) from error
        self._end = 0
        os.ftruncate(self._rows, 0)
        return total

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._there.close()
        self._back.close()
        os.close(self._rows)

    def _send_lots(self) -> None:
        self._say(encode(self._lots))
        self._lots = []

    def _say(self, message: bytes) -> None:
        with contextlib.suppress(OSError):  # it ended already: `total` says so
            self._there.send_bytes(message)


def main() -> None:
    """The process: a key, then where rows lie, and a total whenever one is asked for."""
    rows = int(sys.argv[1])
    asked = Connection(os.dup(sys.stdin.fileno()), writable=False)
    told = Connection(os.dup(sys.stdout.fileno()), readable=False)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with contextlib.suppress(EOFError, BrokenPipeError):  # whoever asked is gone
        hashes, total = RowHashes(asked.recv_bytes()), 0
        while True:
            lots = cast("list[tuple[str, int, int, int]]", decode_own(asked.recv_bytes()))
            for table, sign, start, length in lots:
                lot = marshal.loads(os.pread(rows, length, start))  # noqa: S302 - of our own
                total += sign * hashes.of(table, lot)
            if not lots:
                told.send_bytes((total % _MODULUS).to_bytes(HASH_BYTES, "big"))
                total = 0


if __name__ == "__main__":
    main()

"""A folder that stands for the world's mailboxes, in the demo country: one file a letter."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from kulla.kernel.letters import Outgoing
from kulla.tower.post.mail import rendered

KEPT: Final = 500


class FolderCarrier:
    """Writes letters into a folder: mails as .eml files, texts to telephones as .txt (see Carrier).

    A repeat replaces the file of the same letter; beyond KEPT the oldest go.
    """

    def __init__(self, folder: Path, sender: str, domain: str, *, phone: bool = False) -> None:
        self._folder = folder
        self._sender = sender
        self._domain = domain
        self._phone = phone
        self._since_swept = 0

    def carry(self, letter: Outgoing) -> None:
        """See Carrier."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._phone:
            name, data = f"{letter.id}.txt", f"{letter.address}\n{letter.body}\n".encode()
        else:
            name, (data, _) = f"{letter.id}.eml", rendered(letter, self._sender, self._domain)
        partial = self._folder / f".{name}.{os.getpid()}"
        partial.write_bytes(data)
        partial.replace(self._folder / name)
        self._since_swept += 1
        if self._since_swept > KEPT // 10:
            self._sweep()

    def close(self) -> None:
        """See Carrier."""

    def _sweep(self) -> None:
        self._since_swept = 0
        files = [path for path in self._folder.iterdir() if path.suffix in (".eml", ".txt")]
        files.sort(key=lambda path: path.stat().st_mtime_ns)
        for path in files[:-KEPT]:
            path.unlink(missing_ok=True)

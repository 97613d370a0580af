"""A home's folder belongs to one place, so that a copy of it does not begin to serve beside it.

Two homes under one key would each write on, and embassies would then hold two histories of which
neither comes to a quorum. Where the folder was copied or restored, its inode is another one, or the
machine is. A clone of a whole machine can't be told from it so; the embassies still see to it that
at most one of two such homes confirms anything.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from kulla.kernel.errors import KullaError
from kulla.tower.home import Home, write_missing

PLACE: Final = "place"
_MACHINE_ID: Final = Path("/etc/machine-id")


class CopiedHome(KullaError):
    """A home's folder that was copied, restored, or moved to another machine or disk."""


def check_place(home: Home) -> None:
    """Note the place of a home that starts first, and raise CopiedHome where it is another one."""
    path = home.folder / PLACE
    here = _place_of(home)
    write_missing(path, here.encode())
    if path.read_text(encoding="utf-8") != here:
        raise CopiedHome(
            "this folder was copied, restored or moved: it ran at another place before.",
            place=str(home.folder),
            remedy="Where the other one may still run, stop here. Where it never will again: "
            f"kulla up {home.folder} --moved",
        )


def note_moved(home: Home) -> None:
    """Let the home serve at this place from now on: an operator says that no other one runs."""
    (home.folder / PLACE).unlink(missing_ok=True)
    check_place(home)


def _place_of(home: Home) -> str:
    try:
        machine = _MACHINE_ID.read_bytes().strip()
    except OSError:
        machine = b""
    named = hashlib.sha256(b"kulla home at " + machine).hexdigest()[:16] if machine else "-"
    return f"machine {named}\nfolder {home.folder.stat().st_ino}\n"

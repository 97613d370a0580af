"""A provider of identities as a process of its own: django-oauth-toolkit with RS256 keys.

Nothing of it is ours but the settings; it speaks real HTTP on loopback. Fault model: `become` says
who sits at the provider and which one lie its next ID tokens tell (see serve.MISCHIEF); it is told
over HTTP too, by an address that no real provider has.
"""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

CLIENT_ID = "kulla-portal"
CLIENT_SECRET = "a made-up secret of the test"
START_S = 60


@dataclass(frozen=True)
class RunningProvider:
    """A provider that runs: its issuer, and where its own pages are."""

    issuer: str
    address: str

    def become(self, person: str, mischief: str = "") -> None:
        """From now on this person sits at the provider; its tokens tell this lie."""
        query = urlencode({"person": person, "mischief": mischief})
        with urllib.request.urlopen(f"{self.address}/become?{query}", timeout=30) as answer:
            assert answer.read() == b"ok"


@contextmanager
def running_provider(folder: Path, redirect_uri: str) -> Iterator[RunningProvider]:
    """Start the provider with its files in `folder`; it knows one client."""
    command = [sys.executable, str(Path(__file__).with_name("serve.py")), str(folder)]
    process = subprocess.Popen(
        [*command, redirect_uri, CLIENT_ID, CLIENT_SECRET],
        stdout=subprocess.PIPE,
        stderr=(folder / "provider.log").open("wb"),
        stdin=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, (folder / "provider.log").read_text()
        yield RunningProvider(f"{address}/o", address)
    finally:
        process.terminate()
        process.wait(30)

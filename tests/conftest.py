"""What all tests share: where real data stands, how hard to try, and the seed that repeats a run.

KULLA_DATA          folder of real data (default ../shared/data); tests skip where it is absent
KULLA_TEST_PROFILE  quick (default), ci or long: how many examples Hypothesis tries
KULLA_TEST_SEED     the number that repeats a seeded test; printed at the start of each run
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from fakes.real_data import DATA

# Arrays here are small: more threads win nothing, and fight with the other tests for the cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
PROFILE = os.environ.get("KULLA_TEST_PROFILE", "quick")
LONG_TIMEOUT_S = 1800
# It asks nobody outside for anything.
CHROMIUM_ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Quick and CI runs try the same examples every time, so that a red run is red because of the change
# at hand. Long runs look for new ones, and print what repeats a failure.
_COMMON: dict[str, Any] = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow],
}
settings.register_profile("quick", max_examples=25, derandomize=True, **_COMMON)
settings.register_profile("ci", max_examples=100, derandomize=True, **_COMMON)
settings.register_profile(
    "long", max_examples=2000, **(_COMMON | {"deadline": timedelta(minutes=1)})
)
settings.load_profile(PROFILE)


def _master_seed() -> int:
    chosen = os.environ.get("KULLA_TEST_SEED")
    if chosen is not None:
        return int(chosen)
    return int.from_bytes(os.urandom(4), "big") if PROFILE == "long" else 1


MASTER_SEED = _master_seed()


def pytest_report_header() -> list[str]:
    data = DATA if DATA.is_dir() else f"{DATA} is absent, so tests on real data are skipped"
    return [
        f"kulla: profile {PROFILE}, seed {MASTER_SEED} (repeat with KULLA_TEST_SEED={MASTER_SEED})",
        f"kulla: real data: {data}",
    ]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Playwright keeps a loop running in this thread to the end: what starts one must come before.
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
    for item in items:
        if item.get_closest_marker("long") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LONG_TIMEOUT_S))


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A number for this test alone, the same in every run with the same KULLA_TEST_SEED.

    It is printed, so pytest shows it with the output of a test that failed.
    """
    text = f"{MASTER_SEED} {request.node.nodeid}"
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
    sys.stdout.write(f"seed {number}; repeat with KULLA_TEST_SEED={MASTER_SEED}\n")
    return number


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data that nobody on the project made."""
    if not DATA.is_dir():
        pytest.skip(f"real data is absent: no folder {DATA}; set KULLA_DATA to where it stands")
    return DATA


@pytest.fixture(scope="session")
def strace() -> str:
    """The path of strace, for tests that watch the disk being synced."""
    path = shutil.which("strace")
    if path is None:
        pytest.skip("strace is not installed: apt-get install strace")
    return path


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium, for tests of the pages."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("no Chromium is installed: apt-get install chromium")


@pytest.fixture(scope="session")
def browser_type_launch_args(
    browser_type_launch_args: dict[str, Any], chromium: str
) -> dict[str, Any]:
    """Makes pytest-playwright's `page` a page of the machine's own Chromium, which stays quiet."""
    # Chromium refuses to sandbox itself for root, as which CI runs.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    arguments += CHROMIUM_ARGUMENTS
    return {**browser_type_launch_args, "executable_path": chromium, "args": arguments}

"""The benches run, however small, and their JSON has the figures that others read by name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fakes.real_data import DATA

pytestmark = [pytest.mark.live, pytest.mark.long]

MACHINE = {"processor", "cores", "memory_mib", "kernel", "load_before", "file_system"}


def bench(tmp_path: Path, *words: str) -> dict[str, Any]:
    path = tmp_path / "figures.json"
    argv = [sys.executable, "-m", "kulla", "bench", *words, "--json", str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(path.read_text())
    assert found["machine"].keys() == MACHINE
    assert found["versions"]["python"]
    return found


@pytest.fixture(scope="module")
def acts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    words = ("--seconds", "2", "--connections", "16", "--people-per-s", "800")
    return bench(tmp_path_factory.mktemp("acts"), "acts", *words, "--delay-ms", "40")


@pytest.mark.parametrize("place", ["near", "delayed"])
def test_acts_are_counted_and_borne_out(acts: dict[str, Any], place: str):
    found = acts if place == "near" else acts["delayed"]
    assert found["settings"]["embassy_round_trip_ms"] == (0 if place == "near" else 40)
    assert found["witnessed_acts_per_s"] > 10
    assert found["trivial_pages_per_s"] > found["witnessed_acts_per_s"]
    expected = found["witnessed_acts_per_s"] / found["trivial_pages_per_s"]
    assert found["ratio"] == pytest.approx(expected, rel=0.01)
    assert 0 < found["p50_ms"] <= found["p99_ms"] <= found["max_ms"]
    assert found["contested_rounds"] == 100
    assert found["double_bookings"] == 0
    assert found["contested_slots_nobody_got"] == 0
    booked = found["closed_loop"]["booked"] + found["open_loop"]["booked"]
    assert found["verified_bookings"] >= booked + found["contested_rounds"]
    assert found["receipts_verified"] == 50
    assert {"portal", "scribe", "keeper", "client"} <= found["cpu_ms_per_act"].keys()


def test_distance_costs_each_act_a_round_trip_at_least(acts: dict[str, Any]):
    assert acts["delayed"]["p50_ms"] >= 40


def test_a_rebuild_gives_the_registers_of_the_live_path(tmp_path: Path):
    found = bench(tmp_path, "rebuild", "--acts", "5000", "--keep", str(tmp_path / "kept"))
    assert found["acts"] == found["replayed"] == 5000
    assert found["cases"] == 0
    assert found["registers_equal_live_path"] is True
    assert found["acts_per_s"] > 100
    assert 10 < found["peak_memory_mib"] < 1024
    assert found["rows"] > 5000
    again = bench(tmp_path, "rebuild", "--acts", "5000", "--keep", str(tmp_path / "other"))
    made = [(tmp_path / kept / "journal-5000-1/made.json") for kept in ("kept", "other")]
    assert made[0].read_text() == made[1].read_text(), "the same seed makes the same journal"
    assert again["rows"] == found["rows"]


def test_pages_are_counted_and_weighed(tmp_path: Path):
    found = bench(tmp_path, "pages", "--seconds", "2", "--connections", "16")
    assert 5 < found["largest_page_kb"] <= 60
    assert found["largest_pages"][0]["kb"] == found["largest_page_kb"]
    assert all(one["css_kb"] > 0 for one in found["largest_pages"])
    assert found["kinds_walked"] > 20
    assert found["links_refused"] == {}
    for page in ("home", "month"):
        assert 0 < found[f"{page}_pages_per_s"] < found["trivial_pages_per_s"]
        expected = found[f"{page}_pages_per_s"] / found["trivial_pages_per_s"]
        assert found[f"{page}_ratio"] == pytest.approx(expected, rel=0.01)
        assert found["cpu_ms_per_page"][page]["portal"] > 0


def test_places_are_allocated_and_compared(tmp_path: Path):
    if not (DATA / "enrolment" / "chile-2020").is_dir():
        pytest.skip(f"{DATA} has no supply of a country")
    place = ("--data", str(DATA / "enrolment" / "chile-2020"))
    found = bench(tmp_path, "allocate", "--applicants", "2000", *place)
    assert found["applicants"] == 2000
    assert found["stable"] is True
    assert 0.5 < found["placed_share"] <= 1
    assert found["reading_s"] > 0
    assert 10 < found["peak_memory_mib"] < 2048
    assert found["matching"]["same_outcome"] is True
    assert found["ratio_to_matching"] == found["matching"]["ratio"] > 1

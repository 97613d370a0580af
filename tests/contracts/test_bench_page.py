"""The page of figures: what is generated stands between its marks, and nothing else is touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kulla.bench.errors import BenchFailed
from kulla.bench.page import BEGIN, END, write_page

MACHINE: dict[str, Any] = {
    "machine": {
        "processor": "one",
        "cores": 2,
        "memory_mib": 1024,
        "kernel": "Linux",
        "load_before": 0.1,
        "file_system": "ext4",
    },
    "versions": {"kulla": "0"},
}
ACTS: dict[str, Any] = {
    "witnessed_acts_per_s": 123.4,
    "trivial_pages_per_s": 567.8,
    "ratio": 0.2,
    "p50_ms": 1.0,
    "p99_ms": 2.0,
    "double_bookings": 0,
    "cpu_ms_per_act": {"portal": 0.5},
    "settings": {
        "seconds": 30.0,
        "connections": 96,
        "citizens": 1000,
        "client": "a client",
        "rate_limits": "on",
        "latency": "open loop",
    },
    **MACHINE,
}
REBUILD: dict[str, Any] = {
    "acts": 10,
    "acts_per_s": 5,
    "seconds": 2,
    "peak_memory_mib": 3,
    "registers_equal_live_path": True,
    **MACHINE,
}
PAGES: dict[str, Any] = {
    "home_pages_per_s": 456.7,
    "month_pages_per_s": 345.6,
    "trivial_pages_per_s": 567.8,
    "home_ratio": 0.8,
    "month_ratio": 0.6,
    "largest_page_kb": 33.3,
    "largest_pages": [{"page": "/appointments/*/move", "kb": 33.3}],
    "pages_walked": 77,
    "cpu_ms_per_page": {"home": {"portal": 1.5}, "month": {"portal": 1.7}},
    "settings": {
        "seconds": 20.0,
        "connections": 64,
        "citizens": 600,
        "client": "a client",
        "rate_limits": "on",
    },
    **MACHINE,
}


def test_only_what_is_between_the_marks_is_written_anew(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold figures\n{END}\nafter\n")
    for _ in range(2):
        write_page(page, {"acts": {**ACTS, "delayed": ACTS}, "rebuild": REBUILD})
        text = page.read_text()
        assert text.startswith(f"before\n{BEGIN}\n")
        assert text.endswith(f"{END}\nafter\n")
        assert "old figures" not in text
        assert text.count("123.4") == 2
        assert "`kulla bench acts --seconds 30 --connections 96 --delay-ms 40`" in text
        assert "`kulla bench rebuild --acts 10`" in text


def test_pages_are_written_beside_the_others(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{BEGIN}\n{END}\n")
    write_page(page, {"acts": ACTS, "pages": PAGES})
    text = page.read_text()
    assert "## Bookings" in text
    assert "| a citizen's home, signed in, pages a second | 456.7 |" in text
    assert "uncompressed, kB | 33.3 |" in text
    assert "`/appointments/*/move` 33.3 kB" in text
    assert "`kulla bench pages --seconds 20 --connections 64`" in text


ALLOCATE: dict[str, Any] = {
    "applicants": 563353,
    "seconds": 0.75,
    "median_s": 0.8,
    "cpu_s": 0.74,
    "lottery_s": 0.3,
    "peak_memory_mib": 400.0,
    "reading_s": 0.1,
    "placed_share": 0.75,
    "first_choice_share": 0.5,
    "stable": True,
    "programmes": 80109,
    "seats": 1035133,
    "proposals": 1900000,
    "sibling_pairs": 64130,
    "matching": {"applicants": 20000, "cpu_s": 31.0, "kulla_cpu_s": 0.02, "ratio": 1550.0},
    **MACHINE,
}


def test_what_is_not_measured_anew_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{BEGIN}\n{END}\n")
    write_page(page, {"acts": ACTS, "rebuild": REBUILD})
    before = page.read_text()
    write_page(page, {"allocate": ALLOCATE})
    after = page.read_text()
    assert before.removesuffix(f"{END}\n").rstrip() in after
    assert "| children who apply | 563,353 |" in after
    assert "`kulla bench allocate --applicants 563353`" in after
    write_page(page, {"acts": ACTS, "rebuild": REBUILD})
    assert page.read_text() == after


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing\n")
    with pytest.raises(BenchFailed):
        write_page(page, {"acts": ACTS})
    assert page.read_text() == "nothing\n"

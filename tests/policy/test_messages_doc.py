"""docs/services/messages.md says what letters there are: its table is compared with the code."""

from __future__ import annotations

import re
from pathlib import Path

from django.utils import translation

from kulla.services.messages import policy
from kulla.services.messages.words import Occasion, compose, compose_short
from kulla.tower.post.appointments_letters import CONFIRM_WITHIN_MS, REMINDER_HOUR, reminder_ms
from kulla.tower.services import register_tables

PAGE = Path(__file__).resolve().parents[2] / "docs" / "services" / "messages.md"
OCCASION = Occasion("Tuesday", "Clinic", "Street 1", "https://k.example/appointments/1")


def _rows() -> dict[str, list[str]]:
    lines = re.findall(r"^\| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    cells = [line.split(" | ") for line in lines]
    return {row[0]: row for row in cells[1:]}


def test_the_page_lists_the_kinds_of_letters_that_there_are() -> None:
    assert tuple(_rows()) == policy.KINDS


def test_each_kind_has_its_words() -> None:
    register_tables()  # sets Django up
    with translation.override("en"):
        subjects = {kind: compose(kind, OCCASION, "https://k.example")[0] for kind in policy.KINDS}
        assert len(set(subjects.values())) == len(policy.KINDS)
        for kind in policy.KINDS:
            assert "Tuesday" in compose_short(kind, OCCASION)


def test_the_hours_are_those_of_the_code() -> None:
    rows = _rows()
    assert f"the day before, {REMINDER_HOUR:02d}:00" in rows["reminder"]
    assert rows["booked"][3].startswith("a day later")
    assert CONFIRM_WITHIN_MS == 24 * 3_600_000
    noon_s = 1_770_206_400  # Wednesday 4 February 2026, 13:00 in Tirana
    assert noon_s * 1000 - reminder_ms(noon_s) == (24 + 5) * 3_600_000

"""docs/services/messages.md says what letters there are: its table is compared with the code."""

from __future__ import annotations

import re
from pathlib import Path

from django.utils import translation

from kulla.services.enrolment import notices
from kulla.services.messages import policy, school_words
from kulla.services.messages.words import Occasion, compose, compose_short
from kulla.tower.post.appointments_letters import CONFIRM_WITHIN_MS, REMINDER_HOUR, reminder_ms
from kulla.tower.post.enrolment_letters import REMIND_BEFORE_S, TOLD_WITHIN_S
from kulla.tower.services import register_tables

PAGE = Path(__file__).resolve().parents[2] / "docs" / "services" / "messages.md"
OCCASION = Occasion("Tuesday", "Clinic", "Street 1", "https://k.example/appointments/1")
SITE = "https://k.example"
SCHOOL = school_words.SchoolOccasion(f"{SITE}/enrolment/children", "Tuesday", ("", "", "Tuesday"))
OF_SCHOOL = tuple(kind for kind in policy.KINDS if kind.startswith("school-"))


def _rows() -> dict[str, list[str]]:
    lines = re.findall(r"^\| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    cells = [line.split(" | ") for line in lines]
    return {row[0]: row for row in cells[1:]}


def test_the_page_lists_the_kinds_of_letters_that_there_are() -> None:
    assert tuple(_rows()) == policy.KINDS


def test_each_kind_has_its_words() -> None:
    register_tables()  # sets Django up
    with translation.override("en"):
        others = [kind for kind in policy.KINDS if kind not in OF_SCHOOL]
        subjects = {kind: compose(kind, OCCASION, SITE)[0] for kind in others}
        subjects |= {kind: school_words.compose(kind, SCHOOL, SITE)[0] for kind in OF_SCHOOL}
        assert len(set(subjects.values())) == len(policy.KINDS)
        for kind in others:
            assert "Tuesday" in compose_short(kind, OCCASION)
        for kind in OF_SCHOOL:
            assert 20 < len(school_words.compose_short(kind, SCHOOL)) <= 300


def test_what_enrolment_notices_has_its_kind_of_letter() -> None:
    said = [value for name, value in vars(notices).items() if name.isupper()]
    assert {kind for kind in said if isinstance(kind, str) and kind} == set(OF_SCHOOL)


def test_only_who_may_lose_a_place_by_silence_reads_until_when_to_answer() -> None:
    register_tables()
    with translation.override("en"):
        asked = {
            kind
            for kind in OF_SCHOOL
            if "Please answer by Tuesday" in school_words.compose(kind, SCHOOL, SITE)[1]
        }
    assert asked == {"school-result", "school-place", "school-answer", "school-appeal"}


def test_the_hours_are_those_of_the_code() -> None:
    rows = _rows()
    assert f"the day before, {REMINDER_HOUR:02d}:00" in rows["reminder"]
    assert rows["booked"][3].startswith("a day later")
    assert CONFIRM_WITHIN_MS == 24 * 3_600_000
    noon_s = 1_770_206_400  # Wednesday 4 February 2026, 13:00 in Tirana
    assert noon_s * 1000 - reminder_ms(noon_s) == (24 + 5) * 3_600_000
    assert f"{REMIND_BEFORE_S // 86_400} days before the deadline" in rows["school-answer"]
    assert rows["school-lapsed"][3] == f"{TOLD_WITHIN_S // 86_400} days"

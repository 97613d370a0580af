"""Working hours become instants: also on the days when clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kulla.services.appointments import hours, zones

TIRANA = "Europe/Tirane"
FORWARD = date(2026, 3, 29)  # 02:00 becomes 03:00
BACK = date(2026, 10, 25)  # 03:00 becomes 02:00


def local(zone: str, day: date, periods: list[hours.Period]) -> list[str]:
    """What the clinic's clock shows when each slot begins."""
    found = hours.instants(day, hours.in_order(periods), zones.offsets(zone, day, day))
    return [
        f"{datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone)):%H:%M}" for at, _ in found
    ]


def test_a_local_time_that_never_comes_has_no_slot() -> None:
    assert local(TIRANA, FORWARD, [(60, 240, 30)]) == ["01:00", "01:30", "03:00", "03:30"]


def test_a_local_time_that_comes_twice_has_one_slot_the_first_time() -> None:
    day_offsets = zones.offsets(TIRANA, BACK, BACK)
    found = hours.instants(BACK, [(60, 240, 60)], day_offsets)
    first = int(datetime(2026, 10, 24, 23, tzinfo=UTC).timestamp())  # 01:00, summer time
    assert found == [(first, 60), (first + 3600, 60), (first + 3 * 3600, 60)]


def test_a_slot_that_would_begin_before_the_last_one_has_ended_is_left_out() -> None:
    # 01:50 lasts 25 minutes, until 03:15 on the clock; the slot of 03:05 would begin before that.
    assert local(TIRANA, FORWARD, [(110, 250, 25)]) == ["01:50", "03:30"]


def test_the_rest_of_such_a_day_is_as_always() -> None:
    for day in (FORWARD, BACK, FORWARD + timedelta(days=1)):
        assert local(TIRANA, day, [(480, 540, 20)]) == ["08:00", "08:20", "08:40"]


def test_only_whole_slots_fit_a_period() -> None:
    assert local(TIRANA, date(2026, 5, 4), [(480, 545, 20)]) == ["08:00", "08:20", "08:40"]
    assert local(TIRANA, date(2026, 5, 4), [(1380, 1440, 60)]) == ["23:00"]


def test_hours_are_written_in_one_way() -> None:
    weekly = ((3, (780, 960, 15)), (1, (780, 840, 20)), (1, (480, 720, 20)))
    text = hours.weekly_text(weekly)
    assert text == "1 08:00-12:00/20; 1 13:00-14:00/20; 3 13:00-16:00/15"
    assert hours.weekly_text(hours.weekly_of(text)) == text
    assert hours.day_text([(780, 1440, 20), (480, 720, 20)]) == "08:00-12:00/20; 13:00-24:00/20"
    assert hours.periods_of("08:00-12:00/20") == ((480, 720, 20),)
    assert hours.periods_of("") == ()


@pytest.mark.parametrize("text", ["8-12/20", "08:00-12:00", "x", "08:00-12:00/20;13:00-14:00/20"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no period"):
        hours.periods_of(text)


ZONES = [TIRANA, "Europe/Dublin", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe"]
ZONES += ["Pacific/Apia", "Africa/Casablanca", "Asia/Beirut", "UTC"]


@given(
    zone=st.sampled_from(ZONES),
    day=st.dates(date(2005, 1, 1), date(2037, 12, 1)),
    length=st.integers(0, 40),
)
def test_offsets_say_what_the_zone_says(zone: str, day: date, length: int) -> None:
    last = day + timedelta(days=length)
    found = zones.offsets(zone, day, last)
    assert hours.covers(found, day)
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=20)
    while at < datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(hours=40):
        offset = [offset_s for from_s, offset_s in found if from_s <= at.timestamp()][-1]
        assert at.astimezone(ZoneInfo(zone)).utcoffset() == timedelta(seconds=offset)
        at += timedelta(minutes=47)


@given(
    zone=st.sampled_from(ZONES),
    day=st.dates(date(2005, 1, 1), date(2037, 12, 1)),
    begin=st.integers(0, 1200),
    length=st.integers(5, 239),
    minutes=st.integers(5, 90),
)
def test_slots_show_their_time_on_the_clock_and_never_overlap(
    zone: str, day: date, begin: int, length: int, minutes: int
) -> None:
    period = (begin, begin + max(length, minutes), minutes)
    if period[1] > 1440:
        return
    found = hours.instants(day, [period], zones.offsets(zone, day, day))
    midnight = datetime(day.year, day.month, day.day)
    wanted = {midnight + timedelta(minutes=m) for m in range(begin, period[1], minutes)}
    ended_s = None
    for starts_s, lasts in found:
        shown = datetime.fromtimestamp(starts_s, UTC).astimezone(ZoneInfo(zone))
        assert shown.replace(tzinfo=None, fold=0) in wanted
        assert shown.fold == 0
        assert lasts == minutes
        assert ended_s is None or starts_s >= ended_s
        ended_s = starts_s + minutes * 60

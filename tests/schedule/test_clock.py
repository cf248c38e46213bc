"""A schedule never runs before its time of day, on any clock, in any year's shifts."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aoai_analytics.format.periods import ended
from aoai_analytics.reporting.schedule import by_the_clock

# Shifts at different days, or none; half hours; a whole day ahead.
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Cairo",
]
START = date(2026, 11, 24)


def clock_of(name: str):
    return lambda moment: moment.astimezone(ZoneInfo(name)).utcoffset()


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(ZONES), st.sampled_from(ZONES), st.times().map(lambda at: at.replace(second=0, microsecond=0)))
def test_each_day_it_runs_once_at_or_after_its_time(zone: str, machine: str, at: time) -> None:
    shown, times = by_the_clock(at, zone, clock_of(machine), START)
    assert at in times
    assert len(times) <= 4
    for day in range(3, 720):
        wall = datetime.combine(START + timedelta(days=day), shown, ZoneInfo(machine))
        there = wall.astimezone(UTC).astimezone(wall.tzinfo)
        if there.replace(tzinfo=None) != wall.replace(tzinfo=None):
            continue  # A time that a shift of the machine's clock leaves out: cron runs it at once after it.
        local = wall.astimezone(ZoneInfo(zone))
        late = (local.hour * 60 + local.minute - at.hour * 60 - at.minute) % 1440
        assert late <= 120, (wall, local)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("machine", ["UTC", "America/New_York"])
def test_a_report_just_after_midnight_is_made_when_its_period_is_over(zone: str, machine: str) -> None:
    """By the machine's clock it may be the month before; the run still finds the period over, within the day."""
    at = time(0, 5)
    shown, _ = by_the_clock(at, zone, clock_of(machine), START)
    for month in range(24):
        first = date(2027 + month // 12, month % 12 + 1, 1)
        end = datetime.combine(first, time(), ZoneInfo(zone)).astimezone(UTC)
        runs = [
            datetime.combine(first + timedelta(days=day), shown, ZoneInfo(machine)).astimezone(UTC)
            for day in (-2, -1, 0, 1)
        ]
        run = next(moment for moment in runs if moment >= end)
        assert run - end <= timedelta(hours=3), (zone, machine, first)
        (period,) = ended("monthly", run, zone, 1)
        assert period.span(zone)[1] == end


def test_utc_times_of_a_zone_with_shifts() -> None:
    assert by_the_clock(time(6), "Europe/Berlin", clock_of("UTC"), START) == (time(5), [time(6), time(7)])
    assert by_the_clock(time(0, 30), "America/New_York", clock_of("UTC"), START) == (
        time(5, 30),
        [time(0, 30), time(1, 30)],
    )
    assert by_the_clock(time(6), "Europe/Berlin", clock_of("Europe/Paris"), START) == (time(6), [time(6)])

"""A report's period, in its time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from aoai_analytics.errors import WrongUse
from aoai_analytics.format.periods import age, between, ended, in_words, moment, named


@pytest.mark.parametrize(
    ("value", "utc"),
    [
        ("2026-11-01", datetime(2026, 10, 31, 23, tzinfo=UTC)),
        ("2026-07-01", datetime(2026, 6, 30, 22, tzinfo=UTC)),
        ("2026-11-01T08:00", datetime(2026, 11, 1, 7, tzinfo=UTC)),
        ("2026-11-01T08:00Z", datetime(2026, 11, 1, 8, tzinfo=UTC)),
        (date(2026, 11, 1), datetime(2026, 10, 31, 23, tzinfo=UTC)),
        (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)),
        (None, None),
        ("", None),
    ],
)
def test_a_moment_without_offset_is_in_the_reports_time_zone(value: object, utc: datetime | None) -> None:
    assert moment(value, "Europe/Berlin") == utc


def test_text_that_is_no_date_says_how_to_write_one() -> None:
    with pytest.raises(WrongUse, match=r"end '1\.11\.2026' is not a date"):
        moment("1.11.2026", "UTC", "end")


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (None, None, "all data"),
        ("2026-11-01", "2026-12-01", "1 Nov 2026 to 30 Nov 2026"),
        ("2026-10-25", "2026-10-26", "25 Oct 2026"),
        ("2026-11-01T08:00", "2026-11-01T09:00", "1 Nov 2026, 08:00 to 1 Nov 2026, 09:00"),
        ("2026-11-01", None, "since 1 Nov 2026, 00:00"),
        (None, "2026-11-01", "until 1 Nov 2026, 00:00"),
    ],
)
def test_a_period_is_said_by_its_days(start: str | None, end: str | None, said: str) -> None:
    zone = "Europe/Berlin"
    assert in_words(moment(start, zone), moment(end, zone), zone) == said


@pytest.mark.parametrize(
    ("key", "zone", "hours"),
    [
        ("2026-10-25", "Europe/Berlin", 25),
        ("2026-03-29", "Europe/Berlin", 23),
        ("2026-11-01", "America/New_York", 25),
        ("2026-10-25", "UTC", 24),
        ("2026-10", "Europe/Berlin", 31 * 24 + 1),
        ("2026-Q4", "Europe/Berlin", 92 * 24 + 1),
        ("2024-q1", "UTC", 91 * 24),
        ("2026", "Europe/Berlin", 365 * 24),
        ("2026-03", "America/New_York", 31 * 24 - 1),
        ("2026-W43", "Europe/Berlin", 7 * 24 + 1),
        ("2026-04-24", "Africa/Cairo", 23),  # whose clock skips midnight itself
    ],
)
def test_a_period_goes_from_midnight_to_midnight_also_where_clocks_change(key: str, zone: str, hours: int) -> None:
    start, end = named(key).span(zone)
    assert end - start == timedelta(hours=hours)


def test_periods_follow_each_other_without_gap_or_overlap() -> None:
    for text, count in (
        ("2024..2026", 3),
        ("2025-Q3..2026-Q1", 3),
        ("2026-07..2026-10", 4),
        ("2025-W51..2026-W02", 4),
        ("2026-10-24..2026-10-27", 4),
    ):
        found = between(text)
        assert len(found) == count and f"{found[0].key}..{found[-1].key}" == text
        spans = [period.span("Europe/Berlin") for period in found]
        assert all(one[1] == other[0] for one, other in pairwise(spans))


def test_a_week_has_one_name() -> None:
    assert named("2026-W4").key == "2026-W04"
    (week,) = ended("weekly", datetime(2027, 1, 6, tzinfo=UTC), "UTC", 1)
    assert (week.key, week.first) == ("2026-W53", date(2026, 12, 28))


@pytest.mark.parametrize(
    "text", ["202", "2026-13", "2026-Q5", "9999", "2026-W54", "2026-11-31", "october", "2026-10..2026-11", "9999-12"]
)
def test_what_is_no_period_says_how_to_write_one(text: str) -> None:
    with pytest.raises(WrongUse, match="a month 2026-10"):
        named(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-07", "2026-07..2026-10"),
        ("2026-07..2026-W40", "mixes kinds of period"),
        ("2026-10..2026-07", "before it starts"),
        ("2026-10..", "is not a period"),
    ],
)
def test_what_is_no_range_of_periods_says_so(text: str, said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        between(text)


def test_for_how_long_reports_are_kept_is_above_zero() -> None:
    assert age("400d") == timedelta(days=400)
    for text in ("0d", "-3d", "a year"):
        with pytest.raises(WrongUse, match="400d"):
            age(text)

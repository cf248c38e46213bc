"""A report's period, in its time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from aoai_analytics.errors import WrongUse
from aoai_analytics.reports.period import in_words, moment


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
    with pytest.raises(WrongUse, match=r"end '1\.11\.2026' is no date"):
        moment("1.11.2026", "UTC", "end")


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (None, None, "all there is"),
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

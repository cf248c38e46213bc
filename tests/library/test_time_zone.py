"""A query with a time zone bins days at that zone's midnights, which Python's own zones say."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from aoai_analytics.engines.connecting import connect
from aoai_analytics.engines.frames import days_in
from aoai_analytics.engines.protocol import Engine
from aoai_analytics.format.numbers import is_missing
from aoai_analytics.library import library
from aoai_analytics.library.queries import Query
from aoai_analytics.sample import write_sample
from tests.lakes import Once, lake_of

#: The clock changes in New York on the second day: it has 25 hours.
FIRST, DAYS = date(2026, 10, 31), 3
ZONES = ("America/New_York", "Asia/Kolkata")
BINNED = [query for query in library() if {"step", "timeZone"} <= query.parameters.keys()]
LOCAL = ("Day", "Week", "Month", "Cohort")


@pytest.fixture(scope="module")
def engine(once: Once) -> Engine:
    def make(folder: Path) -> None:
        write_sample(folder / "sample", requests=300, days=DAYS, start=FIRST, mcp_calls=30)
        lake_of(folder / "lake", folder / "sample/logs")

    return connect(once("zone-lake", make) / "lake")


def rows_of(frame: pd.DataFrame) -> list[list[Any]]:
    rows = frame.itertuples(index=False, name=None)
    return [[None if is_missing(value) else value for value in row] for row in rows]


def parameters(query: Query, engine: Engine) -> dict[str, str]:
    if "user" not in query.parameters:
        return {}
    top = engine.query("AoaiRequests | summarize N = count() by User | top 1 by N").frame
    return {"user": str(top["User"].iloc[0])}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("query", BINNED, ids=lambda query: str(query.name))
def test_a_day_has_the_rows_that_its_own_hours_have(query: Query, zone: str, engine: Engine) -> None:
    text = query.bind(step="1d", timeZone=zone, **parameters(query, engine))
    if query.name == "cost/over-time":
        # What an unknown model costs is the mean of the period asked for.
        text += "| where isnotempty(ModelName)\n"
    whole = engine.query(text).frame
    found = set()
    for back in range(-1, DAYS + 1):
        day = FIRST + timedelta(days=back)
        begin, end = (
            datetime.combine(of, time(), ZoneInfo(zone)).astimezone(ZoneInfo("UTC"))
            for of in (day, day + timedelta(days=1))
        )
        of_day = whole[whole["TimeGenerated"] == begin]
        assert rows_of(engine.query(text, start=begin, end=end).frame) == rows_of(of_day), (zone, day)
        found |= set(of_day["TimeGenerated"])
    assert len(found) >= DAYS
    assert found == set(whole["TimeGenerated"])


@pytest.mark.parametrize(
    "query", [query for query in library() if "timeZone" in query.parameters], ids=lambda query: str(query.name)
)
def test_times_are_in_utc_except_for_columns_of_dates(query: Query, engine: Engine) -> None:
    """Readers take ``Day``, ``Week``, ``Month`` and ``Cohort`` as local, all others as UTC."""
    result = engine.query(query.bind(timeZone="Asia/Kolkata", **parameters(query, engine)))
    times = [name for name, kind in result.types.items() if kind == "datetime"]
    assert set(times) <= {*LOCAL, "TimeGenerated", "FirstSeen", "LastSeen"}
    for name in set(times) & set(LOCAL):
        assert (result.frame[name] == result.frame[name].dt.normalize()).all(), name


def test_every_query_of_days_or_weeks_has_a_time_zone() -> None:
    """Those of a month as Azure bills it are UTC's; so is what compares two logs hour by hour."""
    utc = {
        "tokens/forecast-month",
        "cost/budget",
        "alerts/budget-pace",
        "cost/focus",
        "models/api-versions",
        "models/retiring",
    }
    without = {
        query.name
        for query in library()
        if "timeZone" not in query.parameters
        and any(word in query.text for word in ("startofday(", "startofweek(", "startofmonth(", "let step = ", ", 1d)"))
    }
    assert without <= utc, sorted(without - utc)


def test_only_dates_are_taken_as_local() -> None:
    """An hour that begins at midnight UTC stays where it is: it is no day."""
    at = pd.Series(pd.to_datetime(["2026-11-02 00:00"], utc=True))
    moved = days_in(pd.DataFrame({"Day": at, "TimeGenerated": at}), "America/New_York")
    assert moved["Day"].iloc[0].isoformat() == "2026-11-02T00:00:00-05:00"
    assert moved["TimeGenerated"].iloc[0].isoformat() == "2026-11-01T19:00:00-05:00"

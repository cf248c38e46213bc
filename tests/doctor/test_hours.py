"""Gaps and falls are told from chance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from aoai_analytics.doctor.hours import falls, runs

START = datetime(2026, 11, 2, tzinfo=UTC)


def hours(requests: list[int], usual: list[int | None]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "TimeGenerated": [START + timedelta(hours=n) for n in range(len(requests))],
            "Requests": pd.array(requests, dtype="Int64"),
            "UsualRequests": pd.array(usual, dtype="Int64"),
        }
    )


def test_hours_without_a_record_are_a_gap_where_many_are_usual() -> None:
    (gap,) = falls(hours([20, 0, 0, 22], [20, 20, 20, 20]))
    assert (gap.start, gap.end) == (START + timedelta(hours=1), START + timedelta(hours=3))
    assert (gap.found, gap.usual) == (0, 40)


def test_a_quiet_night_is_no_gap() -> None:
    assert falls(hours([2, 0, 0, 3], [2, 3, 2, 3])) == []


def test_hours_of_which_nothing_is_usual_are_no_gap() -> None:
    assert falls(hours([0] * 5, [None] * 5)) == []


def test_half_of_what_is_usual_for_hours_is_a_fall() -> None:
    (fall,) = falls(hours([100, 50, 52, 48, 51, 100], [100] * 6))
    assert (fall.found, fall.usual, fall.end - fall.start) == (201, 400, timedelta(hours=4))


def test_half_of_very_little_may_be_chance() -> None:
    assert falls(hours([6, 3, 3, 3, 3, 6], [6] * 6)) == []


def test_one_low_hour_is_no_fall() -> None:
    assert falls(hours([100, 40, 100], [100] * 3)) == []


def test_a_gap_inside_a_fall_is_both() -> None:
    found = falls(hours([50] * 4 + [0] * 2 + [50] * 4, [100] * 10))
    assert [(fall.found, fall.usual) for fall in found] == [(200, 400), (0, 200), (200, 400)]


@given(st.lists(st.integers(0, 400), max_size=60))
def test_as_many_requests_as_usual_or_more_are_never_a_fall(usual: list[int]) -> None:
    assert falls(hours([count + 1 for count in usual], list(usual))) == []


@given(st.lists(st.booleans(), max_size=60))
def test_runs_hold_exactly_the_rows_that_belong_and_touch_no_other_run(marks: list[bool]) -> None:
    rows = [{"n": n, "in": mark} for n, mark in enumerate(marks)]
    found = runs(rows, lambda row: row["in"])
    assert [row["n"] for run in found for row in run] == [row["n"] for row in rows if row["in"]]
    for before, after in pairwise(found):
        assert before[-1]["n"] + 1 < after[0]["n"]

"""The finding of a figure: a sentence with its number, computed from what is drawn, and never a wrong one."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from aoai_analytics.charts import figure, finding

UNITS = {
    "TotalTokens": "tokens", "PromptTokens": "tokens", "CompletionTokens": "tokens", "Cost": "USD", "NewCost": "USD",
    "Requests": "requests", "P95": "ms", "P50": "ms", "FailureRate": "%", "Share": "%", "Users": "users",
    "Difference": "tokens", "Amount": "currency",
}  # fmt: skip
DAYS = pd.date_range("2026-11-10", periods=5, tz="UTC")


def said(chart: str, *, time_zone: str = "UTC", **columns: Any) -> str:
    drawn = figure(pd.DataFrame(columns), chart, title="", units=UNITS, time_zone=time_zone)
    assert drawn is not None
    return finding(drawn)


def test_of_parts_over_time_the_largest_has_its_share() -> None:
    times = [DAYS[0], DAYS[0], DAYS[1]]
    chart = "stacked-area x=TimeGenerated y=TotalTokens color=ModelName"
    models = ["gpt-4o", "gpt-5", "gpt-4o"]
    assert said(chart, TimeGenerated=times, ModelName=models, TotalTokens=[40, 36, 24]) == "gpt-4o: 64% of 100 tokens"


def test_measures_that_are_stacked_are_parts_too() -> None:
    chart = "stacked-bar x=TimeGenerated y=PromptTokens,CompletionTokens"
    assert (
        said(chart, TimeGenerated=DAYS[:2], PromptTokens=[500, 100], CompletionTokens=[150, 250])
        == "Prompt tokens: 60% of 1,000 tokens"
    )


def test_of_bars_the_category_has_the_share_and_of_stacked_bars_the_part() -> None:
    rows: dict[str, Any] = {"ApiId": ["a", "a", "b"], "Kind": ["cut", "full", "cut"], "Requests": [2, 4, 4]}
    assert said("bar x=Requests y=ApiId color=Kind", **rows) == "a: 60% of 10 requests"
    assert said("stacked-bar x=Requests y=ApiId color=Kind", **rows | {"Requests": [2, 4, 5]}) == (
        "cut: 64% of 11 requests"
    )


def test_a_share_is_of_all_rows_also_of_those_that_are_not_drawn() -> None:
    names = [f"user-{n}" for n in range(30)]
    assert said("bar x=TotalTokens y=User", User=names, TotalTokens=[42, *[2] * 29]) == "user-0: 42% of 100 tokens"


def test_a_sum_over_time_has_its_highest_day_and_how_far_it_is_above_the_median() -> None:
    chart = "bar x=Day y=Cost"
    assert said(chart, Day=DAYS, Cost=[14.0, 10.0, 42.0, 20.0, 3.0]) == (
        "Most on 12 Nov: 42.00 USD, 3.0 times the median day"
    )
    assert said(chart, Day=DAYS, Cost=[14.0, 15.0, 16.0, 15.0, 14.0]) == "Most on 12 Nov: 16.00 USD"
    assert said(chart, Day=DAYS[:3], Cost=[1.0, 9.0, 1.0]) == "Most on 11 Nov: 9.00 USD"


def test_times_are_those_of_the_axis() -> None:
    hours = pd.date_range("2026-11-10T22:00", periods=2, freq="h", tz="UTC")
    chart = "bar x=TimeGenerated y=Requests"
    assert said(chart, TimeGenerated=hours, Requests=[2, 3], time_zone="Europe/Berlin") == (
        "Most on 11 Nov 00:00: 3 requests"
    )
    assert said(chart, TimeGenerated=DAYS[:2], Requests=[2, 3], time_zone="Asia/Tokyo") == "Most on 11 Nov: 3 requests"
    weeks = pd.date_range("2026-12-21", periods=3, freq="7D", tz="UTC")
    assert said(chart, TimeGenerated=weeks, Requests=[2, 3, 1]) == "Most in the week from 28 Dec 2026: 3 requests"
    months = pd.to_datetime(["2026-10-01", "2026-11-01"], utc=True)
    assert said("bar x=Month y=Requests", Month=months, Requests=[2, 3]) == "Most in Nov 2026: 3 requests"


def test_of_what_cannot_be_summed_the_highest_value_is_named() -> None:
    hours = pd.date_range("2026-11-12T13:00", periods=2, freq="h", tz="UTC")
    rows: dict[str, Any] = {"TimeGenerated": [*hours, *hours], "ModelName": ["gpt-4o"] * 2 + ["gpt-5"] * 2}
    chart = "line x=TimeGenerated y=P95 color=ModelName"
    assert said(chart, **rows, P95=[1200, 8200, 900, 1000]) == "Highest P95: 8.2 s, gpt-4o, 12 Nov 14:00"
    assert said("bar x=FailureRate y=BackendHost", BackendHost=["a", "b"], FailureRate=[2.0, 7.25]) == (
        "Highest failure rate: 7.2%, b"
    )
    assert said("grouped-bar x=ModelName y=P50,P95", ModelName=["a", "b"], P50=[10, 20], P95=[700, 300]) == (
        "Highest P95: 700 ms, a"
    )
    assert said("bar x=Day y=Users", Day=DAYS[:2], Users=[119, 80]) == "Most users: 119, 10 Nov"


def test_bars_side_by_side_are_no_parts() -> None:
    chart = "grouped-bar x=Cost,NewCost y=ModelName"
    assert said(chart, ModelName=["a", "b"], Cost=[3.0, 1.0], NewCost=[2.0, 0.5]) == "Highest cost: 3.00 USD, a"


def test_of_differences_the_one_furthest_from_zero_is_named() -> None:
    assert said("bar x=Difference y=User", User=["a", "b", "c"], Difference=[20, -30, 5]) == (
        "Largest difference: -30 tokens, b"
    )


def test_of_a_heatmap_the_highest_cell_is_named() -> None:
    rows: dict[str, Any] = {"Weekday": ["Mon", "Mon", "Thu"], "Hour": [8, 9, 18]}
    assert said("heatmap x=Hour y=Weekday color=TotalTokens", **rows, TotalTokens=[5, 6, 52_400]) == (
        "Most tokens: 52.4 k, Thu, hour 18"
    )
    assert (
        said("heatmap x=Hour y=Weekday color=P95", **rows, P95=[500, 80_000, 700]) == "Highest P95: 80 s, Mon, hour 9"
    )
    rows = {"TimeGenerated": DAYS[:2], "Band": ["1 to 2 s", "under 1 s"], "Requests": [73, 4]}
    assert said("heatmap x=TimeGenerated y=Band color=Requests", **rows) == "Most requests: 73, 1 to 2 s, 10 Nov"


def test_the_highest_cell_of_a_row_that_is_not_drawn_is_not_named() -> None:
    """The rows with the largest sums are drawn: the last has the highest cell, and the smallest sum."""
    users = [f"u{n:02}" for n in range(20) for _ in range(2)] + ["last"]
    rows = {"User": users, "Hour": [0, 1] * 20 + [0], "TotalTokens": [6] * 40 + [11]}
    assert said("heatmap x=Hour y=User color=TotalTokens", **rows) == ""


def test_numbers_and_missing_names_are_said_with_what_they_are() -> None:
    assert said("bar x=Attempts y=Requests", Attempts=[1, 2], Requests=[3, 1]) == "Attempts 1: 75% of 4 requests"
    assert said("bar x=Requests y=ApiVersion", ApiVersion=["", "v1"], Requests=[3, 1]) == (
        "No API version: 75% of 4 requests"
    )
    assert said("bar x=FailureRate y=DeploymentName", DeploymentName=["", "v1"], FailureRate=[3.0, 1.0]) == (
        "Highest failure rate: 3%, no deployment name"
    )
    assert said("bar x=Requests y=Region", Region=[None, "v1"], Requests=[3, 1]) == "Unknown region: 75% of 4 requests"


def test_where_a_part_is_unknown_only_the_known_is_spoken_of() -> None:
    unknown = pd.array([3, None, 1], dtype="Int64")
    assert said("bar x=TotalTokens y=User", User=["a", "b", "c"], TotalTokens=unknown) == (
        "a: 75% of the known 4 tokens"
    )
    assert said("bar x=P95 y=User", User=["a", "b", "c"], P95=unknown) == "Highest known P95: 3 ms, a"
    assert said("bar x=Day y=TotalTokens", Day=DAYS[:3], TotalTokens=unknown) == (
        "Highest known total tokens on 10 Nov: 3 tokens"
    )
    rows: dict[str, Any] = {"Hour": [0, 1, 2], "Weekday": ["Mon"] * 3}
    assert said("heatmap x=Hour y=Weekday color=TotalTokens", **rows, TotalTokens=unknown) == (
        "Highest known total tokens: 3 tokens, Mon, hour 0"
    )


@pytest.mark.parametrize(
    ("chart", "rows"),
    [
        ("bar x=TotalTokens y=User", {"User": ["a"], "TotalTokens": [5]}),
        ("bar x=TotalTokens y=User", {"User": ["a", "b"], "TotalTokens": [5, 5]}),
        ("bar x=TotalTokens y=User", {"User": ["a", "b"], "TotalTokens": [0, 0]}),
        ("bar x=TotalTokens y=User", {"User": ["a", "b"], "TotalTokens": pd.array([5, None], dtype="Int64")}),
        ("bar x=P95 y=User", {"User": ["a", "b", "c"], "P95": [5, 5, 1]}),
        ("bar x=Share y=User", {"User": ["a", "b"], "Share": [77.3, 76.8]}),
        ("bar x=Amount y=User", {"User": ["a", "b"], "Amount": [5.0, 1.0]}),
        ("bar x=Day y=Cost", {"Day": DAYS[:3], "Cost": [2.0, 2.0, 1.0]}),
        ("line x=TimeGenerated y=P95", {"TimeGenerated": DAYS[:1], "P95": [3]}),
        ("heatmap x=Hour y=Day color=Requests", {"Hour": [0, 1], "Day": ["Mon", "Mon"], "Requests": [4, 4]}),
        ("heatmap x=Hour y=Day color=Requests", {"Hour": [0], "Day": ["Mon"], "Requests": [4]}),
        ("scatter x=P95 y=Requests", {"P95": [1, 2], "Requests": [4, 5]}),
    ],
    ids=["one row", "a tie", "zero", "one known", "highest twice", "written alike", "no unit", "two peaks", "one time",
         "equal cells", "one cell", "points"],
)  # fmt: skip
def test_what_would_say_nothing_or_might_be_wrong_is_not_said(chart: str, rows: dict[str, Any]) -> None:
    assert said(chart, **rows) == ""


def test_of_shares_that_are_mostly_whole_the_lowest_is_named_but_not_of_a_day_that_may_be_covered_in_part() -> None:
    chart = "line x=TimeGenerated y=Share"
    assert said(chart, TimeGenerated=DAYS, Share=[100, 100, 71.5, 100, 100]) == "Lowest share: 72%, 12 Nov"
    assert said(chart, TimeGenerated=DAYS, Share=[40, 100, 71.5, 100, 100]) == ""


def test_the_highest_of_the_lines_that_are_drawn_is_called_so() -> None:
    """Nine lines of two days; of the ninth, which has one day, only the data knows."""
    rows = [(day, f"m{n}", 100 + n) for n in range(8) for day in DAYS[:2]] + [(DAYS[0], "m8", 900)]
    times, models, values = (list(column) for column in zip(*rows, strict=True))
    values[1] = 300
    chart = "line x=TimeGenerated y=P95 color=ModelName"
    assert said(chart, TimeGenerated=times, ModelName=models, P95=values) == "Highest shown P95: 300 ms, m0, 11 Nov"

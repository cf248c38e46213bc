"""Figures from rows and a header's chart."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from aoai_analytics.charts import KINDS, describe, figure, note, parse_chart, templates
from aoai_analytics.charts.style import MAX_SERIES
from aoai_analytics.errors import WrongUse

UNITS = {"TotalTokens": "tokens", "AverageTokens": "tokens", "Latency": "ms"}
HOSTILE = ["<b>bold</b>", '<a href="javascript:alert(1)">x</a>', "%{x}", "$\\frac{1}{2}$", "&lt;", "a<br>b"]


def tokens(**columns: Any) -> pd.DataFrame:
    frame = pd.DataFrame(columns)
    if "TotalTokens" in frame:
        frame["TotalTokens"] = pd.array(columns["TotalTokens"], dtype="Int64")
    return frame


def drawn(frame: pd.DataFrame, chart: str, **more: Any) -> Any:
    result = figure(frame, chart, title="Tokens", units=UNITS, **more)
    assert result is not None
    return result


@pytest.mark.parametrize("kind", [name for name, row in KINDS.items() if row.needs == ("x", "y") and row.trace])
def test_every_kind_draws_and_is_json(kind: str) -> None:
    frame = tokens(TimeGenerated=pd.date_range("2026-11-01", periods=3, freq="h", tz="UTC"), TotalTokens=[1, 2, 3])
    result = drawn(frame, f"{kind} x=TimeGenerated y=TotalTokens")
    assert list(result.data[0].y) == [1, 2, 3]
    assert "Tokens" in describe(result)
    json.dumps(result.to_plotly_json(), allow_nan=False)


def test_bars_lie_where_the_numbers_are_on_x_and_the_largest_is_first() -> None:
    frame = tokens(CallerIpAddress=["203.0.113.1", "203.0.113.2"], TotalTokens=[1, 1_234_567])
    result = drawn(frame, "bar x=TotalTokens y=CallerIpAddress")
    assert result.data[0].orientation == "h"
    assert list(result.data[0].y) == ["203.0.113.2", "203.0.113.1"]
    assert result.layout.xaxis.title.text == "Total tokens"
    assert describe(result).endswith("Largest of 2: 203.0.113.2, 1.23 M tokens.")


def test_of_many_differences_the_largest_falls_are_drawn_too() -> None:
    amounts = [*range(1, 26), -3, -1000]
    frame = tokens(User=[f"user-{amount}" for amount in amounts], TotalTokens=amounts)
    result = drawn(frame, "bar x=TotalTokens y=User")
    assert list(result.data[0].x) == [*range(25, 6, -1), -1000]


def test_a_null_is_a_gap_and_never_a_zero() -> None:
    hours = pd.date_range("2026-11-01", periods=4, freq="h", tz="UTC")
    frame = tokens(TimeGenerated=hours, TotalTokens=[1, None, 3, 4])
    for kind in ("line", "bar", "area", "stacked-bar"):
        result = drawn(frame, f"{kind} x=TimeGenerated y=TotalTokens")
        assert list(result.data[0].y) == [1, None, 3, 4]
    assert drawn(frame, "line x=TimeGenerated y=TotalTokens").data[0].connectgaps is False


def test_an_area_with_a_null_is_drawn_as_bars_and_says_so() -> None:
    hours = pd.date_range("2026-11-01", periods=2, freq="h", tz="UTC")
    result = drawn(tokens(TimeGenerated=hours, TotalTokens=[1, None]), "area x=TimeGenerated y=TotalTokens")
    assert result.data[0].type == "bar"
    assert "unknown" in note(result)


def test_a_sum_of_a_known_and_an_unknown_is_the_known_and_of_unknowns_unknown() -> None:
    frame = tokens(User=["a", "a", "b", "b"], Model=["m", "m", "m", "m"], TotalTokens=[1, None, None, None])
    result = drawn(frame, "bar x=TotalTokens y=User color=Model")
    assert list(result.data[0].x) == [1, None]


def test_an_hour_without_rows_counts_zero_where_things_are_counted_and_is_a_gap_elsewhere() -> None:
    hours = pd.to_datetime(["2026-11-01T00:00Z", "2026-11-01T01:00Z", "2026-11-01T03:00Z"])
    frame = tokens(TimeGenerated=hours, TotalTokens=[1, 2, 3], Latency=[1.5, 2.5, 3.5])
    assert list(drawn(frame, "line x=TimeGenerated y=TotalTokens").data[0].y) == [1, 2, 0, 3]
    assert list(drawn(frame, "line x=TimeGenerated y=Latency").data[0].y) == [1.5, 2.5, None, 3.5]


def test_hours_are_shown_in_the_reports_time_zone_and_days_stay_utc_days() -> None:
    hours = pd.date_range("2026-11-01T01:00", periods=3, freq="h", tz="UTC")
    result = drawn(
        tokens(TimeGenerated=hours, TotalTokens=[1, 2, 3]),
        "line x=TimeGenerated y=TotalTokens",
        time_zone="Asia/Tokyo",
    )
    assert result.data[0].x[0] == "2026-11-01T10:00:00"
    assert result.layout.xaxis.title.text == "Time (Asia/Tokyo)"
    days = pd.date_range("2026-11-01", periods=3, freq="D", tz="UTC")
    result = drawn(
        tokens(TimeGenerated=days, TotalTokens=[1, 2, 3]),
        "bar x=TimeGenerated y=TotalTokens",
        time_zone="Asia/Tokyo",
    )
    assert result.data[0].x[0] == "2026-11-01T00:00:00"
    assert result.layout.xaxis.title.text == "Day (UTC)"
    months = pd.to_datetime(["2026-10-01", "2026-11-01"], utc=True)
    assert (
        drawn(tokens(Month=months, TotalTokens=[1, 2]), "bar x=Month y=TotalTokens").layout.xaxis.title.text
        == "Month (UTC)"
    )


def test_the_hour_that_the_clock_repeats_is_two_hours() -> None:
    hours = pd.date_range("2026-10-25T00:00", periods=3, freq="h", tz="UTC")
    frame = pd.DataFrame({"TimeGenerated": hours, "Latency": [1.0, 2.0, 3.0]})
    result = drawn(frame, "line x=TimeGenerated y=Latency", time_zone="Europe/Berlin")
    assert list(result.data[0].y) == [1, 2, 3]
    assert [moment[11:16] for moment in result.data[0].x] == ["02:00", "02:00", "03:00"]


def test_one_moment_alone_is_a_mark() -> None:
    one = tokens(TimeGenerated=pd.to_datetime(["2026-11-01T01:00Z"]), TotalTokens=[5])
    for kind in ("line", "area"):
        assert drawn(one, f"{kind} x=TimeGenerated y=TotalTokens").data[0].mode == "lines+markers"


def test_a_single_moment_is_named_and_its_bar_has_its_own_width() -> None:
    one = tokens(TimeGenerated=pd.to_datetime(["2026-11-01T00:00Z"]), TotalTokens=[5])
    result = drawn(one, "bar x=TimeGenerated y=TotalTokens")
    assert list(result.data[0].x) == ["1 Nov 2026"] and result.layout.xaxis.type == "category"
    assert result.layout.bargap > 0.8
    month = one.rename(columns={"TimeGenerated": "Month"})
    assert list(drawn(month, "bar x=Month y=TotalTokens").data[0].x) == ["Nov 2026"]
    week = tokens(TimeGenerated=pd.date_range("2026-11-01", periods=7, tz="UTC"), TotalTokens=[1] * 7)
    assert drawn(week, "bar x=TimeGenerated y=TotalTokens").layout.bargap is None


def test_past_eight_series_the_rest_is_summed_as_other() -> None:
    models = [f"model-{n:02}" for n in range(20)]
    frame = tokens(User=["a"] * 20, Model=models, TotalTokens=[100] * 7 + [50] * 13)
    result = drawn(frame, "bar x=TotalTokens y=User color=Model")
    assert len(result.data) == MAX_SERIES
    assert result.data[-1].name == "other (13)"
    assert sum(trace.x[0] for trace in result.data) == frame["TotalTokens"].sum()


def test_where_most_would_be_other_the_sum_is_drawn_and_how_even_its_parts_are_is_said() -> None:
    hours = pd.date_range("2026-11-01", periods=2, freq="h", tz="UTC")
    frame = tokens(
        TimeGenerated=[hour for hour in hours for _ in range(200)],
        Team=[f"team-{n:03}" for _ in hours for n in range(200)],
        TotalTokens=[10] * 400,
    )
    result = drawn(frame, "stacked-bar x=TimeGenerated y=TotalTokens color=Team")
    assert [list(trace.y) for trace in result.data] == [[2000, 2000]]
    assert note(result) == "The figure adds up all 200, as the largest has only 0.5%. Each is in the data."


def test_dense_bars_touch_and_have_no_edges() -> None:
    hours = pd.date_range("2026-11-01", periods=336, freq="h", tz="UTC")
    result = drawn(tokens(TimeGenerated=hours, TotalTokens=[1] * 336), "stacked-bar x=TimeGenerated y=TotalTokens")
    assert result.layout.bargap == 0 and result.data[0].marker.line.width == 0


def test_many_lines_are_small_plots_of_their_own_on_common_scales() -> None:
    hours = pd.date_range("2026-11-01", periods=3, freq="h", tz="UTC")
    frame = pd.DataFrame(
        {
            "TimeGenerated": list(hours) * 6,
            "Model": [f"model-{n}" for n in range(6) for _ in hours],
            "Latency": [float(n) for n in range(18)],
        }
    )
    result = drawn(frame, "line x=TimeGenerated y=Latency color=Model")
    assert [trace.yaxis for trace in result.data] == ["y", "y2", "y3", "y4", "y5", "y6"]
    assert result.layout.yaxis6.matches == "y" and result.layout.xaxis6.matches == "x"
    assert [each.text for each in result.layout.annotations] == [f"model-{n}" for n in range(6)]
    few = drawn(frame[frame["Model"] < "model-3"], "line x=TimeGenerated y=Latency color=Model")
    assert [trace.yaxis for trace in few.data] == [None] * 3


def test_a_dense_line_has_no_markers_but_where_a_point_has_no_neighbour() -> None:
    days = pd.date_range("2026-01-01", periods=90, freq="D", tz="UTC")
    values = [float(n) for n in range(90)]
    gap, lonely = values.copy(), values.copy()
    gap[50] = lonely[50] = lonely[52] = None  # type: ignore[call-overload]
    chart = "line x=TimeGenerated y=Latency"
    assert drawn(pd.DataFrame({"TimeGenerated": days, "Latency": gap}), chart).data[0].mode == "lines"
    made = drawn(pd.DataFrame({"TimeGenerated": days, "Latency": lonely}), chart).data[0]
    assert [n for n, size in enumerate(made.marker.size) if size] == [51]


def test_an_axis_of_weeks_says_so() -> None:
    weeks = pd.date_range("2026-01-05", periods=30, freq="7D", tz="UTC")
    made = drawn(tokens(TimeGenerated=weeks, TotalTokens=[1] * 30), "bar x=TimeGenerated y=TotalTokens")
    assert made.layout.xaxis.title.text == "Week from (UTC)"


def test_lying_bars_have_their_value_at_their_end() -> None:
    result = drawn(tokens(User=["a", "b", "c"], TotalTokens=[1_234_567, 20, None]), "bar x=TotalTokens y=User")
    assert list(result.data[0].text) == ["1.23 M", "20", ""]
    assert result.layout.xaxis.range[1] > 1_300_000


def test_a_model_has_one_colour_in_all_figures_of_a_page() -> None:
    colors: dict[str, int] = {}
    frame = tokens(User=["a", "a", "b"], ModelName=["m1", "m2", "m3"], TotalTokens=[3, 2, 1])

    def seen(of: pd.DataFrame) -> dict[str, str]:
        made = drawn(of, "bar x=TotalTokens y=User color=ModelName", colors=colors)
        return {trace.name: trace.marker.color for trace in made.data}

    first, second = seen(frame), seen(frame[frame["ModelName"] != "m1"])
    assert len(set(first.values())) == 3
    assert second == {name: first[name] for name in ("m2", "m3")}


def test_what_cannot_be_added_up_is_left_out_and_said() -> None:
    models = [f"model-{n:02}" for n in range(20)]
    frame = pd.DataFrame({"User": ["a"] * 20, "Model": models, "Latency": [float(n) for n in range(20)]})
    result = drawn(frame, "grouped-bar x=Latency y=User color=Model")
    assert len(result.data) == MAX_SERIES
    assert "8 of 20" in note(result)


def test_averages_that_share_a_point_are_refused_rather_than_added() -> None:
    frame = pd.DataFrame({"User": ["a", "a"], "AverageTokens": [1.5, 2.5]})
    with pytest.raises(WrongUse, match="cannot be summed"):
        drawn(frame, "bar x=AverageTokens y=User")


def test_more_bars_than_a_picture_holds_are_left_to_the_table_and_said() -> None:
    frame = tokens(User=[f"user-{n}" for n in range(30)], TotalTokens=list(range(30)))
    result = drawn(frame, "bar x=TotalTokens y=User")
    assert list(result.data[0].x)[:2] == [29, 28]
    assert "20 of 30; the data has the other 10, together 10.3% of the total" in note(result)


def test_of_bars_that_all_look_the_same_one_category_is_drawn_and_the_others_are_counted() -> None:
    """Six with lengths below 0.5, 50 and 100 of 100 look the same, one differs, and of one a bar is unknown."""
    frame = pd.DataFrame(
        {
            "Deployment": [f"d{n}" for n in range(8)],
            "Covered": [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 100.0, 0.9],
            "Reserved": [100.0] * 7 + [None],
            "Hourly": [200.0] * 8,
        }
    )
    result = drawn(frame, "grouped-bar x=Covered,Reserved,Hourly y=Deployment")
    assert list(result.data[0].y) == ["d0", "d6", "d7"]
    assert note(result) == "Not drawn: 5 that look the same as d0; the data has them."
    few = drawn(frame[2:], "grouped-bar x=Covered,Reserved,Hourly y=Deployment")
    assert len(few.data[0].y) == 6 and note(few) == ""
    one = drawn(frame.assign(Reserved=None, Hourly=None), "grouped-bar x=Covered,Reserved,Hourly y=Deployment")
    assert len(one.data[0].y) == 8


def test_a_legend_names_no_series_whose_bars_are_all_left_to_the_table() -> None:
    kinds = ["address"] * 20 + ["end user"] * 10
    frame = tokens(User=[f"u{n}" for n in range(30)], Kind=kinds, TotalTokens=[100 - n for n in range(30)])
    result = drawn(frame, "bar x=TotalTokens y=User color=Kind")
    assert [trace.name for trace in result.data] == ["address"]


def test_several_measures_are_a_series_each() -> None:
    frame = pd.DataFrame({"Model": ["m"], "PromptTokens": [3], "CompletionTokens": [4]})
    result = drawn(frame, "bar x=PromptTokens,CompletionTokens y=Model")
    assert {trace.name: trace.x[0] for trace in result.data} == {"Prompt tokens": 3, "Completion tokens": 4}


def test_a_measure_without_any_value_is_said_and_takes_no_room() -> None:
    frame = tokens(Scope=["a", "b"], ProjectedTokens=[1.0, 2.0], BudgetTokens=[None, None])
    frame["BudgetTokens"] = frame["BudgetTokens"].astype("Float64")
    result = drawn(frame, "grouped-bar x=ProjectedTokens,BudgetTokens y=Scope")
    assert [each.name for each in result.data] == ["Projected tokens"]
    assert note(result) == "Not in the figure, as no row has a value: Budget tokens."
    frame["BudgetTokens"] = pd.array([None, 3.0], dtype="Float64")
    assert len(drawn(frame, "grouped-bar x=ProjectedTokens,BudgetTokens y=Scope").data) == 2


def test_ranges_keep_their_order_and_what_is_no_range_comes_last() -> None:
    names = ["cut", "100 to 999", "10,000 and more", "1,000 to 9,999", "under 100"]
    hour = pd.to_datetime(["2026-11-01T00:00Z"] * 5)
    frame = tokens(TimeGenerated=hour, Class=names, TotalTokens=[9, 8, 7, 6, 5])
    result = drawn(frame, "stacked-bar x=TimeGenerated y=TotalTokens color=Class")
    assert [each.name for each in result.data] == [
        "under 100",
        "100 to 999",
        "1,000 to 9,999",
        "10,000 and more",
        "cut",
    ]


@pytest.mark.parametrize("kind", ["bar x=TotalTokens y=User color=Model", "heatmap x=User y=Model color=TotalTokens"])
def test_hostile_names_reach_plotly_only_escaped(kind: str) -> None:
    frame = tokens(User=HOSTILE, Model=HOSTILE, TotalTokens=range(1, 7))
    result = drawn(frame, kind).to_plotly_json()
    result["layout"].pop("template")
    result["layout"].pop("meta")  # plain text, escaped by the page
    text = json.dumps(result)
    for markup in ("<b>bold", "<a ", "$\\\\frac", "a<br>b"):
        assert markup not in text
    assert "&lt;b&gt;bold&lt;/b&gt;" in text and "&#37;{x}" in text


def test_a_long_name_is_short_on_the_axis_and_whole_in_the_hover() -> None:
    name = "deployment-of-a-department-with-a-very-long-name"
    result = drawn(tokens(User=[name, name + "2"], TotalTokens=[2, 1]), "bar x=TotalTokens y=User")
    assert all(len(text) == 28 for text in result.layout.yaxis.ticktext)
    assert list(result.data[0].customdata) == [name, name + "2"]


def test_long_names_keep_what_differs_between_them() -> None:
    names = [f"contoso-insurance-department-{n:03}-production-westeurope" for n in (13, 14)]
    result = drawn(tokens(User=names, TotalTokens=[2, 1]), "bar x=TotalTokens y=User")
    assert ["-013-" in result.layout.yaxis.ticktext[0], "-014-" in result.layout.yaxis.ticktext[1]] == [True, True]
    assert all(len(text) <= 28 for text in result.layout.yaxis.ticktext)


def test_labels_of_negative_bars_have_room_beside_the_names() -> None:
    """Room for labels is a share of the plot: of the smallest bar's own length it would be hardly any."""
    frame = pd.DataFrame({"User": ["a", "b"], "Change": [100.0, -1.0]})
    result = drawn(frame, "bar x=Change y=User")
    assert list(result.layout.xaxis.range) == pytest.approx([-17.16, 116.16])


def test_counts_have_no_mark_between_two() -> None:
    assert drawn(tokens(User=["a", "b"], TotalTokens=[2, 1]), "bar x=TotalTokens y=User").layout.xaxis.dtick == 1
    assert drawn(tokens(User=["a", "b"], TotalTokens=[9, 1]), "bar x=TotalTokens y=User").layout.xaxis.dtick is None


def test_a_single_bar_that_lies_has_its_own_width_and_a_tiny_amount_no_prefix() -> None:
    result = drawn(pd.DataFrame({"User": ["a"], "Cost": [0.000027]}), "bar x=Cost y=User")
    assert result.layout.height < 200 and result.layout.xaxis.exponentformat == "none"
    assert (
        drawn(pd.DataFrame({"User": ["a"], "Cost": [1200.0]}), "bar x=Cost y=User").layout.xaxis.exponentformat is None
    )


def test_numbers_and_dates_as_names_stay_names() -> None:
    result = drawn(tokens(User=["2024-08-06", "17"], TotalTokens=[2, 1]), "bar x=TotalTokens y=User")
    assert result.layout.yaxis.type == "category"


def test_nothing_is_drawn_of_a_table_of_no_rows_and_of_nothing_known() -> None:
    frame = tokens(User=["a"], TotalTokens=[None])
    chart = "bar x=TotalTokens y=User"
    assert figure(frame, "table", title="", units=UNITS) is None
    assert figure(frame, "", title="", units=UNITS) is None
    assert figure(frame.head(0), chart, title="", units=UNITS) is None
    assert figure(frame, chart, title="", units=UNITS) is None


def test_points_without_both_values_are_counted() -> None:
    frame = pd.DataFrame({"Latency": [1.0, None, 3.0], "AverageTokens": [1.0, 2.0, 3.0]})
    result = drawn(frame, "scatter x=AverageTokens y=Latency")
    assert list(result.data[0].y) == [1, 3]
    assert note(result) == "Rows with an unknown value, not drawn: 1."


def test_a_heatmap_leaves_an_empty_field_empty() -> None:
    frame = tokens(Hour=[0, 1, 1], Day=["Mon", "Mon", "Tue"], TotalTokens=[5, 6, 7])
    result = drawn(frame, "heatmap x=Hour y=Day color=TotalTokens")
    (cells,) = result.data
    assert list(zip(cells.x, cells.customdata, strict=True)) == [(0, ["Mon", 5]), (1, ["Mon", 6]), (1, ["Tue", 7])]
    assert list(cells.marker.color) == [5, 6, 7] and list(result.layout.yaxis.ticktext) == ["Mon", "Tue"]
    assert [cells.base[0] < 0 < cells.base[0] + cells.y[0], cells.base[2] < 1 < cells.base[2] + cells.y[2]] == [
        True
    ] * 2


@pytest.mark.parametrize(
    ("chart", "said"),
    [
        ("bra x=A y=B", "use bar"),
        ("bar x=A", "needs y=Column"),
        ("bar x=A y=B size=C", "'size=C' is not one of"),
        ("bar x=A,B y=C,D", "only one of x and y"),
        ("heatmap x=A y=B", "needs color=Column"),
    ],
)
def test_a_chart_that_is_none_says_what_to_write(chart: str, said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        parse_chart(chart)


def test_a_chart_of_a_column_that_is_not_there_names_it() -> None:
    with pytest.raises(WrongUse, match="no column 'Model'"):
        drawn(tokens(User=["a"], TotalTokens=[1]), "bar x=TotalTokens y=Model")


def test_both_templates_have_colours_for_every_series() -> None:
    for template in templates().values():
        colors = template["layout"]["colorway"]
        assert len(set(colors)) == len(colors) >= MAX_SERIES - 1
